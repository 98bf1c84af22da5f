/* SPDX-License-Identifier: BSD-2-Clause
 * Volatile ranges; see volatile.h.
 */
#include "volatile.h"

#include <l4/ckpt.h>

#include "commit.h"
#include "discard.h"
#include "kobj.h"
#include "pages.h"

static bool inside(const struct record_range *r, uint64_t vpn)
{
	return vpn - r->first < r->pages;
}

static unsigned in_snapshot;            /* ranges that there were at the last snapshot: none ever goes */

/* Is the page in one of the first n ranges? */
static bool in_ranges(uint64_t key, unsigned n)
{
	if (!record.volatile_range[0].pages || KEY_CLIENT(key) != record.root_space)
		return false;
	for (unsigned i = 0; i < n; i++)
		if (inside(&record.volatile_range[i], KEY_VPN(key)))
			return true;
	return false;
}

bool volatile_page(uint64_t key)
{
	return in_ranges(key, RECORD_RANGES);
}

bool volatile_in_snapshot(uint64_t key)
{
	return in_ranges(key, in_snapshot);
}

void volatile_snapshot(void)
{
	while (in_snapshot < RECORD_RANGES && record.volatile_range[in_snapshot].pages)
		in_snapshot++;
}

void volatile_recovered(void)
{
	for (unsigned i = 0; i < RECORD_RANGES; i++) {
		const struct record_range *r = &record.volatile_range[i];

		if (r->pages)
			discard_saved(record.root_space, r->first, r->first + r->pages);
	}
}

uint64_t volatile_request(L4_ThreadId_t client, uint64_t first, uint64_t bytes)
{
	uint64_t vpn = first >> 12, pages = bytes >> 12;

	if (kobj_space_of(L4_ThreadNo(client)) != record.root_space)
		return L4_CKPT_DENIED;
	if ((first | bytes) % PAGE_BYTES || !pages || vpn >= record.store_pages || pages > record.store_pages - vpn)
		return L4_CKPT_BAD_REQUEST;
	for (unsigned i = 0; i < RECORD_RANGES; i++) {
		struct record_range *r = &record.volatile_range[i];

		if (!r->pages)
			*r = (struct record_range){ vpn, pages };
		if (inside(r, vpn) && inside(r, vpn + pages - 1))
			return L4_CKPT_OK;
	}
	return L4_CKPT_BUSY;
}
