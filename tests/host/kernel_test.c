/* SPDX-License-Identifier: BSD-2-Clause
 * Pure parts of the kernel: wakeup queue (against a sorted list), time values, events and waiting for objects, validation
 * of loaded kernel objects. SEED=N repeats a run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/event.h"
#include "kernel/object.h"
#include "kernel/sched.h"
#include "kernel/thread.h"
#include "kernel/timeout.h"
#include <l4/framecontrol.h>

#define THREADS         512

/* ---- the rest of the kernel, as far as it is asked for ---- */

struct percpu percpu0;
struct thread *sigma0_thread;
struct thread *thread_chunk[L4_TABLE_PAGES];
u64 epoch = 1, ns_mult;
int sched_ready_top;
static unsigned char memory[1 << 20];
static size_t memory_used;
static unsigned readied, woken_server;
static bool fpu_ok = true;

void *pool_alloc(size_t bytes)
{
	void *p = memory + memory_used;

	memory_used += (bytes + 63) & ~63ul;
	return memory_used <= sizeof memory ? p : NULL;
}

_Noreturn void panic_at(const char *file, int line, const char *fmt, ...)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, fmt);
	abort();
}

void sched_set_timer(void) { }
void sched_unready(struct thread *t) { t->flags &= ~(u32)TF_READY; }
void sched_ready(struct thread *t) { t->flags |= TF_READY; readied++; }
void sched_switch(struct thread *t, bool keep) { (void)keep; sched_ready(t); }
void sched_block_current(void) { }
void ipc_kernel_message(struct thread *t) { (void)t; woken_server++; }
bool fpu_area_valid(const u8 *area) { (void)area; return fpu_ok; }
u64 clock_us(void) { return 1000; }

static struct thread thread[THREADS];

static void clear(void)
{
	memset(thread, 0, sizeof thread);
	for (u32 i = 0; i < THREADS; i++)
		thread[i].no = i;
	readied = 0;
}

static uint64_t seed(void)
{
	static uint64_t s;
	const char *given = getenv("SEED");

	if (!s) {
		s = given ? strtoull(given, NULL, 0) : (uint64_t)(uintptr_t)&s ^ 0x1234567;
		printf("SEED=%llu\n", (unsigned long long)s);
		srand((unsigned)s);
	}
	return s;
}

/* ---- wakeup queue ---- */

static void wakeup_order(void **state)
{
	u64 last;
	struct thread *t;
	unsigned in = 0, out = 0;

	(void)state;
	seed();
	clear();
	for (unsigned i = 0; i < THREADS / L4_TABLE_PER_PAGE; i++)
		assert_int_equal(wakeup_reserve(L4_TABLE_PER_PAGE), 0);
	for (unsigned round = 0; round < 20000; round++) {
		t = &thread[rand() % THREADS];
		if (rand() % 3)
			wakeup_set(t, (u64)(rand() % 1000) + 1);
		else
			wakeup_cancel(t);
	}
	for (unsigned i = 0; i < THREADS; i++)
		in += !!(thread[i].flags & TF_TIMER);
	assert_true(in > 0);
	assert_null(wakeup_expired(0));
	for (last = 0; wakeup_next() != DEADLINE_NEVER; last = t->wake_at, out++) {
		assert_null(wakeup_expired(wakeup_next() - 1));
		t = wakeup_expired(wakeup_next());
		assert_non_null(t);
		assert_true(t->wake_at >= last);
		assert_false(t->flags & TF_TIMER);
	}
	assert_int_equal(in, out);
	wakeup_set(&thread[0], DEADLINE_NEVER);
	assert_true(wakeup_next() == DEADLINE_NEVER);
}

/* ---- X.2 time values ---- */

static void time_values(void **state)
{
	(void)state;
	assert_true(timeout_at(0, 77) == DEADLINE_NEVER);
	assert_true(timeout_at(TIME_ZERO, 77) == DEADLINE_NOW);
	assert_true(timeout_at(5 | 3 << 10, 100) == 100 + 40);
	assert_true(timeout_at(1023 | 31 << 10, 0) == 1023ul << 31);
	/* Points: the next moment at which bits 0..e+9 are m << e and bit e+10 is c. */
	assert_true(timeout_at(0x8000 | 7, 1000) == DEADLINE_NOW);              /* 7, c = 0: this period's is past */
	assert_true(timeout_at(0x8000 | 1001, 1000) == 1001);
	assert_true(timeout_at(0x8000 | 1 << 10 | 7, 1000) == 1024 + 7);        /* c = 1: the next period */
	assert_true(timeout_at(0x8000 | 2 << 11 | 1 << 10 | 3, 100) == 4096 + 12);
	assert_int_equal(timeout_at_period(5 | 3 << 10), 40);
	assert_int_equal(timeout_at_period(TIME_ZERO), 1);
}

/* ---- events, waiting for objects ---- */

static void one_question_for_many_waiters(void **state)
{
	struct wants w = { .count = 1, .event = { (u64)L4_EV_NEED << L4_EV_SHIFT | 300 } };
	u64 out[8];

	(void)state;
	clear();
	for (unsigned i = 0; i < 5; i++)
		park(&thread[i], &w);
	assert_int_equal(event_take(out, 8), 1);
	assert_true(out[0] == w.event[0]);
	park(&thread[5], &w);                   /* asked already: the answer is on its way */
	assert_false(event_pending());
	park_release(w.event[0] + 1, 0, NULL);
	assert_int_equal(readied, 0);
	park_release(w.event[0], TF_OUT_OF_MEMORY, NULL);
	assert_int_equal(readied, 6);
	for (unsigned i = 0; i < 6; i++) {
		assert_false(thread[i].flags & TF_PARKED);
		assert_true(thread[i].flags & TF_OUT_OF_MEMORY);
	}
}

static void the_asker_dies(void **state)
{
	struct wants w = { .count = 1, .event = { (u64)L4_EV_STALE << L4_EV_SHIFT | 9 } };
	u64 out[8];

	(void)state;
	clear();
	park(&thread[1], &w);
	park(&thread[2], &w);
	unpark(&thread[1]);                     /* before its question was read: the other one asks */
	assert_true(event_pending());
	assert_int_equal(event_take(out, 8), 1);
	unpark(&thread[2]);
	assert_false(event_pending());
	park(&thread[3], &w);
	unpark(&thread[3]);                     /* the only one: nobody asks */
	assert_false(event_pending());
	park_release(w.event[0], 0, NULL);
	assert_int_equal(readied, 0);
}

static void answer_before_the_question_is_read(void **state)
{
	struct wants w = { .count = 1, .event = { (u64)L4_EV_STALE << L4_EV_SHIFT | 10 } };
	u32 pins = 0;

	(void)state;
	clear();
	park(&thread[1], &w);
	park_release(w.event[0], 0, &pins);
	assert_int_equal(pins, 1);
	assert_false(event_pending());
	thread_unpin(&thread[1]);
	assert_int_equal(pins, 0);
}

static void discards_are_counted(void **state)
{
	struct event a = { 0 }, b = { 0 };
	u64 out[4];

	(void)state;
	event_post(&a, (u64)L4_EV_DISCARD << L4_EV_SHIFT | L4_OBJ(L4_OBJ_TCB, 300), 2);
	event_post(&b, (u64)L4_EV_SPACE_DIED << L4_EV_SHIFT | 17, 1);
	assert_true(event_discard_pending());
	assert_int_equal(event_take(out, 1), 0);        /* both words or none */
	assert_int_equal(event_take(out, 2), 2);
	assert_true((out[1] & L4_EV_NAME_MASK) == L4_OBJ(L4_OBJ_UTCB, 300));
	assert_true(event_discard_pending());
	event_cancel(&b);
	assert_false(event_discard_pending() || event_pending());
}

/* ---- loaded objects ---- */

static struct tcb good_tcb(void)
{
	struct tcb t = { .header = { OBJECT_MAGIC, OBJECT_VERSION, L4_OBJ_TCB, 300, 0 }, .myself = tid_make(300, 1),
		.utcb_mr = 0xbf000200 };

	t.frame.cs = 0x23;
	t.frame.ss = 0x1b;
	t.frame.rflags = RFLAGS_ALWAYS;
	return t;
}

#define REJECTS(field, value) do { \
	struct tcb bad_ = good_tcb(); \
	bad_.field = (value); \
	if (!object_validate_tcb(&bad_, 300)) \
		fail_msg("accepted " #field " = " #value); \
} while (0)

static void tcb_fields(void **state)
{
	struct tcb t = good_tcb();

	(void)state;
	assert_null(object_validate_tcb(&t, 300));
	assert_non_null(object_validate_tcb(&t, 301));
	REJECTS(header.magic, 0);
	REJECTS(header.version, OBJECT_VERSION + 1);
	REJECTS(header.type, L4_OBJ_SPACE);
	REJECTS(myself, tid_make(301, 1));
	REJECTS(resume, RESUME_COUNT);
	REJECTS(fpu_used, 2);
	REJECTS(utcb_mr, 0xffff800000000200);
	REJECTS(utcb_mr, 0xbf000208);
	REJECTS(outer_state, TS_COUNT);
	REJECTS(outer_kind, IPC_PAGEFAULT | IPC_NESTED);
	REJECTS(unmap_index, 64);
	REJECTS(frame.cs, 0x08);
	REJECTS(frame.ss, 0x10);
	REJECTS(frame.rflags, RFLAGS_ALWAYS | 3 << 12);         /* I/O privilege */
	REJECTS(frame.rflags, 2);                               /* interrupts off */
	t.resume = RESUME_IPC;
	t.frame.rip = 0xffff800000000000;
	assert_non_null(object_validate_tcb(&t, 300));
	t = good_tcb();
	t.fpu_used = 1;
	assert_null(object_validate_tcb(&t, 300));
	fpu_ok = false;
	assert_non_null(object_validate_tcb(&t, 300));
	fpu_ok = true;
}

static void table_entries(void **state)
{
	const struct tte good = { .version = 1, .flags = TTE_EXISTS | TTE_ACTIVE, .space = L4_FIRST_SPACE };
	struct tte e = good;

	(void)state;
	assert_null(object_validate_entry(&e));
	e = (struct tte){ .state = 99 };                        /* nobody: nothing of it is looked at */
	assert_null(object_validate_entry(&e));
	e = good; e.flags |= 0x80;
	assert_non_null(object_validate_entry(&e));
	e = good; e.state = TS_COUNT;
	assert_non_null(object_validate_entry(&e));
	e = good; e.kind = IPC_KIND_COUNT;
	assert_non_null(object_validate_entry(&e));
	e = good; e.space = L4_SIGMA0_SPACE;
	assert_non_null(object_validate_entry(&e));
	e = good; e.space = L4_MAX_SPACES;
	assert_non_null(object_validate_entry(&e));
	e = good; e.slot = SPACE_SLOTS;
	assert_non_null(object_validate_entry(&e));
	e = good; e.version = 64;
	assert_non_null(object_validate_entry(&e));
	e = good; e.flags = TTE_EXISTS; e.state = TS_RECV;
	assert_non_null(object_validate_entry(&e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wakeup_order),
		cmocka_unit_test(time_values),
		cmocka_unit_test(one_question_for_many_waiters),
		cmocka_unit_test(the_asker_dies),
		cmocka_unit_test(answer_before_the_question_is_read),
		cmocka_unit_test(discards_are_counted),
		cmocka_unit_test(tcb_fields),
		cmocka_unit_test(table_entries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
