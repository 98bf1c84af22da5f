/* SPDX-License-Identifier: BSD-2-Clause
 * A flush that fails says nothing of what was written before it: the disk may have thrown it away, and call the next flush good.
 * So a generation that is acknowledged after such a failure has been written again: nothing of it is missing after a power
 * cut, however it was written, whichever flush failed, and whether or not what is lost can still be read. Guards written.c of
 * ckptserver/store.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "format.h"
#include "store_help.h"
#include "store_priv.h"

#define BLOCKS          8192u
#define BASE            3u              /* after so many commits small ones write a delta */

static _Alignas(4096) uint8_t page[4096];

struct world {
	struct sim_image im, before;
	struct bench b;
	struct model m;
	uint64_t seed;
};

static void world_make(struct world *w, unsigned variant, uint32_t nodes)
{
	memset(w, 0, sizeof(*w));
	w->seed = variant;
	w->m.next_content = 1;
	sim_image_make(&w->im, BLOCKS);
	bench_open(&w->b, &w->im, 1 + variant, nodes);
	assert_int_equal(store_format(w->b.st, test_uuid, false, &w->b.mount), STORE_OK);
	assert_int_equal(do_boot(&w->b), STORE_OK);
	store_full_commits(w->b.st, variant % 2);
	sim_image_copy(&w->before, &w->im);
	w->b.sim.record = true;
	w->b.sim.flush_loses = variant / 2 % 2 ? SIM_LOSES_NOW : SIM_LOSES_LATER;
}

static void world_end(struct world *w)
{
	assert_null(w->b.sim.violation);
	bench_close(&w->b);
	sim_image_free(&w->im);
	sim_image_free(&w->before);
	model_free(&w->m);
}

/* The power goes: what no flush has made durable is gone. The newest generation is `number`, as the model has it. */
static void expect_durable(struct world *w, uint64_t number)
{
	struct sim_cut cut;
	struct sim_undo undo;
	struct bench b;
	uint64_t seed = 1;

	while (w->b.sim.pending_count)
		w->b.sim.dev.wait(&w->b.sim.dev);
	sim_cut_begin(&cut, &w->b.sim, &w->before);
	while (sim_cut_next(&cut))
		;
	sim_cut_apply(&cut, SIM_NONE, &seed, &undo);
	bench_open(&b, &w->before, 1, 128);
	assert_int_equal(bench_mount(&b, 0), STORE_OK);
	assert_int_equal(b.mount.generation, number);
	assert_int_equal(full_check(&b, &w->m, true), 0);
	bench_close(&b);
	sim_cut_undo(&cut, &undo);
	sim_cut_end(&cut);
}

static void put_slot(struct world *w, unsigned slot, uint32_t content)
{
	uint32_t client;
	uint64_t vpn;
	int status;

	model_name(slot, &client, &vpn);
	w->m.now[slot] = content;
	while ((status = do_put(&w->b, client, vpn, content)) == STORE_EIO)
		;                               /* a flush in between */
	assert_int_equal(status, STORE_OK);
}

/* Pages that a failed flush has cost are put again, as their caller would who has them: all, or the one that the commit names. */
static void put_again(struct world *w, const struct store_op *op)
{
	unsigned slots[MODEL_PAGES], count = 0;
	uint32_t client;
	uint64_t vpn;

	for (; store_lost_page(w->b.st, count, &client, &vpn); count++)
		slots[count] = (unsigned)model_slot(client, vpn);
	assert_true(count > 0);
	if (w->seed % 3 == 0) {
		slots[0] = (unsigned)model_slot(op->client, op->vpn);
		count = 1;
	}
	while (count-- > 0) {
		assert_true(slots[count] < MODEL_PAGES);
		put_slot(w, slots[count], w->m.now[slots[count]]);
	}
}

/* Whatever can be is dropped from the cache. */
static bool evicting;
static void evict(struct world *w)
{
	for (uint32_t i = 0; i < w->b.st->node_count; i++)
		if (w->b.st->nodes[i].state == NODE_CLEAN)
			node_release(w->b.st, &w->b.st->nodes[i]);
}

/* Commit; each try may fail. False: an index node is lost, and not in the cache, so that this state cannot be committed. */
static bool commit(struct world *w, uint64_t number)
{
	uint8_t user[STORE_USER_BYTES] = { 0 };
	struct store_op op = { 0 };
	unsigned failed = 0;
	int status;

	model_keep(&w->m, number);
	assert_int_equal(store_begin(w->b.st, user), STORE_OK);
	while ((status = store_sync(w->b.st, &op, store_commit(w->b.st, &op))) != STORE_OK) {
		if (status == STORE_DAMAGED)
			return false;
		if (evicting)
			evict(w);
		assert_true(status == STORE_EIO || status == STORE_UNWRITTEN);
		if (status == STORE_UNWRITTEN && op.block)
			put_again(w, &op);
		assert_true(++failed < 2000);
	}
	assert_int_equal(store_generation(w->b.st), number);
	return true;
}

/* The n-th flush from here on fails, and so do the next ones, if `again` says so. */
static unsigned flush_fails, again;
static bool fails(struct sim *s, const struct blkreq *r)
{
	(void)s;
	if (r->op != BLK_FLUSH || !flush_fails || --flush_fails)
		return false;
	flush_fails = again ? again-- : 0;
	return true;
}

/* Generations 1 to BASE with so many pages; then some of them have changed, and a flush will fail. The next commit may be one with a
 * delta. */
static void begin(struct world *w, unsigned variant, unsigned pages, uint32_t nodes, unsigned step)
{
	world_make(w, variant, nodes);
	for (unsigned g = 1; g <= BASE; g++) {
		for (unsigned slot = 0; slot < (g == 1 ? pages : 1); slot++)
			put_slot(w, slot, ++w->m.next_content);
		assert_true(commit(w, g));
	}
	w->b.sim.fails = fails;
	flush_fails = 1 + variant / 4 % 2;
	again = variant / 8 % 3;
	for (unsigned slot = 0; slot < pages; slot += step)
		put_slot(w, slot, ++w->m.next_content);
}

/* Small commits and large ones; the first or the second flush fails, once or more often. */
static void test_commit(void **state)
{
	static const unsigned pages[] = { 20, 200, 500 };
	uint64_t lost = 0;

	(void)state;
	for (unsigned variant = 0; variant < 144; variant++) {
		struct world w;

		begin(&w, variant, pages[variant / 48], 2048, 1 + variant % 5);
		assert_true(commit(&w, BASE + 1));
		expect_durable(&w, BASE + 1);
		lost += w.b.sim.lost;
		world_end(&w);
	}
	assert_true(lost > 1000);
}

/* With a small cache index nodes can be lost that are nowhere else. Then the state is never committed, and the generation before
 * it is whole. */
static void test_small_cache(void **state)
{
	unsigned hopeless = 0;

	(void)state;
	for (unsigned variant = 0; variant < 48; variant++) {
		struct world w;
		bool done;

		begin(&w, variant, MODEL_PAGES, 64, 1 + variant % 2);
		done = commit(&w, BASE + 1);
		assert_true(done || variant / 2 % 2);   /* what can still be read is never lost */
		if (!done) {
			uint8_t user[STORE_USER_BYTES] = { 0 };
			struct store_op op = { 0 };

			hopeless++;
			assert_int_equal(store_begin(w.b.st, user), STORE_OK);
			assert_int_equal(store_sync(w.b.st, &op, store_commit(w.b.st, &op)), STORE_DAMAGED);
		}
		expect_durable(&w, done ? BASE + 1 : BASE);
		world_end(&w);
	}
	assert_true(hopeless > 0);
}

/* More is written than the list has entries: it is flushed in between, and that may fail, too. The change that is told of it is
 * asked for again. */
static void test_flush_between(void **state)
{
	uint64_t failed = 0, lost = 0;

	(void)state;
	for (unsigned variant = 0; variant < 24; variant++) {
		struct world w;

		world_make(&w, variant, 512);
		w.b.st->written.size = 200;
		for (unsigned slot = 0; slot < 700; slot++)
			put_slot(&w, slot, ++w.m.next_content);
		assert_true(commit(&w, 1));
		w.b.sim.fails = fails;
		flush_fails = 1 + variant / 4 % 4;
		again = variant / 8 % 3;
		for (unsigned slot = 0; slot < 700; slot++) {
			struct store_op op = { .buf = page };
			int status;

			model_name(slot, &op.client, &op.vpn);
			w.m.now[slot] = ++w.m.next_content;
			model_fill(page, w.m.now[slot]);
			while ((status = store_sync(w.b.st, &op, store_put(w.b.st, &op))) == STORE_EIO)
				failed++;
			assert_int_equal(status, STORE_OK);
			assert_true(w.b.st->written.count <= 200);
		}
		if (commit(&w, 2))
			expect_durable(&w, 2);
		else
			expect_durable(&w, 1);
		lost += w.b.sim.lost;
		world_end(&w);
	}
	assert_true(failed > 0 && lost > 0);
}

/* Nothing of what was written is in the cache any more when the commit is repeated, and reads and writes fail, too. Delta blocks are
 * made anew; of a full commit nodes may be lost. */
static void test_evicted(void **state)
{
	unsigned hopeless = 0;

	(void)state;
	for (unsigned variant = 0; variant < 96; variant++) {
		struct world w;
		bool done;

		begin(&w, variant, 60, 64, 1 + variant % 3);
		w.b.sim.fail_reads = variant / 8 % 2;
		w.b.sim.fail_per_1000 = variant / 16 % 3 * 25;
		evicting = true;
		done = commit(&w, BASE + 1);
		evicting = false;
		w.b.sim.fail_per_1000 = 0;
		assert_true(done || variant % 4 == 3);
		hopeless += !done;
		expect_durable(&w, done ? BASE + 1 : BASE);
		world_end(&w);
	}
	assert_true(hopeless > 0);
}

/* The flush of a boot's number fails, or that of a superblock which lets old generations go: the same holds. */
static void test_other_flushes(void **state)
{
	(void)state;
	for (unsigned variant = 0; variant < 16; variant++) {
		struct world w;

		begin(&w, variant, 300, 512, 1);
		flush_fails = 1;
		again = 0;
		assert_int_equal(do_boot(&w.b), STORE_EIO);
		assert_int_equal(do_boot(&w.b), STORE_OK);
		assert_true(w.b.sim.lost > 0);
		assert_true(commit(&w, BASE + 1));
		expect_durable(&w, BASE + 1);
		world_end(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commit),
		cmocka_unit_test(test_small_cache),
		cmocka_unit_test(test_flush_between),
		cmocka_unit_test(test_evicted),
		cmocka_unit_test(test_other_flushes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
