/* SPDX-License-Identifier: BSD-2-Clause
 * Snapshot.
 *
 * The order is: read every event that the kernel has for us (an eviction or a discard must not be split by the
 * epoch's end); answer what was postponed; advance the epoch; swap the dirty lists; go on. Nothing here
 * walks memory. What follows, the copying, is ordinary work beside the running world.
 *
 * The message loop (main.c) has the function that reads one kernel message; the snapshot uses it.
 */
#include "snapshot.h"

#include "chaos.h"
#include "commit.h"
#include "cow.h"
#include "discard.h"
#include "io.h"
#include "log.h"
#include "loop.h"
#include "pending.h"
#include "permit.h"
#include "reclaim.h"
#include "server.h"
#include "statehash.h"
#include "travel.h"
#include "volatile.h"
#include "writer.h"

#define TICK_US         20000ul         /* while something is to be tried again */
#define TRIES           8u
#define WAKE_US         50ul            /* the writer is woken that long after the pause, not in it */
#define LONG_US         1000000ul
#define CLEAN_US        50000ul

struct snapshot_counters snapshot_count;

static struct {
	bool alive, wanted;
	bool again;                     /* refused a moment ago, until somebody has run */
	bool wake;                      /* the writer is still to be told */
	uint64_t next_tsc, not_before;
	uint64_t saved;
} s;

void snapshot_begin(void)
{
	s.alive = true;
	s.next_tsc = rdtsc() + time_ticks(options.interval_us);
}

void snapshot_want(void)
{
	s.wanted = true;
}

void snapshot_interval_changed(void)
{
	s.next_tsc = rdtsc() + time_ticks(options.interval_us);
}

void snapshot_over(void)
{
	if (s.wake) {
		s.wake = false;
		writer_wake();
	}
}

void snapshot_put_off(uint64_t us)
{
	s.wanted = pending_saves();             /* asked for since it failed, and perhaps there is no interval */
	s.next_tsc = s.not_before = rdtsc() + time_ticks(us);
}

uint64_t snapshot_number(void)
{
	return snapshot_count.taken;
}

bool snapshot_near(uint64_t tsc)
{
	return s.wanted || (options.interval_us && tsc >= s.next_tsc);
}

uint64_t snapshot_saved(void)
{
	return s.saved;
}

bool snapshot_due(uint64_t tsc)
{
	if (!s.alive || !commit_persistent() || !commit_idle() || tsc < s.not_before)
		return false;
	if (cow.busy)                           /* early writes: no more are begun when it is near, so soon */
		return false;
	/* Nothing has changed: the last one is as good. */
	if (!cow_anything() && !discard_pending() && !pending_saves() && !travel_unsaved()) {
		s.wanted = false;
		if (tsc >= s.next_tsc)
			s.next_tsc = tsc + time_ticks(options.interval_us);
		return false;
	}
	if (!s.wanted && !(options.interval_us && tsc >= s.next_tsc) && !chaos_roll(CHAOS_SNAPSHOT))
		return false;
	return commit_room();
}

void snapshot_committed(void)
{
	uint64_t now = rdtsc();

	s.saved = snapshot_count.taken;
	/* Late: begin the next interval now, not a burst of snapshots. */
	if (s.next_tsc + time_ticks(options.interval_us) < now)
		s.next_tsc = now;
}

uint64_t snapshot_patience(uint64_t tsc)
{
	uint64_t us = LONG_US;

	if (!s.alive || !commit_persistent())
		return us;
	if (s.wake || s.again)
		return WAKE_US;
	if (cow.busy && snapshot_near(tsc))
		return WRITER_TICK_US;          /* a completion is what it waits for */
	if (commit_idle() && s.wanted)
		return tsc < s.not_before ? TICK_US : 0;
	if (commit_idle() && cow.dirty)
		us = CLEAN_US;                  /* for early writing */
	if (pending_count())
		us = TICK_US;
	if (!commit_idle() || reclaim_wanted())
		us = WRITER_TICK_US;
	if (commit_idle() && options.interval_us) {
		uint64_t left = s.next_tsc > tsc ? time_us(s.next_tsc - tsc) + 1 : 0;

		if (left < us)
			us = left;
	}
	return us;
}

void snapshot_take(uint64_t entry)
{
	uint64_t ns;
	long r = L4_FC_BUSY;

	s.again = false;
	for (unsigned i = 0; i < TRIES && r == L4_FC_BUSY; i++) {
		loop_drain();
		if (permit.waiting)
			return;                 /* answers first; the writer is on it */
		r = fc_now(L4_FC_SNAPSHOT, 0, 0);
	}
	if (r == L4_FC_AGAIN)
		s.again = true;
	if (r < 0) {
		if (r != L4_FC_BUSY && r != L4_FC_AGAIN)
			log_error("snapshot refused by the kernel, result %ld", r);
		return;
	}
	cow_snapshot();
	volatile_snapshot();
	statehash_snapshot(epoch_now - 1, cow.snap);
	snapshot_count.taken++;
	travel_snapshot();
	commit_snapshot(entry);
	s.wanted = false;
	/* One that was asked for comes in addition, and does not put off the next. */
	s.next_tsc += time_ticks(options.interval_us);
	if (s.next_tsc > entry + time_ticks(options.interval_us))
		s.next_tsc = entry + time_ticks(options.interval_us);
	s.wake = true;
	ns = time_ns(rdtsc() - entry);
	snapshot_count.last_ns = ns;
	snapshot_count.total_ns += ns;
	if (ns > snapshot_count.max_ns)
		snapshot_count.max_ns = ns;
}
