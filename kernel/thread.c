/* SPDX-License-Identifier: BSD-2-Clause
 * Threads: the tables that find them, and the check phase that every step takes before it writes. What a check finds
 * missing is collected in struct wants; the caller parks its thread for it (event.c).
 */
#include "kernel/thread.h"
#include "kernel/kernel.h"
#include "kernel/arch.h"
#include "kernel/ipc.h"
#include "kernel/sched.h"
#include "kernel/space.h"
#include "kernel/ticket.h"
#include "kernel/frame.h"
#include "kernel/percpu.h"
#include <l4/framecontrol.h>

struct thread *thread_chunk[L4_TABLE_PAGES];
struct thread *sigma0_thread;

int thread_add_table(u32 index, struct tte *page, bool resident)
{
	struct thread *chunk = thread_chunk[index];
	u32 i;

	if (!chunk) {
		if (wakeup_reserve(L4_TABLE_PER_PAGE) < 0)
			return -1;
		chunk = pool_alloc(L4_TABLE_PER_PAGE * sizeof(struct thread));
		if (!chunk)
			return -1;
		memset(chunk, 0, L4_TABLE_PER_PAGE * sizeof(struct thread));
		thread_chunk[index] = chunk;
	}
	for (i = 0; i < L4_TABLE_PER_PAGE; i++) {
		chunk[i].no = index * L4_TABLE_PER_PAGE + i;
		chunk[i].tte = page + i;
		if (resident)
			chunk[i].flags |= TF_RESIDENT;
	}
	return 0;
}

bool thread_is_ckptserver(const struct thread *t)
{
	return t->tte->space == L4_SIGMA0_SPACE;
}

static void want(struct wants *w, u64 event)
{
	if (w->count < WANTS_MAX)
		w->event[w->count++] = event;
}

void want_object(struct wants *w, u64 type, u32 object)
{
	want(w, type << L4_EV_SHIFT | object);
}

void want_frame(struct wants *w, const void *page)
{
	want(w, (u64)L4_EV_STALE << L4_EV_SHIFT | virt_to_phys(page) >> PAGE_SHIFT);
}

static bool page_current(const void *page)
{
	return frame_is_current(virt_to_phys(page) >> PAGE_SHIFT);
}

bool thread_check_entry(struct thread *t, struct wants *w)
{
	if (t->flags & TF_RESIDENT || page_current(t->tte))
		return true;
	want_frame(w, (void *)((u64)t->tte & ~PAGE_MASK));
	return false;
}

static bool check_page(struct thread *t, const void *page, u32 type, struct wants *w)
{
	if (!page) {
		want_object(w, L4_EV_NEED, L4_OBJ((u32)type, t->no));
		return false;
	}
	if (!page_current(page)) {
		want_frame(w, page);
		return false;
	}
	return true;
}

bool thread_check_tcb(struct thread *t, struct wants *w)
{
	bool ok = thread_check_entry(t, w);

	if (t->flags & TF_RESIDENT)
		return ok;
	return check_page(t, t->tcb, L4_OBJ_TCB, w) && ok;
}

bool thread_check_slow(struct thread *t, struct wants *w)
{
	bool ok = true;

	if (!(t->flags & TF_RESIDENT)) {
		ok = thread_check_tcb(t, w);
		ok = check_page(t, t->utcb, L4_OBJ_UTCB, w) && ok;
	}
	if (!t->space)
		t->space = space_get(t->tte->space);
	if (!t->space || !space_check_known(t->space, w))
		return false;
	if (ok)
		t->current_in = epoch;
	return ok;
}

void tcb_init(struct tcb *tcb, u32 number, tid_t self)
{
	memset(tcb, 0, sizeof *tcb);
	tcb->header = (struct object_header){ OBJECT_MAGIC, OBJECT_VERSION, L4_OBJ_TCB, number, 0 };
	tcb->myself = self;
	tcb->frame.cs = 0x23;
	tcb->frame.ss = 0x1b;
	tcb->frame.rflags = 0x202;
	tcb->timeslice_us = 10000;
	tcb->outer_deadline = DEADLINE_NEVER;
}

const char *thread_state_name(const struct thread *t)
{
	static const char *const names[TS_COUNT] = {
		[TS_READY] = "ready", [TS_SEND] = "send", [TS_RECV] = "receive", [TS_RECV_PENDING] = "receive-pending",
	};

	if (!(t->tte->flags & TTE_EXISTS))
		return "none";
	if (t->tte->flags & TTE_STOPPED || t->flags & TF_DAMAGED)
		return "stopped";
	return t->tte->state < TS_COUNT ? names[t->tte->state] : "invalid";
}

/* page: NULL, or the address that the reason is about. */
static void report_stop(const struct thread *t, const char *reason, const vaddr_t *page)
{
	printk("[thread] stopped tid=%u.%u space=%u reason=\"%s\"", t->no, t->tte->version, t->tte->space, reason);
	if (page)
		printk(" page=0x%lx", *page & ~PAGE_MASK);
	if (t->tcb)
		printk(" rip=0x%lx rsp=0x%lx", t->tcb->frame.rip, t->tcb->frame.rsp);
	printk("\n");
}

static void stop(struct thread *t, const char *reason, const vaddr_t *page)
{
	struct wants w = { 0 };

	if (!(t->flags & TF_DAMAGED))
		report_stop(t, reason, page);
	if (t->flags & TF_RESIDENT)
		residual_crash("residual thread %u: %s", t->no, reason);
	ipc_dequeue(t);
	unpark(t);
	thread_unpin(t);
	ticket_leave(t);
	/* A stopped thread waits for nothing, so the event with which it would ask is free. */
	if (!(t->flags & TF_DAMAGED))
		event_post(&t->park_event, (u64)L4_EV_STOPPED << L4_EV_SHIFT | t->no, 1);
	/* The saved flag needs a current entry; otherwise this boot remembers, and the next finds out again. */
	if (thread_check_entry(t, &w))
		t->tte->flags |= TTE_STOPPED;
	t->flags |= TF_DAMAGED;
	ipc_partner_gone();
	ipc_release_senders(t);
	sched_unready(t);
	if (t == cpu->current)
		sched_block_current();
}

void thread_stop(struct thread *t, const char *reason)
{
	stop(t, reason, NULL);
}

void thread_stop_at(struct thread *t, const char *reason, vaddr_t va)
{
	stop(t, reason, &va);
}

static const char *check_one(const struct thread *t)
{
	u32 places = !!(t->flags & TF_READY) + !!t->send_to + !!(t->flags & TF_PARKED);

	if (places > 1)
		return "T2: a thread is in two queues";
	if (!(t->tte->flags & TTE_EXISTS))
		return places || t->flags & TF_WAITING ? "a deleted thread is queued" : NULL;
	if (t->send_to && t->tte->state != TS_SEND)
		return "T3: a queued sender is not sending";
	if (t->flags & TF_RESIDENT || t->current_in != epoch)
		return NULL;
	if (!t->tcb || !t->utcb || !page_current(t->tte) || !page_current(t->tcb) || !page_current(t->utcb))
		return "T1: a thread counts as current and is not";
	if (!t->space || !t->space->known)
		return "T1: a thread counts as current in an unknown space";
	return NULL;
}

const char *thread_check_all(void)
{
	u32 c, i;

	for (c = 0; c < L4_TABLE_PAGES; c++) {
		for (i = 0; thread_chunk[c] && i < L4_TABLE_PER_PAGE; i++) {
			const char *bad = check_one(&thread_chunk[c][i]);

			if (bad)
				return bad;
		}
	}
	return ticket_check();
}
