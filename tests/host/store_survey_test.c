/* SPDX-License-Identifier: BSD-2-Clause
 * Property: the survey names every block of the tables, deltas and maps of all generations that must stay intact, the fixed blocks and the
 * clean nodes of the cache; it finds each of them whole, or not if a bit is flipped; a generation that goes meanwhile is left.
 * Guards survey.c of ckptserver/store.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "store_help.h"
#include "store_priv.h"
#include "survey.h"

#define BLOCKS          (3u << FMT_MAP_SHIFT)           /* so that the map is a tree */
#define PAGES           300u
#define COMMITS         12u

static struct sim_image im;
static struct bench b;
static struct store_survey survey;
static bool named[BLOCKS];

static void changes(uint64_t seed, unsigned count)
{
	while (count--) {
		uint64_t vpn = sim_below(&seed, PAGES) * 1000;

		assert_int_equal(do_put(&b, 20, vpn, (uint32_t)sim_random(&seed) | 1), STORE_OK);
	}
}

/* Generations with and without a delta, and with a map of one page and of two. */
static int make(void **state)
{
	(void)state;
	sim_image_make(&im, BLOCKS);
	bench_open(&b, &im, 1, 256);
	assert_int_equal(store_format(b.st, test_uuid, false, &b.mount), STORE_OK);
	assert_int_equal(do_boot(&b), STORE_OK);
	changes(1, PAGES);
	for (uint64_t i = 1; i <= COMMITS; i++) {
		if (i == COMMITS / 2) {
			b.st->region[0] |= REGION_FULL;
			store_full_commits(b.st, true);
		}
		changes(i, 10);
		assert_int_equal(do_commit(&b, i), STORE_OK);
	}
	return 0;
}

static int end(void **state)
{
	(void)state;
	assert_null(b.sim.violation);
	bench_close(&b);
	sim_image_free(&im);
	return 0;
}

/* Reads what is named next and judges it. */
static bool whole(void)
{
	static uint8_t page[FMT_BLOCK];

	assert_non_null(survey.what);
	assert_true(survey.block < BLOCKS);
	sim_image_get(&im, survey.block, page);
	named[survey.block] = true;
	return store_survey_check(&survey, page);
}

static void go_through(void)
{
	memset(named, 0, sizeof named);
	store_survey_begin(&survey);
	while (store_survey_next(b.st, &survey)) {
		assert_true(store_survey_stands(b.st, &survey));
		assert_true(whole());
	}
}

static void expect_chain(struct fmt_ref ref, bool delta)
{
	static uint8_t page[FMT_BLOCK];

	while (ref.block) {
		assert_true(named[ref.block]);
		sim_image_get(&im, ref.block, page);
		ref = delta ? ((struct fmt_delta *)page)->next : ((struct fmt_gens *)page)->next;
	}
}

static void expect_tree(struct fmt_ref ref, unsigned level)
{
	struct fmt_node node;

	assert_true(named[ref.block]);
	if (!level)
		return;
	sim_image_get(&im, ref.block, &node);
	for (unsigned i = 0; i < FMT_FANOUT; i++)
		if (node.entry[i].block)
			expect_tree(node.entry[i], level - 1);
}

static void all_is_named(void **state)
{
	unsigned deltas = 0;

	(void)state;
	go_through();
	assert_true(b.st->kept_count > 4 && b.st->last.map.height);
	for (unsigned i = 0; i < 2; i++)
		assert_true(named[FMT_SUPER_BLOCK(i)] && named[FMT_BOOT_BLOCK(i)]);
	for (unsigned i = 0; i < b.st->kept_count; i++) {
		const struct fmt_generation *g = &b.st->kept[i].g;

		expect_chain(g->table, false);
		expect_chain(g->delta, true);
		expect_tree(g->map.root, g->map.height);
		deltas += g->delta.block != 0;
	}
	assert_true(deltas);
	for (unsigned i = 0; i < b.st->node_count; i++)
		assert_true(b.st->nodes[i].state != NODE_CLEAN || named[b.st->nodes[i].block]);
}

/* With this block flipped: how many blocks are not whole, and they are that one. */
static unsigned flipped(uint64_t block)
{
	static uint8_t page[FMT_BLOCK];
	unsigned bad = 0;

	sim_image_get(&im, block, page);
	page[600] ^= 4;
	sim_image_put(&im, block, page);
	store_survey_begin(&survey);
	while (store_survey_next(b.st, &survey)) {
		if (whole())
			continue;
		assert_int_equal(survey.block, block);
		bad++;
	}
	page[600] ^= 4;
	sim_image_put(&im, block, page);
	return bad;
}

static void each_flipped_bit_is_seen(void **state)
{
	static bool before[BLOCKS];

	(void)state;
	go_through();
	memcpy(before, named, sizeof before);
	for (uint64_t block = 0; block < BLOCKS; block++)
		assert_true(!before[block] || flipped(block));
}

/* In the middle of the oldest one's blocks, those of all go but the newest. */
static void generations_that_go(void **state)
{
	struct store_generation kept[STORE_KEPT_MAX];
	uint32_t n = store_generations(b.st, kept, STORE_KEPT_MAX);
	uint64_t oldest = kept[n - 1].generation;

	(void)state;
	assert_int_equal(store_keep(b.st, 1), STORE_OK);
	store_survey_begin(&survey);
	do
		assert_true(store_survey_next(b.st, &survey) && whole());
	while (survey.generation != oldest);
	for (uint64_t i = 0; i < 8; i++) {
		changes(100 + i, 10);
		assert_int_equal(do_commit(&b, i), STORE_OK);
	}
	assert_false(store_survey_stands(b.st, &survey));
	while (store_survey_next(b.st, &survey)) {
		assert_int_equal(survey.part, SURVEY_CACHE);
		assert_true(whole());
	}
	/* A node that has changed since it was named stands no more. */
	store_survey_begin(&survey);
	do
		assert_true(store_survey_next(b.st, &survey) && whole());
	while (survey.part != SURVEY_CACHE);
	node_find(b.st, survey.block)->sum++;
	assert_false(store_survey_stands(b.st, &survey));
	node_find(b.st, survey.block)->sum--;
	assert_true(store_survey_stands(b.st, &survey));
	go_through();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_is_named, make, end),
		cmocka_unit_test_setup_teardown(each_flipped_bit_is_seen, make, end),
		cmocka_unit_test_setup_teardown(generations_that_go, make, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
