/* SPDX-License-Identifier: BSD-2-Clause
 * Mounting: which generations there are, which of them is the newest intact one, and formatting.
 *
 * Mounting reads the two superblocks, their generation tables, the boot counters and, of each generation that comes
 * into question, the path to the roots of its first clients and the root of its allocation map. Everything deeper is
 * loaded, and verified, when it is first needed.
 *
 * What a superblock and its table name is intact, as far as the store itself is concerned, until that superblock is
 * overwritten (invariant 2). So the newer superblock says what is kept; if its table is damaged, the older one's
 * stands in for it: all that the newer one keeps, but for itself, was kept by the older one. Superblocks from before
 * this rule (without FMT_INCOMPAT_TABLE) are trusted less: the commit after such a one gave its oldest unnamed
 * generation up, and if the other superblock is not the valid, direct predecessor, that commit may have begun.
 */
#include <string.h>

#include "store_priv.h"

#define READ_TRIES      3u      /* to take a passing error for damage would lose generations */

int ref_check(struct store *st, const struct fmt_ref *ref, void *page)
{
	int status = STORE_EIO;

	if (!ref_valid(st, ref))
		return STORE_DAMAGED;
	for (unsigned tries = 0; tries < READ_TRIES && status != STORE_OK; tries++)
		status = sync_io(st, BLK_READ, ref->block, page);
	if (status == STORE_OK && store_sum(page) != ref->sum)
		status = STORE_DAMAGED;
	return status;
}

/* ---- Is a generation intact? ---- */

/* Follow a tree down to its page 0: *ref becomes the reference to it. */
static int first_page(struct store *st, const struct fmt_tree *t, struct fmt_ref *ref)
{
	int status = STORE_OK;

	*ref = t->root;
	for (uint32_t level = t->height; level && ref->block && status == STORE_OK; level--) {
		status = ref_check(st, ref, st->sync_page);
		if (status == STORE_OK)
			*ref = ((struct fmt_node *)st->sync_page)->entry[0];
	}
	return status;
}

/* The roots of the clients in the first page of the directory, which is in *page. */
static int first_clients(struct store *st, const struct fmt_client *page, struct fmt_ref *ref)
{
	for (unsigned i = 0; i < FMT_CLIENTS_PER_PAGE; i++) {
		int status;

		if (!(page[i].flags & FMT_CLIENT_EXISTS) || !page[i].tree.root.block)
			continue;
		*ref = page[i].tree.root;
		status = page[i].tree.height > FMT_MAX_HEIGHT ? STORE_DAMAGED : ref_check(st, ref, st->sync_page);
		if (status != STORE_OK)
			return status;
	}
	return STORE_OK;
}

static int judged(struct store_skipped *s, int status, const struct fmt_ref *ref, const char *damaged,
		  const char *unreadable)
{
	s->status = status;
	s->block = ref->block;
	s->why = status == STORE_EIO ? unreadable : damaged;
	return status;
}

static int map_check(struct store *st, const struct fmt_generation *g, struct store_skipped *s)
{
	int status = STORE_OK;

	if (g->map.height > FMT_MAX_HEIGHT)
		status = STORE_DAMAGED;
	else if (g->map.root.block)
		status = ref_check(st, &g->map.root, st->sync_page);
	return judged(s, status, &g->map.root, "root of the allocation map does not match its checksum",
		      "root of the allocation map cannot be read");
}

/* Can it be mounted? `deep`: are the paths to its first clients whole, too? Says why not. If it can, its delta is
 * loaded. */
static int generation_check(struct store *st, const struct fmt_generation *g, bool deep, struct store_skipped *s)
{
	struct fmt_ref ref = { 0, 0 };
	const char *why;
	int status;

	*s = (struct store_skipped){ .generation = g->generation };
	if (g->clients.height > FMT_MAX_HEIGHT || g->map.height > FMT_MAX_HEIGHT || g->used > st->blocks)
		return judged(s, STORE_DAMAGED, &ref, "generation record contradicts itself", NULL);
	why = delta_load(st, g, &status, &ref.block);
	if (why)
		return judged(s, status, &ref, why, "delta block cannot be read");
	if (g->clients.root.block) {
		status = ref_check(st, &g->clients.root, st->sync_page);
		if (status != STORE_OK)
			return judged(s, status, &g->clients.root,
				      "root of the client directory does not match its checksum",
				      "root of the client directory cannot be read");
	}
	status = map_check(st, g, s);
	if (status != STORE_OK || !deep)
		return status;
	status = first_page(st, &g->clients, &ref);
	if (status == STORE_OK && ref.block)
		status = ref_check(st, &ref, st->sync_page);
	if (status != STORE_OK)
		return judged(s, status, &ref, "client directory does not match its checksum",
			      "client directory cannot be read");
	if (!ref.block)
		return STORE_OK;
	memcpy(st->gens, st->sync_page, FMT_BLOCK);     /* the buffer is free: the tables have been read */
	status = first_clients(st, (const struct fmt_client *)(void *)st->gens, &ref);
	return judged(s, status, &ref, "root of a client's pages does not match its checksum",
		      "root of a client's pages cannot be read");
}

/* ---- Which generations are there? ---- */

static void table_damaged(struct store_mount *res, uint64_t block, const char *why)
{
	if (res->table_why)
		return;
	res->table_block = block;
	res->table_why = why;
}

static bool is_dropped(const struct fmt_super *s, uint64_t generation)
{
	for (unsigned i = 0; i < FMT_DROPPED_MAX; i++)
		if (s->dropped[i] == generation)
			return true;
	return false;
}

/* Put what a superblock and its table name on the list. False: the table could not be read to its end. */
static bool table_read(struct store *st, struct store_mount *res, const struct fmt_super *s, bool listed)
{
	struct fmt_ref ref = s->gen.table;
	struct fmt_gens *t = st->gens;

	if (s->gen.generation)
		kept_add(st, &s->gen, s->slot, listed);
	for (unsigned n = 0; ref.block; n++) {
		int status = n < STORE_TABLE_BLOCKS ? ref_check(st, &ref, t) : STORE_DAMAGED;

		if (status != STORE_OK) {
			table_damaged(res, ref.block, status == STORE_EIO ? "generation table cannot be read" :
				      "generation table does not match its checksum");
			return false;
		}
		if (t->magic != FMT_GENS_MAGIC || t->version != FMT_VERSION || !t->count ||
		    t->count > FMT_GENS_PER_BLOCK) {
			table_damaged(res, ref.block, "generation table contradicts itself");
			return false;
		}
		st->guard[st->guard_count++] = ref.block;
		for (uint32_t i = 0; i < t->count; i++) {
			const struct fmt_generation *g = &t->gen[i];

			if (g->generation && is_dropped(s, g->generation))
				continue;
			if (!g->generation || g->generation > s->generation || g->map.height > FMT_MAX_HEIGHT ||
			    g->used > st->blocks || !kept_add(st, g, s->slot, listed))
				table_damaged(res, ref.block, "generation record contradicts itself");
		}
		ref = t->next;
	}
	return true;
}

/* Before FMT_INCOMPAT_TABLE: take the oldest unnamed record out, see above. */
static void table_distrust(struct store *st, const struct fmt_super *s)
{
	struct kept *oldest = NULL;

	for (uint32_t i = 0; i < st->kept_count; i++)
		if (!(st->kept[i].flags & FMT_GEN_NAMED) && st->kept[i].g.generation < s->generation)
			oldest = &st->kept[i];
	if (oldest && !(s->features_incompat & FMT_INCOMPAT_TABLE))
		kept_remove(st, oldest);
}

/* The blocks of the table of the generation that becomes the current state's parent: its next commit frees them. What
 * cannot be read stays marked as used. */
static void table_blocks_find(struct store *st)
{
	struct fmt_ref ref = st->table;

	st->table_count = 0;
	while (ref.block && st->table_count < STORE_TABLE_BLOCKS && ref_valid(st, &ref)) {
		st->table_blocks[st->table_count++] = ref.block;
		if (ref_check(st, &ref, st->gens) != STORE_OK)
			return;
		ref = st->gens->next;
	}
}

/* Make generation g, one of the kept ones or an empty one, the current state. `s` leads to it. */
static void adopt(struct store *st, const struct fmt_super *s, const struct fmt_generation *g)
{
	if (s != st->super)
		memcpy(st->super, s, sizeof(*s));
	st->last = *g;
	st->clients = g->clients;
	st->map = g->map;
	st->used = g->used;
	st->index_blocks = g->index_blocks;
	state_mounted(st, g);
	st->freed = 0;
	st->slot = s->slot;
	st->table = g->table;
	st->super_boot = s->boot;
	if (!g->generation)
		delta_reset(st, 0);
	delta_limits(st);
	st->keep = s->keep && s->keep <= STORE_KEEP_MAX ? s->keep : STORE_KEEP_DEFAULT;
	memcpy(st->uuid, s->uuid, sizeof(st->uuid));
	window_reset(st);
	for (st->hint = 0; st->hint < s->alloc_hint && st->hint < st->regions; st->hint++)
		st->region[st->hint] = REGION_FULL;
	table_blocks_find(st);
	kept_held(st);
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

static void skip(struct store_mount *res, const struct store_skipped *s)
{
	if (res->skipped_count < STORE_SKIPPED_MAX)
		res->skipped[res->skipped_count] = *s;
	res->skipped_count++;
	for (unsigned i = 0; i < 2; i++) {
		if (res->slots[i].status != STORE_OK || res->slots[i].generation != s->generation)
			continue;
		res->slots[i].status = s->status;
		res->slots[i].bad_block = s->block;
		res->slots[i].why = s->why;
	}
}

/* What is newer than the generation mounted is kept until it is dropped. Without the root of its map nobody knows
 * which blocks to keep for it. */
static void pin_newer(struct store *st, struct store_mount *res)
{
	for (uint32_t i = 0; i < st->kept_count && st->kept[i].g.generation > st->last.generation;) {
		struct kept *k = &st->kept[i];
		struct store_skipped s = { .generation = k->g.generation };

		if (map_check(st, &k->g, &s) != STORE_OK) {
			skip(res, &s);
			kept_remove(st, k);
			continue;
		}
		if (k->listed && k->flags != FMT_GEN_SPARE)
			k->flags |= FMT_GEN_PINNED;
		i++;
	}
}

/* A table is protected as part of its generation. When that one's map or delta is damaged nobody else does it, and the
 * superblock may be the one to start from once more: its table is protected by itself. */
static void guard_tables(struct store *st, const struct store_mount *res)
{
	bool safe = true;

	for (unsigned slot = 0; slot < 2; slot++) {
		uint64_t generation = res->slots[slot].generation;
		const struct kept *k = generation ? kept_find(st, generation) : NULL;

		if (generation)
			safe &= k && (!k->g.delta.block || ref_check(st, &k->g.delta, st->sync_page) == STORE_OK);
	}
	if (safe)
		st->guard_count = 0;
	st->guard_left = 2;
}

static uint32_t pins_needed(const struct store *st, uint64_t generation)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < st->kept_count && st->kept[i].g.generation > generation; i++)
		n += st->kept[i].listed && !st->kept[i].flags;
	return n;
}

/* The next generation to try, after `from` (NULL: the first): ancestors, the other superblock's, all others. */
static struct kept *candidate(struct store *st, const struct kept *from, struct fmt_super *const s[2])
{
	struct kept *k = kept_find(st, from ? from->g.base : s[0]->generation);

	if ((!k || k->tried) && s[1])
		k = kept_find(st, s[1]->generation);
	for (uint32_t i = 0; (!k || k->tried) && i < st->kept_count; i++)
		if (st->kept[i].listed)
			k = &st->kept[i];
	for (uint32_t i = 0; (!k || k->tried) && i < st->kept_count; i++)
		k = &st->kept[i];
	return k && !k->tried ? k : NULL;
}

/* The first candidate that is intact, superficially at least. */
static struct kept *newest_intact(struct store *st, struct store_mount *res, struct fmt_super *const s[2])
{
	struct store_skipped why;
	struct kept *k = NULL;

	while ((k = candidate(st, k, s))) {
		k->tried = true;
		if (generation_check(st, &k->g, true, &why) == STORE_OK)
			return k;
		skip(res, &why);
	}
	for (uint32_t i = 0; i < st->kept_count; i++)
		st->kept[i].tried = false;
	while ((k = candidate(st, k, s))) {
		k->tried = true;
		if (generation_check(st, &k->g, false, &why) == STORE_OK)
			return k;
	}
	return NULL;
}

/* The superblock that has to stay until there is a newer one: the newer of the two, even if its own generation is lost,
 * when it leads to k and to all else that is kept (`whole`: its table could be read). */
static const struct fmt_super *super_of(const struct kept *k, struct fmt_super *const s[2], bool whole)
{
	if (k->g.generation == s[0]->generation || !s[1])
		return s[0];
	return whole && k->slots & 1u << s[0]->slot ? s[0] : s[1];
}

static int mount_wanted(struct store *st, struct store_mount *res, struct kept *k, struct fmt_super *const s[2])
{
	struct store_skipped why;
	int status;

	if (!k || !k->listed)
		return STORE_NO_GENERATION;
	if (kept_fixed(st) + pins_needed(st, k->g.generation) > STORE_FIXED_MAX)
		return STORE_TOO_MANY;
	if (generation_check(st, &k->g, true, &why) != STORE_OK)
		skip(res, &why);
	status = generation_check(st, &k->g, false, &why);
	if (status != STORE_OK)
		return status;
	adopt(st, s[0], &k->g);         /* the newest stays the newest until there is a newer one */
	return STORE_OK;
}

bool store_mount_unread(const struct store_mount *res)
{
	bool unread = false;

	for (uint32_t i = 0; i < res->skipped_count && i < STORE_SKIPPED_MAX; i++)
		unread |= res->skipped[i].status == STORE_EIO;
	return unread || res->slots[0].status == STORE_EIO || res->slots[1].status == STORE_EIO;
}

static int mount_newest(struct store *st, struct store_mount *res, struct fmt_super *const s[2], bool whole)
{
	const struct fmt_super *empty = s[1] ? s[1] : s[0];
	struct kept *k = newest_intact(st, res, s);

	if (k)
		adopt(st, super_of(k, s, whole), &k->g);
	else if (!empty->generation)
		adopt(st, empty, &empty->gen);
	else
		return store_mount_unread(res) ? STORE_EIO : STORE_DEAD;
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

/* The number that no generation has had, by the state of the other slot, and whether the old records can be trusted. */
static void settle_history(struct store *st, const struct store_mount *res, struct fmt_super *const s[2])
{
	unsigned other = 1 - s[0]->slot;

	st->newest = s[0]->generation;
	if (s[1] || (res->slots[other].status == STORE_EMPTY && st->newest <= 1))
		return;
	/* The other slot may have held the successor, which somebody may have seen. */
	st->newest++;
	table_distrust(st, s[0]);
}

/* Read and judge both superblocks; s gets the valid ones, the newer first. Their number. */
static unsigned supers_read(struct store *st, struct store_mount *res, struct fmt_super *s[2])
{
	struct fmt_super *found[2] = { st->super, st->super_other };
	unsigned n = 0;

	s[0] = s[1] = NULL;
	for (unsigned i = 0; i < 2; i++)
		if (super_read(st, res, i, found[i]))
			s[n++] = found[i];
	if (n < 2)
		return n;
	if (s[1]->generation > s[0]->generation ||
	    (s[1]->generation == s[0]->generation && s[1]->revision > s[0]->revision)) {
		s[0] = found[1];
		s[1] = found[0];
	}
	if (memcmp(s[0]->uuid, s[1]->uuid, sizeof(s[0]->uuid)) || s[0]->blocks != s[1]->blocks) {
		res->slots[s[1]->slot].status = STORE_FOREIGN;
		res->slots[s[1]->slot].why = "superblock of another store";
		s[1] = NULL;
		n = 1;
	}
	return n;
}

/* `want` and `name`: at most one of them is given. */
static int mount(struct store *st, uint64_t want, const char *name, struct store_mount *res)
{
	struct fmt_super *s[2];
	uint64_t newest;
	bool whole, alone;
	int status;

	memset(res, 0, sizeof(*res));
	store_forget(st);
	if (st->dev->blocks < STORE_MIN_BLOCKS)
		return STORE_TOO_SMALL;
	supers_read(st, res, s);
	if (res->slots[0].status == STORE_FUTURE || res->slots[1].status == STORE_FUTURE)
		return STORE_FUTURE;
	if (!s[0])
		return nothing_valid(st, res);
	set_blocks(st, s[0]->blocks);
	whole = table_read(st, res, s[0], true);
	if (s[1] && !table_read(st, res, s[1], !whole) && !whole)
		res->table_lost = true;
	res->table_lost |= !whole && !s[1];
	settle_history(st, res, s);
	newest = s[0]->generation;
	alone = !s[1] && res->slots[1 - s[0]->slot].status != STORE_EMPTY;
	if (s[1] && !whole)
		table_distrust(st, s[1]);
	if (name)
		status = mount_wanted(st, res, kept_named(st, name), s);
	else if (want)
		status = mount_wanted(st, res, kept_find(st, want), s);
	else
		status = mount_newest(st, res, s, whole);
	if (status != STORE_OK) {
		store_forget(st);
		return status;
	}
	res->fell_back = alone || (!want && !name && st->last.generation != newest);
	pin_newer(st, res);
	guard_tables(st, res);
	for (uint32_t i = 0; i < st->kept_count; i++)
		if (st->kept[i].g.generation == st->last.generation)
			st->kept[i].flags &= ~FMT_GEN_SPARE;    /* it is of use again */
	kept_held(st);
	boot_read(st);
	report(st, res);
	return STORE_OK;
}

int store_mount(struct store *st, uint64_t want, struct store_mount *res)
{
	return mount(st, want, NULL, res);
}

int store_mount_named(struct store *st, const char *name, struct store_mount *res)
{
	return mount(st, 0, name, res);
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
