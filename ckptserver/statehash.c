/* SPDX-License-Identifier: BSD-2-Clause
 * See statehash.h.
 */
#include "statehash.h"

#if DEBUG
#include "commit.h"
#include "log.h"
#include "server.h"
#include "store.h"
#include "volatile.h"

#define CLEAN_CHECKS    32u             /* clean pages looked at in a pause */

/* What is known of the content of the page that has `key`, while it is in this frame. */
struct known {
	uint64_t key;
	uint64_t sum;                   /* 0: zero page */
	uint32_t snapshot;              /* epoch of the snapshot that it is part of and not yet copied for; 0: none */
	uint8_t  valid;
};

static struct known *known;             /* by frame */
static uint32_t current;                /* epoch that the snapshot ended */
static uint64_t left;                   /* of its pages, not yet copied */
static bool given_up;

bool statehash_init(void)
{
	known = server_alloc(boot->max_pfn * sizeof *known);
	return known;
}

static uint64_t sum_of(const void *content)
{
	return content && !page_is_zero(content) ? store_sum(content) : 0;
}

static void __attribute__((noreturn)) wrong(uint64_t key, const char *what)
{
	server_crash("state hash: page client=%u page=0x%lx %s", KEY_CLIENT(key), KEY_VPN(key), what);
}

static void know(pfn_t f, const void *content, uint32_t snapshot)
{
	known[f] = (struct known){ .key = page_of(f)->key, .sum = sum_of(content), .snapshot = snapshot, .valid = true };
}

void statehash_loaded(pfn_t f, const void *content)
{
	know(f, content, 0);
}

static void check_clean(pfn_t f)
{
	const struct page *p = page_of(f);
	const struct known *k = &known[f];

	if (!commit_persistent() || !k->valid || k->key != p->key || p->epoch || p->buf || volatile_page(p->key) ||
	    p->flags & (PG_LOADING | PG_DEAD | PG_DOOMED))
		return;
	if (sum_of(page_data(f)) != k->sum)
		wrong(p->key, "has changed and counts as clean");
}

static void check_some_clean(void)
{
	static uint64_t hand;

	for (unsigned n = 0; n < CLEAN_CHECKS; n++) {
		pfn_t f = page_next(&hand);

		if (!f)
			return;
		check_clean(f);
	}
}

void statehash_snapshot(uint32_t dirty, uint64_t count)
{
	uint64_t found = 0;
	uint64_t at = 0;
	pfn_t first = page_next(&at), f = first;

	current = dirty;
	given_up = false;
	left = 0;
	if (!first)
		return;
	do {
		const struct page *p = page_of(f);

		if (p->epoch == dirty) {
			found++;
			if (!volatile_page(p->key)) {
				know(f, p->flags & PG_DEAD ? NULL : page_data(f), dirty);
				left++;
			}
		}
		f = page_next(&at);
	} while (f != first);
	if (found != count)
		server_crash("state hash: %lu pages are dirty, the snapshot has %lu", found, count);
	check_some_clean();
}

void statehash_copied(pfn_t f, const void *copy, bool of_snapshot)
{
	const struct page *p = page_of(f);
	const struct known *k = &known[f];

	if (of_snapshot && !given_up) {
		bool expected = k->key == p->key && k->snapshot == current;

		if (!expected && !volatile_in_snapshot(p->key))
			wrong(p->key, "was not dirty in the pause, and is saved");
		if (expected && sum_of(copy) != k->sum)
			wrong(p->key, "has changed since the snapshot");
		left -= expected;
	}
	know(f, copy, 0);
}

void statehash_new(pfn_t f)
{
	known[f] = (struct known){ 0 };
}

void statehash_abandoned(void)
{
	left = 0;
	given_up = true;
}

void statehash_saved(void)
{
	if (left)
		server_crash("state hash: %lu pages of the snapshot were not saved", left);
}

void statehash_recovered(struct store *st)
{
	struct store_verified v;
	int status = store_state_verify(st, &v);
	uint64_t generation = store_generation(st);

	if (status == STORE_OK)
		log_line("[ckpt] state hash gen=%lu %s pages=%lu", generation, v.known ? "ok" : "new", v.pages);
	else if (status == STORE_DAMAGED && !v.block)
		server_crash("state hash: the %lu pages of generation %lu do not add up to it", v.pages, generation);
	else
		log_line("[ckpt] state hash gen=%lu not verified: block=%lu %s", generation, v.block, store_strerror(status));
}

void statehash_dropped(pfn_t f)
{
	check_clean(f);
}
#endif
