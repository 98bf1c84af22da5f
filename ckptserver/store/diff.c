/* SPDX-License-Identifier: BSD-2-Clause
 * What differs between two kept generations. Both trees are walked down together, and what the two have in common is
 * not looked at: equal sums mean equal content, of a page as of a whole subtree. A walk goes on from its
 * (client, page) after each wait, and gives way after a few nodes. Of a generation with a delta the tree is that of its
 * full generation: each page that has a record in either delta is compared by itself.
 */
#include <string.h>

#include "store_priv.h"

#define DIFF_NODES      32u     /* nodes compared in one step */

/* Subtree of level `level` (0: a page) on the way to some index. */
struct side {
	struct fmt_ref ref;
	uint32_t height;                /* of the whole tree */
};

static bool same(const struct fmt_ref *a, const struct fmt_ref *b)
{
	return !a->block == !b->block && a->sum == b->sum;
}

/* The children of a side at `level`: *node, or NULL: they are all holes but for child 0, which is *only. A tree that
 * is lower than the level is child 0 of what would be above it. */
static int children(struct store *st, const struct side *s, uint32_t level, const struct fmt_node **node,
		    struct fmt_ref *only, uint64_t *bad, struct node **wait)
{
	struct node *n;
	int status;

	*node = NULL;
	*only = s->ref;
	if (!s->ref.block || level > s->height)
		return STORE_OK;
	*bad = s->ref.block;
	if (!ref_valid(st, &s->ref))
		return STORE_DAMAGED;
	status = node_get(st, &s->ref, NODE_INDEX, &n, wait);
	if (status == STORE_OK)
		*node = n->data;
	return status;
}

static struct fmt_ref child(const struct fmt_node *node, const struct fmt_ref *only, unsigned i)
{
	static const struct fmt_ref hole;

	return node ? node->entry[i] : i ? hole : *only;
}

/* One walk down from the roots towards *index. Returns 1: *index is the first page at or after it that differs, and
 * the sides are its references; 0: there is none up to the new *index; STORE_PENDING + 1, or an error. */
static int diff_down(struct store *st, struct side side[2], uint32_t level, uint64_t *index, uint64_t *bad,
		     struct node **wait)
{
	for (; level; level--) {
		unsigned shift = FMT_FANOUT_BITS * (level - 1), at = (unsigned)(*index >> shift) & (FMT_FANOUT - 1), i;
		const struct fmt_node *node[2];
		struct fmt_ref only[2], ref[2];

		for (unsigned k = 0; k < 2; k++) {
			int status = children(st, &side[k], level, &node[k], &only[k], bad, wait);

			if (status != STORE_OK)
				return status == STORE_PENDING ? STORE_PENDING + 1 : status;
		}
		for (i = at; i < FMT_FANOUT; i++) {
			for (unsigned k = 0; k < 2; k++)
				ref[k] = child(node[k], &only[k], i);
			if (!same(&ref[0], &ref[1]))
				break;
		}
		if (i != at)
			*index = ((*index >> shift) + i - at) << shift;
		if (i == FMT_FANOUT)
			return 0;
		side[0].ref = ref[0];
		side[1].ref = ref[1];
	}
	return 1;
}

/* Compare two trees from *index on. Status; STORE_END: nothing more differs; STORE_AGAIN: after so many nodes. */
static int tree_diff(struct store *st, const struct fmt_tree *a, const struct fmt_tree *b, uint64_t *index,
		     struct fmt_ref out[2], unsigned *left, uint64_t *bad, struct node **wait)
{
	uint32_t level = a->height > b->height ? a->height : b->height;

	while (!same(&a->root, &b->root) || a->height != b->height) {
		struct side side[2] = { { a->root, a->height }, { b->root, b->height } };
		int found;

		if (*index >> (FMT_FANOUT_BITS * level))
			break;
		if (*left < 2 * level)
			return STORE_AGAIN;
		*left -= 2 * level;
		found = diff_down(st, side, level, index, bad, wait);
		if (found == 1) {
			out[0] = side[0].ref;
			out[1] = side[1].ref;
			return STORE_OK;
		}
		if (found)
			return found < 0 ? found : STORE_PENDING;
	}
	return STORE_END;
}

static int generation_of(struct store *st, uint64_t generation, const struct fmt_generation **g)
{
	static const struct fmt_generation nothing;
	const struct kept *k = kept_find(st, generation);

	*g = generation ? NULL : &nothing;
	if (!generation)
		return STORE_OK;
	if (!k || !k->listed)
		return STORE_NO_GENERATION;
	*g = &k->g;
	return k->g.clients.height <= FMT_MAX_HEIGHT ? STORE_OK : STORE_DAMAGED;
}

/* A place in the order of clients and pages, and the page's references on both sides. */
struct found {
	uint32_t client;
	uint64_t vpn;
	struct fmt_ref ref[2];
};

static uint64_t key_of(const struct found *f)
{
	return (uint64_t)f->client << FMT_RECORD_CLIENT_SHIFT | f->vpn;
}

/* The first client at or after f->client whose directory page differs. */
static int next_client(struct store *st, struct found *f, const struct fmt_generation *const g[2], unsigned *left,
		       uint64_t *bad, struct node **wait)
{
	uint64_t page = f->client / FMT_CLIENTS_PER_PAGE;
	int status = tree_diff(st, &g[0]->clients, &g[1]->clients, &page, f->ref, left, bad, wait);

	if (status != STORE_OK && status != STORE_AGAIN)
		return status;
	if (page * FMT_CLIENTS_PER_PAGE >= STORE_CLIENTS)
		return STORE_END;
	if (page != f->client / FMT_CLIENTS_PER_PAGE) {
		f->client = (uint32_t)(page * FMT_CLIENTS_PER_PAGE);
		f->vpn = 0;
	}
	return status;
}

/* The next page from *f on that differs in the trees. *f moves on in any case: nothing before it differs. */
static int trees_next(struct store *st, struct found *f, const struct fmt_generation *const g[2], unsigned *left,
		      uint64_t *bad, struct node **wait)
{
	int status = STORE_OK;

	while (status == STORE_OK) {
		struct fmt_client c[2];

		status = next_client(st, f, g, left, bad, wait);
		if (status != STORE_OK)
			return status;
		for (unsigned k = 0; k < 2 && status == STORE_OK; k++)
			status = client_in(st, &g[k]->clients, f->client, &c[k], bad, wait);
		if (status == STORE_OK)
			status = tree_diff(st, &c[0].tree, &c[1].tree, &f->vpn, f->ref, left, bad, wait);
		if (status == STORE_OK && f->vpn < STORE_VPN_END)
			return STORE_OK;
		/* No client has such a page: the walk gave way at the very end, or the content is hostile. */
		if ((status == STORE_OK || status == STORE_AGAIN) && f->vpn >= STORE_VPN_END)
			status = STORE_END;
		if (status != STORE_END || f->client == STORE_CLIENTS - 1)
			return status;
		f->client++;
		f->vpn = 0;
		status = *left ? STORE_OK : STORE_AGAIN;
		*left -= *left > 0;
	}
	return status;
}

/* The references of the page of *f, of which r[0] or r[1] is a record. */
static int resolve(struct store *st, struct found *f, const struct fmt_generation *const g[2],
		   const struct fmt_record r[2], uint64_t *bad, struct node **wait)
{
	for (unsigned k = 0; k < 2; k++) {
		struct fmt_client c;
		int status;

		if (r[k].key == key_of(f)) {
			f->ref[k] = (struct fmt_ref){ r[k].block & FMT_BLOCK_MASK, r[k].sum };
			continue;
		}
		status = client_in(st, &g[k]->clients, f->client, &c, bad, wait);
		if (status == STORE_OK)
			status = tree_find(st, &c.tree, f->vpn, NODE_INDEX, &f->ref[k], bad, wait);
		if (status != STORE_OK)
			return status;
	}
	return STORE_OK;
}

/* One try from *f on. STORE_AGAIN: nothing differs before the new *f. */
static int diff_step(struct store *st, struct found *f, const struct fmt_generation *const g[2], uint64_t *bad,
		     struct node **wait)
{
	unsigned left = DIFF_NODES;
	struct found t = *f;
	struct fmt_record r[2];
	uint64_t key;
	int status = STORE_OK;

	r[0].key = r[1].key = UINT64_MAX;
	for (unsigned k = 0; k < 2 && status == STORE_OK && g[0]->delta.block != g[1]->delta.block; k++) {
		status = chain_next(st, &g[k]->delta, key_of(f), &r[k], bad, wait);
		status = status == STORE_END ? STORE_OK : status;
	}
	if (status != STORE_OK)
		return status;
	key = r[0].key < r[1].key ? r[0].key : r[1].key;
	status = trees_next(st, &t, g, &left, bad, wait);
	if (status != STORE_END && key_of(&t) < key) {
		*f = t;
		return status;
	}
	if (key == UINT64_MAX)
		return STORE_END;
	f->client = (uint32_t)(key >> FMT_RECORD_CLIENT_SHIFT);
	f->vpn = key & (STORE_VPN_END - 1);
	status = resolve(st, f, g, r, bad, wait);
	if (status != STORE_OK || !same(&f->ref[0], &f->ref[1]))
		return status;
	if (++f->vpn == STORE_VPN_END) {
		f->vpn = 0;
		f->client++;
	}
	return f->client < STORE_CLIENTS ? STORE_AGAIN : STORE_END;
}

int diff_try(struct store *st, struct store_op *op, struct node **wait)
{
	const struct fmt_generation *g[2];
	struct found f = { .client = op->client, .vpn = op->vpn };
	int status = generation_of(st, op->from, &g[0]);

	*wait = NULL;
	if (status == STORE_OK)
		status = generation_of(st, op->to, &g[1]);
	if (status == STORE_OK)
		status = diff_step(st, &f, g, &op->block, wait);
	op->client = f.client;
	op->vpn = f.vpn;
	if (status != STORE_OK)
		return status;
	op->old_block = f.ref[0].block;
	op->old_sum = f.ref[0].sum;
	op->block = f.ref[1].block;
	op->sum = f.ref[1].sum;
	op->hole = !f.ref[1].block;
	return STORE_OK;
}
