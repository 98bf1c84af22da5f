/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The little of ELF64 that loading the kernel takes.
 */
#pragma once
#include <stdint.h>
#include <stddef.h>

#define KERNEL_SEGMENTS_MAX	8

struct kernel_segment {
	uint64_t phys;		/* where it is loaded */
	uint64_t memory;	/* bytes there; what the file does not fill is zero */
	const unsigned char *data;
	uint64_t size;		/* bytes in the file */
};

struct kernel_image {
	uint64_t entry;		/* physical, 64-bit code */
	uint64_t start, end;	/* of all segments, page-aligned */
	unsigned int count;
	struct kernel_segment segment[KERNEL_SEGMENTS_MAX];
};

/* Reads the headers of the size bytes at file; every offset is checked. Fills *k and returns NULL, or the reason why this is no
 * kernel. k points into the file. */
const char *kernel_image_read(struct kernel_image *k, const unsigned char *file, size_t size);
