/* SPDX-License-Identifier: BSD-2-Clause
 * IPC (X.2 5): two separately atomic phases, each check-then-commit. A phase that misses an object, or
 * whose sender must fault a page in, has changed nothing (but the progress of map items); the thread waits and takes
 * the same phase again. A committed send is never sent twice.
 *
 *   READY --Ipc--> SEND --taken--> RECV_PENDING --nobody queued--> RECV --message--> READY
 *                   |                 |                             |
 *                   +---- error ------+-------- timeout, abort -----+------------> READY with ErrorCode
 *
 *   READY -> SEND            sys_ipc, ipc_fault           SEND -> RECV_PENDING    send_done
 *   SEND -> queued           send_phase                   RECV_PENDING -> RECV    recv_phase
 *   any waiting -> READY     recv_done, ipc_fail
 *
 * RECV_PENDING counts as waiting for every sender; only the search for senders that are queued already is left to
 * the thread's own dispatch, so no call follows an unbounded chain. A receiver that finds a queued sender whose objects
 * are missing waits for them itself, except ckptserver, which passes such senders over.
 *
 * A page fault inside a send phase (absent source of a map item) is nested, one level: its words and the outer phase
 * are in the TCB. The thread leaves its receiver's queue for that time.
 *
 * Next on the path: transfer.c moves the message.
 */
#include "kernel/ipc.h"
#include "kernel/thread.h"
#include "kernel/transfer.h"
#include "kernel/sched.h"
#include "kernel/space.h"
#include "kernel/irq.h"
#include "kernel/ticket.h"
#include "kernel/event.h"
#include "kernel/arch.h"
#include "kernel/kernel.h"
#include "kernel/timeout.h"
#include "kernel/percpu.h"
#include <l4/framecontrol.h>

#define SWEEP_PIECE     128             /* absent pages of the thread table passed over at a time */
#define RELEASE_PIECE   32              /* senders released at a time */
#define TRY_PIECE       16              /* queued senders whose objects are missing, passed over in one step */
#define SCAN_PIECE      256             /* queued senders that do not match, looked at in one step */

static u32 kind_of(const struct thread *t)
{
	return t->tte->kind & IPC_KIND_MASK;
}

/* ---- queues ---------------------------------------------------------------------------------- */

void ipc_enqueue(struct thread *t, struct thread *dest)
{
	struct thread *head = dest->senders;

	ASSERT(!t->send_to && !(t->flags & (TF_READY | TF_PARKED)));
	t->send_to = dest;
	if (!head) {
		dest->senders = t->send_next = t->send_prev = t;
		return;
	}
	t->send_next = head;
	t->send_prev = head->send_prev;
	head->send_prev->send_next = t;
	head->send_prev = t;
}

struct thread *ipc_orphans;

static void unlink(struct thread *t)
{
	struct thread *dest = t->send_to;

	t->send_to = NULL;
	if (unlikely(dest->scan == t->no))
		dest->scan = dest->senders == t ? 0 : t->send_prev->no;
	if (unlikely(ipc_orphans == t))
		ipc_orphans = t->send_next == t ? NULL : t->send_next;
	if (dest->senders == t)
		dest->senders = t->send_next == t ? NULL : t->send_next;
	t->send_prev->send_next = t->send_next;
	t->send_next->send_prev = t->send_prev;
}

static inline void leave_queue(struct thread *t)
{
	if (t->send_to)
		unlink(t);
}

void ipc_dequeue(struct thread *t)
{
	leave_queue(t);
	wakeup_cancel(t);
	t->flags &= ~(u32)TF_TIMEDOUT;
}

/* Their partner is an id that is gone, so whatever becomes of t's number, they are nobody's to receive from. */
void ipc_release_senders(struct thread *t)
{
	struct thread *first = t->senders, *last;

	t->senders = NULL;
	t->scan = 0;
	if (!first)
		return;
	cpu->resched = 1;
	if (!ipc_orphans) {
		ipc_orphans = first;
		return;
	}
	last = first->send_prev;
	ipc_orphans->send_prev->send_next = first;
	first->send_prev = ipc_orphans->send_prev;
	ipc_orphans->send_prev = last;
	last->send_next = ipc_orphans;
}

void ipc_release_piece(void)
{
	u32 n;

	for (n = 0; n < RELEASE_PIECE && ipc_orphans; n++) {
		struct thread *s = ipc_orphans;

		leave_queue(s);
		sched_ready(s);
	}
}

/* ---- ends of phases ---------------------------------------------------------------------------- */

bool ipc_accepts(const struct thread *dest, const struct thread *from)
{
	const struct tte *e = dest->tte;

	if (e->state != TS_RECV && e->state != TS_RECV_PENDING)
		return false;
	if (e->pending || dest->flags & (TF_DAMAGED | TF_RESTART | TF_CANCEL))
		return false;
	if (e->partner == thread_id(from) || e->partner == L4_ANYTHREAD)
		return true;
	return e->partner == L4_ANYLOCALTHREAD && e->space == from->tte->space;
}

/* The IPC is over, well or not: t is ready, or goes on with the phase in which a nested fault happened. */
static void finish(struct thread *t)
{
	struct tte *e = t->tte;

	ipc_dequeue(t);
	if (unlikely(t->flags & TF_PARKED)) {
		unpark(t);                      /* it waited for the objects of another sender */
		ticket_leave(t);
	}
	e->pending = PEND_NONE;
	if (e->kind & IPC_NESTED) {
		e->state = t->tcb->outer_state;
		e->kind = t->tcb->outer_kind;
		e->partner = t->tcb->outer_partner;
		e->deadline = t->tcb->outer_deadline;
	} else {
		e->state = TS_READY;
		e->kind = IPC_NORMAL;
		e->deadline = DEADLINE_NEVER;
	}
}

static void recv_done(struct thread *t, tid_t from)
{
	t->tcb->ipc_from = from;
	finish(t);
}

static void enter_receive(struct thread *t)
{
	struct tte *e = t->tte;
	struct tcb *tcb = t->tcb;

	ipc_dequeue(t);
	t->scan = 0;
	e->state = TS_RECV_PENDING;
	if (kind_of(t) != IPC_NORMAL) {         /* the answer comes from the partner of the send */
		if (ticket_counts(e))
			ticket_wait(t);
		return;
	}
	e->kind = IPC_NORMAL;
	if (tcb->ipc_to == tcb->ipc_fromspec && tid_number(tcb->ipc_to) < L4_ROOT_TNO)
		e->kind |= IPC_CALL_RESIDUAL;
	e->partner = tcb->ipc_fromspec;
	e->deadline = timeout_deadline((u16)tcb->ipc_timeouts);
}

/* t's message has been taken. Afterwards it is ready, or receive-pending. */
static void send_done(struct thread *t)
{
	if (!(t->tte->kind & IPC_NESTED))       /* a map item goes on behind the page that was missing */
		t->tcb->progress = 0;
	if (kind_of(t) == IPC_NORMAL && t->tcb->ipc_fromspec == L4_NILTHREAD) {
		t->utcb->mr[0] = 0;
		finish(t);
		return;
	}
	enter_receive(t);
}

void ipc_fail(struct thread *t, u32 error, u32 phase)
{
	u32 kind = kind_of(t);

	t->tcb->progress = 0;
	if (kind == IPC_PAGEFAULT || kind == IPC_EXCEPTION) {
		finish(t);
		/* Aborted: the instruction is tried again. Otherwise nobody can help this thread. */
		if (error != L4_IPC_CANCELED)
			thread_stop(t, kind == IPC_PAGEFAULT ? "page fault, and its pager does not exist" :
				"exception, and its handler does not exist");
		else if (t->tte->state != TS_READY)
			ipc_fail(t, error, t->tte->state != TS_SEND);
		return;
	}
	if (kind == IPC_NORMAL) {
		t->utcb->error_code = error << 1 | phase;
		t->utcb->mr[0] = L4_TAG_ERROR;
		t->tcb->ipc_from = phase ? t->tte->partner : L4_NILTHREAD;
	}
	finish(t);
}

static void fail_missing(struct thread *t, const struct wants *w)
{
	u32 i;

	ipc_fail(t, L4_IPC_OBJECTS_MISSING, 0);
	t->utcb->br_reversed[32] = w->count;
	for (i = 0; i < w->count; i++)
		t->utcb->br_reversed[31 - i] = w->event[i];
}

static bool expired(const struct thread *t)
{
	u64 deadline = t->tte->deadline;

	return t->flags & TF_TIMEDOUT || deadline == DEADLINE_NOW ||
		(deadline != DEADLINE_NEVER && deadline <= clock_us());
}

/* t blocks in its phase. */
static void block(struct thread *t)
{
	if (t == cpu->current)
		sched_block_current();
	if (t->tte->deadline != DEADLINE_NEVER)
		wakeup_set(t, t->tte->deadline);
}

/* ---- send phase --------------------------------------------------------------------------------- */

static bool send_to_interrupt(struct thread *t)
{
	return tid_number(t->tte->partner) < IRQ_COUNT && irq_ack(tid_number(t->tte->partner), t);
}

/* After a transfer: outcomes in transfer.h. True if the message was taken. */
static bool settle(struct thread *from, struct thread *to, int result)
{
	if (result == XFER_DONE) {
		recv_done(to, thread_id(from));
		send_done(from);
		if (from->tte->state == TS_RECV_PENDING && from->tte->partner == thread_id(to)) {
			from->tte->state = TS_RECV;     /* who was waiting is not queued */
			block(from);
		}
		return true;
	}
	if (result > 0) {
		ipc_fail(from, (u32)result, 0);
		ipc_fail(to, (u32)result, 1);
	}
	return false;
}

/* Returns the thread that took the message and is to run next, or NULL. */
static struct thread *send_phase(struct thread *t)
{
	struct thread *dest = thread_by_id(t->tte->partner);
	struct wants w = { 0 };

	if (!dest || dest->flags & TF_DAMAGED || (dest->tte->flags & (TTE_ACTIVE | TTE_STOPPED)) != TTE_ACTIVE) {
		if (send_to_interrupt(t))
			send_done(t);
		else
			ipc_fail(t, L4_IPC_NON_EXISTING, 0);
		return NULL;
	}
	if (!ipc_accepts(dest, t) || dest == t) {
		if (expired(t)) {
			ipc_fail(t, L4_IPC_TIMEOUT, 0);
			return NULL;
		}
		block(t);
		ipc_enqueue(t, dest);
		return NULL;
	}
	if (!thread_check(dest, &w)) {
		if (!w.count)
			ipc_fail(t, L4_IPC_NON_EXISTING, 0);    /* its address space is damaged */
		else if (thread_is_ckptserver(t))
			fail_missing(t, &w);
		else
			park(t, &w);
		return NULL;
	}
	if (settle(t, dest, transfer(t, dest)))
		return dest;
	if (dest->tte->state == TS_READY)
		sched_ready(dest);              /* both failed */
	return NULL;
}

/* ---- receive phase -------------------------------------------------------------------------------- */

static void deliver_kernel(struct thread *t, tid_t from, word_t tag)
{
	t->utcb->mr[0] = tag;
	recv_done(t, from);
}

/* Interrupts first, then events for ckptserver. */
static bool take_kernel_message(struct thread *t)
{
	tid_t partner = t->tte->partner;
	u32 n;
	int irq;

	if (kind_of(t) != IPC_NORMAL)
		return false;
	if (irq_pending_for(t, partner)) {
		irq = irq_take(t, partner);
		deliver_kernel(t, tid_make((u32)irq, 1), (word_t)L4_LABEL_INTERRUPT << 20);
		return true;
	}
	if (t == sigma0_thread && event_pending() &&
	    (partner == L4_ANYTHREAD || partner == tid_make(L4_KERNEL_TNO, 1))) {
		n = event_take(&t->utcb->mr[1], 60);
		deliver_kernel(t, tid_make(L4_KERNEL_TNO, 1), (word_t)L4_LABEL_KERNEL << 20 | n);
		return true;
	}
	return false;
}

/* Among many queued senders those of the same space are looked for in pieces; how far, t->scan says. *more: the search is not
 * over. */
static struct thread *next_local(struct thread *t, bool *more)
{
	struct thread *s = t->scan ? thread_at(t->scan)->send_next : t->senders;
	u32 n;

	if (t->scan && s == t->senders)
		return NULL;
	for (n = 0; s && n < SCAN_PIECE; n++) {
		if (ipc_accepts(t, s))
			return s;
		t->scan = s->no;
		s = s->send_next == t->senders ? NULL : s->send_next;
	}
	*more = s;
	return NULL;
}

/* The queued sender to take next. */
static struct thread *next_sender(struct thread *t, bool *more)
{
	struct thread *s;

	if (t->tte->partner == L4_ANYTHREAD)
		return t->senders && ipc_accepts(t, t->senders) ? t->senders : NULL;
	if (t->tte->partner == L4_ANYLOCALTHREAD)
		return next_local(t, more);
	s = thread_by_id(t->tte->partner);
	return s && s->send_to == t && s->tte->partner == thread_id(t) ? s : NULL;
}

/* One queued sender. True: t is no longer looking (it has its message, or is parked). */
static bool try_sender(struct thread *t, struct thread *s)
{
	struct wants w = { 0 };

	if (!thread_check(s, &w)) {
		if (!thread_is_ckptserver(t) && w.count) {
			park(t, &w);
			return true;
		}
		ipc_dequeue(s);
		if (w.count)
			park(s, &w);
		else
			sched_ready(s);
		return false;
	}
	leave_queue(s);
	if (!settle(s, t, transfer(s, t))) {
		/* s must fault, or both failed. */
		sched_ready(s);
		return t->tte->state != TS_RECV_PENDING && t->tte->state != TS_RECV;
	}
	if (s->tte->state != TS_RECV)
		sched_ready(s);
	return true;
}

/* A closed receive from nobody would wait for ever. */
static bool sender_possible(const struct thread *t)
{
	tid_t partner = t->tte->partner;
	const struct thread *p;

	if (partner == L4_ANYTHREAD || partner == L4_ANYLOCALTHREAD || kind_of(t) == IPC_START)
		return true;
	p = thread_by_id(partner);
	if (p)
		return !(p->flags & TF_DAMAGED) && !(p->tte->flags & TTE_STOPPED);
	return tid_number(partner) <= L4_KERNEL_TNO && tid_version(partner) == 1;
}

/* Receivers do not hang on their partner, so when one goes all are looked at, by and by. */
static u32 sweep_at, sweep_left;                /* table pages: the next, and how many more */

void ipc_partner_gone(void)
{
	sweep_left = L4_TABLE_PAGES;
}

static void sweep_page(struct thread *chunk)
{
	u32 i;

	for (i = 0; i < L4_TABLE_PER_PAGE; i++) {
		struct thread *t = &chunk[i];

		if (t->tte->flags & TTE_EXISTS && t->tte->state == TS_RECV && !(t->flags & (TF_READY | TF_PARKED)) &&
		    !sender_possible(t))
			sched_ready(t);         /* its own step ends the receive */
	}
}

bool ipc_sweep(void)
{
	u32 n = SWEEP_PIECE;

	while (sweep_left && n--) {
		struct thread *chunk = thread_chunk[sweep_at];

		sweep_at = (sweep_at + 1) % L4_TABLE_PAGES;
		sweep_left--;
		if (chunk) {
			sweep_page(chunk);
			break;
		}
	}
	return sweep_left;
}

/* Many queued senders did not do: t's next step goes on with the search, and others have their turn before. */
static rare void search_later(struct thread *t)
{
	if (t == cpu->current)
		sched_block_current();
	sched_ready(t);
	arch_preemption_window();
}

static void recv_phase(struct thread *t)
{
	bool more = false;
	struct thread *s;
	u32 n;

	if (take_kernel_message(t))
		return;
	for (n = 0; (s = next_sender(t, &more)); n++) {
		if (try_sender(t, s))
			return;
		if (unlikely(n == TRY_PIECE)) {
			more = true;
			break;
		}
	}
	if (unlikely(more)) {
		search_later(t);
		return;
	}
	if (!sender_possible(t)) {
		ipc_fail(t, L4_IPC_NON_EXISTING, 1);
		return;
	}
	if (expired(t)) {
		ipc_fail(t, L4_IPC_TIMEOUT, 1);
		return;
	}
	t->tte->state = TS_RECV;
	block(t);
}

/* ---- entry ------------------------------------------------------------------------------------------ */

void ipc_step(struct thread *t)
{
	struct tte *e = t->tte;
	struct thread *dest;

	if (t->flags & TF_RESTART) {
		/* A call to a residual thread of an earlier boot: sent again, whole. */
		t->flags &= ~(u32)TF_RESTART;
		e->state = TS_SEND;
		if (kind_of(t) == IPC_NORMAL) {
			e->partner = t->tcb->ipc_to;
			e->deadline = timeout_deadline((u16)(t->tcb->ipc_timeouts >> 16));
		}
		e->kind &= (u8)~IPC_CALL_RESIDUAL;
	} else if (t->flags & TF_CANCEL) {
		t->flags &= ~(u32)TF_CANCEL;
		ipc_fail(t, L4_IPC_CANCELED, 1);
	}
	if (e->pending) {
		u32 phase = e->pending == PEND_ABORT_RECV;

		e->pending = PEND_NONE;
		if (e->state != TS_READY)
			ipc_fail(t, L4_IPC_CANCELED, phase);
	}
	if (e->state == TS_SEND) {
		dest = send_phase(t);
		if (dest)
			sched_switch(dest, e->state == TS_READY);
	} else if (e->state != TS_READY) {
		recv_phase(t);
	}
	/* A finished nested fault, or a send that leaves a receive: the next phase is t's next step. */
	if (e->state != TS_READY && e->state != TS_RECV && !t->send_to && t != cpu->current)
		sched_ready(t);
}

static void start_send(struct thread *t, tid_t to, u32 kind, u64 deadline)
{
	struct tte *e = t->tte;
	struct thread *dest;

	e->state = TS_SEND;
	e->kind = (u8)kind;
	e->partner = to;
	e->deadline = deadline;
	dest = send_phase(t);
	if (e->state == TS_RECV_PENDING) {
		recv_phase(t);
		if (unlikely(t->flags & TF_PAGE_DAMAGED)) {
			sched_block_current();
			sched_ready(t);
		}
	} else if (e->state == TS_SEND && !t->send_to && !(t->flags & TF_PARKED)) {
		sched_block_current();          /* a nested fault: next step at its dispatch */
		sched_ready(t);
	}
	/* A caller that now waits makes way for the receiver at once. */
	if (dest && !sched_handoff(dest))
		sched_switch(dest, e->state == TS_READY);
}

void sys_ipc(tid_t to, tid_t from, word_t timeouts)
{
	struct thread *t = cpu->current;
	struct tcb *tcb = t->tcb;

	tcb->ipc_to = to;
	tcb->ipc_fromspec = from;
	tcb->ipc_timeouts = timeouts;
	if (to != L4_NILTHREAD) {
		u16 snd = (u16)(timeouts >> 16);

		start_send(t, to, IPC_NORMAL, snd ? timeout_deadline(snd) : DEADLINE_NEVER);
		return;
	}
	if (from == L4_NILTHREAD) {
		t->utcb->mr[0] = 0;
		tcb->ipc_from = L4_NILTHREAD;
		return;
	}
	t->tte->kind = IPC_NORMAL;
	enter_receive(t);
	recv_phase(t);
}

void ipc_fault(struct thread *t, tid_t partner, u32 kind)
{
	start_send(t, partner, kind, DEADLINE_NEVER);
}

void ipc_raise(struct thread *t, tid_t handler)
{
	t->tte->state = TS_SEND;
	t->tte->kind = IPC_EXCEPTION;
	t->tte->partner = handler;
	t->tte->deadline = DEADLINE_NEVER;
}

void ipc_wait_start(struct thread *t, tid_t pager)
{
	t->tte->state = TS_RECV_PENDING;
	t->tte->kind = IPC_START;
	t->tte->partner = pager;
	t->tte->deadline = DEADLINE_NEVER;
	sched_ready(t);
}

void ipc_timed_out(struct thread *t)
{
	t->flags |= TF_TIMEDOUT;
	leave_queue(t);
	sched_ready(t);
}

void ipc_kernel_message(struct thread *t)
{
	if (t->tte->state == TS_RECV && !(t->flags & TF_READY))
		sched_ready(t);
}
