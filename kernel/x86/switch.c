/* SPDX-License-Identifier: BSD-2-Clause
 * Making another thread the one that exit_kernel returns to.
 */
#include "kernel/arch.h"
#include "kernel/kernel.h"
#include "kernel/thread.h"
#include "kernel/space.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/percpu.h"

static void load_space(struct space *s)
{
	write_cr3(s->pt.root);
	ptab_loaded(&s->pt);
	cpu->space = s;
}

void arch_switch_to(struct thread *t)
{
	if (cpu->space != t->space || ptab_flush_needed(&t->space->pt))
		load_space(t->space);
	if (cpu->tcb != t->tcb || cpu->utcb != t->utcb) {
		cpu->tcb = t->tcb;
		cpu->utcb = t->utcb;
		arch_set_trap_frame(t->tcb);
	}
	wrmsr(MSR_KERNEL_GS, t->tcb->utcb_mr - 512);
	arch_io_rights(t->space->residual);
	if (cpu->fpu_owner == t)
		clts();
	else if (!(read_cr0() & CR0_TS))
		write_cr0(read_cr0() | CR0_TS);
}

void arch_sync_tlb(void)
{
	if (cpu->space && ptab_flush_needed(&cpu->space->pt))
		load_space(cpu->space);
}

void arch_leave_space(void)
{
	if (cpu->space) {
		write_cr3(virt_to_phys(kernel_pml4));
		ptab_loaded(NULL);
		cpu->space = NULL;
	}
}

void arch_idle(void)
{
	halt_for_interrupt();
}

void arch_preemption_window(void)
{
	interrupt_window();
}
