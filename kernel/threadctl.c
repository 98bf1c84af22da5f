/* SPDX-License-Identifier: BSD-2-Clause
 * ThreadControl and SpaceControl (X.2 2.4, 4.4): creation, activation, change and deletion of threads and spaces.
 * Each call first collects what it will write (struct wants) and changes something only when nothing is missing.
 */
#include "kernel/syscall.h"
#include "kernel/kernel.h"
#include "kernel/arch.h"
#include "kernel/guard.h"
#include "kernel/ipc.h"
#include "kernel/irq.h"
#include "kernel/mapdb.h"
#include "kernel/memory.h"
#include "kernel/object.h"
#include "kernel/sched.h"
#include "kernel/space.h"
#include "kernel/ticket.h"
#include "kernel/percpu.h"
#include <l4/framecontrol.h>

#define UTCB_UNCHANGED  (~0ul)

struct thread_request {
	tid_t dest, space, scheduler, pager;
	u64 utcb;
	struct thread *d;               /* the thread with dest's number */
	struct space *s;
	bool new_space;
	u32 slot;
};

/* ---- deletion ------------------------------------------------------------------------------------- */

/* Also who was about to activate it, and asked for a fresh object: the discard takes back what that question brings, so if one is still
 * wanted it is asked for again, behind the discard. */
static void release_waiters(struct thread *d)
{
	u32 type;

	for (type = L4_OBJ_TCB; type <= L4_OBJ_UTCB; type++) {
		const void *page = type == L4_OBJ_TCB ? (void *)d->tcb : (void *)d->utcb;

		park_release((u64)L4_EV_NEED << L4_EV_SHIFT | L4_OBJ(type, d->no), 0, NULL, 0);
		park_release((u64)L4_EV_FRESH << L4_EV_SHIFT | L4_OBJ(type, d->no), 0, NULL, 0);
		if (!page)
			continue;
		park_release((u64)L4_EV_STALE << L4_EV_SHIFT | virt_to_phys(page) >> PAGE_SHIFT, 0, NULL, 0);
		ticket_forget(virt_to_phys(page) >> PAGE_SHIFT);
	}
}

/* The objects of a thread that is gone (or was never made) are no longer referred to. */
static void discard_objects(struct thread *d)
{
	struct mapdb_work work = MAPDB_WORK(MAPDB_UNLIMITED);

	if (d->utcb)
		mapdb_unmap_frame(virt_to_phys(d->utcb) >> PAGE_SHIFT, L4_RIGHT_R, &work);
	if (cpu->fpu_owner == d)
		cpu->fpu_owner = NULL;
	release_waiters(d);
	d->current_in = 0;
	if (d->flags & TF_RESIDENT)
		return;
	guard_release(d->tcb);
	guard_release(d->utcb);
	d->tcb = NULL;
	d->utcb = NULL;
	if (!d->discard_event.queued)
		event_post(&d->discard_event, (u64)L4_EV_DISCARD << L4_EV_SHIFT | L4_OBJ(L4_OBJ_TCB, d->no), 2);
}

/* Take d out of its space's record. What was loaded need not agree with the thread table. */
static void leave_space(struct thread *d, struct space *s)
{
	struct space_record *r = s->record;
	const struct tte *e = d->tte;

	if (e->flags & TTE_PLACED && r->slot[e->slot] == d->no)
		r->slot[e->slot] = 0;
	if (e->flags & TTE_ACTIVE && r->active_threads)
		r->active_threads--;
	if (r->threads && !--r->threads && !s->dying)
		space_die(s);
}

static void delete_thread(struct thread *t, struct regs *f, struct thread *d)
{
	bool valid = d->flags & TF_RESIDENT || !object_validate_entry(d->tte);
	struct space *s = valid ? space_get(d->tte->space) : NULL;
	struct wants w = { 0 };

	if (!s && valid) {
		syscall_fail(t, f, L4_ERR_NO_MEM);
		return;
	}
	if (s && s->damaged)
		s = NULL;
	thread_check_entry(d, &w);
	if (s)
		space_check_record(s, &w);
	if (w.count) {
		syscall_wait(t, f, &w);
		return;
	}
	f->rax = 1;
	ipc_dequeue(d);
	unpark(d);
	event_cancel(&d->park_event);   /* that it was stopped: it is no more */
	thread_unpin(d);
	ticket_leave(d);
	sched_unready(d);
	irq_forget(d);
	if (s)
		leave_space(d, s);
	d->tte->flags = 0;
	d->tte->state = TS_READY;
	d->tte->kind = IPC_NORMAL;
	d->tte->pending = PEND_NONE;
	ipc_release_senders(d);
	ipc_partner_gone();
	d->flags &= TF_RESIDENT;
	d->space = NULL;
	discard_objects(d);
	if (d == t)
		sched_block_current();
}

/* ---- creation and change ---------------------------------------------------------------------------- */

static void *resident_page(void)
{
	paddr_t page = kernel_page_alloc();

	return page ? phys_to_virt(page) : NULL;
}

/* A residual thread's objects are the kernel's own, made at first use and kept. */
static bool make_resident(struct thread *d, struct space *s)
{
	if (!d->tcb)
		d->tcb = resident_page();
	if (!d->utcb)
		d->utcb = resident_page();
	if (s && !s->record) {
		struct space_record *r = resident_page();

		if (r)
			space_init_record(s, r);
	}
	return d->tcb && d->utcb && (!s || s->record);
}

static u32 residual_space_number(void)
{
	u32 no;

	for (no = L4_SIGMA0_SPACE + 1; no < L4_FIRST_SPACE; no++)
		if (!space_at(no) || !space_at(no)->in_use)
			return no;
	return 0;
}

/* Which space is meant? 0 or an X.2 error. */
static u32 find_space(struct thread_request *q, struct wants *w)
{
	struct thread *owner;
	bool residual = q->d->flags & TF_RESIDENT;
	u32 no;

	if (q->space == q->dest && !(q->d->tte->flags & TTE_EXISTS)) {
		no = residual ? residual_space_number() : space_free_number();
		q->s = no ? space_get(no) : NULL;
		if (!q->s)
			return L4_ERR_NO_MEM;
		q->new_space = true;
		if (!residual && !q->s->record)
			want_object(w, L4_EV_FRESH, L4_OBJ(L4_OBJ_SPACE, no));
		else if (!residual)
			space_check_record(q->s, w);
		return 0;
	}
	owner = q->space == q->dest ? q->d : thread_by_id(q->space);
	if (!owner || !(owner->tte->flags & TTE_EXISTS))
		return L4_ERR_INVALID_SPACE;
	if (q->d->tte->flags & TTE_EXISTS && q->d->tte->space != owner->tte->space)
		return L4_ERR_INVALID_SPACE;            /* a thread does not migrate to another space */
	q->s = space_get(owner->tte->space);
	if (!q->s)
		return L4_ERR_NO_MEM;
	if (q->s->residual != residual || q->s->dying || q->s->damaged)
		return L4_ERR_INVALID_SPACE;
	space_check_record(q->s, w);
	return 0;
}

/* UTCB location -> slot; none given yet: the first free one. 0 or an X.2 error. Only when the record is here. */
static u32 find_slot(struct thread_request *q)
{
	u64 offset = q->utcb - q->s->utcb_base;

	if (q->d->tte->flags & TTE_PLACED && q->utcb == UTCB_UNCHANGED)
		offset = (u64)q->d->tte->slot << PAGE_SHIFT;
	else if (q->utcb == UTCB_UNCHANGED)
		for (offset = 0; offset < q->s->utcb_size && q->s->record->slot[offset >> PAGE_SHIFT]; offset += PAGE_SIZE)
			if (offset >> PAGE_SHIFT == SPACE_SLOTS - 1)
				return L4_ERR_UTCB_AREA;
	if (offset >= q->s->utcb_size || offset & PAGE_MASK || offset >> PAGE_SHIFT >= SPACE_SLOTS)
		return L4_ERR_UTCB_AREA;
	q->slot = (u32)(offset >> PAGE_SHIFT);
	if (q->s->record->slot[q->slot] && q->s->record->slot[q->slot] != q->d->no)
		return L4_ERR_UTCB_AREA;                /* somebody else's */
	return 0;
}

/* Does the call say (or imply) where the UTCB is to be? */
static bool places(const struct thread_request *q)
{
	return !(q->d->tte->flags & TTE_ACTIVE) && (q->pager != L4_NILTHREAD || (q->utcb != UTCB_UNCHANGED && !q->new_space));
}

static bool activates(const struct thread_request *q)
{
	return q->pager != L4_NILTHREAD && !(q->d->tte->flags & TTE_ACTIVE);
}

static void want_thread_objects(struct thread_request *q, struct wants *w)
{
	struct thread *d = q->d;
	bool exists = d->tte->flags & TTE_EXISTS, active = d->tte->flags & TTE_ACTIVE;

	thread_check_entry(d, w);
	if (d->flags & TF_RESIDENT)
		return;
	if (!d->tcb)
		want_object(w, exists ? L4_EV_NEED : L4_EV_FRESH, L4_OBJ(L4_OBJ_TCB, d->no));
	else if (!frame_is_current(virt_to_phys(d->tcb) >> PAGE_SHIFT))
		want_frame(w, d->tcb);
	if (!active && !activates(q))
		return;
	if (!d->utcb)
		want_object(w, active ? L4_EV_NEED : L4_EV_FRESH, L4_OBJ(L4_OBJ_UTCB, d->no));
	else if (!frame_is_current(virt_to_phys(d->utcb) >> PAGE_SHIFT))
		want_frame(w, d->utcb);
}

static void place(struct thread_request *q)
{
	struct tte *e = q->d->tte;

	if (e->flags & TTE_PLACED && q->s->record->slot[e->slot] == q->d->no)
		q->s->record->slot[e->slot] = 0;
	e->slot = (u16)q->slot;
	e->flags |= TTE_PLACED;
	q->s->record->slot[q->slot] = q->d->no;
}

static void activate(struct thread_request *q)
{
	struct thread *d = q->d;
	struct space *s = q->s;
	struct utcb *u = d->utcb;

	memset(u, 0, sizeof *u);
	d->tte->flags |= TTE_ACTIVE;
	s->record->active_threads++;
	d->tcb->utcb_mr = s->utcb_base + ((u64)q->slot << PAGE_SHIFT) + 512;
	u->self = d->tcb->utcb_mr;
	u->my_global_id = q->dest;
	u->pager = q->pager;
	u->reserved2[4] = ~0ul;                         /* word size mask */
	ipc_wait_start(d, q->pager);
}

static void create(struct thread_request *q)
{
	struct thread *d = q->d;
	struct space *s = q->s;

	if (q->new_space) {
		space_init_record(s, s->record);
		space_mark_used(s->no);
	}
	s->record->threads++;
	*d->tte = (struct tte){ .flags = TTE_EXISTS, .prio = 100, .space = (u16)s->no, .deadline = DEADLINE_NEVER };
	d->flags &= TF_RESIDENT;
	d->space = s;
	tcb_init(d->tcb, d->no, q->dest);
	d->tcb->scheduler = q->scheduler;
}

/* An existing thread: new version, scheduler, pager. */
static void change(struct thread_request *q)
{
	struct thread *d = q->d;

	if (d->tte->version != tid_version(q->dest)) {
		ipc_release_senders(d);
		ipc_partner_gone();
		d->tcb->myself = q->dest;
		if (d->tte->flags & TTE_ACTIVE)
			d->utcb->my_global_id = q->dest;
	}
	if (q->scheduler != L4_NILTHREAD)
		d->tcb->scheduler = q->scheduler;
	if (q->pager != L4_NILTHREAD && d->tte->flags & TTE_ACTIVE)
		d->utcb->pager = q->pager;
}

static void control_thread(struct thread *t, struct regs *f, struct thread_request *q)
{
	struct wants w = { 0 };
	u32 error = find_space(q, &w);
	bool placed;

	if (!error && q->scheduler != L4_NILTHREAD && q->scheduler != q->dest && !thread_by_id(q->scheduler))
		error = L4_ERR_INVALID_SCHEDULER;
	if (!error && q->scheduler == L4_NILTHREAD && !(q->d->tte->flags & TTE_EXISTS))
		error = L4_ERR_INVALID_SCHEDULER;
	if (!error && q->d->flags & TF_RESIDENT && !make_resident(q->d, q->s))
		error = L4_ERR_NO_MEM;
	if (!error && activates(q) && q->new_space)
		error = L4_ERR_UTCB_AREA;               /* SpaceControl must have set the area first */
	else if (!error && places(q) && q->s->record)
		error = find_slot(q);
	if (!error)
		want_thread_objects(q, &w);
	if (error) {
		syscall_fail(t, f, error);
		return;
	}
	if (w.count) {
		syscall_wait(t, f, &w);
		return;
	}
	placed = places(q);
	if (q->d->tte->flags & TTE_EXISTS)
		change(q);
	else
		create(q);
	q->d->tte->version = tid_version(q->dest);
	if (placed)
		place(q);
	if (activates(q))
		activate(q);
	f->rax = 1;
}

static void control_interrupt(struct thread *t, struct regs *f, u32 irq, tid_t handler)
{
	struct thread *h = handler == f->rdi ? NULL : thread_by_id(handler);

	if (irq >= IRQ_COUNT || (!h && handler != f->rdi) || (h && !(h->flags & TF_RESIDENT))) {
		syscall_fail(t, f, L4_ERR_INVALID_THREAD);
		return;
	}
	irq_attach(irq, h);
	f->rax = 1;
}

/* X.2 2.4. rdi dest, rsi pager, rdx scheduler, r8 space specifier, r9 UTCB location. Result rax. */
void sys_thread_control(struct thread *t, struct regs *f)
{
	struct thread_request q = { f->rdi, f->r8, f->rdx, f->rsi, f->r9, NULL, NULL, false, 0 };
	struct wants w = { 0 };
	u32 no = tid_number(q.dest);

	if (!syscall_privileged(t)) {
		syscall_fail(t, f, L4_ERR_NO_PRIVILEGE);
		return;
	}
	if (syscall_refused(t)) {
		syscall_fail(t, f, L4_ERR_NO_MEM);
		return;
	}
	if (no >= 1u << L4_THREAD_BITS || !(q.dest & 0x3f)) {
		syscall_fail(t, f, L4_ERR_INVALID_THREAD);
		return;
	}
	if (no < L4_ROOT_TNO && !thread_is_ckptserver(t)) {
		syscall_fail(t, f, L4_ERR_NO_PRIVILEGE);
		return;
	}
	if (no < L4_SYSTEM_BASE) {
		control_interrupt(t, f, no, q.pager);
		return;
	}
	q.d = thread_at(no);
	if (q.space == L4_NILTHREAD) {
		if (!q.d || q.d != thread_by_id(q.dest) || (no < L4_ROOT_TNO && no >= L4_USER_BASE))
			syscall_fail(t, f, L4_ERR_INVALID_THREAD);
		else
			delete_thread(t, f, q.d);
		return;
	}
	if (!q.d) {
		want_object(&w, L4_EV_FRESH, L4_OBJ(L4_OBJ_TABLE, no / L4_TABLE_PER_PAGE));
		syscall_wait(t, f, &w);
		return;
	}
	if (no == L4_KERNEL_TNO || (q.d->tte->flags & TTE_EXISTS && q.d->flags & TF_DAMAGED)) {
		syscall_fail(t, f, L4_ERR_INVALID_THREAD);
		return;
	}
	control_thread(t, f, &q);
}

/* ---- SpaceControl ------------------------------------------------------------------------------------- */

static u32 check_areas(u64 kip, u64 utcb)
{
	u64 kip_at = fpage_base(kip), utcb_at = fpage_base(utcb);
	u64 kip_bits = fpage_bits(kip), utcb_bits = fpage_bits(utcb);

	if (utcb_bits < L4_UTCB_BITS || utcb_bits > 46 || utcb_at != (utcb & ~0x3fful) || utcb_at + (1ul << utcb_bits) > USER_END)
		return L4_ERR_UTCB_AREA;
	if (kip_bits < PAGE_SHIFT || kip_bits > 46 || kip_at != (kip & ~0x3fful) || kip_at + (1ul << kip_bits) > USER_END)
		return L4_ERR_KIP_AREA;
	if (kip_at < utcb_at + (1ul << utcb_bits) && utcb_at < kip_at + (1ul << kip_bits))
		return L4_ERR_KIP_AREA;
	return 0;
}

/* A thread's UTCB has its place relative to the area's base, from the call that gave it on, whether the thread is active or not. */
static bool moves_utcb(const struct space *s, u64 utcb)
{
	u64 slots = 1ul << (fpage_bits(utcb) - PAGE_SHIFT);
	u32 i;

	for (i = 0; i < SPACE_SLOTS; i++)
		if (s->record->slot[i] && (i >= slots || fpage_base(utcb) != s->utcb_base))
			return true;
	return false;
}

/* X.2 4.4. rdi space specifier, rsi control, rdx KIP area, r8 UTCB area, r9 redirector. Result rax, old control in rdx. */
void sys_space_control(struct thread *t, struct regs *f)
{
	struct thread *d = thread_by_id(f->rdi);
	struct wants w = { 0 };
	struct space *s;
	u32 error;

	if (!syscall_privileged(t)) {
		syscall_fail(t, f, L4_ERR_NO_PRIVILEGE);
		return;
	}
	s = d ? space_get(d->tte->space) : NULL;
	if (!s || (s->residual && !thread_is_ckptserver(t)) || s->damaged) {
		syscall_fail(t, f, L4_ERR_INVALID_SPACE);
		return;
	}
	if (!space_check_record(s, &w)) {
		syscall_wait(t, f, &w);
		return;
	}
	if (!s->record->active_threads) {
		error = check_areas(f->rdx, f->r8);
		if (!error && moves_utcb(s, f->r8))
			error = L4_ERR_UTCB_AREA;
		if (error) {
			syscall_fail(t, f, error);
			return;
		}
		space_set_areas(s, f->rdx & ~0xful, f->r8 & ~0xful);
	}
	if (f->r9 != L4_NILTHREAD)
		s->record->redirector = f->r9;
	f->rdx = s->record->control;
	f->rax = 1;
}
