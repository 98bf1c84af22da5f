/* SPDX-License-Identifier: BSD-2-Clause
 * See activate.h. TCBs are not touched: they are loaded when their threads are dispatched.
 *
 *   ready, or with a pending end of IPC     -> ready queue
 *   sending to a persistent thread          -> its send queue, or ready if it can be taken at once or is gone
 *   sending to a residual thread            -> ready: it sends again
 *   receive-pending                         -> ready: it searches
 *   receiving                               -> waits; a finite deadline enters the wakeup queue
 *   receiving from a residual thread        -> a call is restarted whole, a page fault is sent again, a pure
 *                                              receive is cancelled: that partner does not remember
 */
#include "kernel/activate.h"
#include "kernel/thread.h"
#include "kernel/ipc.h"
#include "kernel/sched.h"
#include "kernel/space.h"
#include <l4/framecontrol.h>

static bool partner_residual(const struct tte *e)
{
	return e->partner != L4_ANYTHREAD && e->partner != L4_ANYLOCALTHREAD && tid_number(e->partner) < L4_ROOT_TNO;
}

static void resume_receiver(struct thread *t)
{
	struct tte *e = t->tte;

	if (!partner_residual(e)) {
		if (e->state == TS_RECV_PENDING)
			sched_ready(t);
		else
			wakeup_set(t, e->deadline);
		return;
	}
	if (e->kind & IPC_CALL_RESIDUAL || (e->kind & IPC_KIND_MASK) == IPC_PAGEFAULT ||
	    (e->kind & IPC_KIND_MASK) == IPC_EXCEPTION)
		t->flags |= TF_RESTART;
	else if ((e->kind & IPC_KIND_MASK) != IPC_START)
		t->flags |= TF_CANCEL;
	sched_ready(t);
}

static void resume_sender(struct thread *t)
{
	struct thread *dest = thread_by_id(t->tte->partner);

	if (!dest || dest->flags & (TF_RESIDENT | TF_DAMAGED) ||
	    (dest->tte->flags & (TTE_ACTIVE | TTE_STOPPED)) != TTE_ACTIVE || ipc_accepts(dest, t)) {
		sched_ready(t);
		return;
	}
	ipc_enqueue(t, dest);
	wakeup_set(t, t->tte->deadline);
}

static void resume(struct thread *t)
{
	struct tte *e = t->tte;

	if (t->flags & TF_DAMAGED || e->flags & TTE_STOPPED || !(e->flags & TTE_ACTIVE))
		return;
	if (e->state == TS_READY || e->pending)
		sched_ready(t);
	else if (e->state == TS_SEND)
		resume_sender(t);
	else
		resume_receiver(t);
}

/* All of them, before the first thread: one that lacked its space would be stopped for good. What an invalid entry says does
 * not matter. */
static int make_spaces(void)
{
	u32 c, i;

	for (c = 1; c < L4_TABLE_PAGES; c++) {
		for (i = 0; thread_chunk[c] && i < L4_TABLE_PER_PAGE; i++) {
			struct thread *t = &thread_chunk[c][i];

			if (t->tte->flags & TTE_EXISTS && space_mark_used(t->tte->space) < 0 && !(t->flags & TF_DAMAGED))
				return -1;
		}
	}
	return 0;
}

long activate_threads(void)
{
	long count = 0;
	u32 c, i;

	if (make_spaces() < 0)
		return -1;
	for (c = 1; c < L4_TABLE_PAGES; c++) {
		for (i = 0; thread_chunk[c] && i < L4_TABLE_PER_PAGE; i++) {
			struct thread *t = &thread_chunk[c][i];

			if (!(t->tte->flags & TTE_EXISTS))
				continue;
			count++;
			resume(t);
		}
	}
	ipc_partner_gone();             /* who waits for a thread that is not in the table, or is damaged */
	return count;
}
