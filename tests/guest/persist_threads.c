/* SPDX-License-Identifier: BSD-2-Clause
 * harness: memory=64M disk=1G options=ckpt.frames=1200 timeout=150
 *
 * Property: there may be more threads than their kernel objects have room for in memory. Sleeping threads in spaces of a few
 * hundred each, whose TCBs and UTCBs are several times the frames there are, wake again and again at their time, while
 * checkpoints go on; after the kill all of them are there, and none wakes early or stays asleep. Guards paging out and in of
 * kernel objects, deadlines of threads whose objects are on disk, and wakeups after a recovery.
 *
 * Their number follows from the frames there are: memory= and ckpt.frames= decide it.
 */
#include "test.h"
#include <l4/ckpt.h>

const char test_suite[] = "persist_threads";

#define MS              1000UL
#define TIMES           4               /* TCBs and UTCBs in frames */
#define STACK           512
#define STACK_MARK      0x5afe57ac
#define EACH_US         2000            /* between two wakeups, on average */
#define LATE_US         (60000 * MS)    /* a machine that is busy may be late, but not for ever */

struct sleeper {
	volatile unsigned int wakeups, early;
	volatile word due, late;
};

static struct sleeper *sleeper;
static char *stack;
static word threads, begin, period, first_number;

static word due_after(word i, word now)
{
	word first = begin + i * (period / threads);

	return first + (now > first ? (now - first) / period + 1 : 1) * period;
}

/* Wakes at its own place of every period, for ever. */
static void sleep_on(void *arg)
{
	word i = (word)arg;
	struct sleeper *s = &sleeper[i];

	for (;;) {
		word now = test_now_us(), wanted;

		s->due = due_after(i, now);
		wanted = s->due - now;
		test_sleep_us(wanted);
		now = test_now_us();
		if (now + wanted / 500 + 2 < s->due)            /* as precise as a timeout's format */
			s->early++;
		if (now > s->due && now - s->due > s->late)
			s->late = now - s->due;
		s->wakeups++;
	}
}

static void start_one(L4_ThreadId_t space, word i)
{
	L4_ThreadId_t tid = i % TEST_MANY ? test_new_id() : space;
	word *top = (word *)(stack + (i + 1) * STACK - 4 * sizeof(word));

	if (i % TEST_MANY)
		REQUIRE_EQ(L4_ThreadControl(tid, space, L4_Myself(), L4_nilthread, (void *)-1), 1);
	*(word *)(stack + i * STACK) = STACK_MARK;
	top[0] = (word)sleep_on;
	top[1] = i;
	test_space_start_on(tid, TEST_MANY_UTCBS + i % TEST_MANY * L4_UTCB_SIZE, (word)top);
}

/* How many have not woken `least` times. */
static word behind(const unsigned int *before, unsigned int least)
{
	word n = 0;

	for (word i = 0; i < threads; i++)
		n += sleeper[i].wakeups - (before ? before[i] : 0) < least;
	return n;
}

static void wait_all(const unsigned int *before, unsigned int least)
{
	word end = test_now_us() + 2 * period + LATE_US;

	while (behind(before, least) && test_now_us() < end)
		test_sleep_us(200 * MS);
	EXPECT_EQ(behind(before, least), 0);
}

static unsigned int *counts;

static void sleepers_setup(void)
{
	L4_ThreadId_t space = L4_nilthread;
	struct L4_CkptStat stat;

	(void)test_pager();                     /* takes a number, too */
	REQUIRE_EQ(L4_CheckpointInfo(&stat), L4_CKPT_OK);
	threads = stat.frames * TIMES / 2;
	period = threads * EACH_US < 8000 * MS ? 8000 * MS : threads * EACH_US;
	sleeper = test_pages((unsigned int)(threads * sizeof *sleeper / 4096 + 1));
	counts = test_pages((unsigned int)(threads * sizeof *counts / 4096 + 1));
	stack = test_pages((unsigned int)(threads * STACK / 4096 + 1));
	begin = test_now_us();
	for (word i = 0; i < threads; i++) {
		if (i % TEST_MANY == 0)
			space = test_space_many();
		if (!i)
			first_number = L4_ThreadNo(space);
		start_one(space, i);
	}
	test_note("threads", threads);
	test_note("made in milliseconds", (test_now_us() - begin) / MS);
	wait_all(0, 1);
}

static void sleepers_check(void)
{
	word early = 0, late = 0, overflows = 0, missing = 0, old;
	word now = test_now_us();
	struct L4_CkptStat stat;

	for (word i = 0; i < threads; i++)
		counts[i] = sleeper[i].wakeups;
	test_note("recovered with threads", threads);
	EXPECT_GE(now, begin + period);
	wait_all(counts, 1);
	for (word i = 0; i < threads; i++) {
		early += sleeper[i].early;
		overflows += *(word *)(stack + i * STACK) != STACK_MARK;
		if (sleeper[i].late > late)
			late = sleeper[i].late;
	}
	for (word i = 0; i < threads; i += 97)
		missing += L4_Schedule(L4_GlobalId(first_number + i, 1), ~0UL, ~0UL, ~0UL, ~0UL, &old) == L4_SCHEDRESULT_ERROR;
	EXPECT_EQ(missing, 0);
	EXPECT_EQ(early, 0);
	EXPECT_EQ(overflows, 0);
	EXPECT_LE(late, LATE_US);
	EXPECT_EQ(L4_CheckpointInfo(&stat), L4_CKPT_OK);
	EXPECT_EQ(stat.stopped, 0);
	test_note("latest wakeup, microseconds", late);
	test_note("pages read back", stat.reads);
}

const struct test tests[] = {
	{ .name = "more sleeping threads than memory holds", .setup = sleepers_setup, .run = sleepers_check },
	{ 0 }
};
