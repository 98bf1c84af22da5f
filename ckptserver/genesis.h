/* SPDX-License-Identifier: BSD-2-Clause
 * The first boot: the root task is made, once; from then on it is only ever recovered.
 */
#ifndef CKPT_GENESIS_H
#define CKPT_GENESIS_H

#include <stdbool.h>
#include <stdint.h>

/* Puts the boot archive and the root program into the root client's store and starts the root task. The kernel has
 * been activated. False: said on the console why not. */
bool genesis(const void *archive, uint64_t bytes, const char *root);

/* Where the archive stands in the root client's store. */
#define GENESIS_ARCHIVE 0x40000000ul

#endif
