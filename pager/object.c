/* SPDX-License-Identifier: BSD-2-Clause
 * Memory objects. Small ones keep their bits inside; the bits of large ones stand in pages of their own.
 * Whatever is given back to mem is discarded first, so that mem's pages always read as zero. What is discarded loses its bits
 * at once, so it is not asked for again when the rest has to wait.
 */
#include "object.h"

#include <l4/string.h>

#include "pool.h"

#define BITS_PER_PAGE (MEM_PAGE * 8)

static struct mem *mem;                 /* of persistent objects, and of all tables */
static struct { struct mem *mem; uint32_t first; } heaps[OBJECT_HEAPS];
static struct pool pool;
static struct object *lingering;        /* the last of a ring */

void object_init(struct mem *m)
{
	mem = m;
	heaps[OBJECT_PERSISTENT].mem = m;
	pool_init(&pool, m, sizeof(struct object));
}

void object_init_volatile(struct mem *m, uint32_t first)
{
	heaps[OBJECT_VOLATILE].mem = m;
	heaps[OBJECT_VOLATILE].first = first;
}

/* Its first page in the store, or MEM_NONE. */
static uint32_t extent_create(uint32_t pages, enum object_heap heap)
{
	uint32_t first = heaps[heap].mem ? mem_alloc(heaps[heap].mem, pages) : MEM_NONE;

	if (first == MEM_NONE && heaps[heap].mem && lingering) {
		object_retry();
		first = mem_alloc(heaps[heap].mem, pages);
	}
	return first == MEM_NONE ? MEM_NONE : heaps[heap].first + first;
}

static void extent_delete(const struct object *o)
{
	mem_free(heaps[o->heap].mem, o->first - heaps[o->heap].first, o->pages);
}

static uint32_t bits_pages(const struct object *o)
{
	return o->pages <= OBJECT_INLINE_BITS ? 0 : (uint32_t)((o->pages + BITS_PER_PAGE - 1) / BITS_PER_PAGE);
}

static int bits_create(struct object *o)
{
	uint32_t count = bits_pages(o), page;

	o->bits = o->inline_bits;
	if (!count)
		return 1;
	page = mem_alloc(mem, count);
	if (page == MEM_NONE)
		return 0;
	o->bits = mem_pointer(mem, page);
	return 1;
}

static void bits_delete(struct object *o)
{
	uint32_t count = bits_pages(o);

	if (count)
		mem_free(mem, mem_page(mem, o->bits), count);
}

struct object *object_create(uint32_t pages, uint64_t owner, enum object_heap heap)
{
	struct object *o = pool_alloc(&pool);

	if (!o)
		return NULL;
	o->refs = 1;
	o->pages = pages;
	o->owner = owner;
	o->heap = (uint8_t)heap;
	o->first = extent_create(pages, heap);
	if (o->first == MEM_NONE)
		goto no_extent;
	if (!bits_create(o))
		goto no_bits;
	return o;
no_bits:
	extent_delete(o);
no_extent:
	pool_free(&pool, o);
	return NULL;
}

void object_get(struct object *o)
{
	o->refs++;
}

static void untouch(struct object *o, uint32_t first, uint32_t end)
{
	o->touched -= end - first;
	for (uint32_t i = first; i < end; i++)
		o->bits[i / 64] &= ~(1UL << (i % 64));
}

/* Only runs of touched pages: the others have no content, and there may be a great many. 0: not all of it could be; after
 * so many failures the rest is not tried. */
static int content_discard(struct object *o, uint32_t page, uint32_t count, uint32_t failures)
{
	uint32_t end = page + count, first;
	int all = 1;

	while (page < end && failures) {
		if (!(page % 64) && !o->bits[page / 64]) {
			page += 64;
			continue;
		}
		for (first = page; page < end && object_touched(o, page); page++)
			continue;
		if (page == first)
			page++;
		else if (store_discard(o->first + first, page - first))
			untouch(o, first, page);
		else
			all = 0, failures--;
	}
	return all;
}

/* Nobody refers to it any more. 0: not yet. Its bits go last: they say what is left. */
static int object_end(struct object *o, uint32_t failures)
{
	uint32_t count = bits_pages(o);

	if (!content_discard(o, 0, o->pages, failures) || (count && !store_discard(mem_page(mem, o->bits), count)))
		return 0;
	bits_delete(o);
	extent_delete(o);
	pool_free(&pool, o);
	return 1;
}

int object_lingers(void)
{
	return lingering != NULL;
}

void object_retry(void)
{
	while (lingering) {
		struct object *first = lingering->next, *next = first->next;

		if (!object_end(first, 1)) {
			lingering = first;      /* its next turn comes after all others */
			return;
		}
		if (first == lingering)
			lingering = NULL;
		else
			lingering->next = next;
	}
}

void object_put(struct object *o)
{
	if (--o->refs)
		return;
	if (o->owner)
		object_released(o->owner, o->pages);
	if (object_end(o, o->pages))
		return;
	o->next = lingering ? lingering->next : o;
	if (lingering)
		lingering->next = o;
	lingering = o;
}

int object_touched(const struct object *o, uint32_t page)
{
	return (o->bits[page / 64] >> (page % 64)) & 1;
}

void object_touch(struct object *o, uint32_t page)
{
	if (!object_touched(o, page))
		o->touched++;
	o->bits[page / 64] |= 1UL << (page % 64);
}

void object_fill_of(const struct object *o, uint32_t page, struct object_fill *fill)
{
	uint64_t begin = page * MEM_PAGE, end = begin + MEM_PAGE;

	memset(fill, 0, sizeof *fill);
	if (!o->bytes || begin >= o->skew + o->length || end <= o->skew)
		return;
	if (begin < o->skew)
		begin = o->skew;
	if (end > o->skew + o->length)
		end = o->skew + o->length;
	fill->offset = (uint32_t)(begin - page * MEM_PAGE);
	fill->length = (uint32_t)(end - begin);
	fill->from = o->bytes + (begin - o->skew);
}

int object_needs_fill(const struct object *o, uint32_t page)
{
	struct object_fill fill;

	if (object_touched(o, page))
		return 0;
	object_fill_of(o, page, &fill);
	return fill.length != 0;
}

void object_drop(struct object *o, uint32_t page, uint32_t count)
{
	(void)content_discard(o, page, count, count);
}
