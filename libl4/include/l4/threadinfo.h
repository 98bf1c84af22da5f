/* SPDX-License-Identifier: BSD-2-Clause
 * ThreadInfo (extension, ArchSyscall1): what `ps` shows. It looks at a thread without disturbing it.
 *
 * Registers: rdi = thread number to begin the search with, 0 .. 2^18-1. Result: rax = global id of the first
 * existing thread with that number or a higher one, residual threads and interrupts included, 0 if there is
 * none. MR0..MR15 are written to the caller's UTCB memory, never to registers; all other registers but rsp are
 * lost. Words of MRs not named below are 0. If rax is 0 the MRs are not written.
 *
 * Privileged: the caller's address space must be that of the root task or of sigma0; else rax = 0 and ErrorCode =
 * L4_ERR_NO_PRIVILEGE. After a search that found nothing, as with a number of 2^18 or more, it is
 * L4_ERR_INVALID_THREAD.
 * May wait for the TCB of the thread to be paged in; if it is damaged, what is only there is 0.
 */
#ifndef L4_THREADINFO_H
#define L4_THREADINFO_H

#include <l4/abi.h>

/* Message register of each word. */
#define L4_TI_STATE		0	/* L4_TI_* below */
#define L4_TI_SPACE		1	/* number of its address space */
#define L4_TI_PRIORITY		2
#define L4_TI_PARTNER		3	/* whom it sends to, receives from; ~0: anyone; 0: nobody */
#define L4_TI_DEADLINE		4	/* of its timeout, on the system clock, microseconds; ~0: none */
#define L4_TI_CPU_TIME		5	/* microseconds it has run, up to its last switch */
#define L4_TI_IP		6	/* as of its last entry into the kernel */
#define L4_TI_SP		7
#define L4_TI_UTCB		8	/* address of MR0, its local id; 0: inactive */
#define L4_TI_HANDLE		9	/* user defined handle */
#define L4_TI_WORDS		16

/* State word, bits 0..3: the same numbers as the results of Schedule. */
#define L4_TI_STATE_MASK	0xf
#define L4_TI_DEAD		1
#define L4_TI_INACTIVE		2
#define L4_TI_RUNNING		3	/* or ready to */
#define L4_TI_PENDING_SEND	4	/* waits for its receiver */
#define L4_TI_SENDING		5	/* in a transfer */
#define L4_TI_WAITING		6	/* waits for a message */
#define L4_TI_RECEIVING		7	/* in a transfer */
/* Flags. */
#define L4_TI_HALTED		(1 << 8)
#define L4_TI_PAGEFAULT		(1 << 9)	/* the IPC is a page fault's, the partner its pager */
#define L4_TI_EXCEPTION		(1 << 10)	/* … an exception's, … its handler */
#define L4_TI_PREEMPTION	(1 << 11)	/* … a preemption's */
#define L4_TI_START		(1 << 12)	/* created, waits for its start message */
#define L4_TI_CALL		(1 << 13)	/* send and closed receive with the same partner */
#define L4_TI_OBJECT_WAIT	(1 << 14)	/* waits for a kernel object or a frame (volatile) */
#define L4_TI_RESIDUAL		(1 << 15)	/* not part of checkpoints */
#define L4_TI_INTERRUPT		(1 << 16)	/* an interrupt; the partner is its handler */
#define L4_TI_DYING		(1 << 17)
#define L4_TI_DAMAGED		(1 << 18)	/* stopped: its saved objects were invalid or unreadable */

#ifndef __ASSEMBLER__
#include <l4/types.h>
#include <l4/amd64/syscalls.h>

struct l4_thread_info {
	L4_ThreadId_t id;
	L4_Word_t     state;		/* L4_TI_* */
	L4_Word_t     space;
	L4_Word_t     priority;
	L4_ThreadId_t partner;
	L4_Word64_t   deadline_us;
	L4_Word64_t   cpu_us;
	L4_Word_t     ip;
	L4_Word_t     sp;
	L4_Word_t     utcb;
	L4_Word_t     handle;
};

/* Describes the first existing thread with a number of at least `number`. Returns its id, L4_nilthread if there
 * is none or the caller may not ask (ErrorCode); *info then is not changed. Uses the message registers. To list
 * all: for (n = 0; id = L4_ThreadInfo (n, &info), !nil; n = L4_ThreadNo (id) + 1). */
L4_INLINE L4_ThreadId_t L4_ThreadInfo(L4_Word_t number, struct l4_thread_info *info)
{
	const volatile L4_Word_t *mr = __L4_X86_Utcb();
	L4_Word_t rax;

	__asm__ __volatile__(__L4_CALL(__L4_ThreadInfo)
		: "=a"(rax), "+D"(number)
		: : "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "cc", "memory");
	if (rax == 0)
		return L4_nilthread;
	info->id.raw = rax;
	info->state = mr[L4_TI_STATE];
	info->space = mr[L4_TI_SPACE];
	info->priority = mr[L4_TI_PRIORITY];
	info->partner.raw = mr[L4_TI_PARTNER];
	info->deadline_us = mr[L4_TI_DEADLINE];
	info->cpu_us = mr[L4_TI_CPU_TIME];
	info->ip = mr[L4_TI_IP];
	info->sp = mr[L4_TI_SP];
	info->utcb = mr[L4_TI_UTCB];
	info->handle = mr[L4_TI_HANDLE];
	return info->id;
}
#endif

#endif
