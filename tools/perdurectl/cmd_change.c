/* SPDX-License-Identifier: BSD-2-Clause
 * rollback, name, drop, prune, mkfs: the subcommands that change a store (import is another). Changes are commits by the store's
 * own code, so a power cut in between leaves the old state or the new one.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "tool.h"
#include "world.h"

/* Commit the mounted content as it is, under the next number. */
static int commit_unchanged(struct world *w)
{
	struct store_op op = { 0 };
	int status = store_begin(w->st, w->mount.user);

	if (status == STORE_OK)
		status = store_sync(w->st, &op, store_commit(w->st, &op));
	return status == STORE_OK ? TOOL_OK : world_fail(w, status, "commit");
}

static int rollback(struct world *w, uint64_t from)
{
	int status;

	if (w->mount.generation == from)
		return tool_fail(TOOL_REFUSED, "%s: generation %" PRIu64 " is the newest already", w->img->name, from);
	status = commit_unchanged(w);
	if (status == TOOL_OK)
		printf("generation %" PRIu64 " has the content of generation %" PRIu64 "; generation %" PRIu64
		       " is still kept\n", store_generation(w->st), w->mount.generation, from);
	return status;
}

int cmd_rollback(const struct options *o)
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
		status = rollback(&w, newest);
		world_close(&w);
	}
	return image_close(&img) == TOOL_OK ? status : TOOL_IO;
}

/* ---- name, drop, prune ------------------------------------------------------------------------------- */

/* Blocks are free when no superblock names a generation that holds them any more: after two commits. `keep`: how many
 * unnamed generations may be left then, the new one not counted; 0: as many as always. */
static int commit_twice(struct world *w, uint32_t keep)
{
	struct store_stats before, after;
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
	if (status != TOOL_OK)
		return status;
	store_stats(w->st, &after);
	printf("generations %" PRIu64 " and %" PRIu64 " have the content of generation %" PRIu64 "; free blocks %" PRIu64
	       " -> %" PRIu64 "\n", after.generation - 1, after.generation, w->mount.generation, before.free, after.free);
	return TOOL_OK;
}

/* Open the newest generation for writing, let `change` do its work, close. */
static int change_newest(const struct options *o, int (*change)(const struct options *, struct world *))
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

static int prune(const struct options *o, struct world *w)
{
	if (o->keep > STORE_KEEP_MAX)
		return tool_fail(TOOL_USAGE, "--keep: 1 to %u", STORE_KEEP_MAX);
	return commit_twice(w, o->keep ? (uint32_t)o->keep : 1);
}

int cmd_prune(const struct options *o)
{
	if (o->argc)
		return tool_fail(TOOL_USAGE, "prune: perdurectl prune IMAGE [--keep N]");
	return change_newest(o, prune);
}

static int name(const struct options *o, struct world *w)
{
	const char *text = o->argc > 1 ? o->args[1] : "";
	uint64_t generation;
	int status = world_find(w, o->args[0], &generation);

	if (status != TOOL_OK)
		return status;
	switch (store_name(w->st, generation, text)) {
	case STORE_OK:
		break;
	case STORE_TOO_MANY:
		return tool_fail(TOOL_REFUSED, "%s: %u generations have names or are pinned; drop some", w->img->name,
				 STORE_FIXED_MAX);
	default:
		return tool_fail(TOOL_REFUSED, "%s: another generation has it, or it is none: 1 to 31 letters, digits, '.', '_', '-', "
				 "and no number", text);
	}
	status = commit_unchanged(w);
	if (status == TOOL_OK)
		printf("generation %" PRIu64 " %s%s\n", generation, *text ? "is " : "has no name", text);
	return status;
}

int cmd_name(const struct options *o)
{
	if (o->argc < 1 || o->argc > 2)
		return tool_fail(TOOL_USAGE, "name: perdurectl name IMAGE GEN [NAME]");
	return change_newest(o, name);
}

/* GEN, or GEN..GEN, of which the newest generation is left out. */
static int drop_range(struct world *w, const char *range)
{
	const struct fmt_generation *list;
	unsigned count = world_kept(w, &list), dropped = 0;
	char first[2 * STORE_NAME_BYTES], *dots;
	uint64_t from, to;
	int status;

	snprintf(first, sizeof first, "%s", range);
	dots = strstr(first, "..");
	if (dots)
		*dots = 0;
	status = world_find(w, first, &from);
	to = from;
	if (status == TOOL_OK && dots)
		status = world_find(w, dots + 2, &to);
	if (status != TOOL_OK)
		return status;
	for (unsigned i = 0; i < count; i++)
		if (list[i].generation >= from && list[i].generation <= to)
			dropped += store_drop(w->st, list[i].generation) == STORE_OK;
	if (dropped)
		printf("%s: %u generation%s dropped\n", range, dropped, dropped == 1 ? "" : "s");
	return dropped ? TOOL_OK : tool_fail(TOOL_REFUSED, "%s: that is the newest generation, or backwards", range);
}

static int drop(const struct options *o, struct world *w)
{
	for (int i = 0; i < o->argc; i++) {
		int status = drop_range(w, o->args[i]);

		if (status != TOOL_OK)
			return status;          /* nothing was committed */
	}
	return commit_twice(w, 0);
}

int cmd_drop(const struct options *o)
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

static int format(struct world *w, bool force)
{
	uint8_t uuid[STORE_UUID_BYTES];
	int status;

	if (getrandom(uuid, sizeof uuid, 0) != sizeof uuid)
		return tool_fail(TOOL_IO, "no random numbers: %s", strerror(errno));
	status = store_format(w->st, uuid, force, &w->mount);
	switch (status) {
	case STORE_OK:
		printf("%s: empty store of %" PRIu64 " blocks (%.1f MiB)\n", w->img->name, w->mount.blocks,
		       (double)w->mount.blocks / 256);
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

int cmd_mkfs(const struct options *o)
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
		status = format(&w, o->force);
		world_close(&w);
	}
	return image_close(&img) == TOOL_OK ? status : TOOL_IO;
}
