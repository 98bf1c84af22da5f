/* SPDX-License-Identifier: BSD-2-Clause
 * The checkpoint store: set-up, the calls of store.h, and store_work. To read on: index.c (how a page is
 * found), change.c and alloc.c (how it gets a new place), delta.c (where small changes go), commit.c (how that becomes
 * durable), recover.c (how it is found again), format.h (what is on the disk).
 *
 * Invariants. Tests and comments refer to them by number.
 *  (1) A generation is durable from the completion of the flush after its superblock; every block it reaches
 *      was durable (written, completed, then flushed) before that superblock was submitted.
 *  (2) No block that is marked in the map of a kept generation, or taken by its delta, is ever written. Kept are: all
 *      that the two superblocks on the disk name, themselves or in their tables, and, from the submission of a
 *      superblock, the generation in it: nothing is changed until that one is known to be durable.
 *  (3) A superblock is written only to the slot that does not hold the last durable generation. Until one is known
 *      to be durable, every try writes the same content to the same slot.
 *  (4) Two writes to the same block are never under way at once.
 *  (5) Nothing read from the disk is used unless it matches the checksum in the reference that led to it, and
 *      every number in it is checked before use.
 *  (6) A DIRTY node is referred to by a DIRTY node or by the store itself, and was not reachable in any generation:
 *      it has its own new block, marked in the current map.
 *  (7) At a full commit, the current map has exactly the blocks that the new generation reaches (but for those counted
 *      as leaked, after damage). At a commit with a delta, the map is that of the full generation it builds on; it has
 *      those that the new generation reaches, without what its delta takes, and with what its delta replaced.
 *  (8) A change or look-up either has all its effect in one step, or none.
 *  (9) Generation numbers never repeat, as far as anybody could have seen one.
 * (10) While changes go into the overlay (delta.c, mode DELTA_ON) there is no DIRTY node, no block waits to be freed, and
 *      both trees are those of the full generation. What the overlay says of a page goes before the trees.
 * (11) A commit with a delta keeps a generation that shares neither root with it.
 *
 * A commit:
 *
 *   NONE -> TABLE -> FREES -> NODES -> SETTLE -> FLUSH -> SUPER -> FLUSH_SUPER -> NONE (durable)
 *    ^________|________|         ^_______|________|  ^________________|
 *
 *   NONE -> TABLE           [commit_start]  changes are queued, but not made, from here on
 *   TABLE -> FREES          [step_table]    what is kept is decided; the new table has its blocks, the old one's are freed;
 *                                           delta blocks are allocated, or the overlay is folded into the trees
 *   FREES -> NODES          [step_frees]    the map is final: nothing is allocated or freed any more
 *   NODES -> SETTLE         [step_nodes]    every dirty node is summed, its parent told, its write submitted; or every
 *                                           delta block is
 *   SETTLE -> FLUSH         [step_settle]   table and all pages and nodes are written
 *   FLUSH -> SUPER          [step_durable]  … and flushed; the superblock's content is fixed
 *   SUPER -> FLUSH_SUPER    [step_durable]  the superblock is written: nobody knows which generation a crash finds
 *   FLUSH_SUPER -> NONE     [step_durable]  durable
 *   back, on errors         [commit_fail]   TABLE, FREES -> NONE; SETTLE stays, or -> NONE if a put must be
 *                                           repeated; FLUSH -> SETTLE, and all that was written is
 *                                         written again (written.c); SUPER stays; FLUSH_SUPER -> SUPER
 */
#include <string.h>

#include "store_priv.h"

#define CUT_AFTER       64u     /* leaves */
#define FIXED_PAGES     7u

static size_t round_up(size_t bytes)
{
	return (bytes + 63) & ~(size_t)63;
}

static uint32_t hash_slots(uint32_t nodes)
{
	uint32_t n = 64;

	while (n < nodes)
		n *= 2;
	return n;
}

static uint64_t regions_of(uint64_t blocks)
{
	return (blocks + FMT_MAP_BITS - 1) >> FMT_MAP_SHIFT;
}

static uint32_t frees_of(uint64_t blocks)
{
	return STORE_FREES_MIN + (uint32_t)(regions_of(blocks) / 64);
}

size_t store_arena_bytes(uint64_t blocks, uint32_t nodes)
{
	return (size_t)(FIXED_PAGES + nodes) * FMT_BLOCK + round_up(sizeof(struct store)) +
	       round_up(nodes * sizeof(struct node)) + round_up(hash_slots(nodes) * sizeof(struct node *)) +
	       2 * round_up(regions_of(blocks)) + round_up(frees_of(blocks) * sizeof(uint64_t)) +
	       round_up((delta_room(blocks) + 1) * sizeof(struct delta_entry)) +
	       round_up(written_room(blocks) * sizeof(struct written));
}

static void *carve(uint8_t **at, size_t bytes)
{
	void *p = *at;

	*at += round_up(bytes);
	return p;
}

int store_init(void *arena, size_t bytes, struct blkdev *dev, struct store **out)
{
	uint8_t *pages = arena, *at;
	uint32_t nodes = bytes / FMT_BLOCK < UINT32_MAX / 2 ? (uint32_t)(bytes / FMT_BLOCK) : UINT32_MAX / 2;
	struct store *st;

	while (nodes >= STORE_MIN_NODES && store_arena_bytes(dev->blocks, nodes) > bytes)
		nodes -= 1 + nodes / 1024;
	if (nodes < STORE_MIN_NODES || ((uintptr_t)arena & (FMT_BLOCK - 1)))
		return STORE_NOMEM;
	at = pages + (size_t)(FIXED_PAGES + nodes) * FMT_BLOCK;
	st = carve(&at, sizeof(*st));
	memset(st, 0, sizeof(*st));
	st->dev = dev;
	st->node_count = nodes;
	st->hash_mask = hash_slots(nodes) - 1;
	st->nodes = carve(&at, nodes * sizeof(struct node));
	st->hash = carve(&at, (st->hash_mask + 1) * sizeof(struct node *));
	st->region = carve(&at, regions_of(dev->blocks));
	st->region_age = carve(&at, regions_of(dev->blocks));
	st->frees_size = frees_of(dev->blocks);
	st->frees = carve(&at, st->frees_size * sizeof(uint64_t));
	st->delta.room = delta_room(dev->blocks);
	st->delta.entry = carve(&at, (st->delta.room + 1) * sizeof(struct delta_entry));
	st->written.size = written_room(dev->blocks);
	st->written.list = carve(&at, st->written.size * sizeof(struct written));
	st->written.page = pages + 6 * FMT_BLOCK;
	st->delta.per_block = FMT_DELTA_RECORDS;
	st->delta.chain_max = DELTA_CHAIN;
	st->super = (void *)pages;
	st->super_other = (void *)(pages + FMT_BLOCK);
	st->gens = (void *)(pages + 2 * FMT_BLOCK);
	st->boot_page = (void *)(pages + 3 * FMT_BLOCK);
	st->sync_page = pages + 4 * FMT_BLOCK;
	st->win.busy = (void *)(pages + 5 * FMT_BLOCK);
	for (uint32_t i = 0; i < nodes; i++)
		st->nodes[i].data = pages + (FIXED_PAGES + i) * FMT_BLOCK;
	store_forget(st);
	*out = st;
	return STORE_OK;
}

void store_forget(struct store *st)
{
	node_init(st);
	memset(st->region, 0, regions_of(st->dev->blocks));
	memset(st->region_age, STORE_OLD, regions_of(st->dev->blocks));
	window_reset(st);
	st->look_again = false;
	st->hint = 0;
	st->blocks = st->regions = 0;
	st->kept_count = 0;
	st->keep = STORE_KEEP_DEFAULT;
	st->guard_count = st->guard_left = 0;
	st->held = st->held_fixed = 0;
	st->shed_left = 0;
	st->trash = TRASH_UNKNOWN;
	st->cut_after = CUT_AFTER;
	st->shed_status = STORE_OK;
	st->table_count = st->new_table_count = 0;
	st->newest = 0;
	st->report_count = 0;
	st->frees_first = st->frees_count = 0;
	st->used = st->freed = st->index_blocks = st->reserved = 0;
	st->queue = NULL;
	st->queue_end = &st->queue;
	st->later = NULL;
	st->later_end = &st->later;
	st->blocked_on = NULL;
	st->starved = st->frees_failed = false;
	st->starved_reads = NULL;
	st->reads_starved = st->no_load = st->reading = false;
	st->again_reads = st->late_reads = NULL;
	st->late_reads_end = &st->late_reads;
	st->reads_walking = 0;
	st->reads_walking_max = st->node_count / 16;
	st->phase = COMMIT_NONE;
	st->begun = st->commit_queued = false;
	st->commit_op = st->boot_op = NULL;
	st->io.owner = NULL;
	st->unwritten = 0;
	st->written.count = st->written.lost = st->written.next = 0;
	st->written.doubt = st->written.flushing = st->written.hopeless = st->written.tried = false;
	st->written.doing = WRITTEN_IDLE;
	delta_reset(st, 0);
	memset(&st->last, 0, sizeof(st->last));
}

const char *store_strerror(int status)
{
	switch (status) {
	case STORE_PENDING:       return "under way";
	case STORE_OK:            return "done";
	case STORE_EIO:           return "input/output error";
	case STORE_DAMAGED:       return "content does not match its checksum";
	case STORE_FULL:          return "no free block";
	case STORE_EINVAL:        return "invalid argument or wrong state";
	case STORE_END:           return "no further page";
	case STORE_UNWRITTEN:     return "a page could not be written";
	case STORE_NOMEM:         return "too little memory for the store";
	case STORE_EMPTY:         return "the partition is empty";
	case STORE_FOREIGN:       return "the partition holds something else";
	case STORE_FUTURE:        return "written by a later version";
	case STORE_TOO_SMALL:     return "the partition is too small";
	case STORE_DEAD:          return "no intact generation";
	case STORE_NO_GENERATION: return "that generation is not kept";
	case STORE_TOO_MANY:      return "too many generations are named or pinned";
	}
	return "unknown status";
}

/* ---- Calls ---- */

static bool op_valid(struct store *st, struct store_op *op, enum op_kind kind)
{
	op->st = st;
	op->kind = (uint8_t)kind;
	op->cursor = 0;
	op->leaves = op->trash = 0;
	op->hole = false;
	op->status = STORE_EINVAL;
	return st->blocks && op->client < STORE_CLIENTS && op->vpn < STORE_VPN_END;
}

int store_lookup(struct store *st, struct store_op *op)
{
	return op_valid(st, op, OP_LOOKUP) ? index_begin(st, op) : STORE_EINVAL;
}

int store_read(struct store *st, struct store_op *op)
{
	return op_valid(st, op, OP_READ) ? index_begin(st, op) : STORE_EINVAL;
}

int store_next(struct store *st, struct store_op *op)
{
	uint64_t from = op->vpn;

	if (op->end > STORE_VPN_END || from > op->end)
		return op->status = STORE_EINVAL;
	if (from == op->end)
		return op->status = STORE_END;
	if (!op_valid(st, op, OP_NEXT))
		return STORE_EINVAL;
	op->cursor = from;
	return index_begin(st, op);
}

int store_diff(struct store *st, struct store_op *op, uint64_t a, uint64_t b)
{
	uint32_t client = op->client;

	if (op->vpn == STORE_VPN_END) {
		op->vpn = 0;
		client++;
	}
	op->client = client;
	if (client == STORE_CLIENTS)
		return op->status = STORE_END;
	if (!op_valid(st, op, OP_DIFF))
		return STORE_EINVAL;
	op->from = a;
	op->to = b;
	return index_begin(st, op);
}

bool step_waits(struct store *st, int status, struct node *wait)
{
	if (status != STORE_PENDING)
		return false;
	st->blocked_on = wait;
	st->starved = !wait;
	return true;
}

struct store_op *queue_take(struct store *st)
{
	struct store_op *op = st->queue;

	st->queue = op->link;
	if (!st->queue)
		st->queue_end = &st->queue;
	op->link = NULL;
	return op;
}

/* Run the first change of the queue. Takes it off unless it must be tried again. */
static int queue_step(struct store *st)
{
	struct store_op *op = st->queue;
	struct node *wait = NULL;
	int status = STORE_PENDING;

	st->serial++;
	op->req.owner = NULL;
	if (op->kind == OP_COMMIT) {
		op->req.owner = op;
		commit_start(st, op);
	} else {
		status = change_run(st, op, &wait);
	}
	if (status == STORE_AGAIN)
		return status;
	if (!op->req.owner && step_waits(st, status, wait))
		return status;
	queue_take(st);
	return status;
}

static bool queue_runs(const struct store *st)
{
	return st->queue && st->phase == COMMIT_NONE && !st->blocked_on && !st->starved &&
	       (!written_full(st) || st->queue->kind == OP_COMMIT);
}

/* Queue a change, and try it at once if it is the first. */
static int change(struct store *st, struct store_op *op)
{
	int status;

	change_queue(st, op);
	if (st->queue != op || !queue_runs(st))
		return STORE_PENDING;
	status = queue_step(st);
	if (status == STORE_AGAIN || status == STORE_PENDING)
		return STORE_PENDING;
	op->waiting = false;
	return op->status = status;
}

int store_put(struct store *st, struct store_op *op)
{
	if (!op_valid(st, op, OP_PUT))
		return STORE_EINVAL;
	op->hole = store_is_zero(op->buf);
	op->block = 0;
	op->sum = op->hole ? 0 : store_sum(op->buf);
	return change(st, op);
}

void store_put_forget(struct store *st, struct store_op *op)
{
	if (op->unwritten)
		st->unwritten--;
	op->unwritten = false;
}

int store_remove(struct store *st, struct store_op *op)
{
	return op_valid(st, op, OP_REMOVE) ? change(st, op) : STORE_EINVAL;
}

int store_remove_range(struct store *st, struct store_op *op)
{
	if (!op_valid(st, op, OP_RANGE) || op->end > STORE_VPN_END)
		return STORE_EINVAL;
	op->cursor = op->vpn;
	return change(st, op);
}

int store_drop_client(struct store *st, struct store_op *op)
{
	op->vpn = 0;
	op->end = STORE_VPN_END;
	return op_valid(st, op, OP_DROP) ? change(st, op) : STORE_EINVAL;
}

int store_begin(struct store *st, const uint8_t user[STORE_USER_BYTES])
{
	if (!st->blocks || st->phase != COMMIT_NONE || st->commit_queued)
		return STORE_EINVAL;
	memcpy(st->user, user, sizeof(st->user));
	st->begun = true;
	return STORE_OK;
}

static int commit_again(struct store *st, struct store_op *op)
{
	if (st->commit_op)
		return op->status = STORE_EINVAL;
	op->status = STORE_PENDING;
	commit_start(st, op);
	return STORE_PENDING;
}

int store_commit(struct store *st, struct store_op *op)
{
	op->client = 0;
	op->vpn = 0;
	op->block = 0;
	if (!op_valid(st, op, OP_COMMIT) || st->commit_queued)
		return STORE_EINVAL;
	if (st->phase != COMMIT_NONE)
		return commit_again(st, op);
	if (!st->begun)
		return STORE_EINVAL;
	st->begun = false;
	st->commit_queued = true;
	change_queue(st, op);
	queue_after_commit(st);
	return STORE_PENDING;
}

uint64_t store_generation(const struct store *st)
{
	return st->last.generation;
}

/* ---- Work ---- */

/* A step of what is done when nothing else is. *failed: it cannot go on, until the next commit at least. */
static bool idle_step(struct store *st, int (*step)(struct store *, struct node **), bool *failed)
{
	struct node *wait = NULL;
	int status;

	st->serial++;
	status = step(st, &wait);
	if (status == STORE_AGAIN || status == STORE_OK)
		return true;
	*failed |= !step_waits(st, status, wait);
	return false;
}

static bool trash_some(struct store *st)
{
	bool failed = false, more = idle_step(st, trash_step, &failed);

	if (failed)
		st->trash = TRASH_NONE;         /* none, or none that can be cleared now: after the next commit */
	return more;
}

/* Let one read go on that waits for its turn or for memory. */
static bool read_step(struct store *st)
{
	struct store_op *op = NULL;

	if (st->starved_reads && !st->reads_starved) {
		op = st->starved_reads;
		st->starved_reads = op->link;
	} else if (st->again_reads) {
		op = st->again_reads;
		st->again_reads = op->link;
	} else if (st->late_reads && st->reads_walking < st->reads_walking_max) {
		op = st->late_reads;
		st->late_reads = op->link;
		if (!st->late_reads)
			st->late_reads_end = &st->late_reads;
	}
	if (!op)
		return false;
	st->serial++;
	index_resume(st, op);
	return true;
}

bool store_work(struct store *st)
{
	if (read_step(st))
		return true;
	if (st->shed_left)
		return shed_step(st);
	if (written_full(st) && st->phase <= COMMIT_NODES && (st->phase == COMMIT_NONE ? !queue_runs(st) : st->commit_op != NULL)) {
		st->serial++;
		return written_step(st);
	}
	if (st->phase != COMMIT_NONE) {
		st->serial++;
		return commit_step(st);
	}
	if (queue_runs(st)) {
		struct store_op *op = st->queue;
		int status = queue_step(st);

		if (status != STORE_AGAIN && status != STORE_PENDING)
			op_finish(op, status);
		return !st->blocked_on && !st->starved;
	}
	if (st->frees_count && !st->frees_failed && !st->blocked_on && !st->starved)
		return idle_step(st, frees_step, &st->frees_failed);    /* the commit will meet, and report, it again */
	if (st->blocks && st->trash != TRASH_NONE && !st->blocked_on && !st->starved)
		return trash_some(st);
	return false;
}

int store_sync(struct store *st, struct store_op *op, int status)
{
	if (status != STORE_PENDING)
		return status;
	while (op->status == STORE_PENDING)
		if (!store_work(st) && op->status == STORE_PENDING)
			st->dev->wait(st->dev);
	return op->status;
}

void store_stats(const struct store *st, struct store_stats *out)
{
	memset(out, 0, sizeof(*out));
	out->blocks = st->blocks ? st->blocks - FMT_DATA_START : 0;
	out->used = st->used;
	out->held = space_held(st);
	out->free = st->blocks ? space_free(st) : 0;
	out->slush = st->blocks ? space_slush(st) : 0;
	out->reserved = st->reserved;
	out->index_blocks = st->index_blocks;
	out->generation = st->last.generation;
	out->kept = store_generations(st, NULL, 0);
	out->boot = st->boot;
	out->commits = st->commits;
	out->commit_errors = st->commit_errors;
	out->pages_put = st->pages_put;
	out->pages_zero = st->pages_zero;
	out->pages_read = st->pages_read;
	out->blocks_written = st->blocks_written;
	out->blocks_read = st->blocks_read;
	out->flushes = st->flushes;
	out->last_pages = st->last_pages;
	out->last_index = st->last_index;
	out->last_map = st->last_map;
	out->last_bytes = (st->last_pages + st->last_index + st->last_map + 1) * FMT_BLOCK;
	out->cache_nodes = st->node_count;
	out->cache_hits = st->cache_hits;
	out->cache_misses = st->cache_misses;
	out->leaked = st->leaked;
	out->mended = st->mended;
}
