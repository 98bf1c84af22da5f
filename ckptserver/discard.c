/* SPDX-License-Identifier: BSD-2-Clause
 * Discarding ranges; see discard.h.
 */
#include "discard.h"

#include <l4/ckpt.h>
#include <l4/framecontrol.h>
#include <l4/string.h>
#include <stddef.h>

#include "commit.h"
#include "cow.h"
#include "kobj.h"
#include "pages.h"
#include "permit.h"
#include "reclaim.h"
#include "server.h"
#include "snapshot.h"

#define RANGES          1024u           /* that lie apart; a full partition may keep them waiting for long */

/* In ascending order; no two of a client overlap or touch. */
struct set {
	struct discard_range range[RANGES];
	unsigned count;
};

static struct {
	struct set set[2];
	unsigned fresh;                 /* which of the two collects for the next snapshot */
} d;

/* Index of the first range that ends at this page of the client or later. */
static unsigned place_of(const struct set *s, uint32_t client, uint64_t page)
{
	unsigned low = 0, high = s->count;

	while (low < high) {
		unsigned middle = (low + high) / 2;
		const struct discard_range *r = &s->range[middle];

		if (r->client < client || (r->client == client && r->end < page))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* What is remembered for one snapshot is a set of pages, whatever the order in which they came: so a range and all
 * that it overlaps or touches are one. False: there is no entry left. */
static bool remember(uint32_t client, uint64_t first, uint64_t end)
{
	struct set *s = &d.set[d.fresh];
	unsigned at = place_of(s, client, first), past;

	if (!commit_persistent() || first == end)
		return true;
	for (past = at; past < s->count && s->range[past].client == client && s->range[past].first <= end; past++) {
		if (s->range[past].first < first)
			first = s->range[past].first;
		if (s->range[past].end > end)
			end = s->range[past].end;
	}
	if (past == at && s->count == RANGES)
		return false;
	memmove(&s->range[at + 1], &s->range[past], (s->count - past) * sizeof *s->range);
	s->count = s->count - past + at + 1;
	s->range[at] = (struct discard_range){ client, first, end };
	return true;
}

/* The page's range will be removed. False: it is on its way from the disk, or waits for a buffer. */
static bool give_up(pfn_t f)
{
	struct page *p = page_of(f);

	/* Who waits for room looks again, and meets a fault; the frame must not stay writable. */
	if (p->flags & PG_POSTPONED && permit_withdraw(f)) {
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
	bool all;

	if (space != record.root_space)
		return L4_CKPT_DENIED;
	if ((first | bytes) & (PAGE_BYTES - 1) || bytes > L4_CKPT_RANGE_MAX || first >> 47)
		return L4_CKPT_BAD_REQUEST;
	/* First of all: from here on the old content of the pages is not read any more. If that cannot be had, what is dirty goes
	 * all the same, for the commit that makes entries free may want the room. */
	all = remember(space, vpn, end);
	if (!all)
		snapshot_want();
	for (uint64_t v = vpn; v < end; v++) {
		pfn_t f = page_find(KEY(space, v));

		if (f && !give_up(f))
			all = false;
	}
	commit_space_given(false);
	return all ? L4_CKPT_OK : L4_CKPT_BUSY;
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

static bool hides(const struct set *s, uint64_t key)
{
	unsigned at = place_of(s, KEY_CLIENT(key), KEY_VPN(key) + 1);

	return at < s->count && s->range[at].client == KEY_CLIENT(key) && s->range[at].first <= KEY_VPN(key);
}

bool discard_hides(uint64_t key)
{
	return hides(&d.set[0], key) || hides(&d.set[1], key);
}

bool discard_pending(void)
{
	return d.set[d.fresh].count;
}

void discard_snapshot(void)
{
	d.fresh ^= 1;                           /* the other one is empty: its commit has ended */
}

const struct discard_range *discard_next(void)
{
	const struct set *s = &d.set[d.fresh ^ 1];

	return s->count ? &s->range[s->count - 1] : NULL;
}

void discard_removed(void)
{
	d.set[d.fresh ^ 1].count--;
}
