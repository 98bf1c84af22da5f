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
#include "kobj.h"
#include "pages.h"
#include "pending.h"
#include "residual.h"
#include "server.h"
#include "snapshot.h"
#include "stats.h"
#include "travel.h"
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

/* Waits for a checkpoint that contains snapshot `number`. busy: the answer if nobody can wait any more. */
static void wait_for_snapshot(const struct request *r, enum pending_kind kind, uint64_t number, uint64_t word, uint64_t busy)
{
	struct pending *p = pending_add(kind, r->client);

	if (!p) {
		answer(r, busy, 0);
		return;
	}
	p->epoch = number;
	p->label = r->label;
	p->words[0] = word;
	snapshot_want();
}

/* Waits for a checkpoint that contains this call. */
static void wait_for_commit(const struct request *r, enum pending_kind kind, unsigned reason)
{
	wait_for_snapshot(r, kind, snapshot_number() + 1, reason, L4_CKPT_BUSY);
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

/* ---- Generations ------------------------------------------------------------------------------- */

/* What takes effect with the next commit is answered when that is durable. */
static void answer_committed(const struct request *r, uint64_t status, uint64_t value)
{
	if (status == L4_CKPT_OK)
		wait_for_snapshot(r, PENDING_DONE, snapshot_number() + 1, value, L4_CKPT_FAILED);
	else
		answer(r, status, value);
}

static void name(const struct request *r)
{
	uint64_t generation = arg(r, 1), status;
	uint64_t text[4] = { arg(r, 2), arg(r, 3), arg(r, 4), arg(r, 5) };

	status = travel_name(&generation, text);
	answer_committed(r, status, generation);
}

static void drop(const struct request *r)
{
	uint64_t dropped, status = travel_drop(arg(r, 1), arg(r, 2), &dropped);

	if (arg(r, 3) & L4_CKPT_DROP_NOW)
		answer(r, status, dropped);
	else
		answer_committed(r, status, dropped);
}

static void keep(const struct request *r)
{
	uint64_t before, status = travel_keep(arg(r, 1), &before);

	answer(r, status, before);
}

static void list(const struct request *r)
{
	struct pending *p;

	if (travel_send_list(r->client, arg(r, 1)) != SEND_LATER)
		return;
	p = pending_add(PENDING_LIST, r->client);
	if (p)
		p->words[0] = arg(r, 1);
	else
		answer(r, L4_CKPT_BUSY, 0);
}

static void compare(const struct request *r)
{
	if (!travel_diff(r->client, arg(r, 1), arg(r, 2), arg(r, 3), arg(r, 4)))
		answer(r, L4_CKPT_BUSY, 0);
}

/* A checkpoint is of everything: the range is checked, and the next snapshot is the one to wait for. */
static void order(const struct request *r)
{
	uint64_t first = arg(r, 1), bytes = arg(r, 2);
	bool root = kobj_space_of(L4_ThreadNo(r->client)) == record.root_space;

	if (root && ((first | bytes) % PAGE_BYTES || bytes > L4_CKPT_RANGE_MAX || first >> 12 >= record.store_pages ||
		     bytes >> 12 > record.store_pages - (first >> 12))) {
		answer(r, L4_CKPT_BAD_REQUEST, 0);
	} else if (commit_idle() && !cow_anything()) {
		answer(r, L4_CKPT_OK, 0);
	} else {
		snapshot_want();
		answer(r, L4_CKPT_OK, snapshot_number() + 1);
	}
}

static void await(const struct request *r)
{
	if (arg(r, 1) != commit_boot() || arg(r, 2) <= snapshot_saved())
		answer(r, L4_CKPT_OK, commit_generation());
	else if (arg(r, 2) > snapshot_number() + 1)
		answer(r, L4_CKPT_BAD_REQUEST, 0);
	else
		wait_for_snapshot(r, PENDING_SAVE, arg(r, 2), 0, L4_CKPT_BUSY);
}

static void reset(const struct request *r)
{
	if (L4_ThreadNo(r->client) >= L4_ROOT_TNO)
		answer(r, L4_CKPT_DENIED, 0);
	else if (r->stale)
		answer(r, L4_CKPT_NEW_BOOT, 0);
	else
		server_stop(1, 0);
}

/* False: the label is none of these. */
static bool generation_message(const struct request *r)
{
	static const struct { uint64_t label; bool effect; void (*serve)(const struct request *); } of_label[] = {
		{ L4_CKPT_LIST, false, list }, { L4_CKPT_NAME, true, name }, { L4_CKPT_DROP, true, drop },
		{ L4_CKPT_KEEP, true, keep }, { L4_CKPT_DIFF, false, compare }, { L4_CKPT_ORDER, false, order },
		{ L4_CKPT_AWAIT, false, await },
	};

	for (unsigned i = 0; i < sizeof of_label / sizeof *of_label; i++) {
		if (of_label[i].label != r->label)
			continue;
		if (!commit_persistent())
			answer(r, L4_CKPT_NOT_PERSISTENT, 0);
		else if (of_label[i].effect && r->stale)
			answer(r, L4_CKPT_NEW_BOOT, 0);
		else
			of_label[i].serve(r);
		return true;
	}
	return false;
}

/* Does it control the machine? */
static bool is_control(const struct request *r)
{
	switch (r->label) {
	case L4_CKPT_INTERVAL:
	case L4_CKPT_POWEROFF:
	case L4_CKPT_REBOOT:
	case L4_CKPT_EXIT:
	case L4_CKPT_NAME:
	case L4_CKPT_DROP:
		return true;
	case L4_CKPT_KEEP:
		return arg(r, 1);               /* 0 only asks */
	default:
		return false;
	}
}

static bool may_control(L4_ThreadId_t client)
{
	uint64_t number = L4_ThreadNo(client);

	return number < L4_CONTROL_TNO_END || kobj_space_of(number) == record.root_space;
}

bool request_message(L4_ThreadId_t client, uint64_t label, unsigned n, const uint64_t *mr)
{
	struct request r = { client, label, n, mr, n < 1 || mr[0] != commit_boot() };

	if (is_control(&r) && !may_control(client)) {
		answer(&r, L4_CKPT_DENIED, 0);
		return true;
	}
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
	case L4_CKPT_RESET:
		reset(&r);
		break;
	default:
		return generation_message(&r);
	}
	return true;
}
