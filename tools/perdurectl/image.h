/* SPDX-License-Identifier: BSD-2-Clause
 * A checkpoint partition in a file or device: a raw partition, or a disk with a GUID partition table, of which the first
 * partition of Perdure's type is taken. Offers the block device the store's code asks for.
 */
#ifndef IMAGE_H
#define IMAGE_H

#include "blkdev.h"

struct image {
	struct blkdev  dev;             /* first: device and image have one address */
	const char    *name;
	int            fd;
	bool           writable;
	bool           gpt;             /* found through a partition table … */
	bool           gpt_backup;      /* … whose first copy is damaged */
	uint64_t       offset, bytes;   /* of the partition; of the whole file or device */
	struct blkreq *head, **tail;    /* requests done, not yet told */
	uint64_t       errors;          /* requests that failed */
};

/* Open for reading, or for writing as well: then nobody else may have it open for writing (TOOL_REFUSED), and
 * when it is only read, somebody who has is warned of. TOOL_IO, TOOL_NO_STORE: no partition of ours in it. */
int image_open(struct image *img, const char *name, bool write);

/* TOOL_IO if what was written cannot be made durable. */
int image_close(struct image *img);

#endif
