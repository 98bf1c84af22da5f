/* SPDX-License-Identifier: BSD-2-Clause
 * FrameControl: what ckptserver tells the kernel (l4/framecontrol.h). Never blocks, never waits for an object.
 *
 * Answers release the threads that event.c has parked under the same key; each takes its step again from the start. What
 * is supplied is not believed: object.c and space.c look at every field. The other direction, events, is event.c.
 */
#include "kernel/syscall.h"
#include "kernel/activate.h"
#include "kernel/arch.h"
#include "kernel/event.h"
#include "kernel/guard.h"
#include "kernel/kernel.h"
#include "kernel/kip.h"
#include "kernel/mapdb.h"
#include "kernel/memory.h"
#include "kernel/object.h"
#include "kernel/space.h"
#include "kernel/ticket.h"
#include "kernel/percpu.h"
#include <l4/framecontrol.h>

#define PIECE_NODES     256             /* mappings of a frame between two interrupt windows */

static bool activated;

static u64 key(u64 event, u64 name)
{
	return event << L4_EV_SHIFT | name;
}

static long do_snapshot(void)
{
	if (event_discard_pending())
		return L4_FC_BUSY;
	if (ticket_urgent)
		return L4_FC_AGAIN;
	fpu_disown(cpu->fpu_owner);
	epoch++;
	ticket_snapshot();
	guard_all();
	return (long)epoch;
}

static long do_writable(u64 pfn)
{
	if (!store_page(pfn))
		return L4_FC_BAD_NAME;
	frame_set_tag(pfn, epoch);
	guard_writable(pfn);
	park_release(key(L4_EV_STALE, pfn), 0, NULL, pfn);
	return L4_FC_OK;
}

static struct thread *object_thread(u64 obj)
{
	return L4_OBJ_TYPE(obj) == L4_OBJ_TCB || L4_OBJ_TYPE(obj) == L4_OBJ_UTCB ? thread_at(L4_OBJ_INDEX(obj)) : NULL;
}

/* A thread's objects are supplied only to its present life. While the discard of the last one is unread, a fresh object answers a question
 * from before it, and would be taken back with the discard. */
static bool answers_earlier_life(const struct thread *t, bool fresh)
{
	return fresh && t->discard_event.queued;
}

/* Everything that counted on the object being current forgets it. BUSY if it is needed. */
static long disturb_object(u64 obj)
{
	struct thread *t = object_thread(obj), *chunk;
	struct space *s;
	u32 i;

	switch (L4_OBJ_TYPE(obj)) {
	case L4_OBJ_TCB:
	case L4_OBJ_UTCB:
		if (!t || t->flags & TF_RESIDENT)
			return L4_FC_BAD_NAME;
		if (t->pins)
			return L4_FC_BUSY;
		if (L4_OBJ_TYPE(obj) == L4_OBJ_TCB && t->tcb)
			fpu_disown(t);
		t->current_in = 0;
		return L4_FC_OK;
	case L4_OBJ_SPACE:
		s = space_at((u32)L4_OBJ_INDEX(obj));
		return !s || s->residual ? L4_FC_BAD_NAME : s->pins ? L4_FC_BUSY : L4_FC_OK;
	case L4_OBJ_TABLE:
		chunk = L4_OBJ_INDEX(obj) && L4_OBJ_INDEX(obj) < L4_TABLE_PAGES ? thread_chunk[L4_OBJ_INDEX(obj)] : NULL;
		for (i = 0; chunk && i < L4_TABLE_PER_PAGE; i++) {
			if (chunk[i].tcb)
				fpu_disown(&chunk[i]);
			chunk[i].current_in = 0;
		}
		return chunk ? L4_FC_OK : L4_FC_BAD_NAME;
	default:
		return L4_FC_BAD_NAME;
	}
}

static long do_protect(u64 pfn, u64 argument)
{
	struct mapdb_work work = { 0 };
	long r = L4_FC_OK;

	if (!store_page(pfn))
		return L4_FC_BAD_NAME;
	if (argument & L4_FC_AT_LEISURE ? ticket_has(pfn) : argument & (L4_FC_IF_IDLE | L4_FC_IS_OBJECT) && ticket_holds(pfn))
		return L4_FC_BUSY;
	if (argument & L4_FC_IS_OBJECT)
		r = disturb_object(argument & 0xffffffff);
	if (r != L4_FC_OK)
		return r;
	ticket_forget(pfn);
	frame_set_tag(pfn, 0);
	if (argument & L4_FC_IS_OBJECT)
		guard_object(phys_to_virt(pfn << PAGE_SHIFT));
	for (work.budget = PIECE_NODES; mapdb_protect(pfn, &work) == MAPDB_MORE; work.budget = PIECE_NODES)
		arch_preemption_window();
	return L4_FC_OK;
}

/* ---- objects ------------------------------------------------------------------------------------- */

static const char *validate_table(const struct tte *page)
{
	u32 i;

	for (i = 0; i < L4_TABLE_PER_PAGE; i++) {
		const char *bad = object_validate_entry(page + i);

		if (bad)
			return bad;
	}
	return NULL;
}

/* A bad entry stops its thread only; the others of the page live. */
static void stop_bad_entries(u32 index)
{
	struct thread *chunk = thread_chunk[index];
	u32 i;

	for (i = 0; i < L4_TABLE_PER_PAGE; i++) {
		const char *bad = object_validate_entry(chunk[i].tte);

		if (!bad)
			continue;
		printk("[thread] stopped tid=%u reason=\"invalid thread-table entry: %s\"\n", chunk[i].no, bad);
		chunk[i].flags |= TF_DAMAGED;
		event_post(&chunk[i].park_event, key(L4_EV_STOPPED, chunk[i].no), 1);
	}
}

static long supply_table(u32 index, void *page, bool fresh)
{
	if (!index || index >= L4_TABLE_PAGES)
		return L4_FC_BAD_NAME;
	if (thread_chunk[index])
		return L4_FC_BAD_STATE;
	if (!fresh && activated)
		return L4_FC_BAD_STATE;
	if (thread_add_table(index, page, false) < 0)
		return L4_FC_NO_POOL;
	if (!fresh && validate_table(page))
		stop_bad_entries(index);
	return L4_FC_OK;
}

static long supply_tcb(struct thread *t, void *page, bool fresh)
{
	const char *bad;

	if (!t || t->flags & TF_RESIDENT)
		return L4_FC_BAD_NAME;
	if (t->tcb || fresh == !!(t->tte->flags & TTE_EXISTS) || answers_earlier_life(t, fresh))
		return L4_FC_BAD_STATE;
	if (!fresh) {
		bad = object_validate_tcb(page, t->no);
		if (bad) {
			printk("[thread] invalid TCB tid=%u field=\"%s\"\n", t->no, bad);
			thread_stop(t, "invalid TCB");
			return L4_FC_INVALID;
		}
	}
	t->tcb = page;
	return L4_FC_OK;
}

static long supply_utcb(struct thread *t, void *page, bool fresh)
{
	if (!t || t->flags & TF_RESIDENT)
		return L4_FC_BAD_NAME;
	if (t->utcb || fresh == !!(t->tte->flags & TTE_ACTIVE) || answers_earlier_life(t, fresh))
		return L4_FC_BAD_STATE;
	t->utcb = page;
	return L4_FC_OK;
}

static long supply_space(u32 no, void *page, bool fresh)
{
	struct space *s = no >= L4_FIRST_SPACE && no < L4_MAX_SPACES ? space_get(no) : NULL;

	if (!s)
		return no < L4_MAX_SPACES && no >= L4_FIRST_SPACE ? L4_FC_NO_POOL : L4_FC_BAD_NAME;
	if (s->record || s->dying || fresh == s->in_use)
		return L4_FC_BAD_STATE;
	if (fresh)
		space_init_record(s, page);
	else if (space_adopt_record(s, page) < 0) {
		printk("[space] invalid record space=%u\n", no);
		s->damaged = true;
		return L4_FC_INVALID;
	}
	return L4_FC_OK;
}

static u32 *pins_of(u64 obj)
{
	struct thread *t = object_thread(obj);

	if (t)
		return &t->pins;
	return L4_OBJ_TYPE(obj) == L4_OBJ_SPACE ? &space_at((u32)L4_OBJ_INDEX(obj))->pins : NULL;
}

static long do_supply(u64 obj, u64 pfn, bool fresh)
{
	u32 index = (u32)L4_OBJ_INDEX(obj);
	void *page;
	long r;

	if (!store_page(pfn) || obj > 0xffffffff)
		return L4_FC_BAD_NAME;
	page = phys_to_virt(pfn << PAGE_SHIFT);
	switch (L4_OBJ_TYPE(obj)) {
	case L4_OBJ_TABLE:
		r = supply_table(index, page, fresh);
		break;
	case L4_OBJ_TCB:
		r = supply_tcb(thread_at(index), page, fresh);
		break;
	case L4_OBJ_UTCB:
		r = supply_utcb(thread_at(index), page, fresh);
		break;
	case L4_OBJ_SPACE:
		r = supply_space(index, page, fresh);
		break;
	default:
		return L4_FC_BAD_NAME;
	}
	if (fresh && r == L4_FC_OK)
		frame_set_tag(pfn, epoch);
	if (r == L4_FC_OK)
		guard_object(page);
	if (fresh && r == L4_FC_NO_POOL)
		park_release(key(L4_EV_FRESH, obj), TF_OUT_OF_MEMORY, NULL, 0); /* as if it were refused */
	if (r == L4_FC_OK || r == L4_FC_INVALID)
		park_release(key(fresh ? L4_EV_FRESH : L4_EV_NEED, obj), 0, r == L4_FC_OK ? pins_of(obj) : NULL,
			r == L4_FC_OK ? pfn : 0);
	return r;
}

/* The page of a TCB, UTCB or space record; NULL: it is not here, or there is none. */
static const void *object_page(u64 obj)
{
	struct thread *t = object_thread(obj);
	struct space *s = L4_OBJ_TYPE(obj) == L4_OBJ_SPACE ? space_at((u32)L4_OBJ_INDEX(obj)) : NULL;

	if (t)
		return L4_OBJ_TYPE(obj) == L4_OBJ_TCB ? (void *)t->tcb : (void *)t->utcb;
	return s ? s->record : NULL;
}

static bool object_held(u64 obj)
{
	const void *page = object_page(obj);

	return page && ticket_holds(virt_to_phys(page) >> PAGE_SHIFT);
}

static rare long do_evict(u64 obj)
{
	struct mapdb_work work = MAPDB_WORK(MAPDB_UNLIMITED);
	struct thread *t = object_thread(obj);
	void *page;
	long r;

	if (L4_OBJ_TYPE(obj) == L4_OBJ_TABLE)
		return L4_FC_BAD_STATE;
	r = object_held(obj) ? L4_FC_BUSY : disturb_object(obj);
	if (r != L4_FC_OK)
		return r;
	if (L4_OBJ_TYPE(obj) == L4_OBJ_SPACE) {
		page = space_at((u32)L4_OBJ_INDEX(obj))->record;
		guard_release(space_at((u32)L4_OBJ_INDEX(obj))->record);
		space_at((u32)L4_OBJ_INDEX(obj))->record = NULL;
	} else if (L4_OBJ_TYPE(obj) == L4_OBJ_TCB) {
		page = t->tcb;
		guard_release(t->tcb);
		t->tcb = NULL;
	} else {
		page = t->utcb;
		guard_release(t->utcb);
		t->utcb = NULL;
		if (page)
			mapdb_unmap_frame(virt_to_phys(page) >> PAGE_SHIFT, L4_RIGHT_R, &work);
	}
	if (page)
		park_release(key(L4_EV_STALE, virt_to_phys(page) >> PAGE_SHIFT), 0, NULL, 0);
	return L4_FC_OK;
}

/* Like Unmap of the whole frame, but not against the ticket's holder. */
static rare long do_reclaim(u64 pfn)
{
	struct mapdb_work work = { 0 };

	if (!store_page(pfn))
		return L4_FC_BAD_NAME;
	if (ticket_holds(pfn))
		return L4_FC_BUSY;
	for (work.budget = PIECE_NODES; mapdb_unmap_frame(pfn, L4_RIGHT_R, &work) == MAPDB_MORE; work.budget = PIECE_NODES)
		arch_preemption_window();
	return (long)work.status;
}

static rare long do_damaged(u64 obj)
{
	struct thread *t = object_thread(obj);
	struct space *s;

	if (t && !(t->flags & TF_RESIDENT)) {
		thread_stop(t, L4_OBJ_TYPE(obj) == L4_OBJ_TCB ? "its TCB cannot be read" : "its UTCB cannot be read");
	} else if (L4_OBJ_TYPE(obj) == L4_OBJ_SPACE) {
		s = L4_OBJ_INDEX(obj) >= L4_FIRST_SPACE ? space_get((u32)L4_OBJ_INDEX(obj)) : NULL;
		if (!s)
			return L4_FC_BAD_NAME;
		s->damaged = true;
		printk("[space] damaged space=%u\n", s->no);
	} else {
		return L4_FC_BAD_NAME;
	}
	park_release(key(L4_EV_NEED, obj), 0, NULL, 0);
	return L4_FC_OK;
}

static long do_activate(u64 generation)
{
	long threads;

	if (activated)
		return L4_FC_BAD_STATE;
	threads = activate_threads();
	if (threads < 0)
		return L4_FC_NO_POOL;
	activated = true;
	kip_set_generation(generation);
	return threads;
}

static long operation(u64 op, u64 name, u64 argument)
{
	switch (op) {
	case L4_FC_SNAPSHOT:
		return do_snapshot();
	case L4_FC_WRITABLE:
		return do_writable(name);
	case L4_FC_PROTECT:
		return do_protect(name, argument);
	case L4_FC_SUPPLY:
		return do_supply(name, argument, false);
	case L4_FC_SUPPLY_FRESH:
		return do_supply(name, argument, true);
	case L4_FC_REFUSE:
		park_release(key(L4_EV_FRESH, name), TF_OUT_OF_MEMORY, NULL, 0);
		return L4_FC_OK;
	case L4_FC_DAMAGED:
		return do_damaged(name);
	case L4_FC_EVICT:
		return do_evict(name);
	case L4_FC_RECLAIM:
		return do_reclaim(name);
	case L4_FC_SET_CLOCK:
		if (activated)
			return L4_FC_BAD_STATE;
		clock_set(argument);
		return L4_FC_OK;
	case L4_FC_STORE_SIZE:
		kip_set_store(name);
		return L4_FC_OK;
	case L4_FC_ARCHIVE:
		kip_set_archive(name, argument);
		return L4_FC_OK;
	case L4_FC_ACTIVATE:
		return do_activate(argument);
	case L4_FC_BOOT:
		kip_set_boot(name, argument);
		return L4_FC_OK;
	case L4_FC_RESIDUAL:
		if (!store_page(name))
			return L4_FC_BAD_NAME;
		frame_set_tag(name, FRAME_ALWAYS);
		return L4_FC_OK;
	case L4_FC_STOP:
		arch_stop((u32)name, (u32)argument);
	default:
		return L4_FC_BAD_OP;
	}
}

void sys_frame_control(struct thread *t, struct regs *f)
{
	u64 *mr = t->utcb->mr, n;

	if (!thread_is_ckptserver(t)) {
		syscall_fail(t, f, L4_ERR_NO_PRIVILEGE);
		return;
	}
	if (f->rdi > 31) {
		syscall_fail(t, f, L4_ERR_INVALID_PARAM);
		return;
	}
	for (n = 0; n < f->rdi; n++) {
		long r = operation(mr[2 * n] >> L4_FC_OP_SHIFT, mr[2 * n] & L4_FC_NAME_MASK, mr[2 * n + 1]);

		mr[2 * n] = (u64)r;
		if (r == L4_FC_BAD_OP) {
			t->utcb->error_code = L4_ERR_INVALID_PARAM;
			break;
		}
	}
	f->rax = n;
}
