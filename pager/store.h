/* SPDX-License-Identifier: BSD-2-Clause
 * The single-level store as the pager sees it: its own address space, as the kernel interface page describes
 * it. What is not the pager's own image, the archive or reserved goes to the page allocator, whose
 * page numbers are virtual page numbers.
 */
#ifndef PAGER_STORE_H
#define PAGER_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "mem.h"

extern struct mem store_mem;

/* Once. 0: the KIP describes no memory that can be used. */
int store_init(void);

/* Where the boot archive stands; *size 0: there is none. */
const uint8_t *store_archive(size_t *size);

/* Revoke all mappings that others have of these pages; their content stays. */
void store_revoke(uint32_t first, uint32_t count);

#endif
