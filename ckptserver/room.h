/* SPDX-License-Identifier: BSD-2-Clause
 * Room on the partition for what is dirty.
 *
 * When a page becomes dirty the store promises room for it, for the worst case. When it cannot, the page becomes dirty all
 * the same, and the system runs on as long as there is memory; but no snapshot is taken, because it could not be
 * committed, until there is room for all of it: commit.c has old generations dropped, or somebody gives space back. Only
 * when nearly all memory is dirty do programs that want to write to one more page wait (throttled, cow.c), or nearly: a few
 * pages a second are granted, as long as the rest of memory lasts, for among those who wait may be the one who would give
 * space back. The kernel's objects never wait, so every thread that need not can run.
 */
#ifndef CKPT_ROOM_H
#define CKPT_ROOM_H

#include <stdbool.h>
#include <stdint.h>

/* A page has become dirty. In constant time. */
void room_dirty(void);

/* Must whoever wants to write to this clean page wait? */
bool room_short(uint64_t key);

/* Called at each tick while somebody waits: grants a page now and then. now: time-stamp counter. */
void room_tick(uint64_t now);

/* Is there room for a snapshot of what is dirty? Promises it then. Only while no commit is under way. */
bool room_for_snapshot(void);

/* Is there so much room that pages may be written before their snapshot? They take room that the next commit does not give
 * back, so there must be enough left for all of memory. */
bool room_for_early(void);

/* Dirty pages that there is no room for, as far as is known. */
uint64_t room_unpromised(void);

#endif
