/* SPDX-License-Identifier: BSD-2-Clause
 * Memory where the checkpoint server's window on RAM is, for tests that link its page tables.
 */
#ifndef HOST_TEST_RAM_H
#define HOST_TEST_RAM_H

#include <stdint.h>
#include <sys/mman.h>

#include <l4/bootinfo.h>

#define RAM_BASE        0x100000000ul   /* address sanitizer's shadow lies below it in the window */

/* RAM of so many bytes from RAM_BASE; all of it is free. 0, or -1: there is no room for it here. */
static inline int ram_map(struct bootinfo *bi, uint64_t bytes)
{
	void *at = (void *)(SIGMA0_PHYS_BASE + RAM_BASE);

	if (mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != at)
		return -1;
	bi->max_pfn = (RAM_BASE + bytes) >> 12;
	bi->free_count = 1;
	bi->free[0] = (struct bootinfo_range){ RAM_BASE, bytes };
	return 0;
}

#endif
