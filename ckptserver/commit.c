/* SPDX-License-Identifier: BSD-2-Clause
 * The commit cycle; see commit.h.
 */
#include "commit.h"

#include <stdarg.h>

#include <l4/print.h>
#include <l4/schedule.h>
#include <l4/string.h>

#include "cow.h"
#include "discard.h"
#include "disk.h"
#include "early.h"
#include "io.h"
#include "log.h"
#include "pages.h"
#include "pending.h"
#include "permit.h"
#include "room.h"
#include "server.h"
#include "snapshot.h"
#include "statehash.h"
#include "wall.h"
#include "writer.h"

#define RETRY_US        100000ul        /* until the first new try; doubled for each that fails, up to: */
#define RETRY_MAX_US    10000000ul

struct record record;
struct commit_counters commit_count;

#define RELIEFS         2u              /* commits until what one drops is free */

enum state { IDLE, BEGIN, WRITING, ABANDON, STORING, RELIEF };

static struct {
	struct store *st;
	enum state state;
	bool failed;                    /* waiting to try again */
	uint64_t retry_tsc, retry_us;
	unsigned failures;              /* since the last commit */
	uint64_t failing_tsc;           /* when the first of them was */
	int complaint;                  /* status last complained of */
	struct log_limit limit;
	bool disk_worked;
	uint64_t committed_tsc;         /* the last commit, or the beginning of this boot */
	uint64_t start_tsc;
	struct record record;           /* of the commit under way */
	struct record last;             /* of the last generation, if there is one */
	bool mixed;                     /* the store has something of a snapshot that was not committed */
	uint64_t early_committed;       /* cow.early at the last commit: later ones are in no generation */
	bool relieving;                 /* the commit under way is a RELIEF */
	unsigned reliefs;               /* that may still be made */
	struct store_op commit, drop;
	bool drop_busy, commit_busy;
} c;

void commit_use(struct store *st, const void *last)
{
	c.st = st;
	if (last)
		memcpy(&c.last, last, sizeof c.last);
	c.reliefs = RELIEFS;
	c.committed_tsc = rdtsc();
}

struct store *commit_store(void)
{
	return c.st;
}

bool commit_persistent(void)
{
	return c.st;
}

uint64_t commit_generation(void)
{
	return c.st ? store_generation(c.st) : 0;
}

uint64_t commit_boot(void)
{
	return record.boot;
}

bool commit_idle(void)
{
	return c.state == IDLE;
}

uint64_t commit_age_us(uint64_t tsc)
{
	return tsc > c.start_tsc ? time_us(tsc - c.start_tsc) : 0;
}

uint64_t commit_failing_us(void)
{
	return c.failures ? time_us(rdtsc() - c.failing_tsc) : 0;
}

bool commit_hopeless(void)
{
	return !c.st || c.complaint == STORE_FULL;
}

void commit_snapshot(uint64_t tsc)
{
	c.start_tsc = tsc;
	c.record = record;                      /* what is declared from now on is of the next one */
	c.state = BEGIN;
	discard_snapshot();
}

/* ---- Failure ----------------------------------------------------------------------------------- */

/* What failed, and where as far as it is known. key: the page that could not be written; block: of what is damaged. */
struct where {
	bool page;
	uint64_t key;
	uint64_t block;
};

static void append(char *text, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void append(char *text, size_t size, const char *fmt, ...)
{
	size_t n = strlen(text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text + n, size - n, fmt, ap);
	va_end(ap);
}

static void append_room(char *text, size_t size)
{
	struct store_stats s;

	store_stats(c.st, &s);
	append(text, size, " dirty=%lu free=%lu used=%lu held=%lu waiting=%lu", cow.dirty - cow.dead - cow.passed, s.free, s.used, s.held,
	       permit.throttled);
}

/* The same complaint is made again only after a while. */
static void complain(const char *what, int status, struct where w)
{
	const struct disk_failure *f = disk_failure();
	char place[120] = "";
	unsigned repeated;

	if (status != c.complaint)
		c.limit = (struct log_limit){ 0 };
	c.complaint = status;
	if (!log_limited(&c.limit, &repeated))
		return;
	if (status == STORE_EIO && f->op == BLK_FLUSH)
		append(place, sizeof place, " op=flush");
	else if (status == STORE_EIO)
		append(place, sizeof place, " op=%s block=%lu", f->op == BLK_READ ? "read" : "write", f->block);
	else if (status == STORE_FULL)
		append_room(place, sizeof place);
	else if (w.block)
		append(place, sizeof place, " block=%lu", w.block);
	if (w.page)
		append(place, sizeof place, " client=%u page=0x%lx", KEY_CLIENT(w.key), KEY_VPN(w.key));
	log_error("%s: %s%s gen=%lu uncommitted_ms=%lu failures=%u retry_ms=%lu", what, store_strerror(status), place,
		  store_generation(c.st), time_us(rdtsc() - c.committed_tsc) / 1000, c.failures, c.retry_us / 1000);
}

static void fail(const char *what, int status, struct where w)
{
	uint64_t now = rdtsc();

	commit_count.failures++;
	if (!c.failures++) {
		c.failing_tsc = now;
		c.retry_us = RETRY_US;
	} else if (c.retry_us < RETRY_MAX_US) {
		c.retry_us = c.retry_us * 2 < RETRY_MAX_US ? c.retry_us * 2 : RETRY_MAX_US;
	}
	c.failed = true;
	c.retry_tsc = now + time_ticks(c.retry_us);
	complain(what, status, w);
	pending_commit(0, false);
}

/* What the store has found out about older generations. */
static void tell_reports(void)
{
	struct store_skipped r;

	while (store_report(c.st, &r))
		log_error("generation %lu, block=%lu: %s", r.generation, r.block, r.why);
}

void commit_tick(void)
{
	bool works = disk_works();

	if (works && !c.disk_worked)
		c.retry_tsc = 0;                /* it came back: now is the time */
	c.disk_worked = works;
	if (c.st)
		tell_reports();
	if (c.st && c.state == IDLE)
		early_tick(rdtsc());
	if (c.failed && rdtsc() >= c.retry_tsc) {
		c.failed = false;
		if (c.state == WRITING)
			cow_retry_failed();
		writer_wake();
	}
	if (permit.throttled) {
		room_tick(rdtsc());
		permit_throttled();
	}
}

/* ---- Success ----------------------------------------------------------------------------------- */

static void report(void)
{
	struct store_stats s;

	store_stats(c.st, &s);
	commit_count.commits++;
	commit_count.last_write_us = time_us(rdtsc() - c.start_tsc);
	commit_count.last_pages = s.last_pages;
	commit_count.last_bytes = s.last_bytes;
	commit_count.total_bytes += s.last_bytes;
	commit_count.committed_clock_us = c.record.clock_us;
	log_line("[ckpt] gen=%lu pages=%lu bytes=%lu pause_ns=%lu write_us=%lu", store_generation(c.st),
		 s.last_pages, s.last_bytes, snapshot_count.last_ns, commit_count.last_write_us);
}

/* A failed flush has cost pages that were saved. If all of them are still in memory they are dirty again, and go with the next
 * snapshot; this one is given up. Else no later state can be committed, and the last generation is resumed. */
static void save_again(const struct store_op *op)
{
	uint32_t client;
	uint64_t vpn;

	for (uint32_t i = 0; store_lost_page(c.st, i, &client, &vpn); i++) {
		pfn_t f = page_find(KEY(client, vpn));

		if (!f || page_of(f)->flags & (PG_LOADING | PG_DOOMED) || (!page_of(f)->epoch && !cow_take(f)))
			server_crash("a failed flush has cost client=%u page=0x%lx of what was saved since gen=%lu", client, vpn,
				     store_generation(c.st));
	}
	statehash_abandoned();
	c.relieving = false;
	c.state = ABANDON;
	fail("commit", op->status, (struct where){ .block = op->block });
}

static void commit_done(struct store_op *op)
{
	c.commit_busy = false;
	c.failed = false;
	if (op->status == STORE_UNWRITTEN && op->block) {
		save_again(op);
		return;
	}
	if (op->status == STORE_DAMAGED && !op->block)
		server_crash("a failed flush has cost a part of the index that was written since gen=%lu", store_generation(c.st));
	if (op->status != STORE_OK) {
		fail("commit", op->status, (struct where){ .block = op->block });
		return;
	}
	c.state = IDLE;
	writer_tick(0);
	report();
	if (c.relieving) {
		c.relieving = false;
		snapshot_put_off(0);
		return;
	}
	c.complaint = STORE_OK;
	c.last = c.record;
	c.mixed = false;
	c.early_committed = cow.early;
	c.reliefs = RELIEFS;
	if (c.failures)
		log_line("[ckpt] resumed gen=%lu uncommitted_ms=%lu failures=%u", store_generation(c.st),
			 time_us(rdtsc() - c.committed_tsc) / 1000, c.failures);
	c.failures = 0;
	c.committed_tsc = rdtsc();
	pending_commit(snapshot_number(), true);
	snapshot_committed();
}

/* ---- Room ---------------------------------------------------------------------------------------- */

/* Only the last generation as it was may be committed again: nothing of a later snapshot must be in the store. */
static bool relieve(void)
{
	if (!c.reliefs || c.mixed || cow.early != c.early_committed || !store_generation(c.st))
		return false;
	c.reliefs--;
	c.start_tsc = rdtsc();
	c.relieving = true;
	c.state = RELIEF;
	writer_wake();
	return true;
}

bool commit_room(void)
{
	c.failed = false;
	if (room_for_snapshot())
		return true;
	if (!relieve()) {
		fail("snapshot", STORE_FULL, (struct where){ 0 });
		snapshot_put_off(c.retry_us);
	}
	return false;
}

void commit_space_given(bool dropped)
{
	uint64_t soon = rdtsc() + time_ticks(RETRY_US);

	if (dropped)
		c.reliefs = RELIEFS;
	if (c.complaint != STORE_FULL || c.retry_tsc <= soon)
		return;
	c.retry_us = RETRY_US;
	c.retry_tsc = soon;
	snapshot_put_off(RETRY_US);
}

/* ---- Units --------------------------------------------------------------------------------------- */

static void drop_done(struct store_op *op)
{
	c.drop_busy = false;
	if (op->status == STORE_OK)
		discard_removed();
	else
		fail("discard", op->status, (struct where){ .block = op->block });
}

/* The call returned that: if it has ended at once, its `done` is called here. */
static void started(struct store_op *op, int status)
{
	if (status == STORE_PENDING)
		return;
	op->status = status;
	op->done(op);
}

static bool unit_drop(const struct discard_range *r)
{
	c.drop.client = r->client;
	c.drop.vpn = r->first;
	c.drop.end = r->end;
	c.drop.done = drop_done;
	c.drop_busy = true;
	started(&c.drop, store_remove_range(c.st, &c.drop));
	return true;
}

static bool start_commit(void)
{
	c.state = STORING;
	c.commit.done = commit_done;
	c.commit_busy = true;
	started(&c.commit, store_commit(c.st, &c.commit));
	return true;
}

/* The clock is read here, not in the pause: what a program has read before the snapshot is less, so after a
 * recovery the clock never goes back. */
static bool unit_begin(void)
{
	int status;

	c.record.clock_us = L4_SystemClock().raw;
	c.record.wall_s = wall_seconds(c.record.clock_us);
	status = store_begin(c.st, (const uint8_t *)&c.record);
	if (status != STORE_OK) {
		fail("begin", status, (struct where){ 0 });
		return false;
	}
	c.state = WRITING;
	c.mixed = true;
	return true;
}

static bool unit_relief(void)
{
	int status = store_begin(c.st, (const uint8_t *)&c.last);

	if (status != STORE_OK) {
		fail("begin", status, (struct where){ 0 });
		return false;
	}
	return start_commit();
}

static bool unit_write(void)
{
	const struct discard_range *range = discard_next();
	int status;

	if (c.drop_busy)
		return false;
	if (range)
		return unit_drop(range);
	if (cow_write_unit(c.st))
		return true;
	if (cow.failed && cow.failed == cow.busy) {
		struct where w = { .page = true };

		status = cow_failure(&w.key, &w.block);
		fail("writing", status, w);
		if (status == STORE_FULL) {
			statehash_abandoned();
			c.state = ABANDON;
		}
		return false;
	}
	if (!cow_snapshot_saved())
		return false;
	statehash_saved();
	return start_commit();
}

static bool unit_abandon(void)
{
	if (cow_abandon_unit(c.st))
		return true;
	if (cow_snapshot_saved()) {
		c.state = IDLE;
		snapshot_put_off(c.retry_us);
	}
	return false;
}

static bool unit_store_again(void)
{
	return c.commit_busy ? false : start_commit();
}

bool commit_unit(void)
{
	bool more;

	if (!c.st)
		return false;
	more = store_work(c.st);
	if (c.failed && c.state != ABANDON)
		return more;
	switch (c.state) {
	case IDLE:
		return early_unit(c.st) || more;
	case BEGIN:
		return unit_begin() || more;
	case WRITING:
		return unit_write() || more;
	case ABANDON:
		return unit_abandon() || more;
	case STORING:
		return unit_store_again() || more;
	case RELIEF:
		return unit_relief() || more;
	}
	return more;
}
