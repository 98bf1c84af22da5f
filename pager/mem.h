/* SPDX-License-Identifier: BSD-2-Clause
 * Allocator of the store's pages: buddy blocks over page numbers. It hands out extents, which cost
 * nothing until they are touched; who frees one has discarded its content before.
 *
 * Pure: only the metadata handed to mem_init is touched. Metadata of zero bytes means "not a free block", so a big store starts without a walk.
 */
#ifndef PAGER_MEM_H
#define PAGER_MEM_H

#include <stddef.h>
#include <stdint.h>

#define MEM_PAGE        4096UL
#define MEM_ORDERS      33
#define MEM_NONE        UINT32_MAX      /* no page; also ends lists */

struct mem_block {                      /* one per page, meaningful at the first page of a free block */
	uint32_t next, prev;
	uint32_t order_plus_one;        /* 0: not the first page of a free block */
};

struct mem {
	struct mem_block *block;
	uintptr_t window;               /* where page 0 appears in this program */
	uint32_t pages;                 /* of the range, whether given or not */
	uint32_t total, free;           /* pages given by mem_add; pages free now */
	uint32_t head[MEM_ORDERS];
};

/* Bytes of zeroed metadata for a range of that many pages. */
size_t mem_metadata_bytes(uint32_t pages);

/* An allocator for page numbers 0..pages-1, all of them taken. metadata: zeroed, mem_metadata_bytes. */
void mem_init(struct mem *mem, void *metadata, uintptr_t window, uint32_t pages);

static inline void *mem_pointer(const struct mem *mem, uint32_t page)
{
	return (void *)(mem->window + page * MEM_PAGE);
}

static inline uint32_t mem_page(const struct mem *mem, const void *pointer)
{
	return (uint32_t)(((uintptr_t)pointer - mem->window) / MEM_PAGE);
}

/* Give it pages first..first+count-1. They must be in the range and not be given yet. */
void mem_add(struct mem *mem, uint32_t first, uint32_t count);

/* count (>= 1) consecutive pages; the first one, or MEM_NONE. O(log pages). */
uint32_t mem_alloc(struct mem *mem, uint32_t count);

/* Give back an extent, or part of one. O(log pages). */
void mem_free(struct mem *mem, uint32_t first, uint32_t count);

/* Walk all free lists: 1 if lists, orders, alignment and counts agree. For tests. */
int mem_consistent(const struct mem *mem);

#endif
