/* SPDX-License-Identifier: BSD-2-Clause
 * Overlay: the delta in memory. All pages that have moved since the last full generation, in a list sorted by (client,
 * page); what delta.c writes and loads, and fold.c applies to the trees. A skip list, since a look-up must be cheap,
 * the next entry is asked for as often, and nothing is ever taken out but everything at once.
 */
#include <string.h>

#include "store_priv.h"

#define NEXT_HOLES      32u     /* pages removed since the full generation that one step of a walk goes over */

static uint64_t key_of(uint32_t client, uint64_t vpn)
{
	return (uint64_t)client << FMT_RECORD_CLIENT_SHIFT | vpn;
}

/* ---- The list. Entry 0 is its head ---- */

uint32_t delta_room(uint64_t blocks)
{
	uint64_t n = blocks / 32;

	if (n < 64)
		n = 64;
	if (n > DELTA_CHAIN * FMT_DELTA_RECORDS)
		n = DELTA_CHAIN * FMT_DELTA_RECORDS;
	return (uint32_t)(n + n / 2);
}

void delta_limits(struct store *st)
{
	struct delta *d = &st->delta;

	d->limit = d->off ? 0 : delta_room(st->blocks);
	d->max = d->limit / 3 * 2;
	d->fresh_max = DELTA_FRESH * d->per_block;
	d->age_max = DELTA_AGE;
}

void store_full_commits(struct store *st, bool only)
{
	st->delta.off = only;
	if (st->blocks)
		delta_limits(st);
}

void delta_reset(struct store *st, uint64_t full)
{
	struct delta *d = &st->delta;

	memset(&d->entry[0], 0, sizeof(d->entry[0]));
	d->mode = full ? DELTA_ON : DELTA_OFF;
	d->count = d->fresh = 0;
	d->full = full;
	d->chain_count = d->made_count = d->made_done = 0;
	d->table_outside = false;
	d->cursor = 0;
}

/* First entry at or after key, or 0; before[]: the last one before it, of each level. */
static uint16_t seek(const struct store *st, uint64_t key, uint16_t before[DELTA_LEVELS])
{
	const struct delta_entry *entry = st->delta.entry;
	uint16_t at = 0;

	for (unsigned level = DELTA_LEVELS; level-- > 0;) {
		while (entry[at].next[level] && entry[entry[at].next[level]].r.key < key)
			at = entry[at].next[level];
		before[level] = at;
	}
	return entry[at].next[0];
}

struct delta_entry *overlay_from(const struct store *st, uint64_t key)
{
	uint16_t before[DELTA_LEVELS], at = st->delta.count ? seek(st, key, before) : 0;

	return at ? &st->delta.entry[at] : NULL;
}

struct delta_entry *overlay_after(const struct store *st, const struct delta_entry *e)
{
	return e->next[0] ? &st->delta.entry[e->next[0]] : NULL;
}

struct delta_entry *overlay_first(const struct store *st)
{
	return overlay_after(st, &st->delta.entry[0]);
}

struct delta_entry *overlay_find(const struct store *st, uint64_t key)
{
	struct delta_entry *e = overlay_from(st, key);

	return e && e->r.key == key ? e : NULL;
}

struct delta_entry *overlay_entry(struct store *st, uint64_t key)
{
	uint16_t before[DELTA_LEVELS], at = seek(st, key, before);
	struct delta_entry *entry = st->delta.entry, *e = &entry[at];
	uint64_t chance = (key * 0x9e3779b97f4a7c15ull) >> 32;

	if (at && e->r.key == key)
		return e;
	at = (uint16_t)++st->delta.count;
	e = &entry[at];
	memset(e, 0, sizeof(*e));
	e->r.key = key;
	for (unsigned level = 0; level < DELTA_LEVELS && !(chance & ((1u << 2 * level) - 1)); level++) {
		e->next[level] = entry[before[level]].next[level];
		entry[before[level]].next[level] = at;
	}
	return e;
}

/* ---- Pages, as the overlay and the trees together have them ---- */

int overlay_lookup(struct store *st, uint32_t client, uint64_t vpn, struct fmt_ref *out, uint64_t *bad, struct node **wait)
{
	const struct delta_entry *e = overlay_find(st, key_of(client, vpn));
	struct fmt_client c;
	int status;

	if (e) {
		*out = (struct fmt_ref){ entry_block(e), e->r.sum };
		return STORE_OK;
	}
	status = client_find(st, client, &c, bad, wait);
	if (status == STORE_OK)
		status = tree_find(st, &c.tree, vpn, NODE_INDEX, out, bad, wait);
	return status;
}

bool entry_is_of(const struct delta_entry *e, uint32_t client)
{
	return e && record_kind(e->r.key) == FMT_RECORD_PAGE && record_client(e->r.key) == client;
}

int overlay_next(struct store *st, uint32_t client, uint64_t *vpn, struct fmt_ref *out, uint64_t *bad,
	      struct node **wait)
{
	struct delta_entry *e = overlay_from(st, key_of(client, *vpn));
	struct fmt_client c;
	uint64_t at = *vpn;
	unsigned left = NEXT_HOLES;
	int status;

	if (!entry_is_of(e, client) || record_vpn(e->r.key) != at || !entry_block(e)) {
		status = client_find(st, client, &c, bad, wait);
		while (status == STORE_OK) {
			status = tree_next(st, &c.tree, &at, out, bad, wait);
			while (entry_is_of(e, client) && !entry_block(e) && (status != STORE_OK || record_vpn(e->r.key) < at))
				e = overlay_after(st, e);
			if (status != STORE_OK || !entry_is_of(e, client) || record_vpn(e->r.key) != at || entry_block(e))
				break;
			at++;           /* the tree has a page that is a hole now */
			e = overlay_after(st, e);
			if (!--left) {
				*vpn = at;
				return STORE_AGAIN;
			}
		}
		if (status == STORE_DAMAGED)
			*vpn = at;              /* what is damaged is on the way to this one */
		if (status != STORE_OK && status != STORE_END)
			return status;
		if (!entry_is_of(e, client) || (status == STORE_OK && at < record_vpn(e->r.key))) {
			*vpn = at;
			return status;
		}
	}
	*vpn = record_vpn(e->r.key);
	*out = (struct fmt_ref){ entry_block(e), e->r.sum };
	return STORE_OK;
}

/* ---- Changes ---- */

void delta_release(struct store *st, uint64_t block)
{
	st->used--;
	st->freed++;
	st->region[block >> FMT_MAP_SHIFT] |= REGION_FREED_NOW;
}

void delta_recycle(struct store *st, uint64_t block)
{
	st->used--;
	st->recycled++;
	st->region[block >> FMT_MAP_SHIFT] |= REGION_FREED_NOW;
}

void delta_give_up(struct store *st, const struct delta_entry *e)
{
	if (entry_block(e) && e->fresh)
		delta_recycle(st, entry_block(e));
	else if (entry_block(e))
		delta_release(st, entry_block(e));
}

void overlay_touch(struct store *st, struct delta_entry *e)
{
	st->delta.fresh += !e->fresh;
	e->fresh = true;
}

bool delta_takes(const struct store *st, uint32_t client, uint64_t vpn)
{
	const struct delta *d = &st->delta;
	const struct delta_entry *e = overlay_find(st, key_of(client, vpn));

	return (e || d->count + DELTA_SPARE < d->limit) && ((e && e->fresh) || d->fresh < d->fresh_max);
}

bool delta_knows(const struct store *st, uint32_t client, uint64_t vpn)
{
	return overlay_find(st, key_of(client, vpn)) != NULL;
}

void delta_set(struct store *st, uint32_t client, uint64_t vpn, struct fmt_ref ref, bool replaces)
{
	struct delta_entry *e = overlay_entry(st, key_of(client, vpn));

	delta_give_up(st, e);
	e->r.block = (e->r.block & FMT_RECORD_REPLACES) | (replaces ? FMT_RECORD_REPLACES : 0) | ref.block;
	e->r.sum = ref.sum;
	overlay_touch(st, e);
}

void delta_free_table(struct store *st)
{
	struct delta *d = &st->delta;

	for (uint32_t i = 0; i < st->table_count; i++) {
		uint64_t block = st->table_blocks[i];

		if (d->table_outside)
			delta_release(st, block);
		else
			overlay_touch(st, overlay_entry(st, (uint64_t)FMT_RECORD_UNUSED << FMT_RECORD_KIND_SHIFT | block));
	}
	st->table_count = 0;
}

/* ---- Allocation ---- */

void busy_overlay(struct store *st)
{
	const struct delta *d = &st->delta;

	for (uint32_t i = 1; i <= d->count; i++)
		if (entry_block(&d->entry[i]))
			busy_set(st, entry_block(&d->entry[i]));
	for (uint32_t i = 0; i < d->chain_count; i++)
		busy_set(st, d->chain[i].block);
	for (uint32_t i = 0; d->mode == DELTA_ON && i < st->new_table_count; i++)
		busy_set(st, st->new_table[i]);
}
