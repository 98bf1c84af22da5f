/* SPDX-License-Identifier: BSD-2-Clause
 * Requests of programs: each handler answers, or leaves an entry in the pending table.
 *
 * A request with an effect is carried out only if it was made in this boot (l4/ckpt.h says why). A save of
 * an earlier boot is answered OK: the caller runs from a committed checkpoint that contains the call.
 */
#include "requests.h"

#include <l4/bootinfo.h>
#include <l4/ckpt.h>
#include <l4/message.h>

#include "commit.h"
#include "cow.h"
#include "discard.h"
#include "pending.h"
#include "residual.h"
#include "server.h"
#include "snapshot.h"
#include "stats.h"
#include "volatile.h"

#define INTERVAL_MIN_US 100ul
#define INTERVAL_MAX_US 86400000000ul

struct request {
	L4_ThreadId_t client;
	uint64_t label;
	unsigned n;
	const uint64_t *mr;
	bool stale;
};

static void answer(const struct request *r, uint64_t status, uint64_t value)
{
	uint64_t words[3] = { status, commit_boot(), value };

	pending_reply(r->client, r->label, 3, words);
}

static uint64_t arg(const struct request *r, unsigned i)
{
	return i < r->n ? r->mr[i] : 0;
}

/* Waits for a checkpoint that contains this call. */
static void wait_for_commit(const struct request *r, enum pending_kind kind, unsigned reason)
{
	struct pending *p = pending_add(kind, r->client);

	if (!p) {
		answer(r, L4_CKPT_BUSY, 0);
		return;
	}
	p->epoch = snapshot_number() + 1;
	p->label = r->label;
	p->words[0] = reason;
	snapshot_want();
}

static void save(const struct request *r)
{
	if (!commit_persistent())
		answer(r, L4_CKPT_NOT_PERSISTENT, 0);
	else if (r->stale)
		answer(r, L4_CKPT_OK, commit_generation());
	else
		wait_for_commit(r, PENDING_SAVE, 0);
}

static void stop(const struct request *r, unsigned reason)
{
	if (r->stale)
		answer(r, L4_CKPT_NEW_BOOT, 0);
	else if (commit_persistent())
		wait_for_commit(r, PENDING_STOP, reason);
	else
		server_stop(reason, 0);
}

enum send_result request_send_stat(L4_ThreadId_t client)
{
	struct L4_CkptStat s;
	const uint64_t *w = (const uint64_t *)&s;
	int words = sizeof s / sizeof *w;

	_Static_assert(sizeof s / sizeof *w + 2 < L4_NUM_MRS, "fits a message");
	stats_get(&s);
	L4_LoadMR(0, (uint64_t)L4_CKPT_STAT << 16 | (uint64_t)(2 + words));
	L4_LoadMR(1, L4_CKPT_OK);
	L4_LoadMR(2, commit_boot());
	L4_LoadMRs(3, words, w);
	return server_send(client);
}

static void interval(const struct request *r)
{
	uint64_t us = arg(r, 1), before = options.interval_us;

	if (r->stale) {
		answer(r, L4_CKPT_NEW_BOOT, before);
	} else if (us && (us < INTERVAL_MIN_US || us > INTERVAL_MAX_US)) {
		answer(r, L4_CKPT_BAD_REQUEST, before);
	} else {
		options.interval_us = us;
		snapshot_interval_changed();
		answer(r, L4_CKPT_OK, before);
	}
}

static void range(const struct request *r, bool is_volatile)
{
	if (r->stale)
		answer(r, L4_CKPT_NEW_BOOT, 0);
	else
		answer(r, is_volatile ? volatile_request(r->client, arg(r, 1), arg(r, 2)) :
			  discard_request(r->client, arg(r, 1), arg(r, 2)), 0);
}

static void irq(const struct request *r)
{
	L4_ThreadId_t handler = { .raw = arg(r, 2) };
	bool driver = L4_ThreadNo(r->client) < L4_ROOT_TNO;

	if (!driver || arg(r, 1) >= L4_SYSTEM_BASE)
		answer(r, driver ? L4_CKPT_BAD_REQUEST : L4_CKPT_DENIED, 0);
	else
		answer(r, server_give_irq((unsigned)arg(r, 1), handler) ? L4_CKPT_OK : L4_CKPT_FAILED, 0);
}

bool request_message(L4_ThreadId_t client, uint64_t label, unsigned n, const uint64_t *mr)
{
	struct request r = { client, label, n, mr, n < 1 || mr[0] != commit_boot() };

	switch (label) {
	case L4_CKPT_SAVE:
		save(&r);
		break;
	case L4_CKPT_STAT:
		if (request_send_stat(client) == SEND_LATER && !pending_add(PENDING_STAT, client))
			answer(&r, L4_CKPT_BUSY, 0);
		break;
	case L4_CKPT_INTERVAL:
		interval(&r);
		break;
	case L4_CKPT_POWEROFF:
		stop(&r, 0);
		break;
	case L4_CKPT_REBOOT:
		stop(&r, 1);
		break;
	case L4_CKPT_EXIT:
		if (r.stale)
			answer(&r, L4_CKPT_NEW_BOOT, 0);
		else
			server_stop(2, arg(&r, 1) & 0x7f);
		break;
	case L4_CKPT_DISCARD:
		range(&r, false);
		break;
	case L4_CKPT_VOLATILE:
		range(&r, true);
		break;
	case L4_CKPT_IRQ:
		irq(&r);
		break;
	default:
		return false;
	}
	return true;
}
