/* SPDX-License-Identifier: BSD-2-Clause
 * Getting frames back from clean pages, and reading pages from the store.
 */
#ifndef CKPT_RECLAIM_H
#define CKPT_RECLAIM_H

#include "pages.h"

#define FRAMES_RESERVE_OBJECTS  0       /* kernel objects may take the last frame */
#define FRAMES_RESERVE_CLIENTS  64      /* clients leave that many to kernel objects */

/* A frame for this page, taken from a clean page if none is free. 0: there is none now; dirty pages are being made clean
 * for it, and the caller tries again when pending_retry or kobj_retry are called. */
pfn_t frame_get(uint64_t key, bool zero);

/* Takes the page from whoever uses it, and if it is clean drops it. False: it is needed this moment, or dirty. */
bool reclaim_page(pfn_t f);

/* That page is not to be taken: it is being handed out, and the objects that takes may need frames. 0: none. */
void reclaim_keep(pfn_t f);

/* Revokes every mapping of the frame; returns the accesses (L4_RIGHT_*) made through them. */
unsigned long reclaim_unmap(pfn_t f);

/* Accesses (L4_RIGHT_*) through any mapping of the frame since they were asked for last. */
unsigned long reclaim_accesses(pfn_t f);

/* Keeps a stock of free frames; called after each message, in small steps. */
void reclaim_some(void);
/* The stock is low: dirty pages should be made clean without regard to anything else. */
bool reclaim_short(void);
/* Time in which somebody waited for a frame, in time-stamp ticks. */
uint64_t reclaim_waited(void);
/* Somebody waits for a frame. */
bool reclaim_wanted(void);

/* Begin to read the page. LOAD_NOW: it is there; LOAD_WAIT: load_finished will be told; LOAD_NO_FRAME. */
enum load_result { LOAD_NOW, LOAD_WAIT, LOAD_NO_FRAME, LOAD_DAMAGED };
enum load_result load_start(uint64_t key);

/* Reads that failed for a disk error are made again. */
void load_retry(void);
bool load_retry_wanted(void);

struct load_counters {
	uint64_t reads, damaged, dropped, evicted;
	uint64_t no_frame;              /* times that somebody had to wait for a frame */
	uint64_t ahead;                 /* pages read because their neighbours were */
};
extern struct load_counters load_count;

#endif
