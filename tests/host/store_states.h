/* SPDX-License-Identifier: BSD-2-Clause
 * The crash-state machine: worlds drawn from a seed, run on the simulated disk, cut at every write, and judged. What is
 * recovered must equal, page for page, a generation that was committed, not older than the last acknowledged one;
 * where the disk itself lied, whatever is read must be right or be reported as damaged.
 *
 * Each function prints what it found wrong, with the seed of the world, and returns whether all was well.
 */
#ifndef STORE_STATES_H
#define STORE_STATES_H

#include <stdbool.h>
#include <stdint.h>

struct states {
	uint64_t seed;
	uint64_t budget;                /* crash states a world is cut into, at most */
	bool     quiet;                 /* print nothing: the caller expects that something is wrong */
	/* Results, added up. */
	uint64_t worlds;
	uint64_t crash_states;          /* different disk contents that were mounted and judged whole */
	uint64_t deep[3];               /* … of these: left by a crash in the first, second, third recovery */
	uint64_t fell_back;             /* … of these: recovered from the older superblock */
	uint64_t judgements;            /* images judged, of every kind */
	uint64_t detected;              /* corrupted images in which damage was reported */
	uint64_t reads;                 /* pages read back and compared */
};

/* Crash states of one world of the given kind (0 <= kind < STATES_KINDS), and of crashes during their recovery. */
#define STATES_KINDS    10u
extern const char *const states_kind_names[STATES_KINDS];
bool states_world(struct states *s, unsigned kind, uint64_t seed);

/* Flips bits in every kind of block of one world's disk, `flips` of them. */
bool states_flips(struct states *s, uint64_t seed, unsigned flips);
/* One world on a disk that loses flushes, loses writes, or puts them somewhere else. */
bool states_lying_disk(struct states *s, uint64_t seed);
/* The n-th operation of a world fails, for every n from first, in steps: reads, writes and flushes. */
bool states_every_error(struct states *s, uint64_t seed, uint64_t first, uint64_t step);
/* The n-th read of a recovery fails, once or for good, for every n. */
bool states_recovery_errors(struct states *s, uint64_t seed);
/* A disk on which room ends at the n-th block, for the n of one run. */
bool states_full(struct states *s, uint64_t seed, unsigned room);
/* Arenas of every size up to one that suffices. */
bool states_memory(struct states *s, uint64_t seed);

#endif
