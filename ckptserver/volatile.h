/* SPDX-License-Identifier: BSD-2-Clause
 * Ranges of the root task's store that are not saved: zero after every recovery.
 *
 * The ranges themselves are persistent; they stand in the record of each generation (commit.h). Their pages
 * live in memory only: they are never dropped, and a checkpoint sees holes.
 */
#ifndef CKPT_VOLATILE_H
#define CKPT_VOLATILE_H

#include <stdbool.h>
#include <stdint.h>

#include <l4/types.h>

/* Declares [first, first + bytes) of the root task's store volatile, for good. Returns L4_CKPT_*. */
uint64_t volatile_request(L4_ThreadId_t client, uint64_t first, uint64_t bytes);

/* Is this page in such a range? */
bool volatile_page(uint64_t key);

#endif
