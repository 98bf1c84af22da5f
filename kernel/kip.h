/* SPDX-License-Identifier: BSD-2-Clause
 * The kernel interface page (X.2 1.1).
 */
#ifndef KERNEL_KIP_H
#define KERNEL_KIP_H

#include "kernel/types.h"

struct bootinfo;

void kip_init(const struct bootinfo *bi);
/* Direct-map address of the page. */
const void *kip_page(void);
/* The root client's store: [0, pages), and the boot archive in it. Each set once, before activation. */
void kip_set_store(u64 pages);
void kip_set_archive(vaddr_t at, u64 size);
void kip_set_boot(u64 boot_counter, u64 entropy);
void kip_set_generation(u64 generation);

#endif
