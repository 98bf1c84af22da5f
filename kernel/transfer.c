/* SPDX-License-Identifier: BSD-2-Clause
 * Message transfer (X.2 5.3-5.5), including the messages the kernel makes and takes itself: page fault, exception,
 * thread start. Their words never pass through the UTCB of the thread concerned.
 *
 * Map items are done first, page by page (mapdb_map), because they may need the sender to fault; mapping the same page
 * again changes nothing, so the phase may be repeated at will. The words follow in one piece.
 */
#include "kernel/transfer.h"
#include "kernel/thread.h"
#include "kernel/space.h"
#include "kernel/fault.h"
#include "kernel/mapdb.h"
#include "kernel/memory.h"
#include "kernel/ipc.h"
#include "kernel/timeout.h"
#include "kernel/sched.h"
#include "kernel/ticket.h"
#include "kernel/arch.h"
#include "kernel/kernel.h"
#include "kernel/percpu.h"
#include <l4/abi.h>
#include <l4/exception.h>
#include <l4/framecontrol.h>

#define TAG_U(tag)      ((tag) & 0x3f)
#define TAG_T(tag)      ((tag) >> 6 & 0x3f)
#define TAG_FLAGS       0xf000ul

#define ITEM_MAP        0x8
#define ITEM_GRANT      0xa
#define ITEM_TYPE(w)    ((w) & 0xe)

#define PIECE_PAGES     32              /* map items: pages between two preemption points */
#define PIECE_NODES     64              /* mappings removed between them */
#define FAULT_BITS      22              /* larger items map what is there; smaller ones fault absent pages in */
#define EXCEPTION_WORDS 20

/* ---- messages of the kernel's making --------------------------------------------------------- */

static u64 *const no_register;          /* word 0 is the tag */

/* Exception message word n (1..20) -> register. X.2 AMD64 exception protocol. */
static u64 *exception_register(struct regs *f, u32 n)
{
	u64 *const map[EXCEPTION_WORDS + 1] = {
		no_register, &f->rip, &f->rbx, &f->r10, &f->r12, &f->r13, &f->r14, &f->r15, &f->rax, &f->rcx, &f->rdx,
		&f->rsi, &f->rdi, &f->rbp, &f->r8, &f->r9, &f->r11, &f->rsp, &f->rflags, &f->vector, &f->error,
	};

	return map[n];
}

static u64 make_exception(struct thread *from, u64 *mr)
{
	u32 n;

	for (n = 1; n <= EXCEPTION_WORDS; n++)
		mr[n] = *exception_register(&from->tcb->frame, n);
	return (u64)L4_LABEL_EXCEPTION << 20 | EXCEPTION_WORDS;
}

static bool user_address(u64 va)
{
	return va < USER_END;
}

static void take_exception_reply(struct thread *to, const u64 *mr)
{
	struct regs *f = &to->tcb->frame;
	u32 n, words = TAG_U(mr[0]);

	for (n = 1; n <= words && n <= EXCEPTION_WORDS - 2; n++)
		*exception_register(f, n) = mr[n];
	f->rflags = (f->rflags & RFLAGS_USER_BITS) | RFLAGS_ALWAYS;
	if (!user_address(f->rip) && f->rip - L4_STUB_BASE >= PAGE_SIZE)
		f->rip = 0;
	if (!user_address(f->rsp))
		f->rsp = 0;
}

static void take_start(struct thread *to, const u64 *mr)
{
	if (TAG_U(mr[0]) >= 1 && user_address(mr[1]))
		to->tcb->frame.rip = mr[1];
	if (TAG_U(mr[0]) >= 2 && user_address(mr[2]))
		to->tcb->frame.rsp = mr[2];
	to->tcb->resume = RESUME_FRAME;
}

/* ---- map items --------------------------------------------------------------------------------- */

struct window {
	vaddr_t src, dst;
	u64 pages, bits;
};

/* X.2 5.3: which part of the sender's fpage goes where. False: the receiver has no window. */
static bool item_window(u64 base_word, u64 fpage, u64 rcv, struct window *w)
{
	u64 snd_bits = fpage_is_complete(fpage) ? 47 : fpage_bits(fpage);
	u64 rcv_bits = fpage_is_complete(rcv) ? 47 : fpage_bits(rcv);
	u64 snd_at = fpage_is_complete(fpage) ? 0 : fpage_base(fpage);
	u64 rcv_at = fpage_is_complete(rcv) ? 0 : fpage_base(rcv);
	u64 base = base_word & ~0x3fful;

	if (snd_bits < PAGE_SHIFT || rcv_bits < PAGE_SHIFT || snd_bits > 47 || rcv_bits > 47)
		return false;
	if (snd_bits <= rcv_bits) {
		w->bits = snd_bits;
		w->src = snd_at;
		w->dst = rcv_at + (base & ((1ul << rcv_bits) - 1) & ~((1ul << snd_bits) - 1));
	} else {
		w->bits = rcv_bits;
		w->src = snd_at + (base & ((1ul << snd_bits) - 1) & ~((1ul << rcv_bits) - 1));
		w->dst = rcv_at;
	}
	w->pages = 1ul << (w->bits - PAGE_SHIFT);
	return w->src + (w->pages << PAGE_SHIFT) <= USER_END && w->dst + (w->pages << PAGE_SHIFT) <= USER_END;
}

/* The sender's page is absent: it faults first, nested in its send phase. */
static int nest_fault(struct thread *from, vaddr_t va, u32 rights)
{
	struct tcb *tcb = from->tcb;
	struct tte *e = from->tte;

	tcb->outer_state = e->state;
	tcb->outer_kind = e->kind;
	tcb->outer_partner = e->partner;
	tcb->outer_deadline = e->deadline;
	tcb->fault_addr = va;
	tcb->fault_ip = tcb->frame.rip;
	tcb->fault_rights = rights & L4_RIGHT_W ? L4_RIGHT_W : rights & L4_RIGHT_R ? L4_RIGHT_R : L4_RIGHT_X;
	ipc_dequeue(from);
	e->state = TS_SEND;
	e->kind = IPC_PAGEFAULT | IPC_NESTED;
	e->partner = from->utcb->pager;
	e->deadline = DEADLINE_NEVER;
	return XFER_LATER;
}

/* Persistent memory is not for residual threads to write; devices and memory declared residual are. */
static bool loses_write(struct thread *from, struct thread *to, vaddr_t va)
{
	struct ptab_leaf leaf;

	return to->space->residual && !thread_is_ckptserver(to) && ptab_lookup(&from->space->pt, va, &leaf) &&
		store_page(leaf.pfn);
}

/* Something else wants to run. Who only polls gets a message whole. */
static bool may_be_preempted(const struct thread *from, const struct thread *to)
{
	return cpu->resched && (from == cpu->current || to->tte->deadline != DEADLINE_NOW);
}

static int map_one(struct thread *from, struct thread *to, const struct window *w, u64 page, u32 rights, u32 flags)
{
	struct mapdb_work work = { 0 };
	vaddr_t off = page << PAGE_SHIFT;
	enum mapdb_result r;

	if (unlikely(space_owns(to->space, w->dst + off)))
		return XFER_DONE;               /* the UTCB and KIP areas are the kernel's */
	if (unlikely(loses_write(from, to, w->src + off)))
		flags |= MAPDB_LOSE_W;
	do {
		work.budget = PIECE_NODES;
		r = mapdb_map(&from->space->pt, w->src + off, &to->space->pt, w->dst + off, rights, flags, &work);
		if (likely(r != MAPDB_MORE))
			break;
		arch_preemption_window();
	} while (!may_be_preempted(from, to));
	switch (r) {
	case MAPDB_MORE:
		return XFER_LATER;
	case MAPDB_ABSENT:
		if (thread_is_ckptserver(from) && fault_window(from->space, w->src + off))
			return map_one(from, to, w, page, rights, flags);
		if (w->bits > FAULT_BITS || thread_is_ckptserver(from))
			return XFER_DONE;
		return nest_fault(from, w->src + off, rights);
	default:
		/* OK; denied (a kernel page: not the sender's to give); no pool: any mapping may vanish at any time. */
		return XFER_DONE;
	}
}

static u64 next_page(struct thread *from, const struct window *w, u64 page)
{
	vaddr_t end = w->src + (w->pages << PAGE_SHIFT);

	if (w->bits <= FAULT_BITS)
		return page;
	return (ptab_next(&from->space->pt, w->src + (page << PAGE_SHIFT), end) - w->src) >> PAGE_SHIFT;
}

/* progress: pages done of the item `index`. */
static int map_item(struct thread *from, struct thread *to, const u64 *item, u64 rcv, u32 index)
{
	u32 rights = item[1] & 7, flags = ITEM_TYPE(item[0]) == ITEM_GRANT ? MAPDB_GRANT : 0;
	u64 page = from->tcb->progress >> 48 == index ? from->tcb->progress & 0xffffffffffff : 0;
	struct window w;
	u32 piece = 0;
	int r;

	if (!item_window(item[0], item[1], rcv, &w))
		return L4_IPC_MSG_OVERFLOW;
	for (page = next_page(from, &w, page); page < w.pages; page = next_page(from, &w, page + 1)) {
		r = map_one(from, to, &w, page, rights, flags);
		if (r == XFER_DONE && ++piece % PIECE_PAGES)
			continue;
		from->tcb->progress = (u64)index << 48 | (page + (r == XFER_DONE));
		if (r != XFER_DONE)
			return r;
		arch_preemption_window();
		if (page + 1 < w.pages && may_be_preempted(from, to))
			return XFER_LATER;
	}
	return XFER_DONE;
}

static int transfer_items(struct thread *from, struct thread *to, u64 tag)
{
	u64 rcv = (to->tte->kind & IPC_KIND_MASK) == IPC_PAGEFAULT ? FPAGE_COMPLETE : to->utcb->br_reversed[32] & ~0xful;
	u32 first = TAG_U(tag) + 1, last = first + (u32)TAG_T(tag), i;
	u64 item[2];
	int r;

	if (last > L4_NUM_MRS)
		return L4_IPC_MSG_OVERFLOW;
	for (i = first; i + 1 < last; i += 2) {
		item[0] = from->utcb->mr[i];
		item[1] = from->utcb->mr[i + 1];
		if (ITEM_TYPE(item[0]) != ITEM_MAP && ITEM_TYPE(item[0]) != ITEM_GRANT)
			return L4_IPC_MSG_OVERFLOW;
		if (from->tcb->progress >> 48 > i)
			continue;
		if (fpage_bits(item[1]) == 0 && !fpage_is_complete(item[1]))
			continue;               /* nil page: maps nothing */
		r = map_item(from, to, item, rcv, i);
		if (r != XFER_DONE)
			return r;
		from->tcb->progress = (u64)(i + 1) << 48;
	}
	return i < last ? L4_IPC_MSG_OVERFLOW : XFER_DONE;
}

/* ---- all together --------------------------------------------------------------------------------- */

static u64 make_pagefault(const struct thread *from, u64 *mr)
{
	mr[1] = from->tcb->fault_addr;
	mr[2] = from->tcb->fault_ip;
	return (u64)L4_LABEL_PAGEFAULT << 20 | from->tcb->fault_rights << 16 | 2;
}

/* What the faulting thread has got. */
static void answer_fault(struct thread *to)
{
	struct ptab_leaf leaf;
	bool there = ptab_lookup(&to->space->pt, to->tcb->fault_addr & ~PAGE_MASK, &leaf) && store_page(leaf.pfn);

	ticket_answer(to, there ? leaf.pfn : 0, 0);
}

static void take(struct thread *to, const u64 *mr)
{
	u32 kind = to->tte->kind & IPC_KIND_MASK;

	if (unlikely((long)mr[0] >> 20 == L4_LABEL_DAMAGED && kind != IPC_START)) {
		to->flags |= TF_PAGE_DAMAGED;
		if (kind == IPC_EXCEPTION && to->tcb->frame.vector != L4_EXC_DAMAGED)
			to->tcb->frame.vector = EXC_GIVEN_UP;
		return;
	}
	switch (kind) {
	case IPC_EXCEPTION:
		take_exception_reply(to, mr);
		break;
	case IPC_START:
		take_start(to, mr);
		break;
	default:
		if (unlikely(to->flags & TF_WAITING))
			answer_fault(to);
		break;                          /* page fault: the mapping was the answer */
	}
}

int transfer(struct thread *from, struct thread *to)
{
	u32 kind = from->tte->kind & IPC_KIND_MASK, n;
	u64 *out = to->utcb->mr;
	const u64 *in = from->utcb->mr;
	u64 tag = in[0], words;
	int r;

	if (unlikely(kind != IPC_NORMAL)) {
		if ((to->tte->kind & IPC_KIND_MASK) != IPC_NORMAL)
			return L4_IPC_NON_EXISTING;     /* two faulting threads have nothing to say to each other */
		out[0] = kind == IPC_PAGEFAULT ? make_pagefault(from, out) : make_exception(from, out);
		return XFER_DONE;
	}
	if (unlikely(TAG_T(tag))) {
		r = transfer_items(from, to, tag);
		arch_sync_tlb();        /* granted pages have left the sender */
		if (r != XFER_DONE)
			return r;
	}
	if (unlikely((to->tte->kind & IPC_KIND_MASK) != IPC_NORMAL)) {
		take(to, in);
		return XFER_DONE;
	}
	words = TAG_U(tag) + TAG_T(tag);
	if (words > L4_NUM_MRS - 1)
		words = L4_NUM_MRS - 1;
	out[0] = tag & ~TAG_FLAGS;
	for (n = 1; n <= words; n++)
		out[n] = in[n];
	return XFER_DONE;
}
