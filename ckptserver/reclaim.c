/* SPDX-License-Identifier: BSD-2-Clause
 * Frames for pages: second chance over clean pages in memory order; cow.c makes dirty ones clean. Reads with a fixed
 * number of operations in flight, the others waiting in a list through the pages themselves. A page has its frame, in state
 * PG_LOADING, from the moment somebody asks for it, so it is asked for once.
 *
 * Read-ahead: pages of clients only, by the window at read_ahead. A page read ahead that cannot be read is forgotten.
 *
 * Second chance: a page of a client was used if the processor has set the accessed bit of one of its mappings since the hand
 * came by last (Unmap without rights reads and clears them; pages are asked in batches). The kernel's objects have no such
 * bits: one was used if it was supplied or has become stale since (PG_USED), which every epoch makes it; an object that
 * is taken too early comes back by a NEED.
 */
#include "reclaim.h"

#include <l4/framecontrol.h>
#include <l4/message.h>
#include <l4/space.h>

#include "badread.h"
#include "commit.h"
#include "cow.h"
#include "discard.h"
#include "io.h"
#include "kobj.h"
#include "log.h"
#include "pending.h"
#include "server.h"
#include "statehash.h"
#include "writer.h"

#define LOADS           64u
#define LOADS_DEMAND    16u             /* of these, so many are left to reads that somebody waits for */
#define STREAMS         8u              /* readers in sequence that are told apart */
#define STREAM_GAP      8u              /* pages that a sequence may leave out, for they are in memory */
#define AHEAD_MIN       4u
#define AHEAD_MAX       32u
#define LOW_MAX         256u            /* free frames below which clean pages are dropped: an eighth of all, at most this */
#define STEPS           64u             /* frames looked at per message */
#define STEPS_URGENT    1024u
#define BATCH           32u             /* pages of clients asked together */
#define COMPLAIN_US     5000000ul

struct load_counters load_count;

static struct store_op load[LOADS];
static bool ahead[LOADS];               /* nobody has asked for that page yet */
static unsigned loads_free;
static struct store_op *free_load;
static bool loads_linked;
static pfn_t queue_head, queue_tail, retry_head;
static uint64_t hand;
static pfn_t kept;
static bool wanting;                    /* somebody was refused a frame since the last retry */
static uint64_t wanting_since, waited;
static struct {
	pfn_t page[BATCH];
	unsigned n;
} batch;
static uint64_t silent_tsc;             /* until when no failed read is complained of */

/* ---- Frames ---------------------------------------------------------------------------------- */

/* Unmap of `rights` in every mapping of these pages. The accesses since the last time go to seen[]. */
static void unmap(const pfn_t *page, unsigned n, L4_Word_t rights, L4_Word_t *seen)
{
	fc_flush();
	for (unsigned i = 0; i < n; i++)
		seen[i] = L4_FpageLog2((L4_Word_t)page_data(page[i]), 12).raw | rights;
	L4_LoadMRs(0, (int)n, seen);
	L4_Unmap(n - 1);
	L4_StoreMRs(0, (int)n, seen);
	for (unsigned i = 0; i < n; i++)
		seen[i] &= L4_FullyAccessible;
}

unsigned long reclaim_unmap(pfn_t f)
{
	L4_Word_t seen;

	unmap(&f, 1, L4_FullyAccessible, &seen);
	return seen;
}

unsigned long reclaim_accesses(pfn_t f)
{
	L4_Word_t seen;

	if (!(page_of(f)->flags & PG_MAPPED))
		return 0;
	unmap(&f, 1, 0, &seen);
	return seen;
}

void reclaim_keep(pfn_t f)
{
	kept = f;
}

static void drop(pfn_t f)
{
	page_drop(f);
	load_count.dropped++;
}

/* Is the page one that may be taken at all? */
static bool takeable(pfn_t f)
{
	const struct page *p = page_of(f);

	return f != kept && !(p->flags & (PG_LOADING | PG_POSTPONED | PG_DEAD | PG_DOOMED)) && !p->buf &&
	       !(KEY_CLIENT(p->key) == CLIENT_KERNEL && L4_OBJ_TYPE(KEY_VPN(p->key)) == L4_OBJ_TABLE);
}

/* Every mapping of the frame goes, unless the ticket's holder was given it. */
static bool revoke(pfn_t f)
{
	if (page_of(f)->flags & PG_MAPPED && fc_now(L4_FC_RECLAIM, f, 0) == L4_FC_BUSY)
		return false;
	page_of(f)->flags &= (uint8_t)~PG_MAPPED;
	return true;
}

static bool evict(pfn_t f)
{
	struct page *p = page_of(f);

	if (p->flags & PG_SUPPLIED) {
		if (fc_now(L4_FC_EVICT, KEY_VPN(p->key), 0) != L4_FC_OK)
			return false;
		load_count.evicted++;
	}
	p->flags &= (uint8_t)~PG_SUPPLIED;
	return true;
}

bool reclaim_page(pfn_t f)
{
	struct page *p = page_of(f);

	if (!takeable(f))
		return false;
	if (KEY_CLIENT(p->key) == CLIENT_KERNEL ? !evict(f) : !revoke(f))
		return false;
	if (p->epoch)
		return false;
	drop(f);
	return true;
}

/* Drops the pages of the batch that nobody has used. Returns how many. */
static unsigned batch_finish(void)
{
	L4_Word_t seen[BATCH];
	unsigned n = batch.n, idle = 0;

	batch.n = 0;
	if (!n)
		return 0;
	unmap(batch.page, n, 0, seen);
	for (unsigned i = 0; i < n; i++)
		if (!seen[i])
			batch.page[idle++] = batch.page[i];
	for (unsigned i = 0, all = idle; i < all; i++) {
		if (revoke(batch.page[i]))
			drop(batch.page[i]);
		else
			idle--;
	}
	return idle;
}

/* One clean page under the hand: dropped at once, or put into the batch. Returns how many frames that gave. */
static unsigned consider(pfn_t f)
{
	struct page *p = page_of(f);

	if (p->epoch || !takeable(f))
		return 0;
	if (p->flags & PG_USED) {
		p->flags &= (uint8_t)~PG_USED;
		return 0;
	}
	if (p->flags & PG_MAPPED) {
		if (batch.n && f <= batch.page[batch.n - 1])
			return batch_finish();  /* the hand has gone round: f may be in it already */
		batch.page[batch.n++] = f;
		return batch.n == BATCH ? batch_finish() : 0;
	}
	if (KEY_CLIENT(p->key) == CLIENT_KERNEL && !evict(f))
		return 0;
	drop(f);
	return 1;
}

static unsigned search(unsigned steps, unsigned wanted)
{
	unsigned got = 0;

	if (!commit_persistent())
		return 0;                       /* nothing could be read back */
	while (steps-- && got < wanted) {
		pfn_t f = page_next(&hand);

		if (!f)
			break;
		got += consider(f);
	}
	return got + batch_finish();
}

static uint64_t low_water(void)
{
	uint64_t n = frames_total() / 8;

	return n < LOW_MAX ? n : LOW_MAX;
}

static uint64_t reserve_of(uint64_t key)
{
	uint64_t n = low_water() / 4;

	return KEY_CLIENT(key) == CLIENT_KERNEL ? FRAMES_RESERVE_OBJECTS :
	       n < FRAMES_RESERVE_CLIENTS ? n : FRAMES_RESERVE_CLIENTS;
}

bool reclaim_short(void)
{
	return commit_persistent() && frames_free() < low_water();
}

uint64_t reclaim_waited(void)
{
	return waited + (wanting ? rdtsc() - wanting_since : 0);
}

bool reclaim_wanted(void)
{
	return wanting;
}

void reclaim_some(void)
{
	if (frames_free() < low_water() && !search(STEPS, 16))
		writer_look();                  /* dirty pages are to become clean: cow_clean_unit, or the commit under way */
	if (wanting && frames_free() > reserve_of(KEY(CLIENT_KERNEL + 1, 0))) {
		wanting = false;
		waited += rdtsc() - wanting_since;
		kobj_retry();
		pending_retry();
	}
}

pfn_t frame_get(uint64_t key, bool zero)
{
	uint64_t reserve = reserve_of(key);
	pfn_t f = page_new(key, zero, reserve);

	if (!f && search(STEPS_URGENT, BATCH))
		f = page_new(key, zero, reserve);
	if (f)
		statehash_new(f);
	if (!f) {
		if (!wanting)
			wanting_since = rdtsc();
		wanting = true;
		load_count.no_frame++;
		writer_wake();
	}
	return f;
}

/* ---- Reading --------------------------------------------------------------------------------- */

static void load_put(struct store_op *op)
{
	op->owner = free_load;
	free_load = op;
	loads_free++;
}

static void link_loads(void)
{
	for (unsigned i = 0; i < LOADS; i++)
		load_put(&load[i]);
	loads_linked = true;
}

static void queue_put(pfn_t f)
{
	page_of(f)->wait_next = 0;
	if (queue_head)
		page_of(queue_tail)->wait_next = f;
	else
		queue_head = f;
	queue_tail = f;
}

static void load_damaged(pfn_t f, int status, uint64_t block)
{
	uint64_t key = page_of(f)->key;

	load_count.damaged++;
	log_error("damaged page client=%u page=0x%lx block=%lu: %s", KEY_CLIENT(key), KEY_VPN(key),
		  block, store_strerror(status));
	page_drop(f);
}

/* It is read again and again; the line is not made again each time. */
static void complain(uint64_t key, uint64_t block)
{
	uint64_t now = rdtsc();

	if (now < silent_tsc)
		return;
	silent_tsc = now + time_ticks(COMPLAIN_US);
	log_error("page client=%u page=0x%lx block=%lu cannot be read: %s; trying again", KEY_CLIENT(key), KEY_VPN(key),
		  block, store_strerror(STORE_EIO));
}

/* The page is there, or will not come. */
static void load_over(pfn_t f, int status, uint64_t block)
{
	struct page *p = page_of(f);
	uint64_t key = p->key;

	if (status == STORE_EIO && !badread_failed(key)) {
		complain(key, block);
		p->wait_next = retry_head;
		retry_head = f;
		return;
	}
	badread_over(key);
	p->flags &= (uint8_t)~PG_LOADING;
	load_count.reads++;
	if (p->flags & PG_DOOMED) {             /* discarded while it was read */
		p->flags &= (uint8_t)~PG_DOOMED;
		cow_discard(f);
		return;
	}
	if (status != STORE_OK)
		load_damaged(f, status, block);
	else
		statehash_loaded(f, page_data(f));
	if (KEY_CLIENT(key) == CLIENT_KERNEL)
		kobj_loaded((uint32_t)KEY_VPN(key), status == STORE_OK ? f : 0);
	pending_page(key, status == STORE_OK);
}

static void queue_run(void);

static void load_done(struct store_op *op)
{
	pfn_t f = (pfn_t)(virt_to_phys(op->buf) >> 12);
	uint64_t key = page_of(f)->key;

	load_put(op);
	/* Only who needs a page is to hear that it cannot be read. */
	if (op->status != STORE_OK && ahead[op - load] && !(page_of(f)->flags & PG_DOOMED) && !pending_waits(key))
		page_drop(f);
	else
		load_over(f, op->status, op->block);
	queue_run();
}

/* Starts one read. The result if it was immediate, else STORE_PENDING. */
static int load_issue(pfn_t f, bool is_ahead)
{
	struct store_op *op = free_load;
	uint64_t key = page_of(f)->key;
	int status;

	free_load = op->owner;
	loads_free--;
	ahead[op - load] = is_ahead;
	op->client = KEY_CLIENT(key);
	op->vpn = KEY_VPN(key);
	op->buf = page_data(f);
	op->done = load_done;
	status = store_read(commit_store(), op);
	if (status != STORE_PENDING)
		load_put(op);
	return status;
}

static void queue_run(void)
{
	while (queue_head && free_load) {
		pfn_t f = queue_head;
		int status;

		queue_head = page_of(f)->wait_next;
		status = load_issue(f, false);
		if (status != STORE_PENDING)
			load_over(f, status, 0);
	}
}

/* Reads the page of the store if it is there, for nobody yet. False: not now. */
static bool load_ahead(uint64_t key)
{
	const struct store_op *op = free_load;
	pfn_t f;
	int status;

	if (loads_free <= LOADS_DEMAND || frames_free() <= low_water() / 2)
		return false;
	if (page_find(key) || discard_hides(key))
		return true;
	f = page_new(key, false, reserve_of(key));
	if (!f)
		return false;
	page_of(f)->flags |= PG_LOADING;
	status = load_issue(f, true);
	if (status == STORE_PENDING) {
		load_count.ahead++;
		return true;
	}
	page_of(f)->flags &= (uint8_t)~PG_LOADING;
	if (status != STORE_OK || op->hole)
		page_drop(f);
	return true;
}

/* Who reads one page after the other: each time he must wait, more of what follows is read. */
static void read_ahead(uint64_t key)
{
	static struct { uint64_t next; unsigned window; } stream[STREAMS];
	static unsigned oldest;

	for (unsigned i = 0; i < STREAMS; i++) {
		unsigned n = stream[i].window;

		if (key - stream[i].next > STREAM_GAP)
			continue;
		stream[i].window = n < AHEAD_MAX ? 2 * n : n;
		stream[i].next = key + 1 + n;
		for (uint64_t k = key + 1; k <= key + n; k++)
			if (!load_ahead(k))
				break;
		return;
	}
	stream[oldest].next = key + 1;
	stream[oldest].window = AHEAD_MIN;
	oldest = (oldest + 1) % STREAMS;
}

enum load_result load_start(uint64_t key)
{
	bool nowhere = !commit_persistent() || discard_hides(key);
	pfn_t f;
	int status;

	if (!loads_linked)
		link_loads();
	f = frame_get(key, nowhere);
	if (!f)
		return LOAD_NO_FRAME;
	if (nowhere)
		return LOAD_NOW;
	page_of(f)->flags |= PG_LOADING;
	if (!free_load) {
		queue_put(f);
		return LOAD_WAIT;
	}
	status = load_issue(f, false);
	if (status == STORE_PENDING) {
		if (KEY_CLIENT(key) != CLIENT_KERNEL)
			read_ahead(key);
		return LOAD_WAIT;
	}
	if (status == STORE_OK) {
		page_of(f)->flags &= (uint8_t)~PG_LOADING;
		load_count.reads++;
		statehash_loaded(f, page_data(f));
		return LOAD_NOW;
	}
	if (status == STORE_EIO) {
		load_over(f, status, 0);
		return LOAD_WAIT;
	}
	load_damaged(f, status, 0);
	return LOAD_DAMAGED;
}

bool load_retry_wanted(void)
{
	return retry_head;
}

void load_retry(void)
{
	if (retry_head && !badread_due(rdtsc()))
		return;
	while (retry_head) {
		pfn_t f = retry_head;

		retry_head = page_of(f)->wait_next;
		queue_put(f);
	}
	queue_run();
}
