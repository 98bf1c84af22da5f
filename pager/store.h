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
/* Pages that the checkpoint server does not save: zero after each recovery. Page 0 is page volatile_first of the
 * store. */
extern struct mem volatile_mem;
extern uint32_t volatile_first;

/* Once. 0: the KIP describes no memory that can be used. */
int store_init(void);

/* Set volatile_mem up, after store_init. 0: there is no such memory here (another sigma0, or no room). */
int store_init_volatile(void);

/* Where the boot archive stands; *size 0: there is none. */
const uint8_t *store_archive(size_t *size);

/* Revoke all mappings that others have of these pages; their content stays. */
void store_revoke(uint32_t first, uint32_t count);

#endif
