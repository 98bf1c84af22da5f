/* SPDX-License-Identifier: BSD-2-Clause
 * Activation after a recovery: what becomes of a thread of each saved state, beside a partner of each kind. Send queue,
 * ready queue and wakeup queue are stand-ins that note who entered.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/activate.h"
#include "kernel/ipc.h"
#include "kernel/sched.h"
#include "kernel/space.h"
#include "kernel/thread.h"
#include <l4/framecontrol.h>

#define CHUNK           3u                      /* the persistent table page that is there */
#define NUMBER(i)       (CHUNK * L4_TABLE_PER_PAGE + (i))
#define ID(i)           tid_make(NUMBER(i), entry[i].version)
#define SERVER          tid_make(L4_ROOT_TNO - 1, 1)
#define DEADLINE        123456u

enum { SELF, DEST };

struct thread *thread_chunk[L4_TABLE_PAGES];
static struct thread thread[L4_TABLE_PER_PAGE];
static struct tte entry[L4_TABLE_PER_PAGE];

/* What activation has done with SELF. */
static struct {
	unsigned ready, queued, timed, spaces, gone;
	struct thread *dest;
	u64 deadline;
} did;
static bool accepts;
static int space_status;

void sched_ready(struct thread *t) { did.ready += t == &thread[SELF]; }
void ipc_partner_gone(void) { did.gone++; }
bool ipc_accepts(const struct thread *dest, const struct thread *from) { return accepts && dest && from; }
int space_mark_used(u32 no) { (void)no; did.spaces++; return space_status; }

void ipc_enqueue(struct thread *t, struct thread *dest)
{
	did.queued += t == &thread[SELF];
	did.dest = dest;
}

void wakeup_set(struct thread *t, u64 deadline)
{
	if (t == &thread[SELF]) {
		did.timed++;
		did.deadline = deadline;
	}
}

static int setup(void **state)
{
	(void)state;
	memset(thread, 0, sizeof(thread));
	memset(entry, 0, sizeof(entry));
	memset(&did, 0, sizeof(did));
	for (u32 i = 0; i < L4_TABLE_PER_PAGE; i++) {
		thread[i].tte = &entry[i];
		thread[i].no = NUMBER(i);
		entry[i].version = 7 + i;
	}
	for (u32 i = SELF; i <= DEST; i++)
		entry[i].flags = TTE_EXISTS | TTE_ACTIVE;
	entry[DEST].state = TS_RECV;
	entry[DEST].partner = L4_ANYTHREAD;
	entry[SELF].deadline = DEADLINE;
	thread_chunk[CHUNK] = thread;
	accepts = false;
	space_status = 0;
	return 0;
}

static void self_is(unsigned ts, tid_t partner)
{
	entry[SELF].state = (u8)ts;
	entry[SELF].partner = partner;
}

static void expect(unsigned ready, unsigned queued, unsigned timed)
{
	assert_int_equal(activate_threads(), 2);
	assert_int_equal(did.ready, ready);
	assert_int_equal(did.queued, queued);
	assert_int_equal(did.timed, timed);
	assert_int_equal(did.spaces, 2);
	assert_int_equal(did.gone, 1);
	if (queued)
		assert_ptr_equal(did.dest, &thread[DEST]);
	if (timed)
		assert_int_equal(did.deadline, DEADLINE);
}

static void expect_ready(u32 flags)
{
	expect(1, 0, 0);
	assert_int_equal(thread[SELF].flags, flags);
}

static void test_ready(void **state)
{
	(void)state;
	self_is(TS_READY, L4_NILTHREAD);
	expect_ready(0);
}

/* Its IPC has ended and it does not know yet, whatever it waited for. */
static void test_pending_end(void **state)
{
	static const unsigned waiting[] = { TS_SEND, TS_RECV, TS_RECV_PENDING };

	for (unsigned i = 0; i < sizeof(waiting) / sizeof(waiting[0]); i++) {
		setup(state);
		self_is(waiting[i], ID(DEST));
		entry[SELF].pending = 1;
		expect_ready(0);
	}
}

/* The receiver is in another phase: the sender queues, with its deadline. */
static void test_sender_queues(void **state)
{
	(void)state;
	self_is(TS_SEND, ID(DEST));
	expect(0, 1, 1);
}

/* The receiver waits for it already, because a kernel object was not there when it sent: nobody would ever look at the queue. */
static void test_sender_accepted(void **state)
{
	(void)state;
	self_is(TS_SEND, ID(DEST));
	accepts = true;
	expect_ready(0);
}

/* There is nobody to wait for: it tries again, and is told. */
static void test_sender_without_receiver(void **state)
{
	(void)state;
	self_is(TS_SEND, tid_make(NUMBER(DEST), entry[DEST].version + 1));
	expect_ready(0);
	setup(state);
	self_is(TS_SEND, tid_make(9 * L4_TABLE_PER_PAGE, 1));   /* its table page has never existed */
	expect_ready(0);
	setup(state);
	self_is(TS_SEND, ID(DEST));
	entry[DEST].flags |= TTE_STOPPED;
	expect_ready(0);
	setup(state);
	self_is(TS_SEND, ID(DEST));
	entry[DEST].flags = TTE_EXISTS;                         /* inactive */
	expect_ready(0);
	setup(state);
	self_is(TS_SEND, ID(DEST));
	thread[DEST].flags = TF_DAMAGED;
	expect_ready(0);
	setup(state);
	self_is(TS_SEND, ID(DEST));
	thread[DEST].flags = TF_RESIDENT;                       /* a residual server: it sends again */
	expect_ready(0);
}

static void test_receivers(void **state)
{
	static const tid_t any[] = { L4_ANYTHREAD, L4_ANYLOCALTHREAD };

	for (unsigned i = 0; i < 3; i++) {
		setup(state);
		self_is(TS_RECV, i < 2 ? any[i] : ID(DEST));
		expect(0, 0, 1);
		setup(state);
		self_is(TS_RECV_PENDING, i < 2 ? any[i] : ID(DEST));
		expect_ready(0);
	}
}

/* The partner does not remember: calls and faults are made again, a receive alone is cancelled; a thread that was never started is
 * started. */
static void test_partner_is_residual(void **state)
{
	static const struct {
		unsigned kind, flags;
	} as[] = {
		{ IPC_CALL_RESIDUAL, TF_RESTART }, { IPC_PAGEFAULT, TF_RESTART }, { IPC_EXCEPTION, TF_RESTART },
		{ 0, TF_CANCEL }, { IPC_START, 0 },
	};

	for (unsigned i = 0; i < 2 * sizeof(as) / sizeof(as[0]); i++) {
		setup(state);
		self_is(i & 1 ? TS_RECV : TS_RECV_PENDING, SERVER);
		entry[SELF].kind = (u8)as[i / 2].kind;
		expect_ready(as[i / 2].flags);
	}
}

/* Who does not run stays as it is. */
static void test_left_alone(void **state)
{
	(void)state;
	entry[SELF].flags |= TTE_STOPPED;
	expect(0, 0, 0);
	setup(state);
	entry[SELF].flags = TTE_EXISTS;
	expect(0, 0, 0);
}

/* Of a damaged thread nothing is believed. */
static void test_damaged(void **state)
{
	(void)state;
	thread[SELF].flags = TF_DAMAGED;
	expect(0, 0, 0);
	assert_int_equal(thread[SELF].flags, TF_DAMAGED);
}

/* Without its space a thread would be stopped for good: then none of them runs. */
static void test_no_room_for_spaces(void **state)
{
	(void)state;
	space_status = -1;
	assert_int_equal(activate_threads(), -1);
	assert_int_equal(did.ready + did.queued + did.timed + did.gone, 0);
	/* What a damaged one says of its space does not matter. */
	setup(state);
	space_status = -1;
	thread[SELF].flags = thread[DEST].flags = TF_DAMAGED;
	assert_int_equal(activate_threads(), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_ready, setup),
		cmocka_unit_test_setup(test_pending_end, setup),
		cmocka_unit_test_setup(test_sender_queues, setup),
		cmocka_unit_test_setup(test_sender_accepted, setup),
		cmocka_unit_test_setup(test_sender_without_receiver, setup),
		cmocka_unit_test_setup(test_receivers, setup),
		cmocka_unit_test_setup(test_partner_is_residual, setup),
		cmocka_unit_test_setup(test_left_alone, setup),
		cmocka_unit_test_setup(test_damaged, setup),
		cmocka_unit_test_setup(test_no_room_for_spaces, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
