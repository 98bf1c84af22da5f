/* SPDX-License-Identifier: BSD-2-Clause
 * Property: the ranges that are remembered for a snapshot are exactly the pages that were discarded before it and since the one
 * before, in whatever order they came; they take one entry for all that touch each other; when there is no entry left, none of those
 * remembered is forgotten, and what is in memory goes all the same. A page that cannot go now keeps no other from going.
 * Guards discard.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <l4/ckpt.h>

#include "ckptserver/commit.h"
#include "ckptserver/cow.h"
#include "ckptserver/discard.h"
#include "ckptserver/kobj.h"
#include "ckptserver/reclaim.h"
#include "ckptserver/permit.h"
#include "ckptserver/server.h"
#include "ckptserver/snapshot.h"
#include "ram.h"
#include "seed.h"

enum { ROOT = 16, OTHER = 17, PAGES = 4096, ENTRIES = 1024, STEPS = 20000 };

#define RAM_BYTES       (48ul << 20)
#define ROOT_THREAD     L4_GlobalId(128, 1)

struct record record = { .root_space = ROOT };
static bool wanted;
static unsigned given;

bool commit_persistent(void) { return true; }
void commit_space_given(bool dropped) { assert_false(dropped); given++; }
void snapshot_want(void) { wanted = true; }
uint32_t kobj_space_of(uint64_t number) { return number == 128 ? ROOT : OTHER; }
unsigned long reclaim_unmap(pfn_t f) { page_of(f)->flags &= (uint8_t)~PG_MAPPED; return 0; }
bool permit_withdraw(pfn_t f) { (void)f; return false; }
bool cow_forget(pfn_t f) { page_drop(f); return true; }
void cow_discard(pfn_t f) { (void)f; fail(); }
void fc_push(unsigned op, uint64_t name, uint64_t arg) { (void)op, (void)name, (void)arg; fail(); }

static uint64_t discard(uint64_t vpn, uint64_t pages)
{
	return discard_request(ROOT_THREAD, vpn << 12, pages << 12);
}

static bool hidden(uint64_t vpn)
{
	return discard_hides(KEY(ROOT, vpn));
}

/* As the commit does it: what it takes is gone from gone[]. Returns how many ranges there were. */
static unsigned commit(bool gone[PAGES])
{
	const struct discard_range *r;
	unsigned n = 0;

	for (; (r = discard_next()) != NULL; n++) {
		assert_int_equal(r->client, ROOT);
		assert_true(r->first < r->end && r->end <= PAGES);
		for (uint64_t v = r->first; v < r->end; v++) {
			assert_true(gone[v]);
			gone[v] = false;
		}
		discard_removed();
	}
	for (unsigned v = 0; v < PAGES; v++)
		assert_false(gone[v]);
	return n;
}

static void remembered_is_what_was_discarded(void **state)
{
	static bool gone[2][PAGES];     /* of the commit under way, and since */

	(void)state;
	for (unsigned step = 0; step < STEPS; step++) {
		uint64_t first = (uint64_t)random() % PAGES, n = (uint64_t)random() % (random() % 8 ? 4 : 60), v = (uint64_t)random() % PAGES;

		if (n > PAGES - first)
			n = PAGES - first;
		assert_int_equal(discard(first, n), L4_CKPT_OK);
		memset(&gone[1][first], true, n);
		assert_int_equal(hidden(v), gone[0][v] || gone[1][v]);
		assert_int_equal(hidden(first + n - !!n), n || gone[0][first] || gone[1][first]);
		assert_false(discard_hides(KEY(OTHER, v)) || discard_hides(KEY(ROOT, v + PAGES)));
		assert_true(discard_pending() || !n);
		if (random() % 400 == 0)
			commit(gone[0]);
		if (!discard_next() && random() % 400 == 0) {
			discard_snapshot();
			memcpy(gone[0], gone[1], sizeof gone[0]);
			memset(gone[1], 0, sizeof gone[1]);
			assert_false(discard_pending());
		}
	}
	commit(gone[0]);
	discard_snapshot();
	commit(gone[1]);
}

/* As tasks do it that come and go: each has its places, and each place is used again and again. */
static void places_used_again_take_one_entry(void **state)
{
	static bool gone[PAGES];

	(void)state;
	for (unsigned round = 0; round < 4 * ENTRIES; round++) {
		uint64_t first = (uint64_t)(round % 7) * 500 + round / 7 % 400;

		assert_int_equal(discard(first, 3), L4_CKPT_OK);
		memset(&gone[first], true, 3);
	}
	discard_snapshot();
	assert_int_equal(commit(gone), 7);
}

static void two_ranges_become_one_when_the_gap_closes(void **state)
{
	static bool gone[PAGES];

	(void)state;
	memset(gone + 10, true, 20);
	discard(10, 5);
	discard(20, 10);
	discard(15, 5);
	discard(12, 0);
	discard_snapshot();
	assert_int_equal(commit(gone), 1);
}

static void none_is_forgotten_when_there_is_no_room(void **state)
{
	static bool gone[PAGES];
	pfn_t in_memory;

	(void)state;
	for (unsigned i = 0; i < ENTRIES; i++) {
		assert_int_equal(discard(2 * i, 1), L4_CKPT_OK);
		gone[2 * i] = true;
	}
	assert_false(wanted);
	in_memory = page_new(KEY(ROOT, 3000), true, 0);
	page_of(in_memory)->epoch = 1;
	given = 0;
	assert_int_equal(discard(3000, 2), L4_CKPT_BUSY);
	assert_true(wanted);
	assert_false(hidden(3000));
	assert_int_equal(page_find(KEY(ROOT, 3000)), 0);        /* it would have to be saved, and there may be no room for it */
	assert_int_equal(given, 1);
	assert_int_equal(discard(2 * ENTRIES - 1, 1), L4_CKPT_OK);      /* touches the last */
	assert_int_equal(discard(1, 1), L4_CKPT_OK);                    /* makes one of two */
	assert_int_equal(discard(3000, 2), L4_CKPT_OK);
	gone[2 * ENTRIES - 1] = gone[1] = gone[3000] = gone[3001] = true;
	discard_snapshot();
	assert_int_equal(commit(gone), ENTRIES);
}

static void one_that_must_wait_keeps_no_other(void **state)
{
	static bool gone[PAGES];
	pfn_t on_its_way = page_new(KEY(ROOT, 50), false, 0);

	(void)state;
	page_of(on_its_way)->flags = PG_LOADING;
	page_of(page_new(KEY(ROOT, 51), true, 0))->flags = PG_MAPPED;
	assert_int_equal(discard(50, 2), L4_CKPT_BUSY);
	assert_int_equal(page_find(KEY(ROOT, 51)), 0);
	page_of(on_its_way)->flags = 0;
	assert_int_equal(discard(50, 2), L4_CKPT_OK);
	assert_int_equal(page_find(KEY(ROOT, 50)), 0);
	gone[50] = gone[51] = true;
	discard_snapshot();
	commit(gone);
}

static void only_the_root_task_discards(void **state)
{
	(void)state;
	assert_int_equal(discard_request(L4_GlobalId(129, 1), 0, 4096), L4_CKPT_DENIED);
	assert_int_equal(discard_request(ROOT_THREAD, 1, 4096), L4_CKPT_BAD_REQUEST);
	assert_int_equal(discard_request(ROOT_THREAD, 0, L4_CKPT_RANGE_MAX + 4096), L4_CKPT_BAD_REQUEST);
	assert_false(discard_pending());
}

static int set_up(void **state)
{
	static struct bootinfo bi;

	(void)state;
	if (ram_map(&bi, RAM_BYTES))
		return -1;
	seed_random(7);
	return pages_init(&bi) ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(remembered_is_what_was_discarded),
		cmocka_unit_test(places_used_again_take_one_entry),
		cmocka_unit_test(two_ranges_become_one_when_the_gap_closes),
		cmocka_unit_test(none_is_forgotten_when_there_is_no_room),
		cmocka_unit_test(one_that_must_wait_keeps_no_other),
		cmocka_unit_test(only_the_root_task_discards),
	};

	return cmocka_run_group_tests_name("discard", tests, set_up, NULL);
}
