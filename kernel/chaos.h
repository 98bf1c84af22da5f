/* SPDX-License-Identifier: BSD-2-Clause
 * chaos=SEED: absent, stale and evicted things as ordinary events. Between any two steps of the scheduler the kernel
 * may drop mappings it is entitled to drop. ckptserver's part (objects, frames, snapshots) is its own.
 */
#ifndef KERNEL_CHAOS_H
#define KERNEL_CHAOS_H

#include "kernel/types.h"

extern u64 chaos_state;                 /* 0: off */
void chaos_init(void);
void chaos_act(void);

static inline void chaos_step(void)
{
	if (unlikely(chaos_state != 0))
		chaos_act();
}

#endif
