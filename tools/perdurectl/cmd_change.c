/* SPDX-License-Identifier: BSD-2-Clause
 * rollback, name, drop, prune, mkfs: the subcommands that change a store (import is another). Changes are commits by the store's
 * own code, so a power cut in between leaves the old state or the new one.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "json.h"
#include "options.h"
#include "tool.h"
#include "world.h"

/* Commit the mounted content as it is, under the next number. */
static int commit_unchanged(struct world *w)
{
	struct store_op op = { 0 };
	int status = store_begin(w->st, w->mount.user);
	struct store_skipped r;

	if (status == STORE_OK)
		status = store_sync(w->st, &op, store_commit(w->st, &op));
	while (store_report(w->st, &r))
		fprintf(stderr, "%s: generation %" PRIu64 ", block %" PRIu64 ": %s\n", w->img->name, r.generation, r.block, r.why);
	return status == STORE_OK ? TOOL_OK : world_fail(w, status, "commit");
}

static int rollback(const struct tool_options *o, struct world *w, uint64_t from)
{
	int status;

	if (w->mount.generation == from)
		return tool_fail(TOOL_REFUSED, "%s: generation %" PRIu64 " is the newest already", w->img->name, from);
	status = commit_unchanged(w);
	if (status != TOOL_OK)
		return status;
	if (o->json) {
		json_object(NULL);
		json_number("generation", store_generation(w->st));
		json_number("content_of", w->mount.generation);
		json_number("kept", from);
		json_end();
	} else {
		printf("generation %" PRIu64 " has the content of generation %" PRIu64 "; generation %" PRIu64
		       " is still kept\n", store_generation(w->st), w->mount.generation, from);
	}
	return TOOL_OK;
}

int cmd_rollback(const struct tool_options *o)
{
	const struct fmt_generation *list;
	uint64_t newest;
	struct image img;
	struct world w;
	int status;

	if (o->argc != 1)
		return tool_fail(TOOL_USAGE, "rollback: which generation? perdurectl rollback IMAGE GEN");
	status = image_open(&img, o->image, true);
	if (status != TOOL_OK)
		return status;
	status = world_open(&w, &img, o->args[0]);
	if (status == TOOL_OK) {
		newest = world_kept(&w, &list) ? list[0].generation : 0;
		status = rollback(o, &w, newest);
		world_close(&w);
	}
	return image_close(&img) == TOOL_OK ? status : TOOL_IO;
}

/* ---- name, drop, prune ------------------------------------------------------------------------------- */

static void committed_say(const struct tool_options *o, const struct world *w, unsigned dropped, uint64_t free_before)
{
	struct store_stats now;

	store_stats(w->st, &now);
	if (o->json) {
		json_object(NULL);
		json_number("dropped", dropped);
		json_number("generation", now.generation);
		json_number("content_of", w->mount.generation);
		json_number("free_before", free_before);
		json_number("free", now.free);
		json_end();
		return;
	}
	if (dropped)
		printf("%u generation%s dropped\n", dropped, dropped == 1 ? "" : "s");
	printf("generations %" PRIu64 " and %" PRIu64 " have the content of generation %" PRIu64 "; free blocks %" PRIu64
	       " -> %" PRIu64 "\n", now.generation - 1, now.generation, w->mount.generation, free_before, now.free);
}

/* Blocks are free when no superblock names a generation that holds them any more: after two commits. `keep`: how many
 * unnamed generations may be left then, the new one not counted; 0: as many as always. */
static int commit_twice(const struct tool_options *o, struct world *w, uint32_t keep, unsigned dropped)
{
	struct store_stats before;
	uint32_t usual = store_kept(w->st);
	int status = TOOL_OK;

	store_stats(w->st, &before);
	if (keep && store_keep(w->st, keep) != STORE_OK)
		return tool_fail(TOOL_USAGE, "--keep: 1 to %u", STORE_KEEP_MAX);
	status = commit_unchanged(w);
	if (keep)
		store_keep(w->st, usual);
	if (status == TOOL_OK)
		status = commit_unchanged(w);
	if (status == TOOL_OK)
		committed_say(o, w, dropped, before.free);
	return status;
}

/* Open the newest generation for writing, let `change` do its work, close. */
static int change_newest(const struct tool_options *o, int (*change)(const struct tool_options *, struct world *))
{
	struct image img;
	struct world w;
	int status = image_open(&img, o->image, true);

	if (status != TOOL_OK)
		return status;
	status = world_open(&w, &img, NULL);
	if (status == TOOL_OK) {
		status = w.mount.generation ? change(o, &w) :
			 tool_fail(TOOL_NOT_FOUND, "%s: nothing was committed yet", img.name);
		world_close(&w);
	}
	return image_close(&img) == TOOL_OK ? status : TOOL_IO;
}

static int prune(const struct tool_options *o, struct world *w)
{
	if (o->keep > STORE_KEEP_MAX)
		return tool_fail(TOOL_USAGE, "--keep: 1 to %u", STORE_KEEP_MAX);
	return commit_twice(o, w, o->keep ? (uint32_t)o->keep : 1, 0);
}

int cmd_prune(const struct tool_options *o)
{
	if (o->argc)
		return tool_fail(TOOL_USAGE, "prune: perdurectl prune IMAGE [--keep N]");
	return change_newest(o, prune);
}

static void name_say(const struct tool_options *o, uint64_t generation, const char *text)
{
	if (o->json) {
		json_object(NULL);
		json_number("generation", generation);
		json_string("name", text);
		json_end();
	} else {
		printf("generation %" PRIu64 " %s%s\n", generation, *text ? "is " : "has no name", text);
	}
}

static int name(const struct tool_options *o, struct world *w)
{
	const char *text = o->argc > 1 ? o->args[1] : "";
	uint64_t generation;
	int status = world_find(w, o->args[0], &generation);

	if (status == TOOL_OK && *text && !options_name(text))
		status = tool_fail(TOOL_REFUSED, "'%s' is no name: 1 to 31 letters, digits, '.', '_', '-', with no '-' at its start and no '..', "
				   "that is no number, not 'latest' and not 'none'", text);
	if (status != TOOL_OK)
		return status;
	switch (store_name(w->st, generation, text)) {
	case STORE_OK:
		break;
	case STORE_TOO_MANY:
		return tool_fail(TOOL_REFUSED, "%s: %u generations have names or are pinned; drop some", w->img->name,
				 STORE_FIXED_MAX);
	default:
		return tool_fail(TOOL_REFUSED, "%s: another generation is named '%s'; perdurectl list shows which", w->img->name, text);
	}
	status = commit_unchanged(w);
	if (status == TOOL_OK)
		name_say(o, generation, text);
	return status;
}

int cmd_name(const struct tool_options *o)
{
	if (o->argc < 1 || o->argc > 2)
		return tool_fail(TOOL_USAGE, "name: perdurectl name IMAGE GEN [NAME]");
	return change_newest(o, name);
}

/* The ends of GEN, or GEN..GEN. */
static int range_find(struct world *w, const char *range, uint64_t *from, uint64_t *to)
{
	char *first = strdup(range), *dots;
	int status;

	if (!first)
		return tool_fail(TOOL_IO, "not enough memory");
	dots = strstr(first, "..");
	if (dots)
		*dots = 0;
	status = world_find(w, first, from);
	*to = *from;
	if (status == TOOL_OK && dots)
		status = world_find(w, dots + 2, to);
	free(first);
	return status;
}

/* Of a range the newest generation is left out. */
static int drop_range(struct world *w, const char *range, unsigned *dropped)
{
	const struct fmt_generation *list;
	unsigned count, before = *dropped;
	uint64_t from = 0, to;
	int status = range_find(w, range, &from, &to);

	if (status != TOOL_OK)
		return status;
	if (from > to)
		return tool_fail(TOOL_REFUSED, "%s: generation %" PRIu64 " is newer than generation %" PRIu64 "; nothing was dropped", range,
				 from, to);
	count = world_kept(w, &list);
	for (unsigned i = 0; i < count; i++)
		if (list[i].generation >= from && list[i].generation <= to)
			*dropped += store_drop(w->st, list[i].generation) == STORE_OK;
	return *dropped > before ? TOOL_OK :
	       tool_fail(TOOL_REFUSED, "%s: that is the newest generation, it cannot be dropped; nothing was dropped", range);
}

static int drop(const struct tool_options *o, struct world *w)
{
	unsigned dropped = 0;

	for (int i = 0; i < o->argc; i++) {
		int status = drop_range(w, o->args[i], &dropped);

		if (status != TOOL_OK)
			return status;          /* nothing was committed */
	}
	return commit_twice(o, w, 0, dropped);
}

int cmd_drop(const struct tool_options *o)
{
	if (!o->argc)
		return tool_fail(TOOL_USAGE, "drop: which generations? perdurectl drop IMAGE GEN|GEN..GEN ...");
	return change_newest(o, drop);
}

/* ---- mkfs -------------------------------------------------------------------------------------------- */

static int file_create(const char *name, uint64_t bytes)
{
	int fd;

	if (bytes / BLK_SIZE < STORE_MIN_BLOCKS)
		return tool_fail(TOOL_NO_STORE, "%s: not made: a store has at least 8 MiB", name);
	fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return tool_fail(errno == EEXIST ? TOOL_REFUSED : TOOL_IO, "%s: %s", name, strerror(errno));
	if (ftruncate(fd, (off_t)(bytes / BLK_SIZE * BLK_SIZE))) {
		close(fd);
		return tool_fail(TOOL_IO, "%s: %s", name, strerror(errno));
	}
	close(fd);
	return TOOL_OK;
}

static void format_say(const struct tool_options *o, const struct world *w)
{
	if (o->json) {
		json_object(NULL);
		json_string("image", w->img->name);
		json_number("blocks", w->mount.blocks);
		json_end();
	} else {
		printf("%s: empty store of %" PRIu64 " blocks (%.1f MiB)\n", w->img->name, w->mount.blocks,
		       (double)w->mount.blocks / 256);
	}
}

static int format(const struct tool_options *o, struct world *w)
{
	uint8_t uuid[STORE_UUID_BYTES];
	int status;

	if (getrandom(uuid, sizeof uuid, 0) != sizeof uuid)
		return tool_fail(TOOL_IO, "no random numbers: %s", strerror(errno));
	status = store_format(w->st, uuid, o->force, &w->mount);
	switch (status) {
	case STORE_OK:
		format_say(o, w);
		return TOOL_OK;
	case STORE_TOO_SMALL:
		return tool_fail(TOOL_NO_STORE, "%s: %" PRIu64 " blocks are too few: at least %u (8 MiB)", w->img->name,
			    w->img->dev.blocks, STORE_MIN_BLOCKS);
	case STORE_EIO:
		return world_fail(w, status, "format");
	}
	return tool_fail(TOOL_REFUSED, "%s: not empty (%s%s); --force gives it up", w->img->name,
		    w->mount.blocks ? "a store of Perdure, " : "", w->mount.blocks ? "intact" : store_strerror(status));
}

int cmd_mkfs(const struct tool_options *o)
{
	struct image img;
	struct world w;
	int status = o->create_bytes ? file_create(o->image, o->create_bytes) : TOOL_OK;

	if (status == TOOL_OK)
		status = image_open(&img, o->image, true);
	if (status != TOOL_OK)
		return status;
	status = world_prepare(&w, &img);
	if (status == TOOL_OK) {
		status = format(o, &w);
		world_close(&w);
	}
	return image_close(&img) == TOOL_OK ? status : TOOL_IO;
}
