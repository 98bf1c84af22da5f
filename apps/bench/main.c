/* SPDX-License-Identifier: BSD-2-Clause
 * bench: what the basic operations cost on this machine, now, with whatever else is running: for people at the shell.
 * Each is repeated in batches; the best batch and the median batch are printed, in nanoseconds by the system clock.
 * The figures of docs/performance.md come from `make bench`, which counts instructions on an otherwise idle machine.
 */
#include <l4/types.h>
#include <l4/thread.h>
#include <l4/ipc.h>
#include <l4/message.h>
#include <l4/schedule.h>
#include <l4/ckpt.h>
#include <l4/print.h>
#include <l4/string.h>
#include <l4/task.h>
#include <l4/term.h>

enum { BATCHES = 15, PAGE = 4096, FAULTS = 64, STACK = 16384 };

static char echo_stack[STACK], idle_stack[STACK];
static L4_ThreadId_t inner, outer;
static L4_Word_t region;
static int failed;

/* ---- What is measured: each does the thing n times -------------------------------------------------- */

static void null_call(unsigned long n)
{
	while (n--)
		L4_ThreadSwitch(L4_Myself());
}

static void call(L4_ThreadId_t whom, unsigned long n)
{
	while (n--) {
		L4_Set_MsgTag((L4_MsgTag_t){ 0 });
		if (L4_IpcFailed(L4_Call(whom)))
			failed = 1;
	}
}

static void ipc_inner(unsigned long n)
{
	call(inner, n);
}

static void ipc_outer(unsigned long n)
{
	call(outer, n);
}

/* Fresh memory, touched page by page. */
static void faults(unsigned long n)
{
	region = 0;
	if (task_map(n * PAGE, L4_RIGHT_R | L4_RIGHT_W, &region) != TASK_OK) {
		failed = 1;
		return;
	}
	for (unsigned long i = 0; i < n; i++)
		*(volatile char *)(region + i * PAGE) = 1;
}

static void faults_end(unsigned long n)
{
	if (region)
		task_unmap(region, n * PAGE);
}

static void idle_thread(void *argument)
{
	(void)argument;
	for (;;)
		L4_Receive(L4_Myself());
}

static void threads(unsigned long n)
{
	while (n--) {
		L4_ThreadId_t id;
		if (task_thread_create(idle_thread, 0, idle_stack + STACK, &id) != TASK_OK
		 || task_thread_delete(id) != TASK_OK)
			failed = 1;
	}
}

static void checkpoints(unsigned long n)
{
	while (n--)
		if (L4_CheckpointAndWait(0) != L4_CKPT_OK)
			failed = 1;
}

static const struct {
	const char *name;
	void (*run)(unsigned long n);
	void (*end)(unsigned long n);
	unsigned long times;                    /* in a batch */
	const char *what;
} bench[] = {
	{ "null", null_call, 0, 1000, "system call that does nothing" },
	{ "ipc", ipc_inner, 0, 500, "call and reply in one address space" },
	{ "ipc-space", ipc_outer, 0, 500, "call and reply between address spaces" },
	{ "fault", faults, faults_end, FAULTS, "first write to a page, with its share of the mapping request" },
	{ "thread", threads, 0, 20, "thread created and deleted" },
	{ "ckpt", checkpoints, 0, 1, "checkpoint forced and committed" },
};
enum { BENCHES = sizeof bench / sizeof bench[0] };

/* ---- Measuring ---------------------------------------------------------------------------------------- */

static void sort(unsigned long *v, unsigned int n)
{
	for (unsigned int i = 1; i < n; i++)
		for (unsigned int j = i; j && v[j - 1] > v[j]; j--) {
			unsigned long swap = v[j];
			v[j] = v[j - 1];
			v[j - 1] = swap;
		}
}

static void measure(unsigned int b)
{
	unsigned long ns[BATCHES];

	failed = 0;
	for (int i = 0; i < BATCHES && !failed; i++) {
		L4_Word64_t begin = L4_SystemClock().raw;
		bench[b].run(bench[b].times);
		ns[i] = (L4_SystemClock().raw - begin) * 1000 / bench[b].times;
		if (bench[b].end)
			bench[b].end(bench[b].times);
	}
	if (failed)
		return (void)L4_TermPrintf("%-10s failed\n", bench[b].name);
	sort(ns, BATCHES);
	L4_TermPrintf("%-10s %9lu ns best %9lu ns median   %s\n", bench[b].name, ns[0], ns[BATCHES / 2], bench[b].what);
}

/* ---- The partners --------------------------------------------------------------------------------------- */

static void echo(void *argument)
{
	L4_ThreadId_t from;
	L4_MsgTag_t tag = L4_Wait(&from);

	(void)argument;
	for (;;) {
		if (L4_IpcFailed(tag))
			tag = L4_Wait(&from);
		L4_Set_MsgTag((L4_MsgTag_t){ 0 });
		tag = L4_ReplyWait(from, &from);
	}
}

static int partners(void)
{
	const char *const argv[] = { "bench", "role=echo", 0 };
	struct task_info info;
	L4_Word_t task;

	if (task_thread_create(echo, 0, echo_stack + STACK, &inner) != TASK_OK
	 || task_spawn("bench", argv, TASK_SPAWN_DETACH | TASK_SPAWN_DIE_WITH, 0, &task) != TASK_OK
	 || task_info(task, &info) != TASK_OK)
		return 0;
	outer.raw = info.first_thread;
	return 1;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "role=echo"))
		echo(0);
	if (!partners()) {
		L4_TermPrintf("bench: no room for its partners\n");
		return 1;
	}
	for (int i = 1; i < argc; i++) {
		unsigned int b = 0;
		while (b < BENCHES && strcmp(bench[b].name, argv[i]))
			b++;
		if (b < BENCHES)
			measure(b);
		else
			L4_TermPrintf("bench: there is no benchmark '%s'\n", argv[i]);
	}
	for (unsigned int b = 0; argc < 2 && b < BENCHES; b++)
		measure(b);
	return 0;
}
