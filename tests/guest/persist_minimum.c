/* SPDX-License-Identifier: BSD-2-Clause
 * harness: memory=64M options=ckpt.frames=256,ckpt.buffers=24 timeout=200
 *
 * Property: 256 frames, the least that is accepted, are enough for whatever runs: a program whose pager's pager's pager is the root task's,
 * each in a space of its own, comes through instructions that need six pages at once, while others touch more memory than there is all
 * the time. Nobody waits for ever, nothing is lost, and all goes on after a kill. Guards the reserve of frames, the ticket, second
 * chance, the order in which frames are given.
 */
#include "test.h"
#include <l4/ckpt.h>

const char test_suite[] = "persist_minimum";

#define WORDS           512
#define LEAVES          2               /* programs below the chain of pagers */
#define SWEEPERS        4
#define SWEPT           160             /* pages of each sweeper: together more than three times the frames */
#define SET             64              /* pages of each leaf */
#define ROUNDS          10
#define PATIENCE_US     120000000UL

/* The one instruction: it stands on two pages, reads from two and writes to two. */
static const unsigned char move[] = { 0x48, 0xa5, 0xc3 };       /* movsq; ret */

struct leaf {
	word *set;                      /* SET pages */
	unsigned char *code;            /* two pages; the instruction begins with the last byte of the first */
	volatile word rounds, wrong, limit;
};

static struct leaf *leaf;
static word *swept[SWEEPERS];
static volatile word sweeps[SWEEPERS], sweeps_wrong;

/* The eight bytes across the end of page i, which is not the last. */
static word *across(const struct leaf *l, word i)
{
	return (word *)((word)(l->set + (i + 1) * WORDS) - 4);
}

static void do_move(const struct leaf *l, const word *from, word *to)
{
	void *code = l->code + 4095;

	__asm__ volatile("call *%2" : "+S"(from), "+D"(to) : "r"(code) : "memory");
}

/* Page i of the set has a number on the border to the next; the numbers are moved about. */
static void leaf_loop(void *arg)
{
	struct leaf *l = arg;
	word random = 99 + l->limit, value[SET - 1], i;

	for (i = 0; i < SET - 1; i++)
		*across(l, i) = value[i] = test_random(&random);
	for (;;) {
		word from = test_random(&random) % (SET - 1), to = test_random(&random) % (SET - 1);

		while (l->rounds >= l->limit)
			test_sleep_us(5000);
		do_move(l, across(l, from), across(l, to));
		value[to] = value[from];
		l->wrong += *across(l, to) != value[to];
		l->rounds++;
	}
}

static void sweeper(void *arg)
{
	word n = (word)arg, count = 0, i;

	for (;; count++) {
		for (i = 0; i < SWEPT; i++) {
			word *at = swept[n] + i * WORDS;

			if (*at != count)
				sweeps_wrong++;
			*at = count + 1;
		}
		sweeps[n]++;
	}
}

static void wait_rounds(word rounds)
{
	word end = test_now_us() + PATIENCE_US, i, least;

	for (i = 0; i < LEAVES; i++)
		leaf[i].limit = rounds;
	do {
		test_sleep_us(20000);
		least = ~0UL;
		for (i = 0; i < LEAVES; i++)
			if (leaf[i].rounds < least)
				least = leaf[i].rounds;
	} while (least < rounds && test_now_us() < end);
	for (i = 0; i < LEAVES; i++) {
		EXPECT_GE(leaf[i].rounds, rounds);
		EXPECT_EQ(leaf[i].wrong, 0);
	}
}

static void chain_setup(void)
{
	L4_ThreadId_t pager = test_pager_under(test_pager_under(test_pager()));
	struct L4_CkptStat stat;
	word i, k;

	REQUIRE_EQ(L4_CheckpointInfo(&stat), L4_CKPT_OK);
	EXPECT_LE(stat.frames, 256);
	leaf = test_pages(1);
	for (i = 0; i < SWEEPERS; i++)
		swept[i] = test_pages(SWEPT);
	for (i = 0; i < LEAVES; i++) {
		leaf[i].set = test_pages(SET);
		leaf[i].code = test_pages(2);
		for (k = 0; k < sizeof move; k++)
			leaf[i].code[4095 + k] = move[k];
		leaf[i].limit = i;
	}
	for (i = 0; i < SWEEPERS; i++)
		(void)test_thread(sweeper, (void *)i);
	for (i = 0; i < LEAVES; i++)
		test_space_start_under(pager, test_space(), leaf_loop, &leaf[i]);
	wait_rounds(ROUNDS);
}

static void chain_check(void)
{
	struct L4_CkptStat stat;
	word before[SWEEPERS], began = test_now_us(), i;

	for (i = 0; i < SWEEPERS; i++)
		before[i] = sweeps[i];
	wait_rounds(2 * ROUNDS);
	test_note("milliseconds for the rounds after the kill", (test_now_us() - began) / 1000);
	for (i = 0; i < SWEEPERS; i++)
		while (sweeps[i] == before[i] && test_now_us() < began + 2 * PATIENCE_US)
			test_sleep_us(20000);
	for (i = 0; i < SWEEPERS; i++)
		EXPECT_GE(sweeps[i], before[i] + 1);
	EXPECT_EQ(sweeps_wrong, 0);
	EXPECT_EQ(test_bad_faults, 0);
	EXPECT_EQ(L4_CheckpointInfo(&stat), L4_CKPT_OK);
	EXPECT_GE(stat.reads, 10 * SWEPT);
	test_note("frames", stat.frames);
	test_note("pages read back", stat.reads);
	test_note("waits for a frame", stat.frame_waits);
}

const struct test tests[] = {
	{ .name = "three pagers deep, and more memory touched than there is", .setup = chain_setup, .run = chain_check },
	{ 0 }
};
