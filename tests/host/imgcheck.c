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
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "ckptserver/store/format.h"
#include "ckptserver/store/store.h"

#define SECTOR          512u
#define CACHE_NODES     512u

/* What is done with an image. */
enum task { CHECK, POKE, MAKE_FUTURE, PRINT_SUMS, MAKE_GENERATIONS };

/* On disk a GUID's first three fields are little-endian. 50455244-5552-4500-8c4b-3a0e5f1d7c21. */
static const uint8_t partition_type[16] = {
	0x44, 0x52, 0x45, 0x50, 0x52, 0x55, 0x00, 0x45, 0x8c, 0x4b, 0x3a, 0x0e, 0x5f, 0x1d, 0x7c, 0x21,
};

/* A block device over a mapped file. Requests complete at the next poll or wait. */
struct image {
	struct blkdev   dev;            /* first: dev and image are one address */
	uint8_t        *base;           /* of the partition */
	int             writable;
	struct blkreq  *head, **tail;
};

static void image_submit(struct blkdev *dev, struct blkreq *req)
{
	struct image *img = (struct image *)dev;
	uint32_t i;

	req->status = BLK_OK;
	if (req->op != BLK_FLUSH && req->block + req->count > dev->blocks)
		req->status = BLK_ERANGE;
	else if (req->op == BLK_WRITE && !img->writable)
		req->status = BLK_EIO;          /* checking changes nothing */
	else if (req->op == BLK_WRITE)
		for (i = 0; i < req->count; i++)
			memcpy(img->base + (req->block + i) * BLK_SIZE, req->bufs[i], BLK_SIZE);
	else if (req->op == BLK_READ)
		for (i = 0; i < req->count; i++)
			memcpy(req->bufs[i], img->base + (req->block + i) * BLK_SIZE, BLK_SIZE);
	req->link = NULL;
	*img->tail = req;
	img->tail = &req->link;
}

static unsigned image_poll(struct blkdev *dev)
{
	struct image *img = (struct image *)dev;
	unsigned n = 0;

	while (img->head) {
		struct blkreq *req = img->head;

		img->head = req->link;
		if (!img->head)
			img->tail = &img->head;
		req->done(req);
		n++;
	}
	return n;
}

static void image_wait(struct blkdev *dev)
{
	image_poll(dev);
}

static uint64_t le64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

/* Find the checkpoint partition: its byte offset and length; the whole file if there is no GPT. */
static void find_partition(const uint8_t *file, uint64_t size, uint64_t *offset, uint64_t *length)
{
	const uint8_t *header = file + SECTOR;
	uint64_t entries, first, last;
	uint32_t count, entry_size, i;

	*offset = 0;
	*length = size;
	if (size < 34 * SECTOR || memcmp(header, "EFI PART", 8))
		return;
	entries = le64(header + 72) * SECTOR;
	memcpy(&count, header + 80, 4);
	memcpy(&entry_size, header + 84, 4);
	for (i = 0; i < count && i < 128; i++) {
		if (entries + (uint64_t)(i + 1) * entry_size > size)
			return;
		const uint8_t *e = file + entries + (uint64_t)i * entry_size;

		first = le64(e + 32) * SECTOR;
		last = le64(e + 40) * SECTOR;
		if (memcmp(e, partition_type, 16) || first > last || last >= size)
			continue;
		*offset = first;
		*length = last + SECTOR - first;
		return;
	}
}

/* Read all pages of all clients. Returns the first bad status, or STORE_OK. */
static int read_everything(struct store *st, uint64_t *pages, int verbose)
{
	static _Alignas(4096) uint8_t page[STORE_PAGE];
	struct store_op op;
	uint32_t client;
	int status;

	memset(&op, 0, sizeof op);
	for (client = 0; client < STORE_CLIENTS; client++) {
		uint64_t vpn = 0;

		for (;;) {
			op.client = client;
			op.vpn = vpn;
			op.end = STORE_VPN_END;
			status = store_sync(st, &op, store_next(st, &op));
			if (status == STORE_END)
				break;
			if (status == STORE_OK) {
				vpn = op.vpn;
				op.buf = page;
				status = store_sync(st, &op, store_read(st, &op));
			}
			if (status != STORE_OK) {
				if (verbose)
					fprintf(stderr, "client %u page %llu block %llu: %s\n", client,
					        (unsigned long long)vpn, (unsigned long long)op.block,
					        store_strerror(status));
				return status;
			}
			(*pages)++;
			vpn++;
		}
	}
	return STORE_OK;
}

static int open_store(struct blkdev *dev, struct store **st, struct store_mount *mount)
{
	static void *arena;             /* one store at a time */
	size_t bytes = store_arena_bytes(dev->blocks, CACHE_NODES);
	int status;

	free(arena);
	arena = aligned_alloc(4096, (bytes + 4095) & ~(size_t)4095);
	status = store_init(arena, bytes, dev, st);
	memset(mount, 0, sizeof *mount);
	return status == STORE_OK ? store_mount(*st, 0, mount) : status;
}

static int check_store(struct blkdev *dev, const char *name, int verbose)
{
	struct store_mount mount;
	struct store *st;
	uint64_t pages = 0;
	int status = open_store(dev, &st, &mount);

	if (status == STORE_OK)
		status = read_everything(st, &pages, verbose);
	printf("image=%s status=%d generation=%llu boot=%llu newest=%llu pages=%llu fell_back=%d why=%s\n", name, status,
	       (unsigned long long)mount.generation, (unsigned long long)mount.boot,
	       (unsigned long long)mount.newest, (unsigned long long)pages, mount.fell_back,
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
static int poke_store(struct blkdev *dev, const char *name, unsigned type)
{
	static _Alignas(4096) uint8_t page[STORE_PAGE];
	struct store_mount mount;
	struct store_op op;
	struct store *st;
	uint64_t vpn = (uint64_t)type << 24, end = (uint64_t)(type + 1) << 24;
	unsigned spoilt = 0;
	int status = open_store(dev, &st, &mount);

	memset(&op, 0, sizeof op);
	if (status == STORE_OK)
		status = store_begin(st, mount.user);
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
	unsigned slot, done = 0;

	for (slot = 0; slot < 2; slot++) {
		uint8_t *block = img->base + (uint64_t)FMT_SUPER_BLOCK(slot) * BLK_SIZE;
		struct fmt_super *super = (struct fmt_super *)block;

		if (super->magic != FMT_SUPER_MAGIC)
			continue;
		super->version = FMT_VERSION + 1;
		super->sum = 0;
		super->sum = XXH3_64bits(block, BLK_SIZE);
		done++;
	}
	return done ? 0 : 1;
}

/* ---- Golden images ---------------------------------------------------------------------------------- */

/* "generation client page checksum" of every page; the sums are computed from what was read. */
static int print_generation(struct store *st, uint64_t generation)
{
	static _Alignas(4096) uint8_t page[STORE_PAGE];
	struct store_op op;
	int status = STORE_OK;

	memset(&op, 0, sizeof op);
	for (uint32_t client = 0; client < STORE_CLIENTS; client++) {
		uint64_t vpn = 0;

		for (;; vpn++) {
			op.client = client;
			op.vpn = vpn;
			op.end = STORE_VPN_END;
			op.buf = page;
			status = store_sync(st, &op, store_next(st, &op));
			vpn = op.vpn;
			if (status == STORE_OK)
				status = store_sync(st, &op, store_read(st, &op));
			if (status != STORE_OK)
				break;
			printf("%llu %u %llx %016llx\n", (unsigned long long)generation, client, (unsigned long long)vpn,
			       (unsigned long long)XXH3_64bits(page, STORE_PAGE));
		}
		if (status != STORE_END)
			return status;
	}
	return STORE_OK;
}

static int print_sums(struct blkdev *dev, const char *name)
{
	struct store_mount mount, older;
	struct store *st;
	int status = open_store(dev, &st, &mount);
	unsigned found = 0;

	for (uint64_t g = mount.newest; status == STORE_OK && g; g--) {
		int kept = store_mount(st, g, &older);

		if (kept == STORE_NO_GENERATION)
			continue;
		status = kept == STORE_OK ? print_generation(st, g) : kept;
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

static int make_generations(struct blkdev *dev, const char *name)
{
	static const uint8_t uuid[STORE_UUID_BYTES] = "golden generatio";
	struct store_mount mount;
	struct store_op op;
	struct store *st;
	int status = open_store(dev, &st, &mount);

	memset(&op, 0, sizeof op);
	if (status == STORE_EMPTY)
		status = store_format(st, uuid, false, &mount);
	if (status == STORE_OK)
		status = store_sync(st, &op, store_boot(st, &op));
	for (unsigned g = 0; g < 12 && status == STORE_OK; g++)
		status = make_generation(st, g);
	if (status != STORE_OK)
		fprintf(stderr, "%s: %s\n", name, store_strerror(status));
	return status == STORE_OK ? 0 : 1;
}

/* ---- Images ----------------------------------------------------------------------------------------- */

static int do_task(struct image *img, const char *name, enum task task, int detail)
{
	switch (task) {
	case POKE:
		return poke_store(&img->dev, name, (unsigned)detail);
	case MAKE_FUTURE:
		return make_future(img);
	case PRINT_SUMS:
		return print_sums(&img->dev, name);
	case MAKE_GENERATIONS:
		return make_generations(&img->dev, name);
	default:
		return check_store(&img->dev, name, detail);
	}
}

/* Open an image and do that with it. `detail`: POKE: type of the objects; CHECK: verbose. */
static int open_image(const char *name, enum task task, int detail)
{
	struct image img = { .dev = { .submit = image_submit, .poll = image_poll, .wait = image_wait } };
	bool writes = task != CHECK && task != PRINT_SUMS;
	uint64_t offset, length;
	struct stat st;
	int fd = open(name, writes ? O_RDWR : O_RDONLY), bad;
	uint8_t *file;

	if (fd < 0 || fstat(fd, &st) || st.st_size < (off_t)BLK_SIZE) {
		perror(name);
		return 2;
	}
	file = mmap(NULL, (size_t)st.st_size, writes ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
	if (file == MAP_FAILED) {
		perror(name);
		close(fd);
		return 2;
	}
	find_partition(file, (uint64_t)st.st_size, &offset, &length);
	img.base = file + offset;
	img.dev.blocks = length / BLK_SIZE;
	img.tail = &img.head;
	img.writable = writes;
	bad = do_task(&img, name, task, detail);
	munmap(file, (size_t)st.st_size);
	close(fd);
	return bad;
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
