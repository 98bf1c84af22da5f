/* SPDX-License-Identifier: BSD-2-Clause
 * A merge of two walks in the order of (client, page). A page is unchanged if its block and sum are the same; if only the
 * block differs, the contents are compared byte for byte.
 */
#include "pair.h"

#include <string.h>

static int differs(struct world *a, struct world *b, const struct store_op *x, const struct store_op *y, bool *result)
{
	static uint8_t page[2][STORE_PAGE];
	int status;

	*result = x->sum != y->sum;
	if (*result || x->block == y->block)
		return STORE_OK;
	status = world_page(a, x->client, x->vpn, page[0], NULL);
	if (status == STORE_OK)
		status = world_page(b, y->client, y->vpn, page[1], NULL);
	*result = memcmp(page[0], page[1], STORE_PAGE) != 0;
	return status;
}

static int order(const struct store_op *x, const struct store_op *y)
{
	if (x->client != y->client)
		return x->client < y->client ? -1 : 1;
	return x->vpn < y->vpn ? -1 : x->vpn > y->vpn;
}

int pair_walk(struct world *from, struct world *to, int (*item)(void *ctx, const struct pair_item *), void *ctx)
{
	struct world_cursor a = { .started = false }, b = { .started = false };
	int sa = world_next(from, &a), sb = world_next(to, &b), status;

	while (sa == STORE_OK || sb == STORE_OK) {
		struct pair_item it;
		bool report = true;
		int o = sa != STORE_OK ? 1 : sb != STORE_OK ? -1 : order(&a.op, &b.op);
		const struct store_op *op = o < 0 ? &a.op : &b.op;

		if (sa != STORE_OK && sa != STORE_END)
			return sa;
		if (sb != STORE_OK && sb != STORE_END)
			return sb;
		it = (struct pair_item){ o < 0 ? PAIR_GONE : o > 0 ? PAIR_ADDED : PAIR_CHANGED, op->client, op->vpn, op->sum };
		if (!o) {
			status = differs(from, to, &a.op, &b.op, &report);
			if (status != STORE_OK)
				return status;
		}
		status = report ? item(ctx, &it) : 0;
		if (status)
			return status;
		if (o <= 0)
			sa = world_next(from, &a);
		if (o >= 0)
			sb = world_next(to, &b);
	}
	return sa == STORE_END && sb == STORE_END ? STORE_OK : sa != STORE_END ? sa : sb;
}
