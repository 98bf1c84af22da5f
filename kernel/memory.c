/* SPDX-License-Identifier: BSD-2-Clause
 * See memory.h. All of the kernel's memory is taken here, at start-up, in proportion to the machine's; what users do
 * later is served from these pools, or refused.
 *
 *   frame table     16 bytes a frame
 *   mapping nodes   two a frame (32 bytes each)
 *   page tables     one page per 64 frames
 *   pool            1/8 of memory, at least 3 MiB, at most what all there can be take: volatile halves of threads and spaces.
 *                   It must hold many more threads than their objects have room for, because those are paged.
 */
#include "kernel/memory.h"
#include "kernel/arch.h"
#include "kernel/kernel.h"
#include "kernel/mapdb.h"
#include "kernel/space.h"
#include <l4/bootinfo.h>

#define MIN_NODES       16384u
#define MIN_TABLES      768u
#define MIN_POOL        (3ul << 20)
#define MAX_POOL        (80ul << 20)            /* 2^18 threads of 250 bytes, 16,384 spaces */

struct frame *frame_table;
pfn_t max_pfn;
u64 epoch = 1;

static const struct bootinfo *boot;
static u8 *pool_at, *pool_end;

void *pool_alloc(size_t bytes)
{
	void *p = pool_at;

	bytes = (bytes + 63) & ~63ul;
	if (bytes > (size_t)(pool_end - pool_at))
		return NULL;
	pool_at += bytes;
	return p;
}

u64 pool_left(void)
{
	return (u64)(pool_end - pool_at);
}

paddr_t kernel_page_alloc(void)
{
	u8 *page = (u8 *)(((u64)pool_at + PAGE_MASK) & ~PAGE_MASK);

	if (page + PAGE_SIZE > pool_end)
		return 0;
	pool_at = page + PAGE_SIZE;
	memset(page, 0, PAGE_SIZE);
	return virt_to_phys(page);
}

bool ram_page(pfn_t pfn)
{
	paddr_t pa = pfn << PAGE_SHIFT;
	u32 i;

	for (i = 0; i < boot->mem_count; i++)
		if (boot->mem[i].type == BOOTMEM_RAM && pa - boot->mem[i].base < boot->mem[i].size)
			return true;
	return false;
}

bool store_page(pfn_t pfn)
{
	return pfn < max_pfn && frame_table[pfn].tag != FRAME_ALWAYS;
}

void memory_init(struct bootinfo *bi)
{
	u64 ram = 0, i;
	u32 nodes, tables;
	paddr_t table_mem, meta;

	boot = bi;
	max_pfn = bi->max_pfn;
	for (i = 0; i < bi->mem_count; i++)
		if (bi->mem[i].type == BOOTMEM_RAM)
			ram += bi->mem[i].size >> PAGE_SHIFT;
	frame_table = phys_to_virt(boot_alloc_raw(max_pfn * sizeof(struct frame), PAGE_SIZE));
	for (i = 0; i < max_pfn; i++)
		frame_table[i] = (struct frame){ .tag = FRAME_ALWAYS };
	nodes = ram * 2 < MIN_NODES ? MIN_NODES : (u32)(ram * 2);
	tables = ram / 64 < MIN_TABLES ? MIN_TABLES : (u32)(ram / 64);
	table_mem = boot_alloc_raw((u64)tables << PAGE_SHIFT, PAGE_SIZE);
	meta = boot_alloc_raw(mapdb_meta_size(tables, nodes), PAGE_SIZE);
	mapdb_init(table_mem, tables, phys_to_virt(meta), nodes);
	ptab_init(kernel_pml4);
	ram = (ram << PAGE_SHIFT) / 8;
	ram = ram < MIN_POOL ? MIN_POOL : ram > MAX_POOL ? MAX_POOL : ram & ~PAGE_MASK;
	pool_at = phys_to_virt(boot_alloc_raw(ram, PAGE_SIZE));
	pool_end = pool_at + ram;
}

static void add_free(struct bootinfo *bi, paddr_t lo, paddr_t hi)
{
	pfn_t pfn;

	lo = (lo + PAGE_MASK) & ~PAGE_MASK;
	hi &= ~PAGE_MASK;
	if (hi <= lo || bi->free_count == BOOTINFO_MAX_FREE)
		return;
	bi->free[bi->free_count++] = (struct bootinfo_range){ lo, hi - lo };
	for (pfn = lo >> PAGE_SHIFT; pfn < hi >> PAGE_SHIFT; pfn++)
		frame_table[pfn].tag = 0;
}

/* [lo, hi) without what is in use; recursion over the obstacles, of which there are few. */
static void free_around(struct bootinfo *bi, paddr_t lo, paddr_t hi, const struct bootinfo_range *used, u32 count)
{
	for (; count; used++, count--) {
		paddr_t from = used->base, to = used->base + used->size;

		if (to <= lo || from >= hi)
			continue;
		if (from > lo)
			free_around(bi, lo, from, used + 1, count - 1);
		if (to < hi)
			free_around(bi, to, hi, used + 1, count - 1);
		return;
	}
	add_free(bi, lo, hi);
}

extern u8 __boot_start[], __kernel_end[];

void memory_hand_over(struct bootinfo *bi, struct space *s)
{
	struct bootinfo_range used[BOOTINFO_MAX_MODULES + 3];
	paddr_t at, end;
	u32 n = 0, i;

	boot_region(&at, &end);
	used[n++] = (struct bootinfo_range){ 0, 1 << 20 };
	used[n++] = (struct bootinfo_range){ (u64)__boot_start, kernel_virt_to_phys(__kernel_end) - (u64)__boot_start };
	used[n++] = (struct bootinfo_range){ boot_region_start(), at - boot_region_start() };
	for (i = 0; i < bi->module_count; i++)
		used[n++] = (struct bootinfo_range){ bi->module[i].base, bi->module[i].size };
	for (i = 0; i < bi->mem_count; i++)
		if (bi->mem[i].type == BOOTMEM_RAM)
			free_around(bi, bi->mem[i].base, bi->mem[i].base + bi->mem[i].size, used, n);
	for (i = 0; i < bi->free_count; i++)
		if (ptab_map_window(&s->pt, SIGMA0_PHYS_BASE + bi->free[i].base, bi->free[i].base, bi->free[i].size, false))
			panic("no page tables for ckptserver's window");
	for (i = 0; i < bi->module_count; i++) {
		paddr_t lo = bi->module[i].base & ~PAGE_MASK;

		ptab_map_window(&s->pt, SIGMA0_PHYS_BASE + lo, lo,
			(bi->module[i].base + bi->module[i].size - lo + PAGE_MASK) & ~PAGE_MASK, false);
	}
	at = kernel_virt_to_phys(bi);
	ptab_map_window(&s->pt, SIGMA0_PHYS_BASE + at, at, (sizeof *bi + PAGE_MASK) & ~PAGE_MASK, false);
}
