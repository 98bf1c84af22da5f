/* SPDX-License-Identifier: BSD-2-Clause
 * Second chance over the frames in memory order; reads with a fixed number of operations in flight, the
 * others waiting in a list through the pages themselves. A page has its frame, in state PG_LOADING, from the
 * moment somebody asks for it, so it is asked for once.
 */
#include "reclaim.h"

#include <l4/framecontrol.h>
#include <l4/message.h>
#include <l4/space.h>

#include "commit.h"
#include "cow.h"
#include "discard.h"
#include "io.h"
#include "kobj.h"
#include "log.h"
#include "pending.h"
#include "server.h"
#include "snapshot.h"
#include "volatile.h"

#define LOADS           64u
#define LOW_WATER       256u            /* free frames below which clean pages are dropped */
#define STEPS           32u             /* pages looked at per message */
#define STEPS_URGENT    2048u
#define COMPLAIN_US     5000000ul

struct load_counters load_count;

static struct store_op load[LOADS];
static struct store_op *free_load;
static bool loads_linked;
static pfn_t queue_head, queue_tail, retry_head;
static uint64_t hand;
static pfn_t kept;
static uint64_t silent_tsc;             /* until when no failed read is complained of */

/* ---- Frames ---------------------------------------------------------------------------------- */


unsigned long reclaim_unmap(pfn_t f)
{
	L4_Fpage_t fp = L4_FpageLog2((L4_Word_t)page_data(f), 12);
	L4_Word_t seen;

	fc_flush();
	L4_LoadMR(0, fp.raw | L4_FullyAccessible);
	L4_Unmap(0);
	L4_StoreMR(0, &seen);
	return seen & L4_FullyAccessible;
}

void reclaim_keep(pfn_t f)
{
	kept = f;
}

bool reclaim_page(pfn_t f, bool even_used)
{
	struct page *p = page_of(f);

	if (f == kept || p->flags & (PG_LOADING | PG_POSTPONED | PG_DEAD | PG_DOOMED) || p->buf)
		return false;
	if (!even_used && (p->epoch || p->flags & PG_USED)) {
		p->flags &= (uint8_t)~PG_USED;
		return false;
	}
	if (KEY_CLIENT(p->key) == CLIENT_KERNEL) {
		uint32_t obj = (uint32_t)KEY_VPN(p->key);

		if (L4_OBJ_TYPE(obj) == L4_OBJ_TABLE)
			return false;
		if (p->flags & PG_SUPPLIED) {
			if (fc_now(L4_FC_EVICT, obj, 0) != L4_FC_OK)
				return false;
			load_count.evicted++;
		}
	} else if (volatile_page(p->key)) {
		return false;                   /* it is nowhere else */
	} else if (p->flags & PG_MAPPED && fc_now(L4_FC_RECLAIM, f, 0) == L4_FC_BUSY) {
		return false;
	}
	p->flags &= (uint8_t)~(PG_SUPPLIED | PG_MAPPED);
	if (p->epoch)
		return false;
	page_drop(f);
	load_count.dropped++;
	return true;
}

static bool search(unsigned steps, unsigned wanted)
{
	unsigned got = 0;

	if (!commit_persistent())
		return false;                   /* nothing could be read back */
	while (steps-- && got < wanted) {
		pfn_t f = page_next(&hand);

		if (!f)
			break;
		if (reclaim_page(f, false))
			got++;
	}
	return got;
}

void reclaim_some(void)
{
	if (frames_free() >= LOW_WATER)
		return;
	if (!search(STEPS, 8) && cow.dirty > cow.snap)
		snapshot_want();
}

pfn_t frame_get(uint64_t key, bool zero)
{
	uint64_t reserve = KEY_CLIENT(key) == CLIENT_KERNEL ? FRAMES_RESERVE_OBJECTS : FRAMES_RESERVE_CLIENTS;
	pfn_t f = page_new(key, zero, reserve);

	if (f || !search(STEPS_URGENT, 16)) {
		if (!f)
			snapshot_want();
		return f;
	}
	return page_new(key, zero, reserve);
}

/* ---- Reading --------------------------------------------------------------------------------- */

static void link_loads(void)
{
	for (unsigned i = 0; i < LOADS; i++) {
		load[i].owner = free_load;
		free_load = &load[i];
	}
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

/* It is read again at every tick; the line is not made again at every tick. */
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

	if (status == STORE_EIO) {
		complain(key, block);
		p->wait_next = retry_head;
		retry_head = f;
		return;
	}
	p->flags &= (uint8_t)~PG_LOADING;
	load_count.reads++;
	if (p->flags & PG_DOOMED) {             /* discarded while it was read */
		p->flags &= (uint8_t)~PG_DOOMED;
		cow_discard(f);
		return;
	}
	if (status != STORE_OK)
		load_damaged(f, status, block);
	if (KEY_CLIENT(key) == CLIENT_KERNEL)
		kobj_loaded((uint32_t)KEY_VPN(key), status == STORE_OK ? f : 0);
	pending_page(key, status == STORE_OK);
}

static void queue_run(void);

static void load_done(struct store_op *op)
{
	pfn_t f = (pfn_t)(virt_to_phys(op->buf) >> 12);

	op->owner = free_load;
	free_load = op;
	load_over(f, op->status, op->block);
	queue_run();
}

/* Starts one read. The result if it was immediate, else STORE_PENDING. */
static int load_issue(pfn_t f)
{
	struct store_op *op = free_load;
	uint64_t key = page_of(f)->key;
	int status;

	free_load = op->owner;
	op->client = KEY_CLIENT(key);
	op->vpn = KEY_VPN(key);
	op->buf = page_data(f);
	op->done = load_done;
	status = store_read(commit_store(), op);
	if (status != STORE_PENDING) {
		op->owner = free_load;
		free_load = op;
	}
	return status;
}

static void queue_run(void)
{
	while (queue_head && free_load) {
		pfn_t f = queue_head;
		int status;

		queue_head = page_of(f)->wait_next;
		status = load_issue(f);
		if (status != STORE_PENDING)
			load_over(f, status, 0);
	}
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
	status = load_issue(f);
	if (status == STORE_PENDING)
		return LOAD_WAIT;
	if (status == STORE_OK) {
		page_of(f)->flags &= (uint8_t)~PG_LOADING;
		load_count.reads++;
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
	while (retry_head) {
		pfn_t f = retry_head;

		retry_head = page_of(f)->wait_next;
		queue_put(f);
	}
	queue_run();
}
