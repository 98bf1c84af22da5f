/* SPDX-License-Identifier: BSD-2-Clause
 * Fuzzer: GUID partition tables. Input: a byte of flags, then the first sectors of the disk, then its last ones. Flag 1: checksums
 * are put right before, as far as the header says where they belong.
 */
#include <stdlib.h>
#include <string.h>

#include "ckptserver/gpt.h"

#define SECTORS         256u
#define SECTOR          512u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t disk[SECTORS * SECTOR];

static int read_sector(void *ctx, uint64_t sector, void *buf)
{
	(void)ctx;
	if (sector >= SECTORS)
		abort();
	memcpy(buf, disk + sector * SECTOR, SECTOR);
	return 0;
}

static void put_right(uint8_t *header)
{
	uint32_t length, count, bytes, crc;
	uint64_t array;

	memcpy(&length, header + 12, 4);
	memcpy(&array, header + 72, 8);
	memcpy(&count, header + 80, 4);
	memcpy(&bytes, header + 84, 4);
	if (array < SECTORS && (uint64_t)count * bytes <= sizeof(disk) - array * SECTOR) {
		crc = gpt_crc32(0, disk + array * SECTOR, (unsigned long)count * bytes);
		memcpy(header + 88, &crc, 4);
	}
	memset(header + 16, 0, 4);
	crc = gpt_crc32(0, header, length <= SECTOR ? length : SECTOR);
	memcpy(header + 16, &crc, 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct gpt_source source = { read_sector, NULL, SECTORS };
	struct gpt_partition found;
	size_t front;

	if (!size || size - 1 > sizeof(disk))
		return 0;
	memset(disk, 0, sizeof(disk));
	front = (size - 1) / 2;
	if (data[0] & 2)
		front = size - 1;
	memcpy(disk, data + 1, front);
	memcpy(disk + sizeof(disk) - (size - 1 - front), data + 1 + front, size - 1 - front);
	if (data[0] & 1) {
		put_right(disk + SECTOR);
		put_right(disk + sizeof(disk) - SECTOR);
	}
	if (gpt_find(&source, gpt_checkpoint_type, &found) == GPT_OK && (found.first > found.last || found.last >= SECTORS))
		abort();
	return 0;
}
