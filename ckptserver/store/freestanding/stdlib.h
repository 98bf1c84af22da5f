/* SPDX-License-Identifier: BSD-2-Clause
 * Only for xxhash.h (and the compiler's intrinsics headers) in a freestanding build: they declare functions
 * around an allocator that the store never calls.
 */
#ifndef STORE_FREESTANDING_STDLIB_H
#define STORE_FREESTANDING_STDLIB_H
#include <stddef.h>
static inline void *malloc(size_t bytes) { (void)bytes; return 0; }
static inline void free(void *p) { (void)p; }
static inline int posix_memalign(void **p, size_t align, size_t bytes)
{
	(void)p, (void)align, (void)bytes;
	return 12;
}
#endif
