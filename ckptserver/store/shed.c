/* SPDX-License-Identifier: BSD-2-Clause
 * Shedding: space is short in the middle of a commit, and generations that need not be kept hold blocks. They may
 * be used as soon as neither superblock names those generations any more (invariant 2). So the superblock of the
 * last durable generation is written again, with a list of those that are dropped, first to the other slot, then,
 * when that is durable, to its own. Nothing else changes: a crash finds the same generation at every moment.
 *
 *   (idle) -> WRITE -> FLUSH -> WRITE (the other slot) -> FLUSH -> (idle)
 *
 * The oldest unnamed generations go, as many as needed. Named and pinned ones stay, and so do the current state's
 * parent and the superblock's own generation.
 */
#include <string.h>

#include "store_priv.h"

static void submit(struct store *st, enum blk_op op)
{
	st->shed_flushing = op == BLK_FLUSH;
	io_submit(st, op, op == BLK_WRITE ? FMT_SUPER_BLOCK(st->super_other->slot) : 0, st->super_other);
}

static bool is_named(const struct store *st, const struct kept *k)
{
	return k->slots >> st->slot & 1;
}

/* Plan to keep `most` of those that need not stay. Returns how many of them there are. */
static uint32_t plan(struct store *st, uint32_t most)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < st->kept_count; i++) {
		struct kept *k = &st->kept[i];

		k->planned = kept_must_stay(st, k) || (k->listed && n++ < most);
	}
	return n;
}

/* Decide what goes. False: nothing can. */
static bool choose(struct store *st)
{
	uint32_t most = plan(st, 0), room = 0, go = 0;

	for (uint32_t i = 0; i < FMT_DROPPED_MAX; i++)
		room += !st->super->dropped[i];
	/* Those that only wait for a superblock to be overwritten go in any case; then one after the other. */
	plan(st, most);
	for (uint32_t i = 0; i < st->kept_count; i++)
		go += !st->kept[i].planned;
	if (!go && most)
		plan(st, --most);
	while (most && space_short(st, kept_planned_hold(st)))
		plan(st, --most);
	go = 0;
	for (uint32_t i = st->kept_count; i-- > 0;) {
		struct kept *k = &st->kept[i];

		/* A damaged table that only the other superblock's stands in for: that one must stay. */
		if (k->planned && k->listed && !is_named(st, k))
			return false;
		if (!k->planned && is_named(st, k)) {
			k->planned = !room;
			room -= room > 0;
		}
		go += !k->planned;
	}
	return go;
}

static void write_super(struct store *st)
{
	struct fmt_super *s = st->super_other;
	unsigned n = 0;

	memcpy(s, st->super, sizeof(*s));
	s->slot = 1 - st->slot;
	s->revision += st->shed_left == 2;
	while (n < FMT_DROPPED_MAX && s->dropped[n])
		n++;
	for (uint32_t i = 0; i < st->kept_count && st->shed_left == 2; i++)
		if (!st->kept[i].planned && is_named(st, &st->kept[i]))
			s->dropped[n++] = st->kept[i].g.generation;
	super_seal(s);
	st->super_errors = st->flush_errors;
	submit(st, BLK_WRITE);
}

int shed(struct store *st)
{
	int status = st->shed_status;

	st->shed_status = STORE_OK;
	if (st->shed_left)
		return STORE_PENDING;
	if (status != STORE_OK)
		return status;          /* the caller's next try begins anew */
	if (!choose(st))
		return STORE_FULL;
	st->shed_left = 2;
	write_super(st);
	return STORE_PENDING;
}

static bool ended(struct store *st, int status)
{
	st->shed_left = 0;
	st->shed_status = status;
	st->starved = false;
	st->io.owner = NULL;
	return true;
}

bool shed_step(struct store *st)
{
	if (st->io_busy)
		return false;
	if (st->io_status != BLK_OK) {
		if (st->shed_flushing)
			written_doubt(st);
		return ended(st, STORE_EIO);
	}
	if (!st->shed_flushing) {
		submit(st, BLK_FLUSH);
		return false;
	}
	if (st->flush_errors != st->super_errors)
		return ended(st, STORE_EIO);    /* another flush has failed meanwhile */
	/* The slot written has what the other one had, and less: that is the one to be written next. */
	memcpy(st->super, st->super_other, sizeof(*st->super));
	st->slot = st->super->slot;
	alloc_departed(st, kept_named_by(st, st->slot));
	kept_held(st);
	window_rewind(st);
	if (!--st->shed_left)
		return ended(st, STORE_OK);
	write_super(st);
	return false;
}
