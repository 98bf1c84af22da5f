/* SPDX-License-Identifier: BSD-2-Clause
 * Pools: a free list per record size, refilled a page at a time.
 */
#include "pool.h"

#include <l4/string.h>

void pool_init(struct pool *pool, struct mem *mem, size_t size)
{
	pool->mem = mem;
	pool->size = (size + sizeof(void *) - 1) & ~(sizeof(void *) - 1);
	pool->free = NULL;
}

static int pool_refill(struct pool *pool)
{
	uint32_t page = mem_alloc(pool->mem, 1);
	char *records;

	if (page == MEM_NONE)
		return 0;
	records = mem_pointer(pool->mem, page);
	for (size_t i = 0; i + pool->size <= MEM_PAGE; i += pool->size)
		pool_free(pool, records + i);
	return 1;
}

void *pool_alloc(struct pool *pool)
{
	void *record;

	if (!pool->free && !pool_refill(pool))
		return NULL;
	record = pool->free;
	memcpy(&pool->free, record, sizeof pool->free);
	memset(record, 0, pool->size);
	return record;
}

void pool_free(struct pool *pool, void *record)
{
	memcpy(record, &pool->free, sizeof pool->free);
	pool->free = record;
}
