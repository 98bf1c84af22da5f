/* SPDX-License-Identifier: BSD-2-Clause
 * Giving up ranges of a client's store.
 *
 * Pages in memory are given up one by one. For those on disk the range is remembered until the next snapshot, and
 * belongs to it: its commit begins by removing the ranges that were remembered before. Until then a page that is
 * read anew within such a range is zero, whatever the disk still holds, and what is written there stays in memory.
 */
#ifndef CKPT_DISCARD_H
#define CKPT_DISCARD_H

#include <stdbool.h>
#include <stdint.h>

#include <l4/types.h>

struct discard_range {
	uint32_t client;
	uint64_t first, end;            /* page numbers */
};

/* The pages of [first, first + bytes) of the store of the client's space become zero. Mappings of them
 * are revoked. Returns L4_CKPT_*. BUSY: no more can be remembered until the next commit, or a page is on its way from the
 * disk or waits for a buffer: what could go is gone, and what the pages contain is undefined until a later request is OK. */
uint64_t discard_request(L4_ThreadId_t client, uint64_t first, uint64_t bytes);

/* The store of a space that has died. */
void discard_client(uint32_t client);

/* At recovery, of at most RECORD_RANGES ranges: what the disk has of them is given up. */
void discard_saved(uint32_t client, uint64_t first, uint64_t end);

/* Is the disk's content of this page given up already? */
bool discard_hides(uint64_t key);

/* Will the next snapshot remove ranges? */
bool discard_pending(void);

/* A snapshot: what was remembered belongs to it. In constant time. */
void discard_snapshot(void);
/* The next range of the snapshot whose removal the store has not been asked for, or NULL. */
const struct discard_range *discard_next(void);
/* The store has removed it. */
void discard_removed(void);

#endif
