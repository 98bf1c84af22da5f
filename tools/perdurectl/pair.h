/* SPDX-License-Identifier: BSD-2-Clause
 * Two generations side by side: every page in which they differ, in order. Used by diff and by incremental export.
 */
#ifndef PAIR_H
#define PAIR_H

#include "world.h"

enum pair_kind { PAIR_ADDED, PAIR_CHANGED, PAIR_GONE };

struct pair_item {
	enum pair_kind kind;
	uint32_t client;
	uint64_t vpn, sum;              /* sum of the new content */
};

/* Calls `item` for each; a result other than 0 ends the walk and is returned. Else STORE_OK or what went wrong. A page
 * whose content was written anew without a change is not an item. */
int pair_walk(struct world *from, struct world *to, int (*item)(void *ctx, const struct pair_item *), void *ctx);

#endif
