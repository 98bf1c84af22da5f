/* SPDX-License-Identifier: BSD-2-Clause
 * From the disk to a running world: finding the partition, mounting the store, genesis or recovery.
 */
#ifndef CKPT_RECOVER_H
#define CKPT_RECOVER_H

#include <stdbool.h>
#include <stdint.h>

struct recover_result {
	uint64_t generation;            /* recovered; 0: genesis */
	uint64_t threads;
};
extern struct recover_result recover_result;

/* Finds the disk and makes the world alive. Returns when persistent threads run; halts the machine when that
 * is impossible, or was made a condition (ckpt.require=yes). */
void recover(const void *archive, uint64_t bytes);

#endif
