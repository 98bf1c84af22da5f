/* SPDX-License-Identifier: BSD-2-Clause
 * Buddy allocator over page numbers. A block of order k begins at a multiple of 2^k. Requests that are no power
 * of two are cut from the next larger block and the tail is freed again, so nothing is lost by rounding.
 *
 * Invariants: (1) a free page lies in exactly one free block; (2) two free buddies of one order do not exist: they
 * are merged; (3) order_plus_one is non-zero exactly at first pages of free blocks.
 */
#include "mem.h"

size_t mem_metadata_bytes(uint32_t pages)
{
	return (size_t)pages * sizeof(struct mem_block);
}

void mem_init(struct mem *mem, void *metadata, uintptr_t window, uint32_t pages)
{
	mem->window = window;
	mem->block = metadata;
	mem->pages = pages;
	mem->total = mem->free = 0;
	for (unsigned k = 0; k < MEM_ORDERS; k++)
		mem->head[k] = MEM_NONE;
}

static void list_push(struct mem *mem, uint32_t page, unsigned order)
{
	struct mem_block *b = &mem->block[page];

	b->order_plus_one = order + 1;
	b->prev = MEM_NONE;
	b->next = mem->head[order];
	if (b->next != MEM_NONE)
		mem->block[b->next].prev = page;
	mem->head[order] = page;
}

static void list_remove(struct mem *mem, uint32_t page, unsigned order)
{
	struct mem_block *b = &mem->block[page];

	if (b->prev == MEM_NONE)
		mem->head[order] = b->next;
	else
		mem->block[b->prev].next = b->next;
	if (b->next != MEM_NONE)
		mem->block[b->next].prev = b->prev;
	b->order_plus_one = 0;
}

static void block_free(struct mem *mem, uint32_t page, unsigned order)
{
	while (order < MEM_ORDERS - 1) {
		uint64_t size = 1ULL << order, buddy = page ^ size;

		if (buddy + size > mem->pages || mem->block[buddy].order_plus_one != order + 1)
			break;
		list_remove(mem, (uint32_t)buddy, order);
		page &= (uint32_t)~size;
		order++;
	}
	list_push(mem, page, order);
}

/* Free an arbitrary range as the fewest aligned blocks. */
static void range_free(struct mem *mem, uint32_t first, uint32_t count)
{
	mem->free += count;
	while (count) {
		unsigned order = 31 - (unsigned)__builtin_clz(count);
		unsigned align = first ? (unsigned)__builtin_ctz(first) : 31;

		if (align < order)
			order = align;
		block_free(mem, first, order);
		first += 1U << order;
		count -= 1U << order;
	}
}

void mem_add(struct mem *mem, uint32_t first, uint32_t count)
{
	mem->total += count;
	range_free(mem, first, count);
}

void mem_free(struct mem *mem, uint32_t first, uint32_t count)
{
	range_free(mem, first, count);
}

uint32_t mem_alloc(struct mem *mem, uint32_t count)
{
	unsigned want, order;
	uint32_t page, rest;

	if (!count || count > mem->free)
		return MEM_NONE;
	want = count == 1 ? 0 : 32 - (unsigned)__builtin_clz(count - 1);
	for (order = want; order < MEM_ORDERS; order++)
		if (mem->head[order] != MEM_NONE)
			break;
	if (order == MEM_ORDERS)
		return MEM_NONE;
	page = mem->head[order];
	list_remove(mem, page, order);
	rest = (uint32_t)((1ULL << order) - count);
	mem->free -= (uint32_t)(1ULL << order);
	range_free(mem, page + count, rest);
	return page;
}

int mem_consistent(const struct mem *mem)
{
	uint64_t free = 0;

	for (unsigned k = 0; k < MEM_ORDERS; k++) {
		uint32_t prev = MEM_NONE;

		for (uint32_t p = mem->head[k]; p != MEM_NONE; p = mem->block[p].next) {
			uint64_t buddy = p ^ 1ULL << k;

			if (p & ((1ULL << k) - 1) || p + (1ULL << k) > mem->pages)
				return 0;
			if (mem->block[p].order_plus_one != k + 1 || mem->block[p].prev != prev)
				return 0;
			if (k < MEM_ORDERS - 1 && buddy + (1ULL << k) <= mem->pages &&
			    mem->block[buddy].order_plus_one == k + 1)
				return 0;
			free += 1ULL << k;
			prev = p;
		}
	}
	return free == mem->free;
}
