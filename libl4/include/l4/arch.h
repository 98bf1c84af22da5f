/* SPDX-License-Identifier: BSD-2-Clause
 * What is particular to the machine: see l4/amd64/arch.h.
 */
#ifndef L4_ARCH_H
#define L4_ARCH_H

#include <l4/types.h>
#include <l4/amd64/syscalls.h>
#include <l4/amd64/arch.h>

#endif
