/* SPDX-License-Identifier: BSD-2-Clause
 * Figures, gathered from those who count.
 */
#include "stats.h"

#include <l4/schedule.h>

#include "commit.h"
#include "cow.h"
#include "kobj.h"
#include "pagefault.h"
#include "permit.h"
#include "reclaim.h"
#include "recover.h"
#include "room.h"
#include "scrub.h"
#include "server.h"
#include "snapshot.h"
#include "travel.h"
#include "wall.h"

void stats_get(struct L4_CkptStat *s)
{
	struct store_stats st = { 0 };
	uint64_t kept = 0, held = 0;

	if (commit_persistent()) {
		store_stats(commit_store(), &st);
		kept = travel_kept(&held);
	}
	*s = (struct L4_CkptStat){
		.generation = commit_generation(),
		.boot = commit_boot(),
		.interval_us = options.interval_us,
		.pause_last_ns = snapshot_count.last_ns,
		.pause_max_ns = snapshot_count.max_ns,
		.pause_mean_ns = snapshot_count.taken ? snapshot_count.total_ns / snapshot_count.taken : 0,
		.checkpoints = commit_count.commits,
		.failures = commit_count.failures,
		.pages_last = commit_count.last_pages,
		.bytes_last = commit_count.last_bytes,
		.bytes_total = commit_count.total_bytes,
		.write_last_us = commit_count.last_write_us,
		.committed_us = commit_count.committed_clock_us,
		.copies = cow.copies,
		.postponed = permit.postponed,
		.faults = pagefault_count,
		.reads = load_count.reads,
		.frames = frames_total(),
		.frames_free = frames_free(),
		.frames_dirty = cow.dirty,
		.store_blocks = st.blocks,
		.store_free = st.free,
		.threads = recover_result.threads,
		.recovered = recover_result.generation,
		.stopped = kobj_stopped,
		.failing_us = commit_failing_us(),
		.unpromised = room_unpromised(),
		.throttled = permit.throttled,
		.throttles = permit.throttles,
		.scrub_pages = scrub_count.pages,
		.scrub_round = scrub_count.round,
		.scrub_rounds = scrub_count.rounds,
		.scrub_damaged = scrub_count.damaged,
		.postponed_us = time_us(permit_waited()),
		.frame_waits = load_count.no_frame,
		.frame_wait_us = time_us(reclaim_waited()),
		.dropped = load_count.dropped,
		.evicted = load_count.evicted,
		.early = cow.early,
		.ahead = load_count.ahead,
		.kept = kept,
		.kept_held = held,
		.wall_s = wall_seconds(L4_SystemClock().raw),
	};
}
