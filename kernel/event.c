/* SPDX-License-Identifier: BSD-2-Clause
 * Events for ckptserver and waiting for objects; see event.h.
 */
#include "kernel/event.h"
#include "kernel/thread.h"
#include "kernel/kernel.h"
#include "kernel/ipc.h"
#include "kernel/sched.h"
#include "kernel/ticket.h"
#include "kernel/percpu.h"
#include <l4/framecontrol.h>

#define BUCKETS         1024

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

static struct thread **chain(u64 key)
{
	return &bucket[(key ^ key >> 10 ^ key >> 24) % BUCKETS];
}

void park(struct thread *t, const struct wants *w)
{
	/* The last, because a thread's UTCB comes last, and whoever answers for that answers for TCB and entry too. */
	u64 key = w->event[w->count - 1];
	struct thread **at = chain(key);
	bool asked = false;

	ASSERT(w->count && !(t->flags & TF_PARKED) && !t->send_to);
	sched_unready(t);
	for (; *at; at = &(*at)->park_next)
		asked |= (*at)->park_key == key;
	*at = t;
	t->park_next = NULL;
	t->park_key = key;
	t->flags |= TF_PARKED;
	ticket_wait(t);
	if (!asked)
		event_post(&t->park_event, key, 1);
	if (t == cpu->current)
		sched_block_current();
}

static void unchain(struct thread **at)
{
	struct thread *t = *at;

	*at = t->park_next;
	t->park_next = NULL;
	t->flags &= ~(u32)TF_PARKED;
}

void unpark(struct thread *t)
{
	struct thread **at;

	if (!(t->flags & TF_PARKED))
		return;
	for (at = chain(t->park_key); *at != t; at = &(*at)->park_next)
		;
	unchain(at);
	if (!t->park_event.queued)
		return;
	/* The question is still unread: another waiter of the same key asks it instead. */
	event_cancel(&t->park_event);
	for (at = chain(t->park_key); *at; at = &(*at)->park_next) {
		if ((*at)->park_key == t->park_key) {
			event_post(&(*at)->park_event, t->park_key, 1);
			return;
		}
	}
}

void park_release(u64 key, u32 flag, u32 *pins, pfn_t given)
{
	struct thread **at = chain(key);

	while (*at) {
		struct thread *t = *at;

		if (t->park_key != key) {
			at = &t->park_next;
			continue;
		}
		unchain(at);
		event_cancel(&t->park_event);
		t->flags |= flag;
		if (pins) {
			(*pins)++;
			t->pinned = pins;
		}
		sched_switch(t, true);          /* it did not give up its turn by missing an object */
		if (unlikely(t->flags & TF_WAITING))
			ticket_answer(t, given, key >> L4_EV_SHIFT == L4_EV_STALE ? 0 : (u32)key);
	}
}
