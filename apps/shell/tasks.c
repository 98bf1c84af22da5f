/* SPDX-License-Identifier: BSD-2-Clause
 * Commands about tasks: what the pager knows and does (l4/task.h). */
#include <l4/types.h>
#include <l4/thread.h>
#include <l4/ckpt.h>
#include <l4/task.h>
#include <l4/threadinfo.h>
#include <l4/term.h>
#include <l4/string.h>
#include "parse.h"
#include "shell.h"

enum { KIB_PER_PAGE = 4, BREAK_POLL_US = 50000 };

const char *task_error(long error)
{
	static const char *const text[] = {
		[-TASK_OK] = "no error", [-TASK_E_NOMEM] = "out of memory", [-TASK_E_LIMIT] = "a limit is reached",
		[-TASK_E_NOTFOUND] = "not found", [-TASK_E_INVAL] = "bad argument", [-TASK_E_PERM] = "not permitted",
		[-TASK_E_TIMEOUT] = "time is over", [-TASK_E_IPC] = "the pager does not answer",
		[-TASK_E_EXISTS] = "exists already", [-TASK_E_BADIMAGE] = "not a program for this machine",
		[-TASK_E_KERNEL] = "refused by the kernel",
	};

	if (error > 0 || -error >= (long)(sizeof text / sizeof text[0]))
		return "unknown error";
	return text[-error];
}

/* ---- ps, mem -------------------------------------------------------------------------------------- */

/* What a thread does, from the state word of ThreadInfo (l4/threadinfo.h). */
static const char *state_name(L4_Word_t state)
{
	static const struct { L4_Word_t flag; const char *name; } special[] = {
		{ L4_TI_DAMAGED, "stopped" }, { L4_TI_DYING, "dying" }, { L4_TI_START, "created" },
		{ L4_TI_HALTED, "halted" }, { L4_TI_PAGEFAULT, "page fault" }, { L4_TI_EXCEPTION, "exception" },
		{ L4_TI_PREEMPTION, "preempted" },
	};
	static const char *const name[] = {
		[L4_TI_DEAD] = "dead", [L4_TI_INACTIVE] = "inactive", [L4_TI_RUNNING] = "ready",
		[L4_TI_PENDING_SEND] = "send", [L4_TI_SENDING] = "sending", [L4_TI_WAITING] = "receive",
		[L4_TI_RECEIVING] = "receiving",
	};
	L4_Word_t n = state & L4_TI_STATE_MASK;

	for (unsigned int i = 0; i < sizeof special / sizeof special[0]; i++)
		if (state & special[i].flag)
			return special[i].name;
	if (state & L4_TI_CALL)
		return "call";
	return n < sizeof name / sizeof name[0] && name[n] ? name[n] : "unknown";
}

static void print_partner(L4_Word_t partner)
{
	if (!partner)
		L4_TermPrintf("%-10s", "-");
	else if (partner == L4_ANYTHREAD || partner == L4_ANYLOCALTHREAD)
		L4_TermPrintf("%-10s", "any");
	else
		L4_TermPrintf("%-10lu", partner >> L4_VERSION_BITS);
}

/* One line per thread of the task. */
static void print_threads(L4_Word_t task)
{
	struct task_thread_info t;

	for (L4_Word_t from = 0; task_thread_info(task, from, &t) == TASK_OK; from = (t.thread >> L4_VERSION_BITS) + 1) {
		int sleeps = t.partner == t.thread;     /* receives from itself, until the timeout */
		L4_TermPrintf("      %8lu.%-4lu %-11s ", t.thread >> L4_VERSION_BITS,
			      t.thread & 0xffffffff, sleeps ? "sleep" : state_name(t.state));
		print_partner(sleeps ? L4_NILTHREAD : t.partner);
		L4_TermPrintf(" %4lu %6lu.%03lu s\n", t.priority, t.cpu_us / 1000000, t.cpu_us / 1000 % 1000);
	}
}

static void print_task(const struct task_info *i)
{
	L4_TermPrintf("%5lu %-16s %s, %lu thread%s, %lu of %lu KiB touched", i->id, i->name,
		      i->state == TASK_ZOMBIE ? "ended" : "running", i->threads, i->threads == 1 ? "" : "s",
		      i->touched * KIB_PER_PAGE, i->pages * KIB_PER_PAGE);
	if (i->parent)
		L4_TermPrintf(", parent %lu", i->parent);
	if (i->state == TASK_ZOMBIE)
		L4_TermPrintf(", status %ld", (long)i->status);
	L4_TermPrintf("\n");
	print_threads(i->id);
}

/* The task that a word names, by number or by name; 0 after an error message. */
static L4_Word_t find_task(const char *command, const char *word)
{
	struct task_info i;
	unsigned long id;

	if (parse_number(word, &id)) {
		if (id && task_info(id, &i) == TASK_OK && i.id == id)
			return id;
		L4_TermPrintf("%s: there is no task %s\n", command, word);
		return 0;
	}
	for (L4_Word_t from = 0; task_info(from, &i) == TASK_OK; from = i.id + 1)
		if (!strcmp(i.name, word))
			return i.id;
	L4_TermPrintf("%s: there is no task named '%s'\n", command, word);
	return 0;
}

void command_ps(int count, char **word)
{
	L4_Word_t only = count > 1 ? find_task("ps", word[1]) : 0;
	struct task_info i;

	if (count > 1 && !only)
		return;
	L4_TermPrintf(" TASK NAME\n        THREAD.VER  STATE       PARTNER    PRIO       CPU\n");
	for (L4_Word_t from = only; task_info(from, &i) == TASK_OK; from = i.id + 1) {
		if (only && i.id != only)
			break;
		print_task(&i);
	}
}

void command_mem(int count, char **word)
{
	struct task_memory m;
	struct L4_CkptStat s;
	struct task_info i;
	long error = task_memory(&m);

	(void)count;
	(void)word;
	if (error != TASK_OK)
		return (void)L4_TermPrintf("mem: %s\n", task_error(error));
	L4_TermPrintf("store    %8lu KiB, %8lu free; %lu page faults answered\n", m.store_pages * KIB_PER_PAGE,
		      m.free_pages * KIB_PER_PAGE, m.faults);
	if (checkpoint_info(&s) == L4_CKPT_OK) {
		L4_TermPrintf("machine  %8lu KiB, %8lu free, %lu written since the last snapshot\n",
			      s.frames * KIB_PER_PAGE, s.frames_free * KIB_PER_PAGE, s.frames_dirty * KIB_PER_PAGE);
		L4_TermPrintf("disk     %8lu KiB, %8lu free\n", s.store_blocks * KIB_PER_PAGE, s.store_free * KIB_PER_PAGE);
	}
	L4_TermPrintf("tasks    %lu of %lu, threads %lu of %lu\n", m.tasks, m.tasks_max, m.threads, m.threads_max);
	for (L4_Word_t from = 0; task_info(from, &i) == TASK_OK; from = i.id + 1)
		L4_TermPrintf("%8lu %-16s %8lu KiB, %8lu touched\n", i.id, i.name, i.pages * KIB_PER_PAGE,
			      i.touched * KIB_PER_PAGE);
}

/* ---- Starting and ending ---------------------------------------------------------------------------- */

void command_programs(int count, char **word)
{
	char name[TASK_NAME_MAX];
	L4_Word_t size;

	(void)count;
	(void)word;
	for (L4_Word_t i = 0; task_program(i, name, &size) == TASK_OK; i++)
		L4_TermPrintf("%8lu  %s\n", size, name);
}

static void print_end(L4_Word_t task, const char *name, long status)
{
	switch (status) {
	case 0: break;
	case TASK_STATUS_KILLED: L4_TermPrintf("%s (task %lu) was killed\n", name, task); break;
	case TASK_STATUS_FAULT: L4_TermPrintf("%s (task %lu) ended by a page fault\n", name, task); break;
	case TASK_STATUS_EXCEPTION: L4_TermPrintf("%s (task %lu) ended by an exception\n", name, task); break;
	case TASK_STATUS_NOMEM: L4_TermPrintf("%s (task %lu) ended: out of memory\n", name, task); break;
	default: L4_TermPrintf("%s (task %lu) ended with status %ld\n", name, task, status); break;
	}
}

/* Wait for a task's end; ctrl-C ends the waiting, and the task too if kill is set. */
static void wait_for(L4_Word_t task, const char *name, int kill)
{
	long status, error;

	while ((error = task_wait(task, L4_TimePeriod(BREAK_POLL_US), &status)) == TASK_E_TIMEOUT) {
		if (!L4_TermBreak())
			continue;
		if (!kill)
			return;
		task_kill(task);
	}
	if (error == TASK_OK)
		print_end(task, name, status);
	else
		L4_TermPrintf("%s (task %lu): %s\n", name, task, task_error(error));
}

/* Start a program and, unless in the background, wait for it. */
static void start(const char *command, const char *program, char **argv, int background)
{
	L4_Word_t task;
	long error = task_spawn(program, (const char *const *)argv, background ? TASK_SPAWN_DETACH : 0, 0, &task);

	if (error == TASK_E_NOTFOUND)
		L4_TermPrintf("%s: there is no program '%s'; 'programs' lists them\n", command, program);
	else if (error != TASK_OK)
		L4_TermPrintf("%s: %s: %s\n", command, program, task_error(error));
	else if (background)
		L4_TermPrintf("%s: task %lu\n", argv[0], task);
	else
		wait_for(task, argv[0], 1);
}

void command_run(int count, char **word)
{
	int background = !strcmp(word[count - 1], "&");

	if (background)
		word[--count] = 0;
	if (count < 2)
		L4_TermPrintf("run: which program? 'programs' lists them\n");
	else
		start("run", word[1], word + 1, background);
}

/* The stress program's own argv[0] says which one it is: so each has its name in ps. */
void command_stress(int count, char **word)
{
	char *list[] = { word[0], word[1], 0 };

	(void)count;
	if (!strcmp(word[1], "list"))
		start("stress", "stress", list, 0);
	else
		start("stress", "stress", word + 1, 1);
}

void command_bench(int count, char **word)
{
	(void)count;
	start("bench", "bench", word, 0);
}

void command_wait(int count, char **word)
{
	L4_Word_t task = find_task("wait", word[1]);

	(void)count;
	if (task)
		wait_for(task, word[1], 0);
}

void command_kill(int count, char **word)
{
	for (int i = 1; i < count; i++) {
		L4_Word_t task = find_task("kill", word[i]);
		long error = task ? task_kill(task) : TASK_OK;
		if (error != TASK_OK)
			L4_TermPrintf("kill: %s: %s\n", word[i], task_error(error));
	}
}
