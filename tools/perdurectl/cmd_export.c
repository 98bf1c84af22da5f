/* SPDX-License-Identifier: BSD-2-Clause
 * export: a generation, or what changed since another one that is kept, as a stream (stream.h).
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hash.h"
#include "json.h"
#include "output.h"
#include "pair.h"
#include "stream.h"
#include "tool.h"

struct export {
	struct world  *w;
	const struct tool_options *o;
	struct output  out;
	struct hash   *sum;
	uint64_t       records;
	bool           broken;          /* the stream could not be written */
};

static bool put(struct export *e, const void *data, size_t bytes)
{
	hash_add(e->sum, data, bytes);
	if (fwrite(data, 1, bytes, e->out.f) == bytes)
		return true;
	e->broken = true;
	return false;
}

/* Result as pair_walk's item: 0, or a store status. */
static int put_page(struct export *e, uint32_t client, uint64_t vpn, uint64_t sum)
{
	static uint8_t page[STORE_PAGE];
	struct stream_record r = { STREAM_PAGE, client, vpn, sum };
	int status = world_page(e->w, client, vpn, page, NULL);

	if (status != STORE_OK)
		return status;
	e->records++;
	return put(e, &r, sizeof r) && put(e, page, sizeof page) ? 0 : STORE_EIO;
}

static int put_item(void *ctx, const struct pair_item *it)
{
	struct export *e = ctx;
	struct stream_record r = { STREAM_GONE, it->client, it->vpn, 0 };

	if (it->kind != PAIR_GONE)
		return put_page(e, it->client, it->vpn, it->sum);
	e->records++;
	return put(e, &r, sizeof r) ? 0 : STORE_EIO;
}

static int put_all(struct export *e)
{
	struct world_cursor c = { .started = false };
	int status;

	while ((status = world_next(e->w, &c)) == STORE_OK) {
		status = put_page(e, c.op.client, c.op.vpn, c.op.sum);
		if (status != STORE_OK)
			return status;
	}
	return status == STORE_END ? STORE_OK : status;
}

static int header_make(struct world *w, struct world *base, struct stream_header *h)
{
	uint64_t base_pages;
	int status;

	memset(h, 0, sizeof *h);
	h->magic = STREAM_MAGIC;
	h->version = STREAM_VERSION;
	h->header_bytes = sizeof *h;
	memcpy(h->uuid, w->mount.uuid, sizeof h->uuid);
	h->generation = w->mount.generation;
	h->parent = w->mount.parent;
	h->boot = w->mount.boot;
	h->blocks = w->mount.blocks;
	memcpy(h->user, w->mount.user, sizeof h->user);
	status = world_hash(w, &h->contents, &h->pages);
	if (status == STORE_OK && base) {
		h->base = base->mount.generation;
		status = world_hash(base, &h->base_contents, &base_pages);
	}
	h->sum = hash_of(h, offsetof(struct stream_header, sum));
	return status;
}

/* On the standard error if the stream is on the standard output. */
static void export_say(const struct export *e, const struct stream_header *h)
{
	if (!e->o->json) {
		tool_fail(0, "exported generation %" PRIu64 "%s: %" PRIu64 " records for %" PRIu64 " pages", h->generation,
			  h->base ? " (incremental)" : "", e->records, h->pages);
		return;
	}
	json_to(e->out.f == stdout ? stderr : stdout);
	json_object(NULL);
	json_number("generation", h->generation);
	if (h->base)
		json_number("since", h->base);
	json_number("records", e->records);
	json_number("pages", h->pages);
	json_end();
	json_to(stdout);
}

static int stream_write(struct export *e, struct world *base)
{
	struct stream_header h;
	struct stream_record end = { .kind = STREAM_END };
	int status = header_make(e->w, base, &h);

	if (status != STORE_OK)
		return world_fail(e->w, status, "reading the index");
	if (fwrite(&h, 1, sizeof h, e->out.f) != sizeof h)
		return output_fail(&e->out);
	status = base ? pair_walk(base, e->w, put_item, e) : put_all(e);
	if (status != STORE_OK && !e->broken)
		return world_fail(e->w, status, "reading a page");
	end.vpn = e->records;
	end.sum = hash_now(e->sum);
	if (e->broken || !put(e, &end, sizeof end) || fflush(e->out.f))
		return output_fail(&e->out);
	export_say(e, &h);
	return TOOL_OK;
}

static int stream_make(struct export *e, struct world *base)
{
	bool file = e->o->output && strcmp(e->o->output, "-");
	int status;

	if (!file && isatty(1))
		return tool_fail(TOOL_USAGE, "export: the stream is binary; give -o FILE or redirect the output");
	e->out = (struct output){ .f = stdout, .name = "standard output" };
	status = file ? output_open(&e->out, e->o->output, e->w->img) : TOOL_OK;
	if (status == TOOL_OK) {
		status = stream_write(e, base);
		if (file)
			status = output_close(&e->out, status);
	}
	return status;
}

/* A step leads from an older generation to a newer one: that is what import checks. */
static int base_open(const struct world *w, struct world *base, const char *which)
{
	int status = world_open(base, w->img, which);

	if (status != TOOL_OK || base->mount.generation < w->mount.generation)
		return status;
	status = tool_fail(TOOL_USAGE, "export: generation %" PRIu64 " (--since) is not older than generation %" PRIu64,
			   base->mount.generation, w->mount.generation);
	world_close(base);
	return status;
}

static int export_from(const struct tool_options *o, struct world *w)
{
	struct export e = { .w = w, .o = o };
	struct world base;
	int status = w->mount.generation ? TOOL_OK : tool_fail(TOOL_NOT_FOUND, "%s: nothing was committed yet", o->image);

	if (status == TOOL_OK && o->since)
		status = base_open(w, &base, o->since);
	if (status != TOOL_OK)
		return status;
	e.sum = hash_begin();
	status = stream_make(&e, o->since ? &base : NULL);
	hash_end(e.sum);
	if (o->since)
		world_close(&base);
	return status;
}

int cmd_export(const struct tool_options *o)
{
	return world_with(o, o->generation, export_from);
}
