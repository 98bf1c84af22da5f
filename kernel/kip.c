/* SPDX-License-Identifier: BSD-2-Clause
 * See kip.h. The page is shared by all spaces, read-only. Its memory descriptors describe what a root task may ask its pager
 * for: its store, the boot archive in it, and nothing of physical memory.
 */
#include "kernel/kip.h"
#include "kernel/kernel.h"
#include "kernel/arch.h"
#include "kernel/frame.h"
#include <l4/abi.h>
#include <l4/bootinfo.h>

#define KERNDESC_OFFSET 0x300
#define PROCDESC_OFFSET 0x280
#define MEMDESC_OFFSET  0x400
#define MEMDESC_MAX     8

#define MEM_CONVENTIONAL 1ul
#define MEM_BOOTLOADER  0xeul
#define MEM_VIRTUAL     (1ul << 9)

static u8 kip[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static const void *kip_direct;
static u32 memdescs;

static void set(u32 offset, u64 value)
{
	memcpy(kip + offset, &value, sizeof value);
}

static void add_memory(u64 type, u64 low, u64 size)
{
	u32 at = MEMDESC_OFFSET + 16 * memdescs;

	ASSERT(memdescs < MEMDESC_MAX);
	set(at, (low & ~0x3fful) | type);
	set(at + 8, (low + size - 1) & ~0x3fful);
	memdescs++;
	set(L4_KIP_MEMORY_INFO, (u64)MEMDESC_OFFSET << 32 | memdescs);
}

void kip_init(const struct bootinfo *bi)
{
	static const char version[] = "Perdure - L4 X.2\0perdure";
	u32 i;

	set(L4_KIP_MAGIC_OFS, L4_KIP_MAGIC);
	set(L4_KIP_API_VERSION, L4_API_VERSION);
	set(L4_KIP_API_FLAGS, L4_API_FLAGS);
	set(L4_KIP_KERNDESC_PTR, KERNDESC_OFFSET);
	set(KERNDESC_OFFSET, L4_KERNEL_ID);
	set(KERNDESC_OFFSET + 16, 1ul << 24);
	memcpy(kip + KERNDESC_OFFSET + 24, "PERD", 4);
	memcpy(kip + KERNDESC_OFFSET + 32, version, sizeof version);
	set(L4_KIP_MEMORY_INFO, (u64)MEMDESC_OFFSET << 32);
	set(L4_KIP_UTCB_INFO, 12ul << 16 | 12ul << 10 | 1);
	set(L4_KIP_KIP_INFO, 12);
	set(L4_KIP_BOOT_INFO, 0);
	set(L4_KIP_PROCDESC_PTR, PROCDESC_OFFSET);
	set(PROCDESC_OFFSET, tsc_hz / 1000);
	set(PROCDESC_OFFSET + 8, tsc_hz / 1000);
	set(L4_KIP_CLOCK_INFO, 1ul << 16 | 1);
	set(L4_KIP_THREAD_INFO, (u64)L4_USER_BASE << 20 | (u64)L4_SYSTEM_BASE << 8 | L4_THREAD_BITS);
	set(L4_KIP_PAGE_INFO, 0x1000ul | 7);
	set(L4_KIP_PROCESSOR_INFO, 5ul << 60);
	for (i = 0; i < 11; i++)
		set(L4_KIP_SYSCALLS + 8 * i, L4_STUB_BASE + ((u64)i << L4_STUB_BITS));
	for (; i < L4_SYS_COUNT; i++)
		set(L4_KIP_ARCH_SYSCALLS + 8 * (i - 11), L4_STUB_BASE + ((u64)i << L4_STUB_BITS));
	(void)bi;
	kip_direct = phys_to_virt(kernel_virt_to_phys(kip));
}

const void *kip_page(void)
{
	return kip_direct;
}

void kip_set_store(u64 pages)
{
	/* The store is both: what sigma0 gives out, as X.2 root tasks look for it, and an address range. */
	add_memory(MEM_CONVENTIONAL, 0, pages << PAGE_SHIFT);
	add_memory(MEM_CONVENTIONAL | MEM_VIRTUAL, 0, pages << PAGE_SHIFT);
}

void kip_set_archive(vaddr_t at, u64 size)
{
	add_memory(MEM_BOOTLOADER | MEM_VIRTUAL, at, size);
}

void kip_set_boot(u64 boot_counter, u64 entropy)
{
	set(0x1f8, boot_counter);
	set(0x200, entropy);
}

void kip_set_generation(u64 generation)
{
	set(0x208, generation);
}
