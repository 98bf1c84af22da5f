/* SPDX-License-Identifier: BSD-2-Clause
 * Fuzzer: `perdurectl import`. Input: a byte of flags, then the stream. Flag 1: sums and counts in it are put right; flag 2: the
 * target holds the generation that the incremental streams of the corpus begin with, else it is empty. A stream that was
 * refused must have committed nothing; one that was taken must leave a store that is whole.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "hash.h"
#include "store_priv.h"
#include "stream.h"
#include "tool.h"
#include "world.h"

#define BLOCKS          2048u

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int target, stream;                      /* files in memory */
static char target_name[32], stream_name[32];
static uint8_t *content, *base;                 /* of the target; as it is at the beginning */

int tool_fail(int status, const char *format, ...)
{
	(void)format;
	return status;
}

static int memory_file(const char *name, size_t bytes, char path[32])
{
	int fd = memfd_create(name, 0);

	if (fd < 0 || ftruncate(fd, (off_t)bytes)) {
		perror(name);
		abort();
	}
	snprintf(path, 32, "/proc/self/fd/%d", fd);
	return fd;
}

static int open_world(struct world *w, struct image *img)
{
	if (image_open(img, target_name, false) != TOOL_OK)
		abort();
	return world_open(w, img, 0);
}

/* The generation in the target; it must be whole. 0: there is none. */
static uint64_t generation_there(void)
{
	static _Alignas(4096) uint8_t scratch[STORE_CHECK_DEPTH * 4096], bitmap[BLOCKS / 8 + 4096];
	struct store_check c = { .bitmap = bitmap, .scratch = scratch };
	struct image img;
	struct world w;
	uint64_t generation = 0;

	if (open_world(&w, &img) == TOOL_OK) {
		generation = w.mount.generation;
		if (generation && store_check(w.st, 0, &c) != STORE_OK) {
			fprintf(stderr, "the store is not whole\n");
			abort();
		}
		world_close(&w);
	}
	image_close(&img);
	return generation;
}

/* Makes the first generation of an incremental stream. */
static void make_base(void)
{
	static _Alignas(4096) uint8_t page[4096];
	static const uint8_t uuid[STORE_UUID_BYTES] = "fuzzed by chance";
	uint8_t user[STORE_USER_BYTES] = { 0 };
	struct store_op op = { .buf = page, .client = 16 };
	struct image img;
	struct world w;

	memset(&w, 0, sizeof(w));
	if (image_open(&img, target_name, true) != TOOL_OK || world_prepare(&w, &img) != TOOL_OK ||
	    store_format(w.st, uuid, false, &w.mount) != STORE_OK)
		abort();
	for (op.vpn = 0; op.vpn < 5; op.vpn++) {
		memset(page, 1 + (int)op.vpn, sizeof(page));
		if (store_sync(w.st, &op, store_put(w.st, &op)) != STORE_OK)
			abort();
	}
	if (store_begin(w.st, user) != STORE_OK || store_sync(w.st, &op, store_commit(w.st, &op)) != STORE_OK)
		abort();
	world_close(&w);
	image_close(&img);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	if (!freopen("/dev/null", "w", stdout))
		abort();
	target = memory_file("target", (size_t)BLOCKS * BLK_SIZE, target_name);
	stream = memory_file("stream", 0, stream_name);
	content = mmap(NULL, (size_t)BLOCKS * BLK_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, target, 0);
	base = malloc((size_t)BLOCKS * BLK_SIZE);
	make_base();
	memcpy(base, content, (size_t)BLOCKS * BLK_SIZE);
	return 0;
}

/* What the stream makes of the target: its pages, in order. */
static struct { uint64_t words[3]; } pages[256];        /* client, page number, sum */
static unsigned page_count;

static void set_page(uint32_t client, uint64_t vpn, uint64_t sum)
{
	unsigned i = 0;

	while (i < page_count && (pages[i].words[0] < client || (pages[i].words[0] == client && pages[i].words[1] < vpn)))
		i++;
	if (i < page_count && pages[i].words[0] == client && pages[i].words[1] == vpn)
		memmove(&pages[i], &pages[i + 1], (--page_count - i) * sizeof(pages[0]));
	if (!sum || page_count == 256)
		return;
	memmove(&pages[i + 1], &pages[i], (page_count++ - i) * sizeof(pages[0]));
	pages[i].words[0] = client;
	pages[i].words[1] = vpn;
	pages[i].words[2] = sum;
}

static uint64_t contents(void)
{
	return hash_of(pages, page_count * sizeof(pages[0]));
}

static void put_right(uint8_t *data, size_t size)
{
	struct hash *all = hash_begin();
	struct stream_header h;
	struct stream_record r = { .kind = 0 };
	uint64_t records = 0;
	uint8_t page[4096];

	page_count = 0;
	memcpy(&h, data, sizeof(h));
	for (unsigned vpn = 0; h.base && vpn < 5; vpn++) {
		memset(page, 1 + (int)vpn, sizeof(page));
		set_page(16, vpn, hash_of(page, sizeof(page)));
	}
	if (h.base)
		h.base_contents = contents();
	for (size_t at = sizeof(h); r.kind != STREAM_END && at + sizeof(r) <= size; records++) {
		uint8_t *record = data + at;

		memcpy(&r, record, sizeof(r));
		at += sizeof(r);
		if (r.kind == STREAM_END) {
			r.vpn = records;
			r.sum = hash_now(all);
		} else if (r.kind == STREAM_PAGE && at + 4096 <= size) {
			r.sum = hash_of(data + at, 4096);
			set_page(r.client, r.vpn, store_is_zero(memcpy(page, data + at, 4096)) ? 0 : r.sum);
		} else {
			set_page(r.client, r.vpn, 0);
		}
		memcpy(record, &r, sizeof(r));
		hash_add(all, record, sizeof(r));
		if (r.kind == STREAM_PAGE && at + 4096 <= size) {
			hash_add(all, data + at, 4096);
			at += 4096;
		}
	}
	hash_end(all);
	h.contents = contents();
	h.pages = page_count;
	h.sum = hash_of(&h, offsetof(struct stream_header, sum));
	memcpy(data, &h, sizeof(h));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tool_options o = { .command = "import", .image = target_name };
	char *args[] = { stream_name };
	uint64_t before, after;
	uint8_t *copy;
	int status;

	if (!size)
		return 0;
	o.args = args;
	o.argc = 1;
	copy = malloc(size);
	memcpy(copy, data + 1, size - 1);
	if (data[0] & 1 && size - 1 >= sizeof(struct stream_header))
		put_right(copy, size - 1);
	if (ftruncate(stream, 0) || pwrite(stream, copy, size - 1, 0) != (ssize_t)size - 1)
		abort();
	free(copy);
	for (size_t at = 0; at < (size_t)BLOCKS * BLK_SIZE; at += BLK_SIZE) {
		static const uint8_t zeros[BLK_SIZE];
		const uint8_t *want = data[0] & 2 ? base + at : zeros;

		if (memcmp(content + at, want, BLK_SIZE))
			memcpy(content + at, want, BLK_SIZE);
	}
	before = data[0] & 2 ? 1 : 0;
	status = cmd_import(&o);
	after = generation_there();
	if (status == TOOL_OK ? after <= before : after != before) {
		fprintf(stderr, "status %d, generation %llu, then %llu\n", status, (unsigned long long)before,
			(unsigned long long)after);
		abort();
	}
	return 0;
}
