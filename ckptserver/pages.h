/* SPDX-License-Identifier: BSD-2-Clause
 * Frames of memory and the pages of the store that stand in them.
 *
 * Every frame that ckptserver owns has a struct page, found by its pfn; every page of the store that is in
 * memory is found by its key (client, virtual page number) through a hash table. Page structures come to
 * life when their frame is first used, so starting up costs the same whatever the size of memory.
 *
 * States of a store page (epoch_now = epoch of this moment, see cow.h):
 *
 *   CLEAN   epoch == 0                 content equals the store's; hardware does not let anybody write
 *   DIRTY   epoch == epoch_now         may be written; on dirty_head[epoch_now & 1] (cow.c)
 *   SNAP    epoch == epoch_now - 1     content of the last snapshot, not yet saved; nobody may write;
 *                                      on dirty_head[(epoch_now - 1) & 1]
 *
 *   CLEAN -> DIRTY  [make_dirty]       stale event, write fault, fresh object
 *   DIRTY -> SNAP   [snapshot_take]    by the epoch's advance alone: no page is touched
 *   SNAP  -> CLEAN  [copy_out]         the content is in a staging buffer: its frame is free to change
 *   CLEAN -> DIRTY  [grant_hot]        at once after it was copied, if it was written to in every epoch lately
 *   SNAP  -> DIRTY                     never without passing CLEAN, but for volatile pages [pass_by]
 *
 * Invariant (1): the next snapshot is taken only when the list of the last one is empty and every staging
 *                buffer has reached the disk. So two lists and one bit of the epoch are enough.
 * Invariant (2): a page with buf != 0 is not dropped: the disk does not hold its content yet.
 * Invariant (3): a frame goes back to the free list only when no mapping and no kernel reference is left.
 */
#ifndef CKPT_PAGES_H
#define CKPT_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <l4/bootinfo.h>

#define PAGE_BYTES      4096ul

typedef uint32_t pfn_t;         /* 0: none (frame 0 is never ours) */

enum page_kind { PAGE_FREE, PAGE_SERVER, PAGE_STORE };

enum page_flags {
	PG_SUPPLIED  = 1,       /* kernel object that the kernel holds */
	PG_MAPPED    = 2,       /* handed out to a client */
	PG_LOADING   = 4,       /* being read from disk */
	PG_DEAD      = 8,       /* discarded: zero from now on, its frame goes when that is committed */
	PG_USED      = 16,      /* second chance */
	PG_POSTPONED = 32,      /* a stale event waits for a staging buffer */
	PG_DOOMED    = 64,      /* discarded while SNAP: becomes PG_DEAD when its old content is saved */
	PG_SUSPECT   = 128,     /* the checker has objected to it once */
};

struct page {
	uint64_t key;
	pfn_t    hash_next;
	pfn_t    prev, next;    /* dirty list; next: free list */
	pfn_t    wait_next;     /* postponed list */
	uint32_t epoch;
	uint16_t buf;           /* staging buffer on its way to the disk; 0: none */
	uint8_t  kind : 2;      /* PAGE_* */
	uint8_t  dirtied : 3;   /* epoch in which it last became dirty, modulo 8 */
	uint8_t  heat : 3;      /* epochs in a row in which it did (cow.c) */
	uint8_t  flags;         /* PG_* */
};
_Static_assert(sizeof(struct page) == 32, "one percent of memory at most");

#define KEY_SHIFT       40
#define KEY(client, vpn) ((uint64_t)(client) << KEY_SHIFT | (vpn))
#define KEY_CLIENT(key) ((uint32_t)((key) >> KEY_SHIFT))
#define KEY_VPN(key)    ((key) & ((1ul << KEY_SHIFT) - 1))
#define CLIENT_KERNEL   0u

extern struct page *page_array;

static inline struct page *page_of(pfn_t f) { return &page_array[f]; }
static inline void *phys_to_virt(uint64_t phys) { return (void *)(SIGMA0_PHYS_BASE + phys); }
static inline uint64_t virt_to_phys(const void *v) { return (uint64_t)v - SIGMA0_PHYS_BASE; }
static inline void *page_data(pfn_t f) { return phys_to_virt((uint64_t)f << 12); }

/* Takes the memory in bi->free[]. False: there is not enough to start. */
bool pages_init(const struct bootinfo *bi);

/* Memory of the server's own: `pages` contiguous frames, zeroed, never given back; physical address, or 0.
 * During start-up only. */
uint64_t server_alloc_phys(uint64_t pages);
/* The same as a pointer, for at least `bytes` bytes. */
void *server_alloc(uint64_t bytes);
/* The same with whatever it contains: large memory that its user fills himself. */
void *server_alloc_dirty(uint64_t bytes);

/* Is this a frame of ours that has been in use? Names that come from the kernel are checked with it. */
bool page_valid(uint64_t pfn);

/* The page with this key in memory, or 0. */
pfn_t page_find(uint64_t key);

/* A new store page in a frame of its own, zeroed if asked, CLEAN. 0: no frame is free. `reserve` frames
 * are left for more important callers. */
pfn_t page_new(uint64_t key, bool zero, uint64_t reserve);

/* Forgets the page and frees its frame. It must be CLEAN, not supplied, not mapped. */
void page_drop(pfn_t f);

/* The next store page after *hand in memory order, cyclic; for the second-chance search. 0: none at all. */
pfn_t page_next(uint64_t *hand);

/* From now on no more than this many frames are used for pages. Before the first page_new. */
void pages_limit(uint64_t frames);

uint64_t frames_free(void);
uint64_t frames_total(void);

void page_zero(void *to);
void page_copy(void *to, const void *from);
bool page_is_zero(const void *p);

#endif
