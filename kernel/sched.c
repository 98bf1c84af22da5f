/* SPDX-License-Identifier: BSD-2-Clause
 * Scheduling; see sched.h. After a trap or system call, exit_kernel calls schedule() if percpu.resched is set.
 *
 * dispatch(t), outcomes:
 *   runs            objects present and current, state TS_READY: t becomes the current thread
 *   parked          an object is missing: ckptserver is asked, t comes back when it answered
 *   stepped         t owed a step of an IPC phase (ipc_step), and is now blocked, parked or ready
 *   dropped         halted, stopped or damaged: it waits for somebody to change that
 */
#include "kernel/sched.h"
#include "kernel/thread.h"
#include "kernel/space.h"
#include "kernel/kernel.h"
#include "kernel/arch.h"
#include "kernel/ipc.h"
#include "kernel/chaos.h"
#include "kernel/fault.h"
#include "kernel/ticket.h"
#include "kernel/arch_switch.h"
#include <l4/abi.h>

#define WATCHDOG_SLICES 1000u                   /* of 10 ms */
#define PRIOS           (PRIO_TOP + 1)
#define WAKE_PIECE      64              /* deadlines served at a time */
#define URGENT_US       50              /* the ticket's holder, answered, runs so long before more urgent threads */

static struct thread *queue[PRIOS];             /* circular, head first */
static u64 occupied[(PRIOS + 63) / 64];
static bool running;                            /* the current thread can go on */
static bool timer_fired;
static bool first_announced;                    /* a persistent thread has run in this boot */
static u64 idle_tsc;                            /* ticks spent waiting for interrupts */
u64 boot_entry_tsc;
static u32 sigma0_slices;                       /* time slices since ckptserver's fault thread last blocked */
int sched_ready_top = -1;

u32 sched_prio(const struct thread *t)
{
	return t == sigma0_thread ? PRIO_TOP : t->tte->prio;
}

static int top_prio(void)
{
	int i;

	for (i = ARRAY_SIZE(occupied) - 1; i >= 0; i--)
		if (occupied[i])
			return i * 64 + 63 - __builtin_clzl(occupied[i]);
	return -1;
}

static void insert(struct thread *t, bool at_head)
{
	u32 prio = sched_prio(t);
	struct thread *head = queue[prio];

	t->flags |= TF_READY;
	if (!head) {
		t->ready_next = t->ready_prev = t;
		queue[prio] = t;
		occupied[prio / 64] |= 1ul << prio % 64;
		if ((int)prio > sched_ready_top)
			sched_ready_top = (int)prio;
		return;
	}
	t->ready_next = head;
	t->ready_prev = head->ready_prev;
	head->ready_prev->ready_next = t;
	head->ready_prev = t;
	if (at_head)
		queue[prio] = t;
}

void sched_unready(struct thread *t)
{
	u32 prio;

	if (!(t->flags & TF_READY))
		return;
	prio = sched_prio(t);
	t->flags &= ~(u32)TF_READY;
	if (t->ready_next == t) {
		queue[prio] = NULL;
		occupied[prio / 64] &= ~(1ul << prio % 64);
		if ((int)prio == sched_ready_top)
			sched_ready_top = top_prio();
		return;
	}
	t->ready_prev->ready_next = t->ready_next;
	t->ready_next->ready_prev = t->ready_prev;
	if (queue[prio] == t)
		queue[prio] = t->ready_next;
}

static void preempt_for(const struct thread *t)
{
	if (!running || sched_prio(t) > sched_prio(cpu->current))
		cpu->resched = 1;
}

void sched_ready(struct thread *t)
{
	if (t->flags & (TF_READY | TF_PARKED) || (t == cpu->current && running))
		return;
	insert(t, false);
	preempt_for(t);
}

void sched_switch(struct thread *t, bool keep)
{
	if (!(t->flags & (TF_READY | TF_PARKED)))
		insert(t, true);
	if (!keep)
		cpu->resched = 1;
	else
		preempt_for(t);
}

void sched_block_current(void)
{
	running = false;
	cpu->resched = 1;
}

static void leave_current(bool to_tail)
{
	struct thread *t = cpu->current;
	u64 now;

	if (!t)
		return;
	now = rdtsc();
	sched_account(t, now);
	t->quantum_left = cpu->quantum_end > now && cpu->quantum_end != ~0ul ? cpu->quantum_end - now : 0;
	cpu->current = NULL;
	if (running && !(t->flags & (TF_READY | TF_PARKED)))
		insert(t, !to_tail);
	running = false;
}

void sched_yield(void)
{
	cpu->current->quantum_left = 0;
	cpu->quantum_end = 0;
	leave_current(true);
	cpu->resched = 1;
}

void sched_timer(void)
{
	timer_fired = true;
	cpu->resched = 1;
}

/* When the earliest deadline passes, in TSC ticks. */
static u64 next_wakeup_tsc(void)
{
	static u64 known = DEADLINE_NEVER, at = ~0ul;
	u64 next = wakeup_next(), now_us;

	if (next == known)
		return at;
	known = next;
	now_us = clock_us();
	at = next == DEADLINE_NEVER ? ~0ul : rdtsc() + (next > now_us ? tsc_from_us(next - now_us) : 0);
	return at;
}

void sched_set_timer(void)
{
	u64 at = next_wakeup_tsc();

	if (cpu->current && cpu->quantum_end < at)
		at = cpu->quantum_end;
	timer_set(at);
}

static void wake_expired(void)
{
	u64 now = clock_us();
	struct thread *t;
	u32 n = WAKE_PIECE;

	/* What is left makes the timer fire again at once. */
	while (n-- && (t = wakeup_expired(now)))
		ipc_timed_out(t);
}

static void start_quantum(struct thread *t)
{
	u64 slice = t->tcb->timeslice_us;

	cpu->switched_in = rdtsc();
	if (!t->quantum_left)
		t->quantum_left = slice ? tsc_from_us(slice) : ~0ul;
	cpu->quantum_end = t->quantum_left == ~0ul ? ~0ul : cpu->switched_in + t->quantum_left;
}

static bool can_run(const struct thread *t)
{
	return t->tte->state == TS_READY && !(t->tte->flags & (TTE_HALTED | TTE_STOPPED)) &&
		!(t->flags & (TF_PARKED | TF_DAMAGED | TF_READY | TF_PAGE_DAMAGED));
}

/* How long the machine took to get here, for who measures recovery. */
static void announce_first(void)
{
	u64 now = rdtsc();

	first_announced = true;
	printk("[boot] first_thread tsc=%lu idle_tsc=%lu\n", now - boot_entry_tsc, idle_tsc);
}

/* t's step, which it owes. */
static void step(struct thread *t)
{
	ipc_step(t);
	if (unlikely(t->flags & TF_PAGE_DAMAGED))
		sched_ready(t);
}

/* The same for a thread in the queue for the ticket: what it waited for has served its purpose if the phase is over. */
static rare void step_waiting(struct thread *t)
{
	bool fault = (t->tte->kind & IPC_KIND_MASK) != IPC_NORMAL;

	step(t);
	if (!(t->flags & TF_PARKED) && !fault && !(t->tte->kind & IPC_NESTED) &&
	    !(t->tte->state == TS_SEND && t->flags & TF_READY))
		ticket_leave(t);
}

/* t's space has no page table, and may have none yet if r > 0: t tries again, after interrupts and whoever they make ready. */
static rare void not_prepared(struct thread *t, int r)
{
	if (r < 0) {
		thread_stop(t, "no kernel memory for a page table");
		return;
	}
	sched_switch(t, true);
	arch_preemption_window();
}

static bool dispatch(struct thread *t)
{
	struct wants w = { 0 };
	int r;

	sched_unready(t);
	thread_unpin(t);
	if (unlikely(t->flags & TF_WAITING))
		ticket_try(t);
	if (t->flags & TF_DAMAGED || t->tte->flags & TTE_STOPPED || !(t->tte->flags & TTE_EXISTS))
		return false;
	if (t->tte->state == TS_READY && t->tte->flags & TTE_HALTED && !t->tte->pending)
		return false;
	if (!thread_check(t, &w)) {
		if (w.count)
			park(t, &w);
		else
			thread_stop(t, "its address space is damaged or finds no kernel memory");
		return false;
	}
	if (t == sigma0_thread && t->tte->state != TS_READY)
		sigma0_slices = 0;
	if (unlikely(t->flags & TF_PAGE_DAMAGED)) {
		fault_damaged(t);
		return false;
	}
	if (unlikely(t->tte->state != TS_READY || t->tte->pending || t->flags & (TF_RESTART | TF_CANCEL))) {
		if (unlikely(t->flags & TF_WAITING))
			step_waiting(t);
		else
			step(t);
	}
	if (!can_run(t))
		return false;
	r = ptab_prepare(&t->space->pt);
	if (unlikely(r)) {
		not_prepared(t, r);
		return false;
	}
	if (unlikely(!first_announced) && !(t->flags & TF_RESIDENT))
		announce_first();
	cpu->current = t;
	running = true;
	arch_switch_to(t, false);
	start_quantum(t);
	return true;
}

static void idle(void)
{
	arch_leave_space();
	if (space_reap() || ipc_sweep()) {
		arch_preemption_window();
		return;
	}
	sched_set_timer();
	if (!cpu->resched) {
		u64 begin = rdtsc();

		arch_idle();
		idle_tsc += rdtsc() - begin;
	}
}

bool sched_handoff(struct thread *t)
{
	if (unlikely(t == sigma0_thread))
		sigma0_slices = 0;
	if (running || !cpu->current || timer_fired || chaos_state || (int)sched_prio(t) < sched_ready_top)
		return false;
	if (t->current_in != epoch || t->tte->pending || t->flags & (TF_READY | TF_RESTART | TF_CANCEL | TF_WAITING | TF_PAGE_DAMAGED) ||
	    !can_run(t) ||
	    ptab_prepare(&t->space->pt))
		return false;
	sched_account(cpu->current, rdtsc());
	cpu->current = t;
	cpu->resched = 0;
	running = true;
	arch_switch_to(t, false);
	return true;
}

/* ckptserver's fault thread blocks after a few thousand instructions. A hang of it stops the world: reboot. */
static void watchdog(const struct thread *t)
{
	if (t == sigma0_thread && ++sigma0_slices > WATCHDOG_SLICES)
		residual_crash("ckptserver: hangs at ip 0x%lx", t->tcb->frame.rip);
}

/* Should the current thread make way? */
static bool current_continues(void)
{
	if (!cpu->current || !running)
		return false;
	if (rdtsc() >= cpu->quantum_end) {
		cpu->current->quantum_left = 0;
		watchdog(cpu->current);
		ticket_leave(cpu->current);
		leave_current(true);
		return false;
	}
	if (sched_ready_top > (int)sched_prio(cpu->current)) {
		leave_current(false);
		return false;
	}
	return true;
}

/* The ticket's holder tries again, whatever its priority: the next snapshot waits for that, and others wait for the ticket. */
static rare struct thread *take_urgent(void)
{
	struct thread *t = ticket_urgent;

	ticket_urgent = NULL;
	return t->flags & TF_READY ? t : NULL;
}

/* Who was preferred runs long enough for one instruction. */
static rare void shorten_quantum(void)
{
	u64 end = cpu->switched_in + tsc_from_us(URGENT_US);

	if ((int)sched_prio(cpu->current) < sched_ready_top && cpu->quantum_end > end)
		cpu->quantum_end = end;
}

/* Than the current thread, which is in the kernel for somebody else's sake. */
static rare bool more_urgent(void)
{
	return sched_ready_top > (cpu->current && running ? (int)sched_prio(cpu->current) : -1);
}

void schedule(void)
{
	struct thread *t, *urgent = NULL;

	for (;;) {

		cpu->resched = 0;
		if (timer_fired) {
			timer_fired = false;
			wake_expired();
			ipc_sweep();
		}
		chaos_step();
		if (unlikely(ipc_orphans != NULL)) {
			ipc_release_piece();
			arch_preemption_window();
			if (ipc_orphans && !more_urgent())
				continue;
		}
		if (current_continues())
			break;
		leave_current(false);
		if (unlikely(ticket_urgent != NULL))
			urgent = take_urgent();
		if (sched_ready_top < 0) {
			idle();
			continue;
		}
		space_reap();
		t = urgent ? urgent : queue[sched_ready_top];
		if (dispatch(t))
			break;
		urgent = NULL;
	}
	if (unlikely(urgent != NULL))
		shorten_quantum();
	cpu->resched = chaos_state != 0 || unlikely(ipc_orphans != NULL);
	arch_sync_tlb();
	sched_set_timer();
}
