/* SPDX-License-Identifier: BSD-2-Clause
 * The state hash: every generation's pages add up to the one in its record, however they came about; an index that is whole
 * node by node, but wrong, does not. Guards state.c of ckptserver/store.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "format.h"
#include "store_help.h"
#include "store_priv.h"

#define BLOCKS          4096u
#define PAGES           40u

static bool full_only;                  /* all commits are full ones; else small ones write a delta */

struct world {
	struct sim_image im;
	struct bench b;
};

/* Pages 0 .. PAGES - 1 of client 16, in two generations. */
static void world_make(struct world *w)
{
	sim_image_make(&w->im, BLOCKS);
	bench_open(&w->b, &w->im, 1, 128);
	assert_int_equal(store_format(w->b.st, test_uuid, false, &w->b.mount), STORE_OK);
	assert_int_equal(do_boot(&w->b), STORE_OK);
	store_full_commits(w->b.st, full_only);
	for (unsigned g = 1; g <= 2; g++) {
		for (unsigned v = 0; v < PAGES; v++)
			assert_int_equal(do_put(&w->b, 16, v, 100 * g + v), STORE_OK);
		assert_int_equal(do_commit(&w->b, g), STORE_OK);
	}
}

static void world_end(struct world *w)
{
	assert_null(w->b.sim.violation);
	bench_close(&w->b);
	sim_image_free(&w->im);
}

/* The newest generation, from an idle disk. */
static void mount(struct world *w)
{
	while (w->b.sim.pending_count)
		w->b.sim.dev.wait(&w->b.sim.dev);
	assert_int_equal(bench_mount(&w->b, 0), STORE_OK);
	store_full_commits(w->b.st, full_only);
}

/* Mounted anew, the newest generation adds up to its hash, which is known. Returns how many pages it has. */
static uint64_t expect_sum(struct world *w)
{
	struct store_verified v;

	mount(w);
	assert_int_equal(store_state_verify(w->b.st, &v), STORE_OK);
	assert_true(v.known);
	assert_int_equal(full_check(&w->b, NULL, true), 0);
	return v.pages;
}

/* What the last check complained of, if it was one thing. */
static const char *complaint;
static void on_problem(struct store_check *c, const char *what, uint32_t client, uint64_t vpn, uint64_t block)
{
	(void)c, (void)client, (void)vpn, (void)block;
	complaint = complaint ? "more than one problem" : what;
}

/* The newest generation, mounted anew, is wrong, and the sum is all that shows it. */
static void expect_wrong(struct world *w)
{
	static _Alignas(4096) uint8_t scratch[STORE_CHECK_DEPTH * 4096], bitmap[4096];
	struct store_check c = { .bitmap = bitmap, .scratch = scratch, .problem = on_problem };
	struct store_verified v;

	mount(w);
	complaint = NULL;
	assert_int_equal(store_check(w->b.st, 0, &c), STORE_DAMAGED);
	assert_string_equal(complaint, "pages do not add up to the state hash");
	assert_int_equal(store_state_verify(w->b.st, &v), STORE_DAMAGED);
	assert_true(v.known);
	assert_int_equal(v.block, 0);
}

/* The leaf that has client 16's first pages, in memory. While it is DIRTY, what is changed in it is believed. */
static struct fmt_ref *leaf_in_memory(struct world *w)
{
	struct fmt_client c;
	struct node *n, *wait;
	uint64_t bad;

	assert_int_equal(client_find(w->b.st, 16, &c, &bad, &wait), STORE_OK);
	assert_int_equal(c.tree.height, 1);
	n = node_find(w->b.st, c.tree.root.block);
	assert_non_null(n);
	return ((struct fmt_node *)n->data)->entry;
}

/* Two pages change places in the index. Every node has the sum its parent says, every block is used once. */
static void test_pages_swapped(void **state)
{
	struct fmt_ref *entry, other;
	struct world w;

	(void)state;
	full_only = true;
	world_make(&w);
	assert_int_equal(do_put(&w.b, 16, 3, 7), STORE_OK);
	entry = leaf_in_memory(&w);
	other = entry[5];
	entry[5] = entry[6];
	entry[6] = other;
	assert_int_equal(do_commit(&w.b, 3), STORE_OK);
	expect_wrong(&w);
	assert_int_equal(bench_mount(&w.b, 2), STORE_OK);
	assert_int_equal(full_check(&w.b, NULL, true), 0);
	world_end(&w);
}

/* The same in the records of a delta. */
static void test_records_swapped(void **state)
{
	struct delta_entry *a, *b, other;
	struct world w;

	(void)state;
	full_only = false;
	world_make(&w);
	assert_int_equal(do_put(&w.b, 16, 3, 7), STORE_OK);
	assert_int_equal(do_put(&w.b, 16, 4, 8), STORE_OK);
	a = overlay_find(w.b.st, 16ull << FMT_RECORD_CLIENT_SHIFT | 3);
	b = overlay_find(w.b.st, 16ull << FMT_RECORD_CLIENT_SHIFT | 4);
	assert_non_null(a);
	assert_non_null(b);
	other = *a;
	a->r.block = b->r.block;
	a->r.sum = b->r.sum;
	b->r.block = other.r.block;
	b->r.sum = other.r.sum;
	assert_int_equal(do_commit(&w.b, 3), STORE_OK);
	expect_wrong(&w);
	world_end(&w);
}

/* A page of an earlier generation is referred to, as if a change had been forgotten. */
static void test_old_page(void **state)
{
	struct fmt_ref old;
	struct world w;

	(void)state;
	full_only = true;
	world_make(&w);
	assert_int_equal(do_put(&w.b, 16, 3, 7), STORE_OK);
	old = leaf_in_memory(&w)[3];
	assert_int_equal(do_commit(&w.b, 3), STORE_OK);
	assert_int_equal(do_put(&w.b, 16, 3, 8), STORE_OK);
	map_words(w.b.st->win.page)[old.block % FMT_MAP_BITS / 64] |= 1ull << (old.block % 64);
	block_free(w.b.st, leaf_in_memory(&w)[3].block);
	leaf_in_memory(&w)[3] = old;
	w.b.st->frees_first = 0;                /* the old block is freed by nobody */
	for (uint32_t i = 0; i < w.b.st->frees_count; i++)
		if (w.b.st->frees[i] == old.block)
			w.b.st->frees[i] = w.b.st->frees[--w.b.st->frees_count];
	assert_int_equal(do_commit(&w.b, 4), STORE_OK);
	expect_wrong(&w);
	world_end(&w);
}

/* Whatever changes, in any order, with errors: what is committed adds up. */
static void test_adds_up(void **state)
{
	(void)state;
	for (unsigned full = 0; full < 2; full++) {
		struct world w;
		struct model m = { .next_content = 1 };
		uint64_t seed = 17 + full;

		full_only = full;
		sim_image_make(&w.im, 16384);
		bench_open(&w.b, &w.im, 1, 64);
		assert_int_equal(store_format(w.b.st, test_uuid, false, &w.b.mount), STORE_OK);
		for (unsigned round = 0; round < 60; round++) {
			struct store_stats s;
			unsigned pages = 0;

			assert_int_equal(do_boot(&w.b), STORE_OK);
			w.b.st->cut_after = round % 3;
			w.b.sim.fail_per_1000 = round % 4 ? 0 : 30;
			assert_true(workload_round(&w.b, &m, &seed, round % 5 ? 60 : 900));
			w.b.sim.fail_per_1000 = 0;
			store_stats(w.b.st, &s);
			for (unsigned slot = 0; slot < MODEL_PAGES; slot++)
				pages += m.generation[s.generation][slot] != 0;
			mount(&w);
			memcpy(m.now, m.generation[s.generation], sizeof(m.now));
			store_full_commits(w.b.st, full_only);
			if (round % 2) {
				struct store_verified v;

				assert_int_equal(store_state_verify(w.b.st, &v), STORE_OK);
				assert_true(v.known);
				assert_true(v.pages >= pages);          /* and those in the trash */
			}
			assert_int_equal(full_check(&w.b, &m, true), 0);
		}
		model_free(&m);
		world_end(&w);
	}
}

/* Until they are cleared, pages in the trash count for the client they were cut from. */
static void test_trash(void **state)
{
	(void)state;
	for (unsigned clearing = 0; clearing < 2; clearing++) {
		struct world w;
		uint64_t pages;

		full_only = true;
		world_make(&w);
		for (unsigned i = 0; i < 300; i++)
			assert_int_equal(do_put(&w.b, 17, 300 * i, i + 1), STORE_OK);
		w.b.st->cut_after = 0;
		assert_int_equal(do_range(&w.b, 17, 0, STORE_VPN_END), STORE_OK);
		for (unsigned i = 0; clearing && i < 50; i++)
			store_work(w.b.st);
		assert_int_equal(do_commit(&w.b, 3), STORE_OK);
		pages = expect_sum(&w);
		assert_true(pages > PAGES && (pages < PAGES + 300) == clearing);
		while (store_work(w.b.st) || w.b.sim.pending_count)
			w.b.sim.dev.poll(&w.b.sim.dev);
		assert_int_equal(do_commit(&w.b, 4), STORE_OK);
		assert_int_equal(expect_sum(&w), PAGES);
		world_end(&w);
	}
}

static bool is_zero(const uint8_t *hash)
{
	static const uint8_t none[16];

	return !memcmp(hash, none, sizeof(none));
}

/* A store that an earlier version wrote is mounted and gone on with, and has no hash until somebody has added it up. */
static void test_of_an_earlier_version(void **state)
{
	static _Alignas(64) struct fmt_super s;
	struct store_verified v;
	struct world w;

	(void)state;
	full_only = true;
	world_make(&w);
	sim_image_get(&w.im, FMT_SUPER_BLOCK(w.b.st->slot), &s);
	assert_false(is_zero(s.gen.state_hash));
	memset(s.gen.state_hash, 0, sizeof(s.gen.state_hash));
	super_seal(&s);
	sim_image_put(&w.im, FMT_SUPER_BLOCK(w.b.st->slot), &s);
	mount(&w);
	assert_int_equal(w.b.mount.generation, 2);
	assert_int_equal(full_check(&w.b, NULL, true), 0);
	assert_int_equal(do_put(&w.b, 16, 3, 7), STORE_OK);
	assert_int_equal(do_commit(&w.b, 3), STORE_OK);
	assert_true(is_zero(w.b.st->last.state_hash));
	mount(&w);
	assert_int_equal(store_state_verify(w.b.st, &v), STORE_OK);
	assert_false(v.known);
	assert_int_equal(v.pages, PAGES);
	assert_int_equal(do_remove(&w.b, 16, 3), STORE_OK);
	assert_int_equal(do_commit(&w.b, 4), STORE_OK);
	assert_int_equal(expect_sum(&w), PAGES - 1);
	world_end(&w);
}

/* With a damaged node pages are lost that nobody can subtract: there is no hash, until all of them are gone. */
static void test_damage(void **state)
{
	struct store_verified v;
	struct fmt_client c;
	struct node *wait;
	struct world w;
	uint8_t page[4096];
	uint64_t leaf, bad;

	(void)state;
	full_only = true;
	world_make(&w);
	for (unsigned v = 0; v < PAGES; v++)
		assert_int_equal(do_put(&w.b, 100, v, v + 1), STORE_OK);        /* not among the first, which are seen to when mounting */
	assert_int_equal(do_commit(&w.b, 3), STORE_OK);
	assert_int_equal(client_find(w.b.st, 100, &c, &bad, &wait), STORE_OK);
	leaf = c.tree.root.block;
	sim_image_get(&w.im, leaf, page);
	page[100] ^= 1;
	sim_image_put(&w.im, leaf, page);
	mount(&w);
	assert_int_equal(store_state_verify(w.b.st, &v), STORE_DAMAGED);
	assert_int_equal(v.block, leaf);
	assert_int_equal(do_range(&w.b, 100, 0, 10), STORE_OK);  /* mends the node */
	assert_int_equal(do_commit(&w.b, 4), STORE_OK);
	assert_true(is_zero(w.b.st->last.state_hash));
	mount(&w);
	assert_int_equal(store_state_verify(w.b.st, &v), STORE_DAMAGED);
	assert_int_equal(v.block, leaf);
	assert_int_equal(do_range(&w.b, 100, 0, STORE_VPN_END), STORE_OK);
	assert_int_equal(do_commit(&w.b, 5), STORE_OK);
	assert_true(is_zero(w.b.st->last.state_hash));
	mount(&w);
	assert_int_equal(store_state_verify(w.b.st, &v), STORE_OK);
	assert_false(v.known);
	assert_int_equal(v.pages, PAGES);
	assert_int_equal(do_put(&w.b, 17, 1001, 1), STORE_OK);
	assert_int_equal(do_commit(&w.b, 6), STORE_OK);
	mount(&w);
	assert_int_equal(store_state_verify(w.b.st, &v), STORE_OK);
	assert_true(v.known);
	world_end(&w);
}

/* The disk fails in the middle: that says nothing about the sum, and it can be tried again. */
static void test_read_error(void **state)
{
	struct store_verified v;
	struct world w;

	(void)state;
	full_only = true;
	world_make(&w);
	mount(&w);
	w.b.sim.fail_reads = true;
	w.b.sim.fail_at = w.b.sim.ops + 2;
	assert_int_equal(store_state_verify(w.b.st, &v), STORE_EIO);
	assert_int_equal(store_state_verify(w.b.st, &v), STORE_OK);
	assert_true(v.known);
	world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pages_swapped),
		cmocka_unit_test(test_records_swapped),
		cmocka_unit_test(test_old_page),
		cmocka_unit_test(test_adds_up),
		cmocka_unit_test(test_trash),
		cmocka_unit_test(test_of_an_earlier_version),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_read_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
