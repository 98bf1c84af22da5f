/* SPDX-License-Identifier: BSD-2-Clause
 * import: a stream of export becomes a generation, with the number, the identity and the record it had where it comes
 * from. Nothing is committed before the stream has been read to its end and the result has the contents the
 * stream promised; before that, a crash or a bad stream leaves an incremental import's target as it was, and a
 * full import's one an empty store.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hash.h"
#include "json.h"
#include "store_priv.h"
#include "stream.h"
#include "tool.h"
#include "world.h"

struct import {
	struct world  *w;
	const struct tool_options *o;
	FILE          *f;
	const char    *name;            /* of the stream */
	struct hash   *sum;
	struct stream_header h;
	uint64_t       records;
};

static int get(struct import *i, void *data, size_t bytes)
{
	if (fread(data, 1, bytes, i->f) == bytes)
		return TOOL_OK;
	if (ferror(i->f))
		return tool_fail(TOOL_IO, "%s: %s", i->name, strerror(errno));
	return tool_fail(TOOL_STREAM, "%s: the stream ends early, after %" PRIu64 " records", i->name, i->records);
}

static int header_get(struct import *i)
{
	struct stream_header *h = &i->h;
	int status = get(i, h, sizeof *h);

	if (status != TOOL_OK)
		return status;
	if (h->magic != STREAM_MAGIC)
		return tool_fail(TOOL_STREAM, "%s: not a stream of perdurectl export", i->name);
	if (h->version != STREAM_VERSION)
		return tool_fail(TOOL_STREAM, "%s: stream version %u is not known here", i->name, h->version);
	if (h->header_bytes != sizeof *h || hash_of(h, offsetof(struct stream_header, sum)) != h->sum)
		return tool_fail(TOOL_STREAM, "%s: the stream's header does not match its checksum", i->name);
	if (!h->generation || h->base >= h->generation)
		return tool_fail(TOOL_STREAM, "%s: the stream's header contradicts itself", i->name);
	return TOOL_OK;
}

static int apply(struct import *i, const struct stream_record *r)
{
	static _Alignas(4096) uint8_t page[STORE_PAGE];
	struct store_op op = { .client = r->client, .vpn = r->vpn, .buf = page };
	struct store *st = i->w->st;
	int status;

	if (r->client >= STORE_CLIENTS || r->vpn >= STORE_VPN_END)
		return tool_fail(TOOL_STREAM, "%s: record %" PRIu64 " names no page", i->name, i->records);
	if (r->kind == STREAM_GONE) {
		status = store_sync(st, &op, store_remove(st, &op));
	} else {
		status = get(i, page, sizeof page);
		if (status != TOOL_OK)
			return status;
		if (hash_of(page, sizeof page) != r->sum)
			return tool_fail(TOOL_STREAM, "%s: record %" PRIu64 ", client %u page 0x%" PRIx64
				    ", does not match its checksum", i->name, i->records, r->client, r->vpn);
		hash_add(i->sum, page, sizeof page);
		status = store_sync(st, &op, store_put(st, &op));
	}
	return status == STORE_OK ? TOOL_OK : world_fail(i->w, status, "writing a page");
}

static int records_get(struct import *i)
{
	struct stream_record r;
	uint64_t sum;
	int status;

	for (;; i->records++) {
		status = get(i, &r, sizeof r);
		if (status != TOOL_OK)
			return status;
		sum = hash_now(i->sum);
		if (r.kind == STREAM_END)
			break;
		if (r.kind != STREAM_PAGE && r.kind != STREAM_GONE)
			return tool_fail(TOOL_STREAM, "%s: record %" PRIu64 " is of no known kind", i->name, i->records);
		hash_add(i->sum, &r, sizeof r);
		status = apply(i, &r);
		if (status != TOOL_OK)
			return status;
	}
	if (r.vpn != i->records || r.sum != sum)
		return tool_fail(TOOL_STREAM, "%s: the stream does not match the checksum at its end", i->name);
	if (getc(i->f) != EOF)
		return tool_fail(TOOL_STREAM, "%s: something follows the stream's end; one import takes one stream", i->name);
	return ferror(i->f) ? tool_fail(TOOL_IO, "%s: %s", i->name, strerror(errno)) : TOOL_OK;
}

/* A full stream makes a store with the identity of the one it comes from. */
static int prepare_full(struct import *i, bool force)
{
	struct world *w = i->w;
	int status = world_prepare(w, w->img);

	if (status != TOOL_OK)
		return status;
	status = store_mount(w->st, 0, &w->mount);
	force |= status == STORE_OK && !w->mount.newest;        /* a store, but nothing was ever committed to it */
	status = store_format(w->st, i->h.uuid, force, &w->mount);
	if (status == STORE_OK)
		return TOOL_OK;
	world_close(w);
	if (status == STORE_EIO)
		return tool_fail(TOOL_IO, "%s: cannot be formatted", w->img->name);
	if (status == STORE_TOO_SMALL)
		return tool_fail(TOOL_NO_STORE, "%s: %s", w->img->name, store_strerror(status));
	return tool_fail(TOOL_REFUSED, "%s: not empty; --force gives up what is there", w->img->name);
}

static int prepare_incremental(struct import *i)
{
	struct world *w = i->w;
	uint64_t contents = 0, pages;
	int status = world_open(w, w->img, NULL), bad;

	if (status != TOOL_OK)
		return status;
	if (memcmp(w->mount.uuid, i->h.uuid, sizeof i->h.uuid))
		status = tool_fail(TOOL_STREAM, "%s: the stream comes from another store", w->img->name);
	else if (w->mount.generation != i->h.base || w->mount.newest >= i->h.generation)
		status = tool_fail(TOOL_STREAM, "%s: the stream leads from generation %" PRIu64 " to %" PRIu64
			      ", but generation %" PRIu64 " is here", w->img->name, i->h.base, i->h.generation,
			      w->mount.newest);
	if (status == TOOL_OK) {
		bad = world_hash(w, &contents, &pages);
		if (bad != STORE_OK)
			status = world_fail(w, bad, "reading the index");
		else if (contents != i->h.base_contents)
			status = tool_fail(TOOL_STREAM, "%s: its generation %" PRIu64 " is not the one the stream was made from",
				      w->img->name, i->h.base);
	}
	if (status != TOOL_OK)
		world_close(w);
	return status;
}

static void import_say(const struct import *i)
{
	if (!i->o->json) {
		printf("%s: generation %" PRIu64 ", %" PRIu64 " pages (%" PRIu64 " records)\n", i->w->img->name, i->h.generation,
		       i->h.pages, i->records);
		return;
	}
	json_object(NULL);
	json_number("generation", i->h.generation);
	if (i->h.base)
		json_number("since", i->h.base);
	json_number("records", i->records);
	json_number("pages", i->h.pages);
	json_end();
}

/* The generation keeps its number, and boots are counted on. */
static int finish(struct import *i)
{
	struct store *st = i->w->st;
	struct store_op op = { 0 };
	uint64_t contents, pages;
	int status = world_hash(i->w, &contents, &pages);

	if (status != STORE_OK)
		return world_fail(i->w, status, "reading the index");
	if (contents != i->h.contents || pages != i->h.pages)
		return tool_fail(TOOL_STREAM, "%s: what the stream makes is not what it promised; nothing was committed", i->name);
	if (st->boot < i->h.boot) {
		st->boot_next = i->h.boot;
		status = store_sync(st, &op, store_boot(st, &op));
	}
	st->newest = i->h.generation - 1;
	if (status == STORE_OK)
		status = store_begin(st, i->h.user);
	if (status == STORE_OK)
		status = store_sync(st, &op, store_commit(st, &op));
	if (status != STORE_OK)
		return world_fail(i->w, status, "commit");
	import_say(i);
	return TOOL_OK;
}

static int import_into(struct import *i)
{
	int status = i->h.base ? prepare_incremental(i) : prepare_full(i, i->o->force);

	if (status != TOOL_OK)
		return status;
	status = records_get(i);
	if (status == TOOL_OK)
		status = finish(i);
	world_close(i->w);
	return status;
}

int cmd_import(const struct tool_options *o)
{
	struct image img;
	struct world w = { .img = &img };
	struct import i = { .w = &w, .o = o, .f = stdin, .name = "standard input" };
	int status;

	if (o->argc && strcmp(o->args[0], "-")) {
		i.name = o->args[0];
		i.f = fopen(i.name, "rb");
		if (!i.f)
			return tool_fail(TOOL_IO, "%s: %s", i.name, strerror(errno));
	} else if (isatty(0)) {
		return tool_fail(TOOL_USAGE, "import: which stream? give a FILE or redirect the input");
	}
	status = header_get(&i);
	if (status == TOOL_OK)
		status = image_open(&img, o->image, true);
	if (status == TOOL_OK) {
		i.sum = hash_begin();
		status = import_into(&i);
		hash_end(i.sum);
		if (image_close(&img) != TOOL_OK)
			status = TOOL_IO;
	}
	if (i.f != stdin)
		fclose(i.f);
	return status;
}
