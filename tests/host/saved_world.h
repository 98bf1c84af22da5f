/* SPDX-License-Identifier: BSD-2-Clause
 * A small world as a killed machine leaves it, for tests of perdurectl: two generations with kernel objects, a pager's tables and one task.
 */
#ifndef SAVED_WORLD_H
#define SAVED_WORLD_H

#include <stddef.h>
#include <stdint.h>

#include "tools/perdurectl/world.h"

#define SAVED_BLOCKS    2048u           /* of the partition */
#define ROOT_SPACE      16u
#define STORE_PAGES     0x3000u         /* of the root task's store */

/* In the root task's store. */
#define ANCHOR_AT       0x401000u
#define TASKS_AT        0x500000u
#define REGIONS_AT      0x800000u
#define OBJECT_AT       0x801000u
#define FILE_AT         0x2000000u
#define MEMORY_PAGE     0x900u          /* of the task's object in the store */

#define SEEN_AT         0x400000u       /* where the task sees it */
#define TASK_ID         7u
#define TASK_THREAD     160u

/* A store opened to be changed. Whatever fails ends the program. */
struct maker {
	struct image img;
	struct world w;
};
void maker_open(struct maker *m, const char *image);
/* A page; what is not given of it is zero. */
void maker_put(struct maker *m, uint32_t client, uint64_t vpn, const void *content, size_t bytes);
/* Commit it, with a record that says so. */
void maker_commit(struct maker *m, uint64_t clock_us, uint64_t store_pages);
void maker_close(struct maker *m);

/* On an empty store. Generation 1: the world. Generation 2: the task's page is another, a page of another space is gone. */
void saved_world_make(const char *image);

#endif
