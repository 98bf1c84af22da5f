/* SPDX-License-Identifier: BSD-2-Clause
 * Discarding ranges; see discard.h.
 */
#include "discard.h"

#include <l4/ckpt.h>
#include <l4/framecontrol.h>
#include <stddef.h>

#include "commit.h"
#include "cow.h"
#include "kobj.h"
#include "pages.h"
#include "reclaim.h"
#include "server.h"
#include "snapshot.h"

#define RANGES          1024u           /* between two commits; a full partition may keep them waiting for long */

static struct {
	struct discard_range range[2][RANGES];
	unsigned count[2];
	unsigned fresh;                 /* which of the two collects for the next snapshot */
} d;

static bool remember(uint32_t client, uint64_t first, uint64_t end)
{
	unsigned n = d.count[d.fresh];
	struct discard_range *last = n ? &d.range[d.fresh][n - 1] : NULL;

	if (!commit_persistent())
		return true;
	if (last && last->client == client && last->first <= first && last->end >= first) {
		if (last->end < end)
			last->end = end;
		return true;
	}
	if (n == RANGES)
		return false;
	d.range[d.fresh][d.count[d.fresh]++] = (struct discard_range){ client, first, end };
	return true;
}

/* The page's range will be removed. False: it is on its way from the disk, or waits for a buffer. */
static bool give_up(pfn_t f)
{
	struct page *p = page_of(f);

	/* Who waits for room looks again, and meets a fault; the frame must not stay writable. */
	if (p->flags & PG_POSTPONED && cow_unthrottle(f)) {
		fc_push(L4_FC_WRITABLE, f, 0);
		fc_push(L4_FC_PROTECT, f, 0);
	}
	if (p->flags & (PG_LOADING | PG_POSTPONED))
		return false;
	if (p->flags & (PG_DEAD | PG_DOOMED))
		return true;
	if (p->flags & PG_MAPPED)
		reclaim_unmap(f);
	if (!cow_forget(f))
		cow_discard(f);
	return true;
}

uint64_t discard_request(L4_ThreadId_t client, uint64_t first, uint64_t bytes)
{
	uint32_t space = kobj_space_of(L4_ThreadNo(client));
	uint64_t vpn = first >> 12, end = (first + bytes) >> 12;

	if (space != record.root_space)
		return L4_CKPT_DENIED;
	if ((first | bytes) & (PAGE_BYTES - 1) || bytes > L4_CKPT_RANGE_MAX || first >> 47)
		return L4_CKPT_BAD_REQUEST;
	/* First of all: from here on the old content of the pages is not read any more. */
	if (!remember(space, vpn, end)) {
		snapshot_want();
		return L4_CKPT_BUSY;
	}
	for (uint64_t v = vpn; v < end; v++) {
		pfn_t f = page_find(KEY(space, v));

		if (f && !give_up(f))
			return L4_CKPT_BUSY;
	}
	commit_space_given(false);
	return L4_CKPT_OK;
}

void discard_client(uint32_t client)
{
	if (client >= STORE_CLIENTS || !remember(client, 0, STORE_VPN_END))
		snapshot_want();
}

void discard_saved(uint32_t client, uint64_t first, uint64_t end)
{
	remember(client, first, end);
}

static bool hides(unsigned which, uint64_t key)
{
	for (unsigned i = 0; i < d.count[which]; i++) {
		const struct discard_range *r = &d.range[which][i];

		if (r->client == KEY_CLIENT(key) && KEY_VPN(key) >= r->first && KEY_VPN(key) < r->end)
			return true;
	}
	return false;
}

bool discard_hides(uint64_t key)
{
	return (d.count[0] && hides(0, key)) || (d.count[1] && hides(1, key));
}

bool discard_pending(void)
{
	return d.count[d.fresh];
}

void discard_snapshot(void)
{
	d.fresh ^= 1;                           /* the other one is empty: its commit has ended */
}

const struct discard_range *discard_next(void)
{
	unsigned n = d.count[d.fresh ^ 1];

	return n ? &d.range[d.fresh ^ 1][n - 1] : NULL;
}

void discard_removed(void)
{
	d.count[d.fresh ^ 1]--;
}
