/* SPDX-License-Identifier: BSD-2-Clause
 * Block device: all that the checkpoint store knows about disks.
 *
 * A device is an array of 4 KiB blocks, numbered from the start of the checkpoint partition. Requests
 * are asynchronous. The same interface is implemented by the virtio-blk driver in the guest, by plain
 * files in the host tools and by the crash simulator in the host tests.
 *
 * Rules for both sides:
 *  - Requests complete in any order. Two writes to one block are never in flight together.
 *  - A flush makes durable every write that was *completed* before the flush was submitted. It says
 *    nothing about writes that were still in flight then.
 *  - `done` is called from the owner's event loop (poll, wait, or the driver's interrupt handling),
 *    never from inside submit.
 *  - Until `done` is called the request and its buffers belong to the device. Inside `done` they are
 *    the caller's again: it may submit the same request anew.
 */
#ifndef STORE_BLKDEV_H
#define STORE_BLKDEV_H

#include <stdbool.h>
#include <stdint.h>

#define BLK_SIZE        4096u

enum blk_op { BLK_READ = 0, BLK_WRITE = 1, BLK_FLUSH = 2 };

enum blk_status {
	BLK_OK = 0,
	BLK_EIO = -1,           /* the device reported an error, or timed out */
	BLK_ERANGE = -2,        /* beyond the end of the device */
};

struct blkreq {
	/* Filled in by the caller. */
	enum blk_op     op;
	uint32_t        count;          /* blocks; 0 for BLK_FLUSH */
	uint64_t        block;          /* first block */
	void          **bufs;           /* `count` pointers, each to one 4 KiB-aligned block of memory */
	void          (*done)(struct blkreq *);
	void           *owner;          /* the caller's */
	/* Result. */
	enum blk_status status;         /* valid from the call of done */
	/* The device's own use. */
	struct blkreq  *link;
	uint64_t        dev_priv[2];
};

struct blkdev {
	uint64_t blocks;                /* whole 4 KiB blocks in the partition */
	/* Take a request. Never refuses (a full hardware queue makes the device keep it in a list of its
	 * own) and never blocks. Errors are reported through done. */
	void (*submit)(struct blkdev *, struct blkreq *);
	/* Deliver the completions that are there, by calling their done. Does not block. Returns how many. */
	unsigned (*poll)(struct blkdev *);
	/* Block until at least one completion was delivered. Used while booting and by host programs only.
	 * Returns at once if nothing is in flight. */
	void (*wait)(struct blkdev *);
};

#endif
