/* SPDX-License-Identifier: BSD-2-Clause
 * The commit cycle; see commit.h.
 */
#include "commit.h"

#include <l4/schedule.h>

#include "cow.h"
#include "discard.h"
#include "disk.h"
#include "io.h"
#include "log.h"
#include "pending.h"
#include "server.h"
#include "snapshot.h"
#include "writer.h"

#define RETRY_US        200000ul
#define COMPLAIN_US     5000000ul
#define SILENCE_US      10000000ul

struct record record;
struct commit_counters commit_count;

enum state { IDLE, BEGIN, WRITING, ABANDON, STORING };

static struct {
	struct store *st;
	enum state state;
	bool failed;                    /* waiting to try again */
	uint64_t retry_tsc;
	int complaint;                  /* status last complained of, and until when it is not repeated */
	uint64_t complain_tsc;
	uint64_t watched, watch_tsc;    /* completions seen, and when to complain that there are no more */
	uint64_t start_tsc;
	struct record record;           /* of the commit under way */
	struct store_op commit, drop;
	bool drop_busy, commit_busy;
} c;

void commit_use(struct store *st)
{
	c.st = st;
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

bool commit_hopeless(void)
{
	return !c.st || c.complaint == STORE_FULL;
}

void commit_snapshot(uint64_t tsc)
{
	c.start_tsc = tsc;
	c.state = BEGIN;
	discard_snapshot();
}

/* ---- Failure ----------------------------------------------------------------------------------- */

/* The same complaint is made again only after a while. */
static void complain(const char *what, int status)
{
	uint64_t now = rdtsc();

	if (status == c.complaint && now < c.complain_tsc)
		return;
	c.complaint = status;
	c.complain_tsc = now + time_ticks(COMPLAIN_US);
	log_error("%s: %s; generation=%lu stays, trying again", what, store_strerror(status),
		  store_generation(c.st));
}

static void fail(const char *what, int status)
{
	complain(what, status);
	commit_count.failures++;
	c.failed = true;
	c.retry_tsc = rdtsc() + time_ticks(RETRY_US);
	pending_commit(0, false);
}

/* Requests of a disk that does not answer cannot be taken back: their buffers are the device's. */
static void watch_disk(void)
{
	uint64_t now = rdtsc(), done = disk_completed();

	if (!disk_in_flight() || done != c.watched) {
		c.watched = done;
		c.watch_tsc = now + time_ticks(SILENCE_US);
	} else if (now >= c.watch_tsc) {
		log_error("disk %s has not answered for %lu s; generation=%lu stays", disk_name(), SILENCE_US / 1000000,
			  store_generation(c.st));
		c.watch_tsc = now + time_ticks(SILENCE_US);
	}
}

void commit_tick(void)
{
	if (c.st)
		watch_disk();
	if (c.failed && rdtsc() >= c.retry_tsc) {
		c.failed = false;
		if (c.state == WRITING)
			cow_retry_failed();
		writer_wake();
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

static void commit_done(struct store_op *op)
{
	c.commit_busy = false;
	c.failed = false;
	if (op->status != STORE_OK) {
		fail("commit", op->status);
		return;
	}
	c.state = IDLE;
	c.complaint = STORE_OK;
	writer_tick(0);
	report();
	pending_commit(snapshot_number(), true);
	snapshot_committed();
}

/* ---- Units --------------------------------------------------------------------------------------- */

static void drop_done(struct store_op *op)
{
	c.drop_busy = false;
	if (op->status == STORE_OK)
		discard_removed();
	else
		fail("discard", op->status);
}

static bool unit_drop(const struct discard_range *r)
{
	int status;

	c.drop.client = r->client;
	c.drop.vpn = r->first;
	c.drop.end = r->end;
	c.drop.done = drop_done;
	c.drop_busy = true;
	status = store_remove_range(c.st, &c.drop);
	if (status != STORE_PENDING) {
		c.drop.status = status;
		drop_done(&c.drop);
	}
	return true;
}

/* The clock is read here, not in the pause: what a program has read before the snapshot is less, so after a
 * recovery the clock never goes back. */
static bool unit_begin(void)
{
	int status;

	record.clock_us = L4_SystemClock().raw;
	c.record = record;
	status = store_begin(c.st, (const uint8_t *)&c.record);
	if (status != STORE_OK) {
		fail("begin", status);
		return false;
	}
	c.state = WRITING;
	return true;
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
		fail("writing", cow_failure());
		if (cow_failure() == STORE_FULL)
			c.state = ABANDON;
		return false;
	}
	if (!cow_snapshot_saved())
		return false;
	c.state = STORING;
	c.commit.done = commit_done;
	c.commit_busy = true;
	status = store_commit(c.st, &c.commit);
	if (status != STORE_PENDING) {
		c.commit.status = status;
		commit_done(&c.commit);
	}
	return true;
}

static bool unit_abandon(void)
{
	if (cow_abandon_unit(c.st))
		return true;
	if (cow_snapshot_saved()) {
		c.state = IDLE;
		snapshot_put_off(RETRY_US);
	}
	return false;
}

static bool unit_store_again(void)
{
	int status;

	if (c.commit_busy)
		return false;
	c.commit_busy = true;
	status = store_commit(c.st, &c.commit);
	if (status != STORE_PENDING) {
		c.commit.status = status;
		commit_done(&c.commit);
	}
	return true;
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
		break;
	case BEGIN:
		return unit_begin() || more;
	case WRITING:
		return unit_write() || more;
	case ABANDON:
		return unit_abandon() || more;
	case STORING:
		return unit_store_again() || more;
	}
	return more;
}
