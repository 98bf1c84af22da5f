/* SPDX-License-Identifier: BSD-2-Clause
 * Frame allocator and page hash; see pages.h.
 *
 * Frames are handed out from the bottom of each free range by a bump pointer, and from a free list once
 * they have been used. The server's own memory comes from the top of the largest range.
 */
#include "pages.h"

#define HASH_FACTOR     0x9e3779b97f4a7c15ul

struct page *page_array;

static struct {
	struct range { uint64_t first, bump, end; } range[BOOTINFO_MAX_FREE];  /* pfns */
	unsigned ranges, current;
	uint64_t unused;                /* frames never handed out */
	pfn_t free_list;
	uint64_t free_listed;
	uint64_t total;
	uint64_t max_pfn;
	pfn_t *bucket;
	unsigned hash_shift;
} mem;

void page_zero(void *to)
{
	unsigned long n = PAGE_BYTES / 8;

	__asm__ volatile("rep stosq" : "+D"(to), "+c"(n) : "a"(0) : "memory");
}

void page_copy(void *to, const void *from)
{
	unsigned long n = PAGE_BYTES / 8;

	__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

bool page_is_zero(const void *p)
{
	const uint64_t *w = p;

	for (unsigned i = 0; i < PAGE_BYTES / 8; i += 8)
		if (w[i] | w[i + 1] | w[i + 2] | w[i + 3] | w[i + 4] | w[i + 5] | w[i + 6] | w[i + 7])
			return false;
	return true;
}

static struct range *largest_range(void)
{
	struct range *best = NULL;

	for (unsigned i = 0; i < mem.ranges; i++) {
		struct range *r = &mem.range[i];

		if (!best || r->end - r->bump > best->end - best->bump)
			best = r;
	}
	return best;
}

/* Off the top of the largest range; a physical page number, 0: none. */
static uint64_t take_top(uint64_t pages)
{
	struct range *r = largest_range();

	if (!r || r->end - r->bump < pages)
		return 0;
	r->end -= pages;
	mem.unused -= pages;
	mem.total -= pages;
	return r->end;
}

void *server_alloc_dirty(uint64_t bytes)
{
	uint64_t pfn = take_top((bytes + PAGE_BYTES - 1) / PAGE_BYTES);

	return pfn ? phys_to_virt(pfn << 12) : NULL;
}

uint64_t server_alloc_phys(uint64_t pages)
{
	uint64_t pfn = take_top(pages);
	unsigned long words = pages * PAGE_BYTES / 8;
	void *p = phys_to_virt(pfn << 12);

	if (pfn)
		__asm__ volatile("rep stosq" : "+D"(p), "+c"(words) : "a"(0) : "memory");
	return pfn << 12;
}

void *server_alloc(uint64_t bytes)
{
	uint64_t phys = server_alloc_phys((bytes + PAGE_BYTES - 1) / PAGE_BYTES);

	return phys ? phys_to_virt(phys) : NULL;
}

/* The frame table is not zeroed: an entry is written when its frame is first handed out. */
static bool alloc_tables(void)
{
	unsigned bits = 10;

	page_array = server_alloc_dirty(mem.max_pfn * sizeof(struct page));
	if (!page_array)
		return false;
	while (bits < 31 && (1ul << bits) < mem.total)
		bits++;
	mem.hash_shift = 64 - bits;
	mem.bucket = server_alloc(sizeof(pfn_t) << bits);
	return mem.bucket != NULL;
}

bool pages_init(const struct bootinfo *bi)
{
	mem.max_pfn = bi->max_pfn;
	for (unsigned i = 0; i < bi->free_count && i < BOOTINFO_MAX_FREE; i++) {
		uint64_t first = (bi->free[i].base + PAGE_BYTES - 1) >> 12;
		uint64_t end = (bi->free[i].base + bi->free[i].size) >> 12;

		if (first == 0)
			first = 1;
		if (first >= end || end > mem.max_pfn)
			continue;
		mem.range[mem.ranges++] = (struct range){ first, first, end };
		mem.unused += end - first;
	}
	mem.total = mem.unused;
	return mem.max_pfn < UINT32_MAX && alloc_tables();
}

void pages_limit(uint64_t frames)
{
	for (unsigned i = mem.ranges; i-- && mem.unused > frames; ) {
		struct range *r = &mem.range[i];
		uint64_t excess = mem.unused - frames, n = r->end - r->bump;

		if (n > excess)
			n = excess;
		r->end -= n;
		mem.unused -= n;
		mem.total -= n;
	}
}

bool page_valid(uint64_t pfn)
{
	for (unsigned i = 0; i < mem.ranges; i++)
		if (pfn >= mem.range[i].first && pfn < mem.range[i].bump)
			return page_of((pfn_t)pfn)->kind == PAGE_STORE;
	return false;
}

static pfn_t frame_take(void)
{
	pfn_t f = mem.free_list;

	if (f) {
		mem.free_list = page_of(f)->next;
		mem.free_listed--;
		return f;
	}
	while (mem.current < mem.ranges) {
		struct range *r = &mem.range[mem.current];

		if (r->bump < r->end) {
			mem.unused--;
			return (pfn_t)r->bump++;
		}
		mem.current++;
	}
	return 0;
}

static pfn_t *bucket_of(uint64_t key)
{
	return &mem.bucket[(key * HASH_FACTOR) >> mem.hash_shift];
}

pfn_t page_find(uint64_t key)
{
	pfn_t f = *bucket_of(key);

	while (f && page_of(f)->key != key)
		f = page_of(f)->hash_next;
	return f;
}

pfn_t page_new(uint64_t key, bool zero, uint64_t reserve)
{
	pfn_t *b = bucket_of(key), f;

	if (frames_free() <= reserve)
		return 0;
	f = frame_take();
	if (!f)
		return 0;
	*page_of(f) = (struct page){ .key = key, .hash_next = *b, .kind = PAGE_STORE };
	*b = f;
	if (zero)
		page_zero(page_data(f));
	return f;
}

void page_drop(pfn_t f)
{
	struct page *p = page_of(f);
	pfn_t *link = bucket_of(p->key);

	while (*link != f)
		link = &page_of(*link)->hash_next;
	*link = p->hash_next;
	*p = (struct page){ .kind = PAGE_FREE, .next = mem.free_list };
	mem.free_list = f;
	mem.free_listed++;
}

pfn_t page_next(uint64_t *hand)
{
	uint64_t f = *hand;

	/* Once round over the frames in use finds a store page if there is one. */
	for (unsigned turn = 0; turn <= mem.ranges + 1; turn++) {
		for (unsigned i = 0; i < mem.ranges; i++) {
			struct range *r = &mem.range[i];

			if (f < r->first)
				f = r->first;
			for (; f < r->bump; f++) {
				if (page_of((pfn_t)f)->kind == PAGE_STORE) {
					*hand = f + 1;
					return (pfn_t)f;
				}
			}
		}
		f = 0;
	}
	return 0;
}

uint64_t frames_free(void)
{
	return mem.unused + mem.free_listed;
}

uint64_t frames_total(void)
{
	return mem.total;
}
