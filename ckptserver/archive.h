/* SPDX-License-Identifier: BSD-2-Clause
 * The boot archive (ustar) and the programs in it (ELF64). Both are checked as hostile input.
 */
#ifndef CKPT_ARCHIVE_H
#define CKPT_ARCHIVE_H

#include <stdbool.h>
#include <stdint.h>

/* The file with that name in the archive, or NULL. *size: its bytes. Pure. */
const void *archive_find(const void *archive, uint64_t bytes, const char *name, uint64_t *size);

/* A part of a program's memory: data[0 .. file_bytes) at address, zeros up to mem_bytes. */
struct elf_segment {
	uint64_t address, file_bytes, mem_bytes;
	const void *data;
};

/* Calls load for each loadable segment. Returns the entry address, 0: not a program that can run here, or
 * load refused a segment. Nothing of a bad image is loaded. Pure. */
uint64_t elf_load(const void *image, uint64_t bytes, bool (*load)(void *ctx, const struct elf_segment *s), void *ctx);

#endif
