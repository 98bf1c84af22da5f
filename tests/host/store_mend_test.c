/* SPDX-License-Identifier: BSD-2-Clause
 * Damaged index nodes on the way of a change, at every level of a tree, and long removals: subtrees that are cut off,
 * hang in the trash and are cleared, while the disk fails, is full, or has wrong content. Guards mend.c, trash.c and
 * change.c of ckptserver/store.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "format.h"
#include "store_help.h"
#include "store_priv.h"

#define BLOCKS          8192u
#define TRASH_PAGE      (STORE_CLIENTS / FMT_CLIENTS_PER_PAGE)
#define SUBTREE         65536u          /* pages of a subtree of 256 leaves */

struct world {
	struct sim_image im;
	struct bench b;
};

static void world_make(struct world *w, uint64_t blocks, bool full)
{
	sim_image_make(&w->im, blocks);
	bench_open(&w->b, &w->im, 1, 64);
	assert_int_equal(store_format(w->b.st, test_uuid, false, &w->b.mount), STORE_OK);
	assert_int_equal(do_boot(&w->b), STORE_OK);
	store_full_commits(w->b.st, full);
}

static void world_end(struct world *w)
{
	assert_null(w->b.sim.violation);
	bench_close(&w->b);
	sim_image_free(&w->im);
}

/* Nothing is cached any more. Removals cut subtrees off at once. */
static void mount(struct world *w)
{
	assert_int_equal(bench_mount(&w->b, 0), STORE_OK);
	store_full_commits(w->b.st, true);
	w->b.st->cut_after = 0;
}

static void flip(struct world *w, uint64_t block)
{
	uint8_t page[4096];

	sim_image_get(&w->im, block, page);
	page[1234] ^= 0x10;
	sim_image_put(&w->im, block, page);
}

/* The block of the node at `level` on the path to index in a tree, by what is on the disk; 0 levels above pages: the page's. */
static uint64_t block_at(struct world *w, const struct fmt_tree *t, uint64_t index, uint32_t level)
{
	struct fmt_ref ref = t->root;
	static struct fmt_node node;

	for (uint32_t l = t->height; l > level; l--) {
		sim_image_get(&w->im, ref.block, &node);
		ref = node.entry[tree_slot(index, l)];
	}
	assert_true(ref.block != 0);
	return ref.block;
}

static uint64_t directory_of(struct world *w, uint32_t client)
{
	return block_at(w, &w->b.st->last.clients, client / FMT_CLIENTS_PER_PAGE, 0);
}

static struct fmt_client client_of(struct world *w, uint32_t client)
{
	static struct fmt_client page[FMT_CLIENTS_PER_PAGE];

	sim_image_get(&w->im, directory_of(w, client), page);
	return page[client % FMT_CLIENTS_PER_PAGE];
}

/* The directory's page of the trash, in the cache; what is changed there is believed. NULL: there is none. */
static struct fmt_client *trash_in_memory(struct world *w)
{
	struct fmt_client c;
	struct fmt_ref ref;
	struct node *n, *wait;
	uint64_t bad;

	while (client_find(w->b.st, STORE_CLIENTS, &c, &bad, &wait) == STORE_PENDING)
		w->b.sim.dev.wait(&w->b.sim.dev);
	assert_int_equal(tree_find(w->b.st, &w->b.st->clients, TRASH_PAGE, NODE_INDEX, &ref, &bad, &wait), STORE_OK);
	if (!ref.block)
		return NULL;
	assert_int_equal(node_get(w->b.st, &ref, NODE_INDEX, &n, &wait), STORE_OK);
	return n->data;
}

static int put(struct world *w, uint64_t vpn, uint32_t content, bool mending, uint64_t *block)
{
	static _Alignas(4096) uint8_t page[4096];
	struct store_op op = { .client = 16, .vpn = vpn, .buf = page, .mend = mending };
	int status;

	model_fill(page, content);
	do
		status = store_sync(w->b.st, &op, store_put(w->b.st, &op));
	while (status == STORE_EIO && op.unwritten);
	*block = op.block;
	return status;
}

static uint64_t mended(struct world *w)
{
	struct store_stats s;

	store_stats(w->b.st, &s);
	return s.mended;
}

static uint64_t used(struct world *w)
{
	struct store_stats s;

	store_stats(w->b.st, &s);
	return s.used;
}

/* Until there is nothing left to do. */
static void idle(struct world *w)
{
	while (store_work(w->b.st) || w->b.sim.pending_count)
		w->b.sim.dev.poll(&w->b.sim.dev);
}

/* ---- Mending ---- */

static const uint64_t far[] = { 5, 256 * 9, SUBTREE * 3, 1ull << 24 | 1, 3ull << 32 };
#define FAR (sizeof(far) / sizeof(far[0]))
#define TARGET (far[FAR - 1])

/* The node at each level of a tree as high as can be, with nothing of it in the cache: without the order to mend the put
 * fails and names the block, with it the page is there, its neighbours are lost, and all that is not below the node is as
 * before. Reads that fail meanwhile change nothing. */
static void test_every_level(void **state)
{
	for (unsigned variant = 0; variant < 15; variant++) {
		uint32_t level = 1 + variant % 5;
		uint64_t block, named, pages = 0;
		struct world w;
		int status;

		(void)state;
		world_make(&w, BLOCKS, true);
		for (unsigned i = 0; i < FAR; i++)
			assert_int_equal(do_put(&w.b, 16, far[i], 10 + i), STORE_OK);
		assert_int_equal(do_put(&w.b, 16, TARGET + 7, 99), STORE_OK);
		assert_int_equal(do_commit(&w.b, 1), STORE_OK);
		struct fmt_client c = client_of(&w, 16);
		assert_int_equal(c.tree.height, 5);
		block = block_at(&w, &c.tree, TARGET, level);
		flip(&w, block);
		assert_int_equal(bench_mount(&w.b, 1), STORE_OK);       /* by number: a damaged root is no hindrance */
		store_full_commits(w.b.st, true);
		if (variant >= 5) {
			w.b.sim.fail_reads = true;
			w.b.sim.fail_at = w.b.sim.ops + variant % 7 + 1;
		}
		do
			status = put(&w, TARGET, 50, false, &named);
		while (status == STORE_EIO);
		assert_int_equal(status, STORE_DAMAGED);
		assert_int_equal(named, block);
		assert_int_equal(mended(&w), 0);
		if (variant >= 10) {            /* with nothing in the cache, and errors while it mends */
			assert_int_equal(bench_mount(&w.b, 1), STORE_OK);
			store_full_commits(w.b.st, true);
			w.b.sim.fail_at = w.b.sim.ops + variant - 9;
		}
		do
			status = put(&w, TARGET, 50, true, &named);
		while (status == STORE_EIO);
		assert_int_equal(status, STORE_OK);
		assert_int_equal(mended(&w), level);    /* and the lost ones below it, one by one */
		w.b.sim.fail_at = 0;
		assert_int_equal(do_commit(&w.b, 2), STORE_OK);
		mount(&w);
		assert_int_equal(expect_page(&w.b, 16, TARGET, 50), 0);
		assert_int_equal(expect_page(&w.b, 16, TARGET + 7, 99), STORE_DAMAGED);
		for (unsigned i = 0; i < FAR - 1; i++) {
			int want = level == 5 ? STORE_DAMAGED : 0;

			assert_int_equal(expect_page(&w.b, 16, far[i], 10 + i), want);
			pages += !want;
		}
		assert_int_equal(pages, level == 5 ? 0 : FAR - 1);
		world_end(&w);
	}
}

/* A damaged page of the client directory is not mended: no change gets past it, whatever it is told. */
static void test_directory_is_not_mended(void **state)
{
	uint64_t named, block;
	struct world w;

	(void)state;
	world_make(&w, BLOCKS, true);
	assert_int_equal(do_put(&w.b, 16, 3, 4), STORE_OK);
	assert_int_equal(do_put(&w.b, 300, 3, 5), STORE_OK);
	assert_int_equal(do_commit(&w.b, 1), STORE_OK);
	mount(&w);
	block = directory_of(&w, 16);
	idle(&w);
	mount(&w);
	flip(&w, block);
	assert_int_equal(put(&w, 3, 9, true, &named), STORE_DAMAGED);
	assert_int_equal(named, block);
	assert_int_equal(do_remove(&w.b, 16, 3), STORE_DAMAGED);
	assert_int_equal(do_range(&w.b, 16, 0, 9), STORE_DAMAGED);
	assert_int_equal(do_drop(&w.b, 16), STORE_DAMAGED);
	assert_int_equal(mended(&w), 0);
	assert_int_equal(do_put(&w.b, 300, 3, 6), STORE_OK);
	assert_int_equal(do_commit(&w.b, 2), STORE_OK);
	flip(&w, block);
	mount(&w);
	assert_int_equal(expect_page(&w.b, 16, 3, 4), 0);
	assert_int_equal(expect_page(&w.b, 300, 3, 6), 0);
	world_end(&w);
}

/* Pages that changed, of two leaves, cannot be brought into the trees, for the directory's page is damaged: those of the
 * client are lost, and say so; others are not. Reads that fail now and then meanwhile lose nothing. */
static void test_folding_over_damage(void **state)
{
	for (unsigned eio = 0; eio < 3; eio++) {       /* damage; some reads fail; all do, for long */
		unsigned tries = 0, last = 2;
		struct world w;
		uint64_t block;
		int status;

		(void)state;
		world_make(&w, BLOCKS, false);
		for (unsigned v = 0; v < 4; v++)
			assert_int_equal(do_put(&w.b, 200, v * 256, v + 1), STORE_OK);
		assert_int_equal(do_put(&w.b, 300, 3, 5), STORE_OK);
		store_full_commits(w.b.st, true);
		assert_int_equal(do_commit(&w.b, 1), STORE_OK);
		store_full_commits(w.b.st, false);
		for (unsigned v = 0; v < 2; v++) {
			assert_int_equal(do_put(&w.b, 200, v * 256, v + 11), STORE_OK);
			assert_int_equal(do_put(&w.b, 200, v * 256 + 1, v + 21), STORE_OK);
		}
		assert_int_equal(do_put(&w.b, 300, 3, 6), STORE_OK);
		assert_int_equal(do_commit(&w.b, 2), STORE_OK);
		while (!w.b.st->last.delta.block && last < 9) { /* the first ones after a full one are full as well */
			last++;
			assert_int_equal(do_put(&w.b, 200, 0, 30 + last), STORE_OK);
			assert_int_equal(do_put(&w.b, 200, 257, 40 + last), STORE_OK);
			assert_int_equal(do_put(&w.b, 300, 3, 50 + last), STORE_OK);
			assert_int_equal(do_commit(&w.b, last), STORE_OK);
		}
		assert_true(w.b.st->last.delta.block != 0);
		block = directory_of(&w, 200);
		assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
		if (!eio)
			flip(&w, block);
		w.b.sim.fail_reads = true;
		w.b.sim.fail_per_1000 = eio == 2 ? 1000 : 300 * eio;
		do {
			status = do_drop(&w.b, 301);    /* this needs the trees */
			if (eio == 2 && tries == 60)
				w.b.sim.fail_per_1000 = 0;
		} while (status == STORE_EIO && ++tries < 1000);
		w.b.sim.fail_per_1000 = 0;
		assert_int_equal(status, STORE_OK);
		assert_int_equal(do_commit(&w.b, last + 1), STORE_OK);
		assert_int_equal(bench_mount(&w.b, 0), STORE_OK);
		assert_int_equal(store_generation(w.b.st), last + 1);
		assert_int_equal(expect_page(&w.b, 200, 0, 30 + last), eio ? 0 : STORE_DAMAGED);
		assert_int_equal(expect_page(&w.b, 200, 257, 40 + last), eio ? 0 : STORE_DAMAGED);
		if (eio)
			assert_int_equal(full_check(&w.b, NULL, true), 0);
		assert_int_equal(expect_page(&w.b, 300, 3, 50 + last), 0);
		world_end(&w);
	}
}

/* ---- Trash ---- */

/* Clients from 100 on, `count` of them, each with two pages in one subtree; committed, and nothing cached. */
static void clients(struct world *w, unsigned count)
{
	world_make(w, BLOCKS, true);
	assert_int_equal(store_keep(w->b.st, 1), STORE_OK);
	for (unsigned i = 0; i < count; i++) {
		assert_int_equal(do_put(&w->b, 100 + i, 3, i + 1), STORE_OK);
		assert_int_equal(do_put(&w->b, 100 + i, 300, i + 1001), STORE_OK);
	}
	assert_int_equal(do_put(&w->b, 16, 5, 7), STORE_OK);
	assert_int_equal(do_commit(&w->b, 1), STORE_OK);
	mount(w);
}

static unsigned trash_count(struct world *w)
{
	const struct fmt_client *slots = trash_in_memory(w);
	unsigned n = 0;

	for (unsigned i = 0; slots && i < FMT_CLIENTS_PER_PAGE; i++)
		n += slots[i].flags & FMT_CLIENT_EXISTS;
	return n;
}

/* All trash is cleared, and what it took is free again; `whole`: all of it, else some blocks are nobody's. */
static void expect_cleared(struct world *w, uint64_t least, uint64_t most, bool whole)
{
	for (unsigned i = 0; i < 4; i++) {
		idle(w);
		assert_int_equal(do_commit(&w->b, 10 + i), STORE_OK);
	}
	idle(w);
	assert_in_range(used(w), least, most);
	mount(w);
	assert_int_equal(full_check(&w->b, NULL, whole) == 0, whole);
	assert_int_equal(expect_page(&w->b, 16, 5, 7), 0);
}

/* More removals than the trash has places: the rest are cleared at once. All end; the commit has no page of any. With a
 * remount in between nothing is known of the trash but what is on the disk. */
static void test_places_run_out(void **state)
{
	const unsigned count = FMT_CLIENTS_PER_PAGE + 6;

	(void)state;
	for (unsigned remount = 0; remount < 2; remount++) {
		struct world w;

		clients(&w, count);
		for (unsigned i = 0; i < count; i++) {
			assert_int_equal(do_range(&w.b, 100 + i, 0, STORE_VPN_END), STORE_OK);
			if (remount && i % 16 == 5) {
				assert_int_equal(do_commit(&w.b, 2 + i), STORE_OK);
				mount(&w);
			}
		}
		if (!remount)
			assert_int_equal(trash_count(&w), FMT_CLIENTS_PER_PAGE);
		assert_int_equal(do_commit(&w.b, 100), STORE_OK);
		mount(&w);
		for (unsigned i = 0; i < count; i++) {
			assert_int_equal(expect_page(&w.b, 100 + i, 3, 0), 0);
			assert_int_equal(expect_page(&w.b, 100 + i, 300, 0), 0);
		}
		assert_int_equal(full_check(&w.b, NULL, true), 0);
		expect_cleared(&w, 1, 60, true);
		assert_int_equal(trash_count(&w), 0);
		world_end(&w);
	}
}

/* Which pages a range takes, where its ends are at every place to the ends of subtrees, in a high tree. */
static void test_ranges(void **state)
{
	static const uint64_t at[] = { 1, 300, SUBTREE - 1, SUBTREE, SUBTREE + 700, 2 * SUBTREE, 3 * SUBTREE + 9, 1ull << 24,
				       (1ull << 24) + SUBTREE, (1ull << 24) + 2 * SUBTREE + 1, 1ull << 25, STORE_VPN_END - 1 };
	static const uint64_t end[] = { 0, 1, 300, SUBTREE, SUBTREE + 1, 3 * SUBTREE, 1ull << 24, (1ull << 24) + 2 * SUBTREE + 1,
					(1ull << 24) + 3 * SUBTREE, 1ull << 25, 1ull << 32, STORE_VPN_END };
	const unsigned n = sizeof(at) / sizeof(at[0]), ends = sizeof(end) / sizeof(end[0]);

	(void)state;
	for (unsigned low = 0; low < 2; low++)
		for (unsigned from = 0; from < ends; from++)
			for (unsigned to = from + 1; to < ends; to++) {
				unsigned pages = low ? 7 : n;   /* a tree of three levels, or five */
				struct world w;

				world_make(&w, 2048, true);
				for (unsigned i = 0; i < pages; i++)
					assert_int_equal(do_put(&w.b, 100, at[i], i + 1), STORE_OK);
				if (from % 2) {
					assert_int_equal(do_commit(&w.b, 1), STORE_OK);
					mount(&w);
				}
				w.b.st->cut_after = 0;
				assert_int_equal(do_range(&w.b, 100, end[from], end[to]), STORE_OK);
				assert_int_equal(do_commit(&w.b, 2), STORE_OK);
				if (to % 2)
					idle(&w);
				for (unsigned i = 0; i < pages; i++) {
					bool gone = at[i] >= end[from] && at[i] < end[to];

					assert_int_equal(expect_page(&w.b, 100, at[i], gone ? 0 : i + 1), 0);
				}
				assert_int_equal(full_check(&w.b, NULL, true), 0);
				world_end(&w);
			}
}

/* Reads fail while subtrees are cut off and cleared, and commits come in the middle of it. */
static void test_errors_while_clearing(void **state)
{
	struct world w;
	unsigned failed = 0;

	(void)state;
	clients(&w, 40);
	w.b.sim.fail_reads = true;
	for (unsigned i = 0; i < 40; i++) {
		int status;

		w.b.sim.fail_per_1000 = 150;
		while ((status = i % 2 ? do_drop(&w.b, 100 + i) : do_range(&w.b, 100 + i, 0, SUBTREE)) == STORE_EIO)
			failed++;
		assert_int_equal(status, STORE_OK);
		for (unsigned steps = 0; steps < i; steps++)
			if (!store_work(w.b.st) && w.b.sim.pending_count)
				w.b.sim.dev.poll(&w.b.sim.dev);
		w.b.sim.fail_per_1000 = 0;
		if (i % 8 == 7) {
			assert_int_equal(do_commit(&w.b, 2 + i), STORE_OK);
			if (i % 16 == 15)
				mount(&w);
			assert_int_equal(full_check(&w.b, NULL, true), 0);
		}
	}
	assert_true(failed > 0);
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(expect_page(&w.b, 100 + i, 300, 0), 0);
	expect_cleared(&w, 1, 60, true);
	world_end(&w);
}

/* A node in the trash is damaged: what is below it is never freed, all else is. */
static void test_damage_in_the_trash(void **state)
{
	for (uint32_t level = 1; level <= 2; level++) {
		struct world w;
		struct fmt_client c;
		uint64_t before;

		(void)state;
		clients(&w, 6);
		for (unsigned i = 0; i < 6; i++)
			assert_int_equal(do_range(&w.b, 100 + i, 0, SUBTREE), STORE_OK);
		assert_int_equal(do_commit(&w.b, 2), STORE_OK);
		before = used(&w);
		c = client_of(&w, STORE_CLIENTS + 2);
		assert_true(c.flags & FMT_CLIENT_EXISTS);
		mount(&w);
		flip(&w, block_at(&w, &c.tree, 3, level));
		expect_cleared(&w, 2, before - 10, false);
		assert_int_equal(trash_count(&w), 0);
		world_end(&w);
	}
}

/* Records of trash that contradict themselves, as hostile content might: removals that would use the place are refused, and
 * leave everything as it is. */
static void test_hostile_trash(void **state)
{
	for (unsigned what = 0; what < 4; what++) {
		struct fmt_client *slot, c;
		struct world w;
		uint64_t named;

		(void)state;
		clients(&w, 6);
		for (unsigned i = 0; i < 2; i++)
			assert_int_equal(do_range(&w.b, 100 + i, 0, SUBTREE), STORE_OK);
		assert_int_equal(do_commit(&w.b, 2), STORE_OK);
		c = client_of(&w, 105);
		mount(&w);
		slot = trash_in_memory(&w) + 2;
		assert_int_equal(slot->flags, 0);
		slot->tree = c.tree;
		slot->tree.height = 3;
		switch (what) {
		case 0: slot->tree.height = FMT_MAX_HEIGHT + 1; break;
		case 1: slot->tree.root.block = BLOCKS; break;
		case 2: slot->tree.root.sum ^= 1; break;
		default: {
			struct fmt_node *root;
			struct node *n, *wait;

			while (node_get(w.b.st, &c.tree.root, NODE_INDEX, &n, &wait) == STORE_PENDING)
				w.b.sim.dev.wait(&w.b.sim.dev);
			root = n->data;
			root->entry[0].block = BLOCKS;
			slot->tree.height = 4;
		}
		}
		assert_int_equal(do_range(&w.b, 104, 0, SUBTREE), STORE_DAMAGED);
		assert_int_equal(expect_page(&w.b, 104, 300, 1005), 0);
		assert_int_equal(put(&w, 6, 8, false, &named), STORE_OK);
		assert_int_equal(expect_page(&w.b, 16, 6, 8), 0);
		assert_int_equal(mended(&w), 0);
		world_end(&w);
	}
}

/* The disk is full: removals that cut subtrees off end or say so, and in the end there is room again. */
static void test_disk_full(void **state)
{
	struct world w;
	unsigned count, full = 0;
	int status;

	(void)state;
	world_make(&w, 2048, true);
	assert_int_equal(store_keep(w.b.st, 1), STORE_OK);
	assert_int_equal(do_put(&w.b, 16, 5, 7), STORE_OK);
	for (count = 0; full < 20; count++) {
		status = do_put(&w.b, 100 + count % 10, (uint64_t)count * 64 % SUBTREE + count / 1024, count + 1);
		assert_true(count < 5000 && (status == STORE_OK || status == STORE_FULL));
		full += status == STORE_FULL;
		if (status == STORE_FULL || count % 100 == 99)
			assert_int_equal(do_commit(&w.b, count), STORE_OK);
	}
	for (unsigned i = 0; i < 10; i++) {
		mount(&w);
		do {
			status = do_range(&w.b, 100 + i, 0, SUBTREE);
			if (status == STORE_FULL)
				idle(&w);
		} while (status == STORE_FULL);
		assert_int_equal(status, STORE_OK);
		assert_int_equal(do_commit(&w.b, 5000 + i), STORE_OK);
	}
	expect_cleared(&w, 1, 60, true);
	assert_int_equal(do_put(&w.b, 120, 0, 1), STORE_OK);
	world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_level),
		cmocka_unit_test(test_directory_is_not_mended),
		cmocka_unit_test(test_folding_over_damage),
		cmocka_unit_test(test_places_run_out),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_errors_while_clearing),
		cmocka_unit_test(test_damage_in_the_trash),
		cmocka_unit_test(test_hostile_trash),
		cmocka_unit_test(test_disk_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
