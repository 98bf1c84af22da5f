/* SPDX-License-Identifier: BSD-2-Clause
 * Unit tests of the kept generations: how many are kept, names, pins, drops, resuming an older one, damaged generation
 * tables, falling back over several generations, differences between two, and the blocks they hold.
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

#define BLOCKS  4096u
#define PAGES   30u

static uint64_t base_seed = 1;
static bool full_only;                  /* all commits are full ones; else small ones write a delta */

struct world {
	struct sim_image im;
	struct bench b;
};

static void world_make(struct world *w, uint64_t blocks)
{
	sim_image_make(&w->im, blocks);
	bench_open(&w->b, &w->im, base_seed, 128);
	assert_int_equal(store_format(w->b.st, test_uuid, false, &w->b.mount), STORE_OK);
	assert_int_equal(do_boot(&w->b), STORE_OK);
	store_full_commits(w->b.st, full_only);
}

static void world_end(struct world *w)
{
	assert_null(w->b.sim.violation);
	bench_close(&w->b);
	sim_image_free(&w->im);
}

/* Content of page v of client 16 in generation g: pages below 10 change in each, the others in one of eight. */
static uint32_t content_of(uint64_t g, unsigned v)
{
	return (uint32_t)(v < 10 ? 1000 * g + v : 1000 * ((g + v) / 8 * 8) + v) + 1;
}

/* Commit generation g. */
static void commit(struct world *w, uint64_t g)
{
	for (unsigned v = 0; v < PAGES; v++)
		if (v < 10 || (g + v) % 8 == 0 || g == 1)
			assert_int_equal(do_put(&w->b, 16, v, content_of(g, v)), STORE_OK);
	assert_int_equal(do_commit(&w->b, g), STORE_OK);
	assert_int_equal(store_generation(w->b.st), g);
}

static void commits(struct world *w, uint64_t from, uint64_t to)
{
	for (uint64_t g = from; g <= to; g++)
		commit(w, g);
}

static void expect_here(struct world *w, uint64_t g)
{
	assert_int_equal(store_generation(w->b.st), g);
	for (unsigned v = 0; v < PAGES; v++)
		assert_int_equal(expect_page(&w->b, 16, v, content_of(g, v)), 0);
	assert_int_equal(full_check(&w->b, NULL, true), 0);
}

static void expect_mounts(struct world *w, uint64_t g)
{
	assert_int_equal(bench_mount(&w->b, g), STORE_OK);
	expect_here(w, g);
}

/* The kept generations are these, newest first, up to a zero. */
static void expect_kept(struct world *w, const uint64_t *want)
{
	struct store_generation list[STORE_KEPT_MAX];
	uint32_t n = store_generations(w->b.st, list, STORE_KEPT_MAX), i;

	for (i = 0; want[i]; i++) {
		assert_true(i < n);
		assert_int_equal(list[i].generation, want[i]);
	}
	assert_int_equal(n, i);
}
#define KEPT(w, ...) expect_kept(w, (const uint64_t[]){ __VA_ARGS__, 0 })

static struct store_generation info_of(struct world *w, uint64_t generation)
{
	struct store_generation list[STORE_KEPT_MAX];
	uint32_t n = store_generations(w->b.st, list, STORE_KEPT_MAX);

	for (uint32_t i = 0; i < n; i++)
		if (list[i].generation == generation)
			return list[i];
	fail_msg("generation %llu is not kept", (unsigned long long)generation);
	abort();
}

static void flip(struct world *w, uint64_t block)
{
	uint8_t page[4096];

	sim_image_get(&w->im, block, page);
	page[1234] ^= 0x10;
	sim_image_put(&w->im, block, page);
}

static struct fmt_super super_of(struct world *w, unsigned slot)
{
	static _Alignas(64) struct fmt_super s;

	sim_image_get(&w->im, FMT_SUPER_BLOCK(slot), &s);
	return s;
}

/* ---- How many are kept ---- */

static void test_default(void **state)
{
	struct world w;

	(void)state;
	world_make(&w, BLOCKS);
	assert_int_equal(store_kept(w.b.st), 8);
	commits(&w, 1, 3);
	KEPT(&w, 3, 2, 1);
	commits(&w, 4, 20);
	KEPT(&w, 20, 19, 18, 17, 16, 15, 14, 13);
	assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
	KEPT(&w, 20, 19, 18, 17, 16, 15, 14, 13);
	for (uint64_t g = 13; g <= 20; g++)
		expect_mounts(&w, g);
	assert_int_equal(bench_mount(&w.b, 12), STORE_NO_GENERATION);
	assert_int_equal(bench_mount(&w.b, 21), STORE_NO_GENERATION);
	world_end(&w);
}

static void test_keep(void **state)
{
	struct world w;

	(void)state;
	world_make(&w, BLOCKS);
	assert_int_equal(store_keep(w.b.st, 0), STORE_EINVAL);
	assert_int_equal(store_keep(w.b.st, STORE_KEEP_MAX + 1), STORE_EINVAL);
	assert_int_equal(store_keep(w.b.st, 1), STORE_OK);
	commits(&w, 1, 4);
	KEPT(&w, 4);
	assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
	assert_int_equal(store_kept(w.b.st), 1);
	assert_int_equal(store_keep(w.b.st, STORE_KEEP_MAX), STORE_OK);
	commits(&w, 5, 80);
	assert_int_equal(store_generations(w.b.st, NULL, 0), STORE_KEEP_MAX);
	assert_int_equal(w.b.st->table_count, (STORE_KEEP_MAX - 1 + 6) / 7);
	for (uint64_t g = 17; g <= 80; g += 9)
		expect_mounts(&w, g);
	assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
	assert_int_equal(store_keep(w.b.st, 3), STORE_OK);
	commit(&w, 81);
	KEPT(&w, 81, 80, 79);
	world_end(&w);
}

/* With one kept, the superblock before is a second leg to stand on all the same. */
static void test_keep_one_falls_back(void **state)
{
	struct world w;

	(void)state;
	world_make(&w, BLOCKS);
	assert_int_equal(store_keep(w.b.st, 1), STORE_OK);
	commits(&w, 1, 9);
	for (unsigned v = 0; v < PAGES; v++)            /* the next one is being prepared */
		assert_int_equal(do_put(&w.b, 16, v, 5), STORE_OK);
	flip(&w, FMT_SUPER_BLOCK(9 % 2));
	assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
	assert_true(w.b.mount.fell_back);
	expect_here(&w, 8);
	world_end(&w);
}

/* ---- Names and drops ---- */

static void test_names(void **state)
{
	static const char *const bad[] = { "12", "0", "a b", "a/b", "a\n", "\xc3\xa4", "0123456789012345678901234567890a" };
	struct world w;

	(void)state;
	world_make(&w, BLOCKS);
	commits(&w, 1, 3);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(store_name(w.b.st, 2, bad[i]), STORE_EINVAL);
	assert_int_equal(store_name(w.b.st, 9, "a"), STORE_NO_GENERATION);
	assert_int_equal(store_name(w.b.st, 2, "before-the-1.st_try"), STORE_OK);
	assert_int_equal(store_name(w.b.st, 3, "before-the-1.st_try"), STORE_EINVAL);
	assert_int_equal(store_name(w.b.st, 2, "before-the-1.st_try"), STORE_OK);
	assert_int_equal(store_name(w.b.st, 3, "012345678901234567890123456789a"), STORE_OK);
	assert_string_equal(info_of(&w, 2).name, "before-the-1.st_try");
	assert_int_equal(info_of(&w, 2).flags, STORE_GEN_NAMED);
	/* Not durable before the commit. */
	assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
	assert_string_equal(info_of(&w, 2).name, "");
	assert_int_equal(store_name(w.b.st, 2, "two"), STORE_OK);
	commits(&w, 4, 30);
	KEPT(&w, 30, 29, 28, 27, 26, 25, 24, 23, 2);
	assert_int_equal(store_mount_named(w.b.st, "tw", &w.b.mount), STORE_NO_GENERATION);
	assert_int_equal(store_mount_named(w.b.st, "", &w.b.mount), STORE_NO_GENERATION);
	assert_int_equal(store_mount_named(w.b.st, "two", &w.b.mount), STORE_OK);
	assert_int_equal(w.b.mount.generation, 2);
	assert_int_equal(w.b.mount.newest, 30);
	expect_here(&w, 2);
	/* Without its name it is one of the old ones. */
	assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
	assert_int_equal(store_name(w.b.st, 2, ""), STORE_OK);
	assert_int_equal(info_of(&w, 2).flags, 0);
	commit(&w, 31);
	KEPT(&w, 31, 30, 29, 28, 27, 26, 25, 24);
	world_end(&w);
}

/* A generation is named at every moment of the commit that leaves it out of its table: it stays, or the name is refused. */
static void test_named_during_a_commit(void **state)
{
	unsigned refused = 0, steps = 0;
	bool over = false;

	(void)state;
	for (unsigned until = 0; !over; until++) {
		uint8_t user[STORE_USER_BYTES] = { 0 };
		struct store_op op = { 0 };
		struct world w;
		int named;

		world_make(&w, BLOCKS);
		commits(&w, 1, 8);
		assert_int_equal(do_put(&w.b, 16, 0, content_of(9, 0)), STORE_OK);
		assert_int_equal(store_begin(w.b.st, user), STORE_OK);
		assert_int_equal(store_commit(w.b.st, &op), STORE_PENDING);
		for (steps = 0; steps < until && op.status == STORE_PENDING; steps++)
			if (!store_work(w.b.st) && op.status == STORE_PENDING)
				w.b.sim.dev.wait(&w.b.sim.dev);
		over = op.status != STORE_PENDING;
		named = store_name(w.b.st, 1, "late");
		refused += named != STORE_OK;
		assert_int_equal(store_sync(w.b.st, &op, op.status), STORE_OK);
		for (uint64_t g = 10; g < 14; g++)
			commit(&w, g);
		assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
		assert_int_equal(store_mount_named(w.b.st, "late", &w.b.mount),
				 named == STORE_OK ? STORE_OK : STORE_NO_GENERATION);
		if (named == STORE_OK)
			expect_here(&w, 1);
		world_end(&w);
	}
	assert_true(steps > 8 && refused <= 1);
}

static void test_too_many_names(void **state)
{
	struct world w;
	char name[32];

	(void)state;
	world_make(&w, 4 * BLOCKS);
	for (uint64_t g = 1; g <= STORE_FIXED_MAX; g++) {
		commit(&w, g);
		snprintf(name, sizeof(name), "g%llu", (unsigned long long)g);
		assert_int_equal(store_name(w.b.st, g, name), STORE_OK);
	}
	commit(&w, 64);
	assert_int_equal(store_name(w.b.st, 64, "one-more"), STORE_TOO_MANY);
	assert_int_equal(store_name(w.b.st, 5, "another-name"), STORE_OK);
	commits(&w, 65, 80);
	assert_int_equal(store_generations(w.b.st, NULL, 0), STORE_KEPT_MAX);
	/* Resuming one that would pin more than there is room for. */
	assert_int_equal(bench_mount(&w.b, 79), STORE_TOO_MANY);
	assert_int_equal(store_mount_named(w.b.st, "g63", &w.b.mount), STORE_TOO_MANY);
	assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
	for (uint64_t g = 1; g < 9; g++)
		assert_int_equal(store_drop(w.b.st, g), STORE_OK);
	commit(&w, 81);
	expect_mounts(&w, 63);
	expect_mounts(&w, 79);
	world_end(&w);
}

/* More pinned ones than can be kept, as falling back again and again makes them: the oldest goes, and that is said. */
static void test_too_many_pins(void **state)
{
	struct store_skipped r;
	struct world w;

	(void)state;
	world_make(&w, BLOCKS);
	assert_int_equal(store_keep(w.b.st, STORE_KEEP_MAX), STORE_OK);
	for (uint64_t g = 1; g <= STORE_KEPT_MAX + 1; g++) {
		commit(&w, g);
		for (uint32_t i = 0; i < w.b.st->kept_count; i++)
			w.b.st->kept[i].flags = STORE_GEN_PINNED;
		assert_int_equal(store_report(w.b.st, &r), g == STORE_KEPT_MAX + 1);
	}
	assert_int_equal(r.generation, 1);
	assert_int_equal(r.status, STORE_TOO_MANY);
	assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
	expect_here(&w, STORE_KEPT_MAX + 1);
	assert_int_equal(store_generations(w.b.st, NULL, 0), STORE_KEPT_MAX);
	world_end(&w);
}

static void test_drop(void **state)
{
	struct store_stats before, after;
	struct world w;

	(void)state;
	world_make(&w, BLOCKS);
	commits(&w, 1, 5);
	assert_int_equal(store_name(w.b.st, 2, "two"), STORE_OK);
	commit(&w, 6);
	store_stats(w.b.st, &before);
	assert_int_equal(before.kept, 6);
	assert_int_equal(store_drop(w.b.st, 6), STORE_EINVAL);
	assert_int_equal(store_drop(w.b.st, 7), STORE_NO_GENERATION);
	assert_int_equal(store_drop(w.b.st, 2), STORE_OK);
	assert_int_equal(store_drop(w.b.st, 2), STORE_NO_GENERATION);
	assert_int_equal(store_drop(w.b.st, 4), STORE_OK);
	KEPT(&w, 6, 5, 3, 1);
	/* Without a commit nothing was dropped. */
	assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
	KEPT(&w, 6, 5, 4, 3, 2, 1);
	for (uint64_t g = 1; g < 6; g++)
		assert_int_equal(store_drop(w.b.st, g), STORE_OK);
	KEPT(&w, 6);
	/* Needs no put; what they held is free once the superblock before is overwritten as well. */
	assert_int_equal(do_commit(&w.b, 7), STORE_OK);
	assert_int_equal(do_commit(&w.b, 8), STORE_OK);
	store_stats(w.b.st, &after);
	assert_true(after.free > before.free + 50);
	KEPT(&w, 8, 7, 6);
	assert_int_equal(bench_mount(&w.b, 3), STORE_NO_GENERATION);
	world_end(&w);
}

/* The name of a generation that was dropped can be given again. */
static void test_name_moves(void **state)
{
	struct world w;

	(void)state;
	world_make(&w, BLOCKS);
	commits(&w, 1, 3);
	assert_int_equal(store_name(w.b.st, 1, "good"), STORE_OK);
	commit(&w, 4);
	assert_int_equal(store_drop(w.b.st, 1), STORE_OK);
	assert_int_equal(store_name(w.b.st, 3, "good"), STORE_OK);
	commit(&w, 5);
	assert_int_equal(store_mount_named(w.b.st, "good", &w.b.mount), STORE_OK);
	expect_here(&w, 3);
	world_end(&w);
}

/* ---- Going back ---- */

static void test_resume_pins_the_newer(void **state)
{
	struct world w;

	(void)state;
	world_make(&w, BLOCKS);
	commits(&w, 1, 9);
	assert_int_equal(bench_mount(&w.b, 5), STORE_OK);
	assert_int_equal(info_of(&w, 9).flags, STORE_GEN_PINNED);
	assert_int_equal(info_of(&w, 5).flags, 0);
	/* Nothing was written: the newest is still the newest. */
	assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
	expect_here(&w, 9);
	assert_int_equal(info_of(&w, 8).flags, 0);
	assert_int_equal(bench_mount(&w.b, 5), STORE_OK);
	commits(&w, 10, 30);
	KEPT(&w, 30, 29, 28, 27, 26, 25, 24, 23, 9, 8, 7, 6);
	assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
	expect_here(&w, 30);
	KEPT(&w, 30, 29, 28, 27, 26, 25, 24, 23, 9, 8, 7, 6);
	assert_int_equal(info_of(&w, 9).parent, 8);
	for (uint64_t g = 6; g <= 9; g++) {
		expect_mounts(&w, g);
		assert_int_equal(info_of(&w, 9).flags, STORE_GEN_PINNED);
	}
	/* To the pinned branch, and on from there: now the other one is pinned. */
	assert_int_equal(bench_mount(&w.b, 9), STORE_OK);
	commit(&w, 31);
	assert_int_equal(info_of(&w, 31).parent, 9);
	KEPT(&w, 31, 30, 29, 28, 27, 26, 25, 24, 23, 9, 8, 7, 6);
	assert_int_equal(store_drop(w.b.st, 30), STORE_OK);
	commits(&w, 32, 45);
	KEPT(&w, 45, 44, 43, 42, 41, 40, 39, 38, 29, 28, 27, 26, 25, 24, 23, 9, 8, 7, 6);
	for (uint64_t g = 23; g <= 29; g++)
		expect_mounts(&w, g);
	world_end(&w);
}

/* ---- Damage ---- */

/* The newest generation's table is damaged: everything is still there, by the other superblock's. */
static void test_damaged_table(void **state)
{
	struct world w;
	uint64_t block;

	(void)state;
	world_make(&w, BLOCKS);
	commits(&w, 1, 5);
	assert_int_equal(store_name(w.b.st, 1, "one"), STORE_OK);
	commits(&w, 6, 20);
	block = super_of(&w, 0).gen.table.block;
	flip(&w, block);
	assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
	assert_false(w.b.mount.fell_back);
	assert_int_equal(w.b.mount.table_block, block);
	assert_non_null(w.b.mount.table_why);
	assert_false(w.b.mount.table_lost);
	for (unsigned v = 0; v < PAGES; v++)
		assert_int_equal(expect_page(&w.b, 16, v, content_of(20, v)), 0);
	KEPT(&w, 20, 19, 18, 17, 16, 15, 14, 13, 12, 1);
	assert_int_equal(store_mount_named(w.b.st, "one", &w.b.mount), STORE_OK);
	expect_here(&w, 1);
	/* Both: the two that superblocks lead to are left. */
	flip(&w, super_of(&w, 1).gen.table.block);
	assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
	assert_true(w.b.mount.table_lost);
	KEPT(&w, 20, 19);
	commits(&w, 21, 22);
	assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
	assert_null(w.b.mount.table_why);
	KEPT(&w, 22, 21, 20, 19);
	for (unsigned v = 0; v < PAGES; v++)
		assert_int_equal(expect_page(&w.b, 16, v, content_of(22, v)), 0);
	world_end(&w);
}

/* The first table there is; the other superblock has none. */
static void test_damaged_first_table(void **state)
{
	struct world w;

	(void)state;
	world_make(&w, BLOCKS);
	commits(&w, 1, 2);
	flip(&w, super_of(&w, 0).gen.table.block);
	assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
	KEPT(&w, 2, 1);
	assert_int_equal(w.b.mount.generation, 2);
	world_end(&w);
}

/* A chain of tables of which one in the middle is damaged. */
static void test_damaged_chain(void **state)
{
	struct world w;
	static _Alignas(4096) struct fmt_gens t;

	(void)state;
	world_make(&w, BLOCKS);
	assert_int_equal(store_keep(w.b.st, 30), STORE_OK);
	commits(&w, 1, 40);
	sim_image_get(&w.im, super_of(&w, 0).gen.table.block, &t);
	flip(&w, t.next.block);
	assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
	assert_int_equal(w.b.mount.table_block, t.next.block);
	assert_false(w.b.mount.table_lost);
	assert_int_equal(store_generations(w.b.st, NULL, 0), 31);
	expect_mounts(&w, 11);
	/* The superblock before is gone as well: what the first table block names is left. */
	flip(&w, FMT_SUPER_BLOCK(1));
	assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
	assert_true(w.b.mount.table_lost);
	KEPT(&w, 40, 39, 38, 37, 36, 35, 34, 33);
	assert_int_equal(bench_mount(&w.b, 33), STORE_OK);
	world_end(&w);
}

static void set_old(struct fmt_super *s)
{
	s->features_incompat = 0;
	s->keep = 0;
	s->gen.base = s->gen.base_freed = 0;
}

/* Roots of generations 20 .. `until` + 1 are damaged, each in another way. */
static void damage_roots(struct world *w, uint64_t until)
{
	for (uint64_t g = 20; g > until; g--) {
		const struct fmt_generation *k = &kept_find(w->b.st, g)->g;

		flip(w, g % 2 ? k->clients.root.block : k->map.root.block);
	}
}

static void test_falls_back_over_many(void **state)
{
	struct world w;

	(void)state;
	for (uint64_t until = 19; until >= 13; until--) {
		world_make(&w, BLOCKS);
		commits(&w, 1, 20);
		damage_roots(&w, until);
		assert_int_equal(bench_mount(&w.b, 20), STORE_DAMAGED);
		assert_int_equal(w.b.mount.skipped[0].generation, 20);
		assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
		assert_true(w.b.mount.fell_back);
		assert_int_equal(w.b.mount.newest, 20);
		assert_true(w.b.mount.skipped_count >= 20 - until);
		for (unsigned i = 0; i < 20 - until; i++) {
			assert_int_equal(w.b.mount.skipped[i].generation, 20 - i);
			assert_int_equal(w.b.mount.skipped[i].status, STORE_DAMAGED);
			assert_non_null(w.b.mount.skipped[i].why);
			assert_true(w.b.mount.skipped[i].block >= FMT_DATA_START);
		}
		expect_here(&w, until);
		commit(&w, 21);
		assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
		assert_int_equal(w.b.mount.generation, 21);
		assert_int_equal(w.b.mount.parent, until);
		expect_mounts(&w, until);
		world_end(&w);
	}
}

/* The newest cannot say any more which blocks it uses, an older one is gone on with, and the power fails in the middle of
 * the superblock of the first commit: what the newest superblock's table names is there. */
static void test_table_of_a_lost_generation(void **state)
{
	(void)state;
	for (uint64_t want = 0; want < 8; want += 5) {
		unsigned pages = 0;
		struct world w;
		struct kept *k;

		world_make(&w, BLOCKS);
		commits(&w, 1, 8);
		k = kept_find(w.b.st, 8);
		flip(&w, k->g.delta.block ? k->g.delta.block : k->g.map.root.block);
		assert_int_equal(bench_mount(&w.b, want), STORE_OK);
		assert_int_equal(w.b.mount.generation, want ? want : 7);
		assert_int_equal(store_keep(w.b.st, 64), STORE_OK);
		while (do_put(&w.b, 17, pages, 5) == STORE_OK)
			pages++;
		assert_true(pages > BLOCKS / 2);
		flip(&w, FMT_SUPER_BLOCK(1 - w.b.st->slot));
		assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
		assert_null(w.b.mount.table_why);
		expect_here(&w, 7);
		if (want)
			expect_mounts(&w, want);
		world_end(&w);
	}
}

/* The root of a client is damaged in the newest only; the same for all: then the newest is better than nothing. */
static void test_falls_back_for_a_client(void **state)
{
	static _Alignas(4096) uint8_t page[4096];
	struct world w;

	(void)state;
	world_make(&w, BLOCKS);
	assert_int_equal(do_put(&w.b, 3, 300, 7), STORE_OK);
	commits(&w, 1, 4);
	sim_image_get(&w.im, super_of(&w, 0).gen.clients.root.block, page);
	flip(&w, ((struct fmt_client *)page)[16].tree.root.block);
	assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
	expect_here(&w, 3);
	assert_int_equal(w.b.mount.skipped[0].generation, 4);
	assert_int_equal(w.b.mount.skipped[0].block, ((struct fmt_client *)page)[16].tree.root.block);
	flip(&w, ((struct fmt_client *)page)[16].tree.root.block);
	flip(&w, ((struct fmt_client *)page)[3].tree.root.block);
	assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
	assert_int_equal(w.b.mount.generation, 4);
	assert_false(w.b.mount.fell_back);
	assert_int_equal(w.b.mount.skipped_count, 4);
	assert_int_equal(expect_page(&w.b, 16, 3, content_of(4, 3)), 0);
	world_end(&w);
}

/* Written by the code before generations were kept: no table bit, no bases, one record. */
static void test_store_of_before(void **state)
{
	static _Alignas(64) struct fmt_super s;
	struct world w;

	(void)state;
	world_make(&w, BLOCKS);
	assert_int_equal(store_keep(w.b.st, 2), STORE_OK);
	commits(&w, 1, 6);
	for (unsigned slot = 0; slot < 2; slot++) {
		s = super_of(&w, slot);
		set_old(&s);
		super_seal(&s);
		sim_image_put(&w.im, FMT_SUPER_BLOCK(slot), &s);
	}
	expect_mounts(&w, 5);
	assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
	KEPT(&w, 6, 5);
	expect_here(&w, 6);
	commits(&w, 7, 9);
	KEPT(&w, 9, 8, 7, 6, 5);
	for (uint64_t g = 5; g <= 9; g++)
		expect_mounts(&w, g);
	/* Its newest superblock is lost: the record in the table of the other is not to be trusted. */
	world_end(&w);
	world_make(&w, BLOCKS);
	assert_int_equal(store_keep(w.b.st, 2), STORE_OK);
	commits(&w, 1, 6);
	s = super_of(&w, 1);
	set_old(&s);
	super_seal(&s);
	sim_image_put(&w.im, FMT_SUPER_BLOCK(1), &s);
	flip(&w, FMT_SUPER_BLOCK(0));
	assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
	KEPT(&w, 5);
	world_end(&w);
}

static void test_table_needs_its_bit(void **state)
{
	struct world w;

	(void)state;
	world_make(&w, BLOCKS);
	commit(&w, 1);
	assert_int_equal(super_of(&w, 1).features_incompat, 0);
	commit(&w, 2);
	assert_int_equal(super_of(&w, 0).features_incompat, FMT_INCOMPAT_TABLE);
	world_end(&w);
}

/* ---- Damaged maps ---- */

/* What the store has to report about a generation whose map is damaged: first that, then, if it goes for it, that. */
static void expect_report(struct world *w, uint64_t generation, uint64_t block)
{
	struct store_skipped r = { 0 };

	assert_true(store_report(w->b.st, &r));
	assert_int_equal(r.generation, generation);
	assert_int_equal(r.block, block);
	assert_int_equal(r.status, STORE_DAMAGED);
	assert_non_null(r.why);
}

/* Generations 1 to 12, with 3 and 5 named; mounted anew, with a damaged map root of generation `old`: its block. */
static uint64_t old_map_damaged(struct world *w, uint64_t blocks, uint64_t old)
{
	struct store_skipped r;
	uint64_t block;

	world_make(w, blocks);
	for (uint64_t g = 1; g <= 12; g++) {
		commit(w, g);
		if (g == 3 || g == 5)
			assert_int_equal(store_name(w->b.st, g, g == 3 ? "three" : "five"), STORE_OK);
	}
	block = kept_find(w->b.st, old)->g.map.root.block;
	assert_int_equal(bench_mount(&w->b, 0), STORE_OK);
	store_full_commits(w->b.st, true);
	flip(w, block);
	assert_false(store_report(w->b.st, &r));
	return block;
}

/* Nobody knows which blocks an old generation uses. Where there is no other room it goes: the others stay, and so does
 * the current state. */
static void test_damaged_old_map(void **state)
{
	(void)state;
	for (unsigned named = 0; named < 2; named++) {
		struct store_skipped r;
		struct world w;
		uint64_t old = named ? 3 : 9, block = old_map_damaged(&w, BLOCKS, old);

		commit(&w, 13);
		expect_report(&w, old, block);
		expect_report(&w, old, block);
		assert_false(store_report(w.b.st, &r));
		expect_mounts(&w, 13);
		if (named)
			KEPT(&w, 13, 12, 11, 10, 9, 8, 7, 6, 5);
		else
			KEPT(&w, 13, 12, 11, 10, 8, 7, 6, 5, 4, 3);
		for (uint64_t g = 14; g <= 40; g++)
			commit(&w, g);
		assert_false(store_report(w.b.st, &r));
		expect_mounts(&w, 5);
		world_end(&w);
	}
}

/* Both named ones have such a page; the one is found after the other. */
static void test_damaged_old_maps(void **state)
{
	struct world w;

	(void)state;
	old_map_damaged(&w, BLOCKS, 3);
	flip(&w, kept_find(w.b.st, 5)->g.map.root.block);
	flip(&w, kept_find(w.b.st, 7)->g.map.root.block);
	commits(&w, 13, 14);
	expect_mounts(&w, 14);
	KEPT(&w, 14, 13, 12, 11, 10, 9, 8, 6);
	commits(&w, 15, 30);
	expect_mounts(&w, 30);
	world_end(&w);
}

/* Where there is other room the generation stays, and can be read; the region is not used while it does. */
static void test_damaged_old_map_with_room(void **state)
{
	struct world w;
	struct store_skipped r;
	uint64_t block;

	(void)state;
	block = old_map_damaged(&w, 3 * FMT_MAP_BITS, 3);
	commit(&w, 13);
	expect_report(&w, 3, block);
	for (uint64_t g = 14; g <= 20; g++)
		commit(&w, g);
	assert_false(store_report(w.b.st, &r));
	assert_int_equal(info_of(&w, 3).flags, STORE_GEN_NAMED);
	expect_mounts(&w, 20);
	/* No room but there. */
	store_full_commits(w.b.st, true);
	w.b.st->region[0] = 0;
	commit(&w, 21);
	expect_report(&w, 3, block);
	for (uint64_t i = 1; i < w.b.st->regions; i++)
		w.b.st->region[i] |= REGION_FULL;
	w.b.st->win.free = 0;
	commit(&w, 22);
	expect_report(&w, 3, block);
	assert_null(kept_find(w.b.st, 3));
	expect_mounts(&w, 22);
	world_end(&w);
}

/* ---- Differences ---- */

static void put_all(struct world *w, const uint32_t *now, const uint32_t *before)
{
	for (unsigned slot = 0; slot < MODEL_PAGES; slot++) {
		uint32_t client;
		uint64_t vpn;

		if (now[slot] == before[slot])
			continue;
		model_name(slot, &client, &vpn);
		assert_int_equal(do_put(&w->b, client, vpn, now[slot]), STORE_OK);
	}
}

/* store_diff finds what a comparison of the contents finds, in order, and nothing else. */
static void expect_diff(struct world *w, uint64_t a, uint64_t b, const uint32_t *in_a, const uint32_t *in_b)
{
	struct store_op op = { 0 };
	unsigned found = 0, expected = 0;
	uint64_t last = 0;
	int status;

	for (unsigned slot = 0; slot < MODEL_PAGES; slot++)
		expected += in_a[slot] != in_b[slot];
	while ((status = store_sync(w->b.st, &op, store_diff(w->b.st, &op, a, b))) == STORE_OK) {
		int slot = model_slot(op.client, op.vpn);
		uint64_t place = (uint64_t)op.client << STORE_VPN_BITS | op.vpn;

		assert_true(slot >= 0 && in_a[slot] != in_b[slot]);
		assert_int_equal(!op.old_block, !in_a[slot]);
		assert_int_equal(!op.block, !in_b[slot]);
		assert_int_equal(op.hole, !in_b[slot]);
		assert_true(!found++ || place > last);
		last = place;
		op.vpn++;
	}
	assert_int_equal(status, STORE_END);
	assert_int_equal(found, expected);
}

/* A world of six generations, of which was[] is told the contents, each compared with each. */
static void diff_world(struct world *w, uint32_t was[6][MODEL_PAGES], uint64_t seed)
{
	world_make(w, 4 * BLOCKS);
	memset(was[0], 0, sizeof(was[0]));
	for (unsigned g = 1; g < 6; g++) {
		memcpy(was[g], was[g - 1], sizeof(was[g]));
		for (unsigned n = g == 3 ? 3 : 400; n; n--)
			was[g][sim_below(&seed, MODEL_PAGES)] = sim_below(&seed, 4) ? (uint32_t)sim_below(&seed, 1u << 30) : 0;
		put_all(w, was[g], was[g - 1]);
		assert_int_equal(do_commit(&w->b, g), STORE_OK);
	}
	for (unsigned a = 0; a < 6; a++)
		for (unsigned b = 0; b < 6; b++)
			expect_diff(w, a, b, was[a], was[b]);
}

/* A walk that gives way at the very end of a client goes on with the next client, not with the same one anew: it depends
 * on how many nodes lie before. */
static void test_diff_gives_way(void **state)
{
	static uint32_t was[6][MODEL_PAGES];
	struct world w;

	(void)state;
	for (uint64_t seed = base_seed; seed < base_seed + 6; seed++) {
		diff_world(&w, was, seed);
		world_end(&w);
	}
}

static void test_diff(void **state)
{
	static uint32_t was[6][MODEL_PAGES];
	struct store_op op = { 0 };
	struct world w;
	uint64_t reads;

	(void)state;
	diff_world(&w, was, base_seed + 7);
	/* Equal subtrees are not read. */
	assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
	reads = w.b.sim.reads;
	expect_diff(&w, 4, 4, was[4], was[4]);
	assert_int_equal(w.b.sim.reads, reads);
	expect_diff(&w, 2, 3, was[2], was[3]);
	print_message("           3 pages of %u: %llu blocks read\n", MODEL_PAGES,
		      (unsigned long long)(w.b.sim.reads - reads));
	assert_true(w.b.sim.reads - reads <= 40);
	assert_int_equal(store_sync(w.b.st, &op, store_diff(w.b.st, &op, 1, 77)), STORE_NO_GENERATION);
	op.vpn = STORE_VPN_END;
	op.client = STORE_CLIENTS - 1;
	assert_int_equal(store_sync(w.b.st, &op, store_diff(w.b.st, &op, 0, 5)), STORE_END);
	/* A page written anew with the same content does not differ. */
	assert_int_equal(do_put(&w.b, 16, 500, 9), STORE_OK);
	assert_int_equal(do_commit(&w.b, 6), STORE_OK);
	assert_int_equal(do_put(&w.b, 16, 500, 9), STORE_OK);
	assert_int_equal(do_commit(&w.b, 7), STORE_OK);
	op = (struct store_op){ 0 };
	assert_int_equal(store_sync(w.b.st, &op, store_diff(w.b.st, &op, 6, 7)), STORE_END);
	world_end(&w);
}

/* ---- Space ---- */

/* Blocks that kept generations use and the current state does not, counted in the maps. */
static uint64_t held_in_truth(struct world *w)
{
	static uint8_t any[64 * 4096], now[64 * 4096], page[4096];
	struct store *st = w->b.st;
	uint64_t held = 0;

	assert_true(st->regions <= 64 && !st->frees_count);
	memset(any, 0, sizeof(any));
	for (uint32_t i = 0; i <= st->kept_count; i++) {
		const struct fmt_tree *map = i < st->kept_count ? &st->kept[i].g.map : &st->last.map;
		uint8_t *to = i < st->kept_count ? any : now;

		if (i == st->kept_count)
			memset(now, 0, sizeof(now));
		assert_int_equal(map->height, 0);       /* one region */
		sim_image_get(&w->im, map->root.block, page);
		for (unsigned k = 0; k < 4096; k++)
			to[k] |= page[k];
	}
	for (unsigned k = 0; k < sizeof(any); k++)
		held += (uint64_t)__builtin_popcount(any[k] & ~now[k]);
	return held;
}

/* What the store says is held is never too little, whatever branches, drops and names there are; and with a single
 * line of generations without drops it is exact. */
static void test_held_is_a_bound(void **state)
{
	uint64_t seed = base_seed + 99;
	struct store_stats s;
	struct world w;

	(void)state;
	world_make(&w, 8 * BLOCKS);
	for (unsigned g = 1; g <= 12; g++) {
		for (unsigned n = 0; n < 60; n++)
			assert_int_equal(do_put(&w.b, 16, sim_below(&seed, 300), (uint32_t)sim_random(&seed) | 1), STORE_OK);
		assert_int_equal(do_range(&w.b, 16, 100 + g * 9, 100 + g * 12), STORE_OK);
		assert_int_equal(do_commit(&w.b, g), STORE_OK);
		store_stats(w.b.st, &s);
		assert_int_equal(s.held, held_in_truth(&w));
	}
	for (unsigned step = 0; step < 150; step++) {
		struct store_generation list[STORE_KEPT_MAX];
		uint32_t n = store_generations(w.b.st, list, STORE_KEPT_MAX);
		uint64_t g = list[sim_below(&seed, n)].generation;
		char name[16];

		snprintf(name, sizeof(name), "n%u", step);
		switch (sim_below(&seed, 6)) {
		case 0:
			if (n < 40)
				store_name(w.b.st, g, name);
			break;
		case 1:
		case 2:
			store_drop(w.b.st, g);
			break;
		case 3:
			store_keep(w.b.st, 1 + (uint32_t)sim_below(&seed, 12));
			break;
		case 4:
			if (n < 40)
				bench_mount(&w.b, g);
			break;
		default:
			bench_mount(&w.b, 0);
		}
		for (unsigned k = 0; k < 20; k++)
			assert_int_equal(do_put(&w.b, 16, sim_below(&seed, 300), (uint32_t)sim_random(&seed)), STORE_OK);
		assert_int_equal(do_commit(&w.b, 0), STORE_OK);
		store_stats(w.b.st, &s);
		assert_true(s.held >= held_in_truth(&w));
		assert_int_equal(full_check(&w.b, NULL, true), 0);
	}
	world_end(&w);
}

/* Blocks allocated and freed in the same commit are not held by anybody, and can be used in it again. */
static void test_rewritten_pages_take_no_room(void **state)
{
	struct store_stats s;
	struct world w;

	(void)state;
	world_make(&w, BLOCKS);
	commits(&w, 1, 2);
	for (uint32_t n = 0; n < 20000; n++)
		assert_int_equal(do_put(&w.b, 16, n % 200, n + 1), STORE_OK);
	assert_int_equal(do_commit(&w.b, 3), STORE_OK);
	store_stats(w.b.st, &s);
	assert_true(s.held < 120);
	assert_int_equal(s.held, held_in_truth(&w));
	for (uint32_t n = 0; n < 200; n++)
		assert_int_equal(expect_page(&w.b, 16, n, 19800 + n + 1), 0);
	assert_int_equal(full_check(&w.b, NULL, true), 0);
	world_end(&w);
}

/* Pages are put, most of the disk each time; what only unnamed generations hold goes in the middle of a commit. */
static void test_unnamed_ones_make_room(void **state)
{
	struct world w;

	(void)state;
	world_make(&w, BLOCKS);
	commits(&w, 1, 1);
	assert_int_equal(store_name(w.b.st, 1, "first"), STORE_OK);
	for (uint64_t g = 2; g < 12; g++) {
		for (unsigned v = 0; v < BLOCKS / 3; v++)
			assert_int_equal(do_put(&w.b, 17, v, (uint32_t)(g * 10000 + v)), STORE_OK);
		assert_int_equal(do_commit(&w.b, g), STORE_OK);
		assert_int_equal(store_generation(w.b.st), g);
		/* In the middle of the next commit: nothing that is still named has been touched. */
		for (unsigned v = 0; v < BLOCKS / 4; v++)
			assert_int_equal(do_put(&w.b, 17, v, (uint32_t)(g * 10000 + 5000 + v)), STORE_OK);
		assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
		assert_int_equal(w.b.mount.generation, g);
		assert_false(w.b.mount.fell_back);
		assert_int_equal(full_check(&w.b, NULL, true), 0);
		for (unsigned v = 0; v < BLOCKS / 3; v += 17)
			assert_int_equal(expect_page(&w.b, 17, v, (uint32_t)(g * 10000 + v)), 0);
	}
	expect_mounts(&w, 1);
	world_end(&w);
}

static void fill(struct world *w, uint32_t client, unsigned *pages, int until)
{
	int status;

	while ((status = do_put(&w->b, client, *pages, client * 10000 + *pages)) == STORE_OK)
		++*pages;
	assert_int_equal(status, until);
}

/* A full disk, and then: a range, a client, a named generation is dropped. Puts and commits go on. */
static void test_full_then_dropped(void **state)
{
	for (unsigned what = 0; what < 3; what++) {
		unsigned pages = 0, again = 0;
		struct world w;

		(void)state;
		world_make(&w, BLOCKS);
		assert_int_equal(do_put(&w.b, 3, 0, 1), STORE_OK);
		for (unsigned v = 0; what == 2 && v < 1200; v++)
			assert_int_equal(do_put(&w.b, 18, v, v + 1), STORE_OK);
		assert_int_equal(do_commit(&w.b, 1), STORE_OK);
		if (what == 2) {
			assert_int_equal(store_name(w.b.st, 1, "held"), STORE_OK);
			assert_int_equal(do_drop(&w.b, 18), STORE_OK);
			assert_int_equal(do_commit(&w.b, 2), STORE_OK);
		}
		for (unsigned n = 0; n < 3; n++) {
			while (store_reserve(w.b.st, 1) == STORE_OK)
				assert_int_equal(do_put(&w.b, 17, pages++, 5), STORE_OK);
			assert_int_equal(do_commit(&w.b, 3), STORE_OK);
		}
		if (what == 0)
			assert_int_equal(do_range(&w.b, 17, 0, 1000), STORE_OK);
		else if (what == 1)
			assert_int_equal(do_drop(&w.b, 17), STORE_OK);
		else
			assert_int_equal(store_drop(w.b.st, 1), STORE_OK);
		/* The pages that change beside: not promised, and still there is room for them, commit after commit. */
		for (unsigned g = 4; g < 9; g++) {
			for (unsigned v = 0; v < 40; v++)
				assert_int_equal(do_put(&w.b, 3, v, g * 100 + v), STORE_OK);
			assert_int_equal(do_commit(&w.b, g), STORE_OK);
		}
		assert_int_equal(store_reserve(w.b.st, 500), STORE_OK);
		for (; again < 500; again++)
			assert_int_equal(do_put(&w.b, 19, again, again + 1), STORE_OK);
		assert_int_equal(do_commit(&w.b, 9), STORE_OK);
		assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
		assert_int_equal(full_check(&w.b, NULL, true), 0);
		for (unsigned v = 0; v < again; v += 7)
			assert_int_equal(expect_page(&w.b, 19, v, v + 1), 0);
		world_end(&w);
	}
}

/* Full in the middle of a commit that cannot be completed: dropping a named generation sets it free at once. */
static void test_drop_helps_the_commit_under_way(void **state)
{
	unsigned pages = 0, more;
	struct world w;

	(void)state;
	world_make(&w, BLOCKS);
	for (unsigned v = 0; v < 1500; v++)
		assert_int_equal(do_put(&w.b, 18, v, v + 1), STORE_OK);
	assert_int_equal(do_commit(&w.b, 1), STORE_OK);
	assert_int_equal(store_name(w.b.st, 1, "big"), STORE_OK);
	assert_int_equal(do_drop(&w.b, 18), STORE_OK);
	assert_int_equal(do_commit(&w.b, 2), STORE_OK);
	fill(&w, 17, &pages, STORE_FULL);
	more = pages;
	assert_int_equal(store_drop(w.b.st, 1), STORE_OK);
	fill(&w, 17, &more, STORE_FULL);
	assert_true(more >= pages + 1400);
	assert_int_equal(do_commit(&w.b, 3), STORE_OK);
	assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
	for (unsigned v = 0; v < more; v++)
		assert_int_equal(expect_page(&w.b, 17, v, 170000 + v), 0);
	assert_int_equal(full_check(&w.b, NULL, true), 0);
	world_end(&w);
}

/* Eight generations that share few pages. */
static void thick_commits(struct world *w)
{
	for (uint64_t g = 1; g < 9; g++) {
		for (unsigned v = 0; v < 300; v++)
			assert_int_equal(do_put(&w->b, 17, v, (uint32_t)(g * 1000 + v)), STORE_OK);
		assert_int_equal(do_commit(&w->b, g), STORE_OK);
	}
}

/* Where the superblock says that it is worth looking for room there is little, and much where it was full when that was
 * written. No generation has to go for that, and there is one that cannot. */
static void test_room_below_the_hint(void **state)
{
	uint64_t pages = 0;
	struct world w;

	(void)state;
	world_make(&w, FMT_MAP_BITS + BLOCKS);
	assert_int_equal(store_keep(w.b.st, 1), STORE_OK);
	for (; pages < FMT_MAP_BITS; pages++)
		assert_int_equal(do_put(&w.b, 17, pages, 5), STORE_OK);
	assert_int_equal(do_commit(&w.b, 1), STORE_OK);
	assert_int_equal(do_range(&w.b, 17, 0, 20000), STORE_OK);
	assert_int_equal(do_commit(&w.b, 2), STORE_OK);
	assert_int_equal(store_name(w.b.st, 2, "stays"), STORE_OK);
	assert_int_equal(do_commit(&w.b, 3), STORE_OK);
	assert_int_equal(super_of(&w, 1).alloc_hint, 1);
	assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
	assert_int_equal(store_reserve(w.b.st, BLOCKS), STORE_OK);
	for (unsigned v = 0; v < BLOCKS; v++)
		assert_int_equal(do_put(&w.b, 18, v, v + 1), STORE_OK);
	assert_int_equal(do_commit(&w.b, 4), STORE_OK);
	KEPT(&w, 4, 2);
	assert_int_equal(full_check(&w.b, NULL, true), 0);
	world_end(&w);
}

/* A promise counts on what unnamed generations hold, and is kept. */
static void test_reserve_counts_on_unnamed(void **state)
{
	struct store_stats s;
	struct world w;

	(void)state;
	world_make(&w, BLOCKS);
	thick_commits(&w);
	store_stats(w.b.st, &s);
	assert_true(s.free < 2000 && s.held > 1500);
	assert_int_equal(store_reserve(w.b.st, 2600), STORE_OK);
	for (unsigned v = 0; v < 2600; v++)
		assert_int_equal(do_put(&w.b, 20, v, v + 1), STORE_OK);
	assert_int_equal(do_commit(&w.b, 9), STORE_OK);
	assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
	assert_int_equal(full_check(&w.b, NULL, true), 0);
	world_end(&w);
}

/* The same after falling back: the generation that is damaged stays, the old ones need not. */
static void test_promises_after_falling_back(void **state)
{
	uint64_t pages;
	struct world w;

	(void)state;
	world_make(&w, BLOCKS);
	thick_commits(&w);
	flip(&w, kept_find(w.b.st, 8)->g.clients.root.block);
	assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
	assert_int_equal(w.b.mount.generation, 7);
	while (store_reserve(w.b.st, 1) == STORE_OK)
		;
	pages = w.b.st->reserved;
	assert_true(pages > 2000);
	for (uint64_t v = 0; v < pages; v++)
		assert_int_equal(do_put(&w.b, 20, v, 7), STORE_OK);
	assert_int_equal(do_commit(&w.b, 9), STORE_OK);
	assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
	assert_int_equal(w.b.mount.generation, 9);
	assert_int_equal(full_check(&w.b, NULL, true), 0);
	assert_int_equal(info_of(&w, 8).flags, STORE_GEN_PINNED);
	world_end(&w);
}

/* Shedding is cut, or fails, at each of its writes: the newest generation is there at every moment, and everything
 * that is still named is whole. */
static void test_shedding_is_cut(void **state)
{
	for (unsigned n = 1; n <= 5; n++) {
		struct store_op op = { .client = 20 };
		static _Alignas(4096) uint8_t page[4096];
		struct sim_image copy;
		uint64_t errors = 0, super = 0;
		struct world w;
		struct bench b;

		(void)state;
		world_make(&w, BLOCKS);
		thick_commits(&w);
		model_fill(page, 3);
		op.buf = page;
		for (op.vpn = 0; op.vpn < 1900; op.vpn++) {
			if (!errors && !w.b.st->shed_left)
				super = w.b.sim.ops;
			int status = store_put(w.b.st, &op);

			if (!errors && w.b.st->shed_left) {     /* write, flush, write, flush: the n-th fails */
				w.b.sim.fail_at = super + n;
				errors++;
			}
			status = store_sync(w.b.st, &op, status);
			if (status == STORE_EIO) {
				errors++;
				sim_image_copy(&copy, &w.im);
				bench_open(&b, &copy, 1, 128);
				assert_int_equal(bench_mount(&b, 0), STORE_OK);
				assert_int_equal(b.mount.generation, 8);
				assert_int_equal(full_check(&b, NULL, true), 0);
				bench_close(&b);
				sim_image_free(&copy);
				op.vpn--;
				continue;
			}
			assert_int_equal(status, STORE_OK);
		}
		assert_true(errors >= (n <= 4 ? 2 : 1));
		assert_int_equal(do_commit(&w.b, 9), STORE_OK);
		for (uint32_t i = 0; i < w.b.st->kept_count; i++)
			assert_true(store_generations(w.b.st, NULL, 0) >= 2);
		assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
		assert_int_equal(full_check(&w.b, NULL, true), 0);
		assert_int_equal(bench_mount(&w.b, 8), STORE_OK);
		assert_int_equal(full_check(&w.b, NULL, true), 0);
		world_end(&w);
	}
}

/* A generation is named while shedding is under way: it stays, or the name is refused. */
static void test_named_while_shedding(void **state)
{
	unsigned refused = 0;

	(void)state;
	for (uint64_t g = 1; g < 9; g++) {
		static _Alignas(4096) uint8_t page[4096];
		struct store_op op = { .client = 20, .buf = page };
		int named = STORE_PENDING;
		struct world w;

		world_make(&w, BLOCKS);
		thick_commits(&w);
		model_fill(page, 3);
		for (; op.vpn < 1900; op.vpn++) {
			int status = store_put(w.b.st, &op);

			if (named == STORE_PENDING && w.b.st->shed_left)
				named = store_name(w.b.st, g, "late");
			assert_int_equal(store_sync(w.b.st, &op, status), STORE_OK);
		}
		assert_true(named == STORE_OK || named == STORE_NO_GENERATION);
		refused += named != STORE_OK;
		for (uint64_t n = 9; n < 12; n++)
			assert_int_equal(do_commit(&w.b, n), STORE_OK);
		assert_int_equal(store_mount_named(w.b.st, "late", &w.b.mount), named);
		if (named == STORE_OK) {
			assert_int_equal(w.b.mount.generation, g);
			assert_int_equal(full_check(&w.b, NULL, true), 0);
		}
		world_end(&w);
	}
	assert_in_range(refused, 1, 7);
}

static int in_full(void **state)
{
	(void)state;
	full_only = true;
	return 0;
}

static int with_deltas(void **state)
{
	(void)state;
	full_only = false;
	return 0;
}

/* ---- Damaged index nodes on the way of changes ---- */

/* A world with 40 pages of client 16 spread over 40 leaves, all of them cached or not; *leaf: the block of the leaf of
 * page 7 * 256. */
static void spread(struct world *w, uint64_t *leaf)
{
	static _Alignas(4096) uint8_t page[4096];
	struct fmt_ref root;

	world_make(w, BLOCKS);
	store_full_commits(w->b.st, true);
	for (unsigned v = 0; v < 40; v++)
		assert_int_equal(do_put(&w->b, 16, v * 256, v + 1), STORE_OK);
	assert_int_equal(do_put(&w->b, 16, 7 * 256 + 5, 705), STORE_OK);
	assert_int_equal(do_commit(&w->b, 1), STORE_OK);
	sim_image_get(&w->im, super_of(w, 1).gen.clients.root.block, page);
	root = ((struct fmt_client *)page)[16].tree.root;
	sim_image_get(&w->im, root.block, page);
	*leaf = ((struct fmt_node *)page)->entry[7].block;
	flip(w, *leaf);
	assert_int_equal(bench_mount(&w->b, 0), STORE_OK);
	store_full_commits(w->b.st, true);
}

static int put_mending(struct world *w, uint32_t client, uint64_t vpn, uint32_t content)
{
	static _Alignas(4096) uint8_t page[4096];
	struct store_op op = { .client = client, .vpn = vpn, .buf = page, .mend = true };

	model_fill(page, content);
	return store_sync(w->b.st, &op, store_put(w->b.st, &op));
}

/* Nothing but that put is held up by it, and nothing is lost that is not below it. */
static void test_damaged_node_holds_up_one_put(void **state)
{
	static _Alignas(4096) uint8_t page[4096];
	struct store_op op = { .client = 16, .vpn = 7 * 256, .buf = page };
	struct store_stats s;
	struct world w;
	uint64_t leaf;

	(void)state;
	spread(&w, &leaf);
	model_fill(page, 777);
	assert_int_equal(store_sync(w.b.st, &op, store_put(w.b.st, &op)), STORE_DAMAGED);
	assert_int_equal(op.block, leaf);
	for (unsigned v = 0; v < 40; v++)
		if (v != 7)
			assert_int_equal(do_put(&w.b, 16, v * 256, 100 + v), STORE_OK);
	assert_int_equal(do_commit(&w.b, 2), STORE_OK);
	assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
	assert_int_equal(expect_page(&w.b, 16, 7 * 256, 8), STORE_DAMAGED);
	for (unsigned v = 0; v < 40; v++)
		if (v != 7)
			assert_int_equal(expect_page(&w.b, 16, v * 256, 100 + v), 0);
	/* The reference was carried over as it is: with the bit flipped back everything is there. */
	flip(&w, leaf);
	assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
	assert_int_equal(full_check(&w.b, NULL, true), 0);
	assert_int_equal(expect_page(&w.b, 16, 7 * 256 + 5, 705), 0);
	flip(&w, leaf);
	/* Ordered to mend: the page is saved, the others of the leaf are lost, and say so. */
	assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
	assert_int_equal(put_mending(&w, 16, 7 * 256, 777), STORE_OK);
	assert_int_equal(do_commit(&w.b, 3), STORE_OK);
	for (unsigned remount = 0; remount < 2; remount++) {
		assert_int_equal(expect_page(&w.b, 16, 7 * 256, 777), 0);
		for (unsigned v = 1; v < 256; v++)
			assert_int_equal(expect_page(&w.b, 16, 7 * 256 + v, 705), STORE_DAMAGED);
		assert_int_equal(expect_page(&w.b, 16, 8 * 256, 108), 0);
		assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
	}
	/* Lost pages can be put again without an order, and removed. */
	assert_int_equal(do_put(&w.b, 16, 7 * 256 + 5, 71), STORE_OK);
	assert_int_equal(do_commit(&w.b, 4), STORE_OK);
	assert_int_equal(do_put(&w.b, 16, 7 * 256 + 6, 72), STORE_OK);
	assert_int_equal(do_remove(&w.b, 16, 7 * 256 + 7), STORE_OK);
	assert_int_equal(do_range(&w.b, 16, 7 * 256 + 8, 7 * 256 + 200), STORE_OK);
	assert_int_equal(do_commit(&w.b, 5), STORE_OK);
	assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
	for (unsigned v = 7; v < 200; v++)
		assert_int_equal(expect_page(&w.b, 16, 7 * 256 + v, 0), 0);
	assert_int_equal(expect_page(&w.b, 16, 7 * 256, 777), 0);
	assert_int_equal(expect_page(&w.b, 16, 7 * 256 + 5, 71), 0);
	assert_int_equal(expect_page(&w.b, 16, 7 * 256 + 6, 72), 0);
	assert_int_equal(expect_page(&w.b, 16, 7 * 256 + 200, 0), STORE_DAMAGED);
	store_stats(w.b.st, &s);
	assert_true(s.used < 100);
	/* An older generation still has the damaged leaf, not a mended one. */
	flip(&w, leaf);
	assert_int_equal(bench_mount(&w.b, 2), STORE_OK);
	assert_int_equal(full_check(&w.b, NULL, true), 0);
	assert_int_equal(expect_page(&w.b, 16, 7 * 256, 8), 0);
	world_end(&w);
}

/* The root of a client: every page below is behind it. */
static void test_damaged_root_is_mended(void **state)
{
	static _Alignas(4096) uint8_t page[4096];
	struct world w;
	uint64_t leaf;

	(void)state;
	spread(&w, &leaf);
	sim_image_get(&w.im, super_of(&w, 1).gen.clients.root.block, page);
	flip(&w, ((struct fmt_client *)page)[16].tree.root.block);
	assert_int_equal(bench_mount(&w.b, 1), STORE_OK);
	assert_int_equal(do_put(&w.b, 16, 3 * 256, 9), STORE_DAMAGED);
	assert_int_equal(put_mending(&w, 16, 3 * 256, 9), STORE_OK);
	assert_int_equal(put_mending(&w, 16, 200 * 256, 10), STORE_OK);
	assert_int_equal(do_commit(&w.b, 2), STORE_OK);
	assert_int_equal(bench_mount(&w.b, 2), STORE_OK);
	assert_int_equal(expect_page(&w.b, 16, 3 * 256, 9), 0);
	assert_int_equal(expect_page(&w.b, 16, 200 * 256, 10), 0);
	assert_int_equal(expect_page(&w.b, 16, 4 * 256, 5), STORE_DAMAGED);
	/* The whole client is dropped: nothing is left of the damage but the blocks nobody knows. */
	assert_int_equal(do_drop(&w.b, 16), STORE_OK);
	assert_int_equal(do_put(&w.b, 16, 4 * 256, 11), STORE_OK);
	assert_int_equal(do_commit(&w.b, 3), STORE_OK);
	assert_int_equal(bench_mount(&w.b, 3), STORE_OK);
	assert_int_equal(expect_page(&w.b, 16, 3 * 256, 0), 0);
	assert_int_equal(expect_page(&w.b, 16, 4 * 256, 11), 0);
	world_end(&w);
}

/* Removing what cannot be read: a range that takes in the damaged leaf, and one that takes in a part of it. */
static void test_removal_goes_over_damage(void **state)
{
	for (unsigned part = 0; part < 3; part++) {
		struct world w;
		uint64_t leaf;

		(void)state;
		spread(&w, &leaf);
		if (part < 2)
			assert_int_equal(do_range(&w.b, 16, part ? 7 * 256 + 100 : 5 * 256, 9 * 256), STORE_OK);
		else
			assert_int_equal(do_drop(&w.b, 16), STORE_OK);
		assert_int_equal(do_commit(&w.b, 2), STORE_OK);
		assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
		for (unsigned v = 0; v < 40; v++) {
			bool gone = part == 2 || (v >= 5 + 3 * part && v < 9);

			if (part != 1 || v != 7)
				assert_int_equal(expect_page(&w.b, 16, v * 256, gone ? 0 : v + 1), 0);
		}
		assert_int_equal(expect_page(&w.b, 16, 7 * 256 + 200, 0), 0);
		assert_int_equal(expect_page(&w.b, 16, 7 * 256 + 5, 0), part == 1 ? STORE_DAMAGED : 0);
		world_end(&w);
	}
}

/* A long removal: subtrees are cut off, the commit behind it does not wait for their leaves, and they are cleared
 * afterwards; a crash in between leaves them for the next boot. */
static void test_long_removal(void **state)
{
	for (unsigned what = 0; what < 3; what++) {
		struct store_stats before, after, end;
		struct store_op op = { .client = 16, .vpn = 256, .end = STORE_VPN_END };
		uint64_t reads;
		struct world w;

		(void)state;
		world_make(&w, 8 * BLOCKS);
		assert_int_equal(do_put(&w.b, 3, 5, 6), STORE_OK);
		assert_int_equal(do_commit(&w.b, 1), STORE_OK);
		assert_int_equal(do_commit(&w.b, 2), STORE_OK);
		store_stats(w.b.st, &before);
		for (uint64_t v = 0; v < 2000; v++)
			assert_int_equal(do_put(&w.b, 16, v * 4096, (uint32_t)v + 1), STORE_OK);
		assert_int_equal(do_commit(&w.b, 3), STORE_OK);
		assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
		reads = w.b.sim.reads;
		if (what == 0)
			assert_int_equal(do_drop(&w.b, 16), STORE_OK);
		else
			assert_int_equal(store_sync(w.b.st, &op, store_remove_range(w.b.st, &op)), STORE_OK);
		assert_int_equal(do_commit(&w.b, 4), STORE_OK);
		reads = w.b.sim.reads - reads;
		assert_true(reads < 500);
		for (uint64_t v = what != 0; v < 2000; v += 13)
			assert_int_equal(expect_page(&w.b, 16, v * 4096, 0), 0);
		store_stats(w.b.st, &after);
		assert_true(after.used > 1500);         /* they are still there, but nobody's */
		if (what == 2)
			assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
		assert_int_equal(full_check(&w.b, NULL, true), 0);
		assert_int_equal(do_put(&w.b, 16, 4096, 77), STORE_OK);
		while (store_work(w.b.st) || w.b.sim.pending_count)
			w.b.sim.dev.poll(&w.b.sim.dev);
		assert_int_equal(do_commit(&w.b, 5), STORE_OK);
		while (store_work(w.b.st) || w.b.sim.pending_count)
			w.b.sim.dev.poll(&w.b.sim.dev);
		assert_int_equal(do_commit(&w.b, 6), STORE_OK);
		store_stats(w.b.st, &end);
		assert_in_range(end.used, before.used, before.used + 40);
		assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
		assert_int_equal(full_check(&w.b, NULL, true), 0);
		assert_int_equal(expect_page(&w.b, 16, 4096, 77), 0);
		assert_int_equal(expect_page(&w.b, 16, 0, what ? 1 : 0), 0);
		assert_int_equal(expect_page(&w.b, 3, 5, 6), 0);
		world_end(&w);
	}
}

int main(void)
{
	const struct CMUnitTest full[] = {
		cmocka_unit_test(test_default),
		cmocka_unit_test(test_keep),
		cmocka_unit_test(test_keep_one_falls_back),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_named_during_a_commit),
		cmocka_unit_test(test_too_many_names),
		cmocka_unit_test(test_too_many_pins),
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_name_moves),
		cmocka_unit_test(test_resume_pins_the_newer),
		cmocka_unit_test(test_damaged_table),
		cmocka_unit_test(test_damaged_first_table),
		cmocka_unit_test(test_damaged_chain),
		cmocka_unit_test(test_falls_back_over_many),
		cmocka_unit_test(test_table_of_a_lost_generation),
		cmocka_unit_test(test_falls_back_for_a_client),
		cmocka_unit_test(test_store_of_before),
		cmocka_unit_test(test_table_needs_its_bit),
		cmocka_unit_test(test_damaged_old_map),
		cmocka_unit_test(test_damaged_old_maps),
		cmocka_unit_test(test_damaged_old_map_with_room),
		cmocka_unit_test(test_diff),
		cmocka_unit_test(test_diff_gives_way),
		cmocka_unit_test(test_held_is_a_bound),
		cmocka_unit_test(test_rewritten_pages_take_no_room),
		cmocka_unit_test(test_unnamed_ones_make_room),
		cmocka_unit_test(test_full_then_dropped),
		cmocka_unit_test(test_drop_helps_the_commit_under_way),
		cmocka_unit_test(test_reserve_counts_on_unnamed),
		cmocka_unit_test(test_promises_after_falling_back),
		cmocka_unit_test(test_room_below_the_hint),
		cmocka_unit_test(test_shedding_is_cut),
		cmocka_unit_test(test_named_while_shedding),
		cmocka_unit_test(test_damaged_node_holds_up_one_put),
		cmocka_unit_test(test_damaged_root_is_mended),
		cmocka_unit_test(test_removal_goes_over_damage),
		cmocka_unit_test(test_long_removal),
	};
	/* What does not depend on each generation's having index nodes of its own. */
	const struct CMUnitTest deltas[] = {
		{ "test_default, deltas", test_default, NULL, NULL, NULL },
		{ "test_keep, deltas", test_keep, NULL, NULL, NULL },
		{ "test_keep_one_falls_back, deltas", test_keep_one_falls_back, NULL, NULL, NULL },
		{ "test_names, deltas", test_names, NULL, NULL, NULL },
		{ "test_named_during_a_commit, deltas", test_named_during_a_commit, NULL, NULL, NULL },
		{ "test_name_moves, deltas", test_name_moves, NULL, NULL, NULL },
		{ "test_resume_pins_the_newer, deltas", test_resume_pins_the_newer, NULL, NULL, NULL },
		{ "test_damaged_table, deltas", test_damaged_table, NULL, NULL, NULL },
		{ "test_damaged_first_table, deltas", test_damaged_first_table, NULL, NULL, NULL },
		{ "test_damaged_chain, deltas", test_damaged_chain, NULL, NULL, NULL },
		{ "test_table_of_a_lost_generation, deltas", test_table_of_a_lost_generation, NULL, NULL, NULL },
		{ "test_table_needs_its_bit, deltas", test_table_needs_its_bit, NULL, NULL, NULL },
		{ "test_diff, deltas", test_diff, NULL, NULL, NULL },
		{ "test_diff_gives_way, deltas", test_diff_gives_way, NULL, NULL, NULL },
		{ "test_unnamed_ones_make_room, deltas", test_unnamed_ones_make_room, NULL, NULL, NULL },
		{ "test_full_then_dropped, deltas", test_full_then_dropped, NULL, NULL, NULL },
		{ "test_drop_helps_the_commit_under_way, deltas", test_drop_helps_the_commit_under_way, NULL, NULL, NULL },
		{ "test_reserve_counts_on_unnamed, deltas", test_reserve_counts_on_unnamed, NULL, NULL, NULL },
		{ "test_shedding_is_cut, deltas", test_shedding_is_cut, NULL, NULL, NULL },
		{ "test_named_while_shedding, deltas", test_named_while_shedding, NULL, NULL, NULL },
	};

	if (getenv("SEED"))
		base_seed = strtoull(getenv("SEED"), NULL, 0);
	if (getenv("FILTER"))
		cmocka_set_test_filter(getenv("FILTER"));
	return cmocka_run_group_tests(full, in_full, NULL) + cmocka_run_group_tests(deltas, with_deltas, NULL);
}
