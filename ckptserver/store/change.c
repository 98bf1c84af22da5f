/* SPDX-License-Identifier: BSD-2-Clause
 * Changes: put, remove, range, drop. They form one queue and take effect in its order, one at a time.
 *
 * Each is tried by change_run: first everything it will need is made present (index nodes, an open window with
 * enough free blocks, free cache nodes, room in the list of blocks to free); if something is missing nothing
 * has changed yet, and the change is tried again when it has come. Past that point nothing can fail.
 *
 * Few changes since the last commit go into the delta (delta.c), more go to the trees.
 */
#include <string.h>

#include "store_priv.h"

void op_finish(struct store_op *op, int status)
{
	op->status = status;
	op->waiting = false;
	if (op->done)
		op->done(op);
}

void change_queue(struct store *st, struct store_op *op)
{
	op->waiting = true;
	op->status = STORE_PENDING;
	op->link = NULL;
	*st->queue_end = op;
	st->queue_end = &op->link;
}

/* What a change of (client, vpn) needs of the index. */
int change_prepare(struct store *st, uint32_t client, uint64_t vpn, uint64_t *bad, uint32_t *need, struct node **wait)
{
	struct fmt_client c;
	int status = tree_prepare(st, &st->clients, client / FMT_CLIENTS_PER_PAGE, NODE_INDEX, true, need, bad, wait);

	if (status == STORE_OK)
		status = client_find(st, client, &c, bad, wait);
	if (status == STORE_OK)
		status = tree_prepare(st, &c.tree, vpn, NODE_INDEX, false, need, bad, wait);
	return status;
}

/* The same where the path was walked in this step: all of it is cached, so that it can be counted and no more. */
uint32_t change_count(struct store *st, uint32_t client, uint64_t vpn)
{
	struct node *wait;
	uint32_t need = 0;
	uint64_t bad;

	(void)change_prepare(st, client, vpn, &bad, &need, &wait);
	return need;
}

/* Blocks, nodes and room for a change; the last thing before it is made. */
int change_provide(struct store *st, uint32_t need, struct node **wait)
{
	int status;

	*wait = NULL;
	if (frees_room(st) < STORE_FREES_ROOM) {
		status = frees_step(st, wait);
		return status;
	}
	status = window_ensure(st, need, wait);
	if (status == STORE_FULL)
		return shed(st);
	if (status != STORE_OK)
		return status;
	*wait = NULL;
	return node_make_room(st, need);
}

/* The client's record, writable, after prepare and provide. */
struct fmt_client *change_client(struct store *st, uint32_t client, struct node **page)
{
	struct node *holder;
	struct fmt_ref *ref = tree_open(st, &st->clients, NULL, client / FMT_CLIENTS_PER_PAGE, NODE_INDEX, &holder);

	if (!ref->block)
		st->clients.pages++;
	*page = tree_dirty(st, ref, holder, NODE_INDEX);
	return &((struct fmt_client *)(*page)->data)[client % FMT_CLIENTS_PER_PAGE];
}

static void is_promised(struct store *st)
{
	if (st->reserved)
		st->reserved--;
}

static void put_done(struct blkreq *req)
{
	struct store_op *op = req->owner;
	struct store *st = op->st;

	if (!--st->puts_in_flight)
		st->starved = false;            /* the window may be waiting for this */
	if (req->status != BLK_OK) {
		op->unwritten = true;
		st->unwritten++;
	}
	op_finish(op, req->status == BLK_OK ? STORE_OK : STORE_EIO);
}

static void put_submit(struct store *st, struct store_op *op)
{
	op->req_buf[0] = op->buf;
	op->req = (struct blkreq){ .op = BLK_WRITE, .count = 1, .block = op->block, .bufs = op->req_buf,
				   .done = put_done, .owner = op };
	st->puts_in_flight++;
	written_page(st, op);
	st->blocks_written++;
	st->pages_put++;
	st->now_pages++;
	st->dev->submit(st->dev, &op->req);
}

/* Begin to fold, or go on: the change is tried again afterwards. */
static int fold_first(struct store *st, struct store_op *op, struct node **wait)
{
	int status = delta_fold(st, &op->block, wait);

	return status == STORE_OK ? STORE_AGAIN : status;
}

/* A change of one page that goes into the delta: op->hole, or a new block. */
static int run_delta(struct store *st, struct store_op *op, uint64_t vpn, struct node **wait)
{
	struct fmt_ref ref = { 0, 0 };
	bool hole = op->kind != OP_PUT || op->hole, known = delta_knows(st, op->client, vpn);
	int status;

	if (!delta_takes(st, op->client, vpn))
		return fold_first(st, op, wait);
	status = overlay_lookup(st, op->client, vpn, &ref, &op->block, wait);
	if (status != STORE_OK || (hole && !ref.block))
		return status;
	if (hole) {
		state_change(st, op->client, vpn, ref, (struct fmt_ref){ 0, 0 });
		delta_set(st, op->client, vpn, (struct fmt_ref){ 0, 0 }, !known);
		return STORE_OK;
	}
	if (space_free(st) < space_slush(st) + (st->reserved ? 0 : 1 + space_index(st, st->delta.count + 1)))
		status = STORE_FULL;
	else
		status = window_ensure(st, 1, wait);
	if (status == STORE_FULL) {
		*wait = NULL;
		return shed(st);
	}
	if (status != STORE_OK)
		return status;
	op->block = window_alloc(st);
	state_change(st, op->client, vpn, ref, (struct fmt_ref){ op->block, op->sum });
	delta_set(st, op->client, vpn, (struct fmt_ref){ op->block, op->sum }, !known && ref.block);
	return STORE_OK;
}

static int run_put_delta(struct store *st, struct store_op *op, struct node **wait)
{
	int status = run_delta(st, op, op->vpn, wait);

	if (status != STORE_OK)
		return status;
	is_promised(st);
	store_put_forget(st, op);
	put_submit(st, op);
	return STORE_PENDING;
}

static int run_put(struct store *st, struct store_op *op, struct node **wait)
{
	struct fmt_client *client;
	struct node *page, *holder;
	struct fmt_ref *ref, old;
	uint32_t need = 1;
	int status = change_prepare(st, op->client, op->vpn, &op->block, &need, wait);

	if (status != STORE_OK)
		return status;
	if (space_free(st) < space_slush(st) + (st->reserved ? 0 : need)) {
		*wait = NULL;
		return shed(st);
	}
	status = change_provide(st, need, wait);
	if (status != STORE_OK)
		return status;
	client = change_client(st, op->client, &page);
	client->flags |= FMT_CLIENT_EXISTS;
	ref = tree_open(st, &client->tree, page, op->vpn, NODE_INDEX, &holder);
	old = *ref;
	if (ref->block && ref_valid(st, ref))
		block_free(st, ref->block);
	else
		client->tree.pages++;
	op->block = window_alloc(st);
	*ref = (struct fmt_ref){ op->block, op->sum };
	state_change(st, op->client, op->vpn, old, *ref);
	is_promised(st);
	store_put_forget(st, op);
	put_submit(st, op);
	return STORE_PENDING;
}

/* Make holes of the pages [vpn, end) that are in one leaf; the first exists. */
static int clear_leaf(struct store *st, struct store_op *op, uint64_t vpn, uint64_t end, struct node **wait)
{
	struct fmt_client *client;
	struct node *page, *holder;
	struct fmt_ref *ref;
	int status = change_provide(st, change_count(st, op->client, vpn), wait);

	if (status != STORE_OK)
		return status;
	client = change_client(st, op->client, &page);
	ref = tree_open(st, &client->tree, page, vpn, NODE_INDEX, &holder);
	for (; vpn < end; vpn++, ref++) {
		if (!ref->block)
			continue;
		if (ref_valid(st, ref)) {
			block_free(st, ref->block);
			client->tree.pages--;
		}
		state_change(st, state_client(op->client, client), vpn, *ref, (struct fmt_ref){ 0, 0 });
		*ref = (struct fmt_ref){ 0, 0 };
	}
	tree_prune(st, &client->tree, page, holder);
	return STORE_OK;
}

static int run_remove(struct store *st, struct store_op *op, struct node **wait)
{
	struct fmt_ref ref;
	int status;

	op->hole = true;
	if (st->delta.mode == DELTA_ON)
		return run_delta(st, op, op->vpn, wait);
	status = overlay_lookup(st, op->client, op->vpn, &ref, &op->block, wait);
	if (status != STORE_OK || !ref.block)
		return status;
	return clear_leaf(st, op, op->vpn, op->vpn + 1, wait);
}

static int run_range(struct store *st, struct store_op *op, struct node **wait)
{
	struct fmt_client c;
	struct fmt_ref ref;
	uint64_t vpn, end;
	int status = overlay_next(st, op->client, &op->cursor, &ref, &op->block, wait);

	if (status == STORE_END || (status == STORE_OK && op->cursor >= op->end))
		return STORE_OK;
	if (status != STORE_OK)
		return status;
	vpn = op->cursor;
	if (st->delta.mode == DELTA_ON) {
		status = run_delta(st, op, vpn, wait);
		op->cursor += status == STORE_OK;
		return status == STORE_OK ? STORE_AGAIN : status;
	}
	(void)client_find(st, op->client, &c, &op->block, wait);        /* as overlay_next did */
	if (op->leaves >= st->cut_after) {
		status = trash_cut(st, op, &c.tree, vpn, &op->cursor, wait);
		if (status != STORE_END)
			return status == STORE_OK ? STORE_AGAIN : status;
	}
	end = c.tree.height ? (vpn | (FMT_FANOUT - 1)) + 1 : vpn + 1;
	if (end > op->end)
		end = op->end;
	status = clear_leaf(st, op, vpn, end, wait);
	if (status != STORE_OK)
		return status;
	op->leaves++;
	op->cursor = end;
	return STORE_AGAIN;
}

static int run_drop(struct store *st, struct store_op *op, struct node **wait)
{
	struct fmt_client c, *client;
	struct node *page;
	int status;

	if (st->delta.mode == DELTA_ON)
		return fold_first(st, op, wait);
	status = run_range(st, op, wait);
	if (status != STORE_OK)
		return status;
	(void)client_find(st, op->client, &c, &op->block, wait);        /* as run_range did */
	if (!(c.flags & FMT_CLIENT_EXISTS))
		return STORE_OK;
	status = change_provide(st, change_count(st, op->client, 0), wait);
	if (status != STORE_OK)
		return status;
	client = change_client(st, op->client, &page);
	memset(client, 0, sizeof(*client));
	if (store_is_zero(page->data))
		st->clients.pages--;
	tree_prune(st, &st->clients, NULL, page);
	return STORE_OK;
}

static int run_put_zero(struct store *st, struct store_op *op, struct node **wait)
{
	int status = run_remove(st, op, wait);

	if (status == STORE_OK) {
		store_put_forget(st, op);
		is_promised(st);
		st->pages_zero++;
	}
	return status;
}

static int change_try(struct store *st, struct store_op *op, struct node **wait)
{
	if (st->delta.mode == DELTA_FOLDING)
		return fold_first(st, op, wait);
	switch (op->kind) {
	case OP_PUT:
		if (op->hole)
			return run_put_zero(st, op, wait);
		return st->delta.mode == DELTA_ON ? run_put_delta(st, op, wait) : run_put(st, op, wait);
	case OP_REMOVE:
		return run_remove(st, op, wait);
	case OP_RANGE:
		return run_range(st, op, wait);
	default:
		return run_drop(st, op, wait);
	}
}

/* A put on whose way there is a damaged node fails, unless it was told to mend it. Whoever removes does not want
 * what is there, readable or not. */
static int change_mend(struct store *st, struct store_op *op, struct node **wait)
{
	bool range = op->kind == OP_RANGE || op->kind == OP_DROP;
	uint64_t vpn = range ? op->cursor : op->vpn, end = range ? op->end : op->vpn + 1;

	if (op->kind == OP_RANGE && vpn >= end)
		return STORE_OK;                        /* beyond what is removed */
	if (st->delta.mode != DELTA_OFF)
		return fold_first(st, op, wait);        /* what is lost page by page can be put in the tree */
	if (op->kind == OP_PUT && !op->mend)
		return STORE_DAMAGED;
	return mend(st, op->client, vpn, op->vpn, end, &op->block, wait);
}

int change_run(struct store *st, struct store_op *op, struct node **wait)
{
	int status;

	*wait = NULL;
	status = change_try(st, op, wait);
	return status == STORE_DAMAGED ? change_mend(st, op, wait) : status;
}
