/* SPDX-License-Identifier: BSD-2-Clause
 * Index: radix trees of references, used three times: a client's pages, the client directory and the allocation
 * map. Reading walks them through the node cache; changing makes the path from the root DIRTY, top-down
 * (every DIRTY node has a DIRTY parent or is referred to by the store itself: invariant 6).
 *
 * All functions may be repeated at will until they return STORE_OK; those that change something are called
 * after tree_prepare, in the same step, and cannot fail. Every reference read from disk is treated as hostile.
 */
#include <string.h>

#include "store_priv.h"

bool ref_valid(const struct store *st, const struct fmt_ref *ref)
{
	return !ref->block || (ref->block >= FMT_DATA_START && ref->block < st->blocks);
}

uint32_t tree_height_for(uint64_t index)
{
	uint32_t h = 0;

	while (index >> (FMT_FANOUT_BITS * h))
		h++;
	return h;
}

static bool tree_covers(const struct fmt_tree *t, uint64_t index)
{
	return t->root.block && !(index >> (FMT_FANOUT_BITS * t->height));
}

static int checked_get(struct store *st, const struct fmt_ref *ref, enum node_kind kind, struct node **n,
		       uint64_t *bad, struct node **wait)
{
	int status;

	*wait = NULL;
	*bad = ref->block & FMT_BLOCK_MASK;
	if (!ref_valid(st, ref))
		return STORE_DAMAGED;
	status = node_get(st, ref, kind, n, wait);
	return status;
}

int tree_find(struct store *st, const struct fmt_tree *t, uint64_t index, enum node_kind kind, struct fmt_ref *out,
	      uint64_t *bad, struct node **wait)
{
	struct fmt_ref ref = t->root;
	struct node *n;

	*out = (struct fmt_ref){ 0, 0 };
	if (!tree_covers(t, index))
		return STORE_OK;
	for (uint32_t level = t->height; level && ref.block; level--) {
		int status = checked_get(st, &ref, kind, &n, bad, wait);

		if (status != STORE_OK)
			return status;
		ref = ((struct fmt_node *)n->data)->entry[tree_slot(index, level)];
	}
	*bad = ref.block & FMT_BLOCK_MASK;
	if (!ref_valid(st, &ref))
		return STORE_DAMAGED;
	*out = ref;
	return STORE_OK;
}

/* One walk down towards *index. Moves *index up to the next place where something may be: 1, and *out is
 * its reference; or 0, and the walk must begin again from the new *index. */
static int next_down(struct store *st, const struct fmt_tree *t, uint64_t *index, enum node_kind kind,
		     struct fmt_ref *out, uint64_t *bad, struct node **wait)
{
	struct fmt_ref ref = t->root;
	struct node *n;

	for (uint32_t level = t->height; level; level--) {
		int status = checked_get(st, &ref, kind, &n, bad, wait);
		const struct fmt_node *node;
		unsigned shift = FMT_FANOUT_BITS * (level - 1), s;

		if (status != STORE_OK)
			return status == STORE_PENDING ? STORE_PENDING + 1 : status;
		node = n->data;
		for (s = tree_slot(*index, level); s < FMT_FANOUT && !node->entry[s].block; s++)
			;
		if (s == FMT_FANOUT) {
			*index = ((*index >> (shift + FMT_FANOUT_BITS)) + 1) << (shift + FMT_FANOUT_BITS);
			return 0;
		}
		if (s != tree_slot(*index, level))
			*index = (*index >> (shift + FMT_FANOUT_BITS) << (shift + FMT_FANOUT_BITS)) |
				 ((uint64_t)s << shift);
		ref = node->entry[s];
	}
	*bad = ref.block & FMT_BLOCK_MASK;
	if (!ref_valid(st, &ref))
		return STORE_DAMAGED;
	*out = ref;
	return 1;
}

int tree_next(struct store *st, const struct fmt_tree *t, uint64_t *index, struct fmt_ref *out, uint64_t *bad,
	      struct node **wait)
{
	while (tree_covers(t, *index)) {
		int found = next_down(st, t, index, NODE_INDEX, out, bad, wait);

		if (found == 1)
			return STORE_OK;
		if (found)
			return found < 0 ? found : STORE_PENDING;
	}
	return STORE_END;
}

int tree_prepare(struct store *st, const struct fmt_tree *t, uint64_t index, enum node_kind kind, bool leaf,
		 uint32_t *need, uint64_t *bad, struct node **wait)
{
	uint32_t height = tree_height_for(index);
	struct fmt_ref ref = t->root;
	struct node *n;

	if (!ref.block) {
		*need += height + leaf;
		return STORE_OK;
	}
	if (height > t->height) {
		*need += (height - t->height) + (height - 1) + leaf;
		return STORE_OK;
	}
	for (uint32_t level = t->height + leaf; level > 0; level--) {
		int status;

		if (!ref.block) {
			*need += level;
			return STORE_OK;
		}
		status = checked_get(st, &ref, kind, &n, bad, wait);
		if (status != STORE_OK)
			return status;
		if (n->state != NODE_DIRTY)
			++*need;
		if (level > leaf)
			ref = ((struct fmt_node *)n->data)->entry[tree_slot(index, level - leaf)];
	}
	return STORE_OK;                /* the page itself is replaced, whatever the reference to it */
}

struct node *tree_dirty(struct store *st, struct fmt_ref *ref, struct node *holder, enum node_kind kind)
{
	uint64_t old = ref->block, block;
	struct node *n = NULL, *from;

	if (old) {
		from = node_find(st, old);
		if (from->state == NODE_DIRTY)
			return from;
		block = window_alloc(st);
		if (from->state == NODE_FAILED) {
			node_list_remove(&st->failed, from);
			from->state = NODE_CLEAN;
		}
		/* A map page's old content is wanted again, for the next commit's window. */
		if (from->state == NODE_CLEAN && kind == NODE_INDEX) {
			n = from;
			node_rekey(st, n, block);
		} else {
			n = node_take(st, block, kind);
			memcpy(n->data, from->data, FMT_BLOCK);
			if (from->state == NODE_WRITING)
				from->orphan = true;
		}
		block_free(st, old);
	} else {
		n = node_take(st, window_alloc(st), kind);
		memset(n->data, 0, FMT_BLOCK);
		if (kind == NODE_INDEX)
			st->index_blocks++;
	}
	node_set_dirty(st, n, holder, ref);
	return n;
}

/* One more level above the root. */
static void tree_grow(struct store *st, struct fmt_tree *t, struct node *owner, enum node_kind kind)
{
	struct fmt_ref old = t->root;
	struct node *child = node_find(st, old.block);
	struct fmt_node *root;
	struct node *n;

	t->root = (struct fmt_ref){ 0, 0 };
	n = tree_dirty(st, &t->root, owner, kind);
	root = n->data;
	root->entry[0] = old;
	if (child && child->state == NODE_DIRTY) {
		child->parent = n;
		child->ref = &root->entry[0];
		n->dirty_kids++;
		if (owner)
			owner->dirty_kids--;
	}
	t->height++;
}

struct fmt_ref *tree_open(struct store *st, struct fmt_tree *t, struct node *owner, uint64_t index,
			  enum node_kind kind, struct node **holder)
{
	struct fmt_ref *ref = &t->root;

	if (!ref->block)
		t->height = (uint8_t)tree_height_for(index);
	while (t->height < tree_height_for(index))
		tree_grow(st, t, owner, kind);
	*holder = owner;
	for (uint32_t level = t->height; level; level--) {
		struct node *n = tree_dirty(st, ref, *holder, kind);

		ref = &((struct fmt_node *)n->data)->entry[tree_slot(index, level)];
		*holder = n;
	}
	return ref;
}

struct fmt_ref *tree_open_above(struct store *st, struct fmt_tree *t, uint64_t index, uint32_t level,
				struct node **holder)
{
	struct fmt_ref *ref = &t->root;

	for (uint32_t l = t->height; l > level; l--) {
		struct node *n = tree_dirty(st, ref, *holder, NODE_INDEX);

		ref = &((struct fmt_node *)n->data)->entry[tree_slot(index, l)];
		*holder = n;
	}
	return ref;
}

void tree_prune(struct store *st, struct fmt_tree *t, struct node *owner, struct node *holder)
{
	while (holder && holder != owner && store_is_zero(holder->data)) {
		struct node *parent = holder->parent;

		node_unlink_dirty(st, holder);
		*holder->ref = (struct fmt_ref){ 0, 0 };
		block_free(st, holder->block);
		node_release(st, holder);
		st->index_blocks--;
		holder = parent;
	}
	if (!t->root.block) {
		t->height = t->flags = 0;
		t->pages = 0;
	}
}

int client_find(struct store *st, uint32_t client, struct fmt_client *out, uint64_t *bad, struct node **wait)
{
	return client_in(st, &st->clients, client, out, bad, wait);
}

int client_in(struct store *st, const struct fmt_tree *clients, uint32_t client, struct fmt_client *out,
	      uint64_t *bad, struct node **wait)
{
	struct fmt_ref ref;
	struct node *n;
	int status = tree_find(st, clients, client / FMT_CLIENTS_PER_PAGE, NODE_INDEX, &ref, bad, wait);

	memset(out, 0, sizeof(*out));
	if (status != STORE_OK || !ref.block)
		return status;
	status = node_get(st, &ref, NODE_INDEX, &n, wait);
	if (status != STORE_OK)
		return status;
	*out = ((struct fmt_client *)n->data)[client % FMT_CLIENTS_PER_PAGE];
	*bad = ref.block;
	return out->tree.height <= FMT_MAX_HEIGHT && ref_valid(st, &out->tree.root) ? STORE_OK : STORE_DAMAGED;
}

/* ---- Look-up, read, next, diff: operations that change nothing ---- */

static void read_done(struct blkreq *req)
{
	struct store_op *op = req->owner;
	struct store *st = op->st;

	if (req->status != BLK_OK) {
		op_finish(op, STORE_EIO);
	} else if (store_sum(op->buf) == op->sum) {
		st->pages_read++;
		op_finish(op, STORE_OK);
	} else {
		/* Perhaps the page has moved on and its old block was given to someone else. */
		op->cursor = op->block;
		st->serial++;
		index_resume(st, op);
	}
}

static int index_try(struct store *st, struct store_op *op, struct node **wait)
{
	struct fmt_ref ref = { 0, 0 };
	struct fmt_client c;
	uint64_t bad;
	int status;

	if (op->kind == OP_DIFF)
		return diff_try(st, op, wait);
	if (op->kind == OP_NEXT)
		status = overlay_next(st, op->client, &op->cursor, &ref, &op->block, wait);
	else
		status = overlay_lookup(st, op->client, op->vpn, &ref, &op->block, wait);
	if (status != STORE_OK)
		return status;
	op->hole = !ref.block;
	op->block = ref.block;
	op->sum = ref.sum;
	if (op->kind == OP_NEXT) {
		op->vpn = op->cursor;
		if (op->client >= STORE_CLIENTS)
			(void)client_find(st, op->client, &c, &bad, wait);      /* as overlay_next did */
		op->from = state_client(op->client, &c);
		return op->vpn < op->end ? STORE_OK : STORE_END;
	}
	if (op->kind == OP_LOOKUP)
		return STORE_OK;
	if (op->hole) {
		memset(op->buf, 0, STORE_PAGE);
		return STORE_OK;
	}
	if (op->cursor == ref.block)
		return STORE_DAMAGED;
	op->req_buf[0] = op->buf;
	op->req = (struct blkreq){ .op = BLK_READ, .count = 1, .block = ref.block, .bufs = op->req_buf,
				   .done = read_done, .owner = op };
	st->blocks_read++;
	st->dev->submit(st->dev, &op->req);
	return STORE_PENDING;
}

/* Reads that wait for index nodes are few enough at a time for the nodes of all their paths to stay in the
 * cache; the others have not begun. */
static void read_wait(struct store *st, struct store_op *op, struct node *wait)
{
	op->link = NULL;
	if (st->no_load) {
		*st->late_reads_end = op;
		st->late_reads_end = &op->link;
		return;
	}
	if (!op->walking) {
		op->walking = true;
		st->reads_walking++;
	}
	if (wait) {
		op->link = wait->waiters;
		wait->waiters = op;
	} else {
		op->link = st->starved_reads;
		st->starved_reads = op;
		st->reads_starved = true;
	}
}

/* A long walk gives way to the others: the next store_work goes on with it. */
static void read_later(struct store *st, struct store_op *op)
{
	if (!op->walking) {
		op->walking = true;
		st->reads_walking++;
	}
	op->link = st->again_reads;
	st->again_reads = op;
}

int index_run(struct store *st, struct store_op *op)
{
	struct node *wait = NULL;
	int status;

	op->waiting = true;
	op->req.owner = NULL;
	st->no_load = !op->walking && st->reads_walking >= st->reads_walking_max;
	st->reading = true;
	status = index_try(st, op, &wait);
	if (status == STORE_AGAIN) {
		read_later(st, op);
		status = STORE_PENDING;
	} else if (status == STORE_PENDING && !op->req.owner) {
		read_wait(st, op, wait);
	} else if (op->walking) {
		op->walking = false;
		st->reads_walking--;
	}
	st->no_load = st->reading = false;
	return op->status = status;
}

int index_begin(struct store *st, struct store_op *op)
{
	int status;

	st->serial++;
	status = index_run(st, op);
	if (status != STORE_PENDING)
		op->waiting = false;
	return status;
}

void index_resume(struct store *st, struct store_op *op)
{
	int status = index_run(st, op);

	if (status != STORE_PENDING)
		op_finish(op, status);
}
