/* SPDX-License-Identifier: BSD-2-Clause
 * Making another thread the one that exit_kernel returns to. Inline: every IPC passes here.
 */
#ifndef X86_SWITCH_H
#define X86_SWITCH_H

#include "kernel/thread.h"
#include "kernel/space.h"
#include "kernel/percpu.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/fpu.h"
#include "kernel/x86/tss.h"

static inline void load_space(struct space *s)
{
	write_cr3(s->pt.root);
	ptab_loaded(&s->pt);
	cpu->space = s;
}

/* t has its objects, and its page table is prepared. between_persistent: neither the current thread nor t is residual. */
static inline void arch_switch_to(struct thread *t, bool between_persistent)
{
	struct space *s = t->space;
	struct tcb *tcb = t->tcb;

	if (cpu->space != s || ptab_flush_needed(&s->pt))
		load_space(s);
	cpu->tcb = tcb;
	cpu->utcb = t->utcb;
	tss.rsp[0] = (u64)(&tcb->frame + 1);
	if (!between_persistent)
		tss.io_base = s->residual ? TSS_IO_ALLOWED : TSS_IO_DENIED;
	wrmsr(MSR_KERNEL_GS, tcb->utcb_mr - 512);
	fpu_trap(cpu->fpu_owner != t);
}

#endif
