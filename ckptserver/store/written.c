/* SPDX-License-Identifier: BSD-2-Clause
 * What was written since the last flush that succeeded. A flush that fails leaves open which of it is durable: the device may have
 * thrown any of it away, and call the next flush good. So after one all of it is written again before the next flush (invariant 1):
 * from the cache, or read back, if what is read still matches its sum.
 *
 * What does not is lost. A page that the current state still has: its caller must put it again, and the commit says which
 * (STORE_UNWRITTEN). A delta block: the commit makes it anew. An index or map node that the cache does not have either:
 * the current state cannot be committed any more (STORE_DAMAGED), and the last generation is what there is.
 *
 * The list has a bounded size: when it is full nothing is written before it was flushed in between.
 */
#include <string.h>

#include "store_priv.h"

#define ROOM    64u             /* that one step, or reads that make room in the cache, can use up */
#define NODE    UINT64_MAX      /* in place of a page's key */

uint32_t written_room(uint64_t blocks)
{
	return 1024 + (uint32_t)(blocks / 128 < 1u << 15 ? blocks / 128 : 1u << 15);
}

static void remove_at(struct written_list *w, uint32_t i)
{
	memmove(&w->list[i], &w->list[i + 1], (--w->count - i) * sizeof(*w->list));
	w->next--;
	w->lost--;
	w->flush_count -= w->flushing;
}

static void note(struct store *st, uint64_t block, uint64_t sum, uint64_t key)
{
	for (uint32_t i = st->written.lost; i-- > 0;)
		if (st->written.list[i].block == block)
			remove_at(&st->written, i);     /* it was allocated anew */
	st->written.list[st->written.count++] = (struct written){ block, sum, key };
}

void written_page(struct store *st, const struct store_op *op)
{
	note(st, op->block, op->sum, (uint64_t)op->client << FMT_RECORD_CLIENT_SHIFT | op->vpn);
}

void written_node(struct store *st, const struct node *n)
{
	note(st, n->block, n->sum, NODE);
}

bool written_full(const struct store *st)
{
	const struct written_list *w = &st->written;

	return w->flushing || w->doing != WRITTEN_IDLE || w->count + ROOM > w->size;
}

bool written_no_room(const struct store *st)
{
	return st->written.count == st->written.size;
}

void written_doubt(struct store *st)
{
	st->flush_errors++;
	st->written.doubt = true;
	st->written.next = st->written.lost;
	if (st->written.doing != WRITTEN_IDLE)
		st->written.doing = WRITTEN_VOID;
}

/* The node is damaged, and another takes its place: if it is a failed flush that has damaged it, the last generation is better. */
void written_mended(struct store *st, uint64_t block)
{
	struct written_list *w = &st->written;

	for (uint32_t i = 0; i < w->count && (w->doubt || i < w->lost); i++)
		w->hopeless |= w->list[i].block == block && w->list[i].key == NODE;
}

void written_flushed(struct store *st, uint32_t upto)
{
	struct written_list *w = &st->written;

	memmove(w->list + w->lost, w->list + upto, (w->count - upto) * sizeof(*w->list));
	w->count -= upto - w->lost;
	w->next = w->lost;
}

/* ---- What is lost: is it still needed? ---- */

/* STORE_OK: the current state has that page in that block; STORE_END: not any more. */
static int page_needed(struct store *st, const struct written *e, struct node **wait)
{
	struct fmt_ref ref = { 0, 0 };
	uint64_t bad;
	int status = overlay_lookup(st, record_client(e->key), record_vpn(e->key), &ref, &bad, wait);

	if (status == STORE_OK && ref.block == e->block && ref.sum == e->sum)
		return STORE_OK;
	return status == STORE_OK || status == STORE_DAMAGED ? STORE_END : status;
}

static bool is_made(const struct store *st, uint64_t block)
{
	for (uint32_t i = 0; i < st->delta.made_count; i++)
		if (st->delta.made[i].block == block)
			return true;
	return false;
}

/* Is it a node's that has not been written yet? What was written there is of an earlier life. */
static bool is_dirty(struct store *st, uint64_t block)
{
	const struct node *n = node_find(st, block);

	return n && n->state == NODE_DIRTY;
}

/* Given up, perhaps to be a node's again; or given to the generation table, which is written again from memory. */
static bool is_given_up(struct store *st, uint64_t block)
{
	if (is_dirty(st, block))
		return true;
	for (uint32_t i = 0; i < st->new_table_count; i++)
		if (st->new_table[i] == block)
			return true;
	for (uint32_t i = 0; i < st->frees_count; i++)
		if (st->frees[(st->frees_first + i) % st->frees_size] == block)
			return true;
	return false;
}

/* The same for a node: the map says so. Of delta blocks only those of the commit under way are needed. */
static int node_needed(struct store *st, const struct written *e, struct node **wait)
{
	struct fmt_ref ref;
	struct node *n;
	uint64_t bad;
	int status;

	if (is_made(st, e->block))
		return STORE_OK;
	if (is_given_up(st, e->block))
		return STORE_END;
	status = tree_find(st, &st->map, e->block >> FMT_MAP_SHIFT, NODE_MAP, &ref, &bad, wait);
	if (status == STORE_OK && !ref.block)
		return STORE_END;
	if (status == STORE_OK)
		status = node_get(st, &ref, NODE_MAP, &n, wait);
	if (status != STORE_OK)
		return status == STORE_DAMAGED ? STORE_OK : status;
	return map_words(n)[e->block % FMT_MAP_BITS / 64] >> (e->block % 64) & 1 ? STORE_OK : STORE_END;
}

static int needed(struct store *st, const struct written *e, struct node **wait)
{
	*wait = NULL;
	return e->key == NODE ? node_needed(st, e, wait) : page_needed(st, e, wait);
}

/* Was the block given to something else since? If what is lost has it, that came later: note() and judge() see to it. */
static bool written_later(const struct written_list *w, const struct written *e)
{
	for (uint32_t i = 0; i < w->lost; i++)
		if (w->list[i].block == e->block)
			return true;
	for (const struct written *later = e + 1; later < w->list + w->count; later++)
		if (later->block == e->block)
			return true;
	return false;
}

/* An entry that is lost, and needed, is kept at the beginning of the list. A node that no commit makes anew is lost for good, and so
 * is everything, should that become too much of the list. */
static void keep_lost(struct store *st)
{
	struct written_list *w = &st->written;
	struct written e = w->list[w->next], *to = &w->list[w->lost];

	if (w->lost + 3 * ROOM > w->size || (e.key == NODE && !is_made(st, e.block))) {
		w->hopeless = true;
		w->next++;
		return;
	}
	memmove(to + 1, to, (size_t)(&w->list[w->next++] - to) * sizeof(e));
	w->list[w->lost++] = e;
}

/* ---- Writing again ---- */

/* What was read back is in w->page, if it could be read. */
static int judge(struct store *st, struct node **wait)
{
	struct written_list *w = &st->written;
	bool read = st->io_status == BLK_OK;
	int status;

	if (read && store_sum(w->page) == w->list[w->next].sum) {
		w->doing = WRITTEN_WRITING;
		io_submit(st, BLK_WRITE, w->list[w->next].block, w->page);
		return STORE_PENDING;
	}
	status = written_later(w, &w->list[w->next]) ? STORE_END : needed(st, &w->list[w->next], wait);
	if (status == STORE_PENDING)
		return status;
	w->doing = WRITTEN_IDLE;
	if (status == STORE_END)
		w->next++;
	else if (status == STORE_OK && read)
		keep_lost(st);
	else
		return STORE_EIO;
	return STORE_AGAIN;
}

/* Begin with the next entry. */
static int begin(struct store *st)
{
	struct written_list *w = &st->written;
	const struct written *e = &w->list[w->next];
	const struct node *n = node_find(st, e->block);
	bool here = n && n->state == NODE_CLEAN && n->sum == e->sum;

	if (is_dirty(st, e->block)) {
		w->next++;
		return STORE_AGAIN;
	}
	if (here)
		memcpy(w->page, n->data, FMT_BLOCK);
	w->doing = here ? WRITTEN_WRITING : WRITTEN_READING;
	io_submit(st, here ? BLK_WRITE : BLK_READ, e->block, w->page);
	return STORE_PENDING;
}

int written_again(struct store *st, struct node **wait)
{
	struct written_list *w = &st->written;
	bool failed = w->doing == WRITTEN_WRITING && st->io_status != BLK_OK;

	*wait = NULL;
	if (st->io_busy || st->node_writes || st->puts_in_flight)
		return STORE_PENDING;
	if (w->doing == WRITTEN_READING)
		return judge(st, wait);
	w->next += w->doing == WRITTEN_WRITING && !failed;
	w->doing = WRITTEN_IDLE;
	if (failed)
		return STORE_EIO;
	if (w->next < w->count)
		return begin(st);
	w->doubt = false;
	return STORE_OK;
}

int written_lost(struct store *st, struct store_op *op, struct node **wait)
{
	struct written_list *w = &st->written;

	while (w->lost && !w->hopeless) {
		const struct written *e = &w->list[w->lost - 1];
		int status = needed(st, e, wait);

		if (status == STORE_OK && e->key == NODE)
			return STORE_EIO;               /* a delta block: the next try makes others */
		if (status == STORE_OK) {
			op->client = record_client(e->key);
			op->vpn = record_vpn(e->key);
			op->block = e->block;
			return STORE_UNWRITTEN;
		}
		if (status != STORE_END)
			return status;
		remove_at(w, w->lost - 1);
	}
	op->block = 0;
	return w->hopeless ? STORE_DAMAGED : STORE_OK;
}

bool store_lost_page(const struct store *st, uint32_t i, uint32_t *client, uint64_t *vpn)
{
	const struct written_list *w = &st->written;

	for (uint32_t k = 0; k < w->lost; k++)
		if (w->list[k].key != NODE && !i--) {
			*client = record_client(w->list[k].key);
			*vpn = record_vpn(w->list[k].key);
			return true;
		}
	return false;
}

/* ---- A flush in between ---- */

/* Does anything wait for room in the list? */
static bool is_waited_for(const struct store *st)
{
	return st->phase != COMMIT_NONE || st->queue || st->starved_reads;
}

/* The commit, or all changes that wait, learn of it: one by one each would have everything written again. */
static bool fail_waiting(struct store *st)
{
	uint32_t count = 0;

	if (st->phase != COMMIT_NONE) {
		commit_fail(st, STORE_EIO);
		return true;
	}
	for (const struct store_op *op = st->queue; op && op->kind != OP_COMMIT; op = op->link)
		count++;
	if (!count)
		st->starved = false;                    /* a commit begins, and will meet it, too */
	while (count--)
		op_finish(queue_take(st), STORE_EIO);
	return is_waited_for(st);
}

/* A node whose write has failed is not durable after a flush. */
static bool write_failed(struct store *st)
{
	struct written_list *w = &st->written;

	w->tried = !w->tried;
	if (!w->tried)
		return fail_waiting(st);
	while (st->failed.head)
		node_write_failed(st, st->failed.head);
	return false;
}

bool written_step(struct store *st)
{
	struct written_list *w = &st->written;
	struct node *wait = NULL;
	int status = STORE_OK;

	if (st->io_busy || st->node_writes || st->puts_in_flight || st->blocked_on)
		return false;
	if (w->flushing) {
		w->flushing = false;
		if (st->io_status != BLK_OK) {
			written_doubt(st);
			return fail_waiting(st);
		}
		if (w->doubt)                           /* another one has failed beside it */
			return true;
		written_flushed(st, w->flush_count);
		st->starved = st->reads_starved = false;
		return true;
	}
	if ((w->doubt || st->failed.head) && !is_waited_for(st))
		return false;                           /* a disk in trouble is not asked without a pause */
	if (st->failed.head)
		return write_failed(st);
	w->tried = false;
	if (w->doubt)
		status = written_again(st, &wait);
	if (status == STORE_EIO)
		return fail_waiting(st);
	if (status != STORE_OK)
		return !st->io_busy && !step_waits(st, status, wait);
	w->flushing = true;
	w->flush_count = w->count;
	io_submit(st, BLK_FLUSH, 0, NULL);
	return false;
}
