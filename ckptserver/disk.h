/* SPDX-License-Identifier: BSD-2-Clause
 * The disk that carries the checkpoint partition. One driver today (virtio_blk.c); AHCI and NVMe go
 * behind the same functions. disk_dev is what the store works on (store/blkdev.h has the rules).
 *
 * Only the fault thread calls these. Buffers lie in memory that pages.c gave out, because the device
 * reads and writes them by physical address.
 */
#ifndef CKPT_DISK_H
#define CKPT_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "blkdev.h"

#define DISK_IRQ        16              /* kernel interrupt (MSI) of the disk */

extern struct blkdev disk_dev;

/* Finds and starts the disk. False: there is none that can be used; a found one was complained of. */
bool disk_init(void);

/* Size of the whole disk in sectors of 512 bytes. */
uint64_t disk_sectors(void);

/* For messages, e.g. "virtio-blk:00:04.0". */
const char *disk_name(void);

/* Confines disk_dev to a partition. Until then it has no blocks. */
void disk_set_partition(uint64_t first_sector, uint64_t last_sector);

/* Reads one sector of the whole disk; waits for it. 0 on success. Before recovery only. */
int disk_read_sector(uint64_t sector, void *buf);

/* Completes what the device has finished; called on its interrupt. Returns how many blocks. */
unsigned disk_interrupt(void);

/* To be called every 10 ms or so while disk_wants_tick; now: time-stamp counter. Looks whether the device is well: one that
 * asks for a reset, or has not answered a request for ckpt.disk_timeout, is reset and gets everything under way again; one that
 * is gone fails all requests with BLK_EIO, those made while it is gone too, and is looked for again. Says what it
 * does on the console. Looks at its size, too: of a partition that was cut off, or grows back, the console is told, and requests beyond
 * what there is fail. True if a request was completed. */
bool disk_tick(uint64_t now);
bool disk_wants_tick(void);

/* For tests: the driver errs, so that the device asks for a reset (virtio 1.x, 2.1.2). */
void disk_break(void);

/* Does the device take requests at this moment? */
bool disk_works(void);

/* The last block or flush that failed, and how many have. */
struct disk_failure {
	enum blk_op op;
	uint64_t block;                 /* of the partition; a flush has none */
	uint64_t count;
};
const struct disk_failure *disk_failure(void);

/* Is a request complete for which no interrupt will come? Then call disk_interrupt. */
bool disk_needs_poll(void);

/* Tells the device of what was submitted; once per turn of the message loop. more: further writes are about to come, and
 * a few writes may wait for them. */
void disk_announce(bool more);

/* Blocks and flushes submitted and not completed. */
unsigned disk_in_flight(void);
/* Completed well so far; of these, reads. */
uint64_t disk_completed(void);
uint64_t disk_reads(void);

#endif
