/* SPDX-License-Identifier: BSD-2-Clause
 * boot.cfg: what runs at genesis. At recovery it is ignored, because everything is running already.
 */
#ifndef PAGER_BOOT_H
#define PAGER_BOOT_H

#include <stddef.h>
#include <stdint.h>

/* Start what boot.cfg of the archive names. Says so if there is none, and what is wrong with it, line by line. */
void boot_start(const uint8_t *archive, size_t size);

#endif
