/* SPDX-License-Identifier: BSD-2-Clause
 * Mending: an index node on the path of a change is damaged, and the change must be made all the same. The node is
 * replaced by one whose entries are all marked as lost: what was below it cannot be read, as before, and is reported
 * when it is looked for; but pages there can be put and removed again, and nothing else is touched. Older generations
 * keep the damaged node. A removal that takes in all that the node leads to makes a hole of it.
 *
 * What the blocks below were nobody knows any more: they stay marked in the map, for good.
 */
#include <string.h>

#include "store_priv.h"

/* The damaged node on the path to a page. */
struct wound {
	uint32_t level;                 /* of the node; 0: the reference to the page itself marks it as lost */
	uint32_t need;                  /* nodes above it that must be made DIRTY */
};

/* STORE_OK: it was found; STORE_END: there is none. The tree covers the page: whoever looks beyond it reads nothing. */
static int find(struct store *st, const struct fmt_tree *t, uint64_t vpn, struct wound *w, uint64_t *bad,
		struct node **wait)
{
	struct fmt_ref ref = t->root;
	struct node *n;

	for (w->level = t->height; ref.block; w->level--) {
		int status;

		*bad = ref.block & FMT_BLOCK_MASK;
		if (!ref_valid(st, &ref))
			return STORE_OK;
		if (!w->level)
			return STORE_END;
		status = node_get(st, &ref, NODE_INDEX, &n, wait);
		if (status != STORE_OK)
			return status == STORE_DAMAGED ? STORE_OK : status;
		w->need += n->state != NODE_DIRTY;
		ref = ((struct fmt_node *)n->data)->entry[tree_slot(vpn, w->level)];
	}
	return STORE_END;
}

static void fill_lost(struct store *st, struct fmt_ref *ref, struct node *holder, uint64_t block)
{
	struct fmt_node *node = tree_dirty(st, ref, holder, NODE_INDEX)->data;

	for (unsigned i = 0; i < FMT_FANOUT; i++)
		node->entry[i] = (struct fmt_ref){ FMT_REF_LOST | block, 0 };
}

int mend(struct store *st, uint32_t of, uint64_t vpn, uint64_t from, uint64_t end, uint64_t *bad, struct node **wait)
{
	struct fmt_client c, *client;
	struct fmt_ref *ref, old;
	struct node *page, *holder;
	struct wound w = { .need = 1 };
	uint64_t first, past;
	int status = tree_prepare(st, &st->clients, of / FMT_CLIENTS_PER_PAGE, NODE_INDEX, true, &w.need, bad, wait);

	if (status == STORE_OK)
		status = client_find(st, of, &c, bad, wait);
	if (status != STORE_OK)
		return status;          /* the directory is not mended: there are older generations */
	status = find(st, &c.tree, vpn, &w, bad, wait);
	if (status == STORE_OK)
		status = change_provide(st, w.need, wait);
	if (status != STORE_OK)
		return status == STORE_END ? STORE_DAMAGED : status;
	client = change_client(st, of, &page);
	holder = page;
	ref = tree_open_above(st, &client->tree, vpn, w.level, &holder);
	old = *ref;
	client->tree.flags |= FMT_TREE_LOST;
	*ref = (struct fmt_ref){ 0, 0 };
	state_lost(st);
	first = vpn >> (FMT_FANOUT_BITS * w.level) << (FMT_FANOUT_BITS * w.level);
	past = first + (1ull << (FMT_FANOUT_BITS * w.level));
	if (w.level && (first < from || past > end))
		fill_lost(st, ref, holder, old.block & FMT_BLOCK_MASK);
	if (ref_valid(st, &old)) {
		st->index_blocks--;
		written_mended(st, old.block);
		block_free(st, old.block);
	}
	tree_prune(st, &client->tree, page, holder);
	st->mended++;
	return STORE_AGAIN;
}
