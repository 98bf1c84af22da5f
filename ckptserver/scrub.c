/* SPDX-License-Identifier: BSD-2-Clause
 * The scrubber; see scrub.h. A round begins with a survey: what is read by no look-up of a page, and the index nodes in the cache. Then
 * it walks as store_diff does: the newest generation against nothing, each other one that is kept
 * against the newest, so what they share is read once. The newest is another one after each commit: the walk goes on in it where it
 * stands. A page that was found damaged is looked up again, because its block may belong to something else by now.
 *
 *   RESTING -> SURVEYING [scrub_tick] -> LOOKING [survey]
 *              LOOKING -> READING [found] -> CHECKING [read_done], if the sum is wrong -> LOOKING
 *                 ^______________________________________|
 *   LOOKING -> RESTING [round_over]   nothing is left of the last generation of this round
 */
#include "scrub.h"

#include "commit.h"
#include "cow.h"
#include "disk.h"
#include "io.h"
#include "log.h"
#include "pages.h"
#include "reclaim.h"
#include "server.h"
#include "store.h"
#include "survey.h"

#define BURST           16u             /* pages that a time without leisure leaves for later */

struct scrub_counters scrub_count;

enum scrub_state { RESTING, SURVEYING, LOOKING, READING, CHECKING };

static struct {
	enum scrub_state state;
	bool waiting;                   /* for the store or the disk */
	struct store_op op;             /* the cursor: client, vpn */
	struct blkreq req;
	void *buf;
	uint64_t older[STORE_KEPT_MAX]; /* generations of this round but the newest; newest first */
	unsigned older_count, older_next;
	uint64_t generation;            /* the one of them that is compared with the newest; 0: that one itself */
	uint64_t block, sum;            /* of the page that was read */
	uint64_t bad_block;             /* index node that was damaged last */
	uint64_t budget;                /* pages that may be read, times the ticks of a second */
	uint64_t budget_tsc, rest_tsc;
	struct store_survey survey;
	bool survey_again;              /* the block is read once more before it is called damaged */
} s;

bool scrub_init(void)
{
	s.buf = server_alloc(PAGE_BYTES);
	return s.buf;
}

bool scrub_active(void)
{
	return s.state != RESTING;
}

static void read_on(void);

static void round_begin(void)
{
	static struct store_generation kept[STORE_KEPT_MAX];
	uint32_t n = store_generations(commit_store(), kept, STORE_KEPT_MAX);

	s.older_count = s.older_next = 0;
	for (uint32_t i = 0; i < n && i < STORE_KEPT_MAX; i++)
		if (kept[i].generation != commit_generation())
			s.older[s.older_count++] = kept[i].generation;
	s.generation = 0;
	s.op.client = 0;
	s.op.vpn = 0;
	s.bad_block = 0;
	scrub_count.round = 0;
	store_survey_begin(&s.survey);
	s.state = SURVEYING;
}

static void generation_over(void)
{
	if (s.older_next < s.older_count) {
		s.generation = s.older[s.older_next++];
		s.op.client = 0;
		s.op.vpn = 0;
		s.state = LOOKING;
		return;
	}
	scrub_count.rounds++;
	s.state = RESTING;
	s.rest_tsc = rdtsc() + time_ticks(options.scrub_rest_us);
}

/* Past the page that was looked at; past the subtree of `pages` pages it is in. */
static void skip(uint64_t pages)
{
	s.op.vpn = (s.op.vpn | (pages - 1)) + 1;
	if (s.op.vpn >= STORE_VPN_END && s.op.client + 1 < STORE_CLIENTS) {
		s.op.client++;
		s.op.vpn = 0;
	}
	if (s.op.vpn >= STORE_VPN_END)
		generation_over();
	else
		s.state = LOOKING;
}

static uint64_t in_generation(void)
{
	return s.generation ? s.generation : commit_generation();
}

static void tell(uint64_t block, const char *why, const char *what)
{
	scrub_count.damaged++;
	log_error("scrub: client=%u page=0x%lx block=%lu gen=%lu: %s%s", s.op.client, s.op.vpn, block, in_generation(), what, why);
}

/* ---- Survey ---- */

static void survey_read(void);

static void survey_done(struct blkreq *r)
{
	bool whole = r->status == BLK_OK && store_survey_check(&s.survey, s.buf);
	/* A commit may be writing it. */
	bool damaged = !whole && commit_idle() && store_survey_stands(commit_store(), &s.survey);

	s.waiting = false;
	if (damaged && !s.survey_again) {
		s.survey_again = true;
		survey_read();
		return;
	}
	if (damaged) {
		scrub_count.damaged++;
		log_error("scrub: block=%lu gen=%lu: %s: %s", s.survey.block, s.survey.generation ? s.survey.generation : commit_generation(),
			  s.survey.what, store_strerror(r->status == BLK_OK ? STORE_DAMAGED : STORE_EIO));
	}
	s.survey_again = false;
	scrub_count.pages++;
	scrub_count.round++;
	read_on();
}

static void survey_read(void)
{
	s.req = (struct blkreq){ .op = BLK_READ, .count = 1, .block = s.survey.block, .bufs = &s.buf, .done = survey_done };
	s.waiting = true;
	disk_dev.submit(&disk_dev, &s.req);
}

static void survey(void)
{
	if (store_survey_next(commit_store(), &s.survey))
		survey_read();
	else
		s.state = LOOKING;
}

/* An index node. What is below it cannot be looked at: a leaf's pages first, then the rest of the client. */
static void node_damaged(int status)
{
	bool again = s.op.block == s.bad_block;

	if (!again)
		tell(s.op.block, store_strerror(status), "index node: ");
	s.bad_block = s.op.block;
	skip(again ? STORE_VPN_END : 256);
}

/* In memory the page is whole: it becomes dirty, and so gets a new block. */
static bool heal(void)
{
	pfn_t f = s.generation ? 0 : page_find(KEY(s.op.client, s.op.vpn));

	return f && !(page_of(f)->flags & (PG_LOADING | PG_DEAD | PG_DOOMED | PG_POSTPONED)) && (page_of(f)->epoch || cow_take(f));
}

static void page_damaged(const char *why)
{
	tell(s.block, why, heal() ? "written anew, for memory has it: " : "");
	skip(1);
}

static void read_done(struct blkreq *r)
{
	s.waiting = false;
	scrub_count.pages++;
	scrub_count.round++;
	if (r->status == BLK_OK && store_sum(s.buf) == s.sum)
		skip(1);
	else
		s.state = CHECKING;
	read_on();
}

static void read_block(void)
{
	s.req = (struct blkreq){ .op = BLK_READ, .count = 1, .block = s.block, .bufs = &s.buf, .done = read_done };
	s.state = READING;
	s.waiting = true;
	disk_dev.submit(&disk_dev, &s.req);
}

/* The page at or after the cursor. */
static void found(int status)
{
	uint64_t block = s.generation ? s.op.old_block : s.op.block, sum = s.generation ? s.op.old_sum : s.op.sum;

	if (status == STORE_END || (status == STORE_NO_GENERATION && s.generation)) {
		generation_over();
	} else if (status == STORE_DAMAGED) {
		node_damaged(status);
	} else if (status != STORE_OK) {
		s.budget = 0;                   /* the disk, or the generation has just gone: later */
	} else if (!block) {
		skip(1);                        /* a page that only the newest has */
	} else if (s.state == CHECKING && block == s.block && sum == s.sum) {
		page_damaged(s.req.status == BLK_OK ? store_strerror(STORE_DAMAGED) : store_strerror(STORE_EIO));
	} else {
		s.block = block;
		s.sum = sum;
		read_block();
	}
}

static void look_done(struct store_op *op)
{
	s.waiting = false;
	found(op->status);
	read_on();
}

static void look(void)
{
	uint64_t newest = commit_generation();
	int status;

	s.op.done = look_done;
	s.waiting = true;
	status = store_diff(commit_store(), &s.op, s.generation, newest);
	if (status == STORE_PENDING)
		return;
	s.waiting = false;
	found(status);
}

static bool leisure(void)
{
	return commit_idle() && !disk_in_flight() && disk_works() && !reclaim_short() && !load_retry_wanted();
}

/* As far as it may go now. */
static void read_on(void)
{
	uint64_t second = time_ticks(1000000);

	while (s.state != RESTING && s.state != READING && !s.waiting && s.budget >= second && leisure()) {
		if (s.state != CHECKING)
			s.budget -= second;
		if (s.state == SURVEYING)
			survey();
		else
			look();
	}
}

void scrub_tick(uint64_t now)
{
	uint64_t second = time_ticks(1000000), elapsed = now - s.budget_tsc;

	if (!options.scrub_pages || !commit_persistent() || !commit_generation())
		return;
	if (!s.rest_tsc)
		s.rest_tsc = now + time_ticks(options.scrub_rest_us);
	s.budget_tsc = now;
	if (s.state == RESTING) {
		if (now < s.rest_tsc)
			return;
		round_begin();
		elapsed = 0;
	}
	if (elapsed > second)
		elapsed = second;
	s.budget += elapsed * options.scrub_pages;
	if (s.budget > BURST * second)
		s.budget = BURST * second;
	read_on();
}
