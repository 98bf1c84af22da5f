/* SPDX-License-Identifier: BSD-2-Clause
 * What the tests of the checkpoint store share: a store on a simulated disk, a model of what it should
 * hold, and a workload drawn from a seed.
 */
#ifndef STORE_HELP_H
#define STORE_HELP_H

#include "check.h"
#include "store.h"
#include "store_sim.h"

#define MODEL_PAGES     1400u           /* page slots of the workload: (client, vpn) by model_name */
#define MODEL_KEEP      512u            /* generations remembered */

/* Content of every page slot: 0 = hole, else the seed of the content. */
struct model {
	uint32_t now[MODEL_PAGES];
	uint32_t next_content;
	uint32_t *generation[MODEL_KEEP];       /* copy of `now`, by generation number; NULL: none */
};
void model_name(unsigned slot, uint32_t *client, uint64_t *vpn);
int  model_slot(uint32_t client, uint64_t vpn);         /* -1: no such slot */
void model_fill(void *page, uint32_t content);          /* 0: zeros */
void model_keep(struct model *m, uint64_t generation);          /* its content is `now` */
void model_set(struct model *m, uint64_t generation, const uint32_t *content);
void model_free(struct model *m);

/* A mounted store with its memory. */
struct bench {
	struct sim    sim;
	void         *arena;
	struct store *st;
	struct store_mount mount;
	int           status;           /* of store_mount */
};
extern const uint8_t test_uuid[STORE_UUID_BYTES];
void bench_open(struct bench *b, struct sim_image *im, uint64_t seed, uint32_t nodes);  /* store_init only */
int  bench_mount(struct bench *b, uint64_t want);
void bench_close(struct bench *b);

/* Synchronous calls; all return the status. */
int do_put(struct bench *b, uint32_t client, uint64_t vpn, uint32_t content);
int do_remove(struct bench *b, uint32_t client, uint64_t vpn);
int do_range(struct bench *b, uint32_t client, uint64_t vpn, uint64_t end);
int do_drop(struct bench *b, uint32_t client);
int do_read(struct bench *b, uint32_t client, uint64_t vpn, void *page, bool *hole);
int do_commit(struct bench *b, uint64_t user);
int do_boot(struct bench *b);
/* 0 if the page has that content. */
int expect_page(struct bench *b, uint32_t client, uint64_t vpn, uint32_t content);

/* One round of the workload: some changes, many of them under way at once, and a commit. Repeats what fails until
 * it succeeds; the acknowledged generation is marked in the simulator's log, the model keeps it before the
 * commit begins. Returns false, with a message, on an error it does not expect. */
bool workload_round(struct bench *b, struct model *m, uint64_t *seed, unsigned max_changes);

/* After a failed round: forget what is under way, for the store it belongs to will be closed. */
void workload_abandon(void);

/* Full check of the mounted generation, against the model if m is not NULL. 0 if all is well; else what is wrong
 * is printed, if `loud`. */
int full_check(struct bench *b, const struct model *m, bool loud);

#endif
