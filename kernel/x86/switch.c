/* SPDX-License-Identifier: BSD-2-Clause
 * Leaving a space, keeping its TLB honest, and waiting. The switch itself is inline: switch.h.
 */
#include "kernel/arch.h"
#include "kernel/kernel.h"
#include "kernel/thread.h"
#include "kernel/space.h"
#include "kernel/percpu.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/switch.h"

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
