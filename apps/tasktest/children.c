/* SPDX-License-Identifier: BSD-2-Clause
 * What tasktest does as its own child: mostly something a task should not do.
 */
#include <l4/ckpt.h>
#include <l4/ipc.h>
#include <l4/schedule.h>
#include <l4/string.h>
#include <l4/task.h>
#include <l4/thread.h>

#include "tasktest.h"

static void write_to(L4_Word_t address)
{
	__asm__ volatile ("movb $1, (%0)" : : "r"(address) : "memory");
}

static volatile int zero;

static void do_fault(const char *kind)
{
	L4_Word_t at = 0;

	if (!strcmp(kind, "null"))
		write_to(8);
	if (!strcmp(kind, "text"))
		write_to((L4_Word_t)do_fault);
	if (!strcmp(kind, "guard"))
		write_to(TASK_STACK_TOP - TASK_STACK_PAGES * 4096UL - 8);
	if (!strcmp(kind, "kernel"))
		write_to(0x7ffffffff000);
	if (!strcmp(kind, "exec")) {
		(void)task_map(4096, L4_RIGHT_R | L4_RIGHT_W, &at);
		*(volatile unsigned char *)at = 0xc3;
		((void (*)(void))at)();
	}
	if (!strcmp(kind, "unmapped")) {
		(void)task_map(4096, L4_RIGHT_R | L4_RIGHT_W, &at);
		write_to(at);
		(void)task_unmap(at, 4096);
		write_to(at);
	}
	if (!strcmp(kind, "ud2"))
		__asm__ volatile ("ud2");
	if (!strcmp(kind, "divide"))
		zero = 1000 / zero;
	if (!strcmp(kind, "privileged"))
		__asm__ volatile ("hlt");
	if (!strcmp(kind, "syscall"))
		__asm__ volatile ("syscall" : : : "rcx", "r11", "memory");
}

static int do_share(void)
{
	L4_Word_t at = 0;
	volatile L4_Word_t *w;

	if (task_share_attach("tasktest ring", L4_RIGHT_R | L4_RIGHT_W | L4_RIGHT_X, &at, 0) != TASK_E_PERM)
		return 1;
	if (task_share_attach("tasktest ring", L4_RIGHT_R | L4_RIGHT_W, &at, 0) != TASK_OK)
		return 2;
	w = (volatile L4_Word_t *)at;
	w[0] = w[600] + 1;
	return (int)w[600];
}

static int do_touch(long pages)
{
	L4_Word_t at = 0;

	if (task_map((L4_Word_t)pages * 4096, L4_RIGHT_R | L4_RIGHT_W, &at) != TASK_OK)
		return 1;
	for (int round = 0; round < 3; round++)
		for (long i = 0; i < pages; i++) {
			volatile L4_Word_t *w = (volatile L4_Word_t *)(at + (L4_Word_t)i * 4096);

			if (w[i % 512] != (round ? (L4_Word_t)(i + round) : 0))
				return 2;
			w[i % 512] = (L4_Word_t)(i + round + 1);
		}
	return 0;
}

/* What controls the machine is refused, whatever the arguments; what only reads is not. */
static int control_refused(void)
{
	struct L4_CkptStat stat;
	unsigned long n;

	return L4_PowerOff() == L4_CKPT_DENIED && L4_Reboot() == L4_CKPT_DENIED && L4_ExitEmulator(1) == L4_CKPT_DENIED &&
	       L4_SetCheckpointInterval(100, 0) == L4_CKPT_DENIED && L4_SetCheckpointInterval(1, 0) == L4_CKPT_DENIED &&
	       L4_CheckpointName(0, "mine", 0) == L4_CKPT_DENIED && L4_CheckpointDrop(0, ~0UL, &n) == L4_CKPT_DENIED &&
	       L4_CheckpointKeep(1, 0) == L4_CKPT_DENIED && L4_CheckpointKeep(0, &n) != L4_CKPT_DENIED &&
	       L4_CheckpointInfo(&stat) == L4_CKPT_OK && stat.kept_held == 0;
}

/* With arguments that have no effect. */
static int control_given(void)
{
	return L4_CheckpointKeep(~0UL, 0) != L4_CKPT_DENIED && L4_SetCheckpointInterval(1, 0) != L4_CKPT_DENIED &&
	       L4_CheckpointName(0, "not a name", 0) != L4_CKPT_DENIED && L4_CheckpointDrop(2, 1, 0) != L4_CKPT_DENIED;
}

/* control: 0: as anybody, 1: as an administrator. */
static int child_control(int admin)
{
	L4_Word_t id;
	const char *argv[] = { "tasktest", "exit", "0", 0 };

	if (admin)
		return control_given() ? 0 : 1;
	if (task_spawn("tasktest", argv, TASK_SPAWN_ADMIN, 0, &id) != TASK_E_PERM)
		return 1;
	return control_refused() ? 0 : 2;
}

int child_main(const char *mode, const char *argument)
{
	long number = strtol(argument, 0, 10);

	if (!strcmp(mode, "exit"))
		return (int)number;
	if (!strcmp(mode, "late")) {
		L4_Sleep(L4_TimePeriod((L4_Word64_t)number));
		return 7;
	}
	if (!strcmp(mode, "fault"))
		do_fault(argument);
	if (!strcmp(mode, "share"))
		return do_share();
	if (!strcmp(mode, "touch"))
		return do_touch(number);
	if (!strcmp(mode, "name"))
		(void)task_name_register("tasktest name", L4_nilthread);
	if (!strcmp(mode, "parent"))
		(void)child("sleep", "0", TASK_SPAWN_DIE_WITH);
	if (!strcmp(mode, "threads") && threads_fill(number) != number)
		return 1;
	if (!strcmp(mode, "control"))
		return child_control((int)number);
	if (!strcmp(mode, "leaf"))
		return do_touch(number) + do_touch(number);
	if (!strcmp(mode, "fault"))
		return 0;                       /* it went well: that is wrong */
	for (;;)
		L4_Sleep(L4_Never);
}

/* limits: 100 pages, 4 threads, 1 child, priority 50. */
int child_limits(void)
{
	L4_Word_t at = 0, id;
	const char *argv[] = { "tasktest", "exit", "3", 0 };
	long status;

	if (task_map(100 * 4096, L4_RIGHT_R, &at) != TASK_E_LIMIT)
		return 1;
	if (task_map(10 * 4096, L4_RIGHT_R, &at) != TASK_OK)
		return 2;
	if (task_thread_priority(L4_Myself(), 51) != TASK_E_PERM)
		return 3;
	if (task_thread_priority(L4_Myself(), 49) != TASK_OK)
		return 4;
	if (threads_fill(100) != 4)
		return 5;
	if (task_spawn("tasktest", argv, 0, 0, &id) != TASK_OK)
		return 6;
	if (task_spawn("tasktest", argv, 0, 0, &at) != TASK_E_LIMIT)
		return 7;
	if (task_wait(id, L4_Never, &status) != TASK_OK || status != 3)
		return 8;
	if (task_spawn("tasktest", argv, TASK_SPAWN_ADMIN, 0, &at) != TASK_E_PERM && task_kill(1) != TASK_E_PERM)
		return 9;
	return 0;
}
