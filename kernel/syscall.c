/* SPDX-License-Identifier: BSD-2-Clause
 * The gate of all system calls but Ipc, and the small ones. The others: threadctl.c, exregs.c, framectl.c; Ipc is ipc.c.
 * Called by entry_syscall (x86/entry.asm); next is exit_kernel.
 */
#include "kernel/syscall.h"
#include "kernel/kernel.h"
#include "kernel/arch.h"
#include "kernel/fault.h"
#include "kernel/mapdb.h"
#include "kernel/sched.h"
#include "kernel/space.h"
#include "kernel/timeout.h"
#include "kernel/percpu.h"
#include <l4/framecontrol.h>
#include <l4/threadinfo.h>

extern const u16 stub_returns[];

static void sys_system_clock(struct thread *t, struct regs *f)
{
	(void)t;
	f->rax = clock_us();
}

/* Frequencies and voltages are not ours to set on this machine. */
static void sys_processor_control(struct thread *t, struct regs *f)
{
	syscall_fail(t, f, syscall_privileged(t) ? L4_ERR_INVALID_PARAM : L4_ERR_NO_PRIVILEGE);
}

/* Only the default attribute (0) exists. rdx control: number of fpages - 1; attributes rcx is lost by SYSCALL. */
static void sys_memory_control(struct thread *t, struct regs *f)
{
	syscall_fail(t, f, syscall_privileged(t) ? L4_ERR_INVALID_PARAM : L4_ERR_NO_PRIVILEGE);
	f->rdx = 0;
}

static void sys_bad(struct thread *t, struct regs *f)
{
	(void)f;
	fault_exception(t);
}

static void (*const calls[L4_SYS_COUNT])(struct thread *t, struct regs *f) = {
	[L4_SYS_SPACE_CONTROL]      = sys_space_control,
	[L4_SYS_THREAD_CONTROL]     = sys_thread_control,
	[L4_SYS_PROCESSOR_CONTROL]  = sys_processor_control,
	[L4_SYS_MEMORY_CONTROL]     = sys_memory_control,
	[L4_SYS_IPC]                = sys_bad,          /* its caller's return address is no user address */
	[L4_SYS_LIPC]               = sys_bad,
	[L4_SYS_UNMAP]              = sys_unmap,
	[L4_SYS_EXCHANGE_REGISTERS] = sys_exchange_registers,
	[L4_SYS_SYSTEM_CLOCK]       = sys_system_clock,
	[L4_SYS_THREAD_SWITCH]      = sys_thread_switch,
	[L4_SYS_SCHEDULE]           = sys_schedule,
	[L4_SYS_FRAME_CONTROL]      = sys_frame_control,
	[L4_SYS_THREAD_INFO]        = sys_thread_info,
};

void syscall_dispatch(struct regs *f)
{
	u64 offset = f->rip - L4_STUB_BASE, no = offset >> L4_STUB_BITS;
	struct thread *t = cpu->current;

	/* SYSCALL elsewhere than in the stubs is for the exception handler: another system's call, perhaps. */
	if (unlikely(no >= L4_SYS_COUNT || stub_returns[no] != offset)) {
		fault_exception(t);
		return;
	}
	calls[no](t, f);
	arch_sync_tlb();
}

void syscall_wait(struct thread *t, struct regs *f, const struct wants *w)
{
	u32 i;

	if (thread_is_ckptserver(t)) {
		syscall_fail(t, f, L4_ERR_OBJECTS_MISSING);
		t->utcb->br_reversed[32] = w->count;
		for (i = 0; i < w->count; i++)
			t->utcb->br_reversed[31 - i] = w->event[i];
		return;
	}
	f->rip -= 2;
	park(t, w);
}

void syscall_fail(struct thread *t, struct regs *f, u32 error)
{
	f->rax = 0;
	t->utcb->error_code = error;
}

bool syscall_privileged(const struct thread *t)
{
	return t->tte->space == L4_SIGMA0_SPACE || t->tte->space == L4_FIRST_SPACE;
}

bool syscall_refused(struct thread *t)
{
	bool refused = t->flags & TF_OUT_OF_MEMORY;

	t->flags &= ~(u32)TF_OUT_OF_MEMORY;
	return refused;
}

/* X.2 3.3. rdi: destination, nil: yield. */
void sys_thread_switch(struct thread *t, struct regs *f)
{
	struct thread *to = thread_by_id(f->rdi);

	(void)t;
	sched_yield();
	if (to && to->flags & TF_READY) {
		sched_unready(to);
		sched_switch(to, false);
	}
}

/* The status bits of an fpage (X.2 4.1) after Unmap: what was accessed. */
static bool unmap_fpage(struct thread *t, u64 fpage, bool flush, u64 *result)
{
	vaddr_t at = fpage_is_complete(fpage) ? 0 : fpage_base(fpage);
	u64 bits = fpage_is_complete(fpage) ? 47 : fpage_bits(fpage);
	struct mapdb_work work = { 0 };
	vaddr_t end;

	*result = fpage & ~7ul;
	if (bits < PAGE_SHIFT || bits > 47 || at + (1ul << bits) > USER_END)
		return true;
	end = at + (1ul << bits);
	if (t->tcb->progress > at)
		at = t->tcb->progress;
	work.node = t->unmap_node;
	work.serial = t->unmap_serial;
	t->unmap_node = t->unmap_serial = 0;
	at = ptab_next(&t->space->pt, at, end);
	while (at < end) {
		bool more;

		work.budget = 64;
		more = mapdb_unmap(&t->space->pt, at, fpage & 7, flush, &work) == MAPDB_MORE;
		if (!more) {
			work.node = work.serial = 0;
			at = ptab_next(&t->space->pt, at + PAGE_SIZE, end);
		}
		arch_preemption_window();
		if (cpu->resched && at < end) {
			t->tcb->progress = at;
			t->unmap_node = work.node;
			t->unmap_serial = work.serial;
			*result |= work.status;
			return false;
		}
	}
	t->tcb->progress = 0;
	*result |= work.status;
	return true;
}

/* X.2 4.2. rdx: f (bit 6), k (bits 0..5): MR0..MRk are fpages, in the UTCB; their status bits are the result. An interrupted
 * call is repeated and goes on where it was: its progress is in the TCB. */
void sys_unmap(struct thread *t, struct regs *f)
{
	u32 k = f->rdx & 0x3f, i;
	bool flush = f->rdx & 0x40;
	u64 status;

	for (i = (u32)t->tcb->unmap_index; i <= k; i++) {
		bool done = unmap_fpage(t, t->utcb->mr[i], flush, &status);

		t->tcb->unmap_status |= status & 7;
		if (!done) {
			t->tcb->unmap_index = i;
			f->rip -= 2;
			return;
		}
		t->utcb->mr[i] = (t->utcb->mr[i] & ~7ul) | t->tcb->unmap_status;
		t->tcb->unmap_status = 0;
	}
	t->tcb->unmap_index = 0;
	f->rax = t->tcb->utcb_mr;
}

/* The state as Schedule (X.2 3.5) reports it. An IPC that somebody has aborted is over. */
static u32 thread_x2_state(const struct thread *d)
{
	const struct tte *e = d->tte;

	if (!(e->flags & TTE_ACTIVE))
		return L4_TI_INACTIVE;
	if (e->state == TS_READY || e->pending)
		return L4_TI_RUNNING;
	return e->state == TS_SEND ? L4_TI_PENDING_SEND : L4_TI_WAITING;
}

/* X.2 3.5. rdi dest, rsi prio, rdx time control, r8 processor, r9 preemption. Result: rax state, rdx time left. */
void sys_schedule(struct thread *t, struct regs *f)
{
	struct thread *d = thread_by_id(f->rdi);
	struct wants w = { 0 };
	struct thread *scheduler;
	u16 slice, total;

	if (!d || d->flags & TF_DAMAGED || (d->flags & TF_RESIDENT && !thread_is_ckptserver(t))) {
		syscall_fail(t, f, L4_ERR_INVALID_THREAD);
		return;
	}
	if (!thread_check_tcb(d, &w)) {
		syscall_wait(t, f, &w);
		return;
	}
	scheduler = d->tcb ? thread_by_id(d->tcb->scheduler) : NULL;
	if (!d->tcb || !(scheduler && scheduler->tte->space == t->tte->space)) {
		syscall_fail(t, f, L4_ERR_NO_PRIVILEGE);
		return;
	}
	if ((f->rsi != ~0ul && f->rsi > t->tte->prio) || (f->r8 != ~0ul && f->r8 != 0)) {
		syscall_fail(t, f, L4_ERR_INVALID_PARAM);
		return;
	}
	slice = (u16)(f->rdx >> 16);
	total = (u16)f->rdx;
	if (slice != 0xffff)
		d->tcb->timeslice_us = slice ? timeout_at_period(slice) : 0;
	if (total != 0xffff)
		d->tcb->total_quantum_us = total ? timeout_at_period(total) : 0;
	if (f->rsi != ~0ul && d->tte->prio != (u8)f->rsi) {
		bool ready = d->flags & TF_READY;

		sched_unready(d);
		d->tte->prio = (u8)f->rsi;
		if (ready)
			sched_ready(d);
		cpu->resched = 1;
	}
	f->rdx = 0;
	f->rax = thread_x2_state(d);
}

/* State word of ThreadInfo. */
static u64 info_state(const struct thread *d)
{
	static const u32 kinds[IPC_KIND_COUNT] = {
		[IPC_PAGEFAULT] = L4_TI_PAGEFAULT, [IPC_EXCEPTION] = L4_TI_EXCEPTION, [IPC_START] = L4_TI_START,
		[IPC_PREEMPTION] = L4_TI_PREEMPTION,
	};
	const struct tte *e = d->tte;
	u64 v = thread_x2_state(d);

	if (e->state != TS_READY && (e->kind & IPC_KIND_MASK) < IPC_KIND_COUNT)
		v |= kinds[e->kind & IPC_KIND_MASK] | (e->kind & IPC_CALL_RESIDUAL ? L4_TI_CALL : 0u);
	if (e->flags & TTE_HALTED)
		v |= L4_TI_HALTED;
	if (d->flags & TF_PARKED)
		v |= L4_TI_OBJECT_WAIT;
	if (d->flags & TF_RESIDENT)
		v |= L4_TI_RESIDUAL;
	if (d->flags & TF_DAMAGED || e->flags & TTE_STOPPED)
		v |= L4_TI_DAMAGED;
	return v;
}

#define INFO_PIECE      256             /* numbers looked at before interrupts have their turn */

/* Extension (l4/threadinfo.h). rdi: number; finds the first existing thread at or above it. */
void sys_thread_info(struct thread *t, struct regs *f)
{
	u64 *mr = t->utcb->mr;
	struct wants w = { 0 };
	struct thread *d = NULL;
	u64 no, looked = 0;

	if (!syscall_privileged(t)) {
		syscall_fail(t, f, L4_ERR_NO_PRIVILEGE);
		return;
	}
	for (no = f->rdi; no < 1ul << L4_THREAD_BITS; no++) {
		if (unlikely(++looked > INFO_PIECE)) {
			f->rdi = no;            /* the call is made again from here; nothing is promised of rdi */
			f->rip -= 2;
			return;
		}
		d = thread_at((u32)no);
		if (!d)
			no |= L4_TABLE_PER_PAGE - 1;
		else if (d->tte->flags & TTE_EXISTS)
			break;
	}
	if (no >= 1ul << L4_THREAD_BITS) {
		syscall_fail(t, f, L4_ERR_INVALID_THREAD);
		return;
	}
	if (!d->tcb && !(d->flags & (TF_RESIDENT | TF_DAMAGED)) && !thread_is_ckptserver(t)) {
		want_object(&w, L4_EV_NEED, L4_OBJ(L4_OBJ_TCB, d->no));
		syscall_wait(t, f, &w);
		return;
	}
	memset(mr, 0, L4_TI_WORDS * sizeof *mr);
	mr[L4_TI_STATE] = info_state(d);
	mr[L4_TI_SPACE] = d->tte->space;
	mr[L4_TI_PRIORITY] = d->tte->prio;
	mr[L4_TI_PARTNER] = d->tte->state == TS_READY ? L4_NILTHREAD : d->tte->partner;
	mr[L4_TI_DEADLINE] = d->tte->deadline;
	if (d->tcb) {
		mr[L4_TI_CPU_TIME] = d->tcb->cpu_time_ns / 1000;
		mr[L4_TI_IP] = d->tcb->frame.rip;
		mr[L4_TI_SP] = d->tcb->frame.rsp;
		mr[L4_TI_UTCB] = d->tcb->utcb_mr;
	}
	if (d->utcb)
		mr[L4_TI_HANDLE] = d->utcb->user_defined_handle;
	f->rax = thread_id(d);
}
