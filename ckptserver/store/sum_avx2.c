/* SPDX-License-Identifier: BSD-2-Clause
 * Checksums of blocks, for processors with AVX2. Only sum.c calls this, after asking whether it may. On other
 * architectures, and with compilers that do not take the pragma, it is the plain form once more.
 */
#include "store_priv.h"

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__)
#pragma GCC optimize("O3")
#pragma GCC target("avx2")
#endif

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t sum_avx2(const void *block)
{
	return XXH3_64bits(block, FMT_BLOCK);
}

#if defined(__x86_64__)
#include <cpuid.h>

/* The processor must have it, and the kernel must have enabled its registers (XCR0: SSE and AVX state). */
bool sum_avx2_usable(void)
{
	unsigned a, b, c, d, xcr0, high;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_AVX))
		return false;
	if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & bit_AVX2))
		return false;
	__asm__ volatile("xgetbv" : "=a"(xcr0), "=d"(high) : "c"(0));
	return (xcr0 & 6) == 6;
}
#else
bool sum_avx2_usable(void)
{
	return false;
}
#endif
