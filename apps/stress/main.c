/* SPDX-License-Identifier: BSD-2-Clause
 * The stress programs: choice by name, arguments, reports. See stress.h. */
#include <l4/term.h>
#include <stdarg.h>
#include <l4/print.h>
#include <l4/string.h>
#include "stress.h"

enum { REPORT_US = 5000000, FAIL_MAX = 240 };

static const struct { const char *name; stress_function *run; const char *help; } program[] = {
	{ "counter", stress_counter, "counts, and prints the count every second" },
	{ "mem", stress_mem, "pages with checksums, random writes (size=1M; as much as the pager gives, 1G for instance)" },
	{ "ipc", stress_ipc, "numbered messages around three tasks" },
	{ "sleep", stress_sleep, "timeouts, against the clock (threads=4, slack=1000 rounds, limit=60s)" },
	{ "fpu", stress_fpu, "x87, SSE and AVX registers under preemption (threads=3)" },
	{ "thread", stress_thread, "threads made and deleted; their ids never come back (threads=8)" },
	{ "pagers", stress_pagers, "a task three pagers deep, all of them ours (pages=32)" },
	{ "bank", stress_bank, "transfers between tasks; the sum stays (accounts=64)" },
	{ "ring", stress_ring, "one token around five tasks" },
	{ "queue", stress_queue, "a producer and a consumer with shared memory" },
	{ "holes", stress_holes, "memory that comes and goes in pieces, and is zero when it comes (holes=200)" },
	{ "all", stress_all, "all of these, and for ever" },
	{ "output", stress_output, "not one of all: lines that follow from the seed, and an end (lines=300)" },
};
enum { PROGRAMS = sizeof program / sizeof program[0] };

static int arguments;
static char **argument;
static unsigned long seed, rounds;
static L4_Word64_t end_at, report_at;

/* What follows key= among the arguments; null if there is none. */
static const char *option_text(const char *key)
{
	unsigned long n = strlen(key);

	for (int i = 1; i < arguments; i++)
		if (!strncmp(argument[i], key, n) && argument[i][n] == '=')
			return argument[i] + n + 1;
	return 0;
}

unsigned long stress_option(const char *key, unsigned long otherwise)
{
	const char *text = option_text(key);
	unsigned long value = 0;

	if (!text)
		return otherwise;
	for (; *text >= '0' && *text <= '9'; text++)
		value = value * 10 + (unsigned long)(*text - '0');
	if (!strcmp(text, "s"))
		value *= 1000000;
	else if (!strcmp(text, "ms"))
		value *= 1000;
	else if (!strcmp(text, "K"))
		value <<= 10;
	else if (!strcmp(text, "M"))
		value <<= 20;
	else if (!strcmp(text, "G"))
		value <<= 30;
	return value;
}

const char *stress_role(void)
{
	const char *text = option_text("role");

	return text ? text : "";
}

const char *stress_name(void)
{
	return argument[0];
}

unsigned long stress_seed(void)
{
	return seed;
}

unsigned long stress_mix(unsigned long a, unsigned long b)
{
	unsigned long x = a + 0x9e3779b97f4a7c15 * (b + 1);

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

unsigned long stress_random(unsigned long *state)
{
	return stress_mix(seed, (*state)++);
}

void stress_round(void)
{
	L4_Word64_t now = L4_SystemClock().raw;

	rounds++;
	if (end_at && now >= end_at) {
		L4_TermPrintf("[stress] done name=%s rounds=%lu\n", stress_name(), rounds);
		task_exit(0);
	}
	if (now < report_at)
		return;
	report_at = now + REPORT_US;
	L4_TermPrintf("[stress] ok name=%s rounds=%lu\n", stress_name(), rounds);
}

void stress_fail(const char *format, ...)
{
	static int failed;
	char text[FAIL_MAX];
	va_list list;

	/* One line, whichever thread is first; the others leave it to that one to end the task, when the line is out. */
	while (__atomic_exchange_n(&failed, 1, __ATOMIC_RELAXED))
		L4_Sleep(L4_Never);
	va_start(list, format);
	vsnprintf(text, sizeof text, format, list);
	va_end(list);
	L4_TermPrintf("[stress] FAIL name=%s rounds=%lu seed=%lu %s\n", stress_name(), rounds, seed, text);
	task_exit(1);
}

/* ---- Parts -------------------------------------------------------------------------------------- */

L4_ThreadId_t stress_part(const char *role, unsigned long a, unsigned long b)
{
	char text[4][48];
	struct task_info info;
	L4_Word_t task;

	snprintf(text[0], sizeof text[0], "role=%s", role);
	snprintf(text[1], sizeof text[1], "a=%lu", a);
	snprintf(text[2], sizeof text[2], "b=%lu", b);
	snprintf(text[3], sizeof text[3], "seed=%lu", seed);
	const char *const argv[] = { stress_name(), text[0], text[1], text[2], text[3], 0 };
	long error = task_spawn("stress", argv, TASK_SPAWN_DETACH | TASK_SPAWN_DIE_WITH, 0, &task);
	if (error == TASK_OK)
		error = task_info(task, &info);
	if (error != TASK_OK)
		stress_fail("part=%s could not be started, error=%ld", role, error);
	return (L4_ThreadId_t){ info.first_thread };
}

L4_ThreadId_t stress_thread_start(void (*entry)(void *), void *thread_argument, unsigned long pages)
{
	L4_ThreadId_t thread = L4_nilthread;
	void *stack;
	long error = task_stack(pages, &stack);

	if (error == TASK_OK)
		error = task_thread_create(entry, thread_argument, stack, &thread);
	if (error != TASK_OK)
		stress_fail("a thread could not be made, error=%ld", error);
	return thread;
}

void *stress_pages(unsigned long pages)
{
	L4_Word_t address = 0;
	long error = task_map(pages * 4096, L4_RIGHT_R | L4_RIGHT_W, &address);

	if (error != TASK_OK)
		stress_fail("no memory for pages=%lu, error=%ld", pages, error);
	return (void *)address;
}

/* ---- Start -------------------------------------------------------------------------------------- */

void stress_all(void)
{
	char text[48];

	snprintf(text, sizeof text, "time=%lu", stress_option("time", 0));
	for (unsigned int i = 0; program[i].run != stress_all; i++) {
		const char *const argv[] = { program[i].name, text, 0 };
		L4_Word_t task;
		long error = task_spawn("stress", argv, TASK_SPAWN_DETACH, 0, &task);
		if (error != TASK_OK)
			stress_fail("%s could not be started, error=%ld", program[i].name, error);
	}
	task_exit(0);
}

static int list(const char *wrong)
{
	if (wrong)
		L4_TermPrintf("stress: there is no stress program '%s'; 'stress list' names them\n", wrong);
	else
		for (unsigned int i = 0; i < PROGRAMS; i++)
			L4_TermPrintf("%-9s %s\n", program[i].name, program[i].help);
	return wrong ? 2 : 0;
}

int main(int argc, char **argv)
{
	L4_Word64_t now = L4_SystemClock().raw;

	if (argc > 1 && !strcmp(argv[0], "stress")) {   /* run stress NAME … is the same as stress NAME … */
		argc--;
		argv++;
	}
	arguments = argc;
	argument = argv;
	seed = stress_option("seed", stress_mix(now, L4_Myself().raw) % 1000000000);
	end_at = stress_option("time", 0) ? now + stress_option("time", 0) : 0;
	report_at = now + REPORT_US;
	for (unsigned int i = 0; i < PROGRAMS; i++) {
		if (strcmp(argv[0], program[i].name))
			continue;
		if (!*stress_role() && program[i].run != stress_all)
			L4_TermPrintf("[stress] start name=%s seed=%lu\n", stress_name(), seed);
		program[i].run();
		return 0;
	}
	return list(!strcmp(argv[0], "stress") || !strcmp(argv[0], "list") ? 0 : argv[0]);
}
