/* SPDX-License-Identifier: BSD-2-Clause
 * Finding the checkpoint partition in a GUID partition table (UEFI specification, chapter 5).
 *
 * The table is hostile input: every length and address is checked against the disk before use.
 * The backup table at the disk's end is used when the primary one is damaged. Nothing is written.
 */
#ifndef CKPT_GPT_H
#define CKPT_GPT_H

#include <stdint.h>

#define GPT_SECTOR      512

enum {
	GPT_OK = 0,
	GPT_NONE = -1,          /* no GUID partition table, neither primary nor backup */
	GPT_DAMAGED = -2,       /* there are headers, but none is intact */
	GPT_NO_PARTITION = -3,  /* an intact table without a partition of that type */
	GPT_IO = -4,            /* the disk could not be read */
};

struct gpt_partition {
	uint64_t first, last;   /* sectors, inclusive */
	int      from_backup;   /* the primary table was damaged */
};

/* Where the sectors come from: reads one sector into buf; 0 on success. */
struct gpt_source {
	int    (*read)(void *ctx, uint64_t sector, void *buf);
	void    *ctx;
	uint64_t sectors;       /* size of the disk */
};

/* Type 50455244-5552-4500-8c4b-3a0e5f1d7c21 as it stands on disk. */
extern const uint8_t gpt_checkpoint_type[16];

/* Finds the first partition with the given type. Returns GPT_*. May wait for the disk. */
int gpt_find(const struct gpt_source *src, const uint8_t type[16], struct gpt_partition *out);

/* CRC-32 as the GPT uses it; start with crc = 0 and pass the result on for the next piece. */
uint32_t gpt_crc32(uint32_t crc, const void *data, unsigned long len);

#endif
