/* SPDX-License-Identifier: BSD-2-Clause
 * Verification of everything a generation reaches. It shares the format and the checksum with the rest of the
 * store, but neither its node cache nor its tree walk: what one of them gets wrong the other should notice.
 */
#include <string.h>

#include "check.h"
#include "store_priv.h"

/* The delta of a generation: for each key its newest record, sorted, in the caller's scratch. */
struct overlay {
	struct fmt_record *record;
	uint32_t count;
	uint64_t dead;                  /* blocks of records that do not count */
	uint64_t chain[FMT_DELTA_CHAIN_MAX];
	bool     lost;                  /* not all of the chain could be read */
};
#define PATH_DEPTH      16u             /* blocks of scratch before the records */
#define RECORD_MET      (1ull << 62)    /* in `block`: the page it replaces was found */

struct walk {
	struct store *st;
	struct store_check *c;
	struct overlay *o;
	uint32_t client;                /* or what is walked else: STORE_CHECK_*, WALK_* */
	uint32_t was;                   /* the client, or whose pages they were */
	uint64_t pages;
	struct store_state *state;      /* of the pages met */
};
#define WALK_DIRECTORY  STORE_CHECK_DIRECTORY
#define WALK_MAP        STORE_CHECK_MAP
#define WALK_DELTA      STORE_CHECK_DELTA
#define WALK_COMPARE    (UINT32_MAX - 3)        /* the map once more */

static void problem(struct walk *w, const char *what, uint64_t vpn, uint64_t block)
{
	w->c->errors++;
	if (w->c->problem)
		w->c->problem(w->c, what, w->client, vpn, block);
}

/* Mark as reached. */
static bool reach(struct walk *w, uint64_t vpn, uint64_t block)
{
	uint8_t bit = (uint8_t)(1u << (block % 8));

	if (w->client == WALK_COMPARE)
		return true;
	if (w->c->bitmap[block / 8] & bit) {
		problem(w, "block is reached twice", vpn, block);
		return false;
	}
	w->c->bitmap[block / 8] |= bit;
	return true;
}

/* Does the reference lead to a block that nothing else does? */
static bool leads(struct walk *w, const struct fmt_ref *ref, uint64_t vpn)
{
	if (ref->block & FMT_REF_LOST) {
		problem(w, "what was here is lost with a damaged block", vpn, ref->block & FMT_BLOCK_MASK);
		return false;
	}
	if (ref->block < FMT_DATA_START || ref->block >= w->st->blocks) {
		problem(w, "reference leads outside the store", vpn, ref->block);
		return false;
	}
	return reach(w, vpn, ref->block);
}

static uint8_t *fetch(struct walk *w, const struct fmt_ref *ref, uint64_t vpn, unsigned depth)
{
	uint8_t *page = w->c->scratch + depth * FMT_BLOCK;

	if (!leads(w, ref, vpn))
		return NULL;
	if (sync_io(w->st, BLK_READ, ref->block, page) != STORE_OK) {
		problem(w, "block cannot be read", vpn, ref->block);
		return NULL;
	}
	if (store_sum(page) != ref->sum) {
		problem(w, "block does not match its checksum", vpn, ref->block);
		return NULL;
	}
	return page;
}

/* ---- The delta ---- */

static unsigned kind_of(const struct fmt_record *r)
{
	return (unsigned)(r->key >> FMT_RECORD_KIND_SHIFT);
}

static uint64_t block_in(const struct fmt_record *r)
{
	return (kind_of(r) == FMT_RECORD_PAGE ? r->block : r->key) & FMT_BLOCK_MASK;
}

/* Where the record with that key is, or belongs. */
static uint32_t place(const struct overlay *o, uint64_t key)
{
	uint32_t low = 0, high = o->count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (o->record[middle].key < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void take_records(struct walk *w, const struct fmt_delta *d, uint64_t block)
{
	struct overlay *o = w->o;

	for (uint32_t i = 0; i < d->count; i++) {
		const struct fmt_record *r = &d->record[i];
		uint32_t at = place(o, r->key);

		if (kind_of(r) > FMT_RECORD_TABLE || (i && r[-1].key >= r->key)) {
			problem(w, "record of a delta block is not valid", r->key, block);
			continue;
		}
		if ((kind_of(r) == FMT_RECORD_TABLE && w->c->delta_blocks > 1) ||
		    (at < o->count && o->record[at].key == r->key)) {
			o->dead += kind_of(r) != FMT_RECORD_UNUSED && block_in(r);
			continue;
		}
		memmove(&o->record[at + 1], &o->record[at], (o->count++ - at) * sizeof(*r));
		o->record[at] = *r;
		o->record[at].block &= FMT_BLOCK_MASK | FMT_RECORD_REPLACES;
	}
}

static void check_chain(struct walk *w, const struct fmt_generation *g)
{
	struct fmt_ref ref = g->delta;
	uint64_t generation = g->generation;
	uint32_t records = 0;

	while (ref.block) {
		const struct fmt_delta *d = w->c->delta_blocks < FMT_DELTA_CHAIN_MAX ? (void *)fetch(w, &ref, 0, 0) : NULL;

		w->o->lost = !d || d->magic != FMT_DELTA_MAGIC || d->count > FMT_DELTA_RECORDS ||
			     d->generation > generation;
		if (w->o->lost) {
			if (d || w->c->delta_blocks == FMT_DELTA_CHAIN_MAX)
				problem(w, "delta block contradicts itself", 0, ref.block);
			return;
		}
		generation = d->generation;
		w->o->chain[w->c->delta_blocks++] = ref.block;
		take_records(w, d, ref.block);
		ref = d->next;
	}
	for (uint32_t i = 0; i < w->o->count; i++)
		records += kind_of(&w->o->record[i]) != FMT_RECORD_TABLE;
	if (records != g->delta_count)
		problem(w, "number of records of the delta is wrong", records, g->delta.block);
	if (g->delta_dead && g->delta_dead != w->o->dead)
		problem(w, "number of dead blocks of the delta is wrong", w->o->dead, g->delta.block);
}

/* A page of the full generation that the delta has a record for: it is only marked as reached. */
static bool is_replaced(struct walk *w, uint64_t vpn, uint64_t block)
{
	uint64_t key = (uint64_t)w->client << FMT_RECORD_CLIENT_SHIFT | vpn;
	uint32_t at = w->client < STORE_CLIENTS ? place(w->o, key) : w->o->count;
	struct fmt_record *r = &w->o->record[at];

	if (at == w->o->count || r->key != key)
		return false;
	if (!(r->block & FMT_RECORD_REPLACES))
		problem(w, "delta replaces a page and does not say so", vpn, block);
	r->block |= RECORD_MET;
	if (block < FMT_DATA_START || block >= w->st->blocks)
		problem(w, "reference leads outside the store", vpn, block);
	else if (reach(w, vpn, block))
		w->c->replaced++;
	return true;
}

/* Pages and other blocks that stand in the delta alone. */
static void check_records(struct walk *w)
{
	for (uint32_t i = 0; i < w->o->count; i++) {
		const struct fmt_record *r = &w->o->record[i];
		struct fmt_ref ref = { block_in(r), r->sum };
		uint64_t vpn = r->key & (STORE_VPN_END - 1);
		uint8_t *page;

		w->client = kind_of(r) == FMT_RECORD_PAGE ? (uint32_t)(r->key >> FMT_RECORD_CLIENT_SHIFT) : WALK_DELTA;
		if (kind_of(r) == FMT_RECORD_UNUSED && ref.block >= FMT_DATA_START && ref.block < w->st->blocks) {
			if (reach(w, 0, ref.block))
				w->c->replaced++;
		} else if (kind_of(r) == FMT_RECORD_UNUSED) {
			problem(w, "reference leads outside the store", 0, ref.block);
		}
		if (kind_of(r) != FMT_RECORD_PAGE)
			continue;
		if (r->block & FMT_RECORD_REPLACES && !(r->block & RECORD_MET))
			problem(w, "delta replaces a page that is not there", vpn, ref.block);
		page = ref.block ? fetch(w, &ref, vpn, 0) : NULL;
		if (!page)
			continue;
		w->c->pages++;
		state_add(w->state, w->client, vpn, ref.sum);
		if (w->c->page)
			w->c->page(w->c, w->client, vpn, ref.block, page);
	}
}

/* What the delta takes stands in no map: take it out of what was reached, before that is compared with the map. */
static void outside(struct walk *w, const struct fmt_generation *g, uint64_t block)
{
	uint8_t bit = (uint8_t)(1u << (block % 8));

	if (block < g->delta_low || block >= g->delta_high || block >= w->st->blocks)
		problem(w, "block of the delta is not where its generation says", 0, block);
	else if (!(w->c->bitmap[block / 8] & bit))
		problem(w, "block of the delta is not used", 0, block);
	else
		w->c->bitmap[block / 8] &= (uint8_t)~bit;
}

static void check_outside(struct walk *w, const struct fmt_generation *g)
{
	uint64_t tables = 0;

	for (uint64_t i = 0; i < w->c->delta_blocks; i++)
		outside(w, g, w->o->chain[i]);
	for (uint32_t i = 0; i < w->o->count; i++) {
		const struct fmt_record *r = &w->o->record[i];

		if (kind_of(r) != FMT_RECORD_UNUSED && block_in(r))
			outside(w, g, block_in(r));
		tables += kind_of(r) == FMT_RECORD_TABLE;
	}
	if (tables != w->c->table_blocks)
		problem(w, "delta does not have the blocks of the generation table", tables, g->delta.block);
}

/* ---- The trees ---- */

static void leaf(struct walk *w, uint64_t index, const struct fmt_ref *ref, uint8_t *page, unsigned depth);

static bool is_trash(const struct walk *w)
{
	return w->client >= STORE_CLIENTS && w->client < STORE_CLIENTS + FMT_CLIENTS_PER_PAGE;
}

/* A page that nobody will read: it need not be right, and was perhaps never written. */
static void leaf_trash(struct walk *w, const struct fmt_ref *ref, uint64_t vpn)
{
	if (!leads(w, ref, vpn))
		return;
	w->pages++;
	w->c->pages++;
	state_add(w->state, w->was, vpn, ref->sum);
}

static void walk_tree(struct walk *w, const struct fmt_ref *ref, uint32_t level, uint64_t index, unsigned depth)
{
	uint8_t *page;

	if (!ref->block)
		return;
	if (!level && is_replaced(w, index, ref->block)) {
		w->pages++;
		return;
	}
	if (!level && is_trash(w)) {
		leaf_trash(w, ref, index);
		return;
	}
	page = fetch(w, ref, index, depth);
	if (!page)
		return;
	if (!level) {
		w->pages++;
		leaf(w, index, ref, page, depth);
		return;
	}
	if (w->client == WALK_MAP)
		w->c->map_blocks++;
	else if (w->client != WALK_COMPARE)
		w->c->index_blocks++;
	for (unsigned i = 0; i < FMT_FANOUT; i++)
		walk_tree(w, &((struct fmt_node *)page)->entry[i], level - 1, index * FMT_FANOUT + i, depth + 1);
}

static void walk(struct walk *w, const struct fmt_tree *t, unsigned depth)
{
	w->pages = 0;
	if (t->height > FMT_MAX_HEIGHT) {
		problem(w, "tree is too high", 0, t->root.block);
		return;
	}
	walk_tree(w, &t->root, t->height, 0, depth);
	w->c->lost |= t->flags & FMT_TREE_LOST;
	if (t->flags ? w->pages > t->pages : w->pages != t->pages)
		problem(w, "number of pages is wrong", t->pages, t->root.block);
}

static void leaf_directory(struct walk *w, uint64_t index, uint8_t *page, unsigned depth)
{
	w->c->index_blocks++;
	for (unsigned i = 0; i < FMT_CLIENTS_PER_PAGE; i++) {
		const struct fmt_client *r = &((struct fmt_client *)page)[i];
		struct walk in = { w->st, w->c, w->o, (uint32_t)(index * FMT_CLIENTS_PER_PAGE + i), 0, 0,
			w->state };

		if (!(r->flags & FMT_CLIENT_EXISTS)) {
			if (r->tree.root.block)
				problem(&in, "client does not exist and has pages", 0, r->tree.root.block);
			continue;
		}
		w->c->clients += in.client < STORE_CLIENTS;
		in.was = state_client(in.client, r);
		walk(&in, &r->tree, depth + 1);
	}
}

/* Compare a map page with what was reached, and clear that, so that in the end the rest is what no map page
 * covers. */
static void leaf_compare(struct walk *w, uint64_t region, const uint8_t *page)
{
	uint8_t *mine = w->c->bitmap + region * FMT_BLOCK;

	if (region >= w->st->regions) {
		problem(w, "map page is beyond the end", region, 0);
		return;
	}
	for (uint64_t i = 0; i < FMT_MAP_BITS; i++) {
		bool marked = page[i / 8] >> (i % 8) & 1, reached = mine[i / 8] >> (i % 8) & 1;

		if (i % 8 == 0 && page[i / 8] == mine[i / 8]) {
			i += 7;
			continue;
		}
		if (reached && !marked)
			problem(w, "block is used and not marked in the map", region, (region << FMT_MAP_SHIFT) + i);
		else if (marked && !reached)
			w->c->leaked++;
	}
	memset(mine, 0, FMT_BLOCK);
}

static void leaf(struct walk *w, uint64_t index, const struct fmt_ref *ref, uint8_t *page, unsigned depth)
{
	switch (w->client) {
	case WALK_DIRECTORY:
		leaf_directory(w, index, page, depth);
		break;
	case WALK_MAP:
		w->c->map_blocks++;
		break;
	case WALK_COMPARE:
		leaf_compare(w, index, page);
		break;
	default:
		w->c->pages++;
		state_add(w->state, w->was, index, ref->sum);
		if (w->c->page)
			w->c->page(w->c, w->client, index, ref->block, page);
	}
}

static void check_table(struct walk *w, struct fmt_ref ref)
{
	while (ref.block) {
		const struct fmt_gens *t = (void *)fetch(w, &ref, 0, 0);

		if (!t)
			return;
		w->c->table_blocks++;
		if (t->magic != FMT_GENS_MAGIC || t->count > FMT_GENS_PER_BLOCK)
			problem(w, "generation table contradicts itself", 0, ref.block);
		ref = t->next;
	}
}

int store_check(struct store *st, uint64_t generation, struct store_check *c)
{
	const struct fmt_generation *g = &st->last;
	struct overlay o = { .record = (void *)(c->scratch + PATH_DEPTH * FMT_BLOCK) };
	struct store_state state = { 0 };
	struct walk w = { st, c, &o, WALK_DIRECTORY, 0, 0, &state };

	if (generation && generation != g->generation) {
		g = NULL;
		for (uint32_t i = 0; i < st->kept_count; i++)
			if (st->kept[i].g.generation == generation)
				g = &st->kept[i].g;
		if (!g)
			return STORE_NO_GENERATION;
	}
	c->generation = g->generation;
	c->clients = c->pages = c->index_blocks = c->map_blocks = c->table_blocks = c->errors = c->leaked = 0;
	c->lost = false;
	c->delta_blocks = c->replaced = 0;
	memset(c->bitmap, 0, st->regions * FMT_BLOCK);
	w.client = WALK_DELTA;
	check_chain(&w, g);
	w.client = WALK_DIRECTORY;
	check_table(&w, g->table);
	walk(&w, &g->clients, 0);
	if (c->lost ? c->index_blocks > g->index_blocks : c->index_blocks != g->index_blocks)
		problem(&w, "number of index blocks is wrong", g->index_blocks, 0);
	check_records(&w);
	w.client = WALK_MAP;
	walk(&w, &g->map, 0);
	if (o.lost)
		return STORE_DAMAGED;   /* nobody knows what else is used */
	w.client = WALK_DELTA;
	if (g->delta.block)
		check_outside(&w, g);
	w.client = WALK_COMPARE;
	walk(&w, &g->map, 0);
	if (!c->errors && state_differs(&state, g))
		problem(&w, "pages do not add up to the state hash", 0, 0);
	for (uint64_t i = 0; i < st->regions * FMT_BLOCK; i++)
		if (c->bitmap[i])
			problem(&w, "block is used and in no map page", i / FMT_BLOCK, i * 8);
	if (!c->errors && g->used != c->pages + c->index_blocks + c->map_blocks + c->table_blocks +
				       c->delta_blocks + c->replaced + c->leaked)
		problem(&w, "number of used blocks is wrong", g->used, 0);
	return c->errors || c->leaked ? STORE_DAMAGED : STORE_OK;
}
