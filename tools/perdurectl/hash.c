/* SPDX-License-Identifier: BSD-2-Clause
 * xxhash, kept in one file: its code is inlined, and the compiler judges each size it is inlined with.
 */
#include "hash.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "tool.h"

struct hash {
	XXH3_state_t state;
};

uint64_t hash_of(const void *data, size_t bytes)
{
	return XXH3_64bits(data, bytes);
}

struct hash *hash_begin(void)
{
	struct hash *h = aligned_alloc(64, (sizeof *h + 63) & ~(size_t)63);

	if (!h)
		exit(tool_fail(TOOL_IO, "not enough memory"));
	XXH3_64bits_reset(&h->state);
	return h;
}

void hash_add(struct hash *h, const void *data, size_t bytes)
{
	XXH3_64bits_update(&h->state, data, bytes);
}

uint64_t hash_now(const struct hash *h)
{
	return XXH3_64bits_digest(&h->state);
}

void hash_end(struct hash *h)
{
	free(h);
}
