/* SPDX-License-Identifier: BSD-2-Clause
 * Events for ckptserver and waiting for objects; see event.h.
 */
#include "kernel/event.h"
#include "kernel/thread.h"
#include "kernel/arch.h"
#include "kernel/kernel.h"
#include "kernel/ipc.h"
#include "kernel/sched.h"
#include "kernel/ticket.h"
#include "kernel/percpu.h"
#include <l4/framecontrol.h>

#define BUCKETS         1024
#define RELEASE_PIECE   64              /* waiters released between two interrupt windows */

static struct event *first, **last = &first;
static u32 discards;                            /* queued events of deletion */
static struct thread *bucket[BUCKETS];

static bool is_discard(u64 word)
{
	u64 type = word >> L4_EV_SHIFT;

	return type == L4_EV_DISCARD || type == L4_EV_SPACE_DIED;
}

void event_post(struct event *ev, u64 word, u8 words)
{
	DEBUG_ASSERT(!ev->queued);
	ev->word = word;
	ev->words = words;
	ev->queued = 1;
	ev->next = NULL;
	*last = ev;
	last = &ev->next;
	if (is_discard(word))
		discards++;
	if (sigma0_thread)
		ipc_kernel_message(sigma0_thread);
}

bool event_pending(void)
{
	return first != NULL;
}

bool event_discard_pending(void)
{
	return discards != 0;
}

static void forget(struct event *ev)
{
	ev->queued = 0;
	if (is_discard(ev->word))
		discards--;
}

void event_cancel(struct event *ev)
{
	struct event **at;

	if (!ev->queued)
		return;
	for (at = &first; *at != ev; at = &(*at)->next)
		;
	*at = ev->next;
	if (last == &ev->next)
		last = at;
	forget(ev);
}

u32 event_take(u64 *out, u32 max)
{
	u32 n = 0;

	while (first && n + first->words <= max) {
		struct event *ev = first;

		out[n++] = ev->word;
		if (ev->words == 2)
			out[n++] = ev->word + (1ul << L4_OBJ_TYPE_SHIFT);
		first = ev->next;
		if (!first)
			last = &first;
		forget(ev);
	}
	return n;
}

/* Where the first waiter of the key hangs in its bucket, or would: a bucket has one thread of each key, the others of the
 * key are in a ring with it, in the links of the ready queue, where no parked thread is. */
static struct thread **find(u64 key)
{
	struct thread **at = &bucket[(key ^ key >> 10 ^ key >> 24) % BUCKETS];

	while (*at && (*at)->park_key != key)
		at = &(*at)->park_next;
	return at;
}

void park(struct thread *t, const struct wants *w)
{
	/* The last, because a thread's UTCB comes last, and whoever answers for that answers for TCB and entry too. */
	u64 key = w->event[w->count - 1];
	struct thread **at = find(key), *asker = *at;

	ASSERT(w->count && !(t->flags & TF_PARKED) && !t->send_to);
	sched_unready(t);
	if (asker) {
		t->ready_next = asker;
		t->ready_prev = asker->ready_prev;
		asker->ready_prev->ready_next = t;
		asker->ready_prev = t;
	} else {
		*at = t->ready_next = t->ready_prev = t;
		t->park_next = NULL;
	}
	t->park_key = key;
	t->flags |= TF_PARKED;
	ticket_wait(t);
	if (!asker)
		event_post(&t->park_event, key, 1);
	if (t == cpu->current)
		sched_block_current();
}

void unpark(struct thread *t)
{
	struct thread **at, *next = t->ready_next;

	if (!(t->flags & TF_PARKED))
		return;
	t->flags &= ~(u32)TF_PARKED;
	at = find(t->park_key);
	if (*at == t && next == t) {
		*at = t->park_next;
	} else if (*at == t) {
		next->park_next = t->park_next;
		*at = next;
	}
	t->ready_prev->ready_next = next;
	next->ready_prev = t->ready_prev;
	if (!t->park_event.queued)
		return;
	/* The question is still unread: another waiter of the same key asks it instead. */
	event_cancel(&t->park_event);
	if (next != t)
		event_post(&next->park_event, t->park_key, 1);
}

static void release(struct thread *t, u64 key, u32 flag, u32 *pins, pfn_t given)
{
	t->flags = (t->flags & ~(u32)TF_PARKED) | flag;
	if (pins) {
		(*pins)++;
		t->pinned = pins;
	}
	sched_switch(t, true);                  /* it did not give up its turn by missing an object */
	if (unlikely(t->flags & TF_WAITING))
		ticket_answer(t, given, key >> L4_EV_SHIFT == L4_EV_STALE ? 0 : (u32)key);
}

/* There may be as many as there are threads. Interrupts find those that are still to be released parked, and leave them alone. */
void park_release(u64 key, u32 flag, u32 *pins, pfn_t given)
{
	struct thread **at = find(key), *t, *next = *at, *end;
	u32 n = 0;

	if (!next)
		return;
	*at = next->park_next;
	end = next->ready_prev;
	event_cancel(&next->park_event);
	do {
		if (++n % RELEASE_PIECE == 0)
			arch_preemption_window();
		t = next;
		next = t->ready_next;
		release(t, key, flag, pins, given);
	} while (t != end);
}
