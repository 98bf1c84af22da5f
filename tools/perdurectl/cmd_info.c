/* SPDX-License-Identifier: BSD-2-Clause
 * info, list: what a partition is, and which generations it keeps.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "json.h"
#include "tool.h"
#include "world.h"

static void uuid_text(const uint8_t *uuid, char text[33])
{
	for (unsigned i = 0; i < STORE_UUID_BYTES; i++)
		snprintf(text + 2 * i, 3, "%02x", uuid[i]);
}

static const struct record *record_of(const struct fmt_generation *g)
{
	const struct record *r = (const void *)g->user;

	return r->magic == RECORD_MAGIC && r->version == RECORD_VERSION ? r : NULL;
}

static void info_json(const struct world *w, const struct store_stats *s)
{
	const struct store_mount *m = &w->mount;
	char uuid[33];

	uuid_text(m->uuid, uuid);
	json_object(NULL);
	json_string("image", w->img->name);
	json_string("layout", w->img->gpt ? "gpt" : "partition");
	json_bool("gpt_backup_used", w->img->gpt_backup);
	json_number("offset", w->img->offset);
	json_number("version", m->version);
	json_string("uuid", uuid);
	json_number("generation", m->generation);
	json_number("newest", m->newest);
	json_number("boot", m->boot);
	json_bool("fell_back", m->fell_back);
	json_list("superblocks");
	for (unsigned i = 0; i < 2; i++) {
		json_object(NULL);
		json_number("generation", m->slots[i].generation);
		json_string("status", m->slots[i].status == STORE_OK ? "ok" : store_strerror(m->slots[i].status));
		json_string("why", m->slots[i].why);
		json_number("bad_block", m->slots[i].bad_block);
		json_end();
	}
	json_end();
	json_number("partition_blocks", w->img->dev.blocks);
	json_number("blocks", s->blocks);
	json_number("used", s->used);
	json_number("held", s->held);
	json_number("free", s->free);
	json_number("index_blocks", s->index_blocks);
	if (w->has_record) {
		json_number("root_space", w->record.root_space);
		json_number("store_pages", w->record.store_pages);
		json_number("clock_us", w->record.clock_us);
	}
	json_end();
}

static void line_mib(const char *what, uint64_t blocks)
{
	printf("%-12s %10" PRIu64 " blocks %10.1f MiB\n", what, blocks, (double)blocks / 256);
}

static void info_text(const struct world *w, const struct store_stats *s)
{
	const struct store_mount *m = &w->mount;
	char uuid[33];

	uuid_text(m->uuid, uuid);
	if (w->img->gpt)
		printf("disk with a GPT%s; partition at byte %" PRIu64 "\n",
		       w->img->gpt_backup ? " (primary table damaged, backup used)" : "", w->img->offset);
	else
		printf("bare partition\n");
	printf("store        %s, format version %u\n", uuid, m->version);
	printf("generation   %" PRIu64 "%s, boots so far %" PRIu64 "\n", m->generation,
	       m->generation ? "" : " (formatted, nothing committed yet)", m->boot);
	for (unsigned i = 0; i < 2; i++)
		printf("superblock %u generation %" PRIu64 ": %s\n", i, m->slots[i].generation,
		       m->slots[i].why ? m->slots[i].why : "not read");
	line_mib("partition", w->img->dev.blocks);
	line_mib("used", s->used);
	line_mib("held", s->held);
	line_mib("free", s->free);
	if (w->has_record)
		printf("root task    space %u, store of %" PRIu64 " pages; persistent clock %.6f s\n",
		       w->record.root_space, w->record.store_pages, (double)w->record.clock_us / 1e6);
}

static int info(const struct tool_options *o, struct world *w)
{
	struct store_stats s;

	store_stats(w->st, &s);
	(o->json ? info_json : info_text)(w, &s);
	return TOOL_OK;
}

int cmd_info(const struct tool_options *o)
{
	return world_with(o, o->generation, info);
}

static void generation_json(const struct fmt_generation *g)
{
	const struct record *r = record_of(g);
	char name[sizeof g->name + 1];

	snprintf(name, sizeof name, "%.*s", (int)sizeof g->name, g->name);

	json_object(NULL);
	json_number("generation", g->generation);
	json_number("parent", g->parent);
	json_number("boot", g->boot);
	json_bool("named", g->flags & FMT_GEN_NAMED);
	json_bool("pinned", g->flags & FMT_GEN_PINNED);
	json_bool("spare", g->flags & FMT_GEN_SPARE);
	json_bool("delta", g->delta.block);
	json_string("name", name);
	json_number("used", g->used);
	json_number("freed", g->freed);
	json_number("index_blocks", g->index_blocks);
	if (r) {
		json_number("clock_us", r->clock_us);
		json_number("wall_s", r->wall_s);
	}
	json_end();
}

static void generation_text(const struct fmt_generation *g, bool newest)
{
	const struct record *r = record_of(g);
	char clock[32] = "-", taken[32] = "-";
	time_t wall = r ? (time_t)r->wall_s : 0;
	struct tm tm;

	if (r)
		snprintf(clock, sizeof clock, "%.6f", (double)r->clock_us / 1e6);
	if (wall && gmtime_r(&wall, &tm))
		strftime(taken, sizeof taken, "%Y-%m-%d %H:%M:%S", &tm);
	printf("%c %10" PRIu64 " %10" PRIu64 " %6" PRIu64 "  %-19s %16s %12.1f %.*s%s\n", newest ? '*' : ' ', g->generation,
	       g->parent, g->boot, taken, clock, (double)g->used / 256, (int)sizeof g->name, g->name,
	       g->flags & FMT_GEN_PINNED ? " (pinned)" : g->flags & FMT_GEN_SPARE ? " (spare)" : "");
}

static int list_all(const struct tool_options *o, struct world *w)
{
	const struct fmt_generation *list;
	unsigned count = world_kept(w, &list);

	if (o->json)
		json_list(NULL);
	else
		printf("  generation     parent   boot  taken (UTC)                clock [s]   used [MiB] name\n");
	for (unsigned i = 0; i < count; i++) {
		if (o->json)
			generation_json(&list[i]);
		else
			generation_text(&list[i], i == 0);
	}
	if (o->json)
		json_end();
	return TOOL_OK;
}

int cmd_list(const struct tool_options *o)
{
	return world_with(o, NULL, list_all);
}
