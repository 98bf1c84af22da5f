/* SPDX-License-Identifier: BSD-2-Clause
 * Fuzzer: a small store of a few generations is damaged, mounted, verified, read, changed and committed. No input may
 * crash the store, make it wait for ever, reach outside the disk, or write before it has found a store.
 *
 * Input: a byte of flags, then records: block (1 byte, among those in use and the fixed ones), offset (2), length - 1 (1, below
 * 16), bytes. So that damage gets past the checksums, those of the changed blocks are put right again, in every
 * reference to them and so up to the superblock (unless flag 1 says no). References are found by their looks, so this needs to
 * know nothing of what the blocks mean.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "format.h"
#include "store_priv.h"
#include "survey.h"

#define BLOCKS          2048u
#define LIVE_MAX        512u
#define REFS_MAX        8192u
#define OPERATIONS_MAX  400000u
#define FLAG_AS_IT_IS   1u              /* leave the checksums alone */
#define FLAG_SMALLER    2u              /* the disk is cut off */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t *disk, *base;                    /* BLOCKS blocks each */
static uint8_t changed[BLOCKS];
static uint32_t live[LIVE_MAX], live_count;
static struct { uint32_t from, at, to; } refs[REFS_MAX];        /* block, byte in it, block it leads to */
static uint32_t ref_count, order[LIVE_MAX], order_count;

/* ---- The disk ---- */

static struct blkreq *head, **tail = &head;
static uint64_t operations, writes;

static void submit(struct blkdev *dev, struct blkreq *r)
{
	if (++operations > OPERATIONS_MAX) {
		fprintf(stderr, "the store goes on for ever\n");
		abort();
	}
	r->status = BLK_OK;
	if (r->op != BLK_FLUSH && (r->count != 1 || r->block >= dev->blocks)) {
		fprintf(stderr, "block %llu is outside the disk\n", (unsigned long long)r->block);
		abort();
	}
	if (r->op == BLK_READ)
		memcpy(r->bufs[0], disk + r->block * BLK_SIZE, BLK_SIZE);
	if (r->op == BLK_WRITE) {
		memcpy(disk + r->block * BLK_SIZE, r->bufs[0], BLK_SIZE);
		changed[r->block] = 1;
		writes++;
	}
	r->link = NULL;
	*tail = r;
	tail = &r->link;
}

static unsigned poll_one(struct blkdev *dev)
{
	struct blkreq *r = head;

	(void)dev;
	if (!r)
		return 0;
	head = r->link;
	if (!head)
		tail = &head;
	r->done(r);
	return 1;
}

static void wait_one(struct blkdev *dev)
{
	if (!poll_one(dev)) {
		fprintf(stderr, "the store waits for nothing\n");
		abort();
	}
}

static struct blkdev device = { .blocks = BLOCKS, .submit = submit, .poll = poll_one, .wait = wait_one };

static struct store *store_make(void)
{
	static void *arena;
	size_t bytes = (store_arena_bytes(BLOCKS, 64) + 4095) & ~(size_t)4095;
	struct store *st;

	if (!arena)
		arena = aligned_alloc(4096, bytes);
	head = NULL;
	tail = &head;
	operations = 0;
	if (store_init(arena, bytes, &device, &st) != STORE_OK)
		abort();
	return st;
}

/* ---- The store that is damaged ---- */

static void must(int status)
{
	if (status != STORE_OK) {
		fprintf(stderr, "making the store: %s\n", store_strerror(status));
		abort();
	}
}

static _Alignas(4096) uint8_t page[4096];

static void put(struct store *st, uint32_t client, uint64_t vpn, uint64_t content)
{
	struct store_op op = { .client = client, .vpn = vpn, .buf = page };

	for (unsigned i = 0; i < 512; i++)
		memcpy(page + 8 * i, &content, 8);
	must(store_sync(st, &op, store_put(st, &op)));
}

static void commit(struct store *st, uint64_t number)
{
	uint8_t user[STORE_USER_BYTES] = { 0 };
	struct store_op op = { 0 };

	memcpy(user, &number, 8);
	must(store_begin(st, user));
	must(store_sync(st, &op, store_commit(st, &op)));
}

static void make_store(void)
{
	static const uint8_t uuid[STORE_UUID_BYTES] = "fuzzed by chance";
	struct store *st = store_make();
	struct store_mount mount;
	struct store_op op = { 0 };

	must(store_format(st, uuid, false, &mount));
	for (unsigned g = 1; g <= 5; g++) {
		must(store_sync(st, &op, store_boot(st, &op)));
		for (unsigned i = 0; i < 12; i++)
			put(st, 16, (uint64_t)(i * g % 17), 100 * g + i);
		put(st, 0, (uint64_t)g << 20, g);
		put(st, 17, STORE_VPN_END - g, g);
		put(st, 17, 70000ull * g, 0x7000 + g);
		put(st, 300, 0, g);
		if (g == 3)
			must(store_name(st, 2, "second"));
		if (g == 4)
			must(store_keep(st, 2));
		commit(st, g);
	}
}

static bool fixed(uint32_t block)
{
	return block % 16 == 8 || block % 16 == 12;
}

/* Every block in use, and every place in one that holds another's number and checksum. */
static void find_references(void)
{
	uint64_t sums[BLOCKS];

	for (uint32_t b = 0; b < BLOCKS; b++) {
		static const uint8_t zeros[BLK_SIZE];

		sums[b] = store_sum(base + b * BLK_SIZE);
		if (memcmp(base + b * BLK_SIZE, zeros, BLK_SIZE) && (b >= FMT_DATA_START || fixed(b)) && live_count < LIVE_MAX)
			live[live_count++] = b;
	}
	for (uint32_t i = 0; i < live_count; i++) {
		for (uint32_t at = 0; at < BLK_SIZE; at += 8) {
			uint64_t ref[2];

			memcpy(ref, base + live[i] * BLK_SIZE + at, at + 16 <= BLK_SIZE ? 16 : 8);
			if (at + 16 > BLK_SIZE || ref[0] < FMT_DATA_START || ref[0] >= BLOCKS || ref[1] != sums[ref[0]] ||
			    ref_count == REFS_MAX)
				continue;
			refs[ref_count].from = live[i];
			refs[ref_count].at = at;
			refs[ref_count++].to = (uint32_t)ref[0];
		}
	}
}

/* Children before parents. */
static void order_from(uint32_t block, uint8_t *seen)
{
	if (seen[block])
		return;
	seen[block] = 1;
	for (uint32_t r = 0; r < ref_count; r++)
		if (refs[r].from == block)
			order_from(refs[r].to, seen);
	order[order_count++] = block;
}

static uint64_t sum_without_field(uint8_t *block)
{
	uint64_t kept, sum;

	memcpy(&kept, block + 16, 8);
	memset(block + 16, 0, 8);
	sum = store_sum(block);
	memcpy(block + 16, &kept, 8);
	return sum;
}

static void put_right(void)
{
	for (uint32_t i = 0; i < order_count; i++) {
		uint8_t *block = disk + order[i] * BLK_SIZE;
		uint64_t sum, to;

		if (!changed[order[i]])
			continue;
		if (fixed(order[i])) {
			sum = sum_without_field(block);
			memcpy(block + 16, &sum, 8);
			continue;
		}
		sum = store_sum(block);
		for (uint32_t r = 0; r < ref_count; r++) {
			uint8_t *ref = disk + refs[r].from * BLK_SIZE + refs[r].at;

			memcpy(&to, ref, 8);
			if (refs[r].to != order[i] || to != order[i])
				continue;
			memcpy(ref + 8, &sum, 8);
			changed[refs[r].from] = 1;
		}
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	uint8_t seen[BLOCKS] = { 0 };

	(void)argc, (void)argv;
	disk = calloc(BLOCKS, BLK_SIZE);
	base = calloc(BLOCKS, BLK_SIZE);
	make_store();
	memcpy(base, disk, (size_t)BLOCKS * BLK_SIZE);
	memset(changed, 0, sizeof(changed));
	find_references();
	for (uint32_t i = 0; i < live_count; i++)
		order_from(live[i], seen);
	return 0;
}

/* ---- What is done with it ---- */

static void verify(struct store *st, uint64_t generation)
{
	static _Alignas(4096) uint8_t scratch[STORE_CHECK_DEPTH * 4096], bitmap[BLOCKS / 8 + 4096];
	struct store_check c = { .bitmap = bitmap, .scratch = scratch };

	store_check(st, generation, &c);
}

static void read_all(struct store *st)
{
	static const uint32_t clients[] = { 0, 16, 17, 300, 63, 65535 };
	struct store_op op = { .buf = page };

	for (unsigned i = 0; i < sizeof(clients) / sizeof(clients[0]); i++) {
		op.client = clients[i];
		op.vpn = 0;
		op.end = STORE_VPN_END;
		for (unsigned n = 0; n < 60; n++, op.vpn++) {
			if (store_sync(st, &op, store_next(st, &op)) != STORE_OK)
				break;
			store_sync(st, &op, store_read(st, &op));
			if (op.vpn + 1 == STORE_VPN_END)
				break;
		}
	}
}

/* As the scrubber does. A tree whose nodes lead to themselves takes long; that is no fault of the survey. */
static void survey(struct store *st)
{
	static struct store_survey s;

	store_survey_begin(&s);
	for (unsigned n = 0; n < 3000 && store_survey_next(st, &s); n++) {
		if (s.block >= device.blocks || !s.what) {
			fprintf(stderr, "block %llu is named\n", (unsigned long long)s.block);
			abort();
		}
		memcpy(page, disk + s.block * BLK_SIZE, BLK_SIZE);
		if (!store_survey_check(&s, page))
			store_survey_stands(st, &s);
	}
}

static int change_and_commit(struct store *st)
{
	uint8_t user[STORE_USER_BYTES] = { 0 };
	struct store_op op = { .buf = page };
	int status;

	if (store_sync(st, &op, store_boot(st, &op)) != STORE_OK)
		abort();
	store_reserve(st, 20);
	memset(page, 0x5a, sizeof(page));
	for (unsigned i = 0; i < 6; i++) {
		op.client = i & 1 ? 16 : 17;
		op.vpn = i * 11;
		store_sync(st, &op, store_put(st, &op));
	}
	op.client = 17;
	op.vpn = 1000;
	op.end = STORE_VPN_END;
	store_sync(st, &op, store_remove_range(st, &op));
	op.client = 300;
	store_sync(st, &op, store_drop_client(st, &op));
	store_name(st, store_generation(st), "before");
	store_drop(st, store_generation(st) - 2);
	store_keep(st, 2);
	if (store_begin(st, user) != STORE_OK)
		return STORE_EINVAL;
	status = store_sync(st, &op, store_commit(st, &op));
	if (status == STORE_OK)
		verify(st, 0);
	return status;
}

static void use(void)
{
	struct store *st = store_make();
	struct store_mount mount, again;
	struct store_generation kept[STORE_KEPT_MAX];
	struct store_op op = { 0 };
	uint32_t count;

	writes = 0;
	if (store_mount(st, 0, &mount) != STORE_OK) {
		if (writes) {
			fprintf(stderr, "written to, and not mounted\n");
			abort();
		}
		return;
	}
	count = store_generations(st, kept, STORE_KEPT_MAX);
	if (count > STORE_KEPT_MAX)
		abort();
	for (uint32_t i = 0; i < count; i++)
		verify(st, kept[i].generation);
	read_all(st);
	survey(st);
	for (unsigned n = 0; count > 1 && n < 60; n++, op.vpn++)
		if (store_sync(st, &op, store_diff(st, &op, kept[1].generation, kept[0].generation)) != STORE_OK)
			break;
	for (uint32_t i = 0; i < count && i < 3; i++)
		if (store_mount(st, kept[i].generation, &again) == STORE_OK)
			read_all(st);
	if (store_mount(st, 0, &mount) != STORE_OK)
		abort();
	if (change_and_commit(st) != STORE_OK)
		return;
	count = (uint32_t)(store_generation(st) > mount.generation);
	if (store_mount(st, 0, &again) != STORE_OK || !count || again.generation <= mount.generation) {
		fprintf(stderr, "what was committed is not there\n");
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t flags = size ? data[0] : 0;
	size_t at = 1;

	for (uint32_t b = 0; b < BLOCKS; b++)
		if (changed[b])
			memcpy(disk + b * BLK_SIZE, base + b * BLK_SIZE, BLK_SIZE);
	memset(changed, 0, sizeof(changed));
	while (at + 5 <= size) {
		uint32_t block = live[(data[at] * 2u + (data[at + 1] >> 7)) % live_count], length = (data[at + 3] & 15) + 1u;
		uint32_t offset = (data[at + 1] & 15u) << 8 | data[at + 2];

		at += 4;
		if (length > size - at)
			length = (uint32_t)(size - at);
		if (length > BLK_SIZE - offset)
			length = BLK_SIZE - offset;
		memcpy(disk + block * BLK_SIZE + offset, data + at, length);
		changed[block] = 1;
		at += length;
	}
	if (!(flags & FLAG_AS_IT_IS))
		put_right();
	device.blocks = flags & FLAG_SMALLER ? BLOCKS - 1 - flags : BLOCKS;
	use();
	return 0;
}
