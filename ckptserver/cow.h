/* SPDX-License-Identifier: BSD-2-Clause
 * Copy-on-write of pages between two snapshots: the dirty lists and the staging buffers (pages.h has the
 * state diagram).
 *
 * Every page goes to the disk from a staging buffer, never from its own frame. So a write to a page of the
 * last snapshot waits only if no buffer is free: then its answer is postponed until a write-out completes (permit.h).
 * A buffer is FREE, then holds a copy (COPIED), is on its way to the disk (WRITING), or was refused by
 * the store (FAILED) and is given to it again later.
 */
#ifndef CKPT_COW_H
#define CKPT_COW_H

#include "pages.h"
#include "store.h"

extern uint32_t epoch_now;

struct cow_counters {
	uint64_t dirty;                 /* pages on the list of this epoch */
	uint64_t passed;                /* of these, volatile ones that the last snapshot has passed by */
	uint64_t snap;                  /* pages of the last snapshot not yet copied */
	uint64_t copies;                /* copied because somebody wrote to them */
	uint64_t granted;               /* hot pages made writable unasked */
	uint64_t early;                 /* pages written before their snapshot */
	bool     early_failed;          /* cow_early_failed */
	uint64_t dead;                  /* of the dirty pages: discarded, so they take no room */
	unsigned buffers, busy, failed;
};
extern struct cow_counters cow;

/* `buffers` staging buffers, from server memory. False: not enough. */
bool cow_init(unsigned buffers);

/* Somebody is to write to this page: it becomes DIRTY, unless no buffer is free for the old content, or there is no room on
 * the partition. The kernel is not told (permit.h does that). */
enum taken { TAKEN, NO_BUFFER, NO_ROOM };
enum taken cow_try(pfn_t f);
/* The same, for who does not care why not, and gives the page new content himself. */
bool cow_take(pfn_t f);

/* Is there a staging buffer for the next page? */
bool cow_buffer_free(void);

/* A discarded page, taken, is wanted again. */
void cow_revive(pfn_t f);

/* The page's content is no longer wanted: it is a hole from the next snapshot on. Its frame goes when that
 * is committed. The kernel and the clients hold no reference to it any more. */
void cow_discard(pfn_t f);

/* The same of a page that will be removed from the store with its range: its frame goes at once. False: not now, for
 * what it contained is still to be saved. */
bool cow_forget(pfn_t f);

/* All dirty pages are the snapshot. In constant time. */
void cow_snapshot(void);

/* Is there anything that a snapshot would save? */
bool cow_anything(void);

/* Has every page of the snapshot reached the disk? */
bool cow_snapshot_saved(void);

/* One unit of writing: gives the store one page. False: nothing to do now. */
bool cow_write_unit(struct store *st);

/* One unit of early writing, while no commit is under way: the page that has been dirty longest becomes clean, unless
 * somebody has written to it since its last turn. What is written is reachable from the next commit on. False: nothing
 * to do now, or enough under way. */
bool cow_clean_unit(struct store *st);
/* Has an early write failed since this was asked last? Its page is dirty again. */
bool cow_early_failed(void);

/* Gives FAILED buffers to the store again. */
void cow_retry_failed(void);
/* Status of the last failure, with the page and, of a damaged index node, the block. */
int cow_failure(uint64_t *key, uint64_t *block);

/* One unit of giving the snapshot up: its pages become dirty again, for the next one. What the store has taken
 * stays taken; that content belongs to the next snapshot as well, or will be put anew. False: done, or waiting for
 * writes under way (cow_snapshot_saved tells which). */
bool cow_abandon_unit(struct store *st);

#endif
