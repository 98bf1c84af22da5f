/* SPDX-License-Identifier: BSD-2-Clause
 * Commit: makes the current state a generation. The phases and what each may trust are in the diagram at the top
 * of store.c; commit_step does one unit. A failure ends the caller's operation; the phase stays, and the
 * next store_commit goes on from it, except that before the nodes are written changes can be made
 * again, so that a full disk can be relieved and a failed put repeated.
 */
#include <string.h>

#include "store_priv.h"

/* What was asked for since store_commit belongs to the generation after this one, while what is asked for now is to
 * help this one: so the former waits for the repetition (queue_after_commit), but for puts that are repeated: without
 * them it cannot succeed. */
static void queue_put_off(struct store *st)
{
	struct store_op *op = st->queue, *next;

	st->queue = NULL;
	st->queue_end = &st->queue;
	for (; op; op = next) {
		struct store_op ***end = op->unwritten ? &st->queue_end : &st->later_end;

		next = op->link;
		op->link = NULL;
		**end = op;
		*end = &op->link;
	}
}

/* The commit stands at the end of the queue again: behind it comes what was put off. */
void queue_after_commit(struct store *st)
{
	if (!st->later)
		return;
	*st->queue_end = st->later;
	st->queue_end = st->later_end;
	st->later = NULL;
	st->later_end = &st->later;
}

void commit_fail(struct store *st, int status)
{
	struct store_op *op = st->commit_op;

	st->commit_op = NULL;
	st->commit_errors++;
	if (st->phase < COMMIT_NODES) {
		st->phase = COMMIT_NONE;
		st->begun = true;
		queue_put_off(st);
	}
	op_finish(op, status);
}

/* A put must be repeated; whoever put the page knows which. */
static void unwritten_fail(struct store *st)
{
	st->commit_op->block = 0;
	commit_fail(st, STORE_UNWRITTEN);
}

/* Must a put be repeated before the commit can succeed? Then changes can be made again; nothing is being written, so the
 * window begins anew (the one that was open has had its map page written). */
static bool settle_unwritten(struct store *st)
{
	if (st->phase != COMMIT_SETTLE || !st->unwritten || st->node_writes || st->puts_in_flight || st->io_busy)
		return false;
	delta_unmake(st);
	window_rewind(st);
	st->phase = COMMIT_NONE;
	if (st->commit_op) {
		unwritten_fail(st);
	} else {
		st->begun = true;
		queue_put_off(st);
	}
	return true;
}

static void io_done(struct blkreq *req)
{
	struct store *st = req->owner;

	st->io_busy = false;
	st->io_status = req->status;
}

void io_submit(struct store *st, enum blk_op op, uint64_t block, void *page)
{
	st->io_buf[0] = page;
	st->io = (struct blkreq){ .op = op, .count = op == BLK_FLUSH ? 0 : 1, .block = block, .bufs = st->io_buf,
				  .done = io_done, .owner = st };
	st->io_busy = true;
	st->io_status = BLK_OK;
	if (op == BLK_FLUSH)
		st->flushes++;
	else if (op == BLK_WRITE)
		st->blocks_written++;
	else
		st->blocks_read++;
	st->dev->submit(st->dev, &st->io);
}

static uint32_t table_blocks_for(uint32_t records)
{
	return (records + FMT_GENS_PER_BLOCK - 1) / FMT_GENS_PER_BLOCK;
}

/* Is the step to be repeated, now or later? */
static bool step_again(struct store *st, int status)
{
	if (status != STORE_AGAIN && status != STORE_PENDING)
		commit_fail(st, status);
	return status != STORE_PENDING;
}

static void table_free(struct store *st)
{
	if (st->delta.mode == DELTA_ON)
		delta_free_table(st);
	for (uint32_t i = 0; i < st->table_count; i++)
		block_free(st, st->table_blocks[i]);
	st->table_count = 0;
}

/* Decide what is kept, and whether a delta will do; blocks for the generation table and the delta; the old table's
 * go. Begins anew when the commit does, after a failure: what is kept may be something else then. */
static bool step_table(struct store *st, struct node **wait)
{
	uint32_t want, more;
	int status = STORE_OK;

	if (st->unwritten) {
		unwritten_fail(st);
		return true;
	}
	if (st->delta.mode != DELTA_FOLDING)    /* which is tried often, and planned anew behind it */
		st->new_kept = kept_plan(st);
	want = table_blocks_for(st->new_kept);
	if (st->delta.mode == DELTA_FOLDING || delta_folds(st, want)) {
		status = delta_fold(st, &st->commit_op->block, wait);
		return step_again(st, status == STORE_OK ? STORE_AGAIN : status);
	}
	delta_unmake(st);
	table_free(st);
	more = st->delta.mode == DELTA_ON ? delta_blocks(st, want) : 0;
	if (more || st->new_table_count < want)
		status = window_ensure(st, more + want, wait);
	if (status == STORE_FULL)
		status = shed(st);
	if (status != STORE_OK)
		return step_again(st, status);
	while (st->new_table_count < want)
		st->new_table[st->new_table_count++] = window_alloc(st);
	while (st->new_table_count > want) {
		uint64_t block = st->new_table[--st->new_table_count];

		if (more)
			delta_recycle(st, block);
		else
			block_free(st, block);
	}
	if (more)
		delta_take(st, more);
	st->new_table_left = want;
	st->io.owner = NULL;
	st->table = (struct fmt_ref){ 0, 0 };
	st->phase = COMMIT_FREES;
	return true;
}

static bool step_frees(struct store *st, struct node **wait)
{
	int status;

	if (!st->frees_count) {
		st->phase = COMMIT_NODES;
		return true;
	}
	status = frees_step(st, wait);
	if (status == STORE_FULL) {
		st->phase = COMMIT_TABLE;       /* less will be kept than was decided */
		status = shed(st);
	}
	if (status == STORE_PENDING)
		return false;
	if (status != STORE_AGAIN && status != STORE_OK)
		commit_fail(st, status);
	return true;
}

/* The last node made dirty has no dirty child unless a tree grew or a node was written early: then it goes to
 * the other end. With a delta there are no dirty nodes. */
static bool step_nodes(struct store *st)
{
	struct node *n = st->dirty.tail;
	int status = st->delta.mode == DELTA_ON ? delta_write(st) : STORE_OK;

	if (status != STORE_OK)
		return status == STORE_AGAIN;
	if (!n) {
		st->phase = COMMIT_SETTLE;
		st->io.owner = NULL;
		return true;
	}
	if (n->dirty_kids) {
		node_list_remove(&st->dirty, n);
		node_list_add(&st->dirty, n, true);
		return true;
	}
	if (n == st->win.page)
		st->win.page = NULL;
	node_write(st, n);
	return true;
}

/* The table's blocks are written from the last to the first, since each has the sum of the next. */
static void table_write(struct store *st)
{
	uint32_t at = st->new_table_left - 1;
	struct fmt_gens *t = st->gens;

	memset(t, 0, sizeof(*t));
	t->magic = FMT_GENS_MAGIC;
	t->version = FMT_VERSION;
	t->next = st->table;
	t->count = kept_records(st, at * FMT_GENS_PER_BLOCK, t->gen, FMT_GENS_PER_BLOCK);
	io_submit(st, BLK_WRITE, st->new_table[at], t);
}

/* Something has to be put again, so changes are made again. The window's map page is written, perhaps: it is opened anew. */
static bool settle_back(struct store *st, int status)
{
	delta_unmake(st);
	window_rewind(st);
	st->phase = COMMIT_NONE;
	commit_fail(st, status);
	return true;
}

/* Everything is written. After a failed flush it is written again; what is lost is looked for; then: flush. */
static bool settle_written(struct store *st)
{
	struct node *wait = NULL;
	int status = st->written.doubt ? written_again(st, &wait) : written_lost(st, st->commit_op, &wait);

	if (status == STORE_AGAIN || (status == STORE_OK && (st->written.lost || st->written.hopeless)))
		return true;
	if (st->io_busy || step_waits(st, status, wait))
		return false;
	if (status != STORE_OK && !st->written.doubt)
		return settle_back(st, status); /* what is lost can be put again, or is made anew */
	if (status != STORE_OK) {
		commit_fail(st, status);
		return true;
	}
	io_submit(st, BLK_FLUSH, 0, NULL);
	st->phase = COMMIT_FLUSH;
	return false;
}

/* The first flush has failed, or another one beside it. The table is written again from memory, all else by written.c. */
static void settle_again(struct store *st)
{
	st->phase = COMMIT_SETTLE;
	st->new_table_left = st->new_table_count;
	st->table = (struct fmt_ref){ 0, 0 };
	st->io.owner = NULL;
}

static bool step_settle(struct store *st)
{
	if (st->io_busy)
		return false;
	if (st->new_table_left) {
		if (!st->io.owner) {
			table_write(st);
			return false;
		}
		st->io.owner = NULL;
		if (st->io_status != BLK_OK) {
			commit_fail(st, STORE_EIO);
			return true;
		}
		st->table = (struct fmt_ref){ st->new_table[--st->new_table_left], store_sum(st->gens) };
		st->now_map++;
		return true;
	}
	if (st->node_writes || st->puts_in_flight)
		return false;
	if (settle_unwritten(st))
		return true;
	if (st->failed.head) {
		commit_fail(st, STORE_EIO);
		return true;
	}
	return settle_written(st);
}

static uint64_t first_region(const struct store *st)
{
	uint64_t r = 0;

	while (r < st->regions && st->region[r] & (REGION_FULL | REGION_BAD))
		r++;
	return r < st->regions ? r : 0;
}

static bool with_delta(const struct store *st)
{
	bool delta = st->delta.mode == DELTA_ON;

	for (uint32_t i = 0; i < st->kept_count; i++)
		delta |= st->kept[i].planned && st->kept[i].g.delta.block;
	return delta;
}

static void super_build(struct store *st)
{
	struct fmt_super *s = st->super;
	struct fmt_generation *g = &s->gen;

	memset(s, 0, sizeof(*s));
	delta_seal(st, g);
	g->generation = st->newest + 1;
	g->parent = st->last.generation;
	g->boot = st->boot;
	g->clients = st->clients;
	g->map = st->map;
	g->used = st->used;
	g->freed = st->freed;
	g->index_blocks = st->index_blocks;
	g->table = st->table;
	g->base = g->parent;
	g->base_freed = g->freed;
	kept_base(st, g);
	state_record(st, g);
	memcpy(g->user, st->user, sizeof(g->user));
	s->magic = FMT_SUPER_MAGIC;
	s->version = FMT_VERSION;
	s->slot = 1 - st->slot;
	memcpy(s->uuid, st->uuid, sizeof(s->uuid));
	s->blocks = st->blocks;
	s->block_size = FMT_BLOCK;
	s->kept = st->new_kept;
	s->keep = st->keep;
	s->features_incompat = (st->table.block ? FMT_INCOMPAT_TABLE : 0) | (with_delta(st) ? FMT_INCOMPAT_DELTA : 0);
	s->generation = g->generation;
	s->boot = st->boot;
	s->alloc_hint = first_region(st);
	super_seal(s);
}

static void commit_succeeded(struct store *st)
{
	struct store_op *op = st->commit_op;

	st->last = st->super->gen;
	alloc_committed(st);
	kept_committed(st, &st->last, st->super->slot);
	delta_committed(st, st->last.generation);
	st->newest = st->last.generation;
	st->slot = st->super->slot;
	st->phase = COMMIT_NONE;
	if (st->guard_left && !--st->guard_left)
		st->guard_count = 0;
	memcpy(st->table_blocks, st->new_table, sizeof(st->table_blocks));
	st->table_count = st->new_table_count;
	st->new_table_count = 0;
	st->frees_failed = false;
	st->trash = TRASH_UNKNOWN;
	st->io.owner = NULL;
	st->commits++;
	st->last_pages = st->now_pages;
	st->last_index = st->now_index;
	st->last_map = st->now_map;
	st->now_pages = st->now_index = st->now_map = 0;
	st->commit_op = NULL;
	op_finish(op, STORE_OK);
}

static void super_submit(struct store *st)
{
	st->super_errors = st->flush_errors;
	io_submit(st, BLK_WRITE, FMT_SUPER_BLOCK(1 - st->slot), st->super);
	st->phase = COMMIT_SUPER;
}

/* First flush, superblock, second flush. A failed one is repeated from itself, or, once the superblock may
 * have been written, from the superblock, in the same slot and with the same content. */
static bool step_durable(struct store *st)
{
	bool failed = st->io_status != BLK_OK;

	if (st->io_busy)
		return false;
	switch (st->phase) {
	case COMMIT_FLUSH:
		if (failed)
			written_doubt(st);
		if (st->written.doubt) {
			settle_again(st);
			if (failed)
				commit_fail(st, STORE_EIO);
			return true;
		}
		written_flushed(st, st->written.count);
		super_build(st);
		break;
	case COMMIT_SUPER:
		if (!failed) {
			io_submit(st, BLK_FLUSH, 0, NULL);
			st->phase = COMMIT_FLUSH_SUPER;
			return false;
		}
		commit_fail(st, STORE_EIO);
		return true;
	default:
		st->flush_errors += failed;
		if (st->flush_errors == st->super_errors) {
			commit_succeeded(st);
			return true;
		}
		st->phase = COMMIT_SUPER;
		commit_fail(st, STORE_EIO);
		return true;
	}
	super_submit(st);
	return false;
}

bool commit_step(struct store *st)
{
	struct node *wait = NULL;
	bool more;

	if (!st->commit_op)
		return settle_unwritten(st);    /* the caller may wait for the put before it repeats the commit */
	if (st->blocked_on || st->starved)
		return false;
	switch (st->phase) {
	case COMMIT_TABLE:
		more = step_table(st, &wait);
		break;
	case COMMIT_FREES:
		more = step_frees(st, &wait);
		break;
	case COMMIT_NODES:
		return step_nodes(st);
	case COMMIT_SETTLE:
		return step_settle(st);
	default:
		return step_durable(st);
	}
	if (!more)
		(void)step_waits(st, STORE_PENDING, wait);
	return more;
}

/* Begin with the commit at the head of the queue, or repeat the one that failed. */
void commit_start(struct store *st, struct store_op *op)
{
	st->commit_op = op;
	st->commit_queued = false;
	st->frees_failed = false;
	if (st->phase == COMMIT_NONE) {
		st->phase = COMMIT_TABLE;
		return;
	}
	while (st->failed.head)
		node_write_failed(st, st->failed.head);
	if (st->phase == COMMIT_SUPER)
		super_submit(st);
}
