/* SPDX-License-Identifier: BSD-2-Clause
 * Pools of small records of one size, cut from pages of the store. Pages of a pool stay with it.
 * Pure, on top of mem.
 */
#ifndef PAGER_POOL_H
#define PAGER_POOL_H

#include "mem.h"

struct pool {
	struct mem *mem;
	size_t size;            /* of a record: at most a page */
	void *free;             /* list through the records' first words */
};

void pool_init(struct pool *pool, struct mem *mem, size_t size);

/* A zeroed record, or NULL when the store is full. */
void *pool_alloc(struct pool *pool);

void pool_free(struct pool *pool, void *record);

#endif
