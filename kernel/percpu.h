/* SPDX-License-Identifier: BSD-2-Clause
 * What belongs to one processor. The first words are used by x86/entry.asm (offsets in tcb_offsets.inc, asserted here), which
 * finds them through %gs.
 */
#ifndef KERNEL_PERCPU_H
#define KERNEL_PERCPU_H

#include <stddef.h>
#include <stdbool.h>
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
	int fpu_trapped;                /* the next FPU instruction traps (x86/fpu.h) */
};
_Static_assert(offsetof(struct percpu, kstack) == 0, "tcb_offsets.inc");
_Static_assert(offsetof(struct percpu, scratch) == 8, "tcb_offsets.inc");
_Static_assert(offsetof(struct percpu, tcb) == 16, "tcb_offsets.inc");
_Static_assert(offsetof(struct percpu, utcb) == 24, "tcb_offsets.inc");
_Static_assert(offsetof(struct percpu, resched) == 32, "tcb_offsets.inc");

/* One processor today; access relative to %gs is what a second one will need. */
extern struct percpu percpu0;
#define cpu (&percpu0)

#endif
