/* SPDX-License-Identifier: BSD-2-Clause
 * Faults on purpose (ckpt.fault=WHAT@T), for the tests of what is done about them.
 */
#ifndef CKPT_FAULT_H
#define CKPT_FAULT_H

#include <stdint.h>

/* Called at each tick of the message loop; now: time-stamp counter. Does what is due. */
void fault_tick(uint64_t now);

#endif
