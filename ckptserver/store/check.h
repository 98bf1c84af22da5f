/* SPDX-License-Identifier: BSD-2-Clause
 * Full verification of a generation: reads every block it reaches. For host tools and tests; it blocks, and
 * takes as long as reading the store takes.
 */
#ifndef STORE_CHECK_H
#define STORE_CHECK_H

#include "store.h"

#define STORE_CHECK_DEPTH       41u             /* blocks of scratch: a path, and the records of a delta */

/* Instead of a client, where an error is: */
#define STORE_CHECK_DIRECTORY   UINT32_MAX              /* client directory, generation table */
#define STORE_CHECK_MAP         (UINT32_MAX - 1)        /* allocation map */
#define STORE_CHECK_DELTA       (UINT32_MAX - 2)        /* delta blocks, and what they say */

struct store_check {
	/* Filled in by the caller. */
	uint8_t *bitmap;                /* one bit per block of the store, rounded up to 4096 bytes */
	uint8_t *scratch;               /* STORE_CHECK_DEPTH blocks, 4 KiB-aligned */
	/* Called for each intact page; may be NULL. */
	void   (*page)(struct store_check *, uint32_t client, uint64_t vpn, uint64_t block, const void *content);
	/* Called for each error found, with the block concerned; may be NULL. `client` may be STORE_CHECK_*. */
	void   (*problem)(struct store_check *, const char *what, uint32_t client, uint64_t vpn, uint64_t block);
	void    *owner;
	/* Results. */
	uint64_t generation;
	uint64_t clients, pages, index_blocks, map_blocks, table_blocks, delta_blocks;
	uint64_t replaced;              /* blocks that the map marks, and that the delta says are not used any more */
	uint64_t errors;                /* damage, contradictions, blocks reached but not marked */
	uint64_t leaked;                /* blocks marked but not reached */
	bool     lost;                  /* damaged index nodes were replaced: some counts are upper bounds */
};

/* Verify generation `generation` (0: the mounted one) of a store that is mounted and idle: every checksum, every
 * reference in range, no block reached twice, page counts, and the allocation map, with the delta, equal to what is
 * reached. STORE_OK: no error and nothing leaked; STORE_DAMAGED: see the counts; STORE_NO_GENERATION. */
int store_check(struct store *st, uint64_t generation, struct store_check *c);

#endif
