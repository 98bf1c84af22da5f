/* SPDX-License-Identifier: BSD-2-Clause
 * Delta: what keeps small commits small. A full commit writes, for each changed page, its index nodes up to the root and
 * the map pages of its new and its old block. A *delta generation* writes none of these: it has the directory and
 * the map of the last full generation, and a short chain of blocks that say which pages have moved since.
 *
 * In memory these changes are the *overlay* (overlay.c). Every look-up asks it before the trees (overlay_lookup, overlay_next),
 * which are those of the full generation and stay as they are: no node is made DIRTY, nothing is marked or cleared in a
 * map. So mounting a generation with a delta is to read its chain.
 *
 * What a commit writes: the records that are new since the last one. If the newest block of the chain has room for
 * them it is written anew, to a new place, with both; else a block is added. So a chain of small commits grows
 * only as fast as its records do.
 *
 * Folding (fold.c). When the chain or the overlay has reached its limit or its age, when one interval changes more than a
 * few blocks of records, when a client is dropped or space is short, the records are applied to the trees, in the order
 * of their keys, leaf by leaf; from then on changes are made to the trees, and the next commit is a full one.
 *
 * Allocation (invariant 2). Blocks that a delta takes stand in no map. busy_delta OR-s them into the window: for each
 * kept generation from its chain on the disk (read through the node cache, and only if the region is among the blocks
 * that the generation's record says its delta takes), for the current state from the overlay. Blocks that the full
 * generation's map marks stay taken, and counted as used, until the fold, whether replaced or not: that
 * map is the map of every generation built on it.
 */
#include <string.h>

#include "store_priv.h"

/* ---- A commit ---- */

/* How many blocks the records that must be written need, and whether those of the chain's newest block are
 * among them. */
static uint32_t plan(const struct store *st, uint32_t tables, bool *merge)
{
	const struct delta *d = &st->delta;
	uint32_t head = 0, alone, both;

	for (uint32_t i = 1; i <= d->count; i++)
		head += d->chain_count && d->entry[i].home == d->chain_count && !d->entry[i].fresh;
	alone = (d->fresh + tables + d->per_block - 1) / d->per_block;
	both = (head + d->fresh + tables + d->per_block - 1) / d->per_block;
	if (!alone)
		alone = 1;
	*merge = d->chain_count && both <= alone;
	return alone;
}

bool delta_folds(const struct store *st, uint32_t tables)
{
	const struct delta *d = &st->delta;
	bool merge;
	uint32_t spare = d->table_outside ? 0 : st->table_count;
	uint32_t made = plan(st, tables + spare, &merge), blocks = made + d->chain_count - merge;

	if (d->mode != DELTA_ON)
		return false;
	if (blocks > FMT_DELTA_CHAIN_MAX || made > DELTA_MADE_MAX || d->count + spare >= d->limit)
		return true;
	/* Only if there is room for a full commit. It is wanted when the delta is long or old, when space is short, for a
	 * delta keeps what it replaces, and when nothing would be left if a block of the full generation was lost. */
	return (blocks > d->chain_max || d->count > d->max || st->newest + 1 >= d->full + d->age_max ||
		!st->spare_planned || space_short(st, st->held)) && space_free(st) >= space_index(st, d->count);
}

uint32_t delta_blocks(struct store *st, uint32_t tables)
{
	return plan(st, tables, &st->delta.merge);
}

void delta_take(struct store *st, uint32_t blocks)
{
	struct delta *d = &st->delta;

	while (d->made_count > blocks)
		delta_recycle(st, d->made[--d->made_count].block);
	while (d->made_count < blocks)
		d->made[d->made_count++] = (struct fmt_ref){ window_alloc(st), 0 };
	d->made_done = 0;
	d->cursor = d->entry[0].next[0];
}

/* A commit was given up after its delta blocks were, perhaps, written: the next try takes others. */
void delta_unmake(struct store *st)
{
	struct delta *d = &st->delta;

	while (d->made_count) {
		uint64_t block = d->made[--d->made_count].block;
		struct node *n = node_find(st, block);

		if (n && n->state == NODE_FAILED) {
			node_list_remove(&st->failed, n);
			node_release(st, n);
		}
		delta_recycle(st, block);
	}
	d->made_done = 0;
}

static bool is_written(const struct delta *d, const struct delta_entry *e)
{
	return e->fresh || (d->merge && e->home == d->chain_count);
}

/* Blocks that the records of one block of a chain name, and that are protected with it, whether or not they still count. */
static uint8_t names(const struct fmt_delta *b)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < b->count; i++)
		n += record_kind(b->record[i].key) == FMT_RECORD_TABLE ||
		     (record_kind(b->record[i].key) == FMT_RECORD_PAGE && b->record[i].block & FMT_BLOCK_MASK);
	return (uint8_t)n;
}

static void fill(struct store *st, struct fmt_delta *to)
{
	struct delta *d = &st->delta;
	bool last = d->made_done + 1 == d->made_count;
	uint32_t older = d->chain_count - d->merge;

	memset(to, 0, sizeof(*to));
	to->magic = FMT_DELTA_MAGIC;
	to->version = FMT_VERSION;
	to->generation = st->newest + 1;
	to->full = d->full;
	if (d->made_done)
		to->next = d->made[d->made_done - 1];
	else if (older)
		to->next = d->chain[older - 1];
	for (; d->cursor && to->count < d->per_block; d->cursor = d->entry[d->cursor].next[0])
		if (is_written(d, &d->entry[d->cursor]))
			to->record[to->count++] = d->entry[d->cursor].r;
	for (uint32_t i = 0; last && i < st->new_table_count; i++)
		to->record[to->count++].key = (uint64_t)FMT_RECORD_TABLE << FMT_RECORD_KIND_SHIFT | st->new_table[i];
	d->made_names[d->made_done] = names(to);
}

int delta_write(struct store *st)
{
	struct delta *d = &st->delta;
	struct node *n;

	if (d->made_done == d->made_count)
		return STORE_OK;
	if (node_make_room(st, 1) != STORE_OK)
		return STORE_PENDING;
	n = node_take(st, d->made[d->made_done].block, NODE_INDEX);
	fill(st, n->data);
	n->sum = store_sum(n->data);
	d->made[d->made_done++].sum = n->sum;
	st->now_index++;
	written_node(st, n);
	node_write_again(st, n);
	return STORE_AGAIN;
}

/* Blocks that records of the new chain name, but newer ones have taken their place. */
static uint64_t dead(const struct delta *d)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < d->chain_count - d->merge; i++)
		n += d->chain_names[i];
	for (uint32_t i = 1; i <= d->count; i++)
		n -= entry_block(&d->entry[i]) && !is_written(d, &d->entry[i]);
	return n;
}

/* The range of the blocks that the generation's delta takes. */
static void extend(struct fmt_generation *g, uint64_t block)
{
	if (block < g->delta_low)
		g->delta_low = block;
	if (block >= g->delta_high)
		g->delta_high = block + 1;
}

void delta_seal(struct store *st, struct fmt_generation *g)
{
	struct delta *d = &st->delta;

	if (d->mode != DELTA_ON)
		return;
	if (d->merge)
		delta_release(st, d->chain[d->chain_count - 1].block);
	g->delta = d->made[d->made_count - 1];
	g->delta_count = d->count;
	g->delta_dead = dead(d);
	g->delta_low = UINT64_MAX;
	for (uint32_t i = 1; i <= d->count; i++)
		if (entry_block(&d->entry[i]))
			extend(g, entry_block(&d->entry[i]));
	for (uint32_t i = 0; i < d->chain_count; i++)
		extend(g, d->chain[i].block);
	for (uint32_t i = 0; i < d->made_count; i++)
		extend(g, d->made[i].block);
	for (uint32_t i = 0; i < st->new_table_count; i++)
		extend(g, st->new_table[i]);
}

void delta_committed(struct store *st, uint64_t generation)
{
	struct delta *d = &st->delta;
	uint32_t written = 0;

	if (d->mode != DELTA_ON) {
		delta_reset(st, generation);
		return;
	}
	for (struct delta_entry *e = overlay_first(st); e; e = overlay_after(st, e))
		if (is_written(d, e)) {
			e->home = (uint8_t)(d->chain_count - d->merge + written++ / d->per_block + 1);
			e->fresh = false;
		}
	d->fresh = 0;
	d->chain_count -= d->merge;
	for (uint32_t i = 0; i < d->made_count; i++) {
		d->chain_names[d->chain_count] = d->made_names[i];
		d->chain[d->chain_count++] = d->made[i];
	}
	d->made_count = d->made_done = 0;
	d->table_outside = true;
}

/* ---- Allocation ---- */

static void busy_block(struct store *st, const struct fmt_delta *d)
{
	for (uint32_t i = 0; i < d->count && i < FMT_DELTA_RECORDS; i++) {
		const struct fmt_record *r = &d->record[i];

		if (record_kind(r->key) == FMT_RECORD_PAGE)
			busy_set(st, r->block & FMT_BLOCK_MASK);
		else if (record_kind(r->key) == FMT_RECORD_TABLE)
			busy_set(st, r->key & FMT_BLOCK_MASK);
	}
}

static bool seen(const struct window *w, uint64_t block)
{
	for (uint32_t i = 0; i < w->seen_count; i++)
		if (w->seen[i] == block)
			return true;
	return false;
}

/* Generations next to each other share most of their chains: `seen` has the blocks of the last one. A chain that is
 * damaged is gone, and its generation with it: there is nothing to protect beyond. */
int busy_delta(struct store *st, const struct fmt_generation *g, struct node **wait)
{
	struct window *w = &st->win;
	uint64_t first = w->opening << FMT_MAP_SHIFT, end = first + FMT_MAP_BITS;
	struct node *n;
	int status;

	if (!w->in_chain) {
		w->in_chain = true;
		w->chain = g->delta;
		w->chain_left = FMT_DELTA_CHAIN_MAX;
		w->seen_next = 0;
	}
	if (!w->chain.block || !w->chain_left || g->delta_high <= first || g->delta_low >= end ||
	    seen(w, w->chain.block) || !ref_valid(st, &w->chain)) {
		w->in_chain = false;
		return STORE_OK;
	}
	status = node_get(st, &w->chain, NODE_INDEX, &n, wait);
	if (status == STORE_DAMAGED) {
		w->in_chain = false;
		return STORE_OK;
	}
	if (status != STORE_OK)
		return status;
	busy_set(st, w->chain.block);
	busy_block(st, n->data);
	w->chain_left--;
	w->seen[w->seen_next++] = w->chain.block;
	if (w->seen_count < w->seen_next)
		w->seen_count = w->seen_next;
	w->chain = ((struct fmt_delta *)n->data)->next;
	return STORE_AGAIN;
}

/* ---- Mounting ---- */

static const char *record_bad(const struct store *st, const struct fmt_record *r)
{
	struct fmt_ref ref = { r->block & ~FMT_RECORD_REPLACES, r->sum };

	switch (record_kind(r->key)) {
	case FMT_RECORD_PAGE:
		if (record_client(r->key) >= STORE_CLIENTS || !ref_valid(st, &ref) || (!ref.block && r->sum))
			return "record of a delta block contradicts itself";
		return NULL;
	case FMT_RECORD_TABLE:
	case FMT_RECORD_UNUSED:
		ref = (struct fmt_ref){ r->key & ~(15ull << FMT_RECORD_KIND_SHIFT), 0 };
		if (!ref.block || !ref_valid(st, &ref) || r->block || r->sum)
			return "record of a delta block contradicts itself";
		return NULL;
	}
	return "record of a delta block is of an unknown kind";
}

/* Take the records of one block of the chain in that no later block has. */
static const char *load_block(struct store *st, const struct fmt_delta *from, const struct fmt_generation *g,
			      uint64_t *before)
{
	struct delta *d = &st->delta;
	bool newest = d->chain_count == 1;

	if (from->magic != FMT_DELTA_MAGIC || from->version != FMT_VERSION || from->count > FMT_DELTA_RECORDS)
		return "delta block contradicts itself";
	if (newest)
		d->full = from->full;
	if ((newest ? from->generation != g->generation : from->generation > *before) || from->full != d->full ||
	    from->full >= from->generation || !from->full)
		return "delta block belongs to another generation";
	*before = from->generation;
	d->chain_names[d->chain_count - 1] = names(from);
	for (uint32_t i = 0; i < from->count; i++) {
		const struct fmt_record *r = &from->record[i];
		const char *why = record_bad(st, r);
		struct delta_entry *e;

		if (why)
			return why;
		if (i && r->key <= r[-1].key)
			return "records of a delta block are not sorted";
		if (record_kind(r->key) == FMT_RECORD_TABLE)
			continue;
		if (overlay_find(st, r->key))
			continue;
		if (d->count == d->room)
			return "delta has too many records";
		e = overlay_entry(st, r->key);
		e->r = *r;
		e->home = (uint8_t)d->chain_count;
	}
	return NULL;
}

const char *delta_load(struct store *st, const struct fmt_generation *g, int *status, uint64_t *bad)
{
	struct delta *d = &st->delta;
	struct fmt_ref ref = g->delta;
	uint64_t before = 0;

	delta_reset(st, g->generation);
	*bad = 0;
	*status = STORE_DAMAGED;
	if (!ref.block)
		return g->delta_count ? "generation record contradicts itself" : NULL;
	for (; ref.block; ref = ((struct fmt_delta *)st->sync_page)->next) {
		const char *why;

		if (d->chain_count == FMT_DELTA_CHAIN_MAX)
			return "chain of delta blocks is too long";
		*bad = ref.block;
		*status = ref_check(st, &ref, st->sync_page);
		if (*status != STORE_OK)
			return "delta block does not match its checksum";
		*status = STORE_DAMAGED;
		d->chain[d->chain_count++] = ref;
		why = load_block(st, st->sync_page, g, &before);
		if (why)
			return why;
	}
	*bad = g->delta.block;
	if (d->count != g->delta_count)
		return "number of records of the delta is wrong";
	/* Read newest first; kept oldest first. */
	for (uint32_t i = 1; i <= d->count; i++)
		d->entry[i].home = (uint8_t)(d->chain_count + 1 - d->entry[i].home);
	for (uint32_t i = 0, k = d->chain_count - 1; i < k; i++, k--) {
		uint8_t named = d->chain_names[i];

		ref = d->chain[i];
		d->chain[i] = d->chain[k];
		d->chain[k] = ref;
		d->chain_names[i] = d->chain_names[k];
		d->chain_names[k] = named;
	}
	d->table_outside = true;
	return NULL;
}

/* ---- Generations that are not mounted ---- */

int chain_next(struct store *st, const struct fmt_ref *newest, uint64_t key, struct fmt_record *out, uint64_t *bad,
	       struct node **wait)
{
	struct fmt_ref ref = *newest;

	out->key = UINT64_MAX;
	for (unsigned left = FMT_DELTA_CHAIN_MAX; ref.block && left; left--) {
		const struct fmt_delta *d;
		struct node *n;
		uint32_t low = 0, high;
		int status = ref_valid(st, &ref) ? node_get(st, &ref, NODE_INDEX, &n, wait) : STORE_DAMAGED;

		*bad = ref.block;
		if (status != STORE_OK)
			return status;
		d = n->data;
		high = d->count < FMT_DELTA_RECORDS ? d->count : FMT_DELTA_RECORDS;
		while (low < high) {
			uint32_t middle = (low + high) / 2;

			if (d->record[middle].key < key)
				low = middle + 1;
			else
				high = middle;
		}
		if (low < d->count && low < FMT_DELTA_RECORDS && record_kind(d->record[low].key) == FMT_RECORD_PAGE &&
		    d->record[low].key < out->key)
			*out = d->record[low];
		ref = d->next;
		st->serial++;           /* the block need not stay: chains are long beside a small cache */
	}
	return out->key == UINT64_MAX ? STORE_END : STORE_OK;
}
