/* SPDX-License-Identifier: BSD-2-Clause
 * Unit tests of the checkpoint store: what mounting makes of every kind of partition, the boot counter, damage in
 * every block, holes, sparse trees, space accounting, a full disk, errors while reading and committing, large
 * partitions, and hostile content whose checksums are right. The crash simulator is in store_crash_test.c.
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
#define GIB     (1u << 18)              /* blocks in 1 GiB */

static uint64_t base_seed = 1;
static bool full_only;                  /* make_store: all commits are full ones; else small ones write a delta */

/* A formatted partition with `commits` generations: page v of client 16 has content 100 g + v in generation g,
 * for v < 40. */
static void make_store(struct sim_image *im, uint64_t blocks, unsigned commits)
{
	struct bench b;

	sim_image_make(im, blocks);
	bench_open(&b, im, base_seed, 128);
	assert_int_equal(store_format(b.st, test_uuid, false, &b.mount), STORE_OK);
	assert_int_equal(do_boot(&b), STORE_OK);
	store_full_commits(b.st, full_only);
	for (unsigned g = 1; g <= commits; g++) {
		for (unsigned v = 0; v < 40; v++)
			assert_int_equal(do_put(&b, 16, v, 100 * g + v), STORE_OK);
		assert_int_equal(do_commit(&b, g), STORE_OK);
		assert_int_equal(store_generation(b.st), g);
	}
	assert_null(b.sim.violation);
	bench_close(&b);
}

static void expect_generation(struct bench *b, uint64_t g)
{
	assert_int_equal(b->mount.generation, g);
	for (unsigned v = 0; v < 40; v++)
		assert_int_equal(expect_page(b, 16, v, (uint32_t)(100 * g + v)), 0);
	assert_int_equal(full_check(b, NULL, true), 0);
}

static int mount_status(struct sim_image *im, struct store_mount *res)
{
	struct bench b;
	int status;

	bench_open(&b, im, base_seed, 64);
	status = bench_mount(&b, 0);
	assert_int_equal(b.sim.writes, 0);
	if (res)
		*res = b.mount;
	bench_close(&b);
	return status;
}

static void flip(struct sim_image *im, uint64_t block, unsigned byte)
{
	uint8_t page[4096];

	sim_image_get(im, block, page);
	page[byte] ^= 0x10;
	sim_image_put(im, block, page);
}

static void reseal_super(struct sim_image *im, unsigned slot, void (*edit)(struct fmt_super *))
{
	static _Alignas(64) struct fmt_super s;

	sim_image_get(im, FMT_SUPER_BLOCK(slot), &s);
	edit(&s);
	super_seal(&s);
	sim_image_put(im, FMT_SUPER_BLOCK(slot), &s);
}

/* ---- What kind of partition ---- */

static void test_empty(void **state)
{
	struct sim_image im;

	(void)state;
	sim_image_make(&im, SMALL);
	assert_int_equal(mount_status(&im, NULL), STORE_EMPTY);
	sim_image_free(&im);
}

static void test_too_small(void **state)
{
	struct sim_image im;
	struct store_mount res;
	struct bench b;

	(void)state;
	sim_image_make(&im, SMALL - 1);
	assert_int_equal(mount_status(&im, NULL), STORE_TOO_SMALL);
	bench_open(&b, &im, 1, 64);
	assert_int_equal(store_format(b.st, test_uuid, true, &res), STORE_TOO_SMALL);
	assert_int_equal(b.sim.writes, 0);
	bench_close(&b);
	sim_image_free(&im);
}

static void test_truncated(void **state)
{
	struct sim_image im, shorter;
	struct store_mount res;
	uint8_t page[4096];

	(void)state;
	make_store(&im, SMALL + 100, 3);
	sim_image_make(&shorter, SMALL);
	for (uint64_t i = 0; i < SMALL; i++) {
		sim_image_get(&im, i, page);
		sim_image_put(&shorter, i, page);
	}
	assert_int_equal(mount_status(&shorter, &res), STORE_TOO_SMALL);
	sim_image_free(&im);
	sim_image_free(&shorter);
}

static void test_foreign(void **state)
{
	static const uint64_t places[] = { 0, 8, 16, 24, 31, SMALL - 1, SMALL - 16 };
	struct store_mount res;

	(void)state;
	for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct sim_image im;
		struct bench b;
		uint8_t page[4096] = { 0 };

		sim_image_make(&im, SMALL);
		page[1080] = 0x53;
		sim_image_put(&im, places[i], page);
		assert_int_equal(mount_status(&im, NULL), STORE_FOREIGN);
		bench_open(&b, &im, 1, 64);
		assert_int_equal(store_format(b.st, test_uuid, false, &res), STORE_FOREIGN);
		assert_int_equal(b.sim.writes, 0);
		assert_int_equal(store_format(b.st, test_uuid, true, &res), STORE_OK);
		bench_close(&b);
		assert_int_equal(mount_status(&im, NULL), STORE_OK);
		sim_image_free(&im);
	}
}

static void set_future(struct fmt_super *s) { s->version = FMT_VERSION + 1; }
static void set_incompat(struct fmt_super *s) { s->features_incompat = 1ull << 40; }
static void set_compat(struct fmt_super *s) { s->features_compat = 1ull << 40; }

static void test_future(void **state)
{
	struct store_mount res;

	(void)state;
	for (unsigned slot = 0; slot < 2; slot++) {
		struct sim_image im;
		struct bench b;

		make_store(&im, SMALL, 3);
		reseal_super(&im, slot, set_future);
		assert_int_equal(mount_status(&im, &res), STORE_FUTURE);
		assert_int_equal(res.version, FMT_VERSION + 1);
		bench_open(&b, &im, 1, 64);
		assert_int_equal(store_format(b.st, test_uuid, false, &res), STORE_FUTURE);
		assert_int_equal(b.sim.writes, 0);
		bench_close(&b);
		sim_image_free(&im);
		make_store(&im, SMALL, 3);
		reseal_super(&im, slot, set_incompat);
		assert_int_equal(mount_status(&im, &res), STORE_FUTURE);
		sim_image_free(&im);
		make_store(&im, SMALL, 3);
		reseal_super(&im, slot, set_compat);
		assert_int_equal(mount_status(&im, &res), STORE_OK);
		assert_int_equal(res.generation, 3);
		sim_image_free(&im);
	}
}

static void test_format_refuses_a_store(void **state)
{
	struct sim_image im;
	struct store_mount res;
	struct bench b;

	(void)state;
	make_store(&im, SMALL, 2);
	bench_open(&b, &im, 1, 64);
	assert_int_not_equal(store_format(b.st, test_uuid, false, &res), STORE_OK);
	assert_int_equal(b.sim.writes, 0);
	assert_int_equal(store_format(b.st, test_uuid, true, &res), STORE_OK);
	assert_int_equal(res.generation, 0);
	assert_int_equal(res.boot, 0);
	bench_close(&b);
	sim_image_free(&im);
}

/* The bytes of the first superblock, by their checksum and by hand: they may never change. */
static void test_golden_superblock(void **state)
{
	struct sim_image im;
	uint8_t page[4096];

	(void)state;
	make_store(&im, SMALL, 0);
	sim_image_get(&im, 8, page);
	assert_memory_equal(page, "PRDSUPER\1\0\0\0\0\0\0\0", 16);
	assert_memory_equal(page + 24, test_uuid, 16);
	assert_memory_equal(page + 40, "\0\010\0\0\0\0\0\0\0\020\0\0\0\0\0\0", 16);
	for (unsigned i = 512; i < 4096; i++)
		assert_int_equal(page[i], 0);
	sim_image_free(&im);
}

/* The example at the end of docs/on-disk-format.md. */
static void test_worked_example(void **state)
{
	static _Alignas(4096) uint8_t page[4096];
	struct store_op op = { .client = 16, .vpn = 0x1234, .buf = page };
	struct sim_image im;
	struct bench b;

	(void)state;
	make_store(&im, SMALL, 0);
	bench_open(&b, &im, 1, 64);
	assert_int_equal(bench_mount(&b, 0), STORE_OK);
	strcpy((char *)page, "hello, next boot");
	assert_int_equal(store_sync(b.st, &op, store_put(b.st, &op)), STORE_OK);
	assert_int_equal(op.block, 36);
	assert_int_equal(do_commit(&b, 0), STORE_OK);
	sim_image_get(&im, 24, page);
	assert_memory_equal(page + 16, "\xa8\x36\x28\x31\x5b\x17\xb0\x06", 8);
	assert_memory_equal(page + 680, "\x90\x97\x02\x94\x83\x2f\x15\xa4\x54\xb2\x29\x4e\x78\x98\x7e\x57", 16);
	assert_memory_equal(page + 544, "\x21\0\0\0\0\0\0\0\x43\xc4\x31\xe3\x16\xba\x93\x1f", 16);
	assert_memory_equal(page + 576, "\x20\0\0\0\0\0\0\0\xbe\x33\xfd\x6f\x27\x6c\x6a\xb2", 16);
	sim_image_get(&im, 35, page);
	assert_memory_equal(page + 832, "\x24\0\0\0\0\0\0\0\x1a\x2a\xad\xae\x28\xcb\x9a\x45", 16);
	bench_close(&b);
	sim_image_free(&im);
}

static void test_sums_agree(void **state)
{
	static _Alignas(4096) uint8_t page[4096];

	(void)state;
	for (uint32_t i = 0; i < 200; i++) {
		model_fill(page, i);
		assert_int_equal(sum_plain(page), store_sum(page));
		if (sum_avx2_usable())
			assert_int_equal(sum_plain(page), sum_avx2(page));
	}
}

/* ---- Fallback ---- */

static void test_fallback(void **state)
{
	(void)state;
	/* 0 superblock, 1 directory root, 2 map root; 3, 4 the same with deltas, which share the roots of generation 2 */
	for (unsigned what = 0; what < 5; what++) {
		struct sim_image im;
		struct fmt_super s;
		struct bench b;
		uint64_t whole = what < 3 ? 4 : 1;

		full_only = what < 3;
		make_store(&im, SMALL, 5);      /* generation 5 in slot 1, 4 in slot 0 */
		sim_image_get(&im, FMT_SUPER_BLOCK(1), &s);
		assert_int_equal(s.generation, 5);
		flip(&im, what == 0 ? FMT_SUPER_BLOCK(1) : what % 2 == 1 ? s.gen.clients.root.block :
		     s.gen.map.root.block, 600);
		bench_open(&b, &im, base_seed, 64);
		assert_int_equal(bench_mount(&b, 0), STORE_OK);
		assert_true(b.mount.fell_back);
		assert_int_equal(b.mount.slots[1].status, STORE_DAMAGED);
		assert_non_null(b.mount.slots[1].why);
		expect_generation(&b, whole);
		/* The number of the lost generation is not used again. */
		assert_int_equal(do_put(&b, 16, 1, 7), STORE_OK);
		assert_int_equal(do_commit(&b, 6), STORE_OK);
		assert_int_equal(store_generation(b.st), 6);
		assert_int_equal(bench_mount(&b, 0), STORE_OK);
		assert_int_equal(b.mount.generation, 6);
		assert_int_equal(b.mount.parent, whole);
		assert_false(b.mount.fell_back);
		assert_int_equal(expect_page(&b, 16, 1, 7), 0);
		assert_int_equal(full_check(&b, NULL, true), 0);
		bench_close(&b);
		sim_image_free(&im);
	}
	full_only = false;
}

/* Whichever byte of it is wrong, a superblock is not believed: not the caller's record, not what is reserved. */
static void test_superblock_bytes(void **state)
{
	struct sim_image im;
	struct store_mount res;

	(void)state;
	make_store(&im, SMALL, 5);
	for (unsigned byte = 0; byte < FMT_BLOCK; byte += byte < 1024 ? 1 : 101) {
		flip(&im, FMT_SUPER_BLOCK(1), byte);
		assert_int_equal(mount_status(&im, &res), STORE_OK);
		assert_int_not_equal(res.slots[1].status, STORE_OK);
		assert_int_equal(res.generation, 4);
		flip(&im, FMT_SUPER_BLOCK(1), byte);
	}
	sim_image_free(&im);
}

static void test_both_superblocks_lost(void **state)
{
	struct sim_image im;
	struct store_mount res;

	(void)state;
	make_store(&im, SMALL, 5);
	flip(&im, FMT_SUPER_BLOCK(0), 700);
	flip(&im, FMT_SUPER_BLOCK(1), 700);
	assert_int_equal(mount_status(&im, &res), STORE_DEAD);
	sim_image_free(&im);
}

static void test_resume_older(void **state)
{
	struct sim_image im;
	struct bench b;

	(void)state;
	make_store(&im, SMALL, 5);
	bench_open(&b, &im, base_seed, 64);
	assert_int_equal(bench_mount(&b, 6), STORE_NO_GENERATION);
	assert_int_equal(bench_mount(&b, 4), STORE_OK);
	expect_generation(&b, 4);
	for (unsigned g = 6; g < 9; g++) {
		for (unsigned v = 0; v < 40; v++)
			assert_int_equal(do_put(&b, 16, v, 100 * g + v), STORE_OK);
		assert_int_equal(do_commit(&b, g), STORE_OK);
		assert_int_equal(bench_mount(&b, 0), STORE_OK);
		expect_generation(&b, g);
		assert_int_equal(b.mount.parent, g == 6 ? 4 : g - 1);
	}
	bench_close(&b);
	sim_image_free(&im);
}

/* ---- Boot counter ---- */

static void test_boot_counter(void **state)
{
	struct sim_image im;
	struct bench b;
	uint64_t last = 1;

	(void)state;
	make_store(&im, SMALL, 1);
	bench_open(&b, &im, base_seed, 64);
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(bench_mount(&b, 0), STORE_OK);
		assert_int_equal(b.mount.boot, last);
		assert_int_equal(do_boot(&b), STORE_OK);
		assert_int_equal(store_boot_number(b.st), ++last);
	}
	/* One copy lost: the other counts, and the next number is higher than any before. */
	for (unsigned copy = 0; copy < 2; copy++) {
		flip(&im, FMT_BOOT_BLOCK(copy), 40);
		assert_int_equal(bench_mount(&b, 0), STORE_OK);
		assert_int_equal(do_boot(&b), STORE_OK);
		assert_true(store_boot_number(b.st) > last);
		last = store_boot_number(b.st);
	}
	assert_int_equal(do_commit(&b, 2), STORE_OK);
	flip(&im, FMT_BOOT_BLOCK(0), 40);
	flip(&im, FMT_BOOT_BLOCK(1), 40);
	assert_int_equal(bench_mount(&b, 0), STORE_OK);
	assert_int_equal(do_boot(&b), STORE_OK);
	assert_true(store_boot_number(b.st) > last);
	/* A failed one is repeated. */
	b.sim.fail_at = b.sim.ops + 1;
	assert_int_equal(do_boot(&b), STORE_EIO);
	b.sim.fail_at = b.sim.ops + 2;
	assert_int_equal(do_boot(&b), STORE_EIO);
	last = store_boot_number(b.st);
	assert_int_equal(do_boot(&b), STORE_OK);
	assert_true(store_boot_number(b.st) > last);
	bench_close(&b);
	sim_image_free(&im);
}

/* ---- Damage: one flipped bit in every block a generation reaches ---- */

static void every_block_damaged(uint64_t lowest, uint64_t highest)
{
	struct sim_image im;
	struct bench b;
	unsigned seen = 0, fallbacks = 0;

	make_store(&im, SMALL, 4);
	bench_open(&b, &im, base_seed, 64);
	for (uint64_t block = FMT_DATA_START; block < 400; block++) {
		unsigned byte = (unsigned)(block * 97 % 4096), damaged = 0;
		int wrong;

		flip(&im, block, byte);
		assert_int_equal(bench_mount(&b, 0), STORE_OK);
		wrong = full_check(&b, NULL, false);
		if (b.mount.fell_back) {
			fallbacks++;
			assert_in_range(b.mount.generation, lowest, highest);
			expect_generation(&b, b.mount.generation);
		} else {
			for (unsigned v = 0; v < 40; v++) {
				int status = expect_page(&b, 16, v, 400 + v);

				assert_true(status == 0 || status == STORE_DAMAGED);
				damaged += status != 0;
			}
			/* Whatever reading meets, the full check sees; it sees damaged map pages as well. */
			if (damaged)
				assert_true(wrong);
		}
		seen += wrong || b.mount.fell_back;
		flip(&im, block, byte);
	}
	print_message("           %u blocks mattered, %u of them led to a fallback\n", seen, fallbacks);
	assert_true(seen >= 40);
	bench_close(&b);
	sim_image_free(&im);
}

static void test_every_block_damaged(void **state)
{
	(void)state;
	full_only = true;
	every_block_damaged(3, 3);
	full_only = false;
	every_block_damaged(1, 3);
}

static void test_damaged_page_is_named(void **state)
{
	struct sim_image im;
	struct bench b;
	static _Alignas(4096) uint8_t page[4096];
	struct store_op op = { .client = 16, .vpn = 5, .buf = page };

	(void)state;
	make_store(&im, SMALL, 2);
	bench_open(&b, &im, base_seed, 64);
	assert_int_equal(bench_mount(&b, 0), STORE_OK);
	assert_int_equal(store_sync(b.st, &op, store_lookup(b.st, &op)), STORE_OK);
	flip(&im, op.block, 0);
	uint64_t block = op.block;
	assert_int_equal(store_sync(b.st, &op, store_read(b.st, &op)), STORE_DAMAGED);
	assert_int_equal(op.block, block);
	/* A new content heals it. */
	assert_int_equal(do_put(&b, 16, 5, 77), STORE_OK);
	assert_int_equal(expect_page(&b, 16, 5, 77), 0);
	bench_close(&b);
	sim_image_free(&im);
}

static uint64_t lost_block;
static uint64_t lose(struct sim *s, uint64_t block) { (void)s; return block == lost_block ? UINT64_MAX : block; }
static uint64_t misdirect(struct sim *s, uint64_t block) { (void)s; return block == lost_block ? block + 1 : block; }

static void test_lost_and_misdirected_writes(void **state)
{
	(void)state;
	for (unsigned how = 0; how < 2; how++)
		for (lost_block = FMT_DATA_START; lost_block < FMT_DATA_START + 60; lost_block++) {
			struct sim_image im;
			struct bench b;

			sim_image_make(&im, SMALL);
			bench_open(&b, &im, base_seed, 64);
			assert_int_equal(store_format(b.st, test_uuid, false, &b.mount), STORE_OK);
			b.sim.redirect = how ? misdirect : lose;
			for (unsigned v = 0; v < 30; v++)
				assert_int_equal(do_put(&b, 16, v, 100 + v), STORE_OK);
			assert_int_equal(do_commit(&b, 1), STORE_OK);
			assert_int_equal(bench_mount(&b, 0), STORE_OK);
			for (unsigned v = 0; b.mount.generation && v < 30; v++) {
				int status = expect_page(&b, 16, v, 100 + v);

				assert_true(status == 0 || status == STORE_DAMAGED);
			}
			bench_close(&b);
			sim_image_free(&im);
		}
}

/* ---- Pages ---- */

static void test_holes_take_no_disk(void **state)
{
	struct sim_image im;
	struct bench b;
	struct store_stats before, after;
	bool hole;
	static _Alignas(4096) uint8_t page[4096];

	(void)state;
	make_store(&im, SMALL, 1);
	bench_open(&b, &im, base_seed, 64);
	assert_int_equal(bench_mount(&b, 0), STORE_OK);
	store_stats(b.st, &before);
	for (unsigned v = 100; v < 200; v++)
		assert_int_equal(do_put(&b, 20, v, 0), STORE_OK);
	assert_int_equal(do_commit(&b, 2), STORE_OK);
	store_stats(b.st, &after);
	assert_in_range(after.used, before.used, before.used + 1);      /* the generation table */
	assert_int_equal(after.pages_zero, 100);
	memset(page, 1, sizeof(page));
	assert_int_equal(do_read(&b, 20, 150, page, &hole), STORE_OK);
	assert_true(hole && store_is_zero(page));
	/* Putting zeros over a page removes it. */
	assert_int_equal(do_put(&b, 16, 3, 0), STORE_OK);
	assert_int_equal(expect_page(&b, 16, 3, 0), 0);
	bench_close(&b);
	sim_image_free(&im);
}

static void test_all_removed_gives_all_back(void **state)
{
	struct sim_image im;
	struct bench b;
	struct store_stats s, empty;

	(void)state;
	make_store(&im, SMALL, 0);
	bench_open(&b, &im, base_seed, 64);
	assert_int_equal(bench_mount(&b, 0), STORE_OK);
	store_full_commits(b.st, true);         /* what a delta replaces stays used until it is folded */
	assert_int_equal(do_commit(&b, 1), STORE_OK);
	assert_int_equal(do_commit(&b, 2), STORE_OK);
	store_stats(b.st, &empty);
	for (unsigned v = 0; v < 300; v++)
		assert_int_equal(do_put(&b, v % 5 * 13000, v * v * 7919, v + 1), STORE_OK);
	assert_int_equal(do_commit(&b, 3), STORE_OK);
	for (unsigned c = 0; c < 5; c++)
		assert_int_equal(c & 1 ? do_drop(&b, c * 13000) : do_range(&b, c * 13000, 0, STORE_VPN_END), STORE_OK);
	for (unsigned c = 0; c < 5; c += 2)
		assert_int_equal(do_drop(&b, c * 13000), STORE_OK);
	for (unsigned i = 4; i < 8; i++)
		assert_int_equal(do_commit(&b, i), STORE_OK);
	store_stats(b.st, &s);
	assert_int_equal(s.index_blocks, empty.index_blocks);
	assert_int_equal(s.used, empty.used);
	assert_int_equal(bench_mount(&b, 0), STORE_OK);
	assert_int_equal(full_check(&b, NULL, true), 0);
	bench_close(&b);
	sim_image_free(&im);
}

static void test_extreme_names(void **state)
{
	static const uint64_t vpns[] = { 0, 1, 255, 256, 65535, 65536, (1ull << 24) - 1, 1ull << 24, (3ull << 24) | 9,
					 0xffffffff, 1ull << 32, STORE_VPN_END - 1 };
	static const uint32_t clients[] = { 0, 1, 63, 64, 16383, 16384, 65535 };
	struct sim_image im;
	struct bench b;
	struct store_op op = { 0 };

	(void)state;
	make_store(&im, SMALL, 0);
	bench_open(&b, &im, base_seed, 64);
	assert_int_equal(bench_mount(&b, 0), STORE_OK);
	for (unsigned c = 0; c < 7; c++)
		for (unsigned v = 12; v-- > 0;)
			assert_int_equal(do_put(&b, clients[c], vpns[v], 1 + c * 100 + v), STORE_OK);
	assert_int_equal(do_commit(&b, 1), STORE_OK);
	assert_int_equal(bench_mount(&b, 0), STORE_OK);
	assert_int_equal(full_check(&b, NULL, true), 0);
	for (unsigned c = 0; c < 7; c++) {
		op.client = clients[c];
		op.vpn = 0;
		op.end = STORE_VPN_END;
		for (unsigned v = 0; v < 12; v++, op.vpn++) {
			assert_int_equal(expect_page(&b, clients[c], vpns[v], 1 + c * 100 + v), 0);
			assert_int_equal(store_sync(b.st, &op, store_next(b.st, &op)), STORE_OK);
			assert_int_equal(op.vpn, vpns[v]);
		}
		assert_int_equal(store_sync(b.st, &op, store_next(b.st, &op)), STORE_END);
	}
	op = (struct store_op){ .client = 0, .vpn = STORE_VPN_END, .buf = &op };
	assert_int_equal(store_lookup(b.st, &op), STORE_EINVAL);
	op = (struct store_op){ .client = STORE_CLIENTS, .vpn = 0, .buf = &op };
	assert_int_equal(store_lookup(b.st, &op), STORE_EINVAL);
	bench_close(&b);
	sim_image_free(&im);
}

static void test_range_bounds(void **state)
{
	struct sim_image im;
	struct bench b;

	(void)state;
	make_store(&im, SMALL, 0);
	bench_open(&b, &im, base_seed, 64);
	assert_int_equal(bench_mount(&b, 0), STORE_OK);
	for (unsigned v = 200; v < 800; v++)
		assert_int_equal(do_put(&b, 16, v, v), STORE_OK);
	assert_int_equal(do_range(&b, 16, 250, 700), STORE_OK);
	assert_int_equal(do_range(&b, 16, 750, 750), STORE_OK);
	assert_int_equal(do_range(&b, 16, 5000, 9000), STORE_OK);
	for (unsigned v = 190; v < 810; v++)
		assert_int_equal(expect_page(&b, 16, v, v >= 200 && v < 800 && (v < 250 || v >= 700) ? v : 0), 0);
	assert_int_equal(do_commit(&b, 1), STORE_OK);
	assert_int_equal(bench_mount(&b, 0), STORE_OK);
	assert_int_equal(full_check(&b, NULL, true), 0);
	bench_close(&b);
	sim_image_free(&im);
}

/* ---- Space ---- */

static void test_full_disk(void **state)
{
	struct sim_image im;
	struct bench b;
	unsigned v = 0, again = 0;
	int status;

	(void)state;
	make_store(&im, SMALL, 0);
	bench_open(&b, &im, base_seed, 64);
	assert_int_equal(bench_mount(&b, 0), STORE_OK);
	while ((status = do_put(&b, 16, v, v + 1)) == STORE_OK)
		v++;
	assert_int_equal(status, STORE_FULL);
	assert_true(v > SMALL * 8 / 10);
	print_message("           %u pages fit in %u blocks\n", v, SMALL);
	assert_int_equal(do_commit(&b, 1), STORE_OK);
	assert_int_equal(bench_mount(&b, 0), STORE_OK);
	assert_int_equal(full_check(&b, NULL, true), 0);
	/* Rewriting needs room that is not there; removing does not, and gives room two commits later. */
	assert_int_equal(do_put(&b, 16, 0, 9), STORE_FULL);
	assert_int_equal(do_range(&b, 16, 0, 1000), STORE_OK);
	for (unsigned g = 2; g < 5; g++)
		assert_int_equal(do_commit(&b, g), STORE_OK);
	while (do_put(&b, 17, again, again + 1) == STORE_OK)
		again++;
	assert_in_range(again, 900, 1100);
	assert_int_equal(do_commit(&b, 5), STORE_OK);
	assert_int_equal(bench_mount(&b, 0), STORE_OK);
	assert_int_equal(full_check(&b, NULL, true), 0);
	for (v = 0; v < again; v++)
		assert_int_equal(expect_page(&b, 17, v, v + 1), 0);
	bench_close(&b);
	sim_image_free(&im);
}

static void test_reservation(void **state)
{
	struct sim_image im;
	struct bench b;
	struct store_stats s;
	unsigned promised = 0;

	(void)state;
	make_store(&im, SMALL, 0);
	bench_open(&b, &im, base_seed, 64);
	assert_int_equal(bench_mount(&b, 0), STORE_OK);
	assert_int_equal(store_reserve(b.st, SMALL), STORE_FULL);
	while (promised < SMALL && store_reserve(b.st, 10) == STORE_OK)
		promised += 10;
	assert_in_range(promised, SMALL / 2, SMALL - 1);
	/* All that was promised can be put, even when it is sparse. */
	for (unsigned v = 0; v < promised; v++)
		assert_int_equal(do_put(&b, 16, v, v + 1), STORE_OK);
	store_stats(b.st, &s);
	assert_int_equal(s.reserved, 0);
	assert_int_equal(do_commit(&b, 1), STORE_OK);
	assert_int_equal(store_reserve(b.st, 5), STORE_OK);
	store_unreserve(b.st, 5);
	store_unreserve(b.st, 5);
	store_stats(b.st, &s);
	assert_int_equal(s.reserved, 0);
	bench_close(&b);
	sim_image_free(&im);
}

/* ---- Errors ---- */

static uint64_t super_writes[2];
static uint64_t count_super(struct sim *s, uint64_t block)
{
	(void)s;
	super_writes[0] += block == FMT_SUPER_BLOCK(0);
	super_writes[1] += block == FMT_SUPER_BLOCK(1);
	return block;
}

/* A superblock or last flush that fails is repeated in the same slot, with the same number. */
static void test_same_slot_again(void **state)
{
	struct sim_image im;
	struct bench b;
	struct store_op op = { 0 };
	uint8_t user[STORE_USER_BYTES] = { 0 };

	(void)state;
	make_store(&im, SMALL, 4);              /* 4 is in slot 0 */
	bench_open(&b, &im, base_seed, 64);
	assert_int_equal(bench_mount(&b, 0), STORE_OK);
	b.sim.redirect = count_super;
	assert_int_equal(do_put(&b, 16, 0, 999), STORE_OK);
	assert_int_equal(store_begin(b.st, user), STORE_OK);
	b.sim.fail_per_1000 = 600;
	memset(super_writes, 0, sizeof(super_writes));
	for (unsigned tries = 0; ; tries++) {
		assert_true(tries < 200);
		if (store_sync(b.st, &op, store_commit(b.st, &op)) == STORE_OK)
			break;
		assert_int_equal(store_generation(b.st), 4);
		assert_int_equal(store_begin(b.st, user) == STORE_OK, b.st->phase == COMMIT_NONE);
	}
	b.sim.fail_per_1000 = 0;
	assert_int_equal(super_writes[0], 0);
	assert_true(super_writes[1] > 0);
	assert_int_equal(store_generation(b.st), 5);
	assert_int_equal(bench_mount(&b, 0), STORE_OK);
	assert_int_equal(b.mount.generation, 5);
	assert_int_equal(expect_page(&b, 16, 0, 999), 0);
	bench_close(&b);
	sim_image_free(&im);
}

static void test_read_errors(void **state)
{
	struct sim_image im;
	struct bench b;
	unsigned errors = 0;

	(void)state;
	make_store(&im, SMALL, 4);
	bench_open(&b, &im, base_seed, 64);
	assert_int_equal(bench_mount(&b, 0), STORE_OK);
	b.sim.fail_reads = true;
	b.sim.fail_per_1000 = 300;
	for (unsigned round = 0; round < 10; round++) {
		for (unsigned v = 0; v < 40; v++) {
			int status;

			while ((status = expect_page(&b, 16, v, 400 + v)) == STORE_EIO)
				errors++;
			assert_int_equal(status, 0);
		}
		b.sim.fail_per_1000 = 0;
		assert_int_equal(bench_mount(&b, 0), STORE_OK);
		b.sim.fail_per_1000 = 300;
	}
	assert_true(errors > 20);
	/* Changes as well: each is made or refused as a whole. */
	for (unsigned v = 0; v < 40; v++)
		while (do_put(&b, 16, v, 900 + v) == STORE_EIO)
			;
	b.sim.fail_per_1000 = 0;
	while (b.st->unwritten)
		b.st->unwritten--;              /* do_put gave up the op after 100 tries at most; none did */
	assert_int_equal(do_commit(&b, 5), STORE_OK);
	assert_int_equal(bench_mount(&b, 0), STORE_OK);
	expect_page(&b, 16, 7, 907);
	assert_int_equal(full_check(&b, NULL, true), 0);
	bench_close(&b);
	sim_image_free(&im);
}

/* A damaged map page costs its region, not the store. */
static void test_damaged_map_page(void **state)
{
	struct sim_image im;
	struct bench b;
	struct fmt_super s;

	(void)state;
	make_store(&im, 3 * FMT_MAP_BITS, 4);
	sim_image_get(&im, FMT_SUPER_BLOCK(0), &s);
	assert_int_equal(s.gen.map.height, 0);
	bench_open(&b, &im, base_seed, 128);
	assert_int_equal(bench_mount(&b, 0), STORE_OK);
	/* Damage after mounting, which would have noticed: the root is the page. */
	flip(&im, s.gen.map.root.block, 9);
	for (unsigned g = 5; g < 9; g++) {
		for (unsigned v = 0; v < 40; v++)
			assert_int_equal(do_put(&b, 16, v, 100 * g + v), STORE_OK);
		if (do_commit(&b, g) != STORE_OK)
			break;
		for (unsigned v = 0; v < 40; v++)
			assert_int_equal(expect_page(&b, 16, v, 100 * g + v), 0);
	}
	bench_close(&b);
	sim_image_free(&im);
}

/* ---- Size ---- */

static void test_large_partition(void **state)
{
	static const uint64_t sizes[] = { 16ull * GIB, 1024ull * GIB };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct sim_image im;
		struct bench b;
		uint64_t reads;

		sim_image_make(&im, sizes[i]);
		bench_open(&b, &im, base_seed, 2048);
		assert_int_equal(store_format(b.st, test_uuid, false, &b.mount), STORE_OK);
		for (unsigned g = 1; g < 4; g++) {
			for (unsigned v = 0; v < 20000; v++)
				assert_int_equal(do_put(&b, 16, v * 3, g + v), STORE_OK);
			assert_int_equal(do_commit(&b, g), STORE_OK);
		}
		reads = b.sim.reads;
		assert_int_equal(bench_mount(&b, 0), STORE_OK);
		print_message("           %llu GiB: mount reads %llu blocks", (unsigned long long)(sizes[i] / GIB),
			      (unsigned long long)(b.sim.reads - reads));
		assert_in_range(b.sim.reads - reads, 1, 16);
		reads = b.sim.reads;
		assert_int_equal(expect_page(&b, 16, 30000, 3 + 10000), 0);
		assert_int_equal(do_put(&b, 16, 3, 5), STORE_OK);
		assert_int_equal(do_commit(&b, 4), STORE_OK);
		print_message(", first page and first commit %llu\n", (unsigned long long)(b.sim.reads - reads));
		assert_in_range(b.sim.reads - reads, 1, 30);
		if (i == 0) {
			assert_int_equal(bench_mount(&b, 0), STORE_OK);
			assert_int_equal(full_check(&b, NULL, true), 0);
		}
		bench_close(&b);
		sim_image_free(&im);
	}
}

static unsigned landed;
static void on_landed(struct store_op *op)
{
	assert_int_equal(op->status, STORE_OK);
	landed++;
}

/* Many reads at once, far more index nodes than the cache has. */
static void test_many_reads_small_cache(void **state)
{
	enum { READS = 1000 };
	struct sim_image im;
	struct bench b;
	struct store_op *ops = calloc(READS, sizeof(*ops));
	uint8_t *pages = aligned_alloc(4096, READS * 4096);
	static _Alignas(4096) uint8_t want[4096];

	(void)state;
	make_store(&im, 8 * SMALL, 0);
	bench_open(&b, &im, base_seed, 64);
	assert_int_equal(bench_mount(&b, 0), STORE_OK);
	for (unsigned i = 0; i < READS; i++)
		assert_int_equal(do_put(&b, 16, i * 1000003ull, i + 1), STORE_OK);
	assert_int_equal(do_commit(&b, 1), STORE_OK);
	assert_int_equal(bench_mount(&b, 0), STORE_OK);
	landed = 0;
	for (unsigned i = 0; i < READS; i++) {
		ops[i] = (struct store_op){ .client = 16, .vpn = i * 1000003ull, .buf = pages + i * 4096,
					    .done = on_landed };
		if (store_read(b.st, &ops[i]) == STORE_OK)
			landed++;
	}
	for (unsigned spins = 0; landed < READS && spins < 1000000; spins++)
		if (!store_work(b.st))
			b.sim.dev.wait(&b.sim.dev);
	assert_int_equal(landed, READS);
	for (unsigned i = 0; i < READS; i++) {
		model_fill(want, i + 1);
		assert_memory_equal(want, pages + i * 4096, 4096);
	}
	free(ops);
	free(pages);
	bench_close(&b);
	sim_image_free(&im);
}

/* ---- Hostile content with right checksums ---- */

static void reseal_tree(struct sim_image *im, struct fmt_ref *ref, uint32_t level, bool directory, unsigned budget)
{
	uint8_t *page;

	if (ref->block < FMT_DATA_START || ref->block >= im->blocks || budget > 8)
		return;
	page = aligned_alloc(64, 4096);
	sim_image_get(im, ref->block, page);
	for (unsigned i = 0; level && i < FMT_FANOUT; i++)
		reseal_tree(im, &((struct fmt_node *)page)->entry[i], level - 1, directory, budget + 1);
	for (unsigned i = 0; !level && directory && i < FMT_CLIENTS_PER_PAGE; i++) {
		struct fmt_client *c = &((struct fmt_client *)page)[i];

		if (c->tree.height <= 4)
			reseal_tree(im, &c->tree.root, c->tree.height, false, budget + 1);
	}
	sim_image_put(im, ref->block, page);
	ref->sum = store_sum(page);
	free(page);
}

static void reseal_all(struct sim_image *im, unsigned slot)
{
	static _Alignas(64) struct fmt_super s;

	sim_image_get(im, FMT_SUPER_BLOCK(slot), &s);
	if (s.gen.clients.height <= 2)
		reseal_tree(im, &s.gen.clients.root, s.gen.clients.height, true, 0);
	if (s.gen.map.height <= 2)
		reseal_tree(im, &s.gen.map.root, s.gen.map.height, false, 0);
	reseal_tree(im, &s.gen.table, 0, false, 0);
	super_seal(&s);
	sim_image_put(im, FMT_SUPER_BLOCK(slot), &s);
}

static void test_fuzzed_with_right_sums(void **state)
{
	unsigned mounted = 0, rounds = 600;
	uint64_t seed = base_seed;
	struct sim_image good;

	(void)state;
	make_store(&good, SMALL, 4);
	for (unsigned n = 0; n < rounds; n++) {
		struct sim_image im;
		struct bench b;
		uint8_t page[4096];
		struct fmt_super s;
		uint64_t blocks[5];

		sim_image_copy(&im, &good);
		sim_image_get(&im, FMT_SUPER_BLOCK(0), &s);
		blocks[0] = FMT_SUPER_BLOCK(0);
		blocks[1] = s.gen.clients.root.block;
		blocks[2] = s.gen.map.root.block;
		blocks[3] = s.gen.table.block;
		sim_image_get(&im, s.gen.clients.root.block, page);
		blocks[4] = ((struct fmt_client *)page)[16].tree.root.block;
		for (unsigned k = 0; k < 1 + n % 3; k++) {
			uint64_t block = blocks[sim_below(&seed, 5)];
			uint64_t at = sim_below(&seed, 3) ? sim_below(&seed, 1200) : 1024 + sim_below(&seed, 64);
			uint64_t value = sim_below(&seed, 2) ? sim_below(&seed, 200) : sim_random(&seed);

			sim_image_get(&im, block, page);
			memcpy(page + (at & ~7ull), &value, 1 + sim_below(&seed, 8));
			sim_image_put(&im, block, page);
		}
		reseal_all(&im, 0);
		bench_open(&b, &im, n, 64);
		if (bench_mount(&b, 0) == STORE_OK) {
			mounted++;
			full_check(&b, NULL, false);
			for (unsigned v = 0; v < 45; v++)
				expect_page(&b, 16, v, 0);
			if (do_put(&b, 16, 3, 5) == STORE_OK && do_put(&b, 0, 1 << 24, 6) == STORE_OK &&
			    do_drop(&b, 16) == STORE_OK)
				do_commit(&b, 9);
		}
		bench_close(&b);
		sim_image_free(&im);
	}
	print_message("           %u of %u mounted\n", mounted, rounds);
	sim_image_free(&good);
}

static void test_every_status_has_text(void **state)
{
	(void)state;
	for (int i = -40; i < 10; i++)
		assert_non_null(store_strerror(i));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_too_small),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_future),
		cmocka_unit_test(test_format_refuses_a_store),
		cmocka_unit_test(test_golden_superblock),
		cmocka_unit_test(test_worked_example),
		cmocka_unit_test(test_sums_agree),
		cmocka_unit_test(test_fallback),
		cmocka_unit_test(test_superblock_bytes),
		cmocka_unit_test(test_both_superblocks_lost),
		cmocka_unit_test(test_resume_older),
		cmocka_unit_test(test_boot_counter),
		cmocka_unit_test(test_every_block_damaged),
		cmocka_unit_test(test_damaged_page_is_named),
		cmocka_unit_test(test_lost_and_misdirected_writes),
		cmocka_unit_test(test_holes_take_no_disk),
		cmocka_unit_test(test_all_removed_gives_all_back),
		cmocka_unit_test(test_extreme_names),
		cmocka_unit_test(test_range_bounds),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_reservation),
		cmocka_unit_test(test_same_slot_again),
		cmocka_unit_test(test_read_errors),
		cmocka_unit_test(test_damaged_map_page),
		cmocka_unit_test(test_large_partition),
		cmocka_unit_test(test_many_reads_small_cache),
		cmocka_unit_test(test_fuzzed_with_right_sums),
		cmocka_unit_test(test_every_status_has_text),
	};

	if (getenv("SEED"))
		base_seed = strtoull(getenv("SEED"), NULL, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
