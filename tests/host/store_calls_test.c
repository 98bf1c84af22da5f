/* SPDX-License-Identifier: BSD-2-Clause
 * Calls of the checkpoint store that are wrong, come at the wrong time, or meet a device that fails at an unusual place: every one
 * gets the status that store.h promises, and nothing else happens. Guards ckptserver/store.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "format.h"
#include "store_help.h"
#include "store_priv.h"

#define SMALL   2048u

static void open_sized(struct bench *b, struct sim_image *im, uint64_t blocks, uint32_t nodes)
{
	sim_image_make(im, blocks);
	bench_open(b, im, 1, nodes);
	assert_int_equal(store_format(b->st, test_uuid, false, &b->mount), STORE_OK);
	assert_int_equal(do_boot(b), STORE_OK);
}

static void open_formatted(struct bench *b, struct sim_image *im, uint32_t nodes)
{
	open_sized(b, im, SMALL, nodes);
}

static void close_all(struct bench *b, struct sim_image *im)
{
	assert_null(b->sim.violation);
	bench_close(b);
	sim_image_free(im);
}

typedef int call(struct store *, struct store_op *);

static int diff_none(struct store *st, struct store_op *op)
{
	return store_diff(st, op, 0, 0);
}

static void test_not_mounted(void **state)
{
	static call *const calls[] = { store_lookup, store_read, store_next, store_put, store_remove, store_remove_range,
				       store_drop_client, store_commit, store_boot, diff_none };
	static _Alignas(4096) uint8_t page[4096];
	uint8_t user[STORE_USER_BYTES] = { 0 };
	struct store_stats stats;
	struct sim_image im;
	struct bench b;

	(void)state;
	sim_image_make(&im, SMALL);
	bench_open(&b, &im, 1, 64);
	for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		struct store_op op = { .buf = page, .client = 16, .end = 10 };

		assert_int_equal(calls[i](b.st, &op), STORE_EINVAL);
	}
	assert_int_equal(store_begin(b.st, user), STORE_EINVAL);
	assert_int_equal(store_keep(b.st, 3), STORE_EINVAL);
	assert_int_equal(store_name(b.st, 1, "x"), STORE_NO_GENERATION);
	assert_int_equal(store_drop(b.st, 1), STORE_NO_GENERATION);
	assert_int_equal(store_reserve(b.st, 1), STORE_FULL);
	assert_int_equal(store_generations(b.st, NULL, 0), 0);
	store_stats(b.st, &stats);
	assert_int_equal(stats.blocks + stats.free, 0);
	assert_false(store_work(b.st));
	assert_int_equal(b.sim.writes, 0);
	close_all(&b, &im);
}

static void test_bad_arguments(void **state)
{
	static call *const calls[] = { store_lookup, store_read, store_next, store_put, store_remove, store_remove_range };
	static _Alignas(4096) uint8_t page[4096];
	struct sim_image im;
	struct bench b;

	(void)state;
	open_formatted(&b, &im, 64);
	for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		struct store_op client = { .buf = page, .client = STORE_CLIENTS, .end = 1 };
		struct store_op vpn = { .buf = page, .vpn = STORE_VPN_END, .end = STORE_VPN_END + 1 };
		struct store_op end = { .buf = page, .end = STORE_VPN_END + 1 };

		assert_int_equal(calls[i](b.st, &client), STORE_EINVAL);
		assert_int_equal(calls[i](b.st, &vpn), STORE_EINVAL);
		if (calls[i] == store_next || calls[i] == store_remove_range)
			assert_int_equal(calls[i](b.st, &end), STORE_EINVAL);
	}
	struct store_op op = { .client = STORE_CLIENTS };
	assert_int_equal(store_drop_client(b.st, &op), STORE_EINVAL);
	op = (struct store_op){ .client = 1, .vpn = 9, .end = 8 };
	assert_int_equal(store_next(b.st, &op), STORE_EINVAL);
	op = (struct store_op){ .client = 1, .vpn = 9, .end = 9 };
	assert_int_equal(store_next(b.st, &op), STORE_END);
	assert_int_equal(store_keep(b.st, 0), STORE_EINVAL);
	assert_int_equal(store_keep(b.st, STORE_KEEP_MAX + 1), STORE_EINVAL);
	op = (struct store_op){ 0 };
	assert_int_equal(store_diff(b.st, &op, 5, 0), STORE_NO_GENERATION);
	assert_int_equal(store_diff(b.st, &op, 0, 5), STORE_NO_GENERATION);
	assert_int_equal(store_reserve(b.st, UINT64_MAX), STORE_FULL);
	close_all(&b, &im);
}

static void test_names(void **state)
{
	static const char *const bad[] = { "12", "a b", "a/b", "\x7f", "{", "[", "@", "01234567890123456789012345678901" };
	struct sim_image im;
	struct bench b;

	(void)state;
	open_formatted(&b, &im, 64);
	assert_int_equal(do_put(&b, 16, 1, 7), STORE_OK);
	assert_int_equal(do_commit(&b, 1), STORE_OK);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(store_name(b.st, 1, bad[i]), STORE_EINVAL);
	assert_int_equal(store_name(b.st, 1, "A-Z._az09"), STORE_OK);
	assert_int_equal(store_name(b.st, 1, ""), STORE_OK);
	assert_int_equal(store_name(b.st, 1, NULL), STORE_OK);
	assert_int_equal(store_mount_named(b.st, "nobody", &b.mount), STORE_NO_GENERATION);
	assert_int_equal(store_mount_named(b.st, "no name", &b.mount), STORE_NO_GENERATION);
	close_all(&b, &im);
}

static void test_arenas(void **state)
{
	size_t bytes = store_arena_bytes(SMALL, 64);
	uint8_t *arena = aligned_alloc(4096, (bytes + 8191) & ~(size_t)4095);
	struct blkdev dev = { .blocks = SMALL };
	struct store *st;

	(void)state;
	assert_int_equal(store_init(arena + 64, bytes, &dev, &st), STORE_NOMEM);
	assert_int_equal(store_init(arena, bytes - 1, &dev, &st), STORE_NOMEM);
	assert_int_equal(store_init(arena, bytes, &dev, &st), STORE_OK);
	free(arena);
}

static void test_commit_at_the_wrong_time(void **state)
{
	uint8_t user[STORE_USER_BYTES] = { 0 };
	struct store_op op = { 0 }, other = { 0 }, boot = { 0 };
	struct sim_image im;
	struct bench b;

	(void)state;
	open_formatted(&b, &im, 64);
	assert_int_equal(store_commit(b.st, &op), STORE_EINVAL);
	assert_int_equal(do_put(&b, 16, 1, 7), STORE_OK);
	assert_int_equal(store_begin(b.st, user), STORE_OK);
	assert_int_equal(store_commit(b.st, &op), STORE_PENDING);
	assert_int_equal(store_begin(b.st, user), STORE_EINVAL);
	assert_int_equal(store_commit(b.st, &other), STORE_EINVAL);
	while (store_work(b.st))
		;
	assert_int_equal(store_begin(b.st, user), STORE_EINVAL);
	assert_int_equal(store_commit(b.st, &other), STORE_EINVAL);
	assert_int_equal(store_sync(b.st, &op, STORE_PENDING), STORE_OK);
	/* The same of boots. */
	assert_int_equal(store_boot(b.st, &op), STORE_PENDING);
	assert_int_equal(store_boot(b.st, &boot), STORE_EINVAL);
	assert_int_equal(store_sync(b.st, &op, STORE_PENDING), STORE_OK);
	close_all(&b, &im);
}

/* Submits a put and lets its write fail. */
static void fail_put(struct bench *b, struct store_op *op)
{
	int status = store_put(b->st, op);

	b->sim.fail_at = b->sim.ops + 1;
	while (status == STORE_PENDING && op->status == STORE_PENDING)
		if (!store_work(b->st))
			b->sim.dev.wait(&b->sim.dev);
	assert_int_equal(op->status, STORE_EIO);
	assert_true(op->unwritten);
}

/* A put that failed before the commit began, and one that fails while the commit waits for it. */
static void test_unwritten(void **state)
{
	static _Alignas(4096) uint8_t page[4096];
	uint8_t user[STORE_USER_BYTES] = { 0 };
	struct store_op op = { .client = 16, .vpn = 3, .buf = page }, commit = { 0 };
	struct sim_image im;
	unsigned unwritten = 0;
	struct bench b;

	(void)state;
	open_formatted(&b, &im, 64);
	model_fill(page, 5);
	fail_put(&b, &op);
	assert_int_equal(store_begin(b.st, user), STORE_OK);
	assert_int_equal(store_sync(b.st, &commit, store_commit(b.st, &commit)), STORE_UNWRITTEN);
	assert_int_equal(store_generation(b.st), 0);
	assert_int_equal(store_sync(b.st, &op, store_put(b.st, &op)), STORE_OK);
	assert_int_equal(store_sync(b.st, &commit, store_commit(b.st, &commit)), STORE_OK);
	assert_int_equal(store_generation(b.st), 1);
	assert_int_equal(expect_page(&b, 16, 3, 5), 0);

	/* Its write, or another, fails while the commit waits for all of them. */
	for (unsigned n = 1; n < 40; n++) {
		int status;

		model_fill(page, 6);
		assert_int_equal(store_begin(b.st, user), STORE_OK);
		assert_int_equal(store_put(b.st, &op), STORE_PENDING);
		assert_int_equal(store_commit(b.st, &commit), STORE_PENDING);
		b.sim.fail_at = b.sim.ops + 1 + n % 4;
		status = store_sync(b.st, &commit, STORE_PENDING);
		unwritten += status == STORE_UNWRITTEN;
		assert_true(status == STORE_UNWRITTEN || status == STORE_EIO);
		if (op.unwritten)
			assert_int_equal(store_sync(b.st, &op, store_put(b.st, &op)), STORE_OK);
		assert_int_equal(store_sync(b.st, &commit, store_commit(b.st, &commit)), STORE_OK);
	}
	assert_true(unwritten > 0);
	assert_int_equal(expect_page(&b, 16, 3, 6), 0);
	assert_int_equal(full_check(&b, NULL, true), 0);
	close_all(&b, &im);
}

/* The write of a page fails while a full commit waits for it, when the map page of the window has been written: the page
 * finds room again, and no generation has to go for that. The same when the commit failed before the page did. */
static void test_unwritten_in_a_full_commit(void **state)
{
	static _Alignas(4096) uint8_t page[4096];
	uint8_t user[STORE_USER_BYTES] = { 0 };
	unsigned unwritten = 0, both = 0;

	(void)state;
	for (unsigned n = 1; n < 200; n++) {
		struct store_op op = { .client = 16, .vpn = 3, .buf = page }, commit = { 0 };
		struct sim_image im;
		unsigned errors = 0;
		struct bench b;
		int status;

		open_formatted(&b, &im, 64);
		store_full_commits(b.st, true);
		for (unsigned g = 1; g < 6; g++) {
			assert_int_equal(do_put(&b, 16, 4, g), STORE_OK);
			assert_int_equal(do_commit(&b, g), STORE_OK);
		}
		sim_end(&b.sim);
		sim_make(&b.sim, &im, n);
		model_fill(page, 6);
		assert_int_equal(store_begin(b.st, user), STORE_OK);
		assert_int_equal(store_put(b.st, &op), STORE_PENDING);
		assert_int_equal(store_commit(b.st, &commit), STORE_PENDING);
		b.sim.fail_per_1000 = 700;
		status = store_sync(b.st, &commit, STORE_PENDING);
		b.sim.fail_per_1000 = 0;
		while (status != STORE_OK && ++errors < 10) {
			bool again = op.unwritten && op.status != STORE_PENDING;

			unwritten += status == STORE_UNWRITTEN;
			both += again && errors == 1 && status == STORE_EIO;
			if (again)
				status = store_put(b.st, &op);
			if (again && n % 2)             /* before the commit is repeated, or with it */
				assert_int_equal(store_sync(b.st, &op, status), STORE_OK);
			status = store_sync(b.st, &commit, store_commit(b.st, &commit));
		}
		assert_int_equal(status, STORE_OK);
		assert_int_equal(store_sync(b.st, &op, op.status), STORE_OK);
		assert_int_equal(store_generations(b.st, NULL, 0), 6);
		assert_int_equal(expect_page(&b, 16, 3, 6), 0);
		assert_int_equal(full_check(&b, NULL, true), 0);
		close_all(&b, &im);
	}
	assert_true(unwritten > 0 && both > 0);
}

/* Superblocks that are valid each, but not of one store. */
static void test_superblock_of_another_store(void **state)
{
	static _Alignas(64) struct fmt_super s;
	struct sim_image im;
	struct bench b;

	(void)state;
	open_formatted(&b, &im, 64);
	for (unsigned g = 1; g <= 2; g++) {
		assert_int_equal(do_put(&b, 16, 1, g), STORE_OK);
		assert_int_equal(do_commit(&b, g), STORE_OK);
	}
	sim_image_get(&im, FMT_SUPER_BLOCK(1), &s);
	s.uuid[3] ^= 1;
	super_seal(&s);
	sim_image_put(&im, FMT_SUPER_BLOCK(1), &s);
	assert_int_equal(bench_mount(&b, 0), STORE_OK);
	assert_int_equal(b.mount.generation, 2);
	assert_int_equal(b.mount.slots[1].status, STORE_FOREIGN);
	assert_int_equal(expect_page(&b, 16, 1, 2), 0);
	s.uuid[3] ^= 1;
	s.blocks = SMALL - 8;
	assert_true(s.blocks < STORE_MIN_BLOCKS);
	super_seal(&s);
	sim_image_put(&im, FMT_SUPER_BLOCK(1), &s);
	assert_int_equal(bench_mount(&b, 0), STORE_OK);
	assert_int_equal(b.mount.slots[1].status, STORE_DAMAGED);
	close_all(&b, &im);
}

/* Each field of a superblock that could contradict another, with the right checksum. */
static void test_superblock_contradicts_itself(void **state)
{
	for (unsigned field = 0; field < 5; field++) {
		static _Alignas(64) struct fmt_super s;
		struct sim_image im;
		struct bench b;

		open_formatted(&b, &im, 64);
		assert_int_equal(do_put(&b, 16, 1, 1), STORE_OK);
		assert_int_equal(do_commit(&b, 1), STORE_OK);
		sim_image_get(&im, FMT_SUPER_BLOCK(1), &s);
		s.version = field == 0 ? 0 : s.version;
		s.block_size = field == 1 ? 512 : s.block_size;
		s.slot = field == 2 ? 0 : s.slot;
		s.generation += field == 3;
		s.blocks = field == 4 ? STORE_MIN_BLOCKS - 1 : s.blocks;
		super_seal(&s);
		sim_image_put(&im, FMT_SUPER_BLOCK(1), &s);
		assert_int_equal(bench_mount(&b, 0), STORE_OK);
		assert_int_equal(b.mount.slots[1].status, STORE_DAMAGED);
		assert_int_equal(b.mount.generation, 0);
		close_all(&b, &im);
	}
	(void)state;
}

/* The n-th operation of formatting by force fails, for every n. */
static void test_format_fails(void **state)
{
	unsigned failed = 0;

	(void)state;
	for (unsigned n = 1; n < 90; n++) {
		struct sim_image im;
		struct bench b;
		int status;

		open_formatted(&b, &im, 64);
		assert_int_equal(do_commit(&b, 1), STORE_OK);
		b.sim.fail_reads = true;
		b.sim.fail_at = b.sim.ops + n;
		status = store_format(b.st, test_uuid, true, &b.mount);
		failed += status != STORE_OK;
		b.sim.fail_at = 0;
		assert_true(status == STORE_OK || status == STORE_EIO);
		if (status != STORE_OK)
			assert_int_equal(store_format(b.st, test_uuid, true, &b.mount), STORE_OK);
		assert_int_equal(b.mount.generation, 0);
		close_all(&b, &im);
	}
	assert_true(failed >= 33);      /* every write and flush */
}

/* The check reports what cannot be read, and what is not there to be checked. */
static void test_check_reports(void **state)
{
	static _Alignas(4096) uint8_t scratch[STORE_CHECK_DEPTH * 4096], bitmap[SMALL / 8 + 4096];
	struct store_check c = { .bitmap = bitmap, .scratch = scratch };
	struct sim_image im;
	struct bench b;
	uint64_t n;

	(void)state;
	open_formatted(&b, &im, 64);
	for (unsigned g = 1; g <= 3; g++) {
		assert_int_equal(do_put(&b, 16, g, g), STORE_OK);
		assert_int_equal(do_commit(&b, g), STORE_OK);
	}
	assert_int_equal(store_check(b.st, 77, &c), STORE_NO_GENERATION);
	assert_int_equal(store_check(b.st, 0, &c), STORE_OK);
	b.sim.fail_reads = true;
	for (n = 1; ; n++) {
		b.sim.failed = 0;
		b.sim.fail_at = b.sim.ops + n;
		if (store_check(b.st, 0, &c) == STORE_OK)
			break;
		assert_true(c.errors > 0);
	}
	assert_true(n > 6 && !b.sim.failed);
	b.sim.fail_at = 0;

	/* Records that contradict themselves, as hostile content might. */
	struct kept *older = kept_find(b.st, 1);
	struct fmt_generation own = b.st->last, other = older->g;
	struct store_op op = { 0 };

	b.st->last.clients.height = FMT_MAX_HEIGHT + 2;
	assert_int_equal(store_check(b.st, 0, &c), STORE_DAMAGED);
	b.st->last = own;
	b.st->last.map.height = FMT_MAX_HEIGHT + 2;
	assert_int_equal(store_check(b.st, 0, &c), STORE_DAMAGED);
	b.st->last = own;
	b.st->regions = 0;
	assert_int_equal(store_check(b.st, 0, &c), STORE_DAMAGED);
	b.st->regions = 1;
	assert_int_equal(store_check(b.st, 0, &c), STORE_OK);
	older->g.clients.height = FMT_MAX_HEIGHT + 2;
	assert_int_equal(store_sync(b.st, &op, store_diff(b.st, &op, 1, 3)), STORE_DAMAGED);
	older->g = other;
	older->g.clients.root.block = 5;
	assert_int_equal(store_sync(b.st, &op, store_diff(b.st, &op, 1, 3)), STORE_DAMAGED);
	older->g.clients.root.block = SMALL;
	assert_int_equal(store_sync(b.st, &op, store_diff(b.st, &op, 3, 1)), STORE_DAMAGED);
	older->g = other;
	/* A commit while no region seems to have room. */
	assert_int_equal(do_put(&b, 16, 9, 9), STORE_OK);
	b.st->region[0] |= REGION_FULL;
	assert_int_equal(do_commit(&b, 4), STORE_OK);
	assert_int_equal(store_check(b.st, 0, &c), STORE_OK);
	close_all(&b, &im);
}

/* Many reads with the smallest cache, while dirty nodes fill it: those that find no node wait, and all end. */
static void test_starved_reads(void **state)
{
	enum { READS = 40 };
	static _Alignas(4096) uint8_t pages[READS][4096], page[4096];
	struct store_op put[120], read[READS];
	struct sim_image im;
	unsigned pending = 1;
	struct bench b;

	(void)state;
	open_formatted(&b, &im, 64);
	for (unsigned i = 0; i < READS; i++)
		assert_int_equal(do_put(&b, 17, (uint64_t)i << 24, 1 + i), STORE_OK);
	assert_int_equal(do_commit(&b, 1), STORE_OK);
	assert_int_equal(bench_mount(&b, 0), STORE_OK);
	memset(put, 0, sizeof(put));
	memset(read, 0, sizeof(read));
	model_fill(page, 99);
	for (unsigned i = 0; i < 120; i++) {
		put[i] = (struct store_op){ .client = 18, .vpn = (uint64_t)i << 24, .buf = page };
		if (store_put(b.st, &put[i]) == STORE_PENDING)
			store_work(b.st);
	}
	for (unsigned i = 0; i < READS; i++) {
		read[i] = (struct store_op){ .client = 17, .vpn = (uint64_t)i << 24, .buf = pages[i] };
		store_read(b.st, &read[i]);
	}
	for (unsigned spins = 0; pending && spins < 1000000; spins++) {
		pending = 0;
		for (unsigned i = 0; i < 120; i++)
			pending += put[i].status == STORE_PENDING;
		for (unsigned i = 0; i < READS; i++)
			pending += read[i].status == STORE_PENDING;
		if (!store_work(b.st) && b.sim.pending_count)
			b.sim.dev.wait(&b.sim.dev);
	}
	assert_int_equal(pending, 0);
	for (unsigned i = 0; i < READS; i++) {
		model_fill(page, 1 + i);
		assert_int_equal(read[i].status, STORE_OK);
		assert_memory_equal(pages[i], page, 4096);
	}
	assert_int_equal(do_commit(&b, 2), STORE_OK);
	assert_int_equal(full_check(&b, NULL, true), 0);
	close_all(&b, &im);
}

/* Foreign content far behind, or content of ours without superblocks. */
static void test_probe(void **state)
{
	static const uint64_t magic[] = { FMT_SUPER_MAGIC, FMT_BOOT_MAGIC, 0x1234 };
	uint8_t page[4096] = { 0 };

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct sim_image im;
		struct bench b;

		sim_image_make(&im, SMALL);
		memcpy(page, &magic[i], 8);
		sim_image_put(&im, 28, page);
		bench_open(&b, &im, 1, 64);
		assert_int_equal(bench_mount(&b, 0), i < 2 ? STORE_DEAD : STORE_FOREIGN);
		b.sim.fail_reads = true;
		for (unsigned n = 1; n < 30; n++) {
			b.sim.fail_at = b.sim.ops + n;
			assert_int_not_equal(bench_mount(&b, 0), STORE_OK);
			assert_int_not_equal(b.status, STORE_EMPTY);
		}
		close_all(&b, &im);
	}
}

/* A slot in each state that is no generation, beside every other: what is said of the whole partition. */
static void test_nothing_valid(void **state)
{
	static const struct { int first, second, whole; } cases[] = {
		{ STORE_EMPTY, STORE_TOO_SMALL, STORE_TOO_SMALL }, { STORE_TOO_SMALL, STORE_DAMAGED, STORE_TOO_SMALL },
		{ STORE_EMPTY, STORE_DAMAGED, STORE_DEAD }, { STORE_DAMAGED, STORE_EMPTY, STORE_DEAD },
		{ STORE_FOREIGN, STORE_EMPTY, STORE_FOREIGN }, { STORE_EMPTY, STORE_EMPTY, STORE_DEAD },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sim_image im;
		struct bench b;

		open_formatted(&b, &im, 64);    /* its boot counter stays */
		for (unsigned slot = 0; slot < 2; slot++) {
			static _Alignas(64) struct fmt_super s;
			int want = slot ? cases[i].second : cases[i].first;

			memset(&s, 0, sizeof(s));
			if (want != STORE_EMPTY) {
				s = (struct fmt_super){ .magic = FMT_SUPER_MAGIC, .version = FMT_VERSION, .slot = slot,
							.blocks = 2 * SMALL, .block_size = FMT_BLOCK };
				super_seal(&s);
				s.sum ^= want == STORE_DAMAGED;
				s.magic ^= want == STORE_FOREIGN;
			}
			sim_image_put(&im, FMT_SUPER_BLOCK(slot), &s);
		}
		assert_int_equal(bench_mount(&b, 0), cases[i].whole);
		assert_int_equal(b.mount.slots[0].status, cases[i].first);
		assert_int_equal(b.mount.slots[1].status, cases[i].second);
		if (cases[i].whole == STORE_TOO_SMALL)  /* whoever insists may have the rest */
			assert_int_equal(store_format(b.st, test_uuid, true, &b.mount), STORE_OK);
		close_all(&b, &im);
	}
}

static void test_superblock_of_another_size(void **state)
{
	static _Alignas(64) struct fmt_super s;
	static _Alignas(64) struct fmt_boot boot;
	struct sim_image im;
	struct bench b;
	uint64_t boots;

	(void)state;
	open_sized(&b, &im, 2 * SMALL, 64);
	assert_int_equal(do_commit(&b, 1), STORE_OK);
	assert_int_equal(do_commit(&b, 2), STORE_OK);
	sim_image_get(&im, FMT_SUPER_BLOCK(1), &s);
	s.blocks = SMALL;
	super_seal(&s);
	sim_image_put(&im, FMT_SUPER_BLOCK(1), &s);
	assert_int_equal(bench_mount(&b, 0), STORE_OK);
	assert_int_equal(b.mount.slots[1].status, STORE_FOREIGN);
	/* A boot counter of another store does not count, but might hide one that did. */
	boots = b.st->boot_next;
	sim_image_get(&im, FMT_BOOT_BLOCK(0), &boot);
	if (boot.magic != FMT_BOOT_MAGIC)
		sim_image_get(&im, FMT_BOOT_BLOCK(1), &boot);
	boot.uuid[0] ^= 1;
	boot.sum = 0;
	boot.sum = store_sum(&boot);
	sim_image_put(&im, FMT_BOOT_BLOCK(boot.copy), &boot);
	assert_int_equal(bench_mount(&b, 0), STORE_OK);
	assert_true(b.st->boot_next > boots);
	close_all(&b, &im);
}

/* As many as can be kept: named ones, and as many others as there is room for on the list. */
static void test_full_list(void **state)
{
	static struct store_generation list[STORE_KEPT_MAX];
	uint32_t kept;
	char name[STORE_NAME_BYTES];
	struct sim_image im;
	struct bench b;

	(void)state;
	open_sized(&b, &im, 4 * SMALL, 128);
	assert_int_equal(store_keep(b.st, STORE_KEEP_MAX), STORE_OK);
	for (unsigned g = 1; g <= 90; g++) {
		assert_int_equal(do_put(&b, 16, g % 7, g), STORE_OK);
		assert_int_equal(do_commit(&b, g), STORE_OK);
		snprintf(name, sizeof(name), "generation-%u", g);
		if (g <= 12)
			assert_int_equal(store_name(b.st, g, name), STORE_OK);
	}
	kept = store_generations(b.st, list, STORE_KEPT_MAX);
	assert_in_range(kept, STORE_KEPT_MAX - 2, STORE_KEPT_MAX);      /* those being let go of need places, too */
	assert_int_equal(list[0].generation, 90);
	for (unsigned g = 1; g <= 12; g++)
		assert_int_equal(list[kept - g].generation, g);
	assert_int_equal(bench_mount(&b, 0), STORE_OK);
	assert_int_equal(store_generations(b.st, list, 3), kept);
	assert_int_equal(store_mount_named(b.st, "a name that is much longer than names are", &b.mount), STORE_NO_GENERATION);
	/* All that is newer than 7 would have to be pinned. */
	assert_int_equal(store_mount_named(b.st, "generation-7", &b.mount), STORE_TOO_MANY);
	assert_int_equal(bench_mount(&b, 0), STORE_OK);
	assert_int_equal(store_drop(b.st, 7), STORE_OK);
	struct store_op op = { 0 };
	assert_int_equal(store_diff(b.st, &op, 7, 90), STORE_NO_GENERATION);
	assert_int_equal(do_remove(&b, 16, 3), STORE_OK);
	assert_int_equal(do_commit(&b, 91), STORE_OK);
	assert_int_equal(full_check(&b, NULL, true), 0);
	close_all(&b, &im);
}

/* Blocks are taken from, and given back to, many regions, with hardly any map page in the cache, and any read or write may fail. */
static void test_regions_with_errors(void **state)
{
	uint8_t user[STORE_USER_BYTES] = { 0 };
	struct store_op commit = { 0 };
	struct sim_image im;
	uint64_t seed = 9;
	struct bench b;

	(void)state;
	open_sized(&b, &im, 70 * FMT_MAP_BITS + 37, 64);
	b.sim.fail_reads = true;
	b.sim.fail_per_1000 = 60;
	for (unsigned round = 1; round <= 80; round++) {
		uint64_t some = sim_below(&seed, b.st->regions - 4);
		int status;

		for (uint64_t r = 0; r < b.st->regions; r++)
			if (r < some)
				b.st->region[r] |= REGION_FULL;
		b.st->win.free = 0;
		for (unsigned i = 0; i < 12; i++) {
			uint64_t vpn = sim_below(&seed, 40) << 20;

			do
				status = sim_below(&seed, 5) ? do_put(&b, 16, vpn, round * 100 + i) : do_remove(&b, 16, vpn);
			while (status == STORE_EIO);
			assert_int_equal(status, STORE_OK);
		}
		assert_int_equal(store_begin(b.st, user), STORE_OK);
		for (unsigned tries = 0; tries < 60; tries++) {
			status = store_sync(b.st, &commit, store_commit(b.st, &commit));
			if (status == STORE_OK)
				break;
			assert_true(status == STORE_EIO || status == STORE_FULL);
			memset(b.st->region, 0, b.st->regions);
		}
		assert_int_equal(status, STORE_OK);
		memset(b.st->region, 0, b.st->regions);
	}
	b.sim.fail_per_1000 = 0;
	assert_int_equal(full_check(&b, NULL, true), 0);
	assert_int_equal(bench_mount(&b, 0), STORE_OK);
	assert_int_equal(full_check(&b, NULL, true), 0);
	close_all(&b, &im);
}

/* The window moves on to another region while the cache is full of nodes that wait to be written. */
static void test_window_moves_in_a_small_cache(void **state)
{
	static _Alignas(4096) uint8_t page[4096];
	struct sim_image im;
	struct bench b;

	(void)state;
	open_sized(&b, &im, 8 * FMT_MAP_BITS, 64);
	store_full_commits(b.st, true);
	for (unsigned g = 1; g < 9; g++) {
		for (unsigned r = 0; r < b.st->regions; r++)
			b.st->region[r] = r == g - 1 ? 0 : REGION_FULL;
		assert_int_equal(do_put(&b, 16, g << 8, g), STORE_OK);
		assert_int_equal(do_commit(&b, g), STORE_OK);
	}
	memset(b.st->region, 0, b.st->regions);
	for (unsigned i = 1; i < 600; i++) {
		struct store_op op = { .client = 16, .vpn = (uint64_t)i << 16, .buf = page };
		int status;

		model_fill(page, i);
		if (i % 100 == 0)
			b.st->win.free = 0;
		status = store_put(b.st, &op);
		for (unsigned spins = 0; status == STORE_PENDING && op.status == STORE_PENDING; spins++) {
			assert_true(spins < 10000);
			if (!store_work(b.st))
				b.sim.dev.wait(&b.sim.dev);
		}
		assert_int_equal(op.status, STORE_OK);
	}
	assert_int_equal(do_commit(&b, 9), STORE_OK);
	assert_int_equal(full_check(&b, NULL, true), 0);
	close_all(&b, &im);
}

/* Works until op is complete or nothing goes on. */
static void work(struct bench *b, struct store_op *op)
{
	while (op->status == STORE_PENDING && (store_work(b->st) || b->sim.pending_count))
		b->sim.dev.poll(&b->sim.dev);
}

/* All writes fail for a while, those of index nodes that leave a small cache early as well. Then they do not. */
static void test_early_writes_fail(void **state)
{
	static _Alignas(4096) uint8_t page[4096];
	static struct store_op op[300], commit;
	struct sim_image im;
	struct bench b;

	(void)state;
	open_sized(&b, &im, 4 * SMALL, 64);
	store_full_commits(b.st, true);
	model_fill(page, 7);
	for (unsigned i = 0; i < 300; i++) {
		b.sim.fail_per_1000 = i >= 20 && i < 250 ? 1000 : 0;
		op[i] = (struct store_op){ .client = 16, .vpn = (uint64_t)i << 8, .buf = page };
		store_put(b.st, &op[i]);
		work(&b, &op[i]);
	}
	for (unsigned i = 0; i < 300; i++) {
		work(&b, &op[i]);
		assert_true(op[i].status != STORE_PENDING);
		if (op[i].status != STORE_OK)
			assert_int_equal(store_sync(b.st, &op[i], store_put(b.st, &op[i])), STORE_OK);
	}
	for (int status = STORE_EIO, tries = 0; status != STORE_OK; tries++) {
		uint8_t user[STORE_USER_BYTES] = { 0 };

		assert_true(tries < 3);
		if (!tries)
			assert_int_equal(store_begin(b.st, user), STORE_OK);
		status = store_sync(b.st, &commit, store_commit(b.st, &commit));
	}
	for (unsigned i = 0; i < 300; i += 7)
		assert_int_equal(expect_page(&b, 16, (uint64_t)i << 8, 7), 0);
	assert_int_equal(full_check(&b, NULL, true), 0);
	close_all(&b, &im);
}

/* Differences found with nothing in the cache, up to the last page of the last client. */
static void test_diff_cold(void **state)
{
	static const struct { uint32_t client; uint64_t vpn; } changed[] = {
		{ 0, 5 }, { 16, 70000 }, { 16, 1ull << 30 }, { 300, 0 }, { STORE_CLIENTS - 1, STORE_VPN_END - 1 },
	};
	unsigned count = sizeof(changed) / sizeof(changed[0]);
	struct store_op op = { 0 };
	struct sim_image im;
	struct bench b;

	(void)state;
	open_sized(&b, &im, 4 * SMALL, 64);
	for (unsigned g = 1; g <= 2; g++) {
		for (unsigned i = 0; i < 300; i++)
			assert_int_equal(do_put(&b, 17 + i % 40, (uint64_t)i << 18, 1000 + i), STORE_OK);
		for (unsigned i = 0; i < count; i++)
			assert_int_equal(do_put(&b, changed[i].client, changed[i].vpn, 10 * g + i), STORE_OK);
		assert_int_equal(do_commit(&b, g), STORE_OK);
	}
	b.sim.fail_reads = true;
	b.sim.fail_per_1000 = 100;
	do
		bench_mount(&b, 0);
	while (b.status == STORE_EIO);
	assert_int_equal(b.status, STORE_OK);
	for (unsigned i = 0; i < count; i++, op.vpn++) {
		int status;

		do
			status = store_sync(b.st, &op, store_diff(b.st, &op, 1, 2));
		while (status == STORE_EIO);
		assert_int_equal(status, STORE_OK);
		assert_int_equal(op.client, changed[i].client);
		assert_int_equal(op.vpn, changed[i].vpn);
		if (i == count - 1)
			break;
	}
	op.vpn = STORE_VPN_END;
	assert_int_not_equal(store_sync(b.st, &op, store_diff(b.st, &op, 1, 2)), STORE_OK);
	close_all(&b, &im);
}

/* The map page of one region is damaged: what was there is lost to the allocator, and nothing else. */
static void test_damaged_far_map(void **state)
{
	enum { REGION = 5 };
	struct fmt_node *root;
	uint8_t page[4096], user[STORE_USER_BYTES] = { 0 };
	struct store_op commit = { 0 };
	struct sim_image im;
	struct bench b;
	int status;

	(void)state;
	open_sized(&b, &im, 70 * FMT_MAP_BITS + 37, 64);
	for (unsigned g = 1; g <= 40; g++) {
		for (uint64_t r = 0; r < b.st->regions; r++)
			b.st->region[r] = r == (g < 20 ? REGION : REGION + 2) ? 0 : REGION_FULL;
		b.st->win.free = 0;
		for (unsigned i = 0; i < 20; i++)
			assert_int_equal(do_put(&b, 16, (g < 20 ? 0 : 50000) + i * 300, 100 * g + i), STORE_OK);
		status = do_commit(&b, g);
		memset(b.st->region, 0, b.st->regions);
		if (status == STORE_FULL)
			status = store_sync(b.st, &commit, store_commit(b.st, &commit));
		assert_int_equal(status, STORE_OK);
	}
	assert_int_equal(b.st->last.map.height, 1);
	root = (struct fmt_node *)page;
	sim_image_get(&im, b.st->last.map.root.block, page);
	uint64_t block = root->entry[REGION].block;
	assert_true(block != 0);
	sim_image_get(&im, block, page);
	page[77] ^= 1;
	sim_image_put(&im, block, page);
	assert_int_equal(bench_mount(&b, 0), STORE_OK);
	for (unsigned g = 41; g <= 60; g++) {
		for (uint64_t r = 0; r < REGION && g < 50; r++)
			b.st->region[r] |= REGION_FULL;
		for (unsigned i = 0; i < 20; i++)
			assert_int_equal(do_put(&b, 16, i * 300, 100 * g + i), STORE_OK);
		assert_int_equal(store_begin(b.st, user), STORE_OK);
		for (unsigned tries = 0; tries < 20; tries++) {
			status = store_sync(b.st, &commit, store_commit(b.st, &commit));
			if (status == STORE_OK)
				break;
		}
		assert_int_equal(status, STORE_OK);
	}
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(expect_page(&b, 16, i * 300, 6000 + i), 0);
		assert_int_equal(expect_page(&b, 16, 50000 + i * 300, 4000 + i), 0);
	}
	assert_true(b.st->region[REGION] & REGION_BAD);
	close_all(&b, &im);
}

/* Every field of a delta block that could be wrong, with right checksums: that generation is not believed. */
enum { DELTA_EDITS = 17 };

static void edit_delta(struct fmt_delta *d, struct fmt_generation *g, unsigned edit)
{
	struct fmt_record *last = &d->record[d->count - 1];
	const uint64_t table = (uint64_t)FMT_RECORD_TABLE << FMT_RECORD_KIND_SHIFT;

	switch (edit) {
	case 0:  d->magic++; break;
	case 1:  d->version++; break;
	case 2:  d->count = FMT_DELTA_RECORDS + 1; break;
	case 3:  d->generation--; break;
	case 4:  d->full = d->generation; break;
	case 5:  d->full = 0; break;
	case 6:  last->key = 5ull << FMT_RECORD_KIND_SHIFT; break;
	case 7:  d->record[1].key = d->record[0].key; break;
	case 8:  d->record[0].block = 1; break;
	case 9:  d->record[0].block = 0; d->record[0].sum = 5; break;
	case 10: *last = (struct fmt_record){ table | 100, 1, 0 }; break;
	case 11: *last = (struct fmt_record){ table | 100, 0, 1 }; break;
	case 12: *last = (struct fmt_record){ table, 0, 0 }; break;
	case 13: *last = (struct fmt_record){ table | (SMALL + 1), 0, 0 }; break;
	case 14: g->delta_count++; break;
	case 15: g->delta = (struct fmt_ref){ 0, 0 }; break;
	default: d->next.block = SMALL; break;
	}
}

static void test_hostile_delta(void **state)
{
	(void)state;
	for (unsigned edit = 0; edit <= DELTA_EDITS; edit++) {
		static _Alignas(64) struct fmt_super s;
		static _Alignas(64) struct fmt_delta d;
		struct sim_image im;
		struct bench b;
		unsigned slot;

		open_formatted(&b, &im, 64);
		for (unsigned g = 1; g <= 5; g++) {
			for (unsigned v = 0; v < 4; v++)
				assert_int_equal(do_put(&b, 16, 3 * v, 10 * g + v), STORE_OK);
			assert_int_equal(do_commit(&b, g), STORE_OK);
		}
		slot = b.st->slot;
		sim_image_get(&im, FMT_SUPER_BLOCK(slot), &s);
		assert_int_equal(s.generation, 5);
		assert_true(s.gen.delta.block != 0);
		sim_image_get(&im, s.gen.delta.block, &d);
		if (edit < DELTA_EDITS)
			edit_delta(&d, &s.gen, edit);
		sim_image_put(&im, s.gen.delta.block ? s.gen.delta.block : SMALL - 1, &d);
		if (s.gen.delta.block)
			s.gen.delta.sum = store_sum(&d);
		super_seal(&s);
		sim_image_put(&im, FMT_SUPER_BLOCK(slot), &s);
		assert_int_equal(bench_mount(&b, 0), STORE_OK);
		assert_int_equal(b.mount.generation, edit < DELTA_EDITS ? 4 : 5);
		assert_int_equal(expect_page(&b, 16, 3, edit < DELTA_EDITS ? 41 : 51), 0);
		close_all(&b, &im);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_not_mounted),
		cmocka_unit_test(test_bad_arguments),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_arenas),
		cmocka_unit_test(test_commit_at_the_wrong_time),
		cmocka_unit_test(test_unwritten),
		cmocka_unit_test(test_unwritten_in_a_full_commit),
		cmocka_unit_test(test_superblock_of_another_store),
		cmocka_unit_test(test_superblock_contradicts_itself),
		cmocka_unit_test(test_format_fails),
		cmocka_unit_test(test_check_reports),
		cmocka_unit_test(test_starved_reads),
		cmocka_unit_test(test_probe),
		cmocka_unit_test(test_nothing_valid),
		cmocka_unit_test(test_superblock_of_another_size),
		cmocka_unit_test(test_full_list),
		cmocka_unit_test(test_regions_with_errors),
		cmocka_unit_test(test_window_moves_in_a_small_cache),
		cmocka_unit_test(test_early_writes_fail),
		cmocka_unit_test(test_diff_cold),
		cmocka_unit_test(test_damaged_far_map),
		cmocka_unit_test(test_hostile_delta),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
