/* SPDX-License-Identifier: BSD-2-Clause
 * The ticket: that who waits for kernel objects and frames gets through, however few of them there are.
 *
 * A step may need several things that ckptserver brings one after the other, and while it brings the next, it could take
 * the last away for somebody else. So threads that wait for ckptserver stand in a queue, in the order in which they began to
 * wait, and the first of them *holds the ticket*: what it is given is not taken back (EVICT, RECLAIM and a polite PROTECT
 * are refused) until it has got further. Getting further is: the phase of its IPC or its system call is committed, or it
 * has left the instruction at which it faulted. Every try of the holder either gets further or misses something that it
 * does not hold yet, and no step needs more than L4_TICKET_THINGS. So it needs that many tries at most. What a program is given
 * that is its pager, or its pager's pager, while it waits for the answer to its page fault, is held for it in the same way;
 * a pager that thinks for long without needing anything loses it the ticket.
 *
 * The queue takes no part in an IPC that misses nothing: a thread is looked at when it waits, when it is answered, and when
 * it is dispatched with TF_WAITING; whoever has got further otherwise is passed over when the holder is next asked for.
 *
 * While nothing is taken from anybody there is no queue: the first attempt to take something (ticket_holds) opens it for the
 * next TICKET_EPOCHS snapshots.
 *
 * Nothing of this is saved. Never blocks. Interrupt code does not touch it.
 */
#ifndef KERNEL_TICKET_H
#define KERNEL_TICKET_H

#include "kernel/thread.h"
#include <l4/abi.h>

/* The holder, or a pager for whose answer it waits, if that one has been given something and has not tried again since: it is
 * dispatched next, and no snapshot comes between. NULL: there is none such. */
extern struct thread *ticket_urgent;

#define TICKET_EPOCHS   256u

/* Snapshots for which the queue stays open. */
extern u32 ticket_open;

void ticket_join(struct thread *t);

/* In its IPC the thread with this entry waits for ckptserver, or may do so through its pager: it is a page fault to sigma0 or to
 * a program. (One to another residual server, which anybody may name as his pager, is not: that has no page to give.) */
static inline bool ticket_counts(const struct tte *e)
{
	return (e->kind & IPC_KIND_MASK) == IPC_PAGEFAULT &&
	       (tid_number(e->partner) == L4_SIGMA0_TNO || tid_number(e->partner) >= L4_ROOT_TNO);
}

/* t waits for ckptserver. It keeps its place if it has got no further since it last did. */
static inline void ticket_wait(struct thread *t)
{
	if (unlikely(ticket_open))
		ticket_join(t);
}

/* A snapshot was taken. */
static inline void ticket_snapshot(void)
{
	ticket_open -= ticket_open != 0;
}

/* ckptserver has answered t, which has TF_WAITING. pfn: the frame that t was given, 0: none; object: the kernel object in it,
 * 0: no object, or unknown. */
void ticket_answer(struct thread *t, pfn_t pfn, u32 object);

/* t, with TF_WAITING, is dispatched: it tries its step again. */
void ticket_try(struct thread *t);

/* t, with TF_WAITING, has got further, or is gone. */
void ticket_drop(struct thread *t);

static inline void ticket_leave(struct thread *t)
{
	if (unlikely(t->flags & TF_WAITING))
		ticket_drop(t);
}

/* Somebody wants to take that frame: does the holder hold it? */
bool ticket_holds(pfn_t pfn);
/* The same of somebody who takes so little that nobody need queue for it. */
bool ticket_has(pfn_t pfn);

extern u32 ticket_held_count;
void ticket_release(pfn_t pfn);

/* The frame leaves its use in spite of that: the object was deleted, the page discarded. */
static inline void ticket_forget(pfn_t pfn)
{
	if (unlikely(ticket_held_count))
		ticket_release(pfn);
}

/* Walks the queue and what is held; NULL or what is wrong. */
const char *ticket_check(void);

#endif
