/* SPDX-License-Identifier: BSD-2-Clause
 * Who owns which physical memory: kernel, ckptserver, devices. Decided once at start-up.
 */
#ifndef KERNEL_MEMORY_H
#define KERNEL_MEMORY_H

#include "kernel/types.h"

struct bootinfo;
struct space;

/* Frame table, pools, mapping database; afterwards boot_alloc must not be used except by memory_load. */
void memory_init(struct bootinfo *bi);
/* What is left becomes ckptserver's: fills bi->free, sets those frames' tags to 0, maps ckptserver's window. */
void memory_hand_over(struct bootinfo *bi, struct space *sigma0);

/* Is it RAM (anybody's)? */
bool ram_page(pfn_t pfn);
/* May ckptserver give this frame to a client: store memory, or residual memory it declared? */
bool store_page(pfn_t pfn);

/* A zeroed page of the kernel's pool, for resident objects; 0: none left. */
paddr_t kernel_page_alloc(void);

#endif
