/* SPDX-License-Identifier: BSD-2-Clause
 * How long the kernel keeps everybody waiting: the worst lateness of a thread of the highest priority that wakes every 50 µs, while
 * another one makes the calls whose work grows with the system. 50,000 threads wait to send to one receiver.
 */
#include "bench.h"
#include <l4/threadinfo.h>

const char test_suite[] = "latency";

#define SENDERS         50000
#define STACK           256
#define PERIOD_US       50
#define MAPPINGS        20000

static volatile word worst, rounds;
static word ticks_per_us;
static char *stack;
static L4_ThreadId_t target;

static void watch(void *arg)
{
	(void)arg;
	for (;;) {
		word begin = bench_tsc(), took;

		test_sleep_us(PERIOD_US);
		took = bench_tsc() - begin - PERIOD_US * ticks_per_us;
		if ((long)took > 0 && took > worst)
			worst = took;
		rounds++;
	}
}

static void send(void *arg)
{
	(void)arg;
	for (;;) {
		L4_LoadMR(0, 0);
		(void)L4_Send(target);
		(void)L4_Receive(L4_Myself());  /* it is gone: that is all */
	}
}

static volatile word received_local;

static void receive_local(void *arg)
{
	(void)arg;
	received_local += L4_IpcSucceeded(L4_Ipc(L4_nilthread, L4_anylocalthread, L4_Timeouts(L4_ZeroTime, L4_TimePeriod(20000)), &(L4_ThreadId_t){ 0 }));
	for (;;)
		test_sleep_us(1000000);
}

static void start_senders(void)
{
	L4_ThreadId_t space = L4_nilthread;

	stack = test_pages(SENDERS * STACK / 4096 + 1);
	for (word i = 0; i < SENDERS; i++) {
		L4_ThreadId_t tid = i % TEST_MANY ? test_new_id() : test_space_many();
		word *top = (word *)(stack + (i + 1) * STACK - 4 * sizeof(word));

		if (i % TEST_MANY)
			REQUIRE_EQ(L4_ThreadControl(tid, space, L4_Myself(), L4_nilthread, (void *)-1), 1);
		else
			space = tid;
		top[0] = (word)send;
		top[1] = i;
		test_space_start_on(tid, TEST_MANY_UTCBS + i % TEST_MANY * L4_UTCB_SIZE, (word)top);
	}
}

static void report(const char *name)
{
	test_bench(name, worst, "instructions");
	worst = 0;
}

static void lateness(void)
{
	word time = test_now_us(), tsc = bench_tsc(), last, taken;
	struct l4_thread_info info;
	L4_ThreadId_t watcher, first, local;

	(void)test_pager();                     /* takes a number, too */
	test_sleep_us(1000);
	ticks_per_us = (bench_tsc() - tsc) / (test_now_us() - time);
	target = test_thread(receive_local, 0);
	test_wait_state(target, L4_TI_WAITING);
	watcher = test_thread(watch, 0);
	EXPECT(L4_Set_Priority(watcher, 255));
	EXPECT(L4_Set_Priority(L4_Myself(), 90));
	test_sleep_us(2000);
	report("late_idle");
	start_senders();
	last = L4_ThreadNo(test_new_id());
	test_sleep_us(100000);
	report("late_creating_threads");
	(void)L4_Set_Priority(L4_Myself(), 110);
	EXPECT_EQ(received_local, 0);
	local = test_thread(send, 0);
	test_wait_state(local, L4_TI_PENDING_SEND);
	test_start(target, receive_local, 0);
	test_sleep_us(50000);
	EXPECT_EQ(received_local, 1);           /* the last of them */
	report("late_local_receive_among_50000");
	test_delete(target);
	test_sleep_us(100000);
	report("late_delete_with_50000_senders");
	first = L4_GlobalId(last - SENDERS, 1);
	for (word n = L4_ThreadNo(first); n < last; n++)
		(void)L4_ThreadControl(L4_GlobalId(n, 1), L4_nilthread, L4_nilthread, L4_nilthread, (void *)-1);
	test_sleep_us(100000);
	report("late_deleting_threads");
	(void)L4_ThreadInfo(L4_ThreadNo(first), &info);
	test_sleep_us(1000);
	report("late_thread_info_over_50000_holes");
	last = test_map_far(test_pages(1), MAPPINGS, &taken).raw;
	test_sleep_us(1000);
	report("late_mapping_without_page_tables");
	test_delete((L4_ThreadId_t){ .raw = last });
	test_sleep_us(100000);
	report("late_deleting_that_space");
	EXPECT(rounds > 1000);
}

const struct test tests[] = {
	{ .name = "lateness of the most urgent thread", .run = lateness },
	{ 0 }
};
