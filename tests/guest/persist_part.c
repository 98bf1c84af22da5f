/* SPDX-License-Identifier: BSD-2-Clause
 * Property: what programs that take part in checkpoints are promised (l4/ckpt.h). What was committed before a call
 * returned is there after the kill; a volatile range is zero after each recovery, also where it was on the disk before,
 * and its neighbours are not; an order is carried out once it has been awaited, in whichever boot; generations are
 * listed, named, compared, dropped and counted, and bad arguments are refused. Guards requests.c, travel.c, volatile.c
 * of the checkpoint server and libl4/ckpt.c.
 */
#include "test.h"

#include <l4/ckpt.h>
#include <l4/string.h>

const char test_suite[] = "persist_part";

#define PAGE            4096UL
#define WORDS           (PAGE / sizeof(word))

/* ---- Commit and wait, generation, boot number ------------------------------------------------------------ */

static word committed_generation, committed_boot;
static volatile word *committed;

static void commit_setup(void)
{
	unsigned long generation = 0;

	committed = test_pages(1);
	committed_boot = L4_CheckpointBoot();
	for (word round = 1; round <= 3; round++) {
		unsigned long before = generation;

		committed[0] = round;
		EXPECT_EQ(L4_CheckpointAndWait(&generation), L4_CKPT_OK);
		EXPECT(generation > before);
		EXPECT_EQ(committed[0], round);
	}
	committed_generation = generation;
}

static void commit_check(void)
{
	struct L4_CkptStat stat;

	EXPECT_EQ(committed[0], 3);
	EXPECT(L4_CheckpointBoot() > committed_boot);
	REQUIRE_EQ(L4_CheckpointInfo(&stat), L4_CKPT_OK);
	EXPECT_EQ(stat.boot, L4_CheckpointBoot());
	EXPECT_GE(stat.recovered, committed_generation);
	EXPECT_EQ(L4_RecoveredGeneration(L4_GetKernelInterface()), stat.recovered);
	EXPECT_GE(stat.generation, stat.recovered);
	EXPECT(stat.kept >= 1 && stat.kept_held <= stat.kept);
	EXPECT_GE(stat.wall_s, 1700000000);
}

/* ---- Volatile ranges ----------------------------------------------------------------------------------------- */

#define RANGE 8
/* Pages of `late` were committed before they became volatile, those of `early` never; each between two that persist. */
static word *early, *late;

static void fill(word *page, word count, word value)
{
	for (word i = 0; i < count * WORDS; i++)
		page[i] = value + i;
}

static word wrong(const word *page, word count, word value)
{
	word bad = 0;

	for (word i = 0; i < count * WORDS; i++)
		bad += page[i] != (value ? value + i : 0);
	return bad;
}

static void volatile_setup(void)
{
	early = test_pages(RANGE + 2);
	late = test_pages(RANGE + 2);
	fill(late, RANGE + 2, 0x1000);
	EXPECT(test_checkpoint() != 0);
	EXPECT_EQ(L4_VolatileStore((word)(early + WORDS), RANGE * PAGE), L4_CKPT_OK);
	EXPECT_EQ(L4_VolatileStore((word)(late + WORDS), RANGE * PAGE), L4_CKPT_OK);
	fill(early, RANGE + 2, 0x2000);
	EXPECT_EQ(wrong(late, RANGE + 2, 0x1000), 0);   /* as long as the machine runs nothing is lost */
	late[WORDS] = 0x77;
}

static void volatile_check(void)
{
	EXPECT_EQ(wrong(early, 1, 0x2000), 0);
	EXPECT_EQ(wrong(early + WORDS, RANGE, 0), 0);
	EXPECT_EQ(wrong(early + (RANGE + 1) * WORDS, 1, 0x2000 + (RANGE + 1) * WORDS), 0);
	EXPECT_EQ(wrong(late, 1, 0x1000), 0);
	EXPECT_EQ(wrong(late + WORDS, RANGE, 0), 0);
	EXPECT_EQ(wrong(late + (RANGE + 1) * WORDS, 1, 0x1000 + (RANGE + 1) * WORDS), 0);
	fill(early + WORDS, RANGE, 0x3000);             /* usable as before */
	EXPECT(test_checkpoint() != 0);
	EXPECT_EQ(wrong(early + WORDS, RANGE, 0x3000), 0);
}

/* ---- Save before ------------------------------------------------------------------------------------------------ */

static volatile word *ordered;
static struct L4_CkptOrder order, old_order;

static void order_setup(void)
{
	unsigned long generation = 0;

	ordered = test_pages(2);
	ordered[0] = 1;
	EXPECT_EQ(L4_OrderSave(ordered, PAGE, &order), L4_CKPT_OK);
	EXPECT_EQ(order.boot, L4_CheckpointBoot());
	ordered[WORDS] = 2;                             /* work goes on */
	EXPECT_EQ(L4_AwaitSave(&order, &generation), L4_CKPT_OK);
	EXPECT(generation != 0);
	EXPECT_EQ(L4_AwaitSave(&order, 0), L4_CKPT_OK); /* as often as one likes */
	ordered[0] = 3;
	EXPECT_EQ(L4_OrderSave(ordered, PAGE, &old_order), L4_CKPT_OK);
}

static void order_check(void)
{
	struct L4_CkptOrder never = { .boot = L4_CheckpointBoot(), .snapshot = ~0ul };

	EXPECT_EQ(ordered[0], 3);
	EXPECT_EQ(L4_AwaitSave(&old_order, 0), L4_CKPT_OK);
	EXPECT_EQ(L4_AwaitSave(&never, 0), L4_CKPT_BAD_REQUEST);
	EXPECT_EQ(L4_OrderSave(ordered + 1, PAGE, &never), L4_CKPT_BAD_REQUEST);
	EXPECT_EQ(L4_OrderSave(ordered, 100, &never), L4_CKPT_BAD_REQUEST);
	EXPECT_EQ(L4_OrderSave(ordered, L4_CKPT_RANGE_MAX + PAGE, &never), L4_CKPT_BAD_REQUEST);
	EXPECT_EQ(L4_OrderSave((void *)0x7fffffff0000, PAGE, &never), L4_CKPT_BAD_REQUEST);
}

/* ---- Generations -------------------------------------------------------------------------------------------------- */

#define LIST 80
static struct L4_CkptGeneration list[LIST];
static unsigned long first_named, second_named;
static word *changed;

static const struct L4_CkptGeneration *listed(unsigned long generation)
{
	unsigned long count = 0;

	REQUIRE_EQ(L4_CheckpointList(list, LIST, &count), L4_CKPT_OK);
	REQUIRE(count > 0 && count <= LIST);
	for (unsigned long i = 1; i < count; i++)
		EXPECT(list[i].generation < list[i - 1].generation);
	for (unsigned long i = 0; i < count; i++)
		if (list[i].generation == generation)
			return &list[i];
	return 0;
}

static void generations_setup(void)
{
	static const char *const bad[] = { "12", "0x1f", "none", "latest", "-1", "a b", "a/b", "a..b",
					   "a1234567890123456789012345678901" };

	changed = test_pages(300);
	fill(changed, 300, 0x5000);
	EXPECT(test_checkpoint() != 0);
	for (unsigned int i = 0; i < sizeof bad / sizeof bad[0]; i++)
		EXPECT_EQ(L4_CheckpointName(0, bad[i], 0), L4_CKPT_BAD_REQUEST);
	EXPECT_EQ(L4_CheckpointName(~0ul, "a", 0), L4_CKPT_NOT_KEPT);
	EXPECT_EQ(L4_CheckpointName(0, "first", &first_named), L4_CKPT_OK);
	EXPECT_EQ(L4_CheckpointName(0, "first", 0), L4_CKPT_NAME_TAKEN);
	EXPECT_EQ(L4_CheckpointName(first_named, "first", 0), L4_CKPT_OK);
	fill(changed + 10 * WORDS, 5, 0x6000);          /* six pages changed, three gone */
	memset(changed + 20 * WORDS, 0, 3 * PAGE);
	fill(changed + 298 * WORDS, 1, 0);
	EXPECT(test_checkpoint() != 0);
	EXPECT_EQ(L4_CheckpointName(0, "second", &second_named), L4_CKPT_OK);
	EXPECT(second_named > first_named);
}

/* Counts what changed in our pages between two generations. */
static void compare(unsigned long from, unsigned long to, word pages[L4_CKPT_GONE + 1])
{
	word first = (word)changed / PAGE, runs = 0, client = 0, page = 0;
	struct L4_CkptChange change[L4_CKPT_DIFF_MAX];
	struct L4_CkptDiff diff = { .from = from, .to = to };
	unsigned long n;

	memset(pages, 0, sizeof(word) * (L4_CKPT_GONE + 1));
	while (!diff.done) {
		REQUIRE_EQ(L4_CheckpointDiff(&diff, change, &n), L4_CKPT_OK);
		REQUIRE(n <= L4_CKPT_DIFF_MAX && ++runs < 100000);
		for (unsigned long i = 0; i < n; i++) {
			EXPECT(change[i].client > client || (change[i].client == client && change[i].first >= page));
			EXPECT(change[i].pages > 0 && change[i].kind >= L4_CKPT_ADDED && change[i].kind <= L4_CKPT_GONE);
			client = change[i].client;
			page = change[i].first + change[i].pages;
			if (client && change[i].first >= first && change[i].first < first + 300)
				pages[change[i].kind] += change[i].pages;
		}
	}
}

static void generations_check(void)
{
	const struct L4_CkptGeneration *g = listed(first_named);
	struct L4_CkptDiff diff = { .from = first_named, .to = ~0ul };
	struct L4_CkptChange change[L4_CKPT_DIFF_MAX];
	word pages[L4_CKPT_GONE + 1];
	unsigned long n;

	REQUIRE(g);
	EXPECT(!strcmp(g->name, "first"));
	EXPECT_EQ(g->flags & L4_CKPT_NAMED, L4_CKPT_NAMED);
	EXPECT(g->parent < g->generation && g->boot == committed_boot && g->blocks > 300);
	EXPECT(g->clock_us < test_now_us());
	EXPECT_GE(g->wall_s, 1700000000);
	compare(first_named, second_named, pages);
	EXPECT_EQ(pages[L4_CKPT_ADDED], 0);
	EXPECT_EQ(pages[L4_CKPT_CHANGED], 6);
	EXPECT_EQ(pages[L4_CKPT_GONE], 3);
	compare(second_named, first_named, pages);
	EXPECT_EQ(pages[L4_CKPT_ADDED], 3);
	EXPECT_EQ(pages[L4_CKPT_CHANGED], 6);
	EXPECT_EQ(pages[L4_CKPT_GONE], 0);
	EXPECT_EQ(L4_CheckpointDiff(&diff, change, &n), L4_CKPT_NOT_KEPT);
}

/* After generations_check. */
static void drop_check(void)
{
	unsigned long n = 0, before = 0, newest;

	EXPECT_EQ(L4_CheckpointName(second_named, "", 0), L4_CKPT_OK);
	EXPECT_EQ(L4_CheckpointDrop(first_named, first_named, &n), L4_CKPT_OK);
	EXPECT_EQ(n, 1);
	EXPECT(!listed(first_named));
	EXPECT_EQ(L4_CheckpointDrop(first_named, first_named, &n), L4_CKPT_NOT_KEPT);
	EXPECT_EQ(L4_CheckpointDrop(7, 3, &n), L4_CKPT_NOT_KEPT);
	EXPECT_EQ(L4_CheckpointKeep(0, &before), L4_CKPT_OK);
	EXPECT_EQ(L4_CheckpointKeep(L4_CKPT_KEEP_MAX + 1, 0), L4_CKPT_BAD_REQUEST);
	EXPECT_EQ(L4_CheckpointKeep(2, &n), L4_CKPT_OK);
	EXPECT_EQ(n, before);
	for (word i = 0; i < 4; i++) {
		changed[0]++;
		newest = test_checkpoint();
		EXPECT(newest != 0);
	}
	(void)listed(0);
	REQUIRE_EQ(L4_CheckpointList(list, 1, &n), L4_CKPT_OK);
	EXPECT_LE(n, 5);        /* two, one more while a commit is under way, and two that the newer ones share blocks with */
	EXPECT_GE(list[0].generation, newest);
	EXPECT_EQ(L4_CheckpointKeep(before, 0), L4_CKPT_OK);
	EXPECT_EQ(L4_CheckpointDrop(0, ~0ul, &n), L4_CKPT_OK);
	EXPECT_GE(n, 1);
}

/* ---- Discarding what belongs to a snapshot, or declaring it volatile ----------------------------------------------- */

#define GIVEN           64
#define TRIES           8               /* volatile ranges are for good, and there are 12 in all */
#define EARLIER         100             /* added to the number of an attempt: content of the checkpoint before, … */
#define LATER           200             /* … and what is written afterwards */
#define TRY_US          2000000UL

static volatile word *given_up;
static volatile word saved, stage;      /* of giving up: 0 before, 1 called, 2 done */

static void saver(void *arg)
{
	(void)arg;
	(void)test_checkpoint();
	saved = 1;
}

static word content(word attempt, word i)
{
	return attempt << 32 | (i + 1);
}

static void write_pages(word attempt)
{
	for (word i = 0; i < GIVEN * WORDS; i++)
		given_up[i] = content(attempt, i);
}

/* All of it as it was written, or all zero, if this is still the boot in which the caller knew that. */
static void expect_pages(word boot, word attempt, int zero)
{
	word i, bad = 0;

	for (i = 0; i < GIVEN * WORDS; i++)
		bad += given_up[i] != (zero ? 0 : content(attempt, i));
	if (test_boot() == boot)
		EXPECT_EQ(bad, 0);
}

/* True: a snapshot was taken of the pages that were just written, and is being saved. */
static int wait_snapshot(word before)
{
	word end = test_now_us() + TRY_US;
	struct L4_CkptStat stat;

	do {
		test_sleep_us(50);      /* the saver is less urgent */
		REQUIRE_EQ(L4_CheckpointInfo(&stat), L4_CKPT_OK);
	} while (!saved && stat.frames_dirty >= GIVEN && test_now_us() < end);
	return !saved && stat.frames_dirty < GIVEN && stat.early == before;
}

/* True: another boot, which began with the checkpoint that was being taken. */
static int give_up_once(word attempt, word boot, int declare)
{
	struct L4_CkptStat stat;
	L4_ThreadId_t tid;
	int in_time;

	given_up = test_pages(GIVEN);
	write_pages(attempt + EARLIER);
	EXPECT(test_checkpoint() != 0);
	write_pages(attempt);
	saved = stage = 0;
	REQUIRE_EQ(L4_CheckpointInfo(&stat), L4_CKPT_OK);
	tid = test_thread(saver, 0);
	in_time = wait_snapshot(stat.early);
	if (test_boot() != boot)
		return 1;
	stage = 1;
	if (declare) {
		EXPECT_EQ(L4_VolatileStore((word)given_up, GIVEN * PAGE), L4_CKPT_OK);
		write_pages(attempt + LATER);
	} else {
		(void)L4_DiscardStore((word)given_up, GIVEN * PAGE);
	}
	if (test_boot() != boot)
		return 1;               /* perhaps amidst writing: some of it was lost, and the rest is there */
	stage = 2;
	in_time &= !saved;
	expect_pages(boot, attempt + LATER, !declare);
	test_wait_flag(&saved, 1);
	test_delete(tid);
	if (in_time)
		test_wait_boot(declare ? "[test] kill 3" : "[test] kill 2", boot);
	return test_boot() != boot;
}

/* The checkpoint is of an instant at which the pages were like any others. */
static void give_up(int declare)
{
	word boot = test_boot(), attempt;
	int again = 0;

	EXPECT_EQ(L4_SetCheckpointInterval(0, 0), L4_CKPT_OK);
	for (attempt = 1; attempt <= TRIES && !again; attempt++)
		again = give_up_once(attempt, boot, declare);
	EXPECT(again);
	if (stage != 1)
		expect_pages(test_boot(), attempt - 1, stage == 2);
}

static void discard_check(void)
{
	give_up(0);
}

static void declare_check(void)
{
	give_up(1);
}

/* ---- The interval ------------------------------------------------------------------------------------------------- */

#define INTERVAL_US     1000000UL
#define SAVES           40

/* Checkpoints that programs ask for come in addition: they do not put off the next one that nobody asks for. */
static void interval_check(void)
{
	unsigned long before = 0, last = 0;
	struct L4_CkptStat stat;
	word began;

	changed = test_pages(1);
	EXPECT_EQ(L4_SetCheckpointInterval(INTERVAL_US, &before), L4_CKPT_OK);
	for (word i = 0; i < SAVES; i++) {
		changed[0]++;
		last = test_checkpoint();
	}
	began = test_now_us();
	do {
		changed[0]++;
		test_sleep_us(10000);
		REQUIRE_EQ(L4_CheckpointInfo(&stat), L4_CKPT_OK);
	} while (stat.generation == last && test_now_us() - began < SAVES / 2 * INTERVAL_US);
	EXPECT_LE(test_now_us() - began, 5 * INTERVAL_US);
	EXPECT_EQ(L4_SetCheckpointInterval(before, 0), L4_CKPT_OK);
}

const struct test tests[] = {
	{ .name = "commit and wait", .setup = commit_setup, .run = commit_check },
	{ .name = "volatile ranges are zero after a recovery", .setup = volatile_setup, .run = volatile_check },
	{ .name = "an order to save, and waiting for it", .setup = order_setup, .run = order_check },
	{ .name = "generations: list, name, diff", .setup = generations_setup, .run = generations_check },
	{ .name = "generations: drop, keep", .run = drop_check },
	{ .name = "a page discarded while it belongs to a snapshot is in it", .run = discard_check },
	{ .name = "a page declared volatile while it belongs to a snapshot is in it", .run = declare_check },
	{ .name = "the interval goes on when programs save", .run = interval_check },
	{ 0 }
};
