/* SPDX-License-Identifier: BSD-2-Clause
 * Events for ckptserver, and threads waiting for objects ("parked").
 *
 * An event is one word (l4/framecontrol.h). The queue is a list of struct event embedded in the thing that
 * causes it, so an event needs no memory and none is lost. A thread that misses an object is parked under the event
 * word as key; the first waiter of a key queues the event, the answer releases all waiters of the key, who
 * then take their step again from the start. Waiting is volatile: it is never saved.
 */
#ifndef KERNEL_EVENT_H
#define KERNEL_EVENT_H

#include "kernel/types.h"

struct thread;
struct wants;

struct event {
	struct event *next;
	u64 word;                       /* L4_EV_* << 56 | name */
	u8 queued;
	u8 words;                       /* 1; 2: the word and the same for the UTCB (discard of a deleted thread) */
};

void event_post(struct event *ev, u64 word, u8 words);
bool event_pending(void);
/* Withdraw: if it is still unread, it is forgotten. */
void event_cancel(struct event *ev);
/* Move up to max words to out; returns how many. */
u32 event_take(u64 *out, u32 max);
/* A deletion or eviction that ckptserver has not read yet? The snapshot must not come between. */
bool event_discard_pending(void);

/* Park t until the last of the wanted things is there; the others are asked for when it retries. */
void park(struct thread *t, const struct wants *w);
/* t stops waiting (deleted, or its wait is obsolete). */
void unpark(struct thread *t);
/* The key's waiters retry. Takes pieces, between which interrupts are let in. flag: TF_OUT_OF_MEMORY for a refusal, else 0. pins: counts
 * the waiters released until they have retried, or NULL. given: the frame they waited for, which is there now; 0: they
 * got nothing. */
void park_release(u64 key, u32 flag, u32 *pins, pfn_t given);

#endif
