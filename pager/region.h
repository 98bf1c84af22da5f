/* SPDX-License-Identifier: BSD-2-Clause
 * Regions: what stands where in a task's address space. A sorted array per task, searched by bisection.
 * A region shows a part of an object, or mirrors addresses of another task.
 *
 * Pure, on top of mem and object. Rights are L4_RIGHT_*; addresses are page-aligned and were checked against the
 * address space by the caller.
 */
#ifndef PAGER_REGION_H
#define PAGER_REGION_H

#include "object.h"

struct region {
	uint64_t start, end;
	struct object *object;          /* NULL: a mirror */
	uint64_t source;                /* object: its page at start; mirror: the address shown at start */
	uint64_t mirrored;              /* mirror: task id */
	uint32_t rights;
	uint32_t pad;
};

struct region_map {
	struct region *list;
	uint32_t count, room;           /* entries used, entries that fit */
};

/* The region that contains an address, or NULL. */
struct region *region_find(const struct region_map *map, uint64_t address);

/* Insert a copy of *region; takes over the caller's reference to its object. TASK_E_EXISTS: overlaps another;
 * TASK_E_LIMIT: LIMIT_REGIONS; TASK_E_NOMEM. On error the reference stays the caller's. */
long region_insert(struct mem *mem, struct region_map *map, const struct region *region);

/* Is nothing there? */
int region_free(const struct region_map *map, uint64_t start, uint64_t end);

/* The lowest free range of that size in [low, high) with a free page before and after it, or 0. */
uint64_t region_gap(const struct region_map *map, uint64_t low, uint64_t high, uint64_t bytes);

/* Remove [start, end) from every region. For each piece removed, `gone` is called first (its object is still
 * there). TASK_E_LIMIT or TASK_E_NOMEM: a region would have to be split and there is no room; nothing was done. */
long region_cut(struct mem *mem, struct region_map *map, uint64_t start, uint64_t end,
		void (*gone)(const struct region *piece));

/* Remove everything: references are dropped, the array is freed. */
void region_clear(struct mem *mem, struct region_map *map);

#endif
