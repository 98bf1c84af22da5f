/* SPDX-License-Identifier: BSD-2-Clause
 * Chaos; see chaos.h.
 */
#include "chaos.h"

#include <l4/bootinfo.h>
#include <l4/framecontrol.h>

#include "cow.h"
#include "kobj.h"
#include "pages.h"
#include "reclaim.h"
#include "server.h"

static uint64_t state;
static uint64_t hand, many_hand;

/* One in how many. */
static const unsigned one_in[CHAOS_EVENTS] = {
	[CHAOS_NO_BUFFER] = 4,
	[CHAOS_SNAPSHOT] = 64,
	[CHAOS_EVICT] = 6,
	[CHAOS_NO_ROOM] = 64,
	[CHAOS_PROTECT] = 6,
};

void chaos_init(uint64_t seed)
{
	state = seed ? seed * 0x9e3779b97f4a7c15ul | 1 : 0;
}

bool chaos_on(void)
{
	return state != 0;
}

uint64_t chaos_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

bool chaos_roll(enum chaos_event e)
{
	return state && (chaos_random() >> 20) % one_in[e] == 0;
}

static void protect(pfn_t f)
{
	const struct page *p = page_of(f);

	fc_now(L4_FC_PROTECT, f, L4_FC_IF_IDLE | (p->flags & PG_SUPPLIED ? L4_FC_IS_OBJECT | KEY_VPN(p->key) : 0));
}

/* chaos.evict=N: so many pages in turn are taken from whoever uses them. With N near the number of pages in memory nothing
 * stays but what the kernel calls busy. */
static void evict_many(void)
{
	for (unsigned n = options.chaos_evict; n; n--) {
		pfn_t f = page_next(&many_hand);

		if (!f)
			return;
		reclaim_page(f);
	}
}

static void disturb(void)
{
	evict_many();
	if (!state)
		return;
	if (chaos_roll(CHAOS_EVICT)) {
		pfn_t f;

		if (chaos_roll(CHAOS_EVICT))
			hand = chaos_random() % boot->max_pfn;
		f = page_next(&hand);
		if (f)
			reclaim_page(f);
	}
	if (chaos_roll(CHAOS_PROTECT)) {
		pfn_t f = page_next(&hand);

		if (f && page_of(f)->epoch == epoch_now && !(page_of(f)->flags & (PG_DEAD | PG_LOADING)))
			protect(f);
	}
}

void chaos_act(void)
{
	if (state || options.chaos_evict)
		disturb();
}
