/* SPDX-License-Identifier: BSD-2-Clause
 * Checks the checkpoint store in a disk image with the store's own code, as recovery would find it: mounts the newest
 * intact generation, reads every page of every client and verifies every checksum on the way.
 *
 *   imgcheck [-v] IMAGE...     IMAGE: a raw disk with a GPT, or a bare checkpoint partition
 *
 * One line per image, key=value: image, status (name of the result), generation, boot, newest, pages, fell_back. Exit
 * status 0: every image has an intact newest generation or is formatted and empty (generation=0); 1: at least one has
 * not; 2: an image cannot be opened. Used by tests/powercut, which knows what the generation must be at least.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ckptserver/store/store.h"

#define SECTOR          512u
#define CACHE_NODES     512u
#define BATCH_CLIENTS   STORE_CLIENTS

/* On disk a GUID's first three fields are little-endian. 50455244-5552-4500-8c4b-3a0e5f1d7c21. */
static const uint8_t partition_type[16] = {
	0x44, 0x52, 0x45, 0x50, 0x52, 0x55, 0x00, 0x45, 0x8c, 0x4b, 0x3a, 0x0e, 0x5f, 0x1d, 0x7c, 0x21,
};

/* A block device over a mapped file. Requests complete at the next poll or wait. */
struct image {
	struct blkdev   dev;            /* first: dev and image are one address */
	const uint8_t  *base;           /* of the partition */
	struct blkreq  *head, **tail;
};

static void image_submit(struct blkdev *dev, struct blkreq *req)
{
	struct image *img = (struct image *)dev;
	uint32_t i;

	req->status = BLK_OK;
	if (req->op != BLK_FLUSH && req->block + req->count > dev->blocks)
		req->status = BLK_ERANGE;
	else if (req->op == BLK_WRITE)
		req->status = BLK_EIO;          /* checking changes nothing */
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
	for (client = 0; client < BATCH_CLIENTS; client++) {
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

static int check_store(struct blkdev *dev, const char *name, int verbose)
{
	size_t bytes = store_arena_bytes(dev->blocks, CACHE_NODES);
	void *arena = aligned_alloc(4096, (bytes + 4095) & ~(size_t)4095);
	struct store_mount mount;
	struct store *st;
	uint64_t pages = 0;
	int status;

	memset(&mount, 0, sizeof mount);
	status = store_init(arena, bytes, dev, &st);
	if (status == STORE_OK)
		status = store_mount(st, 0, &mount);
	if (status == STORE_OK)
		status = read_everything(st, &pages, verbose);
	printf("image=%s status=%d generation=%llu boot=%llu newest=%llu pages=%llu fell_back=%d why=%s\n", name, status,
	       (unsigned long long)mount.generation, (unsigned long long)mount.boot,
	       (unsigned long long)mount.newest, (unsigned long long)pages, mount.fell_back,
	       status == STORE_OK ? "-" : store_strerror(status));
	free(arena);
	return status == STORE_OK ? 0 : 1;
}

static int check_image(const char *name, int verbose)
{
	struct image img = { .dev = { .submit = image_submit, .poll = image_poll, .wait = image_wait } };
	uint64_t offset, length;
	struct stat st;
	int fd = open(name, O_RDONLY), bad;
	uint8_t *file;

	if (fd < 0 || fstat(fd, &st) || st.st_size < (off_t)BLK_SIZE) {
		perror(name);
		return 2;
	}
	file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (file == MAP_FAILED) {
		perror(name);
		close(fd);
		return 2;
	}
	find_partition(file, (uint64_t)st.st_size, &offset, &length);
	img.base = file + offset;
	img.dev.blocks = length / BLK_SIZE;
	img.tail = &img.head;
	bad = check_store(&img.dev, name, verbose);
	munmap(file, (size_t)st.st_size);
	close(fd);
	return bad;
}

int main(int argc, char **argv)
{
	int verbose = argc > 1 && !strcmp(argv[1], "-v"), i, worst = 0;

	if (argc < 2 + verbose) {
		fprintf(stderr, "usage: imgcheck [-v] IMAGE...\n");
		return 2;
	}
	for (i = 1 + verbose; i < argc; i++) {
		int bad = check_image(argv[i], verbose);

		if (bad > worst)
			worst = bad;
	}
	return worst;
}
