/* SPDX-License-Identifier: BSD-2-Clause
 * tasktest: the task protocol (l4/task.h), tried out by a program: hostile arguments, faults of every kind, thousands of threads,
 * pagers of our own, and at the end nothing may be missing.
 *
 * TAP lines, prefixed "T> ", go to the kernel's serial port. Started with arguments it is one of its own children
 * (children.c). Since the program is persistent, the harness may kill the machine while it runs as often as it likes: the output
 * must come out the same. `tasktest exit` ends the emulator afterwards.
 */
#include <l4/ipc.h>
#include <l4/ckpt.h>
#include <l4/print.h>
#include <l4/schedule.h>
#include <l4/string.h>
#include <l4/task.h>
#include <l4/term.h>
#include <l4/thread.h>

#include "tasktest.h"

int failures;
static int checks;

void check_at(int line, const char *what, long actual, long expected)
{
	checks++;
	if (actual == expected)
		return;
	failures++;
	l4_printf("T> # line %d: %s: %ld, expected %ld\n", line, what, actual, expected);
}

L4_Word_t child(const char *mode, const char *argument, unsigned long flags)
{
	const char *argv[] = { "tasktest", mode, argument, 0 };
	L4_Word_t id = 0;

	CHECK(task_spawn("tasktest", argv, flags, 0, &id), TASK_OK);
	return id;
}

long status_of(L4_Word_t id)
{
	long status = 12345;

	CHECK(task_wait(id, L4_TimePeriod(60000000), &status), TASK_OK);
	return status;
}

/* ---- tasks ---- */

static void exit_and_wait(void)
{
	L4_Word_t id = child("exit", "42", 0);
	long status;

	CHECK(status_of(id), 42);
	CHECK(task_wait(id, L4_ZeroTime, &status), TASK_E_NOTFOUND);
	CHECK(status_of(child("exit", "-7", 0)), -7);
	id = child("sleep", "0", 0);
	CHECK(task_wait(id, L4_TimePeriod(20000), &status), TASK_E_TIMEOUT);
	CHECK(task_self() > 0, 1);
	CHECK(task_kill(id), TASK_OK);
	CHECK(status_of(id), TASK_STATUS_KILLED);
	CHECK(task_kill(id), TASK_E_NOTFOUND);
	id = child("late", "100000", 0);        /* it ends while nobody waits any more */
	CHECK(task_wait(id, L4_TimePeriod(20000), &status), TASK_E_TIMEOUT);
	L4_Sleep(L4_TimePeriod(400000));
	CHECK(status_of(id), 7);
	id = child("sleep", "0", TASK_SPAWN_DETACH);
	CHECK(task_kill(id), TASK_OK);
	CHECK(task_wait(id, L4_Never, &status), TASK_E_NOTFOUND);
}

static void bad_arguments(void)
{
	static char longer[600];
	const char *argv[] = { longer, 0 }, *many[TASK_ARGC_MAX + 2];
	struct task_info info;
	L4_Word_t id, at = 0;
	L4_ThreadId_t t;

	memset(longer, 'x', sizeof longer - 1);
	CHECK(task_spawn("nothing", 0, 0, 0, &id), TASK_E_NOTFOUND);
	CHECK(task_spawn("", 0, 0, 0, &id), TASK_E_NOTFOUND);
	CHECK(task_spawn("tasktest", argv, 0, 0, &id), TASK_E_INVAL);
	for (int i = 0; i <= TASK_ARGC_MAX; i++)
		many[i] = "a";
	many[TASK_ARGC_MAX + 1] = 0;
	CHECK(task_spawn("tasktest", many, 0, 0, &id), TASK_E_INVAL);
	CHECK(task_spawn("tasktest", 0, 1UL << 40, 0, &id), TASK_E_INVAL);
	CHECK(task_kill(0), TASK_E_NOTFOUND);
	CHECK(task_kill(~0UL), TASK_E_NOTFOUND);
	CHECK(task_info(~0UL, &info), TASK_E_NOTFOUND);
	CHECK(task_map(0, 6, &at), TASK_E_INVAL);
	CHECK(task_map(~0UL, 6, &at), TASK_E_INVAL);
	CHECK(task_map(1UL << 46, 6, &at), TASK_E_NOMEM);
	CHECK(task_map(4096, 0, &at), TASK_E_INVAL);
	CHECK(task_map(4096, 64, &at), TASK_E_INVAL);
	at = 0x400000;
	CHECK(task_map(4096, 6, &at), TASK_E_EXISTS);
	at = TASK_KIP_BASE;
	CHECK(task_map(4096, 6, &at), TASK_E_INVAL);
	at = 0x800000000000;
	CHECK(task_map(4096, 6, &at), TASK_E_INVAL);
	CHECK(task_unmap(12, 4096), TASK_E_INVAL);
	CHECK(task_thread_delete(L4_GlobalId(L4_ROOT_TNO, 1)), TASK_E_NOTFOUND);
	CHECK(task_thread_delete(L4_GlobalId(4711, 1)), TASK_E_NOTFOUND);
	CHECK(task_thread_priority(L4_Myself(), 256), TASK_E_INVAL);
	CHECK(task_name_register("", L4_nilthread), TASK_E_INVAL);
	CHECK(task_name_register(longer, L4_nilthread), TASK_E_INVAL);
	CHECK(task_name_lookup("no such name", L4_ZeroTime, &t), TASK_E_NOTFOUND);
	CHECK(task_name_lookup("no such name", L4_TimePeriod(10000), &t), TASK_E_TIMEOUT);
	CHECK(task_share_attach("no such share", 6, &at, 0), TASK_E_NOTFOUND);
	CHECK(task_mirror((L4_Word_t)task_self(), 0x400000, 4096, 7, &at), TASK_E_PERM);
	CHECK(task_program(100000, longer, 0), TASK_E_NOTFOUND);
}

static void faults_and_exceptions(void)
{
	static const char *const faults[] = { "null", "text", "exec", "guard", "kernel", "unmapped" };
	static const char *const exceptions[] = { "ud2", "divide", "privileged", "syscall" };

	for (unsigned i = 0; i < sizeof faults / sizeof *faults; i++)
		CHECK(status_of(child("fault", faults[i], 0)), TASK_STATUS_FAULT);
	for (unsigned i = 0; i < sizeof exceptions / sizeof *exceptions; i++)
		CHECK(status_of(child("fault", exceptions[i], 0)), TASK_STATUS_EXCEPTION);
}

static void many_children(void)
{
	enum { N = 40 };
	L4_Word_t id[N];

	for (long i = 0; i < N; i++) {
		char text[8];

		snprintf(text, sizeof text, "%ld", i);
		id[i] = child("exit", text, 0);
	}
	for (long i = 0; i < N; i++)
		CHECK(status_of(id[i]), i);
}

static void families(void)
{
	L4_Word_t id = child("parent", "0", 0), inner = 0;
	struct task_info info;

	/* Its child is made to end with it. */
	for (int i = 0; i < 500 && !inner; i++) {
		for (L4_Word_t n = 0; task_info(n, &info) == TASK_OK; n = info.id + 1)
			if (info.parent == id)
				inner = info.id;
		L4_Sleep(L4_TimePeriod(10000));
	}
	CHECK(inner != 0, 1);
	CHECK(task_kill(id), TASK_OK);
	CHECK(status_of(id), TASK_STATUS_KILLED);
	CHECK(task_kill(inner), TASK_E_NOTFOUND);
}

static void limits(void)
{
	struct task_limits limits = { .pages = 100, .threads = 4, .tasks = 1, .priority = 50 };
	const char *argv[] = { "tasktest", "limits", 0 };
	L4_Word_t id = 0;

	CHECK(task_spawn("tasktest", argv, 0, &limits, &id), TASK_OK);
	CHECK(status_of(id), 0);
	limits.pages = 1;
	CHECK(task_spawn("tasktest", argv, 0, &limits, &id), TASK_E_LIMIT);
}

/* ---- memory ---- */

static void memory(void)
{
	L4_Word_t at = 0, again;
	volatile L4_Word_t *w;

	for (int round = 0; round < 4; round++) {
		L4_Word_t sum = 0;

		at = 0;
		CHECK(task_map(200 * 4096, 6, &at), TASK_OK);
		w = (volatile L4_Word_t *)at;
		for (int i = 0; i < 200; i++) {
			sum |= w[i * 512] | w[i * 512 + 511];
			w[i * 512] = w[i * 512 + 511] = 0x5a5a + (L4_Word_t)i;
		}
		CHECK((long)sum, 0);            /* also when it is somebody's old memory */
		for (int i = 0; i < 200; i++)
			sum |= w[i * 512] ^ (0x5a5a + (L4_Word_t)i);
		CHECK((long)sum, 0);
		CHECK(task_unmap(at + 50 * 4096, 100 * 4096), TASK_OK);
		again = at + 60 * 4096;
		CHECK(task_map(4096, 6, &again), TASK_OK);
		CHECK((long)*(volatile L4_Word_t *)again, 0);
		CHECK((long)w[199 * 512], 0x5a5a + 199);
		CHECK(task_unmap(at, 200 * 4096), TASK_OK);
	}
	CHECK(task_unmap(at, 200 * 4096), TASK_OK);
}

static void shared_memory(void)
{
	L4_Word_t at = 0, id, size;
	volatile L4_Word_t *w;

	CHECK(task_share_create("tasktest ring", 8192, 6, &at), TASK_OK);
	CHECK(task_share_create("tasktest ring", 8192, 6, 0), TASK_E_EXISTS);
	w = (volatile L4_Word_t *)at;
	w[600] = 1000;
	id = child("share", "0", 0);
	CHECK(status_of(id), 1000);
	CHECK((long)w[0], 1001);
	at = 0;
	CHECK(task_share_attach("tasktest ring", 4, &at, &size), TASK_OK);
	CHECK((long)size, 8192);
	CHECK((long)*(volatile L4_Word_t *)at, 1001);
	CHECK(task_unmap(at, size), TASK_OK);
	CHECK(task_unmap((L4_Word_t)w, 8192), TASK_OK);
	CHECK(task_share_attach("tasktest ring", 4, &at, &size), TASK_E_NOTFOUND);
}

static void names(void)
{
	L4_Word_t id = child("name", "0", 0);
	L4_ThreadId_t t;

	CHECK(task_name_lookup("tasktest name", L4_TimePeriod(20000000), &t), TASK_OK);
	CHECK(task_name_register("tasktest name", L4_nilthread), TASK_E_EXISTS);
	CHECK(task_kill(id), TASK_OK);
	CHECK(status_of(id), TASK_STATUS_KILLED);
	CHECK(task_name_lookup("tasktest name", L4_ZeroTime, &t), TASK_E_NOTFOUND);
	CHECK(task_name_lookup("console", L4_ZeroTime, &t), TASK_OK);
	CHECK((long)L4_ThreadNo(t), L4_CONSOLE_TNO);
}

/* Several tasks fault in a great deal of memory at a time; some are killed meanwhile. */
static void fault_storm(void)
{
	enum { N = 8 };
	L4_Word_t id[N];

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < N; i++)
			id[i] = child("touch", "400", 0);
		L4_Sleep(L4_TimePeriod(5000 * (unsigned)(round + 1)));
		for (int i = 0; i < N; i += 2)
			(void)task_kill(id[i]);
		for (int i = 0; i < N; i++) {
			long status = status_of(id[i]);

			CHECK(status == 0 || (i % 2 == 0 && status == TASK_STATUS_KILLED), 1);
		}
	}
}

/* A right that a task is given when it is started, and cannot take. */
static void control_of_the_machine(void)
{
	CHECK(status_of(child("control", "0", 0)), 0);
	CHECK(status_of(child("control", "1", TASK_SPAWN_ADMIN)), 0);
}

static const struct test {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "exit, kill, wait", exit_and_wait },
	{ "bad arguments are refused", bad_arguments },
	{ "faults and exceptions end the task", faults_and_exceptions },
	{ "forty children", many_children },
	{ "a child that ends with its parent", families },
	{ "limits", limits },
	{ "memory: zero, private, cut", memory },
	{ "shared memory", shared_memory },
	{ "names", names },
	{ "control of the machine", control_of_the_machine },
	{ "threads of one task", threads_few },
	{ "a full space of 960 threads", threads_full },
	{ "10,000 threads", threads_many },
	{ "a program as pager", pager_of_ours },
	{ "faults, and kills in the middle of them", fault_storm },
};

#define TESTS (sizeof tests / sizeof *tests)

/* Pages that the pager's pools keep. */
#define SLACK 64

int main(int argc, char **argv)
{
	struct task_memory before, after;
	L4_ThreadId_t term;
	int run_failed = 0;

	if (argc > 2)
		return child_main(argv[1], argv[2]);
	if (argc > 1 && !strcmp(argv[1], "limits"))
		return child_limits();
	l4_printf("T> 1..%lu\n", TESTS + 1);
	/* Once for tables that grow for good. And the terminal is to have made its threads. */
	CHECK(task_name_lookup(L4_TERM_NAME, L4_TimePeriod(60000000), &term), TASK_OK);
	CHECK(status_of(child("exit", "0", 0)), 0);
	task_memory(&before);
	for (unsigned i = 0; i < TESTS; i++) {
		failures = checks = 0;
		tests[i].run();
		run_failed += failures != 0 || !checks;
		l4_printf("T> %s %u %s\n", failures || !checks ? "not ok" : "ok", i + 1, tests[i].name);
	}
	task_memory(&after);
	failures = 0;
	CHECK((long)after.tasks, (long)before.tasks);
	CHECK((long)after.threads, (long)before.threads);
	CHECK(before.free_pages - after.free_pages <= SLACK, 1);
	run_failed += failures != 0;
	l4_printf("T> %s %lu nothing is lost\nT> done\n", failures ? "not ok" : "ok", TESTS + 1);
	if (argc > 1 && !strcmp(argv[1], "exit"))
		L4_ExitEmulator(run_failed ? 0x11 : 0x10);
	return run_failed;
}
