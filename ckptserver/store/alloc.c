/* SPDX-License-Identifier: BSD-2-Clause
 * Allocation of blocks.
 *
 * New blocks come from one *window*, a region of 32,768 blocks (one map page) at a time. When it is opened, the
 * maps of all kept generations and the current map are OR-ed into win.busy: what is clear there may be
 * overwritten (invariant 2). The window only moves upwards within one commit, so a block that is
 * freed and was allocated in the same commit is not used again before that commit is durable; unless space is short:
 * then the window begins again below, but not while a put is being written: no two writes to one block are
 * ever under way (invariant 4).
 *
 * Opening a window makes the map path of its region DIRTY at once, with blocks from the window itself; so
 * window_alloc never recurses. (While changes go into a delta no map is touched: the window is *plain*, until folding
 * begins.) Freed blocks go to a list; their bits are cleared by and by (frees_step), which
 * may make further map pages DIRTY and free their old blocks in turn. That ends, because each map page has only
 * one old block.
 */
#include <string.h>

#include "store_priv.h"

#define FREES_MARK      (1ull << 63)    /* in the ring: to be marked, not cleared */
#define WINDOW_TRIES    8u      /* reads of a region's maps that may fail before it is passed over */
#define WINDOW_SPARE    8u      /* blocks asked for beyond the need, against those that must be passed over */
#define WINDOW_MAPS     16u     /* maps looked at in one step */
#define RECYCLE_MIN     (STORE_NEED_MAX + WINDOW_SPARE) /* blocks for which the window is rewound */

void window_reset(struct store *st)
{
	st->win.region = st->win.opening = NO_REGION;
	st->win.next_region = st->win.high = 0;
	st->win.page = NULL;
	st->win.plain = false;
	st->win.free = 0;
	st->recycled = 0;
}

void window_rewind(struct store *st)
{
	uint64_t high = st->win.high;

	for (uint64_t r = 0; r < high; r++)
		if (st->region[r] & REGION_FREED_NOW)
			st->region[r] &= (uint8_t)~REGION_FULL;
	window_reset(st);
	st->win.high = high;
}

static void busy_mask(struct store *st, uint64_t region)
{
	uint64_t first = region << FMT_MAP_SHIFT, end = first + FMT_MAP_BITS;

	memset(st->win.busy, 0, FMT_BLOCK);
	for (uint64_t b = first; b < FMT_DATA_START; b++)
		st->win.busy[(b - first) / 64] |= 1ull << (b % 64);
	if (end <= st->blocks)
		return;
	for (uint64_t b = st->blocks; b < end && b % 64; b++)
		st->win.busy[(b - first) / 64] |= 1ull << (b % 64);
	for (uint64_t w = (st->blocks - first + 63) / 64; w < FMT_MAP_BITS / 64; w++)
		st->win.busy[w] = ~0ull;
}

static void busy_add(struct store *st, const struct node *n)
{
	const uint64_t *from = n->data;

	for (unsigned i = 0; i < FMT_BLOCK / 8; i++)
		st->win.busy[i] |= from[i];
}

static uint32_t busy_clear_bits(const struct store *st)
{
	uint32_t clear = 0;

	for (unsigned i = 0; i < FMT_BLOCK / 8; i++) {
		uint64_t w = ~st->win.busy[i];

		if (w == ~0ull) {
			clear += 64;
			continue;
		}
		w -= (w >> 1) & 0x5555555555555555ull;
		w = (w & 0x3333333333333333ull) + ((w >> 2) & 0x3333333333333333ull);
		w = (w + (w >> 4)) & 0x0f0f0f0f0f0f0f0full;
		clear += (uint32_t)((w * 0x0101010101010101ull) >> 56);
	}
	return clear;
}

/* OR the region's page of one map into busy. */
static int busy_add_map(struct store *st, const struct fmt_tree *map, struct node **wait)
{
	struct fmt_ref ref;
	struct node *n;
	int status = tree_find(st, map, st->win.opening, NODE_MAP, &ref, &st->win.bad, wait);

	if (status != STORE_OK || !ref.block || ref.block == st->win.added)
		return status;          /* generations next to each other often share the page */
	status = node_get(st, &ref, NODE_MAP, &n, wait);
	if (status == STORE_OK) {
		busy_add(st, n);
		st->win.added = ref.block;
	}
	return status;
}

/* Make the region's page of the current map writable. */
static void window_page(struct store *st)
{
	struct window *w = &st->win;
	struct node *holder;
	struct fmt_ref *ref;

	w->plain = false;
	w->early_count = 0;
	ref = tree_open(st, &st->map, NULL, w->region, NODE_MAP, &holder);
	if (!ref->block)
		st->map.pages++;
	w->page = tree_dirty(st, ref, holder, NODE_MAP);
	for (uint32_t i = 0; i < w->early_count; i++)
		map_words(w->page)[w->early[i] % FMT_MAP_BITS / 64] |= 1ull << (w->early[i] % 64);
}

/* All maps and deltas are in busy: open the window. */
static int window_enter(struct store *st, uint32_t blocks, uint32_t need)
{
	struct window *w = &st->win;
	int status;

	w->free = busy_clear_bits(st);
	if (w->free < blocks + need + WINDOW_SPARE) {
		st->region[w->opening] |= REGION_FULL;
		w->next_region = w->opening + 1;
		w->opening = NO_REGION;
		w->free = 0;
		return STORE_AGAIN;
	}
	status = node_make_room(st, need);
	if (status != STORE_OK)
		return status;
	w->region = w->opening;
	w->next_region = w->region + 1;
	if (w->high < w->next_region)
		w->high = w->next_region;
	w->opening = NO_REGION;
	w->word = 0;
	w->page = NULL;
	w->plain = st->delta.mode == DELTA_ON;
	if (!w->plain)
		window_page(st);
	return STORE_OK;
}

/* An error: of a read (`of`: the node), which is tried so many times; or there is no room in the cache, for writes fail. */
static bool window_again(struct window *w, const struct node *of)
{
	return !of || ++w->errors < WINDOW_TRIES;
}

/* The window is plain, and blocks for the trees are wanted from it. */
static int window_convert(struct store *st, uint32_t blocks, struct node **wait)
{
	struct window *w = &st->win;
	uint32_t need = 0;
	uint64_t bad;
	int status = tree_prepare(st, &st->map, w->region, NODE_MAP, true, &need, &bad, wait);

	if (status == STORE_PENDING || (status == STORE_EIO && window_again(w, *wait)))
		return status;
	if (status == STORE_OK && w->free >= blocks + need + WINDOW_SPARE) {
		*wait = NULL;
		status = node_make_room(st, need);
		if (status == STORE_OK)
			window_page(st);
		return status;
	}
	st->region[w->region] |= status == STORE_DAMAGED ? REGION_BAD : REGION_FULL | REGION_RETRY;
	w->plain = false;
	w->free = 0;
	return STORE_AGAIN;
}

/* What a kept generation uses: its map, then its delta. */
static int busy_add_kept(struct store *st, const struct fmt_generation *g, struct node **wait)
{
	int status = st->win.in_chain ? STORE_OK : busy_add_map(st, &g->map, wait);

	if (status == STORE_OK && g->delta.block)
		status = busy_delta(st, g, wait);
	return status;
}

/* Blocks that are about to be marked in the current map. */
static void busy_add_marks(struct store *st)
{
	for (uint32_t i = 0; i < st->frees_count; i++) {
		uint64_t f = st->frees[(st->frees_first + i) % st->frees_size], block = f & ~FREES_MARK;

		if (f & FREES_MARK)
			busy_set(st, block);
	}
}

static void busy_add_guard(struct store *st)
{
	for (uint32_t i = 0; i < st->guard_count; i++)
		busy_set(st, st->guard[i]);
}

/* The map of the kept generation that is looked at is damaged. STORE_END: the current state's own is whole, and that of the
 * generation it is made from, so the region can be used again when that one has gone; STORE_DAMAGED: they are not. */
static int map_damaged(struct store *st, struct node **wait)
{
	struct kept *k = &st->kept[st->win.opened_kept];
	uint64_t bad = st->win.bad;
	int status;

	st->win.added = 0;
	status = busy_add_map(st, &st->map, wait);
	if (status == STORE_OK)
		status = busy_add_map(st, &st->last.map, wait);
	if (status != STORE_OK)
		return status;
	kept_bad_map(st, k, bad);
	return STORE_END;
}

/* The region cannot be used: for the time being, or for good. */
static void window_pass(struct store *st, int status)
{
	struct window *w = &st->win;
	unsigned passed = REGION_FULL | (status == STORE_END ? REGION_UNKNOWN : REGION_RETRY);

	st->region[w->opening] |= (uint8_t)(status == STORE_DAMAGED ? REGION_BAD : passed);
	w->next_region = w->opening + 1;
	w->opening = NO_REGION;
}

static int window_open(struct store *st, uint32_t blocks, struct node **wait)
{
	struct window *w = &st->win;
	uint32_t need = 0;
	uint64_t bad;
	int status = STORE_OK;

	for (unsigned n = 0; status == STORE_OK && w->opened_kept < st->kept_count; n++) {
		if (n == WINDOW_MAPS)
			return STORE_AGAIN;
		status = busy_add_kept(st, &st->kept[w->opened_kept].g, wait);
		if (status == STORE_OK)
			w->opened_kept++;
	}
	if (status == STORE_DAMAGED)
		status = map_damaged(st, wait);
	if (status == STORE_OK && st->delta.mode != DELTA_ON)
		status = tree_prepare(st, &st->map, w->opening, NODE_MAP, true, &need, &bad, wait);
	if (status == STORE_OK)
		status = busy_add_map(st, &st->map, wait);
	if (status == STORE_OK) {
		busy_overlay(st);
		busy_add_marks(st);
		busy_add_guard(st);
		*wait = NULL;           /* all is here: if anything is waited for, it is room in the cache */
		return window_enter(st, blocks, need);
	}
	if (status == STORE_AGAIN || status == STORE_PENDING || (status == STORE_EIO && window_again(w, *wait)))
		return status;
	window_pass(st, status);
	return STORE_AGAIN;
}

/* There is nothing above: look where the superblock said that it was not worth it. What departed with the commit of that
 * superblock may have made room there. False: everywhere was looked. */
static bool window_doubts_hint(struct store *st)
{
	if (!st->hint)
		return false;
	while (st->hint)
		st->region[--st->hint] &= (uint8_t)~REGION_FULL;
	st->win.next_region = 0;
	return true;
}

int window_ensure(struct store *st, uint32_t blocks, struct node **wait)
{
	struct window *w = &st->win;

	*wait = NULL;
	if ((w->page || (w->plain && st->delta.mode == DELTA_ON)) && w->free >= blocks + WINDOW_SPARE)
		return STORE_OK;
	if (w->plain && w->free >= blocks + WINDOW_SPARE)
		return window_convert(st, blocks, wait);
	if (w->opening == NO_REGION) {
		while (w->next_region < st->regions && st->region[w->next_region] & (REGION_FULL | REGION_BAD))
			w->next_region++;
		if (w->next_region >= st->regions) {
			if (window_doubts_hint(st))
				return STORE_AGAIN;
			if (st->recycled >= RECYCLE_MIN) {
				window_rewind(st);
				return STORE_AGAIN;
			}
			st->look_again = true;
			(void)kept_give_up(st);
			return STORE_FULL;
		}
		if (w->next_region < w->high && st->puts_in_flight)
			return STORE_PENDING;   /* the last one's completion goes on */
		if (w->page || w->plain)
			st->region[w->region] |= REGION_FULL;
		w->page = NULL;
		w->plain = w->in_chain = false;
		w->seen_count = 0;
		w->region = NO_REGION;
		w->opening = w->next_region;
		w->opened_kept = w->errors = 0;
		w->added = 0;
		busy_mask(st, w->opening);
	}
	return window_open(st, STORE_NEED_MAX, wait);
}

uint64_t window_alloc(struct store *st)
{
	struct window *w = &st->win;

	for (;;) {
		uint64_t free, block;
		unsigned bit;
		struct node *n;

		while (w->busy[w->word] == ~0ull)
			w->word++;
		free = ~w->busy[w->word];
		bit = (unsigned)__builtin_ctzll(free);
		w->busy[w->word] |= 1ull << bit;
		w->free--;
		block = (w->region << FMT_MAP_SHIFT) + w->word * 64 + bit;
		n = node_find(st, block);
		/* A late read of its earlier life is still under way; or a damaged map calls free what is in use. */
		if (n && ((n->state != NODE_CLEAN && n->state != NODE_BAD) || n->touched == st->serial))
			continue;
		node_forget(st, block);
		if (w->page)
			map_words(w->page)[w->word] |= 1ull << bit;
		else if (!w->plain)
			w->early[w->early_count++] = block;
		if (st->used < st->blocks)      /* or mounting would refuse what a wrong count led to */
			st->used++;
		return block;
	}
}

/* ---- Freeing and marking ---- */

uint32_t frees_room(const struct store *st)
{
	return st->frees_size - st->frees_count;
}

void block_free(struct store *st, uint64_t block)
{
	uint32_t at = (st->frees_first + st->frees_count) % st->frees_size;

	if (block < FMT_DATA_START || block >= st->blocks) {
		st->leaked++;                   /* a reference that nobody had verified yet */
		return;
	}
	st->frees[at] = block;
	st->frees_count++;
	st->freed++;
	if (st->used)
		st->used--;
}

void block_mark(struct store *st, uint64_t block)
{
	st->frees[(st->frees_first + st->frees_count++) % st->frees_size] = block | FREES_MARK;
}

static uint64_t frees_peek(const struct store *st)
{
	return st->frees[st->frees_first] & ~FREES_MARK;
}

static bool frees_marks(const struct store *st)
{
	return st->frees[st->frees_first] & FREES_MARK;
}

static void frees_pop(struct store *st)
{
	st->frees_first = (st->frees_first + 1) % st->frees_size;
	st->frees_count--;
}

/* The block cannot be cleared in the map, and stays marked; or it cannot be marked, but nothing will ever be allocated
 * by that page of the map. */
static void frees_leak(struct store *st)
{
	if (!frees_marks(st))
		st->used++;
	st->leaked++;
	frees_pop(st);
}

/* The page of the parent's map for a region. NULL: it has none; *known is false if it is damaged. */
static int parent_page(struct store *st, uint64_t region, struct node **page, bool *known, struct node **wait)
{
	struct fmt_ref ref;
	uint64_t bad;
	int status = tree_find(st, &st->last.map, region, NODE_MAP, &ref, &bad, wait);

	*page = NULL;
	if (status == STORE_OK && ref.block)
		status = node_get(st, &ref, NODE_MAP, page, wait);
	*known = status == STORE_OK;
	return status == STORE_DAMAGED ? STORE_OK : status;
}

/* A block freed that the parent does not use was allocated in this commit: nobody holds it. */
static bool is_recycled(const struct store *st, const struct node *parent, bool known, uint64_t block)
{
	uint64_t bit = block % FMT_MAP_BITS;

	if (!known || (block >= st->last.delta_low && block < st->last.delta_high))
		return false;           /* perhaps its delta takes it */
	return !(parent && ((const uint64_t *)parent->data)[bit / 64] >> (bit % 64) & 1);
}

int frees_step(struct store *st, struct node **wait)
{
	uint64_t region, bad;
	uint32_t need = 0;
	struct node *holder, *page, *parent = NULL;
	struct fmt_ref *ref;
	bool known = false;
	int status = window_ensure(st, STORE_NEED_MAX / 2, wait);

	if (status != STORE_OK)
		return status;
	region = frees_peek(st) >> FMT_MAP_SHIFT;
	status = st->region[region] & REGION_BAD ? STORE_DAMAGED :
		tree_prepare(st, &st->map, region, NODE_MAP, true, &need, &bad, wait);
	if (status == STORE_DAMAGED) {
		/* The block stays marked as used: lost, but nothing is harmed. */
		st->region[region] |= REGION_BAD;
		frees_leak(st);
		return STORE_AGAIN;
	}
	if (status == STORE_OK)
		status = parent_page(st, region, &parent, &known, wait);
	if (status != STORE_OK)
		return status;
	*wait = NULL;
	status = node_make_room(st, need);
	if (status != STORE_OK)
		return status;
	ref = tree_open(st, &st->map, NULL, region, NODE_MAP, &holder);
	if (!ref->block)
		st->map.pages++;
	page = tree_dirty(st, ref, holder, NODE_MAP);
	st->region[region] |= REGION_FREED_NOW;
	for (unsigned i = 0; i < 32 && st->frees_count && frees_peek(st) >> FMT_MAP_SHIFT == region; i++) {
		uint64_t bit = frees_peek(st) % FMT_MAP_BITS;

		if ((map_words(page)[bit / 64] >> (bit % 64) & 1) == frees_marks(st))
			st->leaked++;           /* the map is wrong: a damaged store */
		else
			map_words(page)[bit / 64] ^= 1ull << (bit % 64);
		if (!frees_marks(st) && is_recycled(st, parent, known, frees_peek(st))) {
			st->freed--;
			st->recycled++;
		}
		frees_pop(st);
	}
	return STORE_AGAIN;
}

void alloc_committed(struct store *st)
{
	for (uint64_t r = 0; r < st->regions; r++) {
		uint8_t f = st->region[r];

		if (f & REGION_FREED_NOW)
			st->region_age[r] = 0;
		else if (st->region_age[r] < STORE_OLD)
			st->region_age[r]++;
		if (f & REGION_RETRY || st->look_again)
			f &= (uint8_t)~REGION_FULL;
		st->region[r] = f & (uint8_t)~(REGION_FREED_NOW | REGION_RETRY);
	}
	st->look_again = false;
	st->freed = 0;
	window_reset(st);
}

/* A block freed by commit c is marked in the maps of generations from before c only. So when the oldest generation
 * that is not protected any more was committed `departed` - 1 commits ago, only regions where blocks were freed since
 * may have got something to allocate. */
void alloc_departed(struct store *st, unsigned departed)
{
	for (uint64_t r = 0; departed && r < st->regions; r++)
		if (st->region_age[r] + 1u < departed || departed > STORE_OLD || st->region[r] & REGION_UNKNOWN)
			st->region[r] &= (uint8_t)~(REGION_FULL | REGION_UNKNOWN);
}

/* ---- Accounting ---- */

/* Blocks that only kept generations use. Never too small. */
uint64_t space_held(const struct store *st)
{
	return st->held + st->freed;
}

uint64_t space_free(const struct store *st)
{
	uint64_t all = st->blocks - FMT_DATA_START, gone = st->used + space_held(st);

	return gone < all ? all - gone : 0;
}

/* Blocks that only commits and removals may take. */
uint64_t space_slush(const struct store *st)
{
	return 64 + st->blocks / 64;
}

/* Blocks above these that are not promised to anybody: so that, once nothing can be promised any more, removals can
 * still be committed together with the pages that change beside them. */
static uint64_t space_soft(const struct store *st)
{
	return 64 + st->blocks / 64;
}

uint64_t space_index(const struct store *st, uint64_t pages)
{
	uint64_t sparse = 4 * pages, dense = st->index_blocks + pages / 32 + 64;

	return sparse < dense ? sparse : dense;
}

/* Blocks for so many puts, and for folding them and what is in the delta. */
static uint64_t cost_of(const struct store *st, uint64_t pages)
{
	return pages + space_index(st, pages + st->delta.count);
}

bool space_short(const struct store *st, uint64_t held)
{
	return st->blocks - FMT_DATA_START < st->used + st->freed + held + space_slush(st) + space_soft(st) +
		cost_of(st, st->reserved);
}

int store_reserve(struct store *st, uint64_t pages)
{
	uint64_t all = st->blocks - FMT_DATA_START;

	/* Unnamed generations go when puts need what they hold. */
	if (!st->blocks || pages > st->blocks || all < st->used + st->freed + st->held_fixed + space_slush(st) +
	    space_soft(st) + cost_of(st, st->reserved + pages))
		return STORE_FULL;
	st->reserved += pages;
	return STORE_OK;
}

void store_unreserve(struct store *st, uint64_t pages)
{
	st->reserved -= pages < st->reserved ? pages : st->reserved;
}

uint64_t store_reserved(const struct store *st)
{
	return st->reserved;
}
