/* SPDX-License-Identifier: BSD-2-Clause
 * The ticket; see ticket.h.
 *
 * Invariants (ticket_check):
 *  (K1) a thread is in the queue if and only if it has TF_WAITING;
 *  (K2) only the first of the queue holds things, at most L4_TICKET_THINGS; who is urgent is in the queue;
 *  (K3) a held kernel object is present, in the frame in which it was given;
 *  (K4) a held frame that was current when it was given is current until the epoch ends.
 */
#include "kernel/ticket.h"
#include "kernel/arch.h"
#include "kernel/frame.h"
#include "kernel/space.h"
#include "kernel/thread.h"
#include <l4/framecontrol.h>

#define HOLD_US         1000000ul       /* without an answer for so long, somebody else is to have it */
#define PAGER_US        200000ul        /* the same while a pager that is a program thinks */
#define PASS_PIECE      8               /* threads passed over at a time */
#define CHAIN           16u             /* pagers of pagers that are looked at */
#define DISPATCHES      4               /* of a holder at the same instruction: interrupts may have come first */

struct held {
	pfn_t pfn;
	u32 object;                     /* L4_OBJ, 0: none that is known */
	u64 current_in;                 /* epoch in which the frame was current, 0: it was not */
};

static struct {
	u32 head, tail;                 /* thread numbers; 0: empty */
	u32 dispatches;
	u64 since;                      /* µs: when somebody else was first seen to wait for it since it was passed on or the
	                                 * holder was answered; 0: not yet */
	struct held held[L4_TICKET_THINGS];
} ticket;

struct thread *ticket_urgent;
u32 ticket_open;
u32 ticket_held_count;                 /* things that the first of the queue holds */

/* The instruction at which t stands, folded; 0: its TCB is not here. */
static u32 where(const struct thread *t)
{
	return t->tcb ? (u32)(t->tcb->frame.rip ^ t->tcb->frame.rip >> 32) | 1u << 31 : 0;
}

static void begin_holding(void)
{
	ticket_held_count = 0;
	ticket.dispatches = 0;
	ticket.since = 0;
}

static void link_last(struct thread *t)
{
	t->flags |= TF_WAITING;
	t->wait_next = 0;
	t->wait_prev = ticket.tail;
	if (ticket.tail)
		thread_at(ticket.tail)->wait_next = t->no;
	else
		ticket.head = t->no;
	ticket.tail = t->no;
	if (ticket.head == t->no)
		begin_holding();
}

void ticket_drop(struct thread *t)
{
	bool first = ticket.head == t->no;

	t->flags &= ~(u32)(TF_WAITING | TF_ANSWERED);
	if (t->wait_prev)
		thread_at(t->wait_prev)->wait_next = t->wait_next;
	else
		ticket.head = t->wait_next;
	if (t->wait_next)
		thread_at(t->wait_next)->wait_prev = t->wait_prev;
	else
		ticket.tail = t->wait_prev;
	if (ticket_urgent == t || first)
		ticket_urgent = NULL;
	if (first)
		begin_holding();
}

static void go_last(struct thread *t)
{
	ticket_leave(t);
	link_last(t);
}

/* Does t, which is in the queue, still wait, or has it yet to use its answer? */
static bool still_waits(const struct thread *t)
{
	const struct tte *e = t->tte;

	if (t->flags & TF_PARKED)
		return true;
	if (e->state != TS_READY)
		return t->flags & TF_READY || ticket_counts(e);
	return t->flags & TF_READY && (!t->tcb || where(t) == t->wait_at);
}

/* The program from which t waits for the answer to its page fault; NULL: it waits for no program. */
static struct thread *pager_of(const struct thread *t)
{
	const struct tte *e = t->tte;

	if (t->flags & TF_PARKED || e->state == TS_READY || !ticket_counts(e) || tid_number(e->partner) < L4_ROOT_TNO)
		return NULL;
	return thread_by_id(e->partner);
}

/* Is t a pager for whose answer the first of the queue waits: its own, or that one's pager, and so on? */
static bool serves_first(const struct thread *t)
{
	const struct thread *at = ticket.head ? thread_at(ticket.head) : NULL;
	u32 n;

	for (n = 0; n < CHAIN && at; n++) {
		at = pager_of(at);
		if (at == t)
			return true;
	}
	return false;
}

/* Does the holder wait for ckptserver, be it through its pagers? Else it waits for what a program thinks of. */
static bool waits_for_ckptserver(const struct thread *t)
{
	const struct thread *pager;
	u32 n;

	for (n = 0; n < CHAIN; n++) {
		pager = pager_of(t);
		if (!pager)
			break;
		t = pager;
	}
	return t->flags & TF_WAITING;
}

/* The disk or a pager does not answer the holder, or priorities keep it from running. */
static bool too_long(const struct thread *t)
{
	u64 now;

	if (ticket.head == ticket.tail || ticket_urgent)
		return false;
	now = clock_us();
	if (!ticket.since)
		ticket.since = now;
	return now - ticket.since > (waits_for_ckptserver(t) ? HOLD_US : PAGER_US);
}

/* Who holds the ticket, or NULL. Passes over those who have got further; should there be very many of them, nobody holds
 * it for the moment. */
static struct thread *holder(void)
{
	u32 n;

	for (n = 0; n < PASS_PIECE && ticket.head; n++) {
		struct thread *t = thread_at(ticket.head);

		if (!still_waits(t))
			ticket_leave(t);
		else if (too_long(t) && pager_of(t))
			ticket_leave(t);        /* its pager may never answer; it queues anew with its next fault */
		else if (too_long(t))
			go_last(t);
		else
			return t;
	}
	return NULL;
}

void ticket_join(struct thread *t)
{
	u32 at = where(t);

	if (t->flags & TF_WAITING) {
		if (!at || !t->wait_at || at == t->wait_at) {
			if (at)
				t->wait_at = at;
			return;
		}
		ticket_leave(t);
	}
	t->wait_at = at;
	link_last(t);
}

static struct held *find(pfn_t pfn)
{
	u32 i;

	for (i = 0; i < ticket_held_count; i++)
		if (ticket.held[i].pfn == pfn)
			return &ticket.held[i];
	return NULL;
}

/* False: that is more than any step can need. */
static bool hold(pfn_t pfn, u32 object)
{
	struct held *h = find(pfn);

	if (!h) {
		if (ticket_held_count == L4_TICKET_THINGS)
			return false;
		h = &ticket.held[ticket_held_count++];
		*h = (struct held){ .pfn = pfn, .object = object };
	}
	if (object)
		h->object = object;
	h->current_in = frame_is_current(pfn) ? epoch : 0;
	return true;
}

void ticket_answer(struct thread *t, pfn_t pfn, u32 object)
{
	struct thread *first = ticket.head == t->no ? t : holder();

	t->flags |= TF_ANSWERED;
	if (!first || (first != t && !serves_first(t)))
		return;
	ticket.since = 0;
	ticket.dispatches = 0;
	if (pfn && !hold(pfn, object))
		go_last(first);                 /* so it does get further, at one instruction: a long string copy */
	else
		ticket_urgent = t;
}

void ticket_try(struct thread *t)
{
	bool answered = t->flags & TF_ANSWERED;

	t->flags &= ~(u32)TF_ANSWERED;
	if (ticket_urgent == t)
		ticket_urgent = NULL;
	if (answered)
		return;
	if (ticket.head != t->no || !still_waits(t) || ticket.dispatches++ >= DISPATCHES)
		ticket_leave(t);
}

bool ticket_has(pfn_t pfn)
{
	return ticket_held_count && holder() && find(pfn);
}

bool ticket_holds(pfn_t pfn)
{
	ticket_open = TICKET_EPOCHS;
	return holder() && find(pfn);
}

void ticket_release(pfn_t pfn)
{
	struct held *h = find(pfn);

	if (h)
		*h = ticket.held[--ticket_held_count];
}

/* ---- debug ------------------------------------------------------------------------------------------ */

static const void *object_page(u32 object)
{
	struct thread *t = thread_at(L4_OBJ_INDEX(object));
	struct space *s;

	switch (L4_OBJ_TYPE(object)) {
	case L4_OBJ_TCB:
		return t ? t->tcb : NULL;
	case L4_OBJ_UTCB:
		return t ? t->utcb : NULL;
	case L4_OBJ_SPACE:
		s = space_at(L4_OBJ_INDEX(object));
		return s ? s->record : NULL;
	default:
		t = thread_at(L4_OBJ_INDEX(object) * L4_TABLE_PER_PAGE);
		return t ? t->tte : NULL;
	}
}

static const char *check_held(const struct held *h)
{
	if (h->object && object_page(h->object) != phys_to_virt(h->pfn << PAGE_SHIFT))
		return "K3: an object was taken from the ticket's holder";
	if (h->current_in == epoch && !frame_is_current(h->pfn))
		return "K4: a frame was taken from the ticket's holder";
	return NULL;
}

const char *ticket_check(void)
{
	u32 no, prev = 0, i;

	if (ticket_held_count > L4_TICKET_THINGS || (ticket_held_count && !ticket.head))
		return "K2: things are held by nobody";
	for (no = ticket.head; no; prev = no, no = thread_at(no)->wait_next)
		if (!(thread_at(no)->flags & TF_WAITING) || thread_at(no)->wait_prev != prev)
			return "K1: the queue for the ticket is broken";
	if (prev != ticket.tail)
		return "K1: the queue for the ticket has another end";
	if (ticket_urgent && !(ticket_urgent->flags & TF_WAITING))
		return "K2: somebody is urgent who does not wait";
	for (i = 0; i < ticket_held_count; i++) {
		const char *bad = check_held(&ticket.held[i]);

		if (bad)
			return bad;
	}
	return NULL;
}
