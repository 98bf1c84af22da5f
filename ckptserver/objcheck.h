/* SPDX-License-Identifier: BSD-2-Clause
 * Never commit a broken world: a cheap look at kernel object pages on their way to the disk.
 */
#ifndef CKPT_OBJCHECK_H
#define CKPT_OBJCHECK_H

#include <stdbool.h>
#include <stdint.h>

/* Why this content cannot be that object, or NULL. Pure. */
const char *objcheck(uint32_t obj, const void *page);

#endif
