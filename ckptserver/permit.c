/* SPDX-License-Identifier: BSD-2-Clause
 * Permission to write; see permit.h. Who waits stands in a list through the pages themselves.
 */
#include "permit.h"

#include <l4/framecontrol.h>

#include "cow.h"
#include "io.h"
#include "server.h"

struct permit_counters permit;

struct waiting { pfn_t head, tail; };

static struct waiting postponed;        /* for a buffer */
static struct waiting throttled;        /* for room */

#define SERVE_MAX       64u             /* throttled pages served at a time */

/* Called before the number of waiters changes, too: counts what they have waited until now. */
uint64_t permit_waited(void)
{
	static uint64_t since, waited;
	uint64_t now = rdtsc();

	waited += permit.waiting * (now - since);
	since = now;
	return waited;
}

static void wait_put(struct waiting *list, pfn_t f)
{
	page_of(f)->flags |= PG_POSTPONED;
	page_of(f)->wait_next = 0;
	if (list->head)
		page_of(list->tail)->wait_next = f;
	else
		list->head = f;
	list->tail = f;
}

static pfn_t wait_get(struct waiting *list)
{
	pfn_t f = list->head;

	list->head = page_of(f)->wait_next;
	page_of(f)->flags &= (uint8_t)~PG_POSTPONED;
	return f;
}

bool permit_write(pfn_t f)
{
	enum taken t = cow_try(f);

	if (t == TAKEN) {
		fc_push(L4_FC_WRITABLE, f, 0);
		return true;
	}
	if (page_of(f)->flags & PG_POSTPONED)
		return false;
	if (t == NO_BUFFER) {
		wait_put(&postponed, f);
		permit_waited();
		permit.waiting++;
		permit.postponed++;
	} else {
		wait_put(&throttled, f);
		permit.throttled++;
		permit.throttles++;
	}
	return false;
}

void permit_throttled(void)
{
	for (unsigned i = 0; i < SERVE_MAX && throttled.head; i++) {
		pfn_t f = wait_get(&throttled);

		permit.throttled--;
		if (permit_write(f))
			continue;
		if (throttled.head && throttled.tail == f)
			permit.throttles--;        /* the same one, still */
		break;
	}
}

bool permit_withdraw(pfn_t f)
{
	pfn_t before = 0;

	for (pfn_t at = throttled.head; at; before = at, at = page_of(at)->wait_next) {
		if (at != f)
			continue;
		if (before)
			page_of(before)->wait_next = page_of(f)->wait_next;
		else
			throttled.head = page_of(f)->wait_next;
		if (throttled.tail == f)
			throttled.tail = before;
		page_of(f)->flags &= (uint8_t)~PG_POSTPONED;
		permit.throttled--;
		return true;
	}
	return false;
}

void permit_postponed(void)
{
	while (postponed.head && cow_buffer_free()) {
		pfn_t f = wait_get(&postponed);

		permit_waited();
		permit.waiting--;
		if (page_of(f)->flags & (PG_DEAD | PG_DOOMED))
			continue;               /* discarded meanwhile: nobody waits */
		/* One that waits for room now has left the others what there is of buffers. */
		if (!permit_write(f) && postponed.tail == f)
			break;
	}
}
