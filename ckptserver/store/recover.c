/* SPDX-License-Identifier: BSD-2-Clause
 * Mounting: which generation is the newest intact one, and formatting.
 *
 * Mounting reads the two superblocks, the boot counters and, of each generation that comes into question, the
 * generation table, the root of the client directory and the root of the allocation map. Everything
 * deeper is loaded, and verified, when it is first needed.
 *
 * A generation named by the table is intact as far as this code knows, with one exception: the oldest unnamed one
 * is given up by the commit after the one that wrote the table. If the other superblock is not the valid,
 * direct predecessor, a newer commit may have begun, so that record is not trusted.
 */
#include <string.h>

#include "store_priv.h"

#define READ_TRIES      3u      /* to take a passing error for damage would lose a generation */

/* Does the block behind ref match? The content stays in `page`. STORE_OK, EIO, DAMAGED; *bad names the block. */
static int ref_check(struct store *st, const struct fmt_ref *ref, void *page, uint64_t *bad)
{
	int status = STORE_EIO;

	*bad = ref->block;
	if (!ref->block)
		return STORE_OK;
	if (!ref_valid(st, ref))
		return STORE_DAMAGED;
	for (unsigned tries = 0; tries < READ_TRIES && status != STORE_OK; tries++)
		status = sync_io(st, BLK_READ, ref->block, page);
	return status == STORE_OK && store_sum(page) != ref->sum ? STORE_DAMAGED : status;
}

/* NULL: as far as it is looked at here, it is whole. Else why not, and *status is EIO or DAMAGED. */
static const char *generation_check(struct store *st, const struct fmt_generation *g, uint64_t *bad, int *status)
{
	*status = STORE_DAMAGED;
	if (g->clients.height > FMT_MAX_HEIGHT || g->map.height > FMT_MAX_HEIGHT || g->used > st->blocks)
		return "generation record contradicts itself";
	if (g->delta.block)
		return "generation has a delta this program does not know";
	*status = ref_check(st, &g->clients.root, st->sync_page, bad);
	if (*status != STORE_OK)
		return *status == STORE_EIO ? "root of the client directory cannot be read" :
					      "root of the client directory does not match its checksum";
	*status = ref_check(st, &g->map.root, st->sync_page, bad);
	if (*status != STORE_OK)
		return *status == STORE_EIO ? "root of the allocation map cannot be read" :
					      "root of the allocation map does not match its checksum";
	return NULL;
}

/* Read the generation table behind the superblock into st->kept, after the superblock's own record. As
 * generation_check. */
static const char *table_read(struct store *st, const struct fmt_super *s, uint64_t *bad, int *status)
{
	struct fmt_ref ref = s->gen.table;
	struct fmt_gens *t = st->gens;

	st->kept_count = 0;
	if (s->gen.generation)
		st->kept[st->kept_count++] = s->gen;
	while (ref.block) {
		*status = ref_check(st, &ref, t, bad);
		if (*status != STORE_OK)
			return *status == STORE_EIO ? "generation table cannot be read" :
						      "generation table does not match its checksum";
		*status = STORE_DAMAGED;
		if (t->magic != FMT_GENS_MAGIC || t->version != FMT_VERSION || !t->count ||
		    t->count > FMT_GENS_PER_BLOCK || st->kept_count + t->count > STORE_KEPT_MAX)
			return "generation table contradicts itself";
		memcpy(&st->kept[st->kept_count], t->gen, t->count * sizeof(t->gen[0]));
		st->kept_count += t->count;
		ref = t->next;
	}
	*status = STORE_DAMAGED;
	for (uint32_t i = 0; i < st->kept_count; i++)
		if (st->kept[i].map.height > FMT_MAX_HEIGHT)
			return "generation record contradicts itself";
	return NULL;
}

/* Take the oldest unnamed record out, see above. */
static void table_distrust(struct store *st)
{
	uint32_t oldest = 0;

	for (uint32_t i = 1; i < st->kept_count; i++)
		if (!(st->kept[i].flags & FMT_GEN_NAMED) && st->kept[i].generation != st->last.generation)
			oldest = i;
	if (!oldest)
		return;
	st->kept_count--;
	memmove(&st->kept[oldest], &st->kept[oldest + 1], (st->kept_count - oldest) * sizeof(st->kept[0]));
}

/* Make generation g, one of the kept ones or an empty one, the current state. */
static void adopt(struct store *st, const struct fmt_super *s, const struct fmt_generation *g)
{
	st->last = *g;
	st->clients = g->clients;
	st->map = g->map;
	st->used = g->used;
	st->index_blocks = g->index_blocks;
	st->freed = 0;
	st->slot = s->slot;
	st->table = g->table;
	st->super_boot = s->boot;
	memcpy(st->uuid, s->uuid, sizeof(st->uuid));
	window_reset(st);
	for (uint64_t r = 0; r < s->alloc_hint && r < st->regions; r++)
		st->region[r] = REGION_FULL | REGION_FREED_NOW;
}

static void set_blocks(struct store *st, uint64_t blocks)
{
	st->blocks = blocks;
	st->regions = (blocks + FMT_MAP_BITS - 1) >> FMT_MAP_SHIFT;
}

/* Neither slot is valid: what is this partition? */
static int nothing_valid(struct store *st, const struct store_mount *res)
{
	int a = res->slots[0].status, b = res->slots[1].status;

	if (a == STORE_TOO_SMALL || b == STORE_TOO_SMALL)
		return STORE_TOO_SMALL;
	if (a == STORE_EIO || b == STORE_EIO)
		return STORE_EIO;
	if (a == STORE_DAMAGED || b == STORE_DAMAGED)
		return STORE_DEAD;
	return super_probe(st);
}

/* Try one superblock. On success the store stands on it, or on the wanted generation. */
static int try_slot(struct store *st, struct store_mount *res, unsigned slot, uint64_t want, struct fmt_super *s)
{
	const struct fmt_generation *g = &s->gen;
	uint64_t bad = 0;
	const char *why;
	int status;

	store_forget(st);
	set_blocks(st, s->blocks);
	why = table_read(st, s, &bad, &status);
	if (!why && want && want != g->generation) {
		g = NULL;
		for (uint32_t i = 0; i < st->kept_count; i++)
			if (st->kept[i].generation == want)
				g = &st->kept[i];
		if (!g)
			return STORE_NO_GENERATION;
	}
	if (!why)
		why = generation_check(st, g, &bad, &status);
	if (why) {
		res->slots[slot].status = status;
		res->slots[slot].bad_block = bad;
		res->slots[slot].why = why;
		return STORE_DEAD;
	}
	adopt(st, s, g);
	return STORE_OK;
}

static void report(struct store *st, struct store_mount *res)
{
	res->generation = st->last.generation;
	res->parent = st->last.parent;
	res->newest = st->newest;
	res->boot = st->boot;
	res->commit_boot = st->last.boot;
	memcpy(res->user, st->last.user, sizeof(res->user));
	memcpy(res->uuid, st->uuid, sizeof(res->uuid));
	res->blocks = st->blocks;
	res->slot = st->slot;
}

/* The number that no generation has had, and which old records can be trusted, by the state of the other slot. */
static void settle_history(struct store *st, struct store_mount *res, unsigned slot, uint64_t other_generation)
{
	unsigned other = 1 - slot;
	uint64_t own = res->slots[slot].generation;
	int status = res->slots[other].status;

	st->newest = other_generation > own ? other_generation : own;
	if (status == STORE_OK && other_generation < own)
		return;
	if (status == STORE_EMPTY && own <= 1)
		return;
	/* The other slot may have held the successor, which somebody may have seen. */
	if (st->newest == own)
		st->newest++;
	table_distrust(st);
}

int store_mount(struct store *st, uint64_t want, struct store_mount *res)
{
	struct fmt_super *s[2] = { st->super, st->super_other };
	uint64_t generation[2] = { 0, 0 };
	bool valid[2], same;
	unsigned first;
	int status = STORE_DEAD;

	memset(res, 0, sizeof(*res));
	store_forget(st);
	if (st->dev->blocks < STORE_MIN_BLOCKS)
		return STORE_TOO_SMALL;
	for (unsigned i = 0; i < 2; i++) {
		valid[i] = super_read(st, res, i, s[i]);
		generation[i] = res->slots[i].generation;
	}
	if (res->slots[0].status == STORE_FUTURE || res->slots[1].status == STORE_FUTURE)
		return STORE_FUTURE;
	if (!valid[0] && !valid[1])
		return nothing_valid(st, res);
	same = valid[0] && valid[1] && !memcmp(s[0]->uuid, s[1]->uuid, sizeof(s[0]->uuid));
	if (valid[0] && valid[1] && !same) {
		unsigned stranger = generation[0] > generation[1];

		valid[stranger] = false;
		res->slots[stranger].status = STORE_FOREIGN;
		res->slots[stranger].why = "superblock of another store";
	}
	first = !valid[0] || (valid[1] && generation[1] > generation[0]);
	for (unsigned k = 0; k < 2 && status != STORE_OK; k++) {
		unsigned slot = k ? 1 - first : first;

		if (!valid[slot] || status == STORE_NO_GENERATION)
			continue;
		status = try_slot(st, res, slot, want, s[slot]);
		if (status == STORE_OK) {
			res->fell_back = k || (!valid[1 - slot] && res->slots[1 - slot].status != STORE_EMPTY);
			settle_history(st, res, slot, valid[1 - slot] ? generation[1 - slot] : 0);
		}
	}
	if (status != STORE_OK) {
		store_forget(st);
		/* What could not be read may be there at the next try. */
		if (status == STORE_DEAD && (res->slots[0].status == STORE_EIO || res->slots[1].status == STORE_EIO))
			status = STORE_EIO;
		return status;
	}
	boot_read(st);
	report(st, res);
	return STORE_OK;
}

static int wipe_fixed(struct store *st)
{
	int status = STORE_OK;

	memset(st->sync_page, 0, FMT_BLOCK);
	for (uint64_t b = 0; b < FMT_DATA_START && status == STORE_OK; b++)
		status = sync_io(st, BLK_WRITE, b, st->sync_page);
	return status == STORE_OK ? sync_io(st, BLK_FLUSH, 0, NULL) : status;
}

int store_format(struct store *st, const uint8_t uuid[STORE_UUID_BYTES], bool force, struct store_mount *res)
{
	int status = store_mount(st, 0, res);
	struct fmt_super *s = st->super;

	if (status == STORE_TOO_SMALL && st->dev->blocks < STORE_MIN_BLOCKS)
		return status;
	if (status != STORE_EMPTY && !force)
		return status == STORE_OK ? STORE_FOREIGN : status;
	store_forget(st);
	if (status != STORE_EMPTY)
		status = wipe_fixed(st);
	else
		status = STORE_OK;
	if (status != STORE_OK)
		return status;
	memset(s, 0, sizeof(*s));
	s->magic = FMT_SUPER_MAGIC;
	s->version = FMT_VERSION;
	memcpy(s->uuid, uuid, sizeof(s->uuid));
	s->blocks = st->dev->blocks;
	s->block_size = FMT_BLOCK;
	super_seal(s);
	status = sync_io(st, BLK_WRITE, FMT_SUPER_BLOCK(0), s);
	if (status == STORE_OK)
		status = sync_io(st, BLK_FLUSH, 0, NULL);
	return status == STORE_OK ? store_mount(st, 0, res) : status;
}
