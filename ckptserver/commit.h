/* SPDX-License-Identifier: BSD-2-Clause
 * From a snapshot to a committed checkpoint, one bounded unit of work at a time.
 *
 *   IDLE -> BEGIN      [commit_snapshot]   a snapshot was taken
 *   BEGIN -> WRITING   [commit_unit]    the store knows the record; ranges discarded before the snapshot go first
 *   WRITING -> STORE   [commit_unit]    every page of the snapshot has reached the disk
 *   STORE -> IDLE      [commit_done]    index, maps, superblock are durable: waiters are answered
 *   any but IDLE -> failed -> back      a disk error: said on the console, tried again after a pause, which doubles
 *                                       each time up to a bound, or as soon as the disk is back
 *   WRITING -> ABANDON -> IDLE          [commit_unit] the partition is full: the pages are dirty again, for a later
 *                                       snapshot, when something may have been given up
 *   IDLE -> RELIEF -> STORE -> IDLE     [relieve] there is no room for a snapshot: the last generation is committed once
 *                                       more, as it is, so that those that nobody wants any more go. It takes two such
 *                                       commits until their blocks are free
 *
 * While this is not IDLE no snapshot is taken. A failure harms nothing durable, and the system runs on.
 */
#ifndef CKPT_COMMIT_H
#define CKPT_COMMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "store.h"

/* The record of a generation (the store's user record), little-endian, fixed offsets: docs/kernel-ckptserver.md. */
#define RECORD_MAGIC    0x454d4f5344524550ul    /* "PERDSOME" */
#define RECORD_VERSION  1

#define RECORD_RANGES   12

struct record_range {
	uint64_t first, pages;          /* of the root task's store; 0, 0: unused */
};

struct record {
	uint64_t magic;
	uint32_t version;
	uint32_t root_space;            /* space number of the root task */
	uint64_t clock_us;              /* persistent clock, read just after the snapshot */
	uint64_t store_pages;           /* size of the root client's store */
	uint64_t archive_first;         /* boot archive in it: address and bytes */
	uint64_t archive_bytes;
	uint64_t boot;                  /* boot in which the snapshot was taken */
	uint64_t wall_s;                /* seconds since 1970, UTC, at the snapshot; 0: not known */
	struct record_range volatile_range[RECORD_RANGES];
};
_Static_assert(sizeof(struct record) == STORE_USER_BYTES, "fills the store's record");

extern struct record record;            /* of the running system */

/* The store to commit to. Without it the system is not persistent. last: the record of its generation; NULL: nothing was
 * ever committed. */
void commit_use(struct store *st, const void *last);
struct store *commit_store(void);
bool commit_persistent(void);
uint64_t commit_generation(void);       /* last committed */
uint64_t commit_boot(void);             /* boot number; 0 if not persistent */

/* A snapshot was taken; tsc: when. In constant time. */
void commit_snapshot(uint64_t tsc);

/* May a snapshot be taken now: is there room on the partition for what is dirty? If not, that is seen to, and a later
 * call may succeed. Only while commit_idle. */
bool commit_room(void);
/* Space may have been given back: if that is what is missing, a snapshot is tried again soon. dropped: a generation was,
 * and its space comes only with another commit. */
void commit_space_given(bool dropped);

/* One unit of work. True if there is more to do now. */
bool commit_unit(void);
bool commit_idle(void);
/* Microseconds since the snapshot of the commit under way. */
uint64_t commit_age_us(uint64_t tsc);
/* No checkpoint can be written at present (no partition, or it is full), so no dirty page will become clean. */
bool commit_hopeless(void);
/* Microseconds since a commit first failed, with none good after it; 0: all is well. */
uint64_t commit_failing_us(void);
/* Called at each tick: tries again what failed. */
void commit_tick(void);

struct commit_counters {
	uint64_t commits, failures;
	uint64_t last_write_us, last_pages, last_bytes, total_bytes;
	uint64_t committed_clock_us;
};
extern struct commit_counters commit_count;

#endif
