/* SPDX-License-Identifier: BSD-2-Clause
 * GUID partition table reader. Pure: it sees the disk through struct gpt_source only, so the host
 * tests feed it images, damaged ones too.
 *
 * Order: protective MBR is not looked at; header at sector 1; if that or its entry array is not
 * intact, header at the last sector. An entry array is checksummed as a whole before any entry of
 * it is believed, hence two passes over it.
 */
#include "gpt.h"

#define GPT_MAX_ENTRIES         4096
#define GPT_MAX_ENTRY_SIZE      4096

const uint8_t gpt_checkpoint_type[16] = {
	0x44, 0x52, 0x45, 0x50, 0x52, 0x55, 0x00, 0x45,
	0x8c, 0x4b, 0x3a, 0x0e, 0x5f, 0x1d, 0x7c, 0x21,
};

struct gpt_header {             /* the fields used, in host form */
	uint64_t first_usable, last_usable;
	uint64_t array_sector;
	uint32_t entries, entry_size, array_crc;
};

static uint32_t get32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t get64(const uint8_t *p)
{
	return get32(p) | (uint64_t)get32(p + 4) << 32;
}

uint32_t gpt_crc32(uint32_t crc, const void *data, unsigned long len)
{
	/* Four bits at a time: small, and the table is read once per boot. */
	static const uint32_t nibble[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
		0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
		0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};
	const uint8_t *p = data;

	crc = ~crc;
	while (len--) {
		crc = nibble[(crc ^ *p) & 15] ^ crc >> 4;
		crc = nibble[(crc ^ (uint32_t)(*p >> 4)) & 15] ^ crc >> 4;
		p++;
	}
	return ~crc;
}

static int same_guid(const uint8_t *a, const uint8_t *b)
{
	for (int i = 0; i < 16; i++)
		if (a[i] != b[i])
			return 0;
	return 1;
}

/* Field checks of a header whose sector has been read. GPT_NONE if it is no header at all. */
static int header_check(uint8_t *s, uint64_t at, uint64_t sectors, struct gpt_header *h)
{
	static const uint8_t signature[8] = { 'E', 'F', 'I', ' ', 'P', 'A', 'R', 'T' };
	uint32_t size = get32(s + 12), crc = get32(s + 16);
	uint64_t array_sectors;

	for (int i = 0; i < 8; i++)
		if (s[i] != signature[i])
			return GPT_NONE;
	if (size < 92 || size > GPT_SECTOR)
		return GPT_DAMAGED;
	s[16] = s[17] = s[18] = s[19] = 0;
	if (gpt_crc32(0, s, size) != crc || get64(s + 24) != at)
		return GPT_DAMAGED;
	h->first_usable = get64(s + 40);
	h->last_usable = get64(s + 48);
	h->array_sector = get64(s + 72);
	h->entries = get32(s + 80);
	h->entry_size = get32(s + 84);
	h->array_crc = get32(s + 88);
	if (h->entry_size < 128 || h->entry_size > GPT_MAX_ENTRY_SIZE ||
	    (h->entry_size & (h->entry_size - 1)) || h->entries > GPT_MAX_ENTRIES)
		return GPT_DAMAGED;
	array_sectors = ((uint64_t)h->entries * h->entry_size + GPT_SECTOR - 1) / GPT_SECTOR;
	if (h->array_sector < 2 || h->array_sector >= sectors ||
	    array_sectors > sectors - h->array_sector)
		return GPT_DAMAGED;
	if (h->first_usable > h->last_usable || h->last_usable >= sectors)
		return GPT_DAMAGED;
	return GPT_OK;
}

/* Checksum of the entry array. */
static __attribute__((noinline)) int array_check(const struct gpt_source *src, const struct gpt_header *h)
{
	uint64_t left = (uint64_t)h->entries * h->entry_size, sector = h->array_sector;
	uint8_t s[GPT_SECTOR];
	uint32_t crc = 0;

	while (left) {
		unsigned long n = left < GPT_SECTOR ? left : GPT_SECTOR;

		if (src->read(src->ctx, sector++, s))
			return GPT_IO;
		crc = gpt_crc32(crc, s, n);
		left -= n;
	}
	return crc == h->array_crc ? GPT_OK : GPT_DAMAGED;
}

static __attribute__((noinline)) int array_search(const struct gpt_source *src, const struct gpt_header *h,
			const uint8_t type[16], struct gpt_partition *out)
{
	uint8_t s[GPT_SECTOR];
	uint64_t have = 0;

	for (uint64_t i = 0; i < h->entries; i++) {
		uint64_t byte = i * h->entry_size, sector = h->array_sector + byte / GPT_SECTOR;
		const uint8_t *e = s + byte % GPT_SECTOR;

		if (sector != have && src->read(src->ctx, sector, s))
			return GPT_IO;
		have = sector;
		if (!same_guid(e, type))
			continue;
		out->first = get64(e + 32);
		out->last = get64(e + 40);
		if (out->first > out->last || out->first < h->first_usable ||
		    out->last > h->last_usable)
			return GPT_DAMAGED;
		return GPT_OK;
	}
	return GPT_NO_PARTITION;
}

/* Not inlined twice over: each level has a sector on the stack. */
static __attribute__((noinline)) int table_find(const struct gpt_source *src, uint64_t at, const uint8_t type[16],
		      struct gpt_partition *out)
{
	uint8_t s[GPT_SECTOR];
	struct gpt_header h;
	int r;

	if (src->read(src->ctx, at, s))
		return GPT_IO;
	r = header_check(s, at, src->sectors, &h);
	if (r == GPT_OK)
		r = array_check(src, &h);
	if (r == GPT_OK)
		r = array_search(src, &h, type, out);
	return r;
}

int gpt_find(const struct gpt_source *src, const uint8_t type[16], struct gpt_partition *out)
{
	int primary, backup;

	if (src->sectors < 4)
		return GPT_NONE;
	out->from_backup = 0;
	primary = table_find(src, 1, type, out);
	if (primary == GPT_OK || primary == GPT_NO_PARTITION)
		return primary;
	out->from_backup = 1;
	backup = table_find(src, src->sectors - 1, type, out);
	if (backup == GPT_OK || backup == GPT_NO_PARTITION)
		return backup;
	if (primary == GPT_NONE && backup == GPT_NONE)
		return GPT_NONE;
	return primary == GPT_IO && backup == GPT_IO ? GPT_IO : GPT_DAMAGED;
}
