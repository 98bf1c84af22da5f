/* SPDX-License-Identifier: BSD-2-Clause
 * Checksums of blocks: XXH3-64 from the packaged, header-only xxhash. A freestanding build finds the headers it
 * asks for in freestanding/. Here in the form for every processor; sum_avx2.c has the one for those with AVX2
 * (1,400 instructions for a block instead of 2,300). Both give the same sums.
 */
#include "store_priv.h"

/* At -O2 gcc leaves the innermost loop rolled, which costs 1,800 instructions more. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3")
#endif

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t sum_plain(const void *block)
{
	return XXH3_64bits(block, FMT_BLOCK);
}

uint64_t store_sum(const void *block)
{
	static enum { UNKNOWN, PLAIN, AVX2 } form;

	if (form == UNKNOWN)
		form = sum_avx2_usable() ? AVX2 : PLAIN;
	return form == AVX2 ? sum_avx2(block) : sum_plain(block);
}

bool store_is_zero(const void *block)
{
	const uint64_t *w = block;

	for (unsigned i = 0; i < FMT_BLOCK / 8; i += 8)
		if (w[i] | w[i + 1] | w[i + 2] | w[i + 3] | w[i + 4] | w[i + 5] | w[i + 6] | w[i + 7])
			return false;
	return true;
}
