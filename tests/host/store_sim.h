/* SPDX-License-Identifier: BSD-2-Clause
 * A simulated disk with a volatile write cache, for the tests of the checkpoint store.
 *
 * Requests are completed one at a time, in an order drawn from a seed. While recording, every submission and
 * completion is an event of a log; afterwards the log can be cut at any event and the disk be rebuilt as a power
 * cut there may have left it: what was completed before a flush was submitted that completed before the cut
 * is there; of everything else any subset of 512-byte sectors is.
 */
#ifndef STORE_SIM_H
#define STORE_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "blkdev.h"

#define SIM_SECTOR      512u

uint64_t sim_random(uint64_t *seed);
uint64_t sim_below(uint64_t *seed, uint64_t n);         /* 0 .. n-1 */

/* Sparse disk content. Blocks are shared between images and logs, so that a copy and a cut cost pointers only;
 * `hash` tells contents apart, by sectors: equal contents have equal hashes. */
struct sim_page {
	uint32_t refs;
	bool     hashed;
	uint64_t sectors[BLK_SIZE / SIM_SECTOR];        /* hash of each */
	_Alignas(64) uint8_t data[BLK_SIZE];
};
struct sim_image {
	uint64_t   blocks;
	uint64_t   hash;                /* valid if `hashing` */
	bool       hashing;
	struct sim_page ***groups;      /* [block / 512][block % 512]; NULL: zeros */
};
void sim_image_make(struct sim_image *im, uint64_t blocks);
void sim_image_free(struct sim_image *im);
void sim_image_copy(struct sim_image *to, const struct sim_image *from);
void sim_image_get(const struct sim_image *im, uint64_t block, void *page);
void sim_image_put(struct sim_image *im, uint64_t block, const void *page);
void sim_image_hash(struct sim_image *im);              /* compute the hash, and keep it up from here on */

enum sim_event_kind { SIM_WRITE, SIM_WRITTEN, SIM_FLUSH, SIM_FLUSHED, SIM_LOST, SIM_MARK };
struct sim_event {
	enum sim_event_kind kind;
	size_t    begin;                /* WRITTEN, FLUSHED: the event of the submission; LOST: that of the write */
	uint64_t  block;                /* WRITE; MARK: the caller's number */
	size_t    end;                  /* WRITE: the event of its completion; 0: not completed */
	struct sim_page *content;       /* WRITE */
};

/* A write that has completed, and what was there before. */
struct sim_unflushed {
	uint64_t         block, completion;
	size_t           event;
	struct sim_page *old;
};

struct sim {
	struct blkdev     dev;          /* first: the store gets its address */
	struct sim_image *image;        /* what reads see: all completed writes */
	uint64_t          seed;
	struct blkreq    *pending[4096];
	size_t            pending_event[4096];
	uint64_t          pending_sum[4096];
	uint64_t          pending_since[4096];  /* completions before it was submitted */
	unsigned          pending_count;
	bool              in_submit;

	bool              record;
	struct sim_event *log;
	size_t            log_count, log_size;

	/* Faults. Operations are counted from 1. */
	/* What a flush that fails does to writes that no flush has made durable. Each of their blocks may lose them, for good. */
	enum { SIM_LOSES_NONE, SIM_LOSES_LATER, SIM_LOSES_NOW } flush_loses;    /* LATER: until a power cut they can be read */
	struct sim_unflushed *unflushed;
	size_t            unflushed_count, unflushed_size;
	uint64_t          completions, lost;
	uint64_t          ops, fail_at;         /* this one fails; a failed write leaves the block unchanged or torn */
	bool            (*fails)(struct sim *, const struct blkreq *);          /* true: this one fails, too */
	unsigned          fail_per_1000;        /* each one fails with this probability */
	bool              fail_reads;           /* faults hit reads as well */
	uint64_t          failed;
	bool            (*drop_flush)(struct sim *, uint64_t previous_write); /* true: report success, do nothing */
	uint64_t        (*redirect)(struct sim *, uint64_t block);            /* where a write really goes */
	uint64_t          last_write;           /* block of the last write submitted */
	uint64_t          reads, writes, flushes;
	uint8_t          *blocks_read;          /* a byte per block, set when it is read; NULL: nobody asks */
	const char       *violation;            /* a rule of blkdev.h was broken */
};

void sim_make(struct sim *s, struct sim_image *im, uint64_t seed);
void sim_end(struct sim *s);
void sim_mark(struct sim *s, uint64_t number);

/* Cutting the log. `durable` is an image that has everything that is durable at the cut; events must be
 * visited in order. */
struct sim_cut {
	const struct sim *s;
	struct sim_image *durable;      /* starts as the disk before recording */
	size_t            at;           /* the power goes before this event */
	size_t           *loose;        /* WRITE events that are not durable, in order of completion, then the rest */
	size_t            loose_count, loose_size;
};
enum sim_policy { SIM_NONE, SIM_ALL, SIM_PREFIX, SIM_SUBSET, SIM_DROP_ONE, SIM_ONLY_ONE, SIM_TORN, SIM_POLICIES };
void sim_cut_begin(struct sim_cut *c, const struct sim *s, struct sim_image *durable);
bool sim_cut_next(struct sim_cut *c);   /* moves the cut behind one more event; false at the end */
void sim_cut_end(struct sim_cut *c);
/* Put loose writes on the image; undo takes them off again. sim_cut_keep says of each loose write, in their order,
 * which of its eight sectors survive (bit by bit); sim_cut_apply draws that as the policy and the seed say. */
struct sim_undo { uint64_t *block; struct sim_page **content; size_t count; };
void sim_cut_keep(struct sim_cut *c, const uint8_t *sectors, struct sim_undo *u);
void sim_cut_apply(struct sim_cut *c, enum sim_policy p, uint64_t *seed, struct sim_undo *u);
void sim_cut_undo(struct sim_cut *c, struct sim_undo *u);

#endif
