/* SPDX-License-Identifier: BSD-2-Clause
 * Reader of ELF64 executables. Pure: judges the bytes of a file, copies nothing, trusts nothing. What it accepts
 * can be loaded page by page without another check.
 */
#ifndef PAGER_ELFIMAGE_H
#define PAGER_ELFIMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "limits.h"

struct elf_segment {
	uint64_t start;         /* virtual address of its first page, page-aligned */
	uint64_t pages;
	uint64_t skew;          /* bytes of the first page before the file's bytes, < 4096 */
	uint64_t offset;        /* of its bytes in the file */
	uint64_t bytes;         /* taken from the file; the rest is zero */
	unsigned rights;        /* L4_RIGHT_* */
};

struct elf_image {
	uint64_t entry;
	unsigned count;
	struct elf_segment segment[LIMIT_SEGMENTS];     /* ascending, no two share a page */
};

/* Errors, each a reason that can be printed. */
enum elf_error {
	ELF_OK = 0,
	ELF_SHORT = -1,         /* the file ends before its headers do */
	ELF_NOT_ELF = -2,       /* no ELF64, little-endian, x86-64, static executable */
	ELF_SEGMENTS = -3,      /* none, too many, or program headers of an unknown size */
	ELF_BYTES = -4,         /* a segment's bytes are not in the file, or more than its memory */
	ELF_ADDRESS = -5,       /* a segment outside the addresses a program may use */
	ELF_OVERLAP = -6,       /* segments not ascending, or two share a page */
	ELF_ENTRY = -7,         /* the entry point is in no executable segment */
};

/* Judge a file; *image is valid only after ELF_OK. low, high: virtual addresses a segment may occupy,
 * page-aligned. */
enum elf_error elf_parse(const uint8_t *file, size_t size, uint64_t low, uint64_t high, struct elf_image *image);

const char *elf_reason(enum elf_error error);

#endif
