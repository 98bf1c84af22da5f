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
	assert_int_equal(store_boot_number(b.st), store_boot_number(w->b.st));
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
static unsigned super_writes[2];        /* by slot */
static bool fails(struct sim *s, const struct blkreq *r)
{
	(void)s;
	for (unsigned slot = 0; slot < 2; slot++)
		super_writes[slot] += r->op == BLK_WRITE && r->block == FMT_SUPER_BLOCK(slot);
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

/* Everything fails now and then: reads and writes, and flushes, those in between as well; many changes wait at a time, and the list is
 * short. What can still be read is never lost, whatever fails; and a generation that is acknowledged is there. */
static unsigned flushes_fail;           /* of 100 */
static bool fails_often(struct sim *s, const struct blkreq *r)
{
	return r->op == BLK_FLUSH && sim_below(&s->seed, 100) < flushes_fail;
}

static void put_many(struct world *w, unsigned from, unsigned count, unsigned step)
{
	static struct store_op op[64];
	static _Alignas(4096) uint8_t content[64][4096];
	unsigned busy = 0, slot[64];

	assert_true(count <= 64);
	for (unsigned i = 0; i < count; i++) {
		slot[i] = (from + i * step) % MODEL_PAGES;
		w->m.now[slot[i]] = ++w->m.next_content;
		op[i] = (struct store_op){ .buf = content[i] };
		model_name(slot[i], &op[i].client, &op[i].vpn);
		model_fill(content[i], w->m.now[slot[i]]);
		(void)store_put(w->b.st, &op[i]);
	}
	for (unsigned tries = 0; tries == 0 || busy; tries++) {
		assert_true(tries < 2000);
		busy = 0;
		for (unsigned i = 0; i < count; i++) {
			int status = store_sync(w->b.st, &op[i], op[i].status);

			assert_true(status == STORE_OK || status == STORE_EIO || status == STORE_DAMAGED);
			op[i].mend |= status == STORE_DAMAGED;  /* a node is lost: it is mended, but must not be committed */
			if (status != STORE_OK)
				busy++, (void)store_put(w->b.st, &op[i]);
		}
	}
}

static void test_everything(void **state)
{
	unsigned hopeless = 0;
	uint64_t lost = 0, committed = 0;

	(void)state;
	for (unsigned variant = 0; variant < 80; variant++) {
		unsigned number = 1;
		bool done = true;
		struct world w;

		world_make(&w, variant, variant / 4 % 2 ? 64 : 512);
		w.b.st->written.size = 300 + variant % 50;
		w.b.sim.fails = fails_often;
		for (unsigned g = 0; g < 6 && done; g++) {
			flushes_fail = g ? 5 + variant % 7 * 5 : 0;
			w.b.sim.fail_per_1000 = g ? variant % 3 * 15 : 0;
			w.b.sim.fail_reads = variant / 8 % 2;
			for (unsigned n = 0; n < (g ? 1 + (variant + g) % 8 : 22); n++)
				put_many(&w, g ? (unsigned)sim_below(&w.seed, MODEL_PAGES) : 64 * n, 64, g ? 1 + (variant + n) % 9 : 1);
			evicting = variant / 16 % 2;
			done = commit(&w, number);
			number += done;
		}
		evicting = false;
		w.b.sim.fail_per_1000 = flushes_fail = 0;
		assert_true(done || w.b.sim.flush_loses == SIM_LOSES_NOW);
		hopeless += !done;
		committed += number - 1;
		expect_durable(&w, number - 1);
		lost += w.b.sim.lost;
		world_end(&w);
	}
	print_message("%u of 80 states lost, %llu generations committed, %llu writes lost\n", hopeless, (unsigned long long)committed,
		      (unsigned long long)lost);
	assert_true(hopeless > 0 && hopeless < 40 && lost > 1000);
}

/* A failed flush has cost one index node, which is on the way of a put: it is mended, but the pages below it must not be given up for
 * that in a generation that replaces a whole one. */
static void test_mended(void **state)
{
	static const uint8_t zeros[4096];
	unsigned mended = 0;

	(void)state;
	for (unsigned variant = 0; variant < 8; variant++) {
		unsigned nodes = 0;
		struct world w;
		bool done;

		begin(&w, 1, MODEL_PAGES, 64, 1);
		w.b.sim.flush_loses = SIM_LOSES_NONE;
		flush_fails = 1;
		again = 0;
		assert_int_equal(do_boot(&w.b), STORE_EIO);
		assert_int_equal(do_boot(&w.b), STORE_OK);
		for (uint32_t i = w.b.st->written.count; i-- > 0 && nodes <= variant;)
			if (w.b.st->written.list[i].key == UINT64_MAX && nodes++ == variant)
				sim_image_put(&w.im, w.b.st->written.list[i].block, zeros);
		assert_int_equal(nodes, variant + 1);
		evict(&w);
		for (unsigned from = 0; from < MODEL_PAGES; from += 64)
			put_many(&w, from, 16, 1);
		done = commit(&w, BASE + 1);
		assert_true(!w.b.st->mended || !done);
		mended += w.b.st->mended > 0;
		if (!done)
			expect_durable(&w, BASE);
		world_end(&w);
	}
	assert_true(mended > 0);
}

/* Index nodes that are written early cannot be, for a time. A flush in between does not make them durable. */
static struct store *nodes_of;
static unsigned node_failures;
static bool nodes_fail(struct sim *s, const struct blkreq *r)
{
	if (r->op != BLK_WRITE || !nodes_of || !node_find(nodes_of, r->block))
		return fails(s, r);
	if (!--node_failures)
		nodes_of = NULL;
	return true;
}

static void test_nodes_fail(void **state)
{
	(void)state;
	for (unsigned variant = 0; variant < 24; variant++) {
		struct world w;

		world_make(&w, 1 + variant % 2 * 2, 64);
		w.b.sim.seed += variant;
		w.b.st->written.size = 280;
		for (unsigned slot = 0; slot < MODEL_PAGES; slot++)
			put_slot(&w, slot, ++w.m.next_content);
		assert_true(commit(&w, 1));
		w.b.sim.fails = nodes_fail;
		w.b.sim.flush_loses = SIM_LOSES_LATER;
		for (unsigned slot = 0; slot < MODEL_PAGES; slot++) {
			if (slot % 150 == 4 * variant) {
				nodes_of = w.b.st;
				node_failures = 40;
			}
			put_slot(&w, slot, ++w.m.next_content);
		}
		nodes_of = NULL;
		flush_fails = 1;
		again = 0;
		assert_true(commit(&w, 2));
		expect_durable(&w, 2);
		world_end(&w);
	}
}

/* Boot number and superblock are written side by side, and one of their flushes fails: it may have cost the other's write. */
static void test_side_by_side(void **state)
{
	unsigned failed = 0;

	(void)state;
	for (unsigned variant = 0; variant < 256; variant++) {
		struct store_op op = { 0 }, boot = { 0 };
		uint8_t user[STORE_USER_BYTES] = { 0 };
		struct world w;
		int status;

		begin(&w, variant % 4, 20, 512, 1);
		w.b.sim.seed += variant;
		again = 0;
		flush_fails = 2 + variant / 64;
		model_keep(&w.m, BASE + 1);
		assert_int_equal(store_begin(w.b.st, user), STORE_OK);
		status = store_commit(w.b.st, &op);
		while (w.b.st->phase < (variant / 4 % 2 ? COMMIT_FLUSH : COMMIT_SUPER))
			if (!store_work(w.b.st) && w.b.sim.pending_count)
				w.b.sim.dev.wait(&w.b.sim.dev);
		assert_int_equal(store_boot(w.b.st, &boot), STORE_PENDING);
		status = store_sync(w.b.st, &op, status);
		failed += status != STORE_OK;
		while (status == STORE_EIO)
			status = store_sync(w.b.st, &op, store_commit(w.b.st, &op));
		assert_int_equal(status, STORE_OK);
		status = store_sync(w.b.st, &boot, boot.status);
		failed += status != STORE_OK;
		if (status == STORE_EIO)
			assert_int_equal(do_boot(&w.b), STORE_OK);
		expect_durable(&w, BASE + 1);
		world_end(&w);
	}
	assert_true(failed > 64);
}

/* A flush in between is under way, or writes what it needs again, when the flush of a boot's number fails. */
static void test_boot_between(void **state)
{
	unsigned met[2] = { 0, 0 };

	(void)state;
	for (unsigned variant = 0; variant < 48; variant++) {
		bool later = variant / 4 % 2;           /* what was written is being written again */
		struct store_op boot = { 0 };
		struct world w;

		world_make(&w, variant, 512);
		w.b.sim.seed += variant;
		w.b.st->written.size = 280;
		w.b.sim.fails = fails;
		flush_fails = later;
		again = 0;
		for (unsigned slot = 0; slot < 700; slot++) {
			const struct written_list *list = &w.b.st->written;
			struct store_op op = { .buf = page };

			model_name(slot, &op.client, &op.vpn);
			w.m.now[slot] = ++w.m.next_content;
			model_fill(page, w.m.now[slot]);
			(void)store_put(w.b.st, &op);
			for (unsigned steps = 0; op.status != STORE_OK; steps++) {
				assert_true(steps < 20000 && (op.status == STORE_PENDING || op.status == STORE_EIO));
				if (op.status == STORE_EIO) {
					(void)store_put(w.b.st, &op);
				} else if (!boot.st && (later ? list->doing : list->flushing)) {
					assert_int_equal(store_boot(w.b.st, &boot), STORE_PENDING);
					flush_fails = 1;
					met[later]++;
				} else if (!store_work(w.b.st) && w.b.sim.pending_count) {
					w.b.sim.dev.wait(&w.b.sim.dev);
				}
			}
		}
		if (store_sync(w.b.st, &boot, boot.status) != STORE_OK)
			assert_int_equal(do_boot(&w.b), STORE_OK);
		flush_fails = 0;
		if (commit(&w, 1))
			expect_durable(&w, 1);
		else
			assert_int_equal(w.b.sim.flush_loses, SIM_LOSES_NOW);
		world_end(&w);
	}
	assert_true(met[0] > 12 && met[1] > 12);
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

/* The flush behind the superblock fails, once or twice: that superblock may be durable, or half of it, so the one with the last
 * acknowledged generation is left alone until the commit has ended. */
static void test_same_slot(void **state)
{
	(void)state;
	for (unsigned variant = 0; variant < 16; variant++) {
		struct world w;
		uint32_t slot;

		begin(&w, variant, 50, 512, 1);
		slot = 1 - w.b.st->slot;
		flush_fails = 2;
		again = variant / 4 % 2;
		super_writes[0] = super_writes[1] = 0;
		assert_true(commit(&w, BASE + 1));
		assert_true(super_writes[slot] >= 2 + variant / 4 % 2);
		assert_int_equal(super_writes[1 - slot], 0);
		expect_durable(&w, BASE + 1);
		world_end(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commit),
		cmocka_unit_test(test_same_slot),
		cmocka_unit_test(test_small_cache),
		cmocka_unit_test(test_flush_between),
		cmocka_unit_test(test_evicted),
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_mended),
		cmocka_unit_test(test_nodes_fail),
		cmocka_unit_test(test_side_by_side),
		cmocka_unit_test(test_boot_between),
		cmocka_unit_test(test_other_flushes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
