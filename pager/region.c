/* SPDX-License-Identifier: BSD-2-Clause
 * Regions as a sorted array. Invariants: (1) ascending, disjoint, none empty; (2) each entry with an object holds one
 * reference to it. The array doubles when it is full.
 */
#include "region.h"

#include <l4/string.h>

#include <l4/task.h>

#include "limits.h"

/* Index of the first region that ends after the address. */
static uint32_t index_of(const struct region_map *map, uint64_t address)
{
	uint32_t low = 0, high = map->count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (map->list[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct region *region_find(const struct region_map *map, uint64_t address)
{
	uint32_t i = index_of(map, address);

	return i < map->count && map->list[i].start <= address ? &map->list[i] : NULL;
}

int region_free(const struct region_map *map, uint64_t start, uint64_t end)
{
	uint32_t i = index_of(map, start);

	return i == map->count || map->list[i].start >= end;
}

static uint32_t room_pages(uint32_t room)
{
	return (uint32_t)((room * sizeof(struct region) + MEM_PAGE - 1) / MEM_PAGE);
}

static void list_free(struct mem *mem, struct region_map *map)
{
	uint32_t first;

	if (!map->room)
		return;
	first = mem_page(mem, map->list);
	store_clear(first, room_pages(map->room));
	mem_free(mem, first, room_pages(map->room));
}

static long list_grow(struct mem *mem, struct region_map *map)
{
	uint32_t pages = map->room ? 2 * room_pages(map->room) : 1, page;
	struct region *list;

	if (map->count == LIMIT_REGIONS)
		return TASK_E_LIMIT;
	if (map->count < map->room)
		return TASK_OK;
	page = mem_alloc(mem, pages);
	if (page == MEM_NONE)
		return TASK_E_NOMEM;
	list = mem_pointer(mem, page);
	if (map->count)
		memcpy(list, map->list, map->count * sizeof *list);
	list_free(mem, map);
	map->list = list;
	map->room = (uint32_t)(pages * MEM_PAGE / sizeof *list);
	return TASK_OK;
}

static void list_open(struct region_map *map, uint32_t at)
{
	memmove(&map->list[at + 1], &map->list[at], (map->count - at) * sizeof *map->list);
	map->count++;
}

static void list_close(struct region_map *map, uint32_t at)
{
	map->count--;
	memmove(&map->list[at], &map->list[at + 1], (map->count - at) * sizeof *map->list);
}

long region_insert(struct mem *mem, struct region_map *map, const struct region *region)
{
	uint32_t at = index_of(map, region->start);
	long error;

	if (at < map->count && map->list[at].start < region->end)
		return TASK_E_EXISTS;
	error = list_grow(mem, map);
	if (error)
		return error;
	list_open(map, at);
	map->list[at] = *region;
	return TASK_OK;
}

uint64_t region_gap(const struct region_map *map, uint64_t low, uint64_t high, uint64_t bytes)
{
	uint64_t at = low + MEM_PAGE;
	uint32_t i;

	if (bytes > high - low)
		return 0;
	for (i = index_of(map, low); i < map->count && map->list[i].start < high; i++) {
		const struct region *r = &map->list[i];

		if (r->start >= at && r->start - at >= bytes + MEM_PAGE)
			return at;
		if (r->end + MEM_PAGE > at)
			at = r->end + MEM_PAGE;
	}
	return at < high && high - at >= bytes + MEM_PAGE ? at : 0;
}

/* The part of a region from `start` to `end`, which lie inside it. */
static struct region part_of(const struct region *r, uint64_t start, uint64_t end)
{
	struct region part = *r;
	uint64_t skipped = start - r->start;

	part.start = start;
	part.end = end;
	part.source += r->object ? skipped / MEM_PAGE : skipped;
	return part;
}

/* Cut a hole into the middle of region i; there is room for one more. */
static void split(struct region_map *map, uint32_t i, uint64_t start, uint64_t end)
{
	struct region whole = map->list[i];

	list_open(map, i);
	map->list[i] = part_of(&whole, whole.start, start);
	map->list[i + 1] = part_of(&whole, end, whole.end);
	if (whole.object)
		object_get(whole.object);
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

long region_cut(struct mem *mem, struct region_map *map, uint64_t start, uint64_t end,
		void (*gone)(const struct region *piece))
{
	uint32_t i = index_of(map, start);
	long error;

	/* Only a hole inside one region needs another entry, and then no other region is concerned. */
	if (i < map->count && map->list[i].start < start && end < map->list[i].end) {
		struct region piece;

		error = list_grow(mem, map);
		if (error)
			return error;
		piece = part_of(&map->list[i], start, end);
		gone(&piece);
		split(map, i, start, end);
		return TASK_OK;
	}
	while (i < map->count && map->list[i].start < end) {
		struct region *r = &map->list[i];
		struct region piece = part_of(r, later(r->start, start), earlier(r->end, end));

		gone(&piece);
		if (r->start < start) {
			r->end = start;
			i++;
		} else if (r->end > end) {
			*r = part_of(r, end, r->end);
			i++;
		} else {
			struct object *object = r->object;

			list_close(map, i);
			if (object)
				object_put(object);
		}
	}
	return TASK_OK;
}

void region_clear(struct mem *mem, struct region_map *map)
{
	for (uint32_t i = 0; i < map->count; i++)
		if (map->list[i].object)
			object_put(map->list[i].object);
	list_free(mem, map);
	memset(map, 0, sizeof *map);
}
