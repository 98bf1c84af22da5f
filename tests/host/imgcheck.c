/* SPDX-License-Identifier: BSD-2-Clause
 * Checks the checkpoint store in a disk image with the store's own code, as recovery would find it: mounts the newest
 * intact generation, reads every page of every client and verifies every checksum on the way.
 *
 *   imgcheck [-v] IMAGE...            IMAGE: a raw disk with a GPT, or a bare checkpoint partition
 *   imgcheck --poke SEED TYPE IMAGE   damage the content of a kernel object and commit it with valid checksums
 *   imgcheck --future IMAGE           make both superblocks those of a later format version
 *   imgcheck --sums IMAGE             print the checksum of every page of every generation that is kept
 *   imgcheck --make SEED IMAGE        fill an empty partition with generations drawn from the seed
 *
 * One line per image, key=value: image, status (name of the result), generation, boot, newest, pages, fell_back. Exit
 * status 0: every image has an intact newest generation or is formatted and empty (generation=0); 1: at least one has
 * not; 2: an image cannot be opened. Used by tests/powercut, which knows what the generation must be at least.
 *
 * --sums and --make are for tests/golden-images. --poke makes the images of tests/bootpaths --case hostile: TYPE is 0 thread table, 1 TCB, 2 UTCB, 3 space record.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/perdurectl/hash.h"
#include "tools/perdurectl/tool.h"
#include "tools/perdurectl/world.h"

/* What is done with an image. */
enum task { CHECK, POKE, MAKE_FUTURE, PRINT_SUMS, MAKE_GENERATIONS };

/* Read all pages of all clients. Returns the first bad status, or STORE_OK. */
static int read_everything(struct world *w, uint64_t *pages, int verbose)
{
	static uint8_t page[STORE_PAGE];
	struct world_cursor c = { .started = false };
	int status;

	while ((status = world_next(w, &c)) == STORE_OK && (status = world_page(w, c.op.client, c.op.vpn, page, NULL)) == STORE_OK)
		(*pages)++;
	if (status == STORE_END)
		return STORE_OK;
	if (verbose)
		fprintf(stderr, "client %u page %llu block %llu: %s\n", c.op.client, (unsigned long long)c.op.vpn,
			(unsigned long long)c.op.block, store_strerror(status));
	return status;
}

/* The newest intact generation. */
static int open_store(struct world *w)
{
	return world_prepare(w, w->img) == TOOL_OK ? store_mount(w->st, 0, &w->mount) : STORE_NOMEM;
}

static int check_store(struct world *w, const char *name, int verbose)
{
	const struct store_mount *m = &w->mount;
	uint64_t pages = 0;
	int status = open_store(w);

	if (status == STORE_OK)
		status = read_everything(w, &pages, verbose);
	printf("image=%s status=%d generation=%llu boot=%llu newest=%llu pages=%llu fell_back=%d why=%s\n", name, status,
	       (unsigned long long)m->generation, (unsigned long long)m->boot,
	       (unsigned long long)m->newest, (unsigned long long)pages, m->fell_back,
	       status == STORE_OK ? "-" : store_strerror(status));
	return status == STORE_OK ? 0 : 1;
}

/* ---- Hostile content ------------------------------------------------------------------------------ */

static uint64_t random_state;

static uint64_t random_word(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* Overwrite some words of a page with values that hurt: addresses of the kernel, not canonical, all ones. */
static void spoil(uint8_t *page)
{
	static const uint64_t values[] = {
		0, ~0ull, 0xffffffff80000000, 0x8000000000000000, 0x7fffffffffff, 0x800000000000, 0x10b, 0x202, 1ull << 63,
	};
	unsigned i, count = 1 + (unsigned)(random_word() % 40);

	for (i = 0; i < count; i++) {
		uint64_t value = values[random_word() % (sizeof values / sizeof values[0])];
		size_t at = random_word() % 3 ? random_word() % 64 : random_word() % 512;

		if (random_word() % 3 == 0)
			value = random_word();
		memcpy(page + 8 * at, &value, 8);
	}
}

/* Spoil every kernel object of a type but about half of them, and commit. */
static int poke_store(struct world *w, const char *name, unsigned type)
{
	static _Alignas(4096) uint8_t page[STORE_PAGE];
	struct store_op op;
	struct store *st;
	uint64_t vpn = (uint64_t)type << 24, end = (uint64_t)(type + 1) << 24;
	unsigned spoilt = 0;
	int status = open_store(w);

	st = w->st;
	memset(&op, 0, sizeof op);
	if (status == STORE_OK)
		status = store_begin(st, w->mount.user);
	while (status == STORE_OK) {
		op.client = 0;
		op.vpn = vpn;
		op.end = end;
		status = store_sync(st, &op, store_next(st, &op));
		if (status != STORE_OK)
			break;
		vpn = op.vpn + 1;
		op.buf = page;
		status = store_sync(st, &op, store_read(st, &op));
		if (status != STORE_OK || (spoilt && random_word() & 1))
			continue;
		spoil(page);
		spoilt++;
		status = store_sync(st, &op, store_put(st, &op));
	}
	if (status == STORE_END)
		status = store_sync(st, &op, store_commit(st, &op));
	printf("image=%s status=%d type=%u spoilt=%u generation=%llu\n", name, status, type, spoilt,
	       (unsigned long long)store_generation(st));
	return status == STORE_OK && spoilt ? 0 : 1;
}

static int make_future(struct image *img)
{
	union { struct fmt_super super; uint8_t bytes[BLK_SIZE]; } block;
	unsigned slot, done = 0;

	for (slot = 0; slot < 2; slot++) {
		off_t at = (off_t)(img->offset + (uint64_t)FMT_SUPER_BLOCK(slot) * BLK_SIZE);

		if (pread(img->fd, &block, BLK_SIZE, at) != BLK_SIZE || block.super.magic != FMT_SUPER_MAGIC)
			continue;
		block.super.version = FMT_VERSION + 1;
		block.super.sum = 0;
		block.super.sum = hash_of(&block, BLK_SIZE);
		done += pwrite(img->fd, &block, BLK_SIZE, at) == BLK_SIZE;
	}
	return done ? 0 : 1;
}

/* ---- Golden images ---------------------------------------------------------------------------------- */

/* "generation client page checksum" of every page; the sums are computed from what was read. */
static int print_generation(struct world *w, uint64_t generation)
{
	static uint8_t page[STORE_PAGE];
	struct world_cursor c = { .started = false };
	int status;

	while ((status = world_next(w, &c)) == STORE_OK && (status = world_page(w, c.op.client, c.op.vpn, page, NULL)) == STORE_OK)
		printf("%llu %u %llx %016llx\n", (unsigned long long)generation, c.op.client, (unsigned long long)c.op.vpn,
		       (unsigned long long)hash_of(page, STORE_PAGE));
	return status == STORE_END ? STORE_OK : status;
}

static int print_sums(struct world *w, const char *name)
{
	struct store_mount older;
	int status = open_store(w);
	unsigned found = 0;

	for (uint64_t g = w->mount.newest; status == STORE_OK && g; g--) {
		int kept = store_mount(w->st, g, &older);

		if (kept == STORE_NO_GENERATION)
			continue;
		status = kept == STORE_OK ? print_generation(w, g) : kept;
		found++;
	}
	if (status != STORE_OK)
		fprintf(stderr, "%s: %s\n", name, store_strerror(status));
	return status == STORE_OK && found ? 0 : 1;
}

/* A page that is easy to compress and like no other. */
static void make_page(uint8_t *page)
{
	uint64_t word = random_word();

	for (unsigned i = 0; i < STORE_PAGE; i += 8)
		memcpy(page + i, &word, 8);
}

/* Clients with dense, sparse and very sparse pages, trees of every height; holes; ranges and a client dropped; names. */
static int make_generation(struct store *st, unsigned g)
{
	static const uint64_t spread[] = { 64, 300, 1ull << 17, 1ull << 24, 1ull << 30, STORE_VPN_END };
	static _Alignas(4096) uint8_t page[STORE_PAGE];
	uint8_t user[STORE_USER_BYTES] = "golden";
	char name[STORE_NAME_BYTES];
	unsigned changes = g < 8 ? 60 : 6;      /* few enough for a delta, at the end */
	struct store_op op;
	int status = STORE_OK;

	memset(&op, 0, sizeof op);
	op.buf = page;
	for (unsigned i = 0; i < changes && status == STORE_OK; i++) {
		unsigned what = (unsigned)(random_word() % 16), area = (unsigned)(random_word() % 6);

		op.client = area ? 16 + 97 * area : 0;
		op.vpn = random_word() % spread[area];
		op.end = op.vpn + 20 < STORE_VPN_END ? op.vpn + 20 : STORE_VPN_END;
		make_page(page);
		if (what)
			status = store_sync(st, &op, store_put(st, &op));
		else
			status = store_sync(st, &op, store_remove_range(st, &op));
	}
	op.client = 16 + 97;
	if (status == STORE_OK && g % 5 == 4)
		status = store_sync(st, &op, store_drop_client(st, &op));
	if (status == STORE_OK)
		status = store_begin(st, user);
	if (status == STORE_OK)
		status = store_sync(st, &op, store_commit(st, &op));
	/* The name is durable with the next commit, so the last one must not get one. */
	snprintf(name, sizeof name, "golden.%u", g);
	return status == STORE_OK && g % 5 == 2 ? store_name(st, store_generation(st), name) : status;
}

static int make_generations(struct world *w, const char *name)
{
	static const uint8_t uuid[STORE_UUID_BYTES] = "golden generatio";
	struct store_op op;
	struct store *st;
	int status = open_store(w);

	st = w->st;
	memset(&op, 0, sizeof op);
	if (status == STORE_EMPTY)
		status = store_format(st, uuid, false, &w->mount);
	if (status == STORE_OK)
		status = store_sync(st, &op, store_boot(st, &op));
	for (unsigned g = 0; g < 12 && status == STORE_OK; g++)
		status = make_generation(st, g);
	if (status != STORE_OK)
		fprintf(stderr, "%s: %s\n", name, store_strerror(status));
	return status == STORE_OK ? 0 : 1;
}

/* ---- Images ----------------------------------------------------------------------------------------- */

static int do_task(struct world *w, const char *name, enum task task, int detail)
{
	switch (task) {
	case POKE:
		return poke_store(w, name, (unsigned)detail);
	case MAKE_FUTURE:
		return make_future(w->img);
	case PRINT_SUMS:
		return print_sums(w, name);
	case MAKE_GENERATIONS:
		return make_generations(w, name);
	default:
		return check_store(w, name, detail);
	}
}

/* Open an image and do that with it. `detail`: POKE: type of the objects; CHECK: verbose. */
static int open_image(const char *name, enum task task, int detail)
{
	static struct world w;
	struct image img;
	int bad = image_open(&img, name, task != CHECK && task != PRINT_SUMS);

	if (bad != TOOL_OK)
		return bad == TOOL_NO_STORE ? 1 : 2;
	memset(&w, 0, sizeof w);
	w.img = &img;
	bad = do_task(&w, name, task, detail);
	world_close(&w);
	return image_close(&img) == TOOL_OK ? bad : 2;
}

static void seed_random(const char *text)
{
	random_state = strtoull(text, NULL, 0) * 2654435761u + 88172645463325252ull;
}

int main(int argc, char **argv)
{
	int verbose = argc > 1 && !strcmp(argv[1], "-v"), i, worst = 0;

	if (argc == 5 && !strcmp(argv[1], "--poke")) {
		seed_random(argv[2]);
		return open_image(argv[4], POKE, atoi(argv[3]));
	}
	if (argc == 4 && !strcmp(argv[1], "--make")) {
		seed_random(argv[2]);
		return open_image(argv[3], MAKE_GENERATIONS, 0);
	}
	if (argc == 3 && !strcmp(argv[1], "--future"))
		return open_image(argv[2], MAKE_FUTURE, 0);
	if (argc == 3 && !strcmp(argv[1], "--sums"))
		return open_image(argv[2], PRINT_SUMS, 0);
	if (argc < 2 + verbose) {
		fprintf(stderr, "usage: imgcheck [-v] IMAGE... | --poke SEED TYPE IMAGE | --future IMAGE | --sums IMAGE | "
			"--make SEED IMAGE\n");
		return 2;
	}
	for (i = 1 + verbose; i < argc; i++) {
		int bad = open_image(argv[i], CHECK, verbose);

		if (bad > worst)
			worst = bad;
	}
	return worst;
}
