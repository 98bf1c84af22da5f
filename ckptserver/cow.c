/* SPDX-License-Identifier: BSD-2-Clause
 * Copy-on-write; see cow.h, and pages.h for the states and invariants.
 */
#include "cow.h"

#include <l4/framecontrol.h>

#include "chaos.h"
#include "commit.h"
#include "discard.h"
#include "log.h"
#include "objcheck.h"
#include "permit.h"
#include "reclaim.h"
#include "room.h"
#include "server.h"
#include "statehash.h"
#include "volatile.h"

#define EARLY_MAX       32u             /* early writes at a time, or half the buffers: the snapshot waits for them */

#define LEAF_PAGES      512ul           /* pages under one leaf of the store's index */
#define LEAF_STEPS      64u             /* of these looked for in one unit */
#define HEAT_HOT        4u              /* from here on a page is made writable again as soon as it is copied, … */
#define HEAT_MAX        7u              /* … that often at most until somebody must ask for it again */
#define PASS_MAX        32u             /* volatile pages passed by in one unit */

uint32_t epoch_now = 1;
struct cow_counters cow;

struct buffer {
	struct store_op op;
	void    *data;
	pfn_t    page;                  /* whose copy this is */
	uint16_t next;
	bool     remove;                /* the page is to become a hole */
	bool     early;                 /* of no snapshot: if it fails the page is dirty again */
};

struct fifo {
	uint16_t head, tail;            /* buffer numbers; 0: empty */
};

static struct buffer *buffer;           /* 1 .. cow.buffers */
static struct fifo free_list, copied, failed;
static struct { int status; uint64_t key, block; } last_failure;

static pfn_t dirty_head[2], dirty_tail[2];      /* by epoch & 1; newest first */

/* ---- Lists ----------------------------------------------------------------------------------- */

static void fifo_put(struct fifo *q, uint16_t b)
{
	buffer[b].next = 0;
	if (q->head)
		buffer[q->tail].next = b;
	else
		q->head = b;
	q->tail = b;
}

static uint16_t fifo_get(struct fifo *q)
{
	uint16_t b = q->head;

	if (b)
		q->head = buffer[b].next;
	return b;
}

static void list_add(pfn_t f, uint32_t epoch)
{
	struct page *p = page_of(f);
	pfn_t *head = &dirty_head[epoch & 1];

	p->epoch = epoch;
	p->prev = 0;
	p->next = *head;
	if (*head)
		page_of(*head)->prev = f;
	else
		dirty_tail[epoch & 1] = f;
	*head = f;
}

static void list_remove(pfn_t f)
{
	struct page *p = page_of(f);

	if (p->prev)
		page_of(p->prev)->next = p->next;
	else
		dirty_head[p->epoch & 1] = p->next;
	if (p->next)
		page_of(p->next)->prev = p->prev;
	else
		dirty_tail[p->epoch & 1] = p->prev;
	p->epoch = 0;
}

/* ---- Pages ----------------------------------------------------------------------------------- */

static void make_dirty(pfn_t f)
{
	list_add(f, epoch_now);
	cow.dirty++;
	if (page_of(f)->flags & PG_DEAD)
		cow.dead++;
	else
		room_dirty();
}

static bool is_snap(const struct page *p)
{
	return p->epoch && p->epoch != epoch_now;
}

/* A volatile page is in no checkpoint: a snapshot passes it by. p is SNAP. */
static bool passed_by(const struct page *p)
{
	return !(p->flags & (PG_DEAD | PG_DOOMED)) && volatile_in_snapshot(p->key);
}

/* SNAP -> DIRTY of a page that need not be saved. */
static void pass_by(pfn_t f)
{
	statehash_new(f);
	list_remove(f);
	cow.snap--;
	make_dirty(f);
	cow.passed++;
}

/* The page is DIRTY no more, or in earnest: if it was among those passed by, it is not now. Counting one too few costs a
 * checkpoint that nobody needs, one too many would lose one. */
static void not_passed(const struct page *p)
{
	if (cow.passed && volatile_page(p->key))
		cow.passed--;
}

/* SNAP or DIRTY -> CLEAN: the content is in buffer b. */
static void copy_out(pfn_t f, uint16_t b)
{
	struct page *p = page_of(f);
	bool snap = is_snap(p);

	if (snap) {
		cow.snap--;
	} else {
		cow.dirty--;
		not_passed(p);
	}
	list_remove(f);
	buffer[b].page = f;
	buffer[b].early = false;
	buffer[b].remove = p->flags & PG_DEAD;
	if (!buffer[b].remove)
		page_copy(buffer[b].data, page_data(f));
	statehash_copied(f, buffer[b].remove ? NULL : buffer[b].data, snap);
	p->buf = b;
	if (p->flags & PG_DOOMED) {
		p->flags = (uint8_t)((p->flags & ~PG_DOOMED) | PG_DEAD);
		make_dirty(f);
	}
}

static uint16_t buffer_get(bool spare)
{
	uint16_t b;

	if (spare && cow.busy && chaos_roll(CHAOS_NO_BUFFER))
		return 0;
	b = fifo_get(&free_list);
	if (b) {
		cow.busy++;
		buffer[b].op.mend = false;
	}
	return b;
}

/* Somebody asked to write to the page. Modulo 8 an epoch long past may look like the last one; then it is hot a little early. */
static void warm(struct page *p)
{
	bool again = p->dirtied == ((epoch_now - 1) & 7);

	p->heat = !again ? 0 : p->heat >= HEAT_HOT - 1 ? HEAT_MAX : p->heat + 1u;
	p->dirtied = epoch_now & 7;
}

/* A page that is written to in every epoch will be in this one: its writer is spared the fault. That nobody asked makes it
 * colder, so a page that is not used any more is saved in vain a few times only. */
static void grant_hot(pfn_t f)
{
	struct page *p = page_of(f);

	if (p->heat < HEAT_HOT || p->epoch || p->flags & PG_DEAD || reclaim_short() || room_unpromised())
		return;
	p->heat--;
	p->dirtied = epoch_now & 7;
	make_dirty(f);
	fc_push(L4_FC_WRITABLE, f, 0);
	cow.granted++;
}

enum taken cow_try(pfn_t f)
{
	struct page *p = page_of(f);

	if (p->epoch != epoch_now && room_short(p->key))
		return NO_ROOM;
	if (is_snap(p) && passed_by(p)) {
		pass_by(f);
	} else if (is_snap(p)) {
		uint16_t b = buffer_get(true);

		if (!b)
			return NO_BUFFER;
		copy_out(f, b);
		fifo_put(&copied, b);
		cow.copies++;
	}
	if (p->epoch != epoch_now) {
		warm(p);
		make_dirty(f);
	}
	return TAKEN;
}

bool cow_take(pfn_t f)
{
	return cow_try(f) == TAKEN;
}

void cow_revive(pfn_t f)
{
	struct page *p = page_of(f);

	if (p->flags & PG_DEAD && p->epoch == epoch_now) {
		cow.dead--;
		room_dirty();
	}
	p->flags &= (uint8_t)~(PG_DEAD | PG_DOOMED);
}

/* The frame may be writable in this epoch, so the kernel must look again before the next write to it. */
static void forget(pfn_t f)
{
	if (page_of(f)->epoch) {
		list_remove(f);
		not_passed(page_of(f));
		cow.dirty--;
		cow.dead -= (page_of(f)->flags & PG_DEAD) != 0;
	}
	fc_now(L4_FC_PROTECT, f, 0);
	page_drop(f);
}

bool cow_forget(pfn_t f)
{
	const struct page *p = page_of(f);

	if (is_snap(p) || p->buf)
		return false;
	forget(f);
	return true;
}

void cow_discard(pfn_t f)
{
	struct page *p = page_of(f);

	p->flags &= (uint8_t)~(PG_SUPPLIED | PG_MAPPED);
	if (!commit_persistent()) {     /* nobody else wants the content */
		forget(f);
		return;
	}
	if (is_snap(p)) {
		p->flags |= PG_DOOMED;
		return;
	}
	if (p->flags & PG_DEAD)
		return;
	p->flags |= PG_DEAD;
	not_passed(p);
	if (p->epoch)
		cow.dead++;
	else
		make_dirty(f);
}

void cow_snapshot(void)
{
	epoch_now++;
	if (!epoch_now)                         /* 0 means clean; keep the parity */
		epoch_now = 2;
	cow.snap = cow.dirty;
	cow.dirty = cow.passed = 0;
	cow.dead = 0;
}

bool cow_anything(void)
{
	return cow.dirty > cow.passed;
}

bool cow_snapshot_saved(void)
{
	return !cow.snap && !cow.busy;
}

bool cow_buffer_free(void)
{
	return free_list.head;
}

/* ---- Buffers --------------------------------------------------------------------------------- */

static void buffer_done(uint16_t b)
{
	pfn_t f = buffer[b].page;
	struct page *p = page_of(f);

	p->buf = 0;
	fifo_put(&free_list, b);
	cow.busy--;
	if ((p->flags & PG_DEAD) && !p->epoch)
		page_drop(f);
	permit_postponed();
}

static void abandon_buffer(struct store *st, uint16_t b);

static void put_result(uint16_t b, int status)
{
	if (status == STORE_OK) {
		buffer_done(b);
		return;
	}
	last_failure.status = status;
	last_failure.key = page_of(buffer[b].page)->key;
	last_failure.block = status == STORE_DAMAGED ? buffer[b].op.block : 0;
	if (buffer[b].early) {
		cow.early_failed = true;
		abandon_buffer(buffer[b].op.st, b);
		return;
	}
	/* The page must be saved; what else the damaged block led to cannot be read in any case. */
	if (status == STORE_DAMAGED && !buffer[b].op.mend) {
		log_error("space=%u page=0x%lx: index block=%lu is damaged and is replaced; what it led to is lost, but in "
			  "older generations", KEY_CLIENT(last_failure.key), KEY_VPN(last_failure.key), last_failure.block);
		buffer[b].op.mend = true;
	}
	cow.failed++;
	fifo_put(&failed, b);
}

static void put_done(struct store_op *op)
{
	put_result((uint16_t)((struct buffer *)op - buffer), op->status);
}

/* Kernel objects are looked at on their way out. The first objection to a page is told; at the second its
 * thread is stopped (by the kernel, which says so), and the commit goes on. */
static void examine(const struct buffer *u, uint64_t key)
{
	struct page *p = page_of(u->page);
	uint32_t obj = (uint32_t)KEY_VPN(key);
	const char *why = u->remove ? NULL : objcheck(obj, u->data);

	if (!why) {
		p->flags &= (uint8_t)~PG_SUSPECT;
		return;
	}
	log_error("kernel object type=%u number=%u: %s", L4_OBJ_TYPE(obj), L4_OBJ_INDEX(obj), why);
	if (p->flags & PG_SUSPECT && L4_OBJ_TYPE(obj) != L4_OBJ_TABLE)
		fc_push(L4_FC_DAMAGED, obj, 0);
	p->flags |= PG_SUSPECT;
}

static void put(struct store *st, uint16_t b)
{
	struct buffer *u = &buffer[b];
	uint64_t key = page_of(u->page)->key;
	int status;

	if (KEY_CLIENT(key) == CLIENT_KERNEL)
		examine(u, key);
	u->op.client = KEY_CLIENT(key);
	u->op.vpn = KEY_VPN(key);
	u->op.buf = u->data;
	u->op.done = put_done;
	status = u->remove ? store_remove(st, &u->op) : store_put(st, &u->op);
	if (status != STORE_PENDING)
		put_result(b, status);
}

static void pass_some(void)
{
	for (unsigned i = 0; i < PASS_MAX; i++) {
		pfn_t f = dirty_tail[(epoch_now - 1) & 1];

		if (!f || !passed_by(page_of(f)))
			return;
		pass_by(f);
	}
}

/* The next page of the snapshot to be written: the one that has been dirty longest, then what else is dirty among its
 * neighbours under the same leaf of the index. In another order each page might need a leaf that has just left the store's cache. */
static pfn_t next_to_write(void)
{
	static uint64_t at, end;
	pfn_t f;

	for (unsigned n = 0; at < end && n < LEAF_STEPS; n++) {
		f = page_find(at++);
		if (f && is_snap(page_of(f)))
			return f;
	}
	f = dirty_tail[(epoch_now - 1) & 1];
	if (f && at >= end) {
		at = page_of(f)->key & ~(LEAF_PAGES - 1);
		end = at + LEAF_PAGES;
	}
	return f;
}

/* Volatile pages are passed by, unless their frames are wanted: then they are written like others. */
bool cow_write_unit(struct store *st)
{
	uint16_t b = fifo_get(&copied);

	if (!b) {
		pfn_t f = next_to_write();

		if (!f)
			return false;
		if (passed_by(page_of(f)) && !reclaim_short()) {
			pass_some();
			return true;
		}
		b = buffer_get(false);
		if (!b)
			return false;
		copy_out(f, b);
		grant_hot(f);
	}
	put(st, b);
	return true;
}

/* ---- Early writing --------------------------------------------------------------------------- */

/* Has the page been written to since this was asked last? A kernel object has no bits for that: PG_USED is set when it
 * becomes writable. Table pages belong to so many threads that it is not worth trying. */
static bool written_lately(pfn_t f)
{
	struct page *p = page_of(f);
	bool young = p->flags & PG_USED;

	if (KEY_CLIENT(p->key) != CLIENT_KERNEL)
		return reclaim_accesses(f) & L4_RIGHT_W;
	p->flags &= (uint8_t)~PG_USED;
	return young || L4_OBJ_TYPE(KEY_VPN(p->key)) == L4_OBJ_TABLE;
}

/* From here on nobody writes to it without a stale event. False: it is needed this moment. */
static bool protect(pfn_t f)
{
	const struct page *p = page_of(f);
	uint64_t how = L4_FC_IF_IDLE | (reclaim_short() ? 0 : L4_FC_AT_LEISURE);

	if (p->flags & PG_SUPPLIED)
		how |= L4_FC_IS_OBJECT | KEY_VPN(p->key);
	return fc_now(L4_FC_PROTECT, f, how) == L4_FC_OK;
}

/* Not what stands where something was discarded since the last snapshot: the next commit begins by removing that range, and what
 * the store has got before would go with it. */
static bool write_early(struct store *st, pfn_t f)
{
	struct page *p = page_of(f);
	uint16_t b;

	if (p->buf || p->flags & (PG_LOADING | PG_POSTPONED | PG_DEAD | PG_DOOMED) || written_lately(f) || discard_hides(p->key))
		return false;
	b = buffer_get(false);
	if (!b)
		return false;
	if (!protect(f)) {
		fifo_put(&free_list, b);
		cow.busy--;
		return false;
	}
	copy_out(f, b);
	buffer[b].early = true;
	cow.early++;
	put(st, b);
	return true;
}

bool cow_clean_unit(struct store *st)
{
	pfn_t f = dirty_tail[epoch_now & 1];

	if (!f || cow.busy >= EARLY_MAX || cow.busy >= cow.buffers / 2)
		return false;
	if (!write_early(st, f)) {
		list_remove(f);
		list_add(f, epoch_now);         /* its next turn comes after all others */
	}
	return true;
}

bool cow_early_failed(void)
{
	bool failed_now = cow.early_failed;

	cow.early_failed = false;
	return failed_now;
}

void cow_retry_failed(void)
{
	uint16_t b;

	while ((b = fifo_get(&failed)) != 0)
		fifo_put(&copied, b);
	cow.failed = 0;
}

/* A page whose copy is given up has that content still, or newer. */
static void abandon_buffer(struct store *st, uint16_t b)
{
	pfn_t f = buffer[b].page;

	if (buffer[b].op.unwritten)
		store_put_forget(st, &buffer[b].op);
	page_of(f)->buf = 0;
	if (!page_of(f)->epoch)
		make_dirty(f);
	fifo_put(&free_list, b);
	cow.busy--;
	permit_postponed();
}

static void abandon_page(pfn_t f)
{
	struct page *p = page_of(f);

	list_remove(f);
	cow.snap--;
	if (p->flags & PG_DOOMED)
		p->flags = (uint8_t)((p->flags & ~PG_DOOMED) | PG_DEAD);
	make_dirty(f);
}

bool cow_abandon_unit(struct store *st)
{
	uint16_t b = fifo_get(&copied);
	pfn_t f = dirty_tail[(epoch_now - 1) & 1];

	if (!b && (b = fifo_get(&failed)) != 0)
		cow.failed--;
	if (b)
		abandon_buffer(st, b);
	else if (f)
		abandon_page(f);
	return b || f;
}

int cow_failure(uint64_t *key, uint64_t *block)
{
	*key = last_failure.key;
	*block = last_failure.block;
	return last_failure.status;
}

bool cow_init(unsigned buffers)
{
	char *data = server_alloc_dirty((uint64_t)buffers * PAGE_BYTES);

	buffer = server_alloc((buffers + 1ul) * sizeof *buffer);
	if (!data || !buffer)
		return false;
	cow.buffers = buffers;
	for (unsigned b = 1; b <= buffers; b++) {
		buffer[b].data = data + (b - 1) * PAGE_BYTES;
		fifo_put(&free_list, (uint16_t)b);
	}
	return true;
}
