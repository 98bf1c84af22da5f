/* SPDX-License-Identifier: BSD-2-Clause
 * A generation of a store, opened: mounted by the store's own code, with the checkpoint server's record of it. Any number
 * may be open on one image for reading; who writes has one.
 */
#ifndef WORLD_H
#define WORLD_H

#include "commit.h"
#include "format.h"
#include "image.h"
#include "store.h"
#include "tool.h"

struct world {
	struct image      *img;
	struct store      *st;
	void              *arena;
	struct store_mount mount;
	struct record      record;
	bool               has_record;  /* the record is the checkpoint server's, of a version known here */
	struct fmt_generation kept[STORE_KEPT_MAX * 2];
};

/* Prepare a store without mounting it. TOOL_IO: no memory. */
int world_prepare(struct world *w, struct image *img);

/* Mount a generation, given by number or name (NULL: the newest intact one); says if an older one had to be taken.
 * TOOL_NO_STORE, TOOL_NOT_FOUND, TOOL_IO, TOOL_DAMAGED. */
int world_open(struct world *w, struct image *img, const char *which);
void world_close(struct world *w);

/* Open the image to be read and generation `which` of it, call `use`, and close both. Its status. */
int world_with(const struct tool_options *o, const char *which, int (*use)(const struct tool_options *, struct world *));

/* The tool's status for one of the store's, with a message that begins with the image's name and `what`. */
int world_fail(const struct world *w, int store_status, const char *what);

/* The number of a kept generation, given by number or name. TOOL_NOT_FOUND, and it has been said. */
int world_find(struct world *w, const char *which, uint64_t *generation);

/* The records of the generations kept, newest first, the newest among them. */
unsigned world_kept(struct world *w, const struct fmt_generation **list);

/* Read a page; a page that does not exist is zero, *exists says so (it may be NULL). Store status. */
int world_page(struct world *w, uint32_t client, uint64_t vpn, void *page, bool *exists);

/* Read a block of the partition as it is. */
int world_block(struct world *w, uint64_t block, void *content);

/* Read bytes of the root task's store. Store status; STORE_EINVAL beyond its end. */
int world_bytes(struct world *w, uint64_t address, void *buf, size_t bytes);

/* Walk all pages of all clients in order: begin with a zeroed cursor whose op.client and op.vpn are where to begin; each
 * call sets op to the next page (client, vpn, block, sum). STORE_END after the last. */
struct world_cursor {
	struct store_op op;
	bool            started;
};
int world_next(struct world *w, struct world_cursor *c);

/* XXH3-64 over (client, vpn, sum) of every page in order: equal for equal contents, wherever they lie. */
int world_hash(struct world *w, uint64_t *hash, uint64_t *pages);

#endif
