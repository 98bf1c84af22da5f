/* SPDX-License-Identifier: BSD-2-Clause
 * Promises of room; see room.h. The store's number of promised pages is the truth; it falls with every page put. Here is
 * only how many of these promises no page has got yet, which is put right before each snapshot.
 */
#include "room.h"

#include "chaos.h"
#include "commit.h"
#include "cow.h"
#include "discard.h"
#include "pages.h"
#include "server.h"

#define CHUNK           64u             /* promises fetched at a time */
#define CLEAN_PART      8u              /* that part of memory is not to be dirty without a promise, … */
#define LAST_PART       16u             /* … but for the pages that are granted, down to this part */
#define GRANT_US        100000ul        /* between two of them */

static uint64_t spare;                  /* promises that no page has yet */
static uint64_t unpromised;             /* pages without one */
static bool granted;                    /* the next page may become dirty */
static uint64_t grant_tsc;

void room_dirty(void)
{
	if (spare)
		spare--;
	else if (commit_persistent() && store_reserve(commit_store(), CHUNK) == STORE_OK)
		spare = CHUNK - 1;
	else
		unpromised++;
}

/* All but one part in so many. */
static bool nearly_all_dirty(unsigned part)
{
	return frames_total() < cow.dirty + cow.snap + frames_total() / part;
}

bool room_short(uint64_t key)
{
	if (KEY_CLIENT(key) == CLIENT_KERNEL || !commit_persistent())
		return false;
	if (chaos_roll(CHAOS_NO_ROOM))
		return true;
	if (!unpromised || !nearly_all_dirty(CLEAN_PART))
		return false;
	if (!granted)
		return true;
	granted = false;
	return false;
}

void room_tick(uint64_t now)
{
	if (now < grant_tsc)
		return;
	grant_tsc = now + time_ticks(GRANT_US);
	granted = !nearly_all_dirty(LAST_PART);
}

/* It gives space back, so it is worth trying without a promise, which is for the worst case: pages far from each other, of
 * which each needs index blocks of its own. */
static bool fits(struct store *st, uint64_t need)
{
	struct store_stats s;

	store_stats(st, &s);
	return s.free > s.slush + need + need / 4 + CHUNK;
}

bool room_for_snapshot(void)
{
	struct store *st = commit_store();
	uint64_t need = cow.dirty - cow.dead - cow.passed, promised = store_reserved(st);

	if (promised > need + 2 * CHUNK) {
		store_unreserve(st, promised - need - CHUNK);
		promised = need + CHUNK;
	}
	if (discard_pending() && fits(st, need))
		return true;
	unpromised = 0;
	spare = promised > need ? promised - need : 0;
	if (need > promised && store_reserve(st, need - promised) != STORE_OK)
		unpromised = need - promised;
	return !unpromised;
}

bool room_for_early(void)
{
	struct store *st = commit_store();
	uint64_t all = frames_total();

	if (unpromised || store_reserve(st, all) != STORE_OK)
		return false;
	store_unreserve(st, all);
	return true;
}

uint64_t room_unpromised(void)
{
	return unpromised;
}
