/* SPDX-License-Identifier: BSD-2-Clause
 * Property: ThreadControl (X.2 2.4) creates, activates, moves the version of and deletes threads, only for the
 * privileged, and every bad argument gives its error code and changes nothing. Guards kernel/thread.c.
 */
#include "test.h"

const char test_suite[] = "threadcontrol";

#define NO_UTCB ((void *)-1)

static word create(L4_ThreadId_t tid, L4_ThreadId_t space, L4_ThreadId_t scheduler, L4_ThreadId_t pager, void *utcb)
{
	return L4_ThreadControl(tid, space, scheduler, pager, utcb);
}

static int exists(L4_ThreadId_t tid)
{
	word old;

	return L4_Schedule(tid, ~0UL, ~0UL, ~0UL, ~0UL, &old) != L4_SCHEDRESULT_ERROR;
}

/* ---- Hostile arguments ---------------------------------------------------------------------------- */

static volatile word result, error, finished;

static void unprivileged(void *arg)
{
	L4_ThreadId_t tid = *(L4_ThreadId_t *)arg;

	result = create(tid, L4_Myself(), L4_Myself(), L4_Myself(), (void *)(TEST_UTCBS + 5 * L4_UTCB_SIZE));
	error = L4_ErrorCode();
	finished = 1;
}

static void no_privilege(void)
{
	L4_ThreadId_t space = test_space(), fresh = test_new_id();

	finished = 0;
	test_space_start(space, unprivileged, &fresh);
	test_wait_flag(&finished, 1);
	EXPECT_EQ(result, 0);
	EXPECT_EQ(error, L4_ERR_NO_PRIVILEGE);
	EXPECT(!exists(fresh));
	test_delete(space);
}

static void bad_numbers(void)
{
	L4_ThreadId_t me = L4_Myself();
	static const word numbers[] = { 1UL << L4_THREAD_BITS, (1UL << L4_THREAD_BITS) + 300, 0xffffffff };
	unsigned int i;

	EXPECT_EQ(create(L4_nilthread, me, me, me, NO_UTCB), 0);        /* number 0: no privilege, or no thread */
	EXPECT_REFUSED(create(L4_anythread, me, me, me, NO_UTCB), L4_ERR_INVALID_THREAD);
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		EXPECT_REFUSED(create(L4_GlobalId(numbers[i], 1), me, me, me, test_utcb(test_new_slot())),
		               L4_ERR_INVALID_THREAD);
	/* The low six bits of a version must not be 0: that is a local id, and no thread's. */
	EXPECT_REFUSED(create(L4_GlobalId(300, 64), me, me, me, test_utcb(test_new_slot())), L4_ERR_INVALID_THREAD);
}

static void residual_threads(void)
{
	static const word numbers[] = { L4_SYSTEM_BASE, L4_CONSOLE_TNO, 100, L4_SIGMA0_TNO, L4_WRITER_TNO };
	unsigned int i;

	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		L4_ThreadId_t tid = L4_GlobalId(numbers[i], 1);

		EXPECT_EQ(create(tid, L4_nilthread, L4_nilthread, L4_nilthread, NO_UTCB), 0);
		EXPECT_EQ(create(tid, L4_Myself(), L4_Myself(), L4_Myself(), test_utcb(test_new_slot())), 0);
	}
	/* They are still there: sigma0 answers. */
	EXPECT(test_boot() != 0);
}

static void bad_space(void)
{
	L4_ThreadId_t me = L4_Myself(), fresh = test_new_id();

	EXPECT_REFUSED(create(fresh, L4_GlobalId(190, 1), me, me, test_utcb(test_new_slot())), L4_ERR_INVALID_SPACE);
	EXPECT_REFUSED(create(fresh, L4_anythread, me, me, test_utcb(test_new_slot())), L4_ERR_INVALID_SPACE);
	EXPECT(!exists(fresh));
}

static void bad_scheduler(void)
{
	L4_ThreadId_t me = L4_Myself(), fresh = test_new_id();

	EXPECT_REFUSED(create(fresh, me, L4_GlobalId(190, 1), me, test_utcb(test_new_slot())),
	               L4_ERR_INVALID_SCHEDULER);
	EXPECT(!exists(fresh));
	/* A new thread needs one. */
	EXPECT_EQ(create(fresh, me, L4_nilthread, me, test_utcb(test_new_slot())), 0);
	EXPECT(!exists(fresh));
}

static void bad_utcb(void)
{
	L4_ThreadId_t me = L4_Myself(), fresh = test_new_id();
	unsigned long good = (unsigned long)test_utcb(test_new_slot());

	EXPECT_REFUSED(create(fresh, me, me, me, (void *)0x10000000), L4_ERR_UTCB_AREA);
	EXPECT_REFUSED(create(fresh, me, me, me, (void *)0xffffffff80000000), L4_ERR_UTCB_AREA);
	EXPECT_REFUSED(create(fresh, me, me, me, (void *)0x8000000000000000), L4_ERR_UTCB_AREA);
	EXPECT_REFUSED(create(fresh, me, me, me, (void *)(good + 8)), L4_ERR_UTCB_AREA);
	/* A slot that is taken: ours. */
	EXPECT_REFUSED(create(fresh, me, me, me, test_utcb(0)), L4_ERR_UTCB_AREA);
	EXPECT(!exists(fresh));
}

static void delete_unknown(void)
{
	L4_ThreadId_t tid;

	EXPECT_REFUSED(create(L4_GlobalId(191, 1), L4_nilthread, L4_nilthread, L4_nilthread, NO_UTCB),
	               L4_ERR_INVALID_THREAD);
	tid = test_thread_inactive(L4_nilthread);
	test_delete(tid);
	EXPECT_REFUSED(create(tid, L4_nilthread, L4_nilthread, L4_nilthread, NO_UTCB), L4_ERR_INVALID_THREAD);
}

/* ---- What it is for ---------------------------------------------------------------------------------- */

static volatile word ran;

static void mark(void *arg)
{
	ran = (word)arg;
}

static void create_run_delete(void)
{
	L4_ThreadId_t tid;

	ran = 0;
	tid = test_thread(mark, (void *)7);
	test_wait_flag(&ran, 7);
	EXPECT_EQ(ran, 7);
	EXPECT(exists(tid));
	test_delete(tid);
	EXPECT(!exists(tid));
}

static void inactive_then_active(void)
{
	L4_ThreadId_t tid = test_thread_inactive(L4_nilthread);
	word old;

	EXPECT_EQ(L4_Schedule(tid, ~0UL, ~0UL, ~0UL, ~0UL, &old) & 0xff, L4_SCHEDRESULT_INACTIVE);
	EXPECT_EQ(create(tid, L4_Myself(), L4_nilthread, L4_Pager(), NO_UTCB), 1);
	/* Active: it waits for the start message of its pager. */
	test_wait_state(tid, L4_SCHEDRESULT_WAITING);
	ran = 0;
	test_start(tid, mark, (void *)3);
	test_wait_flag(&ran, 3);
	test_delete(tid);
}

static void version_reuse(void)
{
	L4_ThreadId_t old = test_thread_inactive(L4_nilthread), next = L4_GlobalId(L4_ThreadNo(old), L4_Version(old) + 1);
	unsigned int slot;

	test_delete(old);
	slot = test_new_slot();
	EXPECT_EQ(create(next, L4_Myself(), L4_Myself(), L4_Pager(), test_utcb(slot)), 1);
	EXPECT(!exists(old));
	EXPECT(exists(next));
	EXPECT_IPC_ERROR(test_send(old, 1, 0, L4_ZeroTime), 0, L4_IPC_NON_EXISTING);
	EXPECT_REFUSED(create(old, L4_nilthread, L4_nilthread, L4_nilthread, NO_UTCB), L4_ERR_INVALID_THREAD);
	EXPECT(exists(next));
	EXPECT_EQ(create(next, L4_nilthread, L4_nilthread, L4_nilthread, NO_UTCB), 1);
}

static void ids_of_a_thread(void *arg)
{
	word *out = arg;

	out[0] = L4_MyGlobalId().raw;
	out[1] = L4_MyLocalId().raw;
	out[2] = L4_Pager().raw;
	ran = 1;
}

static void identity(void)
{
	static word out[3];
	unsigned int slot = test_new_slot();
	L4_ThreadId_t tid;

	ran = 0;
	tid = test_thread(ids_of_a_thread, out);
	test_wait_flag(&ran, 1);
	EXPECT_EQ(out[0], tid.raw);
	EXPECT_EQ(out[1], (word)test_utcb(slot) + L4_UTCB_MR_OFFSET);
	EXPECT_EQ(out[2], L4_Pager().raw);
	test_delete(tid);
}

static volatile word spin_count;

static void spin(void *arg)
{
	(void)arg;
	for (;;)
		spin_count++;
}

static void delete_running(void)
{
	L4_ThreadId_t tid;
	word seen;

	spin_count = 0;
	tid = test_thread(spin, 0);
	test_wait_flag(&spin_count, 1000);
	test_delete(tid);
	seen = spin_count;
	test_sleep_us(20000);
	EXPECT_EQ(spin_count, seen);
}

static void call_main(void *arg)
{
	L4_MsgTag_t tag;

	tag = test_call(*(L4_ThreadId_t *)arg, 5, 1, 2);
	result = L4_IpcFailed(tag);
	error = L4_ErrorCode();
	finished = 1;
}

static void sleep_for_ever(void *arg)
{
	(void)arg;
	L4_Sleep(L4_Never);
}

static void delete_with_queued_sender(void)
{
	static L4_ThreadId_t target;
	L4_ThreadId_t sender;

	finished = 0;
	target = test_thread(sleep_for_ever, 0);
	test_wait_state(target, L4_SCHEDRESULT_WAITING);
	sender = test_thread(call_main, &target);
	test_wait_state(sender, L4_SCHEDRESULT_PENDING_SEND);
	test_delete(target);
	test_wait_flag(&finished, 1);
	EXPECT_EQ(result, 1);
	EXPECT_EQ(IPC_PHASE(error), 0);
	test_delete(sender);
}

static void receive_from(void *arg)
{
	L4_MsgTag_t tag = L4_Receive(*(L4_ThreadId_t *)arg);

	result = L4_IpcFailed(tag);
	error = L4_ErrorCode();
	finished = 1;
}

/* Whoever waits for a thread that goes is told, even while another thread keeps the processor busy. */
static void partner_goes(int busy, int new_version)
{
	static L4_ThreadId_t target;
	L4_ThreadId_t receiver, spinner = L4_nilthread, next;

	finished = 0;
	target = test_thread(sleep_for_ever, 0);
	test_wait_state(target, L4_SCHEDRESULT_WAITING);
	receiver = test_thread(receive_from, &target);
	test_wait_state(receiver, L4_SCHEDRESULT_WAITING);
	if (busy)
		spinner = test_thread(spin, 0);
	next = target;
	if (new_version) {
		next = L4_GlobalId(L4_ThreadNo(target), L4_Version(target) + 1);
		EXPECT_EQ(create(next, L4_Myself(), L4_nilthread, L4_nilthread, NO_UTCB), 1);
	} else {
		test_delete(target);
	}
	test_wait_flag(&finished, 1);
	EXPECT_EQ(result, 1);
	EXPECT_EQ(IPC_PHASE(error), 1);
	EXPECT_EQ(IPC_CODE(error), L4_IPC_NON_EXISTING);
	if (new_version)
		test_delete(next);
	if (busy)
		test_delete(spinner);
	test_delete(receiver);
}

static void delete_awaited(void)
{
	partner_goes(0, 0);
	partner_goes(1, 0);
	partner_goes(0, 1);
}

static void delete_queued_sender(void)
{
	static L4_ThreadId_t me;
	L4_ThreadId_t sender, from;

	me = L4_Myself();
	sender = test_thread(call_main, &me);
	test_wait_state(sender, L4_SCHEDRESULT_PENDING_SEND);
	test_delete(sender);
	EXPECT_IPC_ERROR(L4_Wait_Timeout(L4_TimePeriod(10000), &from), 1, L4_IPC_TIMEOUT);
}

static void new_space(void)
{
	L4_ThreadId_t tid = test_space(), second = test_space_thread(tid, 3);

	ran = 0;
	test_space_start(tid, mark, (void *)4);
	test_wait_flag(&ran, 4);
	test_space_start(second, mark, (void *)5);
	test_wait_flag(&ran, 5);
	test_delete(tid);
	ran = 0;
	EXPECT(exists(second));
	test_delete(second);
	/* The space went with its last thread. */
	EXPECT_REFUSED(create(test_new_id(), second, L4_Myself(), L4_nilthread, NO_UTCB), L4_ERR_INVALID_SPACE);
}

static void many_times(void)
{
	unsigned int i;

	for (i = 0; i < 300; i++) {
		L4_ThreadId_t tid = test_thread_inactive(L4_nilthread);

		test_delete(tid);
	}
}

static void many_spaces(void)
{
	unsigned int i;

	for (i = 0; i < 60; i++) {
		L4_ThreadId_t tid = test_space();

		test_delete(tid);
	}
}

#define RACES   150             /* calls that the helper makes */
#define TRIES   3000            /* at most, to get in its way */

static L4_ThreadId_t raced;
static volatile word races;

static void activate_raced(void *arg)
{
	(void)arg;
	while (races < RACES) {
		(void)create(raced, L4_Myself(), L4_Myself(), L4_Myself(), test_utcb((unsigned int)result));
		races++;
	}
	finished = 1;
}

/* Whichever of the two comes first, and whatever must be fetched in between: both calls end. */
static void delete_against_activate(void)
{
	L4_ThreadId_t helper;
	word state = 7;

	finished = races = 0;
	result = test_new_slot();
	raced = test_new_id();
	test_claim_slot((unsigned int)result, raced);
	helper = test_thread(activate_raced, 0);
	for (word i = 0; i < TRIES && races < RACES; i++) {
		(void)create(raced, L4_Myself(), L4_Myself(), L4_nilthread, NO_UTCB);
		test_sleep_us(test_random(&state) % 32);
		(void)create(raced, L4_nilthread, L4_nilthread, L4_nilthread, NO_UTCB);
		test_sleep_us(test_random(&state) % 32);
	}
	test_wait_flag(&finished, 1);
	EXPECT_EQ(races, RACES);
	(void)create(raced, L4_nilthread, L4_nilthread, L4_nilthread, NO_UTCB);
	test_delete(helper);
}

const struct test tests[] = {
	{ .name = "unprivileged caller", .run = no_privilege },
	{ .name = "impossible thread numbers", .run = bad_numbers },
	{ .name = "residual threads cannot be touched", .run = residual_threads },
	{ .name = "unknown space", .run = bad_space },
	{ .name = "unknown scheduler", .run = bad_scheduler },
	{ .name = "bad UTCB locations", .run = bad_utcb },
	{ .name = "delete what does not exist", .run = delete_unknown },
	{ .name = "create, run, delete", .run = create_run_delete },
	{ .name = "inactive, then active", .run = inactive_then_active },
	{ .name = "a new version, the old id is void", .run = version_reuse },
	{ .name = "a thread knows its ids and pager", .run = identity },
	{ .name = "delete a running thread", .run = delete_running },
	{ .name = "delete a receiver with a queued sender", .run = delete_with_queued_sender },
	{ .name = "delete whom a receiver waits for", .run = delete_awaited },
	{ .name = "delete a queued sender", .run = delete_queued_sender },
	{ .name = "threads in a new space, and its end", .run = new_space },
	{ .name = "create and delete 300 times", .run = many_times },
	{ .name = "60 spaces", .run = many_spaces },
	{ .name = "delete while somebody activates", .run = delete_against_activate },
	{ 0 }
};
