/* SPDX-License-Identifier: BSD-2-Clause
 * The scrubber: reads every block that a kept generation uses, and the fixed ones: superblocks, boot counters, tables, deltas, maps, pages, the
 * index nodes on the way and those in the store's cache, and compares them with their checksums, so that damage is told before anybody needs them. Round after
 * round, with a rest in between, at a bounded rate (ckpt.scrub=), and only when the disk has nothing else to do.
 *
 * A damaged page of the newest generation that is in memory is written anew by the next checkpoint.
 */
#ifndef CKPT_SCRUB_H
#define CKPT_SCRUB_H

#include <stdbool.h>
#include <stdint.h>

bool scrub_init(void);

/* Called at each tick; now: time-stamp counter. */
void scrub_tick(uint64_t now);
/* Is a round under way, so that ticks are wanted? */
bool scrub_active(void);

struct scrub_counters {
	uint64_t pages;                 /* read and compared since this boot */
	uint64_t round;                 /* the same in the round under way, or the last one */
	uint64_t rounds;                /* completed */
	uint64_t damaged;               /* blocks found damaged, or not to be read */
};
extern struct scrub_counters scrub_count;

#endif
