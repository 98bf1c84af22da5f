/* SPDX-License-Identifier: BSD-2-Clause
 * The three functions the store needs from whoever links it. The compiler may expand them in place, which
 * -ffreestanding alone forbids: checksums would otherwise call memcpy for every eight bytes.
 */
#ifndef STORE_FREESTANDING_STRING_H
#define STORE_FREESTANDING_STRING_H
#include <stddef.h>
void *memcpy(void *to, const void *from, size_t bytes);
void *memset(void *to, int byte, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
int memcmp(const void *a, const void *b, size_t bytes);
#define memcpy(to, from, bytes)  __builtin_memcpy(to, from, bytes)
#define memset(to, byte, bytes)  __builtin_memset(to, byte, bytes)
#define memmove(to, from, bytes) __builtin_memmove(to, from, bytes)
#define memcmp(a, b, bytes)      __builtin_memcmp(a, b, bytes)
#endif
