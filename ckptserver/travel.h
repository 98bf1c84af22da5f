/* SPDX-License-Identifier: BSD-2-Clause
 * The generations that are kept, as users see them: which one a boot goes on from (ckpt.resume=), listing, naming,
 * dropping and comparing them (l4/ckpt.h).
 *
 * The store does it all; here are the requests, and what must be said. Names and drops take effect with the next
 * commit, so one is asked for. One comparison is under way at a time; each request for it does a bounded number of steps and
 * is answered with what they found.
 */
#ifndef CKPT_TRAVEL_H
#define CKPT_TRAVEL_H

#include <stdbool.h>
#include <stdint.h>

#include <l4/types.h>

#include "server.h"
#include "store.h"

/* Mount the generation that ckpt.resume= asks for. As store_mount; with STORE_NO_GENERATION it has been said what is
 * wrong, and what there is. Blocks. */
int travel_mount(struct store *st, struct store_mount *mount);

/* After the mount: how many generations are kept, and whether this boot went back, which is said. */
void travel_begin(const struct store_mount *mount);

/* Each gives the answer's status, and the value that goes with it. */
uint64_t travel_name(uint64_t *generation, const uint64_t name[4]);
uint64_t travel_drop(uint64_t first, uint64_t last, uint64_t *dropped);
uint64_t travel_keep(uint64_t unnamed, uint64_t *before);

/* A name or a drop waits for the next commit. */
bool travel_unsaved(void);
void travel_snapshot(void);

/* The answer to L4_CKPT_LIST. */
enum send_result travel_send_list(L4_ThreadId_t client, uint64_t below);

/* L4_CKPT_DIFF. Answers now or later. False: another comparison is under way. */
bool travel_diff(L4_ThreadId_t client, uint64_t from, uint64_t to, uint64_t space, uint64_t page);
/* Tries again to deliver the answer. */
void travel_retry(void);

/* Generations kept; *held: how many of them stay until they are dropped (named or pinned). */
uint64_t travel_kept(uint64_t *held);

#endif
