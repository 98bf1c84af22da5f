/* SPDX-License-Identifier: BSD-2-Clause
 * Trash: what a long removal does not do at once. A range that goes over many leaves is not cleared leaf by leaf, which
 * would hold up the commit behind it for as long as it takes to read them: whole subtrees are cut off and hung into
 * *trash clients*, which nobody else sees, and these are cleared when nothing else is to be done, in this
 * generation or in later ones. So a removal is complete in the commit that follows it, and takes a bounded time:
 * what is left at both ends of the range is less than two subtrees of 256 leaves.
 *
 * Trash clients have the numbers from STORE_CLIENTS on: one page of the directory. When none is free leaves are
 * cleared one by one again. The state hash still has the pages in the trash, under the client they were cut from.
 */
#include <string.h>

#include "store_priv.h"

#define TRASH_PAGE      (STORE_CLIENTS / FMT_CLIENTS_PER_PAGE)

/* The directory page of the trash: *page is NULL if there is none. */
static int trash_page(struct store *st, const struct fmt_client **page, uint64_t *bad, struct node **wait)
{
	struct fmt_ref ref;
	struct node *n;
	int status = tree_find(st, &st->clients, TRASH_PAGE, NODE_INDEX, &ref, bad, wait);

	*page = NULL;
	if (status != STORE_OK || !ref.block)
		return status;
	status = node_get(st, &ref, NODE_INDEX, &n, wait);
	if (status == STORE_OK)
		*page = n->data;
	return status;
}

/* The first trash client that exists, or does not; FMT_CLIENTS_PER_PAGE: there is none. */
static unsigned trash_slot(const struct fmt_client *page, bool exists)
{
	unsigned i = 0;

	if (!page)
		return exists ? FMT_CLIENTS_PER_PAGE : 0;
	while (i < FMT_CLIENTS_PER_PAGE && (page[i].flags & FMT_CLIENT_EXISTS) != exists)
		i++;
	return i;
}

/* The highest subtree that begins at or before page `vpn` and has nothing outside [from, end). */
static uint32_t subtree_level(const struct fmt_tree *t, uint64_t vpn, uint64_t from, uint64_t end)
{
	uint32_t level = 0;

	for (uint32_t l = 1; l <= t->height; l++) {
		uint64_t span = 1ull << (FMT_FANOUT_BITS * l), first = vpn & ~(span - 1);

		if (first >= from && (first + span <= end || (l == t->height && end == STORE_VPN_END)))
			level = l;
	}
	return level;
}

/* Hang the subtree `root` into the trash at the place it had, whose reference is in `from`. */
static void hang(struct store *st, struct fmt_client *trash, struct node *page, const struct fmt_tree *like, uint64_t vpn,
		 uint32_t level, const struct fmt_ref *root, struct node *from)
{
	struct node *holder = page, *child = node_find(st, root->block);        /* cached: trash_cut's caller came by it */
	struct fmt_ref *ref;

	if (!(trash->flags & FMT_CLIENT_EXISTS)) {
		memset(trash, 0, sizeof(*trash));
		trash->flags = FMT_CLIENT_EXISTS;
		trash->tree.pages = like->pages;
		trash->tree.height = like->height;
		trash->tree.flags = FMT_TREE_BOUND | (like->flags & FMT_TREE_LOST);
	}
	ref = tree_open_above(st, &trash->tree, vpn, level, &holder);
	*ref = *root;
	if (child->state != NODE_DIRTY)
		return;
	child->parent = holder;
	child->ref = ref;
	holder->dirty_kids++;
	from->dirty_kids--;
}

/* Is the path in the trash client down to `level` cached? */
static int trash_ready(struct store *st, unsigned slot, uint64_t vpn, uint32_t level, uint32_t *need, uint64_t *bad,
		       struct node **wait)
{
	struct fmt_client t;
	struct fmt_ref ref;
	int status = client_find(st, STORE_CLIENTS + slot, &t, bad, wait);

	ref = t.tree.root;
	for (uint32_t l = t.tree.height; status == STORE_OK && l > level && ref.block; l--) {
		struct node *n;

		*bad = ref.block;
		status = ref_valid(st, &ref) ? node_get(st, &ref, NODE_INDEX, &n, wait) : STORE_DAMAGED;
		if (status != STORE_OK)
			return status;
		*need += n->state != NODE_DIRTY;
		ref = ((struct fmt_node *)n->data)->entry[tree_slot(vpn, l)];
	}
	return status;
}

/* The trash client of a removal, and the level at which to cut for it at `vpn`; level 0: it is not worth it, or there is
 * no room. */
static int trash_choose(struct store *st, const struct store_op *op, const struct fmt_tree *t, uint64_t vpn,
			unsigned *slot, uint32_t *level, uint64_t *bad, struct node **wait)
{
	const struct fmt_client *slots;
	int status;

	*level = op->client < STORE_CLIENTS ? subtree_level(t, vpn, op->vpn, op->end) : 0;
	if (*level < 2) {
		*level = 0;
		return STORE_OK;
	}
	status = trash_page(st, &slots, bad, wait);
	if (status != STORE_OK)
		return status;
	*slot = op->trash ? op->trash - 1u : trash_slot(slots, false);
	if (*slot == FMT_CLIENTS_PER_PAGE)
		*level = 0;
	return STORE_OK;
}

int trash_cut(struct store *st, struct store_op *op, const struct fmt_tree *tree, uint64_t vpn, uint64_t *past,
	      struct node **wait)
{
	struct fmt_client *client, *trash;
	struct node *page, *trash_at, *holder;
	struct fmt_ref *ref, old;
	uint32_t need = tree->height, level;
	unsigned slot;
	int status = trash_choose(st, op, tree, vpn, &slot, &level, &op->block, wait);

	if (status != STORE_OK)
		return status;
	if (!level)
		return STORE_END;
	/* The trash's page was looked at just now: this only counts. */
	(void)tree_prepare(st, &st->clients, TRASH_PAGE, NODE_INDEX, true, &need, &op->block, wait);
	need += change_count(st, op->client, vpn);
	status = trash_ready(st, slot, vpn, level, &need, &op->block, wait);
	if (status == STORE_OK)
		status = change_provide(st, need, wait);
	if (status != STORE_OK)
		return status;
	trash = change_client(st, STORE_CLIENTS + slot, &trash_at);
	client = change_client(st, op->client, &page);
	holder = page;
	ref = tree_open_above(st, &client->tree, vpn, level, &holder);
	old = *ref;
	*ref = (struct fmt_ref){ 0, 0 };
	hang(st, trash, trash_at, tree, vpn, level, &old, holder);
	trash->limit_pages = op->client;
	client->tree.flags |= FMT_TREE_BOUND;
	tree_prune(st, &client->tree, page, holder);
	op->trash = (uint8_t)(slot + 1);
	st->trash = TRASH_SOME;
	*past = (vpn >> (FMT_FANOUT_BITS * level) << (FMT_FANOUT_BITS * level)) + (1ull << (FMT_FANOUT_BITS * level));
	return STORE_OK;
}

/* Choose what to clear next. STORE_END: there is no trash. */
static int trash_begin(struct store *st, struct node **wait)
{
	const struct fmt_client *slots;
	unsigned slot;
	int status = trash_page(st, &slots, &st->trash_op.block, wait);

	if (status != STORE_OK)
		return status;
	slot = trash_slot(slots, true);
	if (slot == FMT_CLIENTS_PER_PAGE)
		return STORE_END;
	st->trash_op = (struct store_op){ .client = STORE_CLIENTS + slot, .end = STORE_VPN_END, .st = st,
					  .kind = OP_DROP };
	st->trash = TRASH_CLEARING;
	return STORE_AGAIN;
}

int trash_step(struct store *st, struct node **wait)
{
	int status;

	*wait = NULL;
	if (st->trash == TRASH_CLEARING)
		status = change_run(st, &st->trash_op, wait);
	else
		status = trash_begin(st, wait);
	if (status == STORE_OK)
		st->trash = TRASH_SOME;
	else if (status == STORE_END)
		st->trash = TRASH_NONE;
	return status;
}
