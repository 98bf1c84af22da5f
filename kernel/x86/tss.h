/* SPDX-License-Identifier: BSD-2-Clause
 * Task state segment: where traps begin their frame, and who may use I/O ports.
 */
#ifndef X86_TSS_H
#define X86_TSS_H

#include <stddef.h>
#include "kernel/types.h"

struct tss {
	u32 reserved0;
	u64 rsp[3];
	u64 reserved1;
	u64 ist[7];
	u64 reserved2;
	u16 reserved3;
	u16 io_base;
	u8 io_map[8193];                /* all zero: every port allowed, when io_base points here */
} __attribute__((packed));
_Static_assert(offsetof(struct tss, io_map) == 104, "hardware layout");

extern struct tss tss;

#define TSS_IO_ALLOWED  offsetof(struct tss, io_map)
#define TSS_IO_DENIED   0xffff

#endif
