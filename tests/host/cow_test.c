/* SPDX-License-Identifier: BSD-2-Clause
 * Property: whatever is written, discarded and made anew while a snapshot is being saved, what reaches the store is
 * exactly the content of all pages at the snapshot. A model of the kernel's frame tags writes to a page only when it was
 * told "writable" in this epoch; the store completes in random order, and sometimes fails. Pages are written early, and
 * clean ones dropped and read back: a clean page equals the store's. Volatile pages are in no snapshot, but never lost while
 * the machine runs. The proof that debug builds make of it (statehash.c) agrees, and notices what it is for. Guards cow.c, pages.c,
 * statehash.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ckptserver/chaos.h"
#include "ckptserver/commit.h"
#include "ckptserver/cow.h"
#include "ckptserver/discard.h"
#include "ckptserver/log.h"
#include "ckptserver/room.h"
#include "ckptserver/permit.h"
#include "ckptserver/server.h"
#include "ckptserver/statehash.h"
#include "ckptserver/volatile.h"
#include "ram.h"
#include "seed.h"

enum { PAGES = 96, VOLATILE = 88, CLIENT = 16, BUFFERS = 12, IN_FLIGHT = 64, ROUNDS = 400, STEPS = 300 };

#define RAM_BYTES       (96ul << 20)

static uint64_t now[PAGES], expected[PAGES], disk[PAGES];       /* content: one number per page; 0: hole */
static bool dead[PAGES];
static uint32_t tag[RAM_BYTES >> 12];                           /* the kernel's */
static struct store_op *flight[IN_FLIGHT];
static unsigned flights;
static bool failures, always_enough;

/* ---- what ckptserver's other parts do ---- */

static uint32_t *tag_of(uint64_t pfn) { return &tag[pfn - (RAM_BASE >> 12)]; }

void fc_push(unsigned op, uint64_t name, uint64_t arg)
{
	(void)arg;
	assert_int_equal(op, L4_FC_WRITABLE);
	*tag_of(name) = epoch_now;
}

static bool short_now;          /* what reclaim_short said last */

long fc_now(unsigned op, uint64_t name, uint64_t arg)
{
	assert_int_equal(op, L4_FC_PROTECT);
	if (arg)                                /* an early write: it opens the queue for the ticket only while frames are short */
		assert_int_equal(arg, L4_FC_IF_IDLE | (short_now ? 0 : L4_FC_AT_LEISURE));
	if (random() % 8 == 0)
		return L4_FC_BUSY;
	*tag_of(name) = 0;
	return L4_FC_OK;
}

bool reclaim_short(void) { return short_now = !always_enough && random() % 4 == 0; }

unsigned long reclaim_accesses(pfn_t f)
{
	(void)f;
	return random() % 3 == 0 ? L4_RIGHT_W : 0;
}

static jmp_buf crash;
static bool crash_expected;
struct bootinfo *boot;

void server_crash(const char *fmt, ...)
{
	(void)fmt;
	if (!crash_expected)
		fail_msg("%s", fmt);
	longjmp(crash, 1);
}

/* Does the proof object to this? */
#define OBJECTED(action) ({ volatile bool objected_ = true; crash_expected = true; \
		if (!setjmp(crash)) { action; objected_ = false; } crash_expected = false; objected_; })

bool chaos_roll(enum chaos_event e) { return e == CHAOS_NO_BUFFER && random() % 8 == 0; }
bool commit_persistent(void) { return true; }
bool volatile_page(uint64_t key) { return KEY_VPN(key) >= VOLATILE; }
bool volatile_in_snapshot(uint64_t key) { return volatile_page(key); }
static unsigned hidden = PAGES;                 /* page that lies in a range discarded since the last snapshot */
bool discard_hides(uint64_t key) { return KEY_VPN(key) == hidden; }
void room_dirty(void) { }
bool room_short(uint64_t key) { (void)key; return !always_enough && random() % 8 == 0; }
uint64_t room_unpromised(void) { return 0; }
void log_error(const char *fmt, ...) { (void)fmt; fail(); }
void log_line(const char *fmt, ...) { (void)fmt; fail(); }

/* For the proof after a recovery, which is the store's matter. */
int store_state_verify(struct store *st, struct store_verified *v) { (void)st, (void)v; return STORE_EIO; }
uint64_t store_generation(const struct store *st) { (void)st; return 0; }
const char *store_strerror(int status) { (void)status; return ""; }

static int begin(struct store_op *op, unsigned kind)
{
	if (random() % 8 == 0) {                /* at once, as for a zero page */
		disk[op->vpn] = kind ? 0 : *(uint64_t *)op->buf;
		return STORE_OK;
	}
	assert_true(flights < IN_FLIGHT);
	op->kind = (uint8_t)kind;
	flight[flights++] = op;
	return STORE_PENDING;
}

int store_put(struct store *st, struct store_op *op)
{
	(void)st;
	assert_int_equal(op->client, CLIENT);
	return begin(op, 0);
}

int store_remove(struct store *st, struct store_op *op)
{
	(void)st;
	return begin(op, 1);
}

void store_put_forget(struct store *st, struct store_op *op)
{
	(void)st, (void)op;
}

static void complete_one(void)
{
	unsigned i;
	struct store_op *op;

	if (!flights)
		return;
	i = (unsigned)random() % flights;
	op = flight[i];
	flight[i] = flight[--flights];
	op->status = failures && random() % 10 == 0 ? STORE_EIO : STORE_OK;
	if (op->status == STORE_OK)
		disk[op->vpn] = op->kind ? 0 : *(uint64_t *)op->buf;
	op->done(op);
}

/* ---- the world ---- */

static void write_page(unsigned vpn)
{
	pfn_t f = page_find(KEY(CLIENT, vpn));

	if (!f) {
		f = page_new(KEY(CLIENT, vpn), true, 0);
		assert_true(f != 0);
		*tag_of(f) = 0;
		*(uint64_t *)page_data(f) = disk[vpn];
		assert_int_equal(disk[vpn], now[vpn]);
		statehash_new(f);
		statehash_loaded(f, page_data(f));
	}
	if (dead[vpn]) {
		/* Made anew after a discard, as pagefault.c and kobj.c do it. */
		if (!cow_take(f))
			return;
		cow_revive(f);
		page_zero(page_data(f));
		fc_push(L4_FC_WRITABLE, f, 0);
		dead[vpn] = false;
	} else if (*tag_of(f) != epoch_now) {
		permit_write(f);                /* a stale event; a postponed one is told twice at most */
		if (*tag_of(f) != epoch_now)
			return;                 /* the thread waits and will try again */
	}
	now[vpn] = 1 + (uint64_t)random();
	*(uint64_t *)page_data(f) = now[vpn];
}

static void discard_page(unsigned vpn)
{
	pfn_t f = page_find(KEY(CLIENT, vpn));

	if (!f || page_of(f)->flags & (PG_DEAD | PG_DOOMED))
		return;
	if (page_of(f)->flags & PG_POSTPONED && !permit_withdraw(f))
		return;                         /* it waits for a buffer */
	cow_discard(f);
	*(uint64_t *)page_data(f) = *(uint64_t *)page_data(f);
	dead[vpn] = true;
	now[vpn] = 0;
}

static void drop_page(unsigned vpn)
{
	pfn_t f = page_find(KEY(CLIENT, vpn));

	if (f && !page_of(f)->epoch && !page_of(f)->buf && !(page_of(f)->flags & (PG_DEAD | PG_DOOMED | PG_POSTPONED))) {
		assert_int_equal(*(uint64_t *)page_data(f), now[vpn]);
		statehash_dropped(f);
		page_drop(f);
	}
}

static void complete_one(void);

/* Time passes without a commit under way. */
static void between(int steps)
{
	for (; steps; steps--) {
		write_page((unsigned)random() % PAGES);
		drop_page((unsigned)random() % PAGES);
		if (random() % 2)
			cow_clean_unit(NULL);
		if (random() % 4 == 0)
			discard_page((unsigned)random() % PAGES);
		if (random() % 3 == 0)
			complete_one();
	}
	while (cow.busy)
		complete_one();
}

static void snapshot(void)
{
	memcpy(expected, now, sizeof now);
	cow_snapshot();
	statehash_snapshot(epoch_now - 1, cow.snap);
}

static void step(void)
{
	unsigned vpn = (unsigned)random() % PAGES;

	switch (random() % 8) {
	case 0:
		discard_page(vpn);
		break;
	case 1:
	case 2:
		complete_one();
		break;
	case 3:
		cow_write_unit(NULL);
		permit_throttled();
		break;
	case 4:
		drop_page(vpn);
		break;
	default:
		write_page(vpn);
	}
}

static void finish(void)
{
	for (unsigned i = 0; !cow_snapshot_saved(); i++) {
		assert_true(i < 100000);
		if (!cow_write_unit(NULL))
			complete_one();
		if (!flights)
			cow_retry_failed();
	}
	statehash_saved();
}

static void counts_are_right(void)
{
	uint64_t dirty = 0, buried = 0, waiting = 0;

	for (unsigned v = 0; v < PAGES; v++) {
		pfn_t f = page_find(KEY(CLIENT, v));
		const struct page *p = f ? page_of(f) : NULL;

		dirty += p && p->epoch == epoch_now;
		buried += p && p->epoch == epoch_now && p->flags & PG_DEAD;
		waiting += p && p->flags & PG_POSTPONED;
	}
	assert_int_equal(cow.dirty, dirty);
	assert_int_equal(cow.dead, buried);
	assert_int_equal(permit.throttled, waiting);
}

static void rounds(void)
{
	for (int r = 0; r < ROUNDS; r++) {
		snapshot();
		for (int i = (int)(random() % STEPS); i; i--)
			step();
		finish();
		for (unsigned v = 0; v < VOLATILE; v++)
			assert_int_equal(disk[v], expected[v]);
		assert_int_equal(cow.busy, 0);
		assert_int_equal(permit.waiting, 0);
		counts_are_right();
		between((int)(random() % 50));
	}
	assert_true(cow.early > 100);
}

static void snapshot_is_a_cut(void **state)
{
	(void)state;
	rounds();
}

static void failures_change_nothing(void **state)
{
	(void)state;
	failures = true;
	rounds();
	failures = false;
}

/* A snapshot that was given up half way is contained in the next one. */
static void abandoned(void **state)
{
	(void)state;
	for (int r = 0; r < ROUNDS; r++) {
		failures = true;
		snapshot();
		for (int i = (int)(random() % STEPS); i; i--)
			step();
		failures = false;
		statehash_abandoned();
		while (!cow_snapshot_saved())
			if (!cow_abandon_unit(NULL))
				complete_one();
		snapshot();
		for (int i = (int)(random() % 50); i; i--)
			step();
		finish();
		for (unsigned v = 0; v < VOLATILE; v++)
			assert_int_equal(disk[v], expected[v]);
	}
}

/* A page that is written to in every epoch is not asked for in each; one that is not any more is soon left alone. */
static void hot_pages_cool_down(void **state)
{
	unsigned asked = 0, dirty = 0, rounds_hot = 40;
	pfn_t f;

	(void)state;
	always_enough = true;
	write_page(1);
	f = page_find(KEY(CLIENT, 1));
	for (unsigned r = 0; r < rounds_hot; r++) {
		snapshot();
		finish();
		asked += *tag_of(f) != epoch_now;
		write_page(1);
	}
	assert_true(asked < rounds_hot / 3);
	for (unsigned r = 0; r < 16; r++) {
		snapshot();
		finish();
		dirty += page_of(f)->epoch != 0;
	}
	always_enough = false;
	assert_true(dirty < 6);
	assert_int_equal(page_of(f)->epoch, 0);
	assert_int_equal(disk[1], now[1]);
}

/* The next commit removes what the store has of the range, so nothing of it may be given to the store before. */
static void hidden_pages_are_not_written_early(void **state)
{
	pfn_t f;

	(void)state;
	always_enough = true;
	snapshot();
	finish();
	hidden = 2;
	for (unsigned v = 0; v < 4; v++)
		write_page(v);
	for (int i = 0; i < 400; i++) {
		cow_clean_unit(NULL);
		complete_one();
	}
	f = page_find(KEY(CLIENT, hidden));
	assert_int_equal(page_of(f)->epoch, epoch_now);
	assert_int_equal(page_of(page_find(KEY(CLIENT, 1)))->epoch, 0);
	snapshot();
	finish();
	assert_int_equal(page_of(f)->epoch, 0);
	hidden = PAGES;
	always_enough = false;
}

static void no_frame_is_lost(void **state)
{
	uint64_t before;

	(void)state;
	for (unsigned v = 0; v < PAGES; v++) {
		if (!page_find(KEY(CLIENT, v)))
			write_page(v);
		discard_page(v);
	}
	for (int i = 0; i < 2; i++) {
		snapshot();
		finish();
	}
	before = frames_free();
	for (unsigned v = 0; v < PAGES; v++) {
		assert_int_equal(page_find(KEY(CLIENT, v)), 0);
		assert_int_equal(disk[v], 0);
		dead[v] = false;
	}
	for (unsigned v = 0; v < PAGES; v++)
		write_page(v);
	assert_int_equal(frames_free(), before - PAGES);
}

/* However short of room the store pretends to be. */
static void surely_write(unsigned vpn)
{
	uint64_t before = now[vpn];

	for (int i = 0; now[vpn] == before; i++) {
		assert_true(i < 1000);
		permit_throttled();
		write_page(vpn);
	}
}

static void begin_clean(void)
{
	snapshot();
	finish();
	surely_write(1);
	surely_write(2);
}

/* The mistakes that the proof is for, each made on purpose. Afterwards the world is put right again. */
static void the_proof_bites(void **state)
{
	pfn_t f;

	(void)state;
	begin_clean();
	f = page_find(KEY(CLIENT, 1));
	snapshot();
	++*(uint64_t *)page_data(f);            /* written to without being copied out first */
	assert_true(OBJECTED(statehash_copied(f, page_data(f), true)));
	--*(uint64_t *)page_data(f);
	finish();

	begin_clean();
	f = page_find(KEY(CLIENT, 1));
	snapshot();
	finish();
	*tag_of(f) = 0;
	++*(uint64_t *)page_data(f);            /* a write that nobody noticed */
	assert_true(OBJECTED(statehash_dropped(f)));
	--*(uint64_t *)page_data(f);

	begin_clean();
	assert_true(OBJECTED(statehash_snapshot(epoch_now, cow.dirty - 1)));    /* one is missing on the list */

	snapshot();
	finish();
	surely_write(1);
	snapshot();
	assert_true(OBJECTED(statehash_saved()));       /* a page is not copied yet */
	finish();
}

static int set_up(void **state)
{
	static struct bootinfo bi;

	(void)state;
	if (ram_map(&bi, RAM_BYTES))
		return -1;
	bi.free_count = 2;
	bi.free[0] = (struct bootinfo_range){ RAM_BASE, 64 << 12 };
	bi.free[1] = (struct bootinfo_range){ RAM_BASE + (80 << 12), RAM_BYTES - (80 << 12) };
	seed_random(3);
	boot = &bi;
	return pages_init(&bi) && statehash_init() && cow_init(BUFFERS) ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(snapshot_is_a_cut), cmocka_unit_test(failures_change_nothing), cmocka_unit_test(abandoned),
		cmocka_unit_test(the_proof_bites), cmocka_unit_test(hot_pages_cool_down), cmocka_unit_test(hidden_pages_are_not_written_early),
		cmocka_unit_test(no_frame_is_lost),
	};

	return cmocka_run_group_tests_name("cow", tests, set_up, NULL);
}
