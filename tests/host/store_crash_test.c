/* SPDX-License-Identifier: BSD-2-Clause
 * Property: whatever instant the power goes at, and whatever the disk's cache made of the writes not yet
 * flushed, mounting finds a generation that is equal, page for page, to one that was committed, not older
 * than the last acknowledged one; and the store is whole (every block reached is marked, none is leaked).
 * Guards ckptserver/store: commit.c, alloc.c, recover.c.
 *
 * SEED=n repeats a run, STATES=n sets how many crash states are visited (default 3000).
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
#include "store_states.h"

#define BLOCKS  2048u
#define REGIONS 300u            /* in the test with many: the map has inner nodes */

static uint64_t base_seed = 1, states_wanted = 3000;
static uint64_t states_seen;
static uint64_t run_blocks = BLOCKS;

struct run {
	struct sim_image before, during;        /* disk before recording; disk as the store sees it */
	struct bench b;
	struct model m;
	uint64_t seed;
};

static void run_begin(struct run *r, uint64_t seed, unsigned warm_up, uint32_t nodes)
{
	memset(r, 0, sizeof(*r));
	r->seed = seed;
	sim_image_make(&r->during, run_blocks);
	bench_open(&r->b, &r->during, seed * 7 + 1, nodes);
	assert_int_equal(store_format(r->b.st, test_uuid, false, &r->b.mount), STORE_OK);
	assert_int_equal(do_boot(&r->b), STORE_OK);
	for (unsigned i = 0; i < warm_up; i++)
		assert_true(workload_round(&r->b, &r->m, &r->seed, 150));
	sim_image_copy(&r->before, &r->during);
	sim_mark(&r->b.sim, store_generation(r->b.st));
	r->b.sim.record = true;
}

static void run_end(struct run *r)
{
	assert_null(r->b.sim.violation);
	bench_close(&r->b);
	model_free(&r->m);
	sim_image_free(&r->before);
	sim_image_free(&r->during);
}

/* Every other generation that is said to be kept is there, page for page. */
static int judge_kept(struct bench *b, const struct model *m, bool loud)
{
	struct store_generation list[STORE_KEPT_MAX];
	uint32_t n = store_generations(b->st, list, STORE_KEPT_MAX);

	for (uint32_t i = 0; i < n; i++) {
		uint64_t g = list[i].generation;

		if (bench_mount(b, g) == STORE_OK && !full_check(b, m, loud))
			continue;
		if (loud)
			fprintf(stderr, "  generation %llu is kept, and not intact\n", (unsigned long long)g);
		return 1;
	}
	return 0;
}

/* Mount a crash state and look at all of it. 0: recovered as promised. */
static int judge(struct sim_image *im, const struct model *m, uint64_t acknowledged, bool loud)
{
	struct bench b;
	uint64_t user;
	int wrong = 0;

	states_seen++;
	bench_open(&b, im, 1, 64);
	if (bench_mount(&b, 0) != STORE_OK) {
		if (loud)
			fprintf(stderr, "  mount: %s (%s; %s)\n", store_strerror(b.status), b.mount.slots[0].why,
				b.mount.slots[1].why);
		wrong = 1;
	} else {
		memcpy(&user, b.mount.user, sizeof(user));
		if (b.mount.generation < acknowledged || user != b.mount.generation) {
			if (loud)
				fprintf(stderr, "  generation %llu (record %llu), acknowledged was %llu\n",
					(unsigned long long)b.mount.generation, (unsigned long long)user,
					(unsigned long long)acknowledged);
			for (uint32_t i = 0; loud && i < b.mount.skipped_count && i < STORE_SKIPPED_MAX; i++)
				fprintf(stderr, "  skipped generation %llu: %s, block %llu\n",
					(unsigned long long)b.mount.skipped[i].generation, b.mount.skipped[i].why,
					(unsigned long long)b.mount.skipped[i].block);
			wrong = 1;
		}
		wrong += full_check(&b, m, loud);
		if (!wrong && states_seen % 8 == 0)
			wrong += judge_kept(&b, m, loud);
	}
	bench_close(&b);
	return wrong;
}

/* Go on working on a copy of a crash state, and see that it all holds. */
static int judge_continued(const struct sim_image *im, const struct model *m, uint64_t seed)
{
	struct sim_image copy;
	struct bench b;
	struct model own;
	int wrong = 0;

	sim_image_copy(&copy, im);
	memset(&own, 0, sizeof(own));
	for (unsigned g = 0; g < MODEL_KEEP; g++)
		if (m->generation[g])
			model_set(&own, g, m->generation[g]);
	bench_open(&b, &copy, seed, 80);
	wrong += bench_mount(&b, 0) != STORE_OK || do_boot(&b) != STORE_OK;
	if (!wrong && b.mount.generation)
		memcpy(own.now, m->generation[b.mount.generation], sizeof(own.now));
	own.next_content = 1000000;
	for (unsigned i = 0; i < 4 && !wrong; i++)
		wrong += !workload_round(&b, &own, &seed, 80);
	bench_close(&b);
	if (!wrong)
		wrong = judge(&copy, &own, b.mount.newest, true);
	sim_image_free(&copy);
	model_free(&own);
	return wrong;
}

/* Visit crash states of what was recorded: all cuts, or so many that about `states` are seen. Returns how many
 * were not recovered; stops at the first if `loud`. */
static unsigned visit(struct run *r, uint64_t acknowledged, uint64_t states, bool loud)
{
	struct sim_cut cut;
	unsigned bad = 0;
	uint64_t seed = base_seed * 31 + 5;
	uint64_t one_in = r->b.sim.log_count * SIM_POLICIES / (states ? states : 1) + 1;

	sim_cut_begin(&cut, &r->b.sim, &r->before);
	do {
		if (cut.at && r->b.sim.log[cut.at - 1].kind == SIM_MARK)
			acknowledged = r->b.sim.log[cut.at - 1].block;
		for (unsigned p = 0; p < SIM_POLICIES; p++) {
			struct sim_undo undo;
			int wrong;

			if (sim_below(&seed, one_in))
				continue;
			sim_cut_apply(&cut, p, &seed, &undo);
			wrong = judge(&r->before, &r->m, acknowledged, loud);
			if (!wrong && loud && sim_below(&seed, 60) == 0)
				wrong = judge_continued(&r->before, &r->m, sim_random(&seed));
			sim_cut_undo(&cut, &undo);
			bad += wrong != 0;
			if (wrong && loud) {
				fprintf(stderr, "cut before event %zu of %zu, policy %u, %zu loose writes, SEED=%llu\n",
					cut.at, r->b.sim.log_count, p, cut.loose_count,
					(unsigned long long)base_seed);
				sim_cut_end(&cut);
				return bad;
			}
		}
	} while (sim_cut_next(&cut));
	sim_cut_end(&cut);
	return bad;
}

static uint64_t marked(const struct run *r)
{
	return store_generation(r->b.st);
}

/* From an empty partition: formatting, the first boot, the first generations. */
static void test_first_commits(void **state)
{
	struct run r;

	(void)state;
	memset(&r, 0, sizeof(r));
	r.seed = base_seed + 100;
	sim_image_make(&r.during, BLOCKS);
	sim_image_make(&r.before, BLOCKS);
	bench_open(&r.b, &r.during, base_seed, 128);
	r.b.sim.record = true;
	assert_int_equal(store_format(r.b.st, test_uuid, false, &r.b.mount), STORE_OK);
	sim_mark(&r.b.sim, 0);
	size_t formatted = r.b.sim.log_count;
	assert_int_equal(do_boot(&r.b), STORE_OK);
	for (unsigned i = 0; i < 6; i++)
		assert_true(workload_round(&r.b, &r.m, &r.seed, 20));

	struct sim_cut cut;
	uint64_t acknowledged = 0, seed = base_seed;

	sim_cut_begin(&cut, &r.b.sim, &r.before);
	do {
		if (cut.at && r.b.sim.log[cut.at - 1].kind == SIM_MARK)
			acknowledged = r.b.sim.log[cut.at - 1].block;
		for (unsigned p = 0; p < SIM_POLICIES; p++) {
			struct sim_undo undo;

			sim_cut_apply(&cut, p, &seed, &undo);
			if (cut.at < formatted) {
				struct bench b;

				bench_open(&b, &r.before, 1, 64);
				bench_mount(&b, 0);
				assert_true(b.status == STORE_EMPTY || (b.status == STORE_OK && !b.mount.generation));
				bench_close(&b);
				states_seen++;
			} else {
				assert_int_equal(judge(&r.before, &r.m, acknowledged, true), 0);
			}
			sim_cut_undo(&cut, &undo);
		}
	} while (sim_cut_next(&cut));
	sim_cut_end(&cut);
	run_end(&r);
}

static void crash_run(uint64_t seed, unsigned warm_up, unsigned rounds, unsigned changes, uint32_t nodes,
		      unsigned fail_per_1000, uint64_t states)
{
	struct run r;
	uint64_t first;

	run_begin(&r, seed, warm_up, nodes);
	first = marked(&r);
	r.b.sim.fail_per_1000 = fail_per_1000;
	for (unsigned i = 0; i < rounds; i++)
		assert_true(workload_round(&r.b, &r.m, &r.seed, changes));
	assert_int_equal(visit(&r, first, states, true), 0);
	run_end(&r);
}

static void test_crash_small_commits(void **state)
{
	(void)state;
	crash_run(base_seed + 1, 4, 12, 6, 256, 0, states_wanted / 3);
}

/* Long chains of delta blocks, several to a commit, and folded every now and then. */
static void test_crash_deltas(void **state)
{
	struct run r;
	uint64_t first, deltas = 0, longest = 0;

	(void)state;
	run_begin(&r, base_seed + 10, 4, 128);
	first = marked(&r);
	r.b.st->delta.per_block = 6;
	r.b.st->delta.chain_max = 10;
	for (unsigned i = 0; i < 24; i++) {
		assert_true(workload_round(&r.b, &r.m, &r.seed, 10));
		deltas += r.b.st->last.delta.block != 0;
		if (r.b.st->delta.chain_count > longest)
			longest = r.b.st->delta.chain_count;
	}
	print_message("           %llu of 24 commits were deltas, longest chain %llu\n", (unsigned long long)deltas,
		      (unsigned long long)longest);
	assert_true(deltas > 12 && deltas < 24 && longest > 4);
	assert_int_equal(visit(&r, first, states_wanted / 3, true), 0);
	run_end(&r);
}

static void test_crash_large_commits(void **state)
{
	(void)state;
	crash_run(base_seed + 2, 12, 12, 200, 256, 0, states_wanted / 3);
}

/* Make the allocator move from region to region, between commits and within them. */
static void shuffle_regions(struct store *st, uint64_t *seed)
{
	for (uint64_t r = 0; r < st->regions; r++)
		st->region[r] |= REGION_FULL;
	for (unsigned i = 0; i < 3; i++)
		st->region[256 * sim_below(seed, 2) + sim_below(seed, REGIONS - 256)] &= (uint8_t)~REGION_FULL;
	st->region[st->regions - 1] &= (uint8_t)~REGION_FULL;
	if (sim_below(seed, 2) && st->win.region < st->regions - 1)
		st->win.free = 0;
}

/* Enough to be worth it? */
static bool many_regions(const struct store *st)
{
	return st->map.pages > 10 && st->map.height == 2;
}

static void test_crash_many_regions(void **state)
{
	struct run r;
	uint64_t first = 0;

	(void)state;
	run_blocks = (uint64_t)REGIONS * FMT_MAP_BITS;
	run_begin(&r, base_seed + 9, 0, 512);
	for (unsigned i = 0; i < 24 || (i < 200 && !many_regions(r.b.st)); i++) {
		shuffle_regions(r.b.st, &r.seed);
		assert_true(workload_round(&r.b, &r.m, &r.seed, 60));
		if (i != 11)
			continue;
		sim_end(&r.b.sim);
		sim_image_free(&r.before);
		sim_image_copy(&r.before, &r.during);
		first = marked(&r);
	}
	print_message("           %llu map pages, height %u\n", (unsigned long long)r.b.st->map.pages,
		      r.b.st->map.height);
	assert_true(many_regions(r.b.st));
	assert_int_equal(judge(&r.during, &r.m, marked(&r), true), 0);
	assert_int_equal(visit(&r, first, states_wanted / 20, true), 0);
	run_end(&r);
	run_blocks = BLOCKS;
}

/* So few nodes that dirty ones are written early and loaded again within a commit. */
static void test_crash_small_cache(void **state)
{
	(void)state;
	crash_run(base_seed + 3, 6, 10, 150, 64, 0, states_wanted / 6);
}

static void test_crash_with_errors(void **state)
{
	(void)state;
	crash_run(base_seed + 4, 6, 14, 60, 128, 20, states_wanted / 6);
}

/* The n-th operation fails, for every n until a run sees no failure: the run goes on, nothing is lost. */
static void test_every_operation_fails_once(void **state)
{
	uint64_t n = 1, failed = 1;

	(void)state;
	for (; failed; n += n < 150 ? 1 : 1 + n / 40) {
		struct run r;

		run_begin(&r, base_seed + 5, 2, 64);
		r.b.sim.record = false;
		r.b.sim.fail_at = r.b.sim.ops + n;
		for (unsigned i = 0; i < 5; i++)
			assert_true(workload_round(&r.b, &r.m, &r.seed, 40));
		failed = r.b.sim.failed;
		assert_int_equal(judge(&r.during, &r.m, marked(&r), true), 0);
		run_end(&r);
	}
	print_message("           last operation failed: %llu\n", (unsigned long long)n);
}

/* Long run on a small disk: every block is used many times, nothing leaks. */
static void test_long_run(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, base_seed + 6, 0, 100);
	r.b.sim.record = false;
	for (unsigned i = 0; i < 300; i++) {
		assert_true(workload_round(&r.b, &r.m, &r.seed, 70));
		if (i % 25 == 0)
			assert_int_equal(judge(&r.during, &r.m, marked(&r), true), 0);
	}
	run_end(&r);
}

/* ---- Faulty stores, made by a shim under the store: the simulator must notice ---- */

static bool is_super(uint64_t block)
{
	return block == FMT_SUPER_BLOCK(0) || block == FMT_SUPER_BLOCK(1);
}

static bool drop_before_super(struct sim *s, uint64_t previous_write)
{
	(void)s;
	return !is_super(previous_write);
}

static bool drop_after_super(struct sim *s, uint64_t previous_write)
{
	(void)s;
	return is_super(previous_write);
}

static uint64_t to_slot_0(struct sim *s, uint64_t block)
{
	(void)s;
	return block == FMT_SUPER_BLOCK(1) ? FMT_SUPER_BLOCK(0) : block;
}

static unsigned faulty_run(bool (*drop)(struct sim *, uint64_t), uint64_t (*redirect)(struct sim *, uint64_t),
			   void (*spoil)(struct store *), uint64_t states)
{
	struct run r;
	unsigned bad;
	uint64_t seen = states_seen;

	run_begin(&r, base_seed + 7, 6, 256);
	r.b.sim.drop_flush = drop;
	r.b.sim.redirect = redirect;
	for (unsigned i = 0; i < 6; i++) {
		if (spoil)
			spoil(r.b.st);
		if (!workload_round(&r.b, &r.m, &r.seed, 30)) {
			/* The store itself met what the fault did: that counts as well. */
			assert_non_null(spoil);
			print_message("           noticed at once\n");
			workload_abandon();
			run_end(&r);
			return 1;
		}
	}
	bad = visit(&r, store_generation(r.b.st) - 6, states, false);
	run_end(&r);
	print_message("           %u of %llu crash states not recovered\n", bad,
		      (unsigned long long)(states_seen - seen));
	states_seen = seen;
	return bad;
}

static void test_mutant_none(void **state)
{
	(void)state;
	assert_int_equal(faulty_run(NULL, NULL, NULL, 1500), 0);
}

static void test_mutant_no_flush_before_super(void **state)
{
	(void)state;
	assert_true(faulty_run(drop_before_super, NULL, NULL, 4000) > 0);
}

static void test_mutant_no_flush_after_super(void **state)
{
	(void)state;
	assert_true(faulty_run(drop_after_super, NULL, NULL, 500) > 0);
}

static void test_mutant_one_slot(void **state)
{
	(void)state;
	assert_true(faulty_run(NULL, to_slot_0, NULL, 500) > 0);
}

/* Allocates from what the current state does not use, as if nothing older had to be kept. */
static void forget_kept(struct store *st)
{
	st->delta.limit = 0;            /* full commits only: a delta has no map of its own */
	if (!st->win.page)
		return;
	memcpy(st->win.busy, st->win.page->data, BLK_SIZE);
	st->win.busy[0] |= 0xffffffff;
	memset(st->win.busy + BLOCKS / 64, 0xff, BLK_SIZE - BLOCKS / 8);
	st->win.word = 0;
}

/* Protects what the maps of kept generations show, and nothing that stands in their deltas only. */
static void forget_deltas(struct store *st)
{
	for (uint32_t i = 0; i < st->kept_count; i++)
		st->kept[i].g.delta_high = 0;
}

static void test_mutant_overwrites_delta_blocks(void **state)
{
	(void)state;
	assert_true(faulty_run(NULL, NULL, forget_deltas, 1500) > 0);
}

static void test_mutant_overwrites_kept_blocks(void **state)
{
	(void)state;
	assert_true(faulty_run(NULL, NULL, forget_kept, 1500) > 0);
}

/* Writes every superblock to the slot of the last durable generation. */
static void wrong_slot(struct store *st)
{
	st->slot = 1 - st->slot;
}

static void test_mutant_wrong_slot(void **state)
{
	(void)state;
	assert_true(faulty_run(NULL, NULL, wrong_slot, 4000) > 0);
}

/* The boot number never goes back, nor is one given twice, wherever the power goes. */
static void test_boot_counter_crashes(void **state)
{
	struct sim_image im, before;
	struct sim_undo undo;
	struct sim_cut cut;
	struct bench b, after;
	uint64_t seed = base_seed + 8, seen = 1;

	(void)state;
	sim_image_make(&im, BLOCKS);
	bench_open(&b, &im, seed, 64);
	assert_int_equal(store_format(b.st, test_uuid, false, &b.mount), STORE_OK);
	assert_int_equal(do_boot(&b), STORE_OK);
	sim_image_copy(&before, &im);
	b.sim.record = true;
	for (unsigned i = 0; i < 12; i++) {
		assert_int_equal(bench_mount(&b, 0), STORE_OK);
		assert_int_equal(do_boot(&b), STORE_OK);
		sim_mark(&b.sim, store_boot_number(b.st));
	}
	sim_cut_begin(&cut, &b.sim, &before);
	do {
		if (cut.at && b.sim.log[cut.at - 1].kind == SIM_MARK)
			seen = b.sim.log[cut.at - 1].block;
		for (unsigned p = 0; p < SIM_POLICIES; p++) {
			sim_cut_apply(&cut, p, &seed, &undo);
			bench_open(&after, &before, 1, 64);
			assert_int_equal(bench_mount(&after, 0), STORE_OK);
			assert_true(after.mount.boot >= seen);
			bench_close(&after);
			sim_cut_undo(&cut, &undo);
			states_seen++;
		}
	} while (sim_cut_next(&cut));
	sim_cut_end(&cut);
	bench_close(&b);
	sim_image_free(&im);
	sim_image_free(&before);
}

/* Some of everything that store_states_test does in bulk, with the sanitizers looking on. */
static void test_machine_crash_states(void **state)
{
	struct states s = { .budget = states_wanted / 40 };

	(void)state;
	for (unsigned kind = 0; kind < STATES_KINDS; kind++)
		assert_true(states_world(&s, kind, base_seed + 1000));
	assert_true(s.deep[0] && s.crash_states > s.budget);
	states_seen += s.crash_states;
}

static void test_machine_faults(void **state)
{
	struct states s = { 0 };

	(void)state;
	assert_true(states_flips(&s, base_seed + 2000, 60));
	for (unsigned n = 0; n < 6; n++)
		assert_true(states_lying_disk(&s, base_seed + 2000 + n));
	assert_true(s.detected > 0);
	assert_true(states_every_error(&s, base_seed + 2001, 1 + base_seed % 7, 7));
	assert_true(states_recovery_errors(&s, base_seed + 2002));
}

static void test_machine_little_room(void **state)
{
	struct states s = { 0 };

	(void)state;
	for (unsigned room = 0; room < 160; room += 16)
		assert_true(states_full(&s, base_seed + 3000 + room, room));
	assert_true(states_memory(&s, base_seed + 3001));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_commits),
		cmocka_unit_test(test_crash_small_commits),
		cmocka_unit_test(test_crash_deltas),
		cmocka_unit_test(test_crash_large_commits),
		cmocka_unit_test(test_crash_many_regions),
		cmocka_unit_test(test_crash_small_cache),
		cmocka_unit_test(test_crash_with_errors),
		cmocka_unit_test(test_every_operation_fails_once),
		cmocka_unit_test(test_long_run),
		cmocka_unit_test(test_mutant_none),
		cmocka_unit_test(test_mutant_no_flush_before_super),
		cmocka_unit_test(test_mutant_no_flush_after_super),
		cmocka_unit_test(test_mutant_one_slot),
		cmocka_unit_test(test_mutant_overwrites_kept_blocks),
		cmocka_unit_test(test_mutant_overwrites_delta_blocks),
		cmocka_unit_test(test_mutant_wrong_slot),
		cmocka_unit_test(test_boot_counter_crashes),
		cmocka_unit_test(test_machine_crash_states),
		cmocka_unit_test(test_machine_faults),
		cmocka_unit_test(test_machine_little_room),
	};
	int failed;

	if (getenv("SEED"))
		base_seed = strtoull(getenv("SEED"), NULL, 0);
	if (getenv("STATES"))
		states_wanted = strtoull(getenv("STATES"), NULL, 0);
	if (getenv("FILTER"))
		cmocka_set_test_filter(getenv("FILTER"));
	print_message("store crash simulator: SEED=%llu\n", (unsigned long long)base_seed);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	printf("# SEED=%llu\n# crash_states=%llu\n", (unsigned long long)base_seed, (unsigned long long)states_seen);
	return failed;
}
