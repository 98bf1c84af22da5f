/* SPDX-License-Identifier: BSD-2-Clause
 * Scheduling: 256 priorities and ckptserver's fault thread above them, round robin with time slices within one.
 * The current thread is not in the ready queue. schedule() (called on the way out of the kernel when
 * percpu.resched is set) finds the next thread that can really return to user mode; on its way it takes the steps
 * that ready threads still owe: retries of IPC phases, pending errors, missing objects.
 */
#ifndef KERNEL_SCHED_H
#define KERNEL_SCHED_H

#include "kernel/types.h"
#include "kernel/arch.h"
#include "kernel/thread.h"
#include "kernel/percpu.h"

#define PRIO_TOP        256             /* ckptserver's fault thread */

/* t has something to do: put it at the end of its priority's queue, and preempt the current thread if that is lower. */
void sched_ready(struct thread *t);
/* Take t out of the ready queue if it is there. */
void sched_unready(struct thread *t);
/* The current thread cannot go on (blocked, parked, halted, deleted). */
void sched_block_current(void);
/* Continue with t directly, which is not in the ready queue, if nothing more urgent is ready; else queue it.
 * The current thread stays ready if `keep` (it is put at the head of its queue). */
void sched_switch(struct thread *t, bool keep);
/* The current thread has blocked: continue with t, which is in no queue, at once and for the rest of the time slice, without
 * schedule(). False: something speaks against it; nothing was done. */
bool sched_handoff(struct thread *t);
void sched_yield(void);

/* Time-stamp counter at the boot code's first C. */
extern u64 boot_entry_tsc;

/* The highest priority in the ready queue, -1: empty. */
extern int sched_ready_top;

u32 sched_prio(const struct thread *t);

/* The timer interrupt: has a time slice or a deadline passed? Volatile state only. */
void sched_timer(void);
void sched_set_timer(void);

/* The current thread t stops running at TSC value now: its CPU time is in its TCB. */
static inline void sched_account(struct thread *t, u64 now)
{
	if (t->tcb && (t->flags & TF_RESIDENT || t->current_in == epoch))
		t->tcb->cpu_time_ns += ns_from_tsc(now - cpu->switched_in);
	cpu->switched_in = now;
}

void schedule(void);

/* Wakeup heap (wakeup.c): deadlines in µs of the persistent clock. */
void wakeup_set(struct thread *t, u64 deadline);
void wakeup_cancel(struct thread *t);
u64 wakeup_next(void);                  /* DEADLINE_NEVER: none */
struct thread *wakeup_expired(u64 now); /* takes one out, or NULL */
int wakeup_reserve(u32 threads);        /* room for that many more; 0 or -1 */

#endif
