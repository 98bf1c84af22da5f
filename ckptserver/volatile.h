/* SPDX-License-Identifier: BSD-2-Clause
 * Ranges of the root task's store that are not saved: zero after every recovery.
 *
 * The ranges themselves are persistent; they stand in the record of each generation (commit.h). A snapshot passes their
 * pages by. When frames are short they are written early and dropped like any other page, so the disk may hold some
 * content of them, also from before the range was declared: a recovery gives that up before anything can see it.
 */
#ifndef CKPT_VOLATILE_H
#define CKPT_VOLATILE_H

#include <stdbool.h>
#include <stdint.h>

#include <l4/types.h>

/* Declares [first, first + bytes) of the root task's store volatile, for good. Returns L4_CKPT_*. */
uint64_t volatile_request(L4_ThreadId_t client, uint64_t first, uint64_t bytes);

/* The record has been recovered, and commit_use called: gives up what the disk has of its ranges, before any page is read. */
void volatile_recovered(void);

/* Is this page in such a range? */
bool volatile_page(uint64_t key);
/* Was it in one when the last snapshot was taken? What has been declared since is in that snapshot like any other page. */
bool volatile_in_snapshot(uint64_t key);
/* A snapshot. In constant time. */
void volatile_snapshot(void);

#endif
