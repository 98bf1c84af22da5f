/* SPDX-License-Identifier: BSD-2-Clause
 * Checksums of blocks: XXH3-64 from the packaged, header-only xxhash. This is the only file that includes
 * it; a freestanding build finds the headers it asks for in freestanding/.
 */
#include "store_priv.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t store_sum(const void *block)
{
	return XXH3_64bits(block, FMT_BLOCK);
}

bool store_is_zero(const void *block)
{
	const uint64_t *w = block;

	for (unsigned i = 0; i < FMT_BLOCK / 8; i += 8)
		if (w[i] | w[i + 1] | w[i + 2] | w[i + 3] | w[i + 4] | w[i + 5] | w[i + 6] | w[i + 7])
			return false;
	return true;
}
