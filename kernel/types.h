/* SPDX-License-Identifier: BSD-2-Clause
 * Scalars with a meaning, and the few macros every kernel file wants. Physical and virtual addresses and frame
 * numbers have names of their own, so that a signature says which it takes.
 */
#ifndef KERNEL_TYPES_H
#define KERNEL_TYPES_H

#include <stdbool.h>
#include <stddef.h>

typedef unsigned char  u8;
typedef unsigned short u16;
typedef unsigned int   u32;
typedef unsigned long  u64;

typedef unsigned long word_t;           /* a machine word, as X.2 uses it */
typedef unsigned long paddr_t;          /* physical address, bytes */
typedef unsigned long vaddr_t;          /* virtual address, bytes */
typedef unsigned long pfn_t;            /* physical page number: paddr >> 12 */
typedef unsigned long tid_t;            /* X.2 thread id: number << 32 | version */

_Static_assert(sizeof(u64) == 8 && sizeof(u32) == 4 && sizeof(word_t) == 8, "LP64 expected");

#define PAGE_SHIFT      12
#define PAGE_SIZE       (1UL << PAGE_SHIFT)
#define PAGE_MASK       (PAGE_SIZE - 1)
#define USER_END        0x0000800000000000UL    /* first address that is not a user's */

#define ARRAY_SIZE(a)   (sizeof(a) / sizeof((a)[0]))
#define likely(x)       __builtin_expect(!!(x), 1)
#define unlikely(x)     __builtin_expect(!!(x), 0)
#define always_inline   inline __attribute__((always_inline))       /* a hot path's helper with several callers */
#define rare            __attribute__((noinline, cold))         /* kept out of the path it is called from */

#endif
