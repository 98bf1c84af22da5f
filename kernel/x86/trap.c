/* SPDX-License-Identifier: BSD-2-Clause
 * Exceptions and interrupts, from entry.asm. The user's registers are in the current thread's TCB.
 * On the path of a page fault: trap_user -> fault_user (fault.c).
 */
#include "kernel/arch.h"
#include "kernel/kernel.h"
#include "kernel/thread.h"
#include "kernel/space.h"
#include "kernel/fault.h"
#include "kernel/sched.h"
#include "kernel/percpu.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/vectors.h"
#include <l4/abi.h>

#define TRAP_BREAKPOINT 3
#define TRAP_UNDEFINED  6
#define TRAP_NO_FPU     7
#define TRAP_PAGE_FAULT 14

#define PF_WRITE        2
#define PF_FETCH        16

void trap_user(struct regs *f);
void trap_kernel(struct regs *f);

/* lock; nop: the kernel interface call (X.2 1.1). */
static bool kernel_interface_call(struct thread *t, struct regs *f)
{
	u8 code[2];

	if (!user_read(t->space, f->rip, code, sizeof code) || code[0] != 0xf0 || code[1] != 0x90)
		return false;
	f->rax = t->space->kip_base;
	f->rcx = L4_API_VERSION;
	f->rdx = L4_API_FLAGS;
	f->rsi = L4_KERNEL_ID;
	f->rip += 2;
	return true;
}

/* Print a text that is there as a whole, or nothing. Returns the bytes printed. */
static u64 kdb_text(struct space *s, vaddr_t at, u64 bytes)
{
	char text[L4_KDB_TEXT_MAX];

	if (bytes > sizeof text || !user_read(s, at, text, bytes))
		return 0;
	for (u64 i = 0; i < bytes; i++)
		uart_putc(text[i]);
	return bytes;
}

/* int3; cmpb $op, %al: print services. rip is behind the int3 already. */
static bool kdb_call(struct thread *t, struct regs *f)
{
	u8 code[2];
	char c;
	u64 at;
	int n;

	if (!user_read(t->space, f->rip, code, sizeof code) || code[0] != 0x3c)
		return false;
	switch (code[1]) {
	case L4_KDB_PRINT_CHAR:
		uart_putc((char)f->rax);
		return true;
	case L4_KDB_PRINT_STRING:
		for (at = f->rax, n = 0; n < 256 && user_read(t->space, at, &c, 1) && c; at++, n++)
			uart_putc(c);
		return true;
	case L4_KDB_PRINT_TEXT:
		f->rax = kdb_text(t->space, f->rax, f->rdx);
		return true;
	default:
		return false;
	}
}

static void page_fault(struct thread *t, struct regs *f)
{
	u32 rights = f->error & PF_WRITE ? L4_RIGHT_W : f->error & PF_FETCH ? L4_RIGHT_X : L4_RIGHT_R;

	fault_user(t, read_cr2(), f->rip, rights);
}

/* From entry_trap (entry.asm), for a trap in user mode; f is the frame in the current thread's TCB. Next, in every case:
 * exit_kernel, which calls schedule() first if something here asked for it, and returns to whoever is the current thread
 * then. A page fault goes to fault_user (fault.c), a device interrupt by interrupt (apic.c) to irq_raised (irq.c). */
void trap_user(struct regs *f)
{
	struct thread *t = cpu->current;

	if (f->vector >= 32) {
		interrupt((u32)f->vector);
		return;
	}
	switch (f->vector) {
	case TRAP_PAGE_FAULT:
		page_fault(t, f);
		arch_sync_tlb();        /* a write to one page may have taken W from others */
		return;
	case TRAP_NO_FPU:
		fpu_switch(t);
		return;
	case TRAP_UNDEFINED:
		if (kernel_interface_call(t, f))
			return;
		break;
	case TRAP_BREAKPOINT:
		if (kdb_call(t, f))
			return;
		break;
	default:
		break;
	}
	fault_exception(t);
}

/* From entry_trap, for a trap in kernel mode. Only interrupts may come, in interrupt_window and the idle halt; next is the
 * interrupted kernel code. */
void trap_kernel(struct regs *f)
{
	if (f->vector >= 32) {
		interrupt((u32)f->vector);
		return;
	}
	panic("trap %lu in the kernel: error=%lx rip=%016lx rsp=%016lx cr2=%016lx", f->vector, f->error, f->rip,
		f->rsp, read_cr2());
}
