/* SPDX-License-Identifier: BSD-2-Clause
 * Debug builds: proof that a checkpoint is the state at its snapshot, and that a recovery has it again.
 *
 * In the pause of a snapshot every page that has changed since the last one is hashed, found by walking the frames and not by the
 * dirty list. When such a page is copied out for the disk it must still have that hash; when the commit begins, every one
 * must have been copied. A page that counts as clean must have the hash with which it was last read or written: some are
 * looked at in every pause, and each when its frame is given up. After a recovery every page of the store is read and
 * added up, and the sum compared with the one in the generation's record (store.h, store_state).
 *
 * What is found wrong ends the machine: `[panic] state hash: …`. In release builds all of this is nothing.
 */
#ifndef CKPT_STATEHASH_H
#define CKPT_STATEHASH_H

#include <stdbool.h>
#include <stdint.h>

#include "pages.h"

#if DEBUG
/* Memory for a hash per frame; after pages_init. False: not enough. */
bool statehash_init(void);
/* The frame was given to a page, or the snapshot does without its page, which is volatile: nothing is known of its content. */
void statehash_new(pfn_t f);
/* The page's content was read from the store, or is zero and so is the store's. */
void statehash_loaded(pfn_t f, const void *content);
/* After mounting a generation, before anything changes: the pages of its index must add up to its state hash. Waits for the
 * disk. */
struct store;
void statehash_recovered(struct store *st);
/* In the pause, when the epoch has been advanced: pages of epoch `dirty` are the snapshot, `count` of them are expected. */
void statehash_snapshot(uint32_t dirty, uint64_t count);
/* The page is about to become CLEAN: `copy` is what goes to the disk, NULL: a hole. of_snapshot: it is SNAP, not written early. */
void statehash_copied(pfn_t f, const void *copy, bool of_snapshot);
/* The snapshot was given up. */
void statehash_abandoned(void);
/* Every page of the snapshot is on the disk. */
void statehash_saved(void);
/* The frame of this clean page is given up. */
void statehash_dropped(pfn_t f);
#else
static inline bool statehash_init(void) { return true; }
struct store;
static inline void statehash_recovered(struct store *st) { (void)st; }
static inline void statehash_new(pfn_t f) { (void)f; }
static inline void statehash_loaded(pfn_t f, const void *content) { (void)f, (void)content; }
static inline void statehash_snapshot(uint32_t dirty, uint64_t count) { (void)dirty, (void)count; }
static inline void statehash_copied(pfn_t f, const void *copy, bool of_snapshot) { (void)f, (void)copy, (void)of_snapshot; }
static inline void statehash_abandoned(void) { }
static inline void statehash_saved(void) { }
static inline void statehash_dropped(pfn_t f) { (void)f; }
#endif

#endif
