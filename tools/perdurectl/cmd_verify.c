/* SPDX-License-Identifier: BSD-2-Clause
 * verify: every block that any kept generation reaches, by the store's checker (ckptserver/store/check.c), and the
 * superblocks. Each problem is a line that names generation, page and block; on a terminal a bar shows how far it is.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "hash.h"
#include "json.h"
#include "tool.h"
#include "world.h"

struct verify {
	uint64_t generation, total, done;
	bool     bar, json;
	struct timespec shown;
};

static void bar_clear(const struct verify *v)
{
	if (v->bar)
		fprintf(stderr, "\r\033[K");
}

static void bar_draw(struct verify *v)
{
	struct timespec now;
	uint64_t percent = v->total ? v->done * 100 / v->total : 100;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!v->bar || (now.tv_sec - v->shown.tv_sec) * 1000 + (now.tv_nsec - v->shown.tv_nsec) / 1000000 < 100)
		return;
	v->shown = now;
	if (percent > 100)
		percent = 100;
	fprintf(stderr, "\rgeneration %" PRIu64 " [%-40.*s] %3" PRIu64 "%%", v->generation, (int)(percent * 40 / 100),
		"########################################", percent);
}

static void on_page(struct store_check *c, uint32_t client, uint64_t vpn, uint64_t block, const void *content)
{
	struct verify *v = c->owner;

	(void)client, (void)vpn, (void)block, (void)content;
	v->done++;
	if (v->done % 64 == 0)
		bar_draw(v);
}

static const char *part_name(uint32_t client, char text[32])
{
	if (client == STORE_CHECK_DIRECTORY)
		return "client directory";
	if (client == STORE_CHECK_DELTA)
		return "delta";
	if (client == STORE_CHECK_MAP)
		return "allocation map";
	snprintf(text, 32, client ? "space %u" : "kernel objects", client);
	return text;
}

static void on_problem(struct store_check *c, const char *what, uint32_t client, uint64_t vpn, uint64_t block)
{
	struct verify *v = c->owner;
	char text[32];

	if (v->json) {
		json_object(NULL);
		json_number("generation", v->generation);
		json_string("what", what);
		json_string("part", part_name(client, text));
		json_hex("page", vpn);
		json_number("block", block);
		json_end();
		return;
	}
	bar_clear(v);
	printf("generation %" PRIu64 ": %s: %s, page 0x%" PRIx64 ", block %" PRIu64 "\n", v->generation, what,
	       part_name(client, text), vpn, block);
}

/* One generation. Returns the number of problems. */
static uint64_t check(struct world *w, const struct fmt_generation *g, struct verify *v)
{
	uint64_t blocks = (w->mount.blocks + 32767) / 32768 * STORE_PAGE;
	struct store_check c = { .bitmap = malloc(blocks), .scratch = aligned_alloc(4096, STORE_CHECK_DEPTH * STORE_PAGE),
				 .page = on_page, .problem = on_problem, .owner = v };

	if (!c.bitmap || !c.scratch)
		exit(tool_fail(TOOL_IO, "not enough memory"));
	v->generation = g->generation;
	v->total = g->used > g->index_blocks ? g->used - g->index_blocks : 0;
	v->done = 0;
	store_check(w->st, g->generation, &c);
	bar_clear(v);
	if (c.leaked)
		on_problem(&c, "blocks are marked as used and are not", STORE_CHECK_MAP, c.leaked, 0);
	if (!v->json)
		printf("generation %" PRIu64 ": %" PRIu64 " clients, %" PRIu64 " pages, %" PRIu64 " index, %" PRIu64
		       " map blocks: %s\n", g->generation, c.clients, c.pages, c.index_blocks, c.map_blocks,
		       c.errors || c.leaked ? "DAMAGED" : "intact");
	free(c.bitmap);
	free(c.scratch);
	return c.errors + (c.leaked != 0);
}

/* Slots never written are fine only while there is nothing to write to them. */
static uint64_t check_slots(const struct world *w, const struct verify *v)
{
	uint64_t bad = 0;

	for (unsigned i = 0; i < 2; i++) {
		int s = w->mount.slots[i].status;

		if (s == STORE_OK || (s == STORE_EMPTY && w->mount.newest <= 1))
			continue;
		bad++;
		if (v->json) {
			json_object(NULL);
			json_number("generation", w->mount.slots[i].generation);
			json_string("what", w->mount.slots[i].why);
			json_string("part", "superblock");
			json_number("block", w->mount.slots[i].bad_block);
			json_end();
		} else {
			printf("superblock %u (block %u): %s, block %" PRIu64 "\n", i, FMT_SUPER_BLOCK(i),
			       w->mount.slots[i].why, w->mount.slots[i].bad_block);
		}
	}
	return bad;
}

static void boot_problem(const struct verify *v, unsigned copy, const char *what)
{
	if (!v->json) {
		printf("boot counter %u (block %u): %s\n", copy, FMT_BOOT_BLOCK(copy), what);
		return;
	}
	json_object(NULL);
	json_string("what", what);
	json_string("part", "boot counter");
	json_number("block", FMT_BOOT_BLOCK(copy));
	json_end();
}

/* A copy is whole, or was never written: the second one is with the second boot. */
static uint64_t check_boots(struct world *w, const struct verify *v)
{
	static struct fmt_boot b, zero;
	uint64_t bad = 0, sum;

	for (unsigned copy = 0; copy < 2; copy++) {
		const char *what = NULL;

		if (world_block(w, FMT_BOOT_BLOCK(copy), &b) != STORE_OK) {
			what = "cannot be read";
		} else if (memcmp(&b, &zero, sizeof b)) {
			sum = b.sum;
			b.sum = 0;
			if (hash_of(&b, sizeof b) != sum)
				what = "does not match its checksum";
			else if (b.magic != FMT_BOOT_MAGIC || b.copy != copy || memcmp(b.uuid, w->mount.uuid, sizeof b.uuid))
				what = "is another store's, or stands in the wrong place";
		}
		if (!what)
			continue;
		bad++;
		boot_problem(v, copy, what);
	}
	return bad;
}

static uint64_t check_table(const struct world *w, const struct verify *v)
{
	static const char what[] = "the first copy is damaged, the one at the disk's end was used";

	if (!w->img->gpt_backup)
		return 0;
	if (!v->json) {
		printf("partition table: %s\n", what);
		return 1;
	}
	json_object(NULL);
	json_string("what", what);
	json_string("part", "partition table");
	json_end();
	return 1;
}

static int verify_all(struct world *w, struct verify *v, uint64_t generation)
{
	const struct fmt_generation *list;
	unsigned count = world_kept(w, &list), checked = 0;
	uint64_t problems;

	if (v->json) {
		json_object(NULL);
		json_list("problems");
	}
	problems = check_table(w, v) + check_slots(w, v) + check_boots(w, v);
	for (unsigned i = 0; i < count; i++) {
		if (generation && list[i].generation != generation)
			continue;
		problems += check(w, &list[i], v);
		checked++;
	}
	if (v->json) {
		json_end();
		json_number("generations", checked);
		json_number("count", problems);
		json_end();
	} else {
		printf("%" PRIu64 " problems in %u generations\n", problems, checked);
	}
	return problems ? TOOL_PROBLEM : TOOL_OK;
}

static int verify(const struct tool_options *o, struct world *w)
{
	struct verify v = { .json = o->json, .bar = isatty(2) };

	return verify_all(w, &v, o->generation ? w->mount.generation : 0);
}

int cmd_verify(const struct tool_options *o)
{
	return world_with(o, o->generation, verify);
}
