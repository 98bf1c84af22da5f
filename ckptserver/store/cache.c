/* SPDX-License-Identifier: BSD-2-Clause
 * Node cache: the index nodes, directory pages and map pages that are in memory, keyed by block number.
 *
 * Copy-on-write makes the key sound: a block has one content from its allocation on, so a cached node is valid
 * for every generation that refers to it. A changed node gets a new block, and so a new key, at once
 * (NODE_DIRTY). Loads are verified against the sum in the reference that led to them (invariant 5).
 * The nodes a step relies on carry its serial number and are not evicted in that step. Dirty nodes stay,
 * unless memory is short: then some are written early (node_spill) and are clean afterwards; a later
 * change gives them yet another block.
 */
#include <string.h>

#include "store_priv.h"

#define SPILL_AHEAD     8u      /* early writes under way at a time */

void node_list_add(struct node_list *l, struct node *n, bool front)
{
	n->prev = front ? NULL : l->tail;
	n->next = front ? l->head : NULL;
	if (n->prev)
		n->prev->next = n;
	else
		l->head = n;
	if (n->next)
		n->next->prev = n;
	else
		l->tail = n;
}

void node_list_remove(struct node_list *l, struct node *n)
{
	if (n->prev)
		n->prev->next = n->next;
	else
		l->head = n->next;
	if (n->next)
		n->next->prev = n->prev;
	else
		l->tail = n->prev;
	n->prev = n->next = NULL;
}

static uint32_t hash_of(const struct store *st, uint64_t block)
{
	return (uint32_t)((block * 0x9e3779b97f4a7c15ull) >> 32) & st->hash_mask;
}

void node_init(struct store *st)
{
	st->free_nodes = NULL;
	st->free_count = 0;
	st->dirty = st->failed = (struct node_list){ NULL, NULL };
	memset(st->hash, 0, (st->hash_mask + 1) * sizeof(*st->hash));
	for (uint32_t i = st->node_count; i-- > 0;) {
		struct node *n = &st->nodes[i];
		void *data = n->data;

		memset(n, 0, sizeof(*n));
		n->data = data;
		n->st = st;
		n->next = st->free_nodes;
		st->free_nodes = n;
		st->free_count++;
	}
}

struct node *node_find(struct store *st, uint64_t block)
{
	struct node *n = st->hash[hash_of(st, block)];

	while (n && n->block != block)
		n = n->hash_next;
	return n;
}

static void hash_insert(struct store *st, struct node *n)
{
	uint32_t h = hash_of(st, n->block);

	n->hash_next = st->hash[h];
	st->hash[h] = n;
}

static void hash_remove(struct store *st, struct node *n)
{
	struct node **p = &st->hash[hash_of(st, n->block)];

	while (*p != n)
		p = &(*p)->hash_next;
	*p = n->hash_next;
	n->hash_next = NULL;
}

/* A node became free or can be evicted: whoever waits for one may try again. */
static void room_came(struct store *st)
{
	st->starved = false;
	st->reads_starved = false;
}

void node_release(struct store *st, struct node *n)
{
	hash_remove(st, n);
	n->state = NODE_FREE;
	n->block = 0;
	n->parent = NULL;
	n->ref = NULL;
	n->orphan = false;
	n->next = st->free_nodes;
	n->prev = NULL;
	st->free_nodes = n;
	st->free_count++;
	room_came(st);
}

/* Second chance: a node used since the hand last passed is spared once. */
static bool evict_one(struct store *st)
{
	for (uint32_t left = 2 * st->node_count; left; left--) {
		struct node *n = &st->nodes[st->clock_hand];

		st->clock_hand = (st->clock_hand + 1) % st->node_count;
		if ((n->state != NODE_CLEAN && n->state != NODE_BAD) || n->touched == st->serial ||
		    st->blocked_on == n)
			continue;
		if (n->used_bit) {
			n->used_bit = 0;
			continue;
		}
		node_release(st, n);
		return true;
	}
	return false;
}

/* Nothing can be evicted until something is written: some dirty node, or, when all of them are waiting for that, those
 * whose early writes failed. The caller does not wait for these, or a disk in trouble would be asked without a pause. */
static int write_some(struct store *st)
{
	if (st->node_writes >= SPILL_AHEAD || node_spill(st) || st->node_writes || !st->failed.head || st->reading)
		return STORE_PENDING;
	while (st->failed.head && st->node_writes < SPILL_AHEAD)
		node_write_failed(st, st->failed.head);
	return STORE_EIO;
}

int node_make_room(struct store *st, uint32_t count)
{
	while (st->free_count < count)
		if (!evict_one(st))
			return write_some(st);
	return STORE_OK;
}

struct node *node_take(struct store *st, uint64_t block, enum node_kind kind)
{
	struct node *n = st->free_nodes;

	node_forget(st, block);
	st->free_nodes = n->next;
	st->free_count--;
	n->next = NULL;
	n->block = block;
	n->kind = (uint8_t)kind;
	n->used_bit = 1;
	n->dirty_kids = 0;
	n->touched = st->serial;
	hash_insert(st, n);
	return n;
}

void node_rekey(struct store *st, struct node *n, uint64_t block)
{
	node_forget(st, block);
	hash_remove(st, n);
	n->block = block;
	hash_insert(st, n);
}

/* The block was free until now: what the cache holds of it is of an earlier life. */
void node_forget(struct store *st, uint64_t block)
{
	struct node *n = node_find(st, block);

	if (n && (n->state == NODE_CLEAN || n->state == NODE_BAD))
		node_release(st, n);
}

void node_set_dirty(struct store *st, struct node *n, struct node *parent, struct fmt_ref *ref)
{
	n->state = NODE_DIRTY;
	n->sum = 0;
	n->parent = parent;
	n->ref = ref;
	ref->block = n->block;
	ref->sum = 0;
	if (parent)
		parent->dirty_kids++;
	node_list_add(&st->dirty, n, false);
}

void node_unlink_dirty(struct store *st, struct node *n)
{
	node_list_remove(&st->dirty, n);
	if (n->parent)
		n->parent->dirty_kids--;
}

/* ---- I/O ---- */

static void load_done(struct blkreq *req)
{
	struct node *n = req->owner;
	struct store *st = n->st;
	struct store_op *op = n->waiters;

	st->serial++;
	n->touched = st->serial;
	n->waiters = NULL;
	n->state = NODE_CLEAN;
	if (req->status != BLK_OK) {
		n->state = NODE_BAD;
		n->status = STORE_EIO;
	} else if (store_sum(n->data) != n->sum) {
		n->state = NODE_BAD;
		n->status = STORE_DAMAGED;
	}
	room_came(st);
	st->delivering = n;
	while (op) {
		struct store_op *next = op->link;

		op->link = NULL;
		index_resume(st, op);
		op = next;
	}
	st->delivering = NULL;
	if (st->blocked_on == n)
		st->blocked_on = NULL;          /* store_work goes on with it */
	else if (n->state == NODE_BAD && n->status == STORE_EIO)
		node_release(st, n);            /* not remembered: the next try may succeed */
}

int node_get(struct store *st, const struct fmt_ref *ref, enum node_kind kind, struct node **out,
	     struct node **wait)
{
	struct node *n = node_find(st, ref->block);
	int status;

	*wait = NULL;
	if (n) {
		n->touched = st->serial;
		n->used_bit = 1;
		*out = *wait = n;
		if (n->state == NODE_LOADING)
			return STORE_PENDING;
		st->cache_hits++;
		/* A damaged reference may lead to a block that is here for another's sake (invariant 5). */
		if (n->state != NODE_BAD)
			return n->sum == ref->sum ? STORE_OK : STORE_DAMAGED;
		status = n->status;
		if (status == STORE_EIO && n != st->delivering)
			node_release(st, n);
		return status;
	}
	if (st->no_load)
		return STORE_PENDING;
	status = node_make_room(st, 1);
	if (status != STORE_OK)
		return status;
	n = node_take(st, ref->block, kind);
	n->state = NODE_LOADING;
	n->sum = ref->sum;
	n->req_buf[0] = n->data;
	n->req = (struct blkreq){ .op = BLK_READ, .count = 1, .block = n->block, .bufs = n->req_buf,
				  .done = load_done, .owner = n };
	st->cache_misses++;
	st->blocks_read++;
	*wait = n;
	st->dev->submit(st->dev, &n->req);
	return STORE_PENDING;
}

static void write_done(struct blkreq *req)
{
	struct node *n = req->owner;
	struct store *st = n->st;

	st->node_writes--;
	if (n->orphan) {
		node_release(st, n);
	} else if (req->status == BLK_OK) {
		n->state = NODE_CLEAN;
	} else {
		n->state = NODE_FAILED;
		node_list_add(&st->failed, n, false);
	}
	room_came(st);
}

void node_write_again(struct store *st, struct node *n)
{
	n->state = NODE_WRITING;
	n->req_buf[0] = n->data;
	n->req = (struct blkreq){ .op = BLK_WRITE, .count = 1, .block = n->block, .bufs = n->req_buf,
				  .done = write_done, .owner = n };
	st->node_writes++;
	st->blocks_written++;
	st->dev->submit(st->dev, &n->req);
}

void node_write_failed(struct store *st, struct node *n)
{
	node_list_remove(&st->failed, n);
	node_write_again(st, n);
}

void node_write(struct store *st, struct node *n)
{
	n->sum = store_sum(n->data);
	n->ref->sum = n->sum;
	node_unlink_dirty(st, n);
	n->parent = NULL;
	n->ref = NULL;
	written_node(st, n);
	if (n->kind == NODE_MAP)
		st->now_map++;
	else
		st->now_index++;
	node_write_again(st, n);
}

bool node_spill(struct store *st)
{
	if (written_no_room(st))
		return false;
	for (struct node *n = st->dirty.head; n; n = n->next)
		if (!n->dirty_kids && n != st->win.page && n->touched != st->serial) {
			node_write(st, n);
			return true;
		}
	return false;
}
