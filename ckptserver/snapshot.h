/* SPDX-License-Identifier: BSD-2-Clause
 * When to take a snapshot, and taking it: in constant time, whatever the size of anything.
 */
#ifndef CKPT_SNAPSHOT_H
#define CKPT_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

struct snapshot_counters {
	uint64_t taken;
	uint64_t last_ns, max_ns, total_ns;
};
extern struct snapshot_counters snapshot_count;

/* The world has come alive: the first interval begins. */
void snapshot_begin(void);
/* As soon as possible, whatever the interval. */
void snapshot_want(void);
void snapshot_interval_changed(void);
/* Not before so many microseconds have passed. */
void snapshot_put_off(uint64_t us);
/* The last one is committed. */
void snapshot_committed(void);

/* Is it time, or is one wanted? Nothing should be begun that it would have to wait for. */
bool snapshot_near(uint64_t tsc);
/* Can it be taken now, is it time, and is there room for one? Called once per turn of the message loop. */
bool snapshot_due(uint64_t tsc);
/* Takes it, unless something must be answered first, or nothing is dirty. entry: time-stamp counter when the
 * fault thread began to run. */
void snapshot_take(uint64_t entry);
/* Something else than the aftermath of a snapshot goes on: the writer is woken. */
void snapshot_over(void);
/* Number of the last one taken since this boot. */
uint64_t snapshot_number(void);
/* … of the last one that is committed; 0: none since this boot. */
uint64_t snapshot_saved(void);

/* Microseconds until the message loop must look again; 0: now. */
uint64_t snapshot_patience(uint64_t tsc);

#endif
