/* SPDX-License-Identifier: BSD-2-Clause
 * Opening generations. This is the one file of perdurectl that looks into struct store: at the list of kept
 * generations, which store.h does not offer.
 */
#include "world.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "store_priv.h"
#include "tool.h"

#define CACHE_NODES     4096u

int world_prepare(struct world *w, struct image *img)
{
	size_t bytes = store_arena_bytes(img->dev.blocks, CACHE_NODES);

	memset(w, 0, sizeof *w);
	w->img = img;
	w->arena = aligned_alloc(4096, (bytes + 4095) & ~(size_t)4095);
	if (!w->arena || store_init(w->arena, bytes, &img->dev, &w->st) != STORE_OK) {
		free(w->arena);
		w->arena = NULL;
		return tool_fail(TOOL_IO, "not enough memory for a store of %" PRIu64 " blocks", img->dev.blocks);
	}
	return TOOL_OK;
}

static int not_kept(const struct world *w, const char *which)
{
	return tool_fail(TOOL_NOT_FOUND, "%s: generation %s is not kept (see perdurectl list)", w->img->name, which);
}

static int mount_fail(const struct world *w, int status, const char *which)
{
	const struct store_mount *m = &w->mount;
	const struct store_skipped *bad = &m->skipped[0];

	if (status == STORE_NO_GENERATION || status == STORE_EINVAL)
		return not_kept(w, which);
	if (status == STORE_DAMAGED && m->skipped_count)
		return tool_fail(TOOL_DAMAGED, "%s: generation %" PRIu64 ": %s, block %" PRIu64, w->img->name, bad->generation,
				 bad->why, bad->block);
	if (status == STORE_DEAD || status == STORE_FUTURE || status == STORE_TOO_SMALL)
		for (unsigned i = 0; i < 2; i++)
			if (m->slots[i].why)
				tool_fail(0, "%s: superblock %u (block %u): %s, block %" PRIu64, w->img->name, i,
				     FMT_SUPER_BLOCK(i), m->slots[i].why, m->slots[i].bad_block);
	return tool_fail(status == STORE_EIO ? TOOL_IO : TOOL_NO_STORE, "%s: %s", w->img->name, store_strerror(status));
}

static void fell_back_say(const struct world *w)
{
	const struct store_mount *m = &w->mount;
	unsigned other = 1 - m->slot;

	tool_fail(0, "%s: superblock %u, generation %" PRIu64 ", cannot be used: %s, block %" PRIu64 "; taking generation %" PRIu64,
	     w->img->name, other, m->slots[other].generation, m->slots[other].why ? m->slots[other].why : "?",
	     m->slots[other].bad_block, m->generation);
}

static int mount(struct world *w, const char *which)
{
	uint64_t number = 0;

	if (which && !number_plain(which, &number))
		return store_mount_named(w->st, which, &w->mount);
	return which && !number ? STORE_NO_GENERATION : store_mount(w->st, number, &w->mount);
}

int world_open(struct world *w, struct image *img, const char *which)
{
	int status = world_prepare(w, img);

	if (status != TOOL_OK)
		return status;
	status = mount(w, which);
	if (status != STORE_OK) {
		status = mount_fail(w, status, which);
		world_close(w);
		return status;
	}
	if (w->mount.fell_back)
		fell_back_say(w);
	memcpy(&w->record, w->mount.user, sizeof w->record);
	w->has_record = w->record.magic == RECORD_MAGIC && w->record.version == RECORD_VERSION &&
			w->record.root_space < STORE_CLIENTS && w->record.store_pages <= STORE_VPN_END;
	return TOOL_OK;
}

void world_close(struct world *w)
{
	free(w->arena);
	w->arena = NULL;
}

int world_with(const struct tool_options *o, const char *which, int (*use)(const struct tool_options *, struct world *))
{
	static struct world w;          /* large */
	struct image img;
	int status = image_open(&img, o->image, false);

	if (status != TOOL_OK)
		return status;
	status = world_open(&w, &img, which);
	if (status == TOOL_OK) {
		status = use(o, &w);
		world_close(&w);
	}
	image_close(&img);
	return status;
}

int world_fail(const struct world *w, int status, const char *what)
{
	switch (status) {
	case STORE_EIO:
		return tool_fail(TOOL_IO, "%s: %s: input/output error", w->img->name, what);
	case STORE_FULL:
		return tool_fail(TOOL_IO, "%s: %s: the partition is full", w->img->name, what);
	case STORE_EINVAL:
		return tool_fail(TOOL_NOT_FOUND, "%s: %s: beyond the end", w->img->name, what);
	}
	return tool_fail(TOOL_DAMAGED, "%s: %s: %s", w->img->name, what, store_strerror(status));
}

unsigned world_kept(struct world *w, const struct fmt_generation **list)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < w->st->kept_count; i++)
		if (w->st->kept[i].listed)
			w->kept[n++] = w->st->kept[i].g;
	*list = w->kept;
	return n;
}

int world_find(struct world *w, const char *which, uint64_t *generation)
{
	const struct fmt_generation *list;
	unsigned count = world_kept(w, &list);
	uint64_t number;

	if (!number_plain(which, &number))
		number = 0;
	for (unsigned i = 0; i < count; i++) {
		if (number ? list[i].generation != number : strncmp(list[i].name, which, sizeof list[i].name) || !*which)
			continue;
		*generation = list[i].generation;
		return TOOL_OK;
	}
	return not_kept(w, which);
}

int world_page(struct world *w, uint32_t client, uint64_t vpn, void *page, bool *exists)
{
	static _Alignas(4096) uint8_t aligned[STORE_PAGE];
	struct store_op op = { .client = client, .vpn = vpn, .buf = aligned };
	int status = store_sync(w->st, &op, store_read(w->st, &op));

	if (status == STORE_OK)
		memcpy(page, aligned, STORE_PAGE);
	if (exists)
		*exists = status == STORE_OK && !op.hole;
	return status;
}

int world_block(struct world *w, uint64_t block, void *content)
{
	return sync_io(w->st, BLK_READ, block, content);
}

int world_bytes(struct world *w, uint64_t address, void *buf, size_t bytes)
{
	static uint8_t page[STORE_PAGE];
	int status;

	if (!w->has_record || address >> 12 >= w->record.store_pages ||
	    bytes > (w->record.store_pages << 12) - address)
		return STORE_EINVAL;
	while (bytes) {
		size_t at = address % STORE_PAGE, n = STORE_PAGE - at < bytes ? STORE_PAGE - at : bytes;

		status = world_page(w, w->record.root_space, address / STORE_PAGE, page, NULL);
		if (status != STORE_OK)
			return status;
		memcpy(buf, page + at, n);
		buf = (char *)buf + n;
		address += n;
		bytes -= n;
	}
	return STORE_OK;
}

int world_next(struct world *w, struct world_cursor *c)
{
	struct store_op *op = &c->op;
	int status;

	if (c->started)
		op->vpn++;
	c->started = true;
	for (;;) {
		op->end = STORE_VPN_END;
		status = op->vpn < op->end ? store_sync(w->st, op, store_next(w->st, op)) : STORE_END;
		if (status != STORE_END)
			return status;
		if (op->client == STORE_CLIENTS - 1)
			return STORE_END;
		op->client++;
		op->vpn = 0;
	}
}

int world_hash(struct world *w, uint64_t *hash, uint64_t *pages)
{
	struct world_cursor c = { .started = false };
	struct hash *state = hash_begin();
	int status;

	*pages = 0;
	while ((status = world_next(w, &c)) == STORE_OK) {
		uint64_t words[3] = { c.op.client, c.op.vpn, c.op.sum };

		hash_add(state, words, sizeof words);
		++*pages;
	}
	*hash = hash_now(state);
	hash_end(state);
	return status == STORE_END ? STORE_OK : status;
}
