/* SPDX-License-Identifier: BSD-2-Clause
 * The part of arch.h that is inline, because every IPC passes there: arch_switch_to, and rdtsc, the counter of tsc_hz. It needs to
 * know threads and spaces, which those who include arch.h need not.
 */
#ifndef KERNEL_ARCH_SWITCH_H
#define KERNEL_ARCH_SWITCH_H

#include "kernel/x86/switch.h"

#endif
