/* SPDX-License-Identifier: BSD-2-Clause
 * Recovery's part of the kernel: threads of the supplied table come alive.
 */
#ifndef KERNEL_ACTIVATE_H
#define KERNEL_ACTIVATE_H

#include "kernel/types.h"

/* Go through the table pages supplied so far, writing volatile structures only. Returns the number of threads; -1: the pool
 * cannot hold their address spaces, and none of them has come alive. */
long activate_threads(void);

#endif
