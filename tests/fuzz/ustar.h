/* SPDX-License-Identifier: BSD-2-Clause
 * Puts the checksums of an archive's headers right: every 512 bytes that look like one.
 */
#ifndef FUZZ_USTAR_H
#define FUZZ_USTAR_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static inline void ustar_put_right(uint8_t *archive, size_t size)
{
	for (size_t at = 0; at + 512 <= size; at += 512) {
		uint8_t *h = archive + at;
		unsigned sum = 0;
		char text[8];

		if (memcmp(h + 257, "ustar", 5))
			continue;
		memset(h + 148, ' ', 8);
		for (unsigned i = 0; i < 512; i++)
			sum += h[i];
		snprintf(text, sizeof(text), "%06o", sum);
		memcpy(h + 148, text, 7);
	}
}

#endif
