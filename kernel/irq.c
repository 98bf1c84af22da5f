/* SPDX-License-Identifier: BSD-2-Clause
 * Device interrupts as IPC; see irq.h. An interrupt that is raised only sets a bit and makes its handler
 * ready; the handler's own receive step takes the message.
 */
#include "kernel/irq.h"
#include "kernel/arch.h"
#include "kernel/thread.h"
#include "kernel/ipc.h"
#include "kernel/sched.h"
#include <l4/abi.h>

static struct thread *handler_of[IRQ_COUNT];
static u64 pending;

void irq_raised(u32 irq)
{
	pending |= 1ul << irq;
	if (handler_of[irq])
		ipc_kernel_message(handler_of[irq]);
}

void timer_expired(void)
{
	sched_timer();
}

static u64 mine(const struct thread *t, tid_t partner)
{
	u64 left = pending, found = 0;

	if (partner != L4_ANYTHREAD)
		left &= tid_number(partner) < IRQ_COUNT ? 1ul << tid_number(partner) : 0;

	for (; left; left &= left - 1) {
		u32 irq = (u32)__builtin_ctzl(left);

		if (handler_of[irq] == t)
			found |= 1ul << irq;
	}
	return found;
}

bool irq_pending_for(const struct thread *t, tid_t partner)
{
	return unlikely(pending != 0) && mine(t, partner);
}

int irq_take(struct thread *t, tid_t partner)
{
	u64 found = pending ? mine(t, partner) : 0;
	int irq;

	if (!found)
		return -1;
	irq = __builtin_ctzl(found);
	pending &= ~(1ul << irq);
	return irq;
}

bool irq_ack(u32 irq, const struct thread *t)
{
	if (irq >= IRQ_COUNT || handler_of[irq] != t)
		return false;
	irq_unmask(irq);
	return true;
}

void irq_attach(u32 irq, struct thread *t)
{
	handler_of[irq] = t;
	pending &= ~(1ul << irq);
	if (t)
		irq_unmask(irq);
	else
		irq_mask(irq);
}

struct thread *irq_handler(u32 irq)
{
	return handler_of[irq];
}

void irq_forget(const struct thread *t)
{
	u32 irq;

	for (irq = 0; irq < IRQ_COUNT; irq++)
		if (handler_of[irq] == t)
			irq_attach(irq, NULL);
}
