/* SPDX-License-Identifier: BSD-2-Clause
 * Property: a small commit is small (64 scattered pages: at most 1.2 bytes written per dirty byte, counting everything),
 * and a generation with a delta is as good as a full one: it is recovered with the same content, can be gone back to,
 * branched from, compared and verified, keeps its blocks for as long as it is kept, and no damage in it goes unnoticed.
 * Guards ckptserver/store: overlay.c, fold.c, delta.c, and what of alloc.c, check.c, diff.c and recover.c serves them.
 *
 * SEED=n repeats a run.
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

#define SMALL   4096u
#define PAGES   64u

static uint64_t base_seed = 1;

static void fresh_store(struct bench *b, struct sim_image *im, uint64_t blocks, uint32_t nodes)
{
	sim_image_make(im, blocks);
	bench_open(b, im, base_seed, nodes);
	assert_int_equal(store_format(b->st, test_uuid, false, &b->mount), STORE_OK);
	assert_int_equal(do_boot(b), STORE_OK);
}

static void close_store(struct bench *b, struct sim_image *im)
{
	assert_null(b->sim.violation);
	bench_close(b);
	sim_image_free(im);
}

static void remount(struct bench *b, struct sim_image *im, uint64_t generation, uint32_t nodes)
{
	assert_null(b->sim.violation);
	bench_close(b);
	bench_open(b, im, base_seed + 1, nodes);
	assert_int_equal(bench_mount(b, generation), STORE_OK);
}

/* Few records to a block, so that chains get long soon. */
static void small_blocks(struct store *st, uint32_t per_block, uint32_t chain_max)
{
	st->delta.per_block = per_block;
	st->delta.chain_max = chain_max;
	st->delta.fresh_max = DELTA_FRESH * per_block;
}

/* The first two commits are full: a delta is written only if a generation with other roots is kept. */
static void two_full(struct bench *b, uint64_t *user)
{
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(do_put(b, 99, 0, i + 1), STORE_OK);
		assert_int_equal(do_commit(b, ++*user), STORE_OK);
		assert_int_equal(b->st->last.delta.block, 0);
	}
}

static uint64_t commit_blocks(struct bench *b, uint64_t *user)
{
	uint64_t before = b->sim.writes;

	assert_int_equal(do_commit(b, ++*user), STORE_OK);
	return b->sim.writes - before;
}

/* ---- How much is written ---- */

static uint64_t scattered_vpn(unsigned i)
{
	return (uint64_t)i * 0x10325;
}

/* Sixty-four pages, each in a leaf of its own and with its block in a map region of its own. */
static void scatter(struct bench *b, uint64_t *user)
{
	store_full_commits(b->st, true);
	for (unsigned i = 0; i < PAGES; i++) {
		for (uint64_t r = 0; r < b->st->regions; r++)
			b->st->region[r] |= r == i + 1 ? 0 : REGION_FULL;
		b->st->region[i + 1] &= (uint8_t)~REGION_FULL;
		assert_int_equal(do_put(b, 16, scattered_vpn(i), i + 1), STORE_OK);
		assert_int_equal(do_commit(b, ++*user), STORE_OK);
	}
	for (uint64_t r = 0; r < b->st->regions; r++)
		b->st->region[r] &= (uint8_t)~REGION_FULL;
	store_full_commits(b->st, false);
}

static void put_scattered(struct bench *b, uint32_t content)
{
	for (unsigned i = 0; i < PAGES; i++)
		assert_int_equal(do_put(b, 16, scattered_vpn(i), content + i), STORE_OK);
}

static void test_small_commit_is_small(void **state)
{
	struct sim_image im;
	struct bench b;
	uint64_t user = 0, writes, full, regions = 0;
	uint8_t seen[PAGES + 2] = { 0 };

	(void)state;
	fresh_store(&b, &im, (uint64_t)(PAGES + 1) * FMT_MAP_BITS, 1024);
	scatter(&b, &user);
	for (unsigned i = 0; i < PAGES; i++) {
		struct store_op op = { .client = 16, .vpn = scattered_vpn(i) };

		assert_int_equal(store_sync(b.st, &op, store_lookup(b.st, &op)), STORE_OK);
		regions += !seen[op.block >> FMT_MAP_SHIFT];
		seen[op.block >> FMT_MAP_SHIFT] = 1;
		assert_true(!i || scattered_vpn(i) / FMT_FANOUT != scattered_vpn(i - 1) / FMT_FANOUT);
	}
	assert_int_equal(regions, PAGES);

	writes = b.sim.writes;
	put_scattered(&b, 1000);
	assert_int_equal(do_commit(&b, ++user), STORE_OK);
	writes = b.sim.writes - writes;
	store_full_commits(b.st, true);
	full = b.sim.writes;
	put_scattered(&b, 2000);
	assert_int_equal(do_commit(&b, ++user), STORE_OK);
	full = b.sim.writes - full;
	print_message("           %u scattered pages: %llu blocks written, %.3f bytes per dirty byte; full commit: %llu, %.3f\n",
		      PAGES, (unsigned long long)writes, (double)writes / PAGES, (unsigned long long)full,
		      (double)full / PAGES);
	assert_in_range(writes, PAGES + 2, PAGES * 12 / 10);
	assert_true(full > 2 * writes);
	remount(&b, &im, 0, 64);
	assert_int_equal(full_check(&b, NULL, true), 0);
	close_store(&b, &im);
}

/* The same with as many generations kept as can be: the table is ten blocks then. */
static void test_small_commit_many_kept(void **state)
{
	struct sim_image im;
	struct bench b;
	uint64_t user = 0, writes;

	(void)state;
	fresh_store(&b, &im, 1u << 20, 1024);
	assert_int_equal(store_keep(b.st, STORE_KEEP_MAX), STORE_OK);
	put_scattered(&b, 1);
	two_full(&b, &user);
	for (unsigned g = 0; g < STORE_KEEP_MAX + 4; g++)
		commit_blocks(&b, &user);
	writes = b.sim.writes;
	put_scattered(&b, 5000);
	commit_blocks(&b, &user);
	writes = b.sim.writes - writes;
	print_message("           %u generations kept: %llu blocks, %.3f bytes per dirty byte\n", b.st->kept_count,
		      (unsigned long long)writes, (double)writes / PAGES);
	assert_in_range(writes, PAGES + 10, PAGES * 12 / 10);
	close_store(&b, &im);
}

/* What folding costs is part of the truth. */
static void test_amortised(void **state)
{
	struct sim_image im;
	struct bench b;
	uint64_t user = 0, seed = base_seed, total[2] = { 0, 0 }, most = 0;

	(void)state;
	for (unsigned full = 0; full < 2; full++) {
		fresh_store(&b, &im, 1u << 20, 2048);
		for (unsigned i = 0; i < 65536; i += 4)         /* 256 leaves */
			assert_int_equal(do_put(&b, 16, i, i + 1), STORE_OK);
		commit_blocks(&b, &user);
		store_full_commits(b.st, full);
		for (unsigned g = 0; g < 64; g++) {
			uint64_t before = b.sim.writes;

			for (unsigned i = 0; i < PAGES; i++)
				assert_int_equal(do_put(&b, 16, sim_below(&seed, 16384) * 4, (uint32_t)user), STORE_OK);
			commit_blocks(&b, &user);
			before = b.sim.writes - before;
			total[full] += before;
			if (!full && before > most)
				most = before;
		}
		if (!full)
			print_message("           %llu folds in 64 commits\n", (unsigned long long)b.st->delta.folds);
		close_store(&b, &im);
	}
	print_message("           64 commits of 64 of 16,384 pages: %.3f bytes per dirty byte, the largest %.3f; all full: %.3f\n",
		      (double)total[0] / 64 / PAGES, (double)most / PAGES, (double)total[1] / 64 / PAGES);
	assert_true(total[0] * 10 < 64 * PAGES * 14);
}

/* A commit of one page, again and again: superblock, table, one delta block; the chain stays one block long. */
static void test_tiny_commits(void **state)
{
	struct sim_image im;
	struct bench b;
	uint64_t user = 0;

	(void)state;
	fresh_store(&b, &im, 1u << 18, 128);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(do_put(&b, 16, i * 300, 1), STORE_OK);
	two_full(&b, &user);
	b.st->delta.age_max = 1000;
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(do_put(&b, 16, i * 300, i + 2), STORE_OK);
		assert_in_range(commit_blocks(&b, &user), 2, 5);
		assert_int_equal(b.st->delta.chain_count, 1);
		assert_int_equal(b.st->last.delta_count >= i + 1, 1);
	}
	/* Nothing at all changed. */
	assert_in_range(commit_blocks(&b, &user), 2, 5);
	assert_int_equal(full_check(&b, NULL, true), 0);
	close_store(&b, &im);
}

/* ---- The same content ---- */

/* All kept generations, page for page, with counts, sums and allocation. */
static void check_all(struct sim_image *im, const struct model *m)
{
	struct store_generation list[STORE_KEPT_MAX];
	struct bench b;
	uint32_t n, deltas = 0;

	bench_open(&b, im, base_seed, 64);
	assert_int_equal(bench_mount(&b, 0), STORE_OK);
	n = store_generations(b.st, list, STORE_KEPT_MAX);
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(bench_mount(&b, list[i].generation), STORE_OK);
		deltas += b.st->last.delta.block != 0;
		if (full_check(&b, m, true))
			fail_msg("generation %llu of %u kept is not intact", (unsigned long long)list[i].generation, n);
	}
	bench_close(&b);
	assert_true(n < 3 || deltas);
}

static void test_replay_equals(void **state)
{
	struct sim_image im;
	struct bench b;
	struct model m;
	uint64_t seed = base_seed + 1, deltas = 0;

	(void)state;
	memset(&m, 0, sizeof(m));
	fresh_store(&b, &im, SMALL, 128);
	for (unsigned i = 0; i < 60; i++) {
		assert_true(workload_round(&b, &m, &seed, i % 10 == 9 ? 200 : 12));
		deltas += b.st->last.delta.block != 0;
		if (i % 4 == 3)
			check_all(&im, &m);
		if (i % 6 == 5) {       /* what was asked for during the last commit is lost */
			remount(&b, &im, 0, 64 + i);
			memcpy(m.now, m.generation[b.mount.generation], sizeof(m.now));
		}
	}
	assert_in_range(deltas, 30, 59);
	close_store(&b, &im);
	model_free(&m);
}

/* What is kept only for the deltas' sake does not count, is flagged in the list of all, and is as good as any other. */
static void test_spares_are_listed(void **state)
{
	struct store_generation kept[STORE_KEPT_MAX], all[STORE_KEPT_MAX];
	struct sim_image im;
	struct bench b;
	uint64_t user = 0;
	uint32_t n, count;

	(void)state;
	fresh_store(&b, &im, SMALL, 128);
	two_full(&b, &user);
	assert_int_equal(store_keep(b.st, 2), STORE_OK);
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(do_put(&b, 16, i, i + 1), STORE_OK);
		assert_int_equal(do_commit(&b, ++user), STORE_OK);
	}
	count = store_generations(b.st, kept, STORE_KEPT_MAX);
	n = store_generations_all(b.st, all, STORE_KEPT_MAX);
	assert_int_equal(n, count + 2);
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(all[i].flags, i < count ? 0 : STORE_GEN_SPARE);
		assert_int_equal(all[i].generation, i < count ? kept[i].generation : n - i);
	}
	assert_int_equal(store_name(b.st, 1, "first"), STORE_OK);
	assert_int_equal(do_commit(&b, ++user), STORE_OK);
	remount(&b, &im, 2, 128);
	assert_int_equal(full_check(&b, NULL, true), 0);
	n = store_generations_all(b.st, all, STORE_KEPT_MAX);
	assert_int_equal(all[n - 1].generation, 1);
	assert_int_equal(all[n - 1].flags, STORE_GEN_NAMED);
	assert_int_equal(all[n - 2].generation, 2);
	assert_int_equal(all[n - 2].flags, 0);          /* it is of use again */
	close_store(&b, &im);
}

/* Go back to some kept generation, whatever it is, and on from there. */
static void test_branches(void **state)
{
	struct sim_image im;
	struct bench b;
	struct model m;
	uint64_t seed = base_seed + 2, deltas = 0;

	(void)state;
	memset(&m, 0, sizeof(m));
	fresh_store(&b, &im, 2 * SMALL, 100);
	for (unsigned i = 0; i < 40; i++) {
		struct store_generation list[STORE_KEPT_MAX];
		uint32_t n;

		small_blocks(b.st, 10, 6);
		for (unsigned k = 0; k < 3; k++)
			assert_true(workload_round(&b, &m, &seed, 15));
		n = store_generations(b.st, list, STORE_KEPT_MAX);
		/* Pinned ones would fill the disk in the end. */
		for (uint32_t k = 0; k < n; k++)
			if (list[k].flags && sim_below(&seed, 4) == 0)
				store_drop(b.st, list[k].generation);
		assert_true(workload_round(&b, &m, &seed, 15));
		n = store_generations(b.st, list, STORE_KEPT_MAX);
		remount(&b, &im, list[sim_below(&seed, n)].generation, 100);
		deltas += b.st->last.delta.block != 0;
		memcpy(m.now, m.generation[b.mount.generation], sizeof(m.now));
		if (i % 5 == 4)
			check_all(&im, &m);
	}
	print_message("           %llu of 40 times a generation with a delta was gone back to\n", (unsigned long long)deltas);
	assert_true(deltas > 10);
	close_store(&b, &im);
	model_free(&m);
}

/* A walk over many pages that were removed since the full generation goes in steps, and so does a removal. */
static void test_walk_is_bounded(void **state)
{
	struct store_op op = { .client = 16, .end = STORE_VPN_END };
	struct sim_image im;
	struct bench b;
	uint64_t user = 0;
	unsigned steps = 0;

	(void)state;
	fresh_store(&b, &im, 4 * SMALL, 128);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(do_put(&b, 16, i, i + 1), STORE_OK);
	two_full(&b, &user);
	for (unsigned i = 0; i < 150; i++)
		assert_int_equal(do_remove(&b, 16, i), STORE_OK);
	assert_int_equal(b.st->delta.mode, DELTA_ON);
	op.status = store_next(b.st, &op);
	for (; op.status == STORE_PENDING; steps++)
		if (!store_work(b.st))
			b.sim.dev.poll(&b.sim.dev);
	assert_int_equal(op.status, STORE_OK);
	assert_int_equal(op.vpn, 150);
	assert_in_range(steps, 4, 10);
	assert_int_equal(do_range(&b, 16, 0, 160), STORE_OK);
	op.vpn = 0;
	assert_int_equal(store_sync(b.st, &op, store_next(b.st, &op)), STORE_OK);
	assert_int_equal(op.vpn, 160);
	assert_int_equal(do_commit(&b, ++user), STORE_OK);
	remount(&b, &im, 0, 128);
	assert_int_equal(full_check(&b, NULL, true), 0);
	close_store(&b, &im);
}

/* Everything that is asked of the overlay and the trees together. */
static void test_next_and_ranges(void **state)
{
	struct sim_image im;
	struct bench b;
	uint64_t user = 0;
	static uint32_t want[2000];
	uint64_t seed = base_seed + 3;

	(void)state;
	memset(want, 0, sizeof(want));
	fresh_store(&b, &im, SMALL, 80);
	for (unsigned round = 0; round < 30; round++) {
		struct store_op op = { .client = 16 };
		unsigned vpn = 0, at = (unsigned)sim_below(&seed, 2000);

		for (unsigned i = 0; i < 10; i++) {
			unsigned p = (unsigned)sim_below(&seed, 2000);

			want[p] = (uint32_t)sim_below(&seed, 3);
			assert_int_equal(do_put(&b, 16, p, want[p]), STORE_OK);
		}
		if (round % 3 == 0) {
			unsigned end = at + 40 < 2000 ? at + 40 : 2000;

			assert_int_equal(do_range(&b, 16, at, end), STORE_OK);
			memset(&want[at], 0, (end - at) * sizeof(want[0]));
		}
		want[at] = 0;
		assert_int_equal(do_remove(&b, 16, at), STORE_OK);
		if (round % 2)
			commit_blocks(&b, &user);
		for (op.vpn = 0, op.end = 2000; store_sync(b.st, &op, store_next(b.st, &op)) == STORE_OK; op.vpn++) {
			while (vpn < op.vpn)
				assert_int_equal(want[vpn++], 0);
			assert_int_not_equal(want[vpn++], 0);
			assert_int_equal(expect_page(&b, 16, op.vpn, want[op.vpn]), 0);
		}
		assert_int_equal(op.status, STORE_END);
		while (vpn < 2000)
			assert_int_equal(want[vpn++], 0);
	}
	assert_true(b.st->delta.count > 0);
	assert_int_equal(do_drop(&b, 16), STORE_OK);
	assert_int_equal(b.st->delta.mode, DELTA_OFF);
	commit_blocks(&b, &user);
	assert_int_equal(b.st->last.delta.block, 0);
	assert_int_equal(full_check(&b, NULL, true), 0);
	close_store(&b, &im);
}

/* store_diff against the model, for all pairs of kept generations. */
static void diff_pair(struct bench *b, const struct model *m, uint64_t from, uint64_t to)
{
	struct store_op op = { 0 };
	unsigned found = 0, differ = 0;
	int status;

	for (unsigned s = 0; s < MODEL_PAGES; s++)
		differ += m->generation[from][s] != m->generation[to][s];
	while ((status = store_sync(b->st, &op, store_diff(b->st, &op, from, to))) == STORE_OK) {
		int slot = model_slot(op.client, op.vpn);

		assert_true(slot >= 0);
		assert_int_not_equal(m->generation[from][slot], m->generation[to][slot]);
		assert_int_equal(!m->generation[from][slot], !op.old_block);
		assert_int_equal(!m->generation[to][slot], !op.block);
		found++;
		op.vpn++;
	}
	assert_int_equal(status, STORE_END);
	assert_int_equal(found, differ);
}

static void test_diff(void **state)
{
	struct sim_image im;
	struct bench b;
	struct model m;
	uint64_t seed = base_seed + 4;

	(void)state;
	memset(&m, 0, sizeof(m));
	fresh_store(&b, &im, SMALL, 64);
	for (unsigned i = 0; i < 24; i++) {
		struct store_generation list[STORE_KEPT_MAX];
		uint32_t n;

		small_blocks(b.st, 10, 6);
		assert_true(workload_round(&b, &m, &seed, 20));
		n = store_generations(b.st, list, STORE_KEPT_MAX);
		for (uint32_t k = 0; i % 4 == 3 && k < n; k++)
			for (uint32_t l = 0; l < n; l++)
				diff_pair(&b, &m, list[k].generation, list[l].generation);
	}
	close_store(&b, &im);
	model_free(&m);
}

/* ---- Limits ---- */

static void test_chain_is_folded(void **state)
{
	struct sim_image im;
	struct bench b;
	uint64_t user = 0, folds = 0, longest = 0;

	(void)state;
	fresh_store(&b, &im, SMALL, 128);
	for (unsigned i = 0; i < 400; i++)
		assert_int_equal(do_put(&b, 16, i * 7, 1), STORE_OK);
	commit_blocks(&b, &user);
	small_blocks(b.st, 8, 8);
	b.st->delta.max = b.st->delta.age_max = 1000;
	for (unsigned i = 0; i < 150; i++) {
		for (unsigned k = 0; k < 3; k++)
			assert_int_equal(do_put(&b, 16, (i * 3 + k) % 90 * 7, i + 2), STORE_OK);
		commit_blocks(&b, &user);
		assert_true(b.st->delta.chain_count <= 8);
		if (b.st->delta.chain_count > longest)
			longest = b.st->delta.chain_count;
		folds += b.st->last.delta.block == 0;
		for (unsigned k = 0; k < 3; k++)
			assert_int_equal(expect_page(&b, 16, (i * 3 + k) % 90 * 7, i + 2), 0);
		if (i % 10 == 0)
			check_all(&im, NULL);
	}
	print_message("           %llu folds in 150 commits, longest chain %llu\n", (unsigned long long)folds,
		      (unsigned long long)longest);
	assert_true(folds >= 5);
	assert_int_equal(longest, 8);
	close_store(&b, &im);
}

static void test_large_commit_is_full(void **state)
{
	struct sim_image im;
	struct bench b;
	uint64_t user = 0;
	uint32_t most;

	(void)state;
	fresh_store(&b, &im, 1u << 18, 256);
	two_full(&b, &user);
	most = b.st->delta.fresh_max;
	for (unsigned extra = 0; extra < 2; extra++) {
		for (unsigned i = 0; i < most - DELTA_SPARE + extra * (DELTA_SPARE + 1); i++)
			assert_int_equal(do_put(&b, 16, 10 + i * 3, i + 1), STORE_OK);
		assert_int_equal(b.st->delta.mode, extra ? DELTA_OFF : DELTA_ON);
		commit_blocks(&b, &user);
		assert_int_equal(b.st->last.delta.block != 0, !extra);
		remount(&b, &im, 0, 64);
		assert_int_equal(full_check(&b, NULL, true), 0);
		for (unsigned i = 0; i < most - DELTA_SPARE; i += 7)
			assert_int_equal(expect_page(&b, 16, 10 + i * 3, i + 1), 0);
	}
	close_store(&b, &im);
}

/* Nothing is lost for ever: after the fold, and when no older generation is kept, all blocks are back. */
static void test_space_comes_back(void **state)
{
	struct sim_image im;
	struct bench b;
	struct store_stats before, after;
	uint64_t user = 0, seed = base_seed;

	(void)state;
	fresh_store(&b, &im, SMALL, 128);
	for (unsigned i = 0; i < 300; i++)
		assert_int_equal(do_put(&b, 16, i, i + 1), STORE_OK);
	for (unsigned i = 0; i < 12; i++) {
		store_full_commits(b.st, true);
		assert_int_equal(do_put(&b, 16, 0, i + 1), STORE_OK);
		commit_blocks(&b, &user);
	}
	store_stats(b.st, &before);
	assert_int_equal(full_check(&b, NULL, true), 0);
	store_full_commits(b.st, false);
	for (unsigned i = 0; i < 500; i++) {
		for (unsigned k = 0; k < 5; k++)
			assert_int_equal(do_put(&b, 16, sim_below(&seed, 300), i + 2), STORE_OK);
		commit_blocks(&b, &user);
		store_stats(b.st, &after);
		assert_true(after.used + after.held <= after.blocks);
	}
	for (unsigned i = 0; i < 12; i++) {
		store_full_commits(b.st, true);
		assert_int_equal(do_put(&b, 16, 0, i + 1), STORE_OK);
		commit_blocks(&b, &user);
	}
	store_stats(b.st, &after);
	assert_int_equal(after.used, before.used);
	assert_int_equal(after.held, before.held);
	assert_int_equal(after.leaked, 0);
	assert_int_equal(full_check(&b, NULL, true), 0);
	close_store(&b, &im);
}

/* All that can be promised is, and then put: while the chain is long, and has many blocks in its records that are not used
 * any more, those of other generations besides (`what`: 0), or of this one alone (1); and when only a named one has it (2). */
static void promise_all(unsigned commits, unsigned what)
{
	struct sim_image im;
	struct bench b;
	uint64_t user = 0, pages;

	fresh_store(&b, &im, 2 * SMALL, 256);
	for (unsigned v = 0; v < 3000; v++)
		assert_int_equal(do_put(&b, 5, v, 1), STORE_OK);
	two_full(&b, &user);
	for (unsigned i = 0; i < commits; i++) {
		for (unsigned k = 0; k < 120; k++)
			assert_int_equal(do_put(&b, 16, i % 2 * 120 + k, i + 2), STORE_OK);
		commit_blocks(&b, &user);
	}
	for (uint64_t g = 1; g < user && what == 1; g++)
		store_drop(b.st, g);
	if (what == 2)
		assert_int_equal(store_name(b.st, user, "long"), STORE_OK);
	store_full_commits(b.st, what == 2);
	for (unsigned i = 0; i < 12 && what == 2; i++) {
		assert_int_equal(do_put(&b, 5, 0, i + 2), STORE_OK);
		commit_blocks(&b, &user);
	}
	while (store_reserve(b.st, 1) == STORE_OK)
		;
	pages = b.st->reserved;
	assert_in_range(pages, 1000, 2 * SMALL);
	for (uint64_t v = 0; v < pages; v++)
		assert_int_equal(do_put(&b, 17, v, 5), STORE_OK);
	commit_blocks(&b, &user);
	assert_int_equal(full_check(&b, NULL, true), 0);
	assert_int_equal(bench_mount(&b, 0), STORE_OK);
	assert_int_equal(expect_page(&b, 17, pages - 1, 5), 0);
	close_store(&b, &im);
}

static void test_promises_are_kept(void **state)
{
	(void)state;
	for (unsigned commits = 3; commits < 16; commits += 3)
		for (unsigned what = 0; what < 3; what++)
			promise_all(commits, what);
}

/* ---- Damage ---- */

static void flip(struct sim_image *im, uint64_t block, unsigned byte)
{
	uint8_t page[4096];

	sim_image_get(im, block, page);
	page[byte] ^= 0x10;
	sim_image_put(im, block, page);
}

static const char *named;
static uint64_t named_block;

static void on_problem(struct store_check *c, const char *what, uint32_t client, uint64_t vpn, uint64_t block)
{
	(void)c;
	(void)vpn;
	if (!named) {
		assert_int_equal(client, STORE_CHECK_DELTA);
		named = what;
		named_block = block;
	}
}

/* Each block of the newest generation's chain, in turn: verification of that generation names it, mounting falls
 * back to one that is whole, says why, and work goes on. */
static void test_every_delta_block_damaged(void **state)
{
	struct sim_image im;
	struct bench b;
	uint64_t user = 0, chain[FMT_DELTA_CHAIN_MAX], newest, full;
	uint32_t count;

	(void)state;
	fresh_store(&b, &im, SMALL, 128);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(do_put(&b, 16, i * 50, 1), STORE_OK);
	commit_blocks(&b, &user);
	small_blocks(b.st, 6, 12);
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(do_put(&b, 16, i * 50, i + 2), STORE_OK);
		assert_int_equal(do_put(&b, 17, i, i + 2), STORE_OK);
		commit_blocks(&b, &user);
	}
	count = b.st->delta.chain_count;
	assert_true(count > 5);
	for (uint32_t i = 0; i < count; i++)
		chain[i] = b.st->delta.chain[i].block;
	newest = store_generation(b.st);
	full = b.st->delta.full;
	for (uint32_t i = 0; i < count; i++) {
		struct store_check c = { .problem = on_problem };
		struct sim_image copy;
		struct bench d;
		uint64_t more = 100;

		sim_image_copy(&copy, &im);
		bench_open(&d, &copy, base_seed, 64);
		assert_int_equal(bench_mount(&d, 0), STORE_OK);
		flip(&copy, chain[i], 64 + (37 * i) % 1000);
		c.bitmap = malloc((SMALL / 8 + 4095) / 4096 * 4096);
		c.scratch = aligned_alloc(4096, STORE_CHECK_DEPTH * 4096);
		named = NULL;
		assert_int_equal(store_check(d.st, newest, &c), STORE_DAMAGED);
		assert_string_equal(named, "block does not match its checksum");
		assert_int_equal(named_block, chain[i]);
		free(c.bitmap);
		free(c.scratch);
		remount(&d, &copy, 0, 64);
		assert_true(d.mount.fell_back && d.mount.skipped_count);
		assert_int_equal(d.mount.skipped[0].block, chain[i]);
		assert_string_equal(d.mount.skipped[0].why, "delta block does not match its checksum");
		assert_in_range(d.mount.generation, full, newest - 1);
		/* Only the chain's newest block is not part of the generation before. */
		assert_int_equal(d.mount.generation == newest - 1, i == count - 1);
		assert_int_equal(full_check(&d, NULL, true), 0);
		for (unsigned k = 0; k < 12; k++) {
			assert_int_equal(do_put(&d, 16, k * 50, k + 500), STORE_OK);
			commit_blocks(&d, &more);
		}
		remount(&d, &copy, 0, 64);
		assert_int_equal(full_check(&d, NULL, true), 0);
		close_store(&d, &copy);
	}
	close_store(&b, &im);
}

/* What all generations of the chain share is lost, all the kept ones that are shown among them: the one that was kept for
 * this is there. */
static void test_shared_roots_damaged(void **state)
{
	struct store_generation list[STORE_KEPT_MAX];
	struct sim_image im;
	struct bench b;
	uint64_t user = 0;

	(void)state;
	for (unsigned what = 0; what < 3; what++) {
		static _Alignas(64) struct fmt_client directory[FMT_CLIENTS_PER_PAGE];
		uint64_t whole, block;
		uint32_t n;

		fresh_store(&b, &im, SMALL, 128);
		for (unsigned i = 0; i < 45; i++) {
			for (unsigned k = 0; k < 4; k++)
				assert_int_equal(do_put(&b, 16, k * 300, 4 * i + k + 1), STORE_OK);
			commit_blocks(&b, &user);
		}
		whole = b.st->delta.full - 1;
		n = store_generations(b.st, list, STORE_KEPT_MAX);
		assert_int_equal(n, STORE_KEEP_DEFAULT);
		assert_true(list[n - 1].generation > b.st->delta.full);
		sim_image_get(&im, b.st->clients.root.block, directory);
		block = what == 0 ? b.st->clients.root.block : what == 1 ? b.st->map.root.block :
			directory[16].tree.root.block;
		flip(&im, block, 2000);
		remount(&b, &im, 0, 64);
		assert_int_equal(b.mount.generation, whole);
		assert_int_equal(b.mount.skipped[0].block, block);
		for (unsigned k = 0; k < 4; k++)
			assert_int_equal(expect_page(&b, 16, k * 300, (uint32_t)(4 * (whole - 1) + k + 1)), 0);
		assert_int_equal(full_check(&b, NULL, true), 0);
		close_store(&b, &im);
	}
}

/* A delta block with right sums, and anything in it: mounting refuses it, or what it says is checked when it is used. */
static void test_fuzzed_with_right_sums(void **state)
{
	struct sim_image im;
	struct bench b;
	uint64_t user = 0, seed = base_seed + 7;
	unsigned mounted = 0, refused = 0;

	(void)state;
	fresh_store(&b, &im, SMALL, 128);
	for (unsigned i = 0; i < 60; i++)
		assert_int_equal(do_put(&b, 16, i * 50, 1), STORE_OK);
	commit_blocks(&b, &user);
	for (unsigned i = 0; i < 3; i++) {
		for (unsigned k = 0; k < 10; k++)
			assert_int_equal(do_put(&b, 16, k * 50 + i % 2, i * (k % 3)), STORE_OK);
		commit_blocks(&b, &user);
	}
	for (unsigned i = 0; i < 3000; i++) {
		static _Alignas(64) struct fmt_delta d;
		static _Alignas(64) struct fmt_super s;
		struct sim_image copy;
		struct bench f;
		unsigned slot = b.st->slot;
		uint64_t more = 100;

		sim_image_copy(&copy, &im);
		sim_image_get(&copy, FMT_SUPER_BLOCK(slot), &s);
		sim_image_get(&copy, s.gen.delta.block, &d);
		for (unsigned k = 0; k < 1 + sim_below(&seed, 3); k++) {
			unsigned byte = (unsigned)sim_below(&seed, sim_below(&seed, 2) ? 64 : 64 + 24 * 35);

			((uint8_t *)&d)[byte] = (uint8_t)(sim_below(&seed, 2) ? sim_random(&seed) :
							  ((uint8_t *)&d)[byte] ^ (1u << sim_below(&seed, 8)));
		}
		sim_image_put(&copy, s.gen.delta.block, &d);
		s.gen.delta.sum = store_sum(&d);
		if (sim_below(&seed, 4) == 0)
			s.gen.delta_count = (uint32_t)sim_below(&seed, 60);
		super_seal(&s);
		sim_image_put(&copy, FMT_SUPER_BLOCK(slot), &s);
		bench_open(&f, &copy, seed, 64);
		assert_int_equal(bench_mount(&f, 0), STORE_OK);
		if (f.mount.generation == s.generation) {
			mounted++;
			full_check(&f, NULL, false);
			for (unsigned k = 0; k < 6; k++)
				do_put(&f, 16, sim_below(&seed, 4000), k + 1);
			do_drop(&f, 16);
			do_commit(&f, ++more);
		} else {
			refused++;
		}
		assert_null(f.sim.violation);
		bench_close(&f);
		sim_image_free(&copy);
	}
	print_message("           %u mounted, %u refused\n", mounted, refused);
	assert_true(mounted > 100 && refused > 100);
	close_store(&b, &im);
}

/* A store that uses a delta says so to programs that do not know it, and stops saying so when none is left. */
static void test_incompatible_feature(void **state)
{
	static _Alignas(64) struct fmt_super s;
	struct sim_image im;
	struct bench b;
	uint64_t user = 0;

	(void)state;
	fresh_store(&b, &im, SMALL, 128);
	two_full(&b, &user);
	for (unsigned g = 1; g < 40; g++) {
		store_full_commits(b.st, g >= 8);
		assert_int_equal(do_put(&b, 16, g, g + 1), STORE_OK);
		commit_blocks(&b, &user);
		sim_image_get(&im, FMT_SUPER_BLOCK(b.st->slot), &s);
		assert_int_equal(!!(s.features_incompat & FMT_INCOMPAT_DELTA), g < 15);
	}
	close_store(&b, &im);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small_commit_is_small),
		cmocka_unit_test(test_small_commit_many_kept),
		cmocka_unit_test(test_amortised),
		cmocka_unit_test(test_tiny_commits),
		cmocka_unit_test(test_replay_equals),
		cmocka_unit_test(test_spares_are_listed), cmocka_unit_test(test_branches),
		cmocka_unit_test(test_walk_is_bounded),
		cmocka_unit_test(test_next_and_ranges),
		cmocka_unit_test(test_diff),
		cmocka_unit_test(test_chain_is_folded),
		cmocka_unit_test(test_large_commit_is_full),
		cmocka_unit_test(test_space_comes_back),
		cmocka_unit_test(test_promises_are_kept),
		cmocka_unit_test(test_every_delta_block_damaged),
		cmocka_unit_test(test_shared_roots_damaged),
		cmocka_unit_test(test_fuzzed_with_right_sums),
		cmocka_unit_test(test_incompatible_feature),
	};

	if (getenv("SEED"))
		base_seed = strtoull(getenv("SEED"), NULL, 0);
	if (getenv("FILTER"))
		cmocka_set_test_filter(getenv("FILTER"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
