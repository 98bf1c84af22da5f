/* SPDX-License-Identifier: BSD-2-Clause
 * rollback, prune, mkfs: the subcommands that change a store (import is the fourth). Changes are commits by the store's
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
	uint64_t generation, newest;
	struct image img;
	struct world w;
	int status;

	if (o->argc != 1 || !number_parse(o->args[0], &generation) || !generation)
		return tool_fail(TOOL_USAGE, "rollback: which generation? perdurectl rollback IMAGE GEN");
	status = image_open(&img, o->image, true);
	if (status != TOOL_OK)
		return status;
	status = world_open(&w, &img, generation);
	if (status == TOOL_OK) {
		newest = world_kept(&w, &list) ? list[0].generation : 0;
		status = rollback(&w, newest);
		world_close(&w);
	}
	return image_close(&img) == TOOL_OK ? status : TOOL_IO;
}

/* What only older, unnamed generations hold is free when no superblock names them any more: after two commits. */
static int prune(struct world *w)
{
	struct store_stats before, after;
	uint32_t keep;
	int status;

	if (!w->mount.generation)
		return tool_fail(TOOL_NOT_FOUND, "%s: nothing was committed yet", w->img->name);
	store_stats(w->st, &before);
	keep = store_kept(w->st);
	store_keep(w->st, 1);
	status = commit_unchanged(w);
	store_keep(w->st, keep);
	if (status == TOOL_OK)
		status = commit_unchanged(w);
	if (status != TOOL_OK)
		return status;
	store_stats(w->st, &after);
	printf("generations %" PRIu64 " and %" PRIu64 " have the content of generation %" PRIu64 "; free blocks %" PRIu64
	       " -> %" PRIu64 "\n", after.generation - 1, after.generation, w->mount.generation, before.free, after.free);
	return TOOL_OK;
}

int cmd_prune(const struct options *o)
{
	struct image img;
	struct world w;
	int status = image_open(&img, o->image, true);

	if (status != TOOL_OK)
		return status;
	status = world_open(&w, &img, 0);
	if (status == TOOL_OK) {
		status = prune(&w);
		world_close(&w);
	}
	return image_close(&img) == TOOL_OK ? status : TOOL_IO;
}

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
