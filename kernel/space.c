/* SPDX-License-Identifier: BSD-2-Clause
 * Address spaces. See space.h; page tables and mappings are ptab.c and mapdb.c.
 *
 * A space exists while its record counts threads. Its volatile half is made when somebody first asks for the number, and is
 * kept: numbers are few.
 */
#include "kernel/space.h"
#include "kernel/thread.h"
#include "kernel/kernel.h"
#include "kernel/arch.h"
#include "kernel/guard.h"
#include "kernel/ticket.h"
#include "kernel/percpu.h"
#include <l4/framecontrol.h>

#define REAP_PIECE      16              /* mapping nodes in one piece of destruction */

static struct space *space_tab[L4_MAX_SPACES];
static struct space *dying;
static u32 free_hint = L4_FIRST_SPACE;  /* no free number below */

struct space *space_at(u32 no)
{
	return no < L4_MAX_SPACES ? space_tab[no] : NULL;
}

struct ptab *ptab_of_space(u32 no)
{
	return &space_tab[no]->pt;
}

struct space *space_get(u32 no)
{
	struct space *s;

	if (no >= L4_MAX_SPACES)
		return NULL;
	if (space_tab[no])
		return space_tab[no];
	s = pool_alloc(sizeof *s);
	if (!s)
		return NULL;
	memset(s, 0, sizeof *s);
	s->no = no;
	s->residual = no < L4_FIRST_SPACE;
	ptab_create(&s->pt, no, s->residual);
	space_tab[no] = s;
	return s;
}

int space_mark_used(u32 no)
{
	struct space *s = space_get(no);

	if (!s)
		return -1;
	s->in_use = true;
	return 0;
}

u32 space_free_number(void)
{
	u32 no;

	for (no = free_hint; no < L4_MAX_SPACES; no++) {
		struct space *s = space_tab[no];

		if (!s || (!s->in_use && !s->dying)) {
			free_hint = no;
			return no;
		}
	}
	return 0;
}

bool space_check_known(struct space *s, struct wants *w)
{
	if (likely(s->known))
		return true;
	if (!s->damaged)
		want_object(w, L4_EV_NEED, L4_OBJ(L4_OBJ_SPACE, s->no));
	return false;
}

bool space_check_record(struct space *s, struct wants *w)
{
	if (!s->record) {
		if (!s->damaged)
			want_object(w, L4_EV_NEED, L4_OBJ(L4_OBJ_SPACE, s->no));
		return false;
	}
	if (!s->residual && !frame_is_current(virt_to_phys(s->record) >> PAGE_SHIFT)) {
		want_frame(w, s->record);
		return false;
	}
	return true;
}

static bool area_valid(u64 fpage)
{
	u64 bits = fpage_bits(fpage), base = fpage & ~0x3fful;

	return fpage == 0 || (bits >= PAGE_SHIFT && bits < 47 && !(base & ((1ul << bits) - 1)) &&
		base + (1ul << bits) <= USER_END);
}

static void cache_areas(struct space *s)
{
	const struct space_record *r = s->record;

	s->kip_base = r->kip_area ? fpage_base(r->kip_area) : 0;
	s->utcb_base = r->utcb_area ? fpage_base(r->utcb_area) : 0;
	s->utcb_size = r->utcb_area ? 1ul << fpage_bits(r->utcb_area) : 0;
	s->known = true;
}

int space_adopt_record(struct space *s, struct space_record *r)
{
	const struct object_header *h = &r->header;

	if (h->magic != OBJECT_MAGIC || h->version != OBJECT_VERSION || h->type != L4_OBJ_SPACE || h->number != s->no)
		return -1;
	if (!area_valid(r->kip_area) || !area_valid(r->utcb_area) || r->threads > 1u << 18 ||
	    r->active_threads > r->threads)
		return -1;
	s->record = r;
	cache_areas(s);
	return 0;
}

void space_init_record(struct space *s, struct space_record *r)
{
	memset(r, 0, sizeof *r);
	r->header = (struct object_header){ OBJECT_MAGIC, OBJECT_VERSION, L4_OBJ_SPACE, s->no, 0 };
	r->redirector = L4_ANYTHREAD;
	s->record = r;
	s->damaged = false;
	cache_areas(s);
}

void space_set_areas(struct space *s, u64 kip_area, u64 utcb_area)
{
	s->record->kip_area = kip_area;
	s->record->utcb_area = utcb_area;
	cache_areas(s);
}

bool space_owns(const struct space *s, vaddr_t va)
{
	return va - s->utcb_base < s->utcb_size || (s->kip_base && va - s->kip_base < PAGE_SIZE);
}

void space_die(struct space *s)
{
	s->dying = true;
	s->in_use = false;
	s->dying_next = dying;
	dying = s;
}

bool space_reap(void)
{
	struct space *s = dying;

	if (likely(!s))
		return false;
	if (cpu->space == s)
		arch_leave_space();
	if (ptab_destroy(&s->pt, REAP_PIECE))
		return true;
	dying = s->dying_next;
	s->dying = false;
	s->known = false;
	park_release((u64)L4_EV_NEED << L4_EV_SHIFT | L4_OBJ(L4_OBJ_SPACE, s->no), 0, NULL, 0);
	if (s->record && !s->residual) {
		park_release((u64)L4_EV_STALE << L4_EV_SHIFT | virt_to_phys(s->record) >> PAGE_SHIFT, 0, NULL, 0);
		ticket_forget(virt_to_phys(s->record) >> PAGE_SHIFT);
	}
	guard_release(s->record);
	s->record = NULL;
	if (s->no < free_hint && !s->residual)
		free_hint = s->no;
	if (!s->residual) {
		event_post(&s->discard_event, (u64)L4_EV_DISCARD << L4_EV_SHIFT | L4_OBJ(L4_OBJ_SPACE, s->no), 1);
		event_post(&s->died_event, (u64)L4_EV_SPACE_DIED << L4_EV_SHIFT | s->no, 1);
	}
	return dying != NULL;
}
