/* SPDX-License-Identifier: BSD-2-Clause
 * The kernel's own address space, made once at start-up, and memory before there is a pool.
 *
 *   0xffffffffffe00000   system-call stub page, user-executable      PML4 511, PDPT 511
 *   0xffffffffffc00000   local APIC, uncached                        PML4 511, PDPT 511
 *   0xffffffff80000000   kernel image, from physical 0               PML4 511, PDPT 510
 *   0xffff800000000000   direct map of RAM, 2 MiB pages, no execute   PML4 256 ..
 *   0 .. 0x7fffffffffff  user                                        PML4 0 .. 255
 */
#include "kernel/arch.h"
#include "kernel/kernel.h"
#include "kernel/x86/cpu.h"
#include "kernel/ptab.h"
#include <l4/abi.h>
#include <l4/bootinfo.h>

#define KERNEL_BASE     0xffffffff80000000ul
#define DIRECT_MAP      0xffff800000000000ul
#define APIC_WINDOW     0xffffffffffc00000ul
#define APIC_PHYS       0xfee00000ul

#define PTE_P           1ul
#define PTE_W           2ul
#define PTE_U           4ul
#define PTE_UNCACHED    0x18ul
#define PTE_LARGE       0x80ul
#define PTE_GLOBAL      0x100ul
#define ADDRESS         0x000ffffffffff000ul
#define GUARDED         (1ul << 30)
#define BOOT_LIMIT      (4ul << 30)     /* the boot code maps the first 4 GiB to themselves */

extern u8 __text_start[], __text_end[], __rodata_start[], __rodata_end[], __data_start[], __kernel_end[];
extern u8 stub_page[];
extern u8 __boot_start[];

u64 *kernel_pml4;
unsigned char *direct_map_base = (unsigned char *)DIRECT_MAP;
static paddr_t region_start, region_at, region_end;
static bool identity_mapped = true;

paddr_t kernel_virt_to_phys(const void *va)
{
	return (paddr_t)va - KERNEL_BASE;
}

static void *boot_virt(paddr_t pa)
{
	return identity_mapped ? (void *)pa : phys_to_virt(pa);
}

paddr_t boot_alloc_raw(size_t bytes, size_t align)
{
	paddr_t at = (region_at + align - 1) & ~(align - 1);

	bytes = (bytes + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
	if (at + bytes > region_end)
		panic("not enough memory: the kernel needs %lu KiB more in one piece below 4 GiB",
			(at + bytes - region_end) >> 10);
	region_at = at + bytes;
	return at;
}

paddr_t boot_alloc(size_t bytes, size_t align)
{
	paddr_t at = boot_alloc_raw(bytes, align);

	memset(boot_virt(at), 0, bytes);
	return at;
}

paddr_t boot_region_start(void)
{
	return region_start;
}

void boot_region(paddr_t *base, paddr_t *end)
{
	*base = region_at;
	*end = region_end;
}

/* Cut [from, from + size) out of [*lo, *hi), keeping the larger part. */
static void cut(paddr_t *lo, paddr_t *hi, paddr_t from, u64 size)
{
	paddr_t to = from + size;

	if (to <= *lo || from >= *hi)
		return;
	if (from > *lo && from - *lo >= (*hi > to ? *hi - to : 0))
		*hi = from;
	else
		*lo = to < *hi ? (to + PAGE_SIZE - 1) & ~PAGE_MASK : *hi;
}

/* The largest piece of RAM below 4 GiB that nothing occupies. */
static void choose_region(const struct bootinfo *bi)
{
	u32 i, m;

	for (i = 0; i < bi->mem_count; i++) {
		paddr_t lo = bi->mem[i].base, hi = lo + bi->mem[i].size;

		if (bi->mem[i].type != BOOTMEM_RAM || lo >= BOOT_LIMIT)
			continue;
		if (hi > BOOT_LIMIT)
			hi = BOOT_LIMIT;
		cut(&lo, &hi, 0, 1 << 20);
		cut(&lo, &hi, (paddr_t)__boot_start, kernel_virt_to_phys(__kernel_end) - (paddr_t)__boot_start);
		for (m = 0; m < bi->module_count; m++)
			cut(&lo, &hi, bi->module[m].base, bi->module[m].size);
		if (hi > lo && hi - lo > region_end - region_at) {
			region_at = lo;
			region_end = hi;
		}
	}
}

static u64 *table_below(u64 *entry, u64 flags)
{
	if (!(*entry & PTE_P))
		*entry = boot_alloc(PAGE_SIZE, PAGE_SIZE) | PTE_P | PTE_W | flags;
	*entry |= flags;
	return boot_virt(*entry & ADDRESS);
}

static void map_kernel(u64 va, paddr_t pa, u64 flags, u64 upper, bool large)
{
	u64 *pdpt = table_below(&kernel_pml4[va >> 39 & 511], upper);
	u64 *pd = table_below(&pdpt[va >> 30 & 511], upper);

	if (large) {
		pd[va >> 21 & 511] = pa | flags | PTE_P | PTE_LARGE;
		return;
	}
	table_below(&pd[va >> 21 & 511], upper)[va >> 12 & 511] = pa | flags | PTE_P;
}

static void map_image(const u8 *from, const u8 *to, u64 flags)
{
	for (; from < to; from += PAGE_SIZE)
		map_kernel((u64)from, kernel_virt_to_phys(from), flags, 0, false);
}

/* 2 MiB of the direct map. Debug builds map the first GiB in small pages, so that guard.c can protect single ones. */
static void map_direct(paddr_t pa)
{
	u64 off;

	if (!DEBUG || pa >= GUARDED) {
		map_kernel(DIRECT_MAP + pa, pa, PTE_W | ptab_nx, 0, true);
		return;
	}
	for (off = 0; off < 0x200000; off += PAGE_SIZE)
		map_kernel(DIRECT_MAP + pa + off, pa + off, PTE_W | ptab_nx, 0, false);
}

#if DEBUG
void arch_guard(const void *page, bool writable)
{
	u64 va = (u64)page, *entry;

	if (va - DIRECT_MAP >= GUARDED)
		return;
	entry = phys_to_virt(kernel_pml4[va >> 39 & 511] & ADDRESS);
	entry = phys_to_virt(entry[va >> 30 & 511] & ADDRESS);
	entry = phys_to_virt(entry[va >> 21 & 511] & ADDRESS);
	entry += va >> 12 & 511;
	*entry = writable ? *entry | PTE_W : *entry & ~PTE_W;
	__asm__ volatile("invlpg (%0)" : : "r"(page) : "memory");
}
#endif

void paging_init(struct bootinfo *bi)
{
	u64 nx = ptab_nx, end = 0, pa;
	paddr_t pml4;
	u32 i;

	choose_region(bi);
	region_start = region_at;
	pml4 = boot_alloc(PAGE_SIZE, PAGE_SIZE);
	kernel_pml4 = boot_virt(pml4);
	for (i = 0; i < bi->mem_count; i++) {
		if (bi->mem[i].type != BOOTMEM_RAM)
			continue;
		end = bi->mem[i].base + bi->mem[i].size;
		for (pa = bi->mem[i].base & ~0x1ffffful; pa < end; pa += 0x200000)
			map_direct(pa);
		if (bi->max_pfn < end >> PAGE_SHIFT)
			bi->max_pfn = end >> PAGE_SHIFT;
	}
	map_image(__text_start, __text_end, 0);
	map_image(__rodata_start, __rodata_end, nx);
	map_image(__data_start, __kernel_end, PTE_W | nx);
	map_kernel(APIC_WINDOW, APIC_PHYS, PTE_W | PTE_UNCACHED | nx, PTE_U, false);
	map_kernel(L4_STUB_BASE, kernel_virt_to_phys(stub_page), PTE_U, PTE_U, false);
	write_cr3(pml4);
	identity_mapped = false;
	kernel_pml4 = phys_to_virt(pml4);
}
