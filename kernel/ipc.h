/* SPDX-License-Identifier: BSD-2-Clause
 * IPC: two separately atomic phases (X.2 5). State diagram and rules at the top of ipc.c.
 */
#ifndef KERNEL_IPC_H
#define KERNEL_IPC_H

#include "kernel/types.h"

struct thread;

/* The system call. From entry.asm: message registers are in the UTCB already. */
void sys_ipc(tid_t to, tid_t from, word_t timeouts);

/* The same in its most frequent case (ipc_fast.c). False: nothing was done, take the general path. */
bool ipc_fast(tid_t to, tid_t from, word_t timeouts, word_t tag);

/* t's next step in the phase it is in: called when t is dispatched in a state other than TS_READY. Afterwards t is ready,
 * blocked, or parked. */
void ipc_step(struct thread *t);

/* The current thread starts a kernel-made IPC with `partner`: kind IPC_PAGEFAULT (words are in the TCB), IPC_EXCEPTION. Its
 * TCB, UTCB and entry are current. */
void ipc_fault(struct thread *t, tid_t partner, u32 kind);

/* t, in no IPC and in no queue, is to tell its exception handler of its saved registers: its next step. */
void ipc_raise(struct thread *t, tid_t handler);

/* t waits for the start message of its pager (after activation). */
void ipc_wait_start(struct thread *t, tid_t pager);

/* End t's IPC: phase 0 send, 1 receive. Its objects are current. */
void ipc_fail(struct thread *t, u32 error, u32 phase);

/* Volatile queues: t leaves every queue it is in because of IPC. */
void ipc_dequeue(struct thread *t);
/* All that are queued for t are to retry (t is gone, or will not receive): they are set apart at once, in constant time, and
 * released by ipc_release_piece. */
void ipc_release_senders(struct thread *t);
/* Threads set apart, circular, oldest first; NULL: none. */
extern struct thread *ipc_orphans;
/* Release a bounded number of them. */
void ipc_release_piece(void);
/* t in TS_SEND joins its receiver's queue (activation). */
void ipc_enqueue(struct thread *t, struct thread *dest);
/* A thread (or its id) is gone: closed receives from it are to end with an error before long. */
void ipc_partner_gone(void);
/* A bounded piece of the search for them; true if there is more. */
bool ipc_sweep(void);
/* Would dest accept a message from t at this moment? */
bool ipc_accepts(const struct thread *dest, const struct thread *from);

/* t's deadline passed (wakeup queue). Volatile state only. */
void ipc_timed_out(struct thread *t);

/* A kernel event or an interrupt is there for t: wake it if it waits for such. */
void ipc_kernel_message(struct thread *t);

#endif
