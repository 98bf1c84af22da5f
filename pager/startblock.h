/* SPDX-License-Identifier: BSD-2-Clause
 * The start block at the top of a task's stack: argc, argv, empty environment and auxiliary vector, in the System V
 * form (l4/task.h). Pure.
 */
#ifndef PAGER_STARTBLOCK_H
#define PAGER_STARTBLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Build it in the last page of a stack. page: that page, zeroed, 4096 bytes; top: the stack's end in the task; strings:
 * argc strings one after another, each with its NUL, length bytes in all. Returns the stack pointer for the task's
 * first instruction, or 0: there are fewer strings than argc, or they do not fit. */
uint64_t startblock_build(uint8_t *page, uint64_t top, const char *strings, size_t length, unsigned argc);

#endif
