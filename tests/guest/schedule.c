/* SPDX-License-Identifier: BSD-2-Clause
 * Property: the highest ready priority runs, equals share by time slices, ThreadSwitch and Schedule (X.2 3.2, 3.3) do
 * what they say and refuse the rest; the clock goes forward. Guards kernel/sched.c, kernel/wakeup.c.
 * Under chaos a thread may wait for its objects at any time, so who runs when is not to be foretold:
 * harness-chaos-skips: equals share; ThreadSwitch runs the one named
 */
#include "test.h"

const char test_suite[] = "schedule";

#define KEEP (~0UL)

static volatile word count[4], finished, order[4], next;

static word schedule(L4_ThreadId_t tid, word time, word processor, word prio, word preemption)
{
	word old;

	return L4_Schedule(tid, time, processor, prio, preemption, &old);
}

static void spin(void *arg)
{
	for (;;)
		count[(word)arg]++;
}

static void note_order(void *arg)
{
	order[__atomic_fetch_add(&next, 1, __ATOMIC_RELAXED) & 3] = (word)arg;
	finished++;
}

static L4_ThreadId_t ready_thread(void (*fn)(void *), word arg, word prio)
{
	L4_ThreadId_t tid = test_thread_inactive(L4_Pager());

	EXPECT(schedule(tid, KEEP, KEEP, prio, KEEP) != L4_SCHEDRESULT_ERROR);
	test_start(tid, fn, (void *)arg);
	return tid;
}

/* ---- Hostile arguments ------------------------------------------------------------------------------- */

static volatile word result, error;

static void foreign_scheduler(void *arg)
{
	result = schedule(*(L4_ThreadId_t *)arg, KEEP, KEEP, 1, KEEP);
	error = L4_ErrorCode();
	finished = 1;
}

static void not_the_scheduler(void)
{
	static L4_ThreadId_t victim;
	L4_ThreadId_t outside = test_space();

	victim = test_thread_inactive(L4_nilthread);
	finished = 0;
	test_space_start(outside, foreign_scheduler, &victim);
	test_wait_flag(&finished, 1);
	EXPECT_EQ(result, 0);
	EXPECT(error == L4_ERR_NO_PRIVILEGE || error == L4_ERR_INVALID_PARAM);
	test_delete(outside);
	test_delete(victim);
}

static void unknown_threads(void)
{
	EXPECT_REFUSED(schedule(L4_GlobalId(190, 1), KEEP, KEEP, KEEP, KEEP), L4_ERR_INVALID_THREAD);
	EXPECT_REFUSED(schedule(L4_nilthread, KEEP, KEEP, KEEP, KEEP), L4_ERR_INVALID_THREAD);
	EXPECT_REFUSED(schedule(L4_anythread, KEEP, KEEP, KEEP, KEEP), L4_ERR_INVALID_THREAD);
	EXPECT_REFUSED(schedule(L4_GlobalId(1UL << L4_THREAD_BITS, 1), KEEP, KEEP, KEEP, KEEP),
	               L4_ERR_INVALID_THREAD);
}

static void residual_threads(void)
{
	EXPECT_EQ(schedule(L4_GlobalId(L4_SIGMA0_TNO, 1), KEEP, KEEP, 1, KEEP), 0);
	EXPECT(test_boot() != 0);
}

static void bad_parameters(void)
{
	L4_ThreadId_t tid = test_thread_inactive(L4_nilthread);

	EXPECT_REFUSED(schedule(tid, KEEP, 7, KEEP, KEEP), L4_ERR_INVALID_PARAM);
	test_delete(tid);
}

/* ---- Scheduling -------------------------------------------------------------------------------------- */

static void states(void)
{
	L4_ThreadId_t tid = test_thread_inactive(L4_nilthread);

	EXPECT_EQ(schedule(tid, KEEP, KEEP, KEEP, KEEP) & 0xff, L4_SCHEDRESULT_INACTIVE);
	test_delete(tid);
	tid = ready_thread(spin, 0, 50);
	EXPECT_EQ(schedule(tid, KEEP, KEEP, KEEP, KEEP) & 0xff, L4_SCHEDRESULT_RUNNING);
	test_delete(tid);
}

static void strict_priority(void)
{
	L4_ThreadId_t low, high;
	word before, high_before;

	count[0] = 0;
	count[1] = 0;
	high = ready_thread(spin, 1, 60);
	low = ready_thread(spin, 0, 50);
	test_wait_flag(&count[1], 1000);
	before = count[0];
	high_before = count[1];
	test_sleep_us(30000);
	EXPECT(count[1] > high_before);
	/* The low one may have run before the high one was started, not after. */
	EXPECT_EQ(count[0], before);
	test_delete(high);
	test_wait_flag(&count[0], before + 1000);
	test_delete(low);
}

static void round_robin(void)
{
	L4_ThreadId_t a, b, c;

	count[0] = count[1] = count[2] = 0;
	a = ready_thread(spin, 0, 50);
	b = ready_thread(spin, 1, 50);
	c = ready_thread(spin, 2, 50);
	test_sleep_us(300000);
	test_delete(a);
	test_delete(b);
	test_delete(c);
	EXPECT(count[0] > 0 && count[1] > 0 && count[2] > 0);
	EXPECT(count[0] < 20 * count[1] && count[1] < 20 * count[2] && count[2] < 20 * count[0]);
}

static void change_of_priority(void)
{
	L4_ThreadId_t a, b;
	word before;

	count[0] = count[1] = 0;
	a = ready_thread(spin, 0, 50);
	b = ready_thread(spin, 1, 40);
	test_wait_flag(&count[0], 1000);
	EXPECT_EQ(count[1], 0);
	EXPECT(schedule(b, KEEP, KEEP, 55, KEEP) != L4_SCHEDRESULT_ERROR);
	test_wait_flag(&count[1], 1000);
	before = count[0];
	test_sleep_us(20000);
	EXPECT_EQ(count[0], before);
	test_delete(a);
	test_delete(b);
}

static void thread_switch(void)
{
	L4_ThreadId_t a, b;
	word tries, named_first = 0;

	for (tries = 0; tries < 20; tries++) {
		finished = 0;
		next = 0;
		a = ready_thread(note_order, 1, 50);
		b = ready_thread(note_order, 2, 50);
		/* We have the highest priority of the three: neither has run; the one named runs first, unless an object
		 * of its is absent just now. */
		EXPECT_EQ(finished, 0);
		L4_ThreadSwitch(b);
		test_wait_flag(&finished, 2);
		named_first += order[0] == 2 && order[1] == 1;
		test_delete(a);
		test_delete(b);
	}
	EXPECT_GE(named_first, 5);
}

static void switch_to_nobody(void)
{
	L4_ThreadSwitch(L4_nilthread);
	L4_ThreadSwitch(L4_GlobalId(190, 1));
	L4_ThreadSwitch(L4_anythread);
	L4_ThreadSwitch(L4_MyGlobalId());
	L4_ThreadSwitch(L4_GlobalId(1UL << L4_THREAD_BITS, 1));
	EXPECT(test_boot() != 0);
}

static void wake_up_preempts(void)
{
	/* A spinner below us does not keep us from waking in time. */
	L4_ThreadId_t low = ready_thread(spin, 0, 50);
	word i, begin, took;

	for (i = 0; i < 10; i++) {
		begin = test_now_us();
		test_sleep_us(2000);
		took = test_now_us() - begin;
		EXPECT_GE(took, 1990);
		EXPECT_LE(took, 500000);
	}
	test_delete(low);
}

static void time_slice_arguments(void)
{
	L4_ThreadId_t tid = ready_thread(spin, 3, 50);

	EXPECT(L4_Set_Timeslice(tid, L4_TimePeriod(2000), L4_Never) != L4_SCHEDRESULT_ERROR);
	count[3] = 0;
	test_wait_flag(&count[3], 1000);
	test_delete(tid);
}

/* ---- Clock --------------------------------------------------------------------------------------------- */

static void clock_forward(void)
{
	word last = test_now_us(), now, i;

	for (i = 0; i < 10000; i++) {
		now = test_now_us();
		if (now < last)
			break;
		last = now;
	}
	EXPECT_EQ(i, 10000);
}

static void clock_moves(void)
{
	word begin = test_now_us(), i;

	for (i = 0; i < 100000000 && test_now_us() < begin + 3000; i++)
		;
	EXPECT_GE(test_now_us() - begin, 3000);
}

static volatile word other_clock;

static void read_clock(void *arg)
{
	(void)arg;
	other_clock = test_now_us();
	finished = 1;
}

static void clock_is_one(void)
{
	L4_ThreadId_t tid = test_space();
	word before = test_now_us();

	finished = 0;
	test_space_start(tid, read_clock, 0);
	test_wait_flag(&finished, 1);
	EXPECT_GE(other_clock, before);
	EXPECT_LE(other_clock, test_now_us());
	test_delete(tid);
}

const struct test tests[] = {
	{ .name = "Schedule by one who is not the scheduler", .run = not_the_scheduler },
	{ .name = "Schedule of unknown threads", .run = unknown_threads },
	{ .name = "Schedule of residual threads", .run = residual_threads },
	{ .name = "bad parameters", .run = bad_parameters },
	{ .name = "ThreadSwitch to nobody", .run = switch_to_nobody },
	{ .name = "states", .run = states },
	{ .name = "strict priorities", .run = strict_priority },
	{ .name = "equals share", .run = round_robin },
	{ .name = "a change of priority takes effect", .run = change_of_priority },
	{ .name = "ThreadSwitch runs the one named", .run = thread_switch },
	{ .name = "waking preempts", .run = wake_up_preempts },
	{ .name = "time slices can be set", .run = time_slice_arguments },
	{ .name = "the clock goes forward", .run = clock_forward },
	{ .name = "the clock goes on", .run = clock_moves },
	{ .name = "one clock for all spaces", .run = clock_is_one },
	{ 0 }
};
