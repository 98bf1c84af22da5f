/* SPDX-License-Identifier: BSD-2-Clause
 * From the KIP's memory descriptors (X.2 1.1): conventional virtual memory is the store, a boot-loader-specific
 * range is the archive. The allocator's metadata is the first thing taken from the store.
 */
#include "store.h"

#include <l4/string.h>

#include <l4/ckpt.h>
#include <l4/kip.h>
#include <l4/space.h>
#include <l4/task.h>

#include "limits.h"
#include "object.h"
#include "say.h"

#define MAX_PAGES       0x40000000UL    /* 4 TiB: page numbers and block sizes fit 32 bits */
#define MAX_RESERVED    3

struct mem store_mem, volatile_mem;
uint32_t volatile_first;

static const uint8_t *archive;
static size_t archive_size;
static struct { uint64_t first, end; } reserved[MAX_RESERVED];

extern char _end[];

static uint64_t page_up(uint64_t address)
{
	return (address + MEM_PAGE - 1) / MEM_PAGE;
}

/* Give the allocator [first, end) without the reserved ranges, which are disjoint and ascending. */
static void give(uint64_t first, uint64_t end)
{
	for (unsigned i = 0; i < MAX_RESERVED && first < end; i++) {
		if (reserved[i].end <= first || reserved[i].first >= end)
			continue;
		if (reserved[i].first > first)
			mem_add(&store_mem, (uint32_t)first, (uint32_t)(reserved[i].first - first));
		first = reserved[i].end;
	}
	if (first < end)
		mem_add(&store_mem, (uint32_t)first, (uint32_t)(end - first));
}

/* The end of the store, and the archive. */
static uint64_t descriptors_read(void *kip)
{
	uint64_t end = 0;

	for (L4_Word_t i = 0; i < L4_NumMemoryDescriptors(kip); i++) {
		L4_MemoryDesc_t *d = L4_MemoryDesc(kip, i);
		uint64_t low = L4_MemoryDescLow(d), high = L4_MemoryDescHigh(d);

		if (!L4_IsMemoryDescVirtual(d))
			continue;
		if (L4_MemoryDescType(d) == L4_ConventionalMemoryType && high / MEM_PAGE + 1 > end)
			end = high / MEM_PAGE + 1;
		if ((L4_MemoryDescType(d) & 0xf) == L4_BootLoaderSpecificMemoryType) {
			archive = (const uint8_t *)low;
			archive_size = high - low + 1;
		}
	}
	return end < MAX_PAGES ? end : MAX_PAGES;
}

/* Metadata goes right behind the pager's image, or behind the archive if there is more room. */
static uint64_t metadata_place(uint64_t end, uint64_t pages)
{
	uint64_t image = page_up((uintptr_t)_end);
	uint64_t limit = archive_size ? (uintptr_t)archive / MEM_PAGE : TASK_RESERVED_BASE / MEM_PAGE;

	if (limit > end)
		limit = end;
	if (image + pages <= limit)
		return image;
	image = page_up((uintptr_t)archive + archive_size);
	if (image < TASK_RESERVED_END / MEM_PAGE)
		image = TASK_RESERVED_END / MEM_PAGE;
	return image + pages <= end ? image : 0;
}

int store_init(void)
{
	void *kip = L4_GetKernelInterface();
	uint64_t end = descriptors_read(kip), image = page_up((uintptr_t)_end);
	uint64_t pages = page_up(mem_metadata_bytes((uint32_t)end)), place;

	place = metadata_place(end, pages);
	if (!place)
		return 0;
	reserved[0].end = place == image ? image + pages : image;
	reserved[1].first = archive_size ? (uintptr_t)archive / MEM_PAGE : TASK_RESERVED_BASE / MEM_PAGE;
	reserved[1].end = archive_size ? page_up((uintptr_t)archive + archive_size) : reserved[1].first;
	reserved[2].first = TASK_RESERVED_BASE / MEM_PAGE;
	reserved[2].end = TASK_RESERVED_END / MEM_PAGE;
	if (place != image)
		reserved[2].end = place + pages;
	mem_init(&store_mem, (void *)(place * MEM_PAGE), 0, (uint32_t)end);
	give(0, end);
	say("store pages=%u free=%u archive bytes=%u", end, (unsigned long)store_mem.free, archive_size);
	return 1;
}

/* One range, for all volatile regions of all tasks: the server knows a few ranges only, and for good. */
int store_init_volatile(void)
{
	static struct mem_block metadata[LIMIT_VOLATILE_PAGES];
	uint32_t pages = store_mem.total / LIMIT_VOLATILE_SHARE;

	if (pages > LIMIT_VOLATILE_PAGES)
		pages = LIMIT_VOLATILE_PAGES;
	volatile_first = pages ? mem_alloc(&store_mem, pages) : MEM_NONE;
	if (volatile_first == MEM_NONE)
		return 0;
	if (L4_VolatileStore(volatile_first * MEM_PAGE, pages * MEM_PAGE) != L4_CKPT_OK) {
		mem_free(&store_mem, volatile_first, pages);
		return 0;
	}
	mem_init(&volatile_mem, metadata, volatile_first * MEM_PAGE, pages);
	mem_add(&volatile_mem, 0, pages);
	return 1;
}

const uint8_t *store_archive(size_t *size)
{
	*size = archive_size;
	return archive;
}

void store_revoke(uint32_t first, uint32_t count)
{
	while (count) {
		unsigned order = 31 - (unsigned)__builtin_clz(count);
		unsigned align = first ? (unsigned)__builtin_ctz(first) : 31;
		L4_Fpage_t f;

		if (align < order)
			order = align;
		f = L4_FpageLog2(first * MEM_PAGE, (int)order + 12);
		L4_Set_Rights(&f, L4_FullyAccessible);
		L4_UnmapFpage(f);
		first += 1U << order;
		count -= 1U << order;
	}
}

int store_discard(uint32_t first, uint32_t count)
{
	unsigned long status = L4_DiscardStore(first * MEM_PAGE, count * MEM_PAGE);

	if (status == L4_CKPT_OK)
		return 1;
	store_revoke(first, count);
	if (status == L4_CKPT_BUSY)
		return 0;
	/* Another sigma0, which knows no such request. */
	memset(mem_pointer(&store_mem, first), 0, count * MEM_PAGE);
	return 1;
}

void store_clear(uint32_t first, uint32_t count)
{
	if (!store_discard(first, count))
		memset(mem_pointer(&store_mem, first), 0, count * MEM_PAGE);
}
