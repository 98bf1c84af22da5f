/* SPDX-License-Identifier: BSD-2-Clause
 * The figures of l4/ckpt.h's L4_CKPT_STAT.
 */
#ifndef CKPT_STATS_H
#define CKPT_STATS_H

#include <l4/ckpt.h>

void stats_get(struct L4_CkptStat *s);

#endif
