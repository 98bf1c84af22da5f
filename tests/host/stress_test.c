/* SPDX-License-Identifier: BSD-2-Clause
 * Property: a failure of a stress program is reported, even if several of its threads find it at once. Guards
 * apps/stress/main.c, which is included: what it calls is here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define L4_HOST_UTCB
#include <l4/types.h>
#include <l4/ipc.h>
#include <l4/schedule.h>
#include <l4/string.h>
#include <l4/task.h>
#include <l4/term.h>

static jmp_buf left;
static unsigned printed, exits, sleeps;

static void out_of_it(unsigned *how)
{
	++*how;
	longjmp(left, 1);
}

#define L4_Sleep(time)          ((void)(time), out_of_it(&sleeps))
#define L4_Myself()             L4_nilthread
#define L4_SystemClock()        ((L4_Clock_t){ .raw = 1 })
#define main                    stress_main
int stress_main(int argc, char **argv);
#include "apps/stress/main.c"
#undef main

void stress_counter(void) { }
void stress_mem(void) { }
void stress_ipc(void) { }
void stress_sleep(void) { }
void stress_fpu(void) { }
void stress_thread(void) { }
void stress_pagers(void) { }
void stress_bank(void) { }
void stress_ring(void) { }
void stress_queue(void) { }
void stress_holes(void) { }
void stress_output(void) { }
long task_spawn(const char *program, const char *const argv[], unsigned long flags, const struct task_limits *limits, L4_Word_t *task)
{
	(void)program, (void)argv, (void)flags, (void)limits, (void)task;
	return TASK_E_NOMEM;
}
long task_info(L4_Word_t from, struct task_info *info) { (void)from, (void)info; return TASK_E_NOTFOUND; }
long task_stack(L4_Word_t pages, void **top) { (void)pages, (void)top; return TASK_E_NOMEM; }
long task_map(L4_Word_t size, L4_Word_t rights, L4_Word_t *at) { (void)size, (void)rights, (void)at; return TASK_E_NOMEM; }
long task_thread_create(void (*entry)(void *), void *arg, void *stack_top, L4_ThreadId_t *thread)
{
	(void)entry, (void)arg, (void)stack_top, (void)thread;
	return TASK_E_NOMEM;
}

void task_exit(long status)
{
	assert_int_equal(status, 1);
	out_of_it(&exits);
	abort();
}

/* The terminal's answer takes its time: meanwhile another thread fails, too. The end of the task would be the end of this one. */
unsigned long L4_TermPrintf(const char *format, ...)
{
	jmp_buf outer;

	assert_non_null(strstr(format, "FAIL"));
	memcpy(outer, left, sizeof outer);
	if (!setjmp(left))
		stress_fail("second");
	memcpy(left, outer, sizeof left);
	assert_int_equal(exits, 0);
	assert_int_equal(sleeps, 1);
	printed++;
	return L4_TERM_OK;
}

static void a_second_failure_does_not_hide_the_first(void **state)
{
	static char *words[] = { "bank", NULL };

	(void)state;
	argument = words;
	arguments = 1;
	if (!setjmp(left))
		stress_fail("first");
	assert_int_equal(printed, 1);
	assert_int_equal(exits, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_second_failure_does_not_hide_the_first),
	};

	return cmocka_run_group_tests_name("stress", tests, NULL, NULL);
}
