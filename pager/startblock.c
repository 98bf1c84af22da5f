/* SPDX-License-Identifier: BSD-2-Clause
 * From the top down: the strings; then, at an address divisible by 16, argc, the pointers and the null words.
 */
#include "startblock.h"

#include <l4/string.h>

#define PAGE            4096U
#define EXTRA_WORDS     5       /* argc, end of argv, end of environment, two of the auxiliary vector */

uint64_t startblock_build(uint8_t *page, uint64_t top, const char *strings, size_t length, unsigned argc)
{
	size_t words = (argc + EXTRA_WORDS) * sizeof(uint64_t), at = 0, text, block;
	uint64_t *word;

	if (length > PAGE / 2 || words > PAGE / 4)
		return 0;
	text = PAGE - length;
	block = (text - words) & ~(size_t)15;
	memcpy(page + text, strings, length);
	word = (uint64_t *)(page + block);
	*word++ = argc;
	for (unsigned i = 0; i < argc; i++) {
		const char *end = at < length ? memchr(strings + at, 0, length - at) : NULL;

		if (!end)
			return 0;
		*word++ = top - PAGE + text + at;
		at = (size_t)(end - strings) + 1;
	}
	return top - PAGE + block;
}
