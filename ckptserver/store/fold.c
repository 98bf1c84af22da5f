/* SPDX-License-Identifier: BSD-2-Clause
 * Folding: the overlay is applied to the trees, in the order of its keys, leaf by leaf, so that each leaf is made DIRTY
 * once however small the cache is. In the end nothing is left of the delta but what has become of it: the old
 * blocks of its pages are freed, their new ones marked in the map. Then changes go to the trees, until a full commit.
 */
#include <string.h>

#include "store_priv.h"

#define FOLD_RUN        64u     /* records applied in one step */

static void fold_begin(struct store *st)
{
	struct delta *d = &st->delta;

	for (uint32_t i = 0; i < d->chain_count; i++)
		delta_release(st, d->chain[i].block);
	d->chain_count = 0;
	delta_unmake(st);
	if (d->table_outside)
		delta_free_table(st);
	d->table_outside = false;
	while (st->new_table_count)
		delta_recycle(st, st->new_table[--st->new_table_count]);
	d->cursor = d->entry[0].next[0];
	d->mode = DELTA_FOLDING;
}

/* Apply the entries from `e` on that are in one leaf. The path to it is prepared. Returns the next entry. */
static struct delta_entry *fold_leaf(struct store *st, struct delta_entry *e)
{
	uint32_t of = record_client(e->r.key);
	uint64_t first = record_vpn(e->r.key), end;
	struct node *page, *holder;
	struct fmt_client *client = change_client(st, of, &page);
	struct fmt_ref *ref = tree_open(st, &client->tree, page, first, NODE_INDEX, &holder);

	client->flags |= FMT_CLIENT_EXISTS;
	end = client->tree.height ? (first | (FMT_FANOUT - 1)) + 1 : first + 1;
	for (unsigned i = 0; i < FOLD_RUN && entry_is_of(e, of) && record_vpn(e->r.key) < end; i++, e = overlay_after(st, e)) {
		struct fmt_ref *at = ref + (record_vpn(e->r.key) - first);

		bool there = at->block && ref_valid(st, at);

		if (there)
			block_free(st, at->block);
		client->tree.pages += (entry_block(e) != 0) - (uint64_t)there;
		*at = (struct fmt_ref){ entry_block(e), entry_block(e) ? e->r.sum : 0 };
		if (at->block)
			block_mark(st, at->block);
	}
	tree_prune(st, &client->tree, page, holder);
	return e;
}

/* The leaf is damaged, and with it what the full generation has there: the records would be all that is left of it. They go too,
 * so that a page of it is damaged, and not a hole. (For a leaf that only cannot be read at the moment the fold waits.) */
static struct delta_entry *fold_lost(struct store *st, struct delta_entry *e)
{
	uint32_t of = record_client(e->r.key);
	uint64_t leaf = record_vpn(e->r.key) / FMT_FANOUT;

	state_lost(st);
	for (; entry_is_of(e, of) && record_vpn(e->r.key) / FMT_FANOUT == leaf; e = overlay_after(st, e))
		delta_give_up(st, e);
	return e;
}

static int fold_page(struct store *st, struct delta_entry **e, uint64_t *bad, struct node **wait)
{
	uint32_t need = 0;
	int status;

	if (!(*e)->r.block) {           /* came and went since the full generation */
		*e = overlay_after(st, *e);
		return STORE_AGAIN;
	}
	status = change_prepare(st, record_client((*e)->r.key), record_vpn((*e)->r.key), bad, &need, wait);
	if (status == STORE_DAMAGED)
		status = mend(st, record_client((*e)->r.key), record_vpn((*e)->r.key), 0, 0, bad, wait);
	if (status == STORE_DAMAGED) {
		*e = fold_lost(st, *e);
		return STORE_AGAIN;
	}
	if (status == STORE_OK)
		status = change_provide(st, need, wait);
	if (status != STORE_OK)
		return status;
	*e = fold_leaf(st, *e);
	return STORE_AGAIN;
}

int delta_fold(struct store *st, uint64_t *bad, struct node **wait)
{
	struct delta *d = &st->delta;
	struct delta_entry *e;
	int status = STORE_AGAIN;

	*wait = NULL;
	if (d->mode == DELTA_ON)
		fold_begin(st);
	if (d->mode != DELTA_FOLDING)
		return STORE_OK;
	if (!d->cursor) {
		delta_reset(st, 0);
		d->folds++;
		return STORE_OK;
	}
	e = &d->entry[d->cursor];
	if (record_kind(e->r.key) == FMT_RECORD_PAGE) {
		status = fold_page(st, &e, bad, wait);
	} else if (frees_room(st) < STORE_FREES_ROOM) {
		status = frees_step(st, wait);
	} else {
		block_free(st, e->r.key & FMT_BLOCK_MASK);
		e = overlay_after(st, e);
	}
	d->cursor = e ? (uint16_t)(e - d->entry) : 0;
	if (status == STORE_FULL) {
		*wait = NULL;
		status = shed(st);
	}
	return status == STORE_OK ? STORE_AGAIN : status;
}
