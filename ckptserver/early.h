/* SPDX-License-Identifier: BSD-2-Clause
 * Early cleaning: how fast dirty pages are written while no commit is under way (cow_clean_unit writes them), so that the next
 * checkpoint has little to do, and that there are clean pages when frames are short. docs/paging.md.
 */
#ifndef CKPT_EARLY_H
#define CKPT_EARLY_H

#include <stdbool.h>
#include <stdint.h>

#include "store.h"

/* Called at each tick while no commit is under way. */
void early_tick(uint64_t now);

/* One unit of early writing. False: nothing to do now. */
bool early_unit(struct store *st);

#endif
