/* SPDX-License-Identifier: BSD-2-Clause
 * ustar: 512-byte headers, each followed by the file's bytes padded to 512. Numbers are octal text; two
 * zero blocks end the archive. Every length is checked against the bytes left before it is used.
 */
#include "archive.h"

#include <l4/string.h>

#define BLOCK           512
#define NAME_OFS        0
#define NAME_LEN        100
#define SIZE_OFS        124
#define SIZE_LEN        12
#define SUM_OFS         148
#define SUM_LEN         8
#define TYPE_OFS        156
#define MAGIC_OFS       257
#define PREFIX_OFS      345
#define PREFIX_LEN      155

static int octal_parse(const uint8_t *text, size_t length, uint64_t *value)
{
	uint64_t v = 0;
	size_t i = 0;
	int digits = 0;

	while (i < length && text[i] == ' ')
		i++;
	for (; i < length && text[i] >= '0' && text[i] <= '7'; i++, digits++)
		v = v << 3 | (uint64_t)(text[i] - '0');         /* 12 digits at most: no overflow */
	if (i < length && text[i] != ' ' && text[i] != 0)
		return 0;
	*value = v;
	return digits > 0;
}

static int header_sum_good(const uint8_t *header)
{
	uint64_t sum = 0, want;

	for (size_t i = 0; i < BLOCK; i++)
		sum += (i >= SUM_OFS && i < SUM_OFS + SUM_LEN) ? ' ' : header[i];
	return octal_parse(header + SUM_OFS, SUM_LEN, &want) && want == sum;
}

static size_t field_copy(char *to, const uint8_t *field, size_t length)
{
	size_t n = 0;

	while (n < length && field[n]) {
		to[n] = (char)field[n];
		n++;
	}
	to[n] = 0;
	return n;
}

static void name_copy(char *name, const uint8_t *header)
{
	char whole[PREFIX_LEN + 1 + NAME_LEN + 1];
	size_t n = field_copy(whole, header + PREFIX_OFS, PREFIX_LEN);
	const char *from = whole;

	if (n)
		whole[n++] = '/';
	field_copy(whole + n, header + NAME_OFS, NAME_LEN);
	while (from[0] == '.' && from[1] == '/')
		from += 2;
	memcpy(name, from, strlen(from) + 1);   /* the field holds the longest ustar name */
}

static int block_is_zero(const uint8_t *block)
{
	for (size_t i = 0; i < BLOCK; i++)
		if (block[i])
			return 0;
	return 1;
}

int archive_next(const uint8_t *archive, size_t size, size_t *offset, struct archive_file *file)
{
	_Static_assert(PREFIX_LEN + 1 + NAME_LEN + 1 <= sizeof file->name, "ustar names fit");

	while (*offset <= size && size - *offset >= BLOCK) {
		const uint8_t *header = archive + *offset;
		uint64_t length, padded;

		if (block_is_zero(header))
			return 0;
		if (memcmp(header + MAGIC_OFS, "ustar", 5) || !header_sum_good(header))
			return -1;
		if (!octal_parse(header + SIZE_OFS, SIZE_LEN, &length))
			return -1;
		padded = (length + BLOCK - 1) & ~(uint64_t)(BLOCK - 1);
		if (length > size - *offset - BLOCK)
			return -1;
		/* The padding of the last file may be missing. */
		if (padded > size - *offset - BLOCK)
			padded = size - *offset - BLOCK;
		*offset += BLOCK + padded;
		if (header[TYPE_OFS] != '0' && header[TYPE_OFS] != 0)
			continue;
		name_copy(file->name, header);
		file->data = header + BLOCK;
		file->size = length;
		return 1;
	}
	return 0;
}

int archive_find(const uint8_t *archive, size_t size, const char *name, struct archive_file *file)
{
	size_t offset = 0;

	while (archive_next(archive, size, &offset, file) == 1)
		if (!strcmp(file->name, name))
			return 1;
	return 0;
}
