/* SPDX-License-Identifier: BSD-2-Clause
 * Permission to write to a page: given at once, or, if there is no staging buffer for what it contained at the snapshot, or no
 * room for it on the partition (room.h), as soon as there is. Whoever wants to write waits in the kernel until then.
 */
#ifndef CKPT_PERMIT_H
#define CKPT_PERMIT_H

#include "pages.h"

struct permit_counters {
	uint64_t postponed;             /* answers that had to wait for a buffer */
	uint64_t waiting;               /* of these, still waiting */
	uint64_t throttled;             /* pages whose writers wait for room on the partition */
	uint64_t throttles;             /* how many have had to */
};
extern struct permit_counters permit;

/* Somebody is to write to this page: it becomes DIRTY and the kernel is told. False: no buffer is free for the
 * old content, or no room on the partition; the kernel is told as soon as there is. */
bool permit_write(pfn_t f);

/* Answers those who wait for a buffer, as long as one is free. */
void permit_postponed(void);

/* Answers writers that wait for room, some at a time, if there is any now. */
void permit_throttled(void);
/* Nobody waits for room for this page any more. False: nobody did. */
bool permit_withdraw(pfn_t f);

/* The sum of all waits for a buffer until now, in time-stamp ticks. */
uint64_t permit_waited(void);

#endif
