/* SPDX-License-Identifier: BSD-2-Clause
 * Properties: a kernel object made anew is never taken for its discarded earlier life, even if the discard had to wait
 * for a frame; an object that is needed comes, however long there is no frame for it; a stale event for a frame that has changed hands wakes its waiters and leaves no writable frame
 * behind. Memory that runs out at random is the world here. Guards kobj.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <l4/framecontrol.h>

#include "ckptserver/commit.h"
#include "ckptserver/cow.h"
#include "ckptserver/discard.h"
#include "ckptserver/kobj.h"
#include "ckptserver/log.h"
#include "ckptserver/reclaim.h"
#include "ckptserver/permit.h"
#include "ckptserver/server.h"
#include "ram.h"
#include "seed.h"

enum { OBJECTS = 8, STEPS = 20000 };

#define RAM_BYTES       (48ul << 20)
#define TCB(i)          L4_OBJ(L4_OBJ_TCB, 128 + (i))
#define EVENT(ev, name) ((uint64_t)(ev) << L4_EV_SHIFT | (name))

uint32_t epoch_now = 1;
static bool short_of_memory;
static pfn_t held[OBJECTS];                     /* by the kernel */
static uint64_t last_op[2], last_name[2];

void fc_push(unsigned op, uint64_t name, uint64_t arg)
{
	last_op[0] = last_op[1], last_name[0] = last_name[1];
	last_op[1] = op, last_name[1] = name;
	if (op == L4_FC_SUPPLY_FRESH)
		held[name - TCB(0)] = (pfn_t)arg;
}

bool commit_persistent(void) { return true; }
bool commit_hopeless(void) { return false; }
void log_error(const char *fmt, ...) { (void)fmt; fail(); }
bool cow_take(pfn_t f) { page_of(f)->epoch = epoch_now; return true; }
void cow_revive(pfn_t f) { page_of(f)->flags &= (uint8_t)~(PG_DEAD | PG_DOOMED); }
bool permit_write(pfn_t f) { cow_take(f); fc_push(L4_FC_WRITABLE, f, 0); return true; }
enum load_result load_start(uint64_t key)
{
	return !short_of_memory && page_new(key, true, 0) ? LOAD_NOW : LOAD_NO_FRAME;
}
static uint32_t discarded_client;
void discard_client(uint32_t client) { discarded_client = client; }
struct record record = { .root_space = 16 };

pfn_t frame_get(uint64_t key, bool zero)
{
	return short_of_memory ? 0 : page_new(key, zero, 0);
}

/* Its hole is committed at once here, and the frame goes. */
void cow_discard(pfn_t f)
{
	for (unsigned i = 0; i < OBJECTS; i++)
		assert_int_not_equal(held[i], f);
	page_drop(f);
}

/* What is remembered of discarded ranges is bounded, and programs end all the time. */
static void a_space_without_a_store_is_not_remembered(void **state)
{
	(void)state;
	kobj_event(EVENT(L4_EV_SPACE_DIED, 17));
	assert_int_equal(discarded_client, 0);
	kobj_event(EVENT(L4_EV_SPACE_DIED, 16));
	assert_int_equal(discarded_client, 16);
}

static void a_discard_is_of_the_earlier_life(void **state)
{
	bool exists[OBJECTS] = { false };

	(void)state;
	for (unsigned n = 0; n < STEPS; n++) {
		unsigned i = (unsigned)random() % OBJECTS;

		short_of_memory = random() % 2;
		if (random() % 4 == 0) {
			kobj_retry();
		} else if (exists[i] && held[i]) {
			held[i] = 0;
			exists[i] = false;
			kobj_event(EVENT(L4_EV_DISCARD, TCB(i)));
		} else if (!exists[i] && random() % 4 == 0) {
			kobj_event(EVENT(L4_EV_DISCARD, TCB(i)));       /* of an object that stands on disk only */
		} else if (!exists[i]) {
			exists[i] = true;
			kobj_event(EVENT(L4_EV_FRESH, TCB(i)));
		}
	}
	short_of_memory = false;
	kobj_retry();
	assert_int_equal(kobj_deferred(), 0);
	for (unsigned i = 0; i < OBJECTS; i++)
		assert_int_equal(!!held[i], exists[i]);
}

static void a_need_is_remembered(void **state)
{
	(void)state;
	short_of_memory = true;
	kobj_event(EVENT(L4_EV_NEED, TCB(OBJECTS)));
	assert_int_equal(kobj_deferred(), 1);
	kobj_retry();
	assert_int_equal(kobj_deferred(), 1);
	short_of_memory = false;
	kobj_retry();
	assert_int_equal(kobj_deferred(), 0);
	assert_int_equal(last_op[1], L4_FC_SUPPLY);
	assert_int_equal(last_name[1], TCB(OBJECTS));
}

static void stale_event_of_a_frame_that_changed_hands(void **state)
{
	pfn_t f = page_new(KEY(16, 5), false, 0);

	(void)state;
	page_of(f)->flags = PG_LOADING;
	kobj_event(EVENT(L4_EV_STALE, f));
	assert_int_equal(last_op[0], L4_FC_WRITABLE);
	assert_int_equal(last_op[1], L4_FC_PROTECT);
	assert_int_equal(last_name[0], f);
	assert_int_equal(last_name[1], f);
	assert_int_equal(page_of(f)->epoch, 0);
	page_of(f)->flags = 0;
	page_drop(f);
	last_op[0] = last_op[1] = 0;
	kobj_event(EVENT(L4_EV_STALE, f));
	assert_int_equal(last_op[0], L4_FC_WRITABLE);
	assert_int_equal(last_op[1], L4_FC_PROTECT);
}

/* The first of them reads for ever from a sector that cannot be read. */
static void one_object_that_must_wait_stops_no_other(void **state)
{
	pfn_t f = page_new(KEY(CLIENT_KERNEL, TCB(0)), false, 0);

	(void)state;
	page_of(f)->flags = PG_LOADING;
	kobj_event(EVENT(L4_EV_FRESH, TCB(0)));
	short_of_memory = true;
	for (unsigned i = 1; i < OBJECTS; i++)
		kobj_event(EVENT(L4_EV_FRESH, TCB(i)));
	assert_int_equal(kobj_deferred(), OBJECTS);
	short_of_memory = false;
	kobj_retry();
	assert_int_equal(kobj_deferred(), 1);
	page_of(f)->flags = 0;
	kobj_retry();
	assert_int_equal(kobj_deferred(), 0);
	for (unsigned i = 0; i < OBJECTS; i++) {
		page_drop(held[i]);
		held[i] = 0;
	}
}

static int set_up(void **state)
{
	static struct bootinfo bi;

	(void)state;
	if (ram_map(&bi, RAM_BYTES))
		return -1;
	seed_random(7);
	return pages_init(&bi) && kobj_init() ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_object_that_must_wait_stops_no_other),
		cmocka_unit_test(a_space_without_a_store_is_not_remembered),
		cmocka_unit_test(a_discard_is_of_the_earlier_life),
		cmocka_unit_test(a_need_is_remembered),
		cmocka_unit_test(stale_event_of_a_frame_that_changed_hands),
	};

	return cmocka_run_group_tests_name("kobj", tests, set_up, NULL);
}
