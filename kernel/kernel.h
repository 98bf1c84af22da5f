/* SPDX-License-Identifier: BSD-2-Clause
 * Small services that every kernel file may use: printing, assertions, memory at start-up.
 */
#ifndef KERNEL_KERNEL_H
#define KERNEL_KERNEL_H

#include "kernel/types.h"

/* Log line. Formats: %s %c %d %u %x %p with l, widths and 0. Never blocks for long (polled serial port). */
void printk(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_char(char c);

/* A bug of the kernel's own: prints "[panic] file:line: text" and the state, and stops the machine; with the option
 * panic=reboot it reboots, and recovers from the last checkpoint. */
_Noreturn void panic_at(const char *file, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* A residual server (ckptserver, a driver) has failed: says why and reboots the machine, which recovers (with panic.exit: ends the emulator). */
_Noreturn void residual_crash(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
#define panic(...)      panic_at(__FILE__, __LINE__, __VA_ARGS__)
#define ASSERT(x)       do { if (unlikely(!(x))) panic("assertion failed: %s", #x); } while (0)
#if DEBUG
#define DEBUG_ASSERT(x) ASSERT(x)
#else
#define DEBUG_ASSERT(x) ((void)sizeof(!(x)))
#endif

void *memset(void *p, int c, size_t n);
void *memcpy(void *to, const void *from, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strncmp(const char *a, const char *b, size_t n);

/* Value of NAME=value on the kernel command line, or NULL. The value ends at a blank or the end. */
const char *option(const char *name);

/* Kernel pool (pool.c): never given back except through the caller's own free lists. NULL when used up. */
void *pool_alloc(size_t bytes);
u64 pool_left(void);

#endif
