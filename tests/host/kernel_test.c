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
#include "kernel/frame.h"
#include "kernel/ticket.h"
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

static unsigned windows;
void arch_preemption_window(void) { windows++; }
void sched_set_timer(void) { }
void sched_unready(struct thread *t) { t->flags &= ~(u32)TF_READY; }
void sched_ready(struct thread *t) { t->flags |= TF_READY; readied++; }
void sched_switch(struct thread *t, bool keep) { (void)keep; sched_ready(t); }
void sched_block_current(void) { }
void ipc_kernel_message(struct thread *t) { (void)t; woken_server++; }
bool fpu_area_valid(const u8 *area) { (void)area; return fpu_ok; }
struct space *space_at(u32 no) { (void)no; return NULL; }
static u64 now = 1000;
u64 clock_us(void) { return now; }

#define FRAMES          (L4_TICKET_THINGS + 48)
static struct frame frames[FRAMES];
static unsigned char ram[FRAMES * 4096] __attribute__((aligned(4096)));
unsigned char *direct_map_base = ram;
struct frame *frame_table = frames;
pfn_t max_pfn = FRAMES;

static struct thread thread[THREADS];
static struct tte entry[THREADS];
static struct tcb tcb[8];

static void clear(void)
{
	u64 out[8];

	for (u32 i = 0; i < THREADS; i++) {
		unpark(&thread[i]);
		ticket_leave(&thread[i]);
	}
	while (event_take(out, 8))
		;
	assert_false(ticket_holds(1));          /* opens the queue */
	memset(thread, 0, sizeof thread);
	memset(entry, 0, sizeof entry);
	memset(frames, 0, sizeof frames);
	for (u32 i = 0; i < THREADS; i++) {
		thread[i].no = i;
		thread[i].tte = &entry[i];
		thread_chunk[i / L4_TABLE_PER_PAGE] = &thread[i - i % L4_TABLE_PER_PAGE];
	}
	for (u32 i = 1; i < 8; i++) {
		thread[i].tcb = &tcb[i];
		tcb[i].frame.rip = 0x1000 * i;
	}
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
	for (unsigned i = 1; i < 6; i++)
		park(&thread[i], &w);
	assert_int_equal(event_take(out, 8), 1);
	assert_true(out[0] == w.event[0]);
	park(&thread[6], &w);                   /* asked already: the answer is on its way */
	assert_false(event_pending());
	park_release(w.event[0] + 1, 0, NULL, 0);
	assert_int_equal(readied, 0);
	park_release(w.event[0], TF_OUT_OF_MEMORY, NULL, 0);
	assert_int_equal(readied, 6);
	for (unsigned i = 1; i < 7; i++) {
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
	park_release(w.event[0], 0, NULL, 0);
	assert_int_equal(readied, 0);
}

/* Those of one key, those of others in the same bucket, and whoever leaves: each is released once, by its own key. */
static void many_waiters_of_many_keys(void **state)
{
	enum { KEYS = 5, STEPS = 4000 };
	struct wants w[KEYS];
	u32 waits_for[THREADS] = { 0 };         /* key + 1 */
	u64 out[8];

	(void)state;
	seed();
	clear();
	for (unsigned k = 0; k < KEYS; k++)     /* all in one bucket */
		w[k] = (struct wants){ .count = 1, .event = { (u64)L4_EV_STALE << L4_EV_SHIFT | (9 ^ k << 10 ^ k) } };
	for (unsigned n = 0; n < STEPS; n++) {
		unsigned i = (unsigned)rand() % THREADS, k = (unsigned)rand() % KEYS;

		if (waits_for[i] && rand() % 4 == 0) {
			unpark(&thread[i]);
			waits_for[i] = 0;
		} else if (!waits_for[i]) {
			park(&thread[i], &w[k]);
			waits_for[i] = k + 1;
		} else if (rand() % 16 == 0) {
			while (rand() % 2 && event_take(out, 1))
				;
			readied = 0;
			park_release(w[k].event[0], 0, NULL, 0);
			for (i = 0; i < THREADS; i++) {
				bool released = waits_for[i] == k + 1;

				assert_int_equal(!!(thread[i].flags & TF_PARKED), waits_for[i] && !released);
				readied -= released;
				if (released)
					waits_for[i] = 0;
			}
			assert_int_equal(readied, 0);
		}
	}
	for (unsigned k = 0; k < KEYS; k++)
		park_release(w[k].event[0], 0, NULL, 0);
	assert_false(event_pending());
}

/* A release must not keep interrupts away for as long as there are threads. */
static void release_lets_interrupts_in(void **state)
{
	struct wants w = { .count = 1, .event = { (u64)L4_EV_NEED << L4_EV_SHIFT | 300 } };

	(void)state;
	clear();
	for (unsigned i = 0; i < THREADS; i++)
		park(&thread[i], &w);
	windows = 0;
	park_release(w.event[0], 0, NULL, 0);
	assert_int_equal(readied, THREADS);
	assert_true(windows >= THREADS / 64 - 1);
}

static void answer_before_the_question_is_read(void **state)
{
	struct wants w = { .count = 1, .event = { (u64)L4_EV_STALE << L4_EV_SHIFT | 10 } };
	u32 pins = 0;

	(void)state;
	clear();
	park(&thread[1], &w);
	park_release(w.event[0], 0, &pins, 0);
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

/* ---- the ticket ---- */

/* t misses frame pfn, which is stale. */
static void misses(struct thread *t, pfn_t pfn)
{
	struct wants w = { .count = 1, .event = { (u64)L4_EV_STALE << L4_EV_SHIFT | pfn } };

	t->flags &= ~(u32)TF_READY;
	park(t, &w);
}

static void gets(pfn_t pfn)
{
	frames[pfn].tag = epoch;
	park_release((u64)L4_EV_STALE << L4_EV_SHIFT | pfn, 0, NULL, pfn);
}

/* The scheduler has dispatched t: what it still misses it asks for next. */
static void tries(struct thread *t)
{
	t->flags &= ~(u32)TF_READY;
	ticket_try(t);
}

static void first_waiter_holds_what_it_is_given(void **state)
{
	(void)state;
	clear();
	misses(&thread[1], 10);
	misses(&thread[2], 20);
	gets(20);
	assert_false(ticket_holds(20));         /* the second in the queue */
	assert_null(ticket_urgent);
	gets(10);
	assert_true(ticket_holds(10));
	assert_true(ticket_has(10));
	assert_false(ticket_has(20));
	assert_ptr_equal(ticket_urgent, &thread[1]);
	tries(&thread[1]);
	assert_null(ticket_urgent);
	misses(&thread[1], 11);                 /* the same step */
	gets(11);
	assert_true(ticket_holds(10) && ticket_holds(11));
	assert_null(ticket_check());
	tries(&thread[1]);
	tcb[1].frame.rip++;
	misses(&thread[1], 12);                 /* another one: to the end of the queue */
	assert_false(ticket_holds(10) || ticket_holds(11));
	tries(&thread[2]);
	misses(&thread[2], 21);
	gets(21);
	assert_true(ticket_holds(21));
	assert_null(ticket_check());
}

static void nobody_queues_while_nothing_is_taken(void **state)
{
	(void)state;
	clear();
	for (unsigned i = 0; i < TICKET_EPOCHS; i++)
		ticket_snapshot();
	misses(&thread[1], 10);
	gets(10);
	assert_null(ticket_urgent);
	assert_false(ticket_has(10));           /* who takes little does not open it … */
	tries(&thread[1]);
	misses(&thread[1], 10);
	gets(10);
	assert_null(ticket_urgent);
	assert_false(ticket_holds(10));         /* … and who takes more does */
	tries(&thread[1]);
	misses(&thread[1], 11);
	gets(11);
	assert_true(ticket_holds(11));
}

static void ticket_is_passed_on(void **state)
{
	(void)state;
	clear();
	misses(&thread[1], 10);
	misses(&thread[2], 20);
	gets(10);
	tries(&thread[1]);
	entry[1].state = TS_RECV;               /* it blocks in an IPC: nothing of ours */
	gets(20);
	assert_false(ticket_holds(10));
	assert_true(ticket_holds(20));
	ticket_leave(&thread[2]);               /* deleted */
	assert_false(ticket_holds(20));
	assert_null(ticket_urgent);
	assert_null(ticket_check());
}

/* Any thread can name a residual server as its pager, and fault again as often as that answers. */
static void a_fault_to_nobody_holds_nothing(void **state)
{
	(void)state;
	clear();
	misses(&thread[1], 10);
	misses(&thread[2], 20);
	gets(10);
	tries(&thread[1]);
	entry[1].state = TS_RECV;
	entry[1].kind = IPC_PAGEFAULT;
	entry[1].partner = tid_make(L4_SIGMA0_TNO, 1);
	assert_true(ticket_holds(10));
	entry[1].partner = tid_make(L4_CONSOLE_TNO, 1);
	assert_false(ticket_holds(10));
	gets(20);
	assert_true(ticket_holds(20));
	assert_null(ticket_check());
}

/* t, whose program of a pager has the number, is answered by that and by nobody else. */
static void faults_to(struct thread *t, u32 pager)
{
	t->flags &= ~(u32)TF_READY;
	t->tte->state = TS_RECV;
	t->tte->kind = IPC_PAGEFAULT;
	t->tte->partner = tid_make(pager, 1);
	entry[pager].flags = TTE_EXISTS | TTE_ACTIVE;
	entry[pager].version = 1;
	ticket_wait(t);
}

/* What its pagers are given it holds, until it has got further itself: what they map to it would be gone before it tries. */
static void pagers_are_given_it_for_who_waits(void **state)
{
	struct thread *leaf = &thread[1], *pager = &thread[130], *under = &thread[131];

	(void)state;
	clear();
	misses(leaf, 10);
	gets(10);
	tries(leaf);
	faults_to(leaf, 130);
	misses(&thread[2], 20);
	misses(pager, 30);
	gets(20);
	assert_false(ticket_holds(20));
	gets(30);
	assert_true(ticket_holds(10) && ticket_holds(30));
	assert_ptr_equal(ticket_urgent, pager);
	assert_null(ticket_check());
	tries(pager);
	assert_null(ticket_urgent);
	faults_to(pager, 131);
	misses(under, 31);
	gets(31);
	assert_ptr_equal(ticket_urgent, under);
	tries(under);
	ticket_leave(under);
	entry[130].state = TS_READY;
	ticket_leave(pager);
	assert_true(ticket_holds(10) && ticket_holds(30) && ticket_holds(31));
	ticket_answer(leaf, 32, 0);
	assert_ptr_equal(ticket_urgent, leaf);
	assert_true(ticket_holds(32));
	entry[1].state = TS_READY;
	tries(leaf);
	ticket_leave(leaf);
	assert_false(ticket_holds(10) || ticket_holds(30) || ticket_holds(31) || ticket_holds(32));
	misses(pager, 33);                      /* for itself now, behind another */
	gets(33);
	assert_false(ticket_holds(33));
	assert_null(ticket_check());
}

/* A pager that is a program may never answer, or two be each other's: who comes behind waits a bounded time for that. */
static void a_pager_that_does_not_answer_holds_nobody_up(void **state)
{
	(void)state;
	clear();
	faults_to(&thread[1], 130);
	misses(&thread[2], 20);
	misses(&thread[130], 30);
	assert_false(ticket_holds(20));         /* the clock begins when somebody else is seen to wait */
	now += 500000;
	assert_false(ticket_holds(20));
	assert_true(thread[1].flags & TF_WAITING);
	gets(30);
	tries(&thread[130]);
	ticket_leave(&thread[130]);             /* has what it wanted, and thinks */
	assert_true(ticket_holds(30));
	now += 100000;
	assert_true(ticket_holds(30));
	now += 200000;
	assert_false(ticket_holds(30));
	assert_false(thread[1].flags & TF_WAITING);
	gets(20);
	assert_true(ticket_holds(20));
	ticket_leave(&thread[2]);
	faults_to(&thread[130], 131);
	faults_to(&thread[131], 130);
	misses(&thread[2], 21);
	gets(21);
	assert_false(ticket_holds(21));
	now += 1000;
	assert_false(ticket_holds(21));
	for (unsigned i = 0; i < 3; i++) {
		now += 1100000;
		assert_false(ticket_holds(40));
	}
	tries(&thread[2]);
	misses(&thread[2], 22);
	gets(22);
	assert_true(ticket_holds(22));
	assert_null(ticket_check());
}

static void nobody_holds_without_end(void **state)
{
	pfn_t f;

	(void)state;
	clear();
	misses(&thread[1], 10);
	misses(&thread[2], 11 + L4_TICKET_THINGS);
	for (f = 10; f < 10 + L4_TICKET_THINGS; f++) {
		gets(f);
		assert_true(ticket_holds(f));
		tries(&thread[1]);
		misses(&thread[1], f + 1);
	}
	gets(f);                                /* more than a step can need */
	assert_false(ticket_holds(f) || ticket_holds(10));
	gets(++f);
	assert_true(ticket_holds(f));
	tries(&thread[2]);
	misses(&thread[2], f + 1);
	assert_true(ticket_holds(f));
	now += 2000000;                         /* the disk does not answer */
	tries(&thread[1]);
	misses(&thread[1], 2);
	assert_false(ticket_holds(f));
	assert_null(ticket_check());
}

static void taking_from_the_holder_is_noticed(void **state)
{
	(void)state;
	clear();
	misses(&thread[1], 10);
	gets(10);
	frames[10].tag = 0;
	assert_non_null(ticket_check());
	ticket_forget(10);
	assert_false(ticket_holds(10));
	assert_null(ticket_check());
	misses(&thread[2], 20);
	epoch++;                                /* a snapshot takes nothing */
	assert_null(ticket_check());
	thread[2].flags &= ~(u32)TF_WAITING;
	assert_non_null(ticket_check());
	thread[2].flags |= TF_WAITING;
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
		cmocka_unit_test(many_waiters_of_many_keys),
		cmocka_unit_test(release_lets_interrupts_in),
		cmocka_unit_test(answer_before_the_question_is_read),
		cmocka_unit_test(discards_are_counted),
		cmocka_unit_test(first_waiter_holds_what_it_is_given),
		cmocka_unit_test(nobody_queues_while_nothing_is_taken),
		cmocka_unit_test(ticket_is_passed_on),
		cmocka_unit_test(a_fault_to_nobody_holds_nothing),
		cmocka_unit_test(pagers_are_given_it_for_who_waits),
		cmocka_unit_test(a_pager_that_does_not_answer_holds_nobody_up),
		cmocka_unit_test(nobody_holds_without_end),
		cmocka_unit_test(taking_from_the_holder_is_noticed),
		cmocka_unit_test(tcb_fields),
		cmocka_unit_test(table_entries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
