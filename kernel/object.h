/* SPDX-License-Identifier: BSD-2-Clause
 * Loaded objects are not trusted: every field is looked at before the kernel uses any. Each returns NULL, or what
 * is wrong. None changes anything.
 */
#ifndef KERNEL_OBJECT_H
#define KERNEL_OBJECT_H

#include "kernel/objects.h"
#include "kernel/types.h"

const char *object_validate_tcb(const struct tcb *tcb, u32 number);
const char *object_validate_entry(const struct tte *e);

#endif
