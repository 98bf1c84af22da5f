/* SPDX-License-Identifier: BSD-2-Clause
 * Kernel object events. A page of the client "kernel" is found by its object number, which is its page
 * number in the store.
 *
 * An event is told once by the kernel, so one that cannot be answered at once is remembered, in two bits per
 * object: there is room for every object there can be, and remembering cannot fail.
 * A stale event is remembered by the page itself (permit.c).
 */
#include "kobj.h"

#include <kernel/objects.h>
#include <l4/framecontrol.h>

#include "commit.h"
#include "cow.h"
#include "discard.h"
#include "log.h"
#include "permit.h"
#include "reclaim.h"
#include "server.h"

uint64_t kobj_stopped;

enum deferred { DEFER_NOTHING, DEFER_NEED, DEFER_FRESH, DEFER_DISCARD };

#define THREADS         (1u << L4_THREAD_BITS)
#define FIRST_TCB       L4_TABLE_PAGES
#define FIRST_UTCB      (FIRST_TCB + THREADS)
#define FIRST_SPACE     (FIRST_UTCB + THREADS)
#define OBJECTS         (FIRST_SPACE + L4_MAX_SPACES)
#define RETRY_FAILURES  8u
#define PER_WORD        32u
#define WORDS           (OBJECTS / PER_WORD)
_Static_assert(OBJECTS % PER_WORD == 0, "whole words");

static uint8_t *defer_map;              /* 2 bits per object */
static uint64_t deferred;

bool kobj_init(void)
{
	defer_map = server_alloc(OBJECTS / 4);
	return defer_map;
}

uint64_t kobj_deferred(void)
{
	return deferred;
}

/* ---- Remembered events ------------------------------------------------------------------------ */

static bool obj_slot(uint32_t obj, uint32_t *slot)
{
	static const uint32_t first[L4_OBJ_TYPES] = {
		[L4_OBJ_TABLE] = 0, [L4_OBJ_TCB] = FIRST_TCB,
		[L4_OBJ_UTCB] = FIRST_UTCB, [L4_OBJ_SPACE] = FIRST_SPACE,
	};
	static const uint32_t count[L4_OBJ_TYPES] = {
		[L4_OBJ_TABLE] = L4_TABLE_PAGES, [L4_OBJ_TCB] = THREADS,
		[L4_OBJ_UTCB] = THREADS, [L4_OBJ_SPACE] = L4_MAX_SPACES,
	};
	uint32_t type = L4_OBJ_TYPE(obj);

	if (type >= L4_OBJ_TYPES || L4_OBJ_INDEX(obj) >= count[type])
		return false;
	*slot = first[type] + L4_OBJ_INDEX(obj);
	return true;
}

static uint32_t slot_obj(uint32_t slot)
{
	if (slot >= FIRST_SPACE)
		return L4_OBJ(L4_OBJ_SPACE, slot - FIRST_SPACE);
	if (slot >= FIRST_UTCB)
		return L4_OBJ(L4_OBJ_UTCB, slot - FIRST_UTCB);
	if (slot >= FIRST_TCB)
		return L4_OBJ(L4_OBJ_TCB, slot - FIRST_TCB);
	return L4_OBJ(L4_OBJ_TABLE, slot);
}

static unsigned defer_get(uint32_t slot)
{
	return defer_map[slot / 4] >> slot % 4 * 2 & 3;
}

static void defer_set(uint32_t slot, unsigned what)
{
	unsigned shift = slot % 4 * 2;

	deferred -= defer_get(slot) != DEFER_NOTHING;
	deferred += what != DEFER_NOTHING;
	defer_map[slot / 4] = (uint8_t)((defer_map[slot / 4] & ~(3u << shift)) | what << shift);
}

static void defer(uint32_t obj, unsigned what)
{
	uint32_t slot;

	if (obj_slot(obj, &slot))
		defer_set(slot, what);
}

/* ---- Answers ---------------------------------------------------------------------------------- */

/* A thread's objects are wanted in order to be written, nearly always. */
static void supply(uint32_t obj, pfn_t f)
{
	unsigned type = L4_OBJ_TYPE(obj);

	page_of(f)->flags |= PG_SUPPLIED | PG_USED;
	if (type == L4_OBJ_TCB || type == L4_OBJ_UTCB)
		permit_write(f);
	fc_push(L4_FC_SUPPLY, obj, f);
}

void kobj_loaded(uint32_t obj, pfn_t f)
{
	if (f)
		supply(obj, f);
	else
		fc_push(L4_FC_DAMAGED, obj, 0);
}

void kobj_not_taken(uint32_t obj)
{
	pfn_t f = page_find(KEY(CLIENT_KERNEL, obj));

	if (f)
		page_of(f)->flags &= (uint8_t)~PG_SUPPLIED;
}

static const struct tte *entry_of(uint64_t number)
{
	pfn_t f;

	if (number >= THREADS)
		return NULL;
	f = page_find(KEY(CLIENT_KERNEL, L4_OBJ(L4_OBJ_TABLE, number / L4_TABLE_PER_PAGE)));
	return f ? (const struct tte *)page_data(f) + number % L4_TABLE_PER_PAGE : NULL;
}

static unsigned thread_flags(uint64_t number)
{
	const struct tte *entry = entry_of(number);

	return entry && entry->flags & TTE_EXISTS ? entry->flags : 0;
}

/* The other half of the pair TCB and UTCB, which is wanted before long if the thread is alive; 0: none. */
static uint32_t companion(uint32_t obj)
{
	uint32_t type = L4_OBJ_TYPE(obj), number = L4_OBJ_INDEX(obj);

	if (type != L4_OBJ_TCB && type != L4_OBJ_UTCB)
		return 0;
	if (!(thread_flags(number) & TTE_ACTIVE))
		return 0;
	return L4_OBJ(type == L4_OBJ_TCB ? L4_OBJ_UTCB : L4_OBJ_TCB, number);
}

/* Brings the object and hands it to the kernel. False: no frame. */
static bool bring(uint32_t obj)
{
	pfn_t f = page_find(KEY(CLIENT_KERNEL, obj));

	if (f) {
		if (!(page_of(f)->flags & (PG_LOADING | PG_DEAD | PG_DOOMED)))
			supply(obj, f);
		return true;
	}
	if (!commit_persistent()) {
		fc_push(L4_FC_DAMAGED, obj, 0);
		return true;
	}
	switch (load_start(KEY(CLIENT_KERNEL, obj))) {
	case LOAD_NOW:
		supply(obj, page_find(KEY(CLIENT_KERNEL, obj)));
		break;
	case LOAD_NO_FRAME:
		return false;
	case LOAD_DAMAGED:
		fc_push(L4_FC_DAMAGED, obj, 0);
		break;
	case LOAD_WAIT:
		break;
	}
	return true;
}

static void need(uint32_t obj)
{
	uint32_t other = companion(obj);

	if (!bring(obj))
		defer(obj, DEFER_NEED);
	if (other && !page_find(KEY(CLIENT_KERNEL, other)))
		bring(other);
}

static void fresh(uint32_t obj)
{
	pfn_t f = page_find(KEY(CLIENT_KERNEL, obj));
	struct page *p;

	if (!f) {
		f = frame_get(KEY(CLIENT_KERNEL, obj), false);
		if (!f && commit_hopeless()) {
			fc_push(L4_FC_REFUSE, obj, 0);
			return;
		}
	}
	if (!f || page_of(f)->flags & PG_LOADING || !cow_take(f)) {
		defer(obj, DEFER_FRESH);
		return;
	}
	p = page_of(f);
	defer(obj, DEFER_NOTHING);              /* a discard that waited for a frame was of its earlier life */
	if (p->flags & PG_SUPPLIED)
		return;                         /* asked for twice */
	cow_revive(f);
	p->flags |= PG_SUPPLIED | PG_USED;
	page_zero(page_data(f));
	fc_push(L4_FC_SUPPLY_FRESH, obj, f);
}

static void discard(uint32_t obj)
{
	pfn_t f = page_find(KEY(CLIENT_KERNEL, obj));

	defer(obj, DEFER_NOTHING);
	if (f && page_of(f)->flags & PG_LOADING) {
		page_of(f)->flags |= PG_DOOMED;
		return;
	}
	if (!f) {
		if (!commit_persistent())
			return;
		f = frame_get(KEY(CLIENT_KERNEL, obj), false);
	}
	if (f)
		cow_discard(f);
	else
		defer(obj, DEFER_DISCARD);
}

/* A page about to be written, if we know it and it is not writable already. */
static void writable_too(uint32_t obj)
{
	pfn_t f = page_find(KEY(CLIENT_KERNEL, obj));

	if (f && page_of(f)->flags & PG_SUPPLIED && page_of(f)->epoch != epoch_now &&
	    !(page_of(f)->flags & PG_POSTPONED))
		permit_write(f);
}

/* The page left that frame before the event was read. Who waits looks again, and meets a fault; the frame must not
 * stay writable, for its next page begins clean. */
static void not_there(uint64_t pfn)
{
	fc_push(L4_FC_WRITABLE, pfn, 0);
	fc_push(L4_FC_PROTECT, pfn, 0);
}

/* A thread that writes one of its objects writes all three before long: answering them together saves it two
 * more stops after each snapshot. */
static void stale(uint64_t pfn)
{
	struct page *p = page_valid(pfn) ? page_of((pfn_t)pfn) : NULL;
	uint32_t obj, type;

	if (!p || p->flags & (PG_DEAD | PG_DOOMED | PG_LOADING)) {
		not_there(pfn);
		return;
	}
	permit_write((pfn_t)pfn);
	p->flags |= PG_USED;
	if (KEY_CLIENT(p->key) != CLIENT_KERNEL)
		return;
	obj = (uint32_t)KEY_VPN(p->key);
	type = L4_OBJ_TYPE(obj);
	if (type != L4_OBJ_TCB && type != L4_OBJ_UTCB)
		return;
	writable_too(L4_OBJ(L4_OBJ_TABLE, L4_OBJ_INDEX(obj) / L4_TABLE_PER_PAGE));
	writable_too(L4_OBJ(type == L4_OBJ_TCB ? L4_OBJ_UTCB : L4_OBJ_TCB, L4_OBJ_INDEX(obj)));
}

void kobj_event(uint64_t word)
{
	uint64_t name = word & L4_EV_NAME_MASK;

	switch (word >> L4_EV_SHIFT) {
	case L4_EV_NEED:
		need((uint32_t)name);
		break;
	case L4_EV_FRESH:
		fresh((uint32_t)name);
		break;
	case L4_EV_STALE:
		stale(name);
		break;
	case L4_EV_DISCARD:
		discard((uint32_t)name);
		break;
	case L4_EV_SPACE_DIED:
		if (name == record.root_space)  /* no other has pages in the store */
			discard_client((uint32_t)name);
		break;
	case L4_EV_STOPPED:
		kobj_stopped++;         /* the kernel's line on the console says why */
		break;
	default:
		log_error("kernel event 0x%lx is not known", word);
	}
}

/* False: it must still wait. */
static bool __attribute__((noinline, cold)) retry_slot(uint32_t slot)
{
	uint32_t obj = slot_obj(slot);
	unsigned what = defer_get(slot);

	defer_set(slot, DEFER_NOTHING);
	if (what == DEFER_NEED)
		need(obj);
	else if (what == DEFER_FRESH)
		fresh(obj);
	else
		discard(obj);
	return defer_get(slot) == DEFER_NOTHING;
}

/* Begins behind the object with which the last call ended, so that each has its turn. A discard and a need may wait for different
 * things: a few failures do not end it. */
void kobj_retry(void)
{
	static uint32_t at;             /* word of defer_map */
	unsigned failures = 0;

	for (uint32_t n = 0; deferred && n < WORDS; n++) {
		for (uint64_t w = ((const uint64_t *)defer_map)[at]; w; w &= ~(3ul << (__builtin_ctzll(w) & ~1)))
			failures += !retry_slot(at * PER_WORD + (uint32_t)__builtin_ctzll(w) / 2);
		at = (at + 1) % WORDS;
		if (failures >= RETRY_FAILURES)
			return;         /* nothing has got better */
	}
}

uint32_t kobj_space_of(uint64_t number)
{
	const struct tte *entry = entry_of(number);

	return entry && entry->flags & TTE_EXISTS ? entry->space : 0;
}
