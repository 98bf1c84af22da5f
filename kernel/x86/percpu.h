/* SPDX-License-Identifier: BSD-2-Clause
 * What belongs to one processor. %gs points here in kernel mode. The first words are used by
 * entry.asm (offsets in tcb_offsets.inc, asserted here).
 */
#ifndef X86_PERCPU_H
#define X86_PERCPU_H

#include <stddef.h>
#include <stdint.h>

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
	int io_allowed;                 /* TSS lets the current space use I/O ports */
};
_Static_assert(offsetof(struct percpu, kstack) == 0, "tcb_offsets.inc");
_Static_assert(offsetof(struct percpu, scratch) == 8, "tcb_offsets.inc");
_Static_assert(offsetof(struct percpu, tcb) == 16, "tcb_offsets.inc");
_Static_assert(offsetof(struct percpu, utcb) == 24, "tcb_offsets.inc");
_Static_assert(offsetof(struct percpu, resched) == 32, "tcb_offsets.inc");

/* One processor today; %gs-relative access is what a second one will need. */
extern struct percpu percpu0;
#define cpu (&percpu0)

/* The processor begins the next trap's frame at the end of this TCB's (desc.c). */
void arch_set_trap_frame(struct tcb *tcb);

#endif
