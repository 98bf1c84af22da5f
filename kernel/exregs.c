/* SPDX-License-Identifier: BSD-2-Clause
 * ExchangeRegisters (X.2 2.3). An aborted IPC is only noted in the thread-table entry (PEND_*); the thread itself ends it at
 * its next dispatch (ipc_step in ipc.c), as it does when its deadline has passed.
 */
#include "kernel/syscall.h"
#include "kernel/ipc.h"
#include "kernel/kernel.h"
#include "kernel/sched.h"
#include "kernel/space.h"
#include "kernel/percpu.h"
#include <l4/abi.h>

static u64 abort_and_halt(struct thread *t, struct thread *d, u64 control)
{
	struct tte *e = d->tte;
	u64 was = e->flags & TTE_HALTED ? L4_EXREGS_HALT : 0;
	bool sending = e->state == TS_SEND, receiving = e->state == TS_RECV || e->state == TS_RECV_PENDING;

	if (sending)
		was |= L4_EXREGS_SEND;
	if (receiving)
		was |= L4_EXREGS_RECV;
	if ((sending && control & L4_EXREGS_SEND) || (receiving && control & L4_EXREGS_RECV)) {
		/* Decided now, applied at d's next dispatch. */
		ipc_dequeue(d);
		unpark(d);
		e->pending = sending ? PEND_ABORT_SEND : PEND_ABORT_RECV;
		sched_ready(d);
	}
	if (control & L4_EXREGS_HALTFLAG) {
		if (control & L4_EXREGS_HALT)
			e->flags |= TTE_HALTED;
		else
			e->flags &= (u8)~TTE_HALTED;
	}
	if (d == t && e->flags & TTE_HALTED)
		sched_block_current();
	else if (d != t && e->state == TS_READY && was & L4_EXREGS_HALT)
		sched_ready(d);
	return was;
}

/* A long call that was under way is given up, and so is what it waited for, or was refused. */
static void give_up_call(struct thread *d)
{
	d->tcb->progress = 0;
	d->tcb->unmap_index = d->tcb->unmap_status = 0;
	d->flags &= ~(u32)TF_OUT_OF_MEMORY;
	if (d->flags & TF_PARKED && d->tte->state == TS_READY) {
		unpark(d);
		sched_ready(d);
	}
}

static void set_registers(struct thread *d, const struct regs *f, u64 control)
{
	struct regs *r = &d->tcb->frame;

	if (control & L4_EXREGS_SP && f->rdx < USER_END)
		r->rsp = f->rdx;
	if (control & L4_EXREGS_IP && f->r8 < USER_END) {
		r->rip = f->r8;
		give_up_call(d);
	}
	if (control & L4_EXREGS_FLAGS)
		r->rflags = (f->r9 & RFLAGS_USER_BITS) | RFLAGS_ALWAYS;
	if (control & L4_EXREGS_UHANDLE)
		d->utcb->user_defined_handle = f->r10;
	if (control & L4_EXREGS_PAGER)
		d->utcb->pager = f->rdi;
}

/* rax dest (rbx: as the user gave it), rsi control, rdx sp, r8 ip, r9 flags, r10 handle, rdi pager: in and out. */
void sys_exchange_registers(struct thread *t, struct regs *f)
{
	struct thread *d = thread_by_id(f->rax);
	bool given_local = f->rbx != f->rax;
	u64 control = f->rsi;
	struct wants w = { 0 };
	struct regs old;

	if (!d || !(d->tte->flags & TTE_ACTIVE) || d->flags & TF_DAMAGED || t->tte->space != d->tte->space) {
		syscall_fail(t, f, L4_ERR_INVALID_THREAD);
		return;
	}
	if (!thread_check(d, &w)) {
		if (w.count)
			syscall_wait(t, f, &w);
		else
			syscall_fail(t, f, L4_ERR_INVALID_THREAD);
		return;
	}
	old = d->tcb->frame;
	f->rax = given_local ? thread_id(d) : d->tcb->utcb_mr;
	old.rdi = d->utcb->pager;
	old.r10 = d->utcb->user_defined_handle;
	set_registers(d, f, control);
	f->rsi = abort_and_halt(t, d, control);
	f->rdx = old.rsp;
	f->r8 = old.rip;
	f->r9 = old.rflags;
	f->r10 = old.r10;
	f->rdi = old.rdi;
}
