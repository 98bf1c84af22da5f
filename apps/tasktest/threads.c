/* SPDX-License-Identifier: BSD-2-Clause
 * Threads through the task protocol: few that work, and many that only are there.
 */
#include <l4/ipc.h>
#include <l4/print.h>
#include <l4/schedule.h>
#include <l4/task.h>
#include <l4/thread.h>

#include "tasktest.h"

#define STACK_BYTES     1024UL          /* enough for a thread that only sleeps */

static volatile L4_Word_t count;

static void add(void *arg)
{
	__atomic_add_fetch(&count, *(L4_Word_t *)arg, __ATOMIC_SEQ_CST);
}

static void sleeper(void *arg)
{
	(void)arg;
	for (;;)
		L4_Sleep(L4_Never);
}

static L4_Word_t threads_now(void)
{
	struct task_info info;

	return task_info((L4_Word_t)task_self(), &info) == TASK_OK ? info.threads : 0;
}

void threads_few(void)
{
	L4_Word_t one = 1;
	L4_ThreadId_t t[8], first = L4_nilthread;
	void *top;

	count = 0;
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < 8; i++) {
			CHECK(task_stack(4, &top), TASK_OK);
			CHECK(task_thread_create(add, &one, top, &t[i]), TASK_OK);
			if (!round && !i)
				first = t[i];
		}
		for (int i = 0; i < 2000 && threads_now() > 1; i++)
			L4_Sleep(L4_TimePeriod(5000));
		CHECK(threads_now(), 1);
	}
	CHECK(count, 40);
	CHECK(task_thread_delete(first), TASK_E_NOTFOUND);      /* its number was used again, the version tells */
	CHECK(task_stack(4, &top), TASK_OK);
	CHECK(task_thread_create(sleeper, 0, top, &t[0]), TASK_OK);
	CHECK(task_thread_priority(t[0], 90), TASK_OK);
	CHECK(task_thread_delete(t[0]), TASK_OK);
	CHECK(task_thread_delete(t[0]), TASK_E_NOTFOUND);
	CHECK(task_thread_create(sleeper, 0, (char *)top - 1, &t[0]), TASK_E_INVAL);
	for (L4_Word_t n = 0, at = TASK_ARENA_BASE; n < 64; n++, at += 4096UL * 5)
		(void)task_unmap(at, 4096 * 5);
}

long threads_fill(long wanted)
{
	L4_Word_t at = 0;
	L4_ThreadId_t t;

	if (task_map((L4_Word_t)wanted * STACK_BYTES, L4_RIGHT_R | L4_RIGHT_W, &at) != TASK_OK)
		return -1;
	for (long i = 1; i < wanted; i++)
		if (task_thread_create(sleeper, 0, (void *)(at + (L4_Word_t)i * STACK_BYTES), &t) != TASK_OK)
			return i;
	return wanted;
}

void threads_full(void)
{
	L4_Word_t id = child("threads", "961", 0);

	CHECK(status_of(id), 1);                /* one too many: it says so by ending */
}

/* Wait until a task has that many threads, a minute at most. */
static long threads_reach(L4_Word_t id, long wanted)
{
	struct task_info info = { 0 };

	for (int i = 0; i < 6000; i++) {
		if (task_info(id, &info) != TASK_OK || info.id != id)
			return -1;
		if ((long)info.threads >= wanted || info.state != TASK_RUNNING)
			break;
		L4_Sleep(L4_TimePeriod(10000));
	}
	return (long)info.threads;
}

void threads_many(void)
{
	enum { TASKS = 11, EACH = 910 };
	L4_Word_t id[TASKS];
	struct task_memory memory;
	L4_Clock_t begin = L4_SystemClock();

	for (int i = 0; i < TASKS; i++)
		id[i] = child("threads", "910", 0);
	for (int i = 0; i < TASKS; i++)
		CHECK(threads_reach(id[i], EACH), EACH);
	CHECK(task_memory(&memory), TASK_OK);
	CHECK(memory.threads >= TASKS * EACH, 1);
	l4_printf("T> # %u threads made in %lu ms\n", TASKS * EACH, (L4_SystemClock().raw - begin.raw) / 1000);
	begin = L4_SystemClock();
	for (int i = 0; i < TASKS; i++) {
		CHECK(task_kill(id[i]), TASK_OK);
		CHECK(status_of(id[i]), TASK_STATUS_KILLED);
	}
	l4_printf("T> # and ended in %lu ms\n", (L4_SystemClock().raw - begin.raw) / 1000);
}
