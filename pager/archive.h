/* SPDX-License-Identifier: BSD-2-Clause
 * Reader of ustar archives in memory. Pure: touches nothing but the bytes it is given, trusts none of
 * them. An archive that is cut short or malformed ends there; what stands before it is usable.
 */
#ifndef PAGER_ARCHIVE_H
#define PAGER_ARCHIVE_H

#include <stddef.h>
#include <stdint.h>

struct archive_file {
	char name[260];         /* without leading "./"; NUL-terminated */
	const uint8_t *data;
	size_t size;
};

/* The next regular file at or after *offset (begin with 0); *offset moves behind it. Directories, links and
 * extended headers are skipped. Returns 1 if there was one, 0 at the end, -1 if the archive is malformed at
 * *offset (checksum, a number that is no number, a size beyond the end). */
int archive_next(const uint8_t *archive, size_t size, size_t *offset, struct archive_file *file);

/* Find a file by its exact name. 1 or 0. */
int archive_find(const uint8_t *archive, size_t size, const char *name, struct archive_file *file);

#endif
