/* SPDX-License-Identifier: BSD-2-Clause
 * Early cleaning; see early.h.
 */
#include "early.h"

#include "cow.h"
#include "disk.h"
#include "io.h"
#include "reclaim.h"
#include "room.h"
#include "server.h"
#include "snapshot.h"
#include "writer.h"

/* Background cleaning: the hand goes round the dirty pages in a quarter of the interval, but not faster than this, and with
 * bounded rate; a page that was not written to for one turn is written early. */
#define ROUND_MIN_US    100000ul
#define ROUND_MAX_US    1000000ul
#define LOOKS_MAX       64u             /* pages looked at per tick */
#define LOOKS_URGENT    512u            /* the same when frames are short */
#define PAUSE_US        100000ul        /* after a failure */
#define LOOKS_SHARE     1024u

static struct {
	uint64_t tick_tsc;              /* last tick */
	uint64_t not_before;            /* after a failure */
	uint64_t looks;                 /* dirty pages still to be looked at until the next, times LOOKS_SHARE */
	uint64_t early_then;            /* cow.early at the last tick */
} e;

/* How many dirty pages may be looked at until the next tick. */
void early_tick(uint64_t now)
{
	uint64_t round = options.interval_us / 4, elapsed = time_us(now - e.tick_tsc);

	if (!options.interval_us || round > ROUND_MAX_US)
		round = ROUND_MAX_US;
	if (round < ROUND_MIN_US)
		round = ROUND_MIN_US;
	e.tick_tsc = now;
	if (elapsed > round)
		elapsed = round;
	e.looks += cow.dirty * LOOKS_SHARE * elapsed / round;
	if (e.looks > LOOKS_MAX * LOOKS_SHARE)
		e.looks = LOOKS_MAX * LOOKS_SHARE;
	if (reclaim_short()) {
		e.looks = LOOKS_URGENT * LOOKS_SHARE;
		/* Nothing became clean in a whole tick, and somebody waits: a snapshot makes everything clean. */
		if (reclaim_wanted() && e.early_then == cow.early)
			snapshot_want();
	}
	e.early_then = cow.early;
	if (e.looks >= LOOKS_SHARE)
		writer_wake();
}

/* Nothing else is to be done: dirty pages are written early. Reads come first, unless it is for them. */
bool early_unit(struct store *st)
{
	uint64_t now = rdtsc();

	if (cow_early_failed())
		e.not_before = now + time_ticks(PAUSE_US);
	if (e.looks < LOOKS_SHARE || now < e.not_before || snapshot_near(now))
		return false;
	if (!reclaim_short() && disk_in_flight() > cow.busy)
		return false;
	if (!room_for_early())
		return false;
	e.looks -= LOOKS_SHARE;
	return cow_clean_unit(st);
}
