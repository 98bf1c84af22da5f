/* SPDX-License-Identifier: BSD-2-Clause
 * User faults. A page fault has one of these outcomes, in this order:
 *   1. the address belongs to the kernel or is not an address      -> exception
 *   2. ckptserver touched its window on physical memory            -> mapped at once
 *   3. granted, and for a write the frame is current: the processor's view was behind -> W is set, or nothing to do
 *   4. write, granted, frame stale                                 -> ckptserver, whatever pagers lie between
 *   5. UTCB or KIP area                                            -> the kernel's own page is mapped
 *   6. ckptserver itself, anywhere else                            -> it has crashed: reboot
 *   7. anything else                                               -> page-fault IPC to the thread's pager
 * Next on the path of 4: event.c (park), then ckptserver/kobj.c; of 7: ipc.c (ipc_fault), then pager/fault.c.
 */
#include "kernel/fault.h"
#include "kernel/thread.h"
#include "kernel/space.h"
#include "kernel/mapdb.h"
#include "kernel/ipc.h"
#include "kernel/kip.h"
#include "kernel/memory.h"
#include "kernel/sched.h"
#include "kernel/arch.h"
#include "kernel/kernel.h"
#include <l4/bootinfo.h>
#include <l4/exception.h>
#include <l4/framecontrol.h>

#define PIECE_NODES     64              /* mappings removed, or looked at in pieces, in one fault */

bool user_read(struct space *s, vaddr_t va, void *to, size_t n)
{
	u8 *out = to;

	while (n) {
		size_t part = PAGE_SIZE - (va & PAGE_MASK);
		struct ptab_leaf leaf;

		if (part > n)
			part = n;
		if (va >= USER_END || !ptab_lookup(&s->pt, va & ~PAGE_MASK, &leaf) || !ram_page(leaf.pfn))
			return false;           /* the direct map has no devices */
		ptab_note_access(&leaf, false);
		memcpy(out, (u8 *)phys_to_virt(leaf.pfn << PAGE_SHIFT) + (va & PAGE_MASK), part);
		out += part;
		va += part;
		n -= part;
	}
	return true;
}

bool fault_window(struct space *s, vaddr_t va)
{
	paddr_t pa = va - SIGMA0_PHYS_BASE;

	if (s->no != L4_SIGMA0_SPACE || va < SIGMA0_PHYS_BASE || pa >= 1ul << 46)
		return false;
	if (ram_page(pa >> PAGE_SHIFT))
		return false;
	return ptab_map_window(&s->pt, va & ~PAGE_MASK, pa & ~PAGE_MASK, PAGE_SIZE, true) == 0;
}

static bool map_kernel_page(struct space *s, vaddr_t va, const void *page, u32 rights)
{
	struct mapdb_work work = MAPDB_WORK(PIECE_NODES);
	enum mapdb_result r = mapdb_map_frame(virt_to_phys(page) >> PAGE_SHIFT, &s->pt, va & ~PAGE_MASK, rights, MAPDB_KERNEL, &work);

	/* MORE: the thread meets the fault again, after interrupts, and the search for room goes on. */
	return r == MAPDB_OK || r == MAPDB_MORE;
}

bool fault_kernel_page(struct thread *t, struct space *s, vaddr_t va)
{
	struct wants w = { 0 };
	struct thread *owner;
	u64 slot = (va - s->utcb_base) >> PAGE_SHIFT;

	if (s->kip_base && va - s->kip_base < PAGE_SIZE)
		return map_kernel_page(s, va, kip_page(), L4_RIGHT_R | L4_RIGHT_X);
	if (slot >= SPACE_SLOTS)
		return false;
	if (!s->record) {
		if (s->damaged)
			return false;
		want_object(&w, L4_EV_NEED, L4_OBJ(L4_OBJ_SPACE, s->no));
		park(t, &w);
		return true;
	}
	owner = s->record->slot[slot] ? thread_at(s->record->slot[slot]) : NULL;
	if (!owner || !(owner->tte->flags & TTE_ACTIVE) || owner->tte->space != s->no || owner->tte->slot != slot)
		return false;
	if (!owner->utcb) {
		if (owner->flags & TF_DAMAGED)
			return false;
		want_object(&w, L4_EV_NEED, L4_OBJ(L4_OBJ_UTCB, owner->no));
		park(t, &w);
		return true;
	}
	return map_kernel_page(s, va, owner->utcb, L4_RIGHT_R | L4_RIGHT_W);
}

static void raise(struct thread *t, u64 vector)
{
	t->tcb->frame.vector = vector;
	fault_exception(t);
}

/* Outcomes 3 and 4; false: it is one of the others. */
static bool granted_already(struct thread *t, vaddr_t va, u32 rights)
{
	struct wants w = { 0 };
	struct ptab_leaf leaf;
	pfn_t pfn;

	if (rights != L4_RIGHT_W)
		return ptab_lookup(&t->space->pt, va & ~PAGE_MASK, &leaf) && leaf.rights & rights;
	switch (ptab_write_fault(&t->space->pt, va & ~PAGE_MASK, &pfn)) {
	case PTAB_DONE:
		return true;
	case PTAB_STALE:
		want_frame(&w, phys_to_virt(pfn << PAGE_SHIFT));
		park(t, &w);
		return true;
	default:
		return false;
	}
}

/* Called by trap_user (x86/trap.c). What runs next, by outcome: 2, 3, 5: t, by exit_kernel, and tries again. 4, and 5 with
 * an absent page: schedule; t is parked until ckptserver's answer (framectl.c), and then tries again. 1 and 7: ipc_fault,
 * which makes the handler or pager run; t tries again when it has answered. */
void fault_user(struct thread *t, vaddr_t va, vaddr_t ip, u32 rights)
{
	struct space *s = t->space;

	if (va >= USER_END) {
		raise(t, 14);
		return;
	}
	if (fault_window(s, va))
		return;
	if (granted_already(t, va, rights))
		return;
	if (space_owns(s, va)) {
		if (!fault_kernel_page(t, s, va))
			raise(t, 14);
		return;
	}
	if (thread_is_ckptserver(t))
		residual_crash("ckptserver: page fault at 0x%lx, ip 0x%lx, rights %u, thread %u", va, ip, rights, t->no);
	t->tcb->fault_addr = va;
	t->tcb->fault_ip = ip;
	t->tcb->fault_rights = rights;
	if (t->utcb->pager == L4_NILTHREAD)
		thread_stop(t, "page fault without a pager");
	else
		ipc_fault(t, t->utcb->pager, IPC_PAGEFAULT);
}

/* Called by trap_user, by outcome 1 above, and for a SYSCALL that is none of ours (syscall.c). Next: ipc_fault; the answer
 * has the registers to go on with (transfer.c, take_exception_reply). */
void fault_exception(struct thread *t)
{
	tid_t handler = t->utcb->exception_handler;

	if (thread_is_ckptserver(t))
		residual_crash("ckptserver: exception %lu, error %lx, ip 0x%lx, thread %u", t->tcb->frame.vector,
			t->tcb->frame.error, t->tcb->frame.rip, t->no);
	if (handler == L4_NILTHREAD) {
		printk("[thread] exception vector=%lu error=0x%lx\n", t->tcb->frame.vector, t->tcb->frame.error);
		thread_stop(t, "exception without a handler");
		return;
	}
	ipc_fault(t, handler, IPC_EXCEPTION);
}

/* Called by dispatch (sched.c). Next: the step of the exception IPC, or of what the thread does about its failed send. */
void fault_damaged(struct thread *t)
{
	struct regs *f = &t->tcb->frame;

	t->flags &= ~(u32)TF_PAGE_DAMAGED;
	if (t->tte->state != TS_READY) {
		ipc_fail(t, L4_IPC_XFER_TIMEOUT_INVOKER, 0);    /* a page that it wanted to map to somebody */
	} else if (f->vector == EXC_GIVEN_UP) {
		thread_stop(t, "its exception handler gave it up");
		return;
	} else if (f->vector == L4_EXC_DAMAGED || t->utcb->exception_handler == L4_NILTHREAD) {
		thread_stop_at(t, "a page of its memory cannot be read", t->tcb->fault_addr);
		return;
	} else {
		f->vector = L4_EXC_DAMAGED;
		f->error = t->tcb->fault_addr;
		ipc_raise(t, t->utcb->exception_handler);
	}
	sched_ready(t);
}
