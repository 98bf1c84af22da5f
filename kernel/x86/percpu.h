/* SPDX-License-Identifier: BSD-2-Clause
 * What belongs to one processor. %gs points here in kernel mode. The first words are used by
 * entry.asm (offsets in tcb_offsets.inc, asserted here).
 */
#ifndef X86_PERCPU_H
#define X86_PERCPU_H

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include "kernel/x86/cpu.h"

struct thread;
struct tcb;
struct utcb;
struct space;

struct percpu {
	uint64_t kstack;                /* top of the kernel stack */
	uint64_t scratch;               /* user stack pointer during system-call entry */
	struct tcb *tcb;                /* of the current thread */
	struct utcb *utcb;
	uint64_t resched;               /* schedule before returning to user mode */

	struct thread *current;         /* runs, or ran last; NULL in idle */
	struct space *space;            /* whose page table is loaded */
	uint64_t tlb_gen;               /* of that space when it was loaded */
	struct thread *fpu_owner;       /* whose registers are in the FPU; NULL: nobody's */
	uint64_t switched_in;           /* TSC when current began to run */
	uint64_t quantum_end;           /* TSC when current's time slice ends; ~0: never */
	int fpu_trapped;                /* CR0.TS is set */
};
_Static_assert(offsetof(struct percpu, kstack) == 0, "tcb_offsets.inc");
_Static_assert(offsetof(struct percpu, scratch) == 8, "tcb_offsets.inc");
_Static_assert(offsetof(struct percpu, tcb) == 16, "tcb_offsets.inc");
_Static_assert(offsetof(struct percpu, utcb) == 24, "tcb_offsets.inc");
_Static_assert(offsetof(struct percpu, resched) == 32, "tcb_offsets.inc");

/* One processor today; %gs-relative access is what a second one will need. */
extern struct percpu percpu0;
#define cpu (&percpu0)

/* Does the next FPU instruction trap (CR0.TS)? */
static inline void fpu_trap(bool on)
{
	if (cpu->fpu_trapped == on)
		return;
	cpu->fpu_trapped = on;
	if (on)
		write_cr0(read_cr0() | CR0_TS);
	else
		clts();
}

#endif
