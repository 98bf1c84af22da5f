/* SPDX-License-Identifier: BSD-2-Clause
 * harness: memory=64M timeout=150
 * Property: a program that takes all it can get is refused by an X.2 error code, what it holds stays intact,
 * and after it gives it back the system works as before. Never a panic. Guards every allocation in the kernel and in
 * ckptserver's answers to it.
 */
#include "test.h"

const char test_suite[] = "exhaust";

#define LIMIT   6000            /* more than fits in the kernel's pools with 64 MiB; bounds the time */
#define FIRST   1000            /* thread numbers of this suite */

static word refused_with(word error)
{
	return error == L4_ERR_NO_MEM || error == L4_ERR_UTCB_AREA || error == L4_ERR_INVALID_THREAD;
}

static void remove_all(word first, word count)
{
	word i, failed = 0;

	for (i = 0; i < count; i++)
		failed += L4_ThreadControl(L4_GlobalId(first + i, 1), L4_nilthread, L4_nilthread, L4_nilthread,
		                           (void *)-1) != 1;
	EXPECT_EQ(failed, 0);
}

static void still_works(void)
{
	L4_ThreadId_t tid = test_space();

	EXPECT_EQ(L4_ThreadControl(tid, tid, L4_nilthread, L4_nilthread, (void *)-1), 1);
	test_delete(tid);
	EXPECT(test_boot() != 0);
}

static void threads(void)
{
	word i, made = 0, error = 0;

	for (i = 0; i < L4_UTCB_MAX_SLOTS + 64; i++) {
		if (L4_ThreadControl(L4_GlobalId(FIRST + i, 1), L4_Myself(), L4_Myself(), L4_Pager(),
		                     test_utcb((unsigned int)(40 + i))) != 1) {
			error = L4_ErrorCode();
			break;
		}
		made++;
	}
	test_note("threads in one space", made);
	EXPECT(made > 100);
	EXPECT(error == 0 || refused_with(error));
	remove_all(FIRST, made);
	still_works();
}

static void spaces(void)
{
	word i, made = 0, error = 0, old;

	for (i = 0; i < LIMIT; i++) {
		L4_ThreadId_t tid = L4_GlobalId(FIRST + i, 1);

		if (L4_ThreadControl(tid, tid, L4_Myself(), L4_nilthread, (void *)-1) != 1) {
			error = L4_ErrorCode();
			break;
		}
		made++;
		if (L4_SpaceControl(tid, 0, L4_FpageLog2(TEST_KIP, 12), L4_FpageLog2(TEST_UTCBS, 12),
		                    L4_nilthread, &old) != 1) {
			error = L4_ErrorCode();
			break;
		}
		if (L4_ThreadControl(tid, tid, L4_nilthread, L4_Pager(), (void *)TEST_UTCBS) != 1) {
			error = L4_ErrorCode();
			break;
		}
	}
	test_note("spaces", made);
	EXPECT(made > 100);
	EXPECT(error == 0 || error == L4_ERR_NO_MEM);
	remove_all(FIRST, made);
	still_works();
}

/* Page tables: one page each in as many 1 GiB regions as there are. */
static void mappings(void)
{
	word *page = test_pages(1), taken;
	L4_ThreadId_t tid = test_map_far(page, 20000, &taken);

	/* The tables are a cache: every item is accepted, old mappings vanish. */
	EXPECT_EQ(taken, 20000);
	(void)L4_UnmapFpage(L4_FpageAddRights(L4_FpageLog2((word)page, 12), 7));
	EXPECT_EQ(*page, 77);
	test_delete(tid);
	still_works();
}

static void senders(void)
{
	/* All active, waiting for their start message. */
	enum { N = 200 };
	static L4_ThreadId_t tid[N];
	L4_ThreadId_t target = test_thread_inactive(L4_nilthread);
	unsigned int i;

	for (i = 0; i < N; i++)
		tid[i] = test_thread_inactive(L4_Pager());
	for (i = 0; i < N; i++)
		test_delete(tid[i]);
	test_delete(target);
	still_works();
}

/* Threads with numbers so far apart that each takes a page of the thread table, and the kernel memory that goes with it. */
#define APART   128
#define PAGES   2000

static L4_ThreadId_t apart(word i)
{
	return L4_GlobalId(5000 + APART * i, 1);
}

/* A thread asks for one more all the time, and is refused each time. At some moment, perhaps between the refusal and its hearing
 * of it, it is moved to another call, which has nothing to do with memory that was refused before. */
#define MOVES   200

static volatile word moved, moved_ok, asks;

static void ask_for_more(void *arg)
{
	for (;;) {
		(void)L4_ThreadControl(apart((word)arg), L4_Myself(), L4_Myself(), L4_nilthread, (void *)-1);
		asks++;
	}
}

static void ask_for_little(void *arg)
{
	L4_ThreadId_t tid = L4_GlobalId(FIRST, 1);

	(void)arg;
	moved_ok += L4_ThreadControl(tid, L4_Myself(), L4_Myself(), L4_nilthread, (void *)-1) == 1;
	(void)L4_ThreadControl(tid, L4_nilthread, L4_nilthread, L4_nilthread, (void *)-1);
	moved++;
}

static void move_while_refused(word refused)
{
	L4_ThreadId_t tid = test_thread_inactive(L4_Pager());
	word i, random = 5;

	(void)L4_Set_Priority(tid, 50);
	moved = moved_ok = asks = 0;
	test_start(tid, ask_for_more, (void *)refused);
	for (i = 0; i < MOVES; i++) {
		test_sleep_us(50 + test_random(&random) % 200);
		test_start(tid, ask_for_little, 0);
		if (!test_wait_flag(&moved, i + 1))
			break;
		test_start(tid, ask_for_more, (void *)refused);
	}
	EXPECT_EQ(moved, MOVES);
	EXPECT_EQ(moved_ok, MOVES);
	EXPECT_GE(asks, 1);
	test_delete(tid);
}

static void table_pages(void)
{
	word i, made = 0, failed = 0;

	while (made < PAGES && L4_ThreadControl(apart(made), L4_Myself(), L4_Myself(), L4_nilthread, (void *)-1) == 1)
		made++;
	test_note("thread-table pages", made);
	EXPECT(made > 10);
	if (made < PAGES) {
		EXPECT_EQ(L4_ErrorCode(), L4_ERR_NO_MEM);
		EXPECT_REFUSED(L4_ThreadControl(apart(made), L4_Myself(), L4_Myself(), L4_nilthread, (void *)-1), L4_ERR_NO_MEM);
		EXPECT_REFUSED(L4_ThreadControl(apart(PAGES), L4_Myself(), L4_Myself(), L4_nilthread, (void *)-1), L4_ERR_NO_MEM);
		move_while_refused(made);
	}
	for (i = 0; i < made; i++)
		failed += L4_ThreadControl(apart(i), L4_nilthread, L4_nilthread, L4_nilthread, (void *)-1) != 1;
	EXPECT_EQ(failed, 0);
	still_works();
}

const struct test tests[] = {
	{ .name = "threads until refused", .run = threads },
	{ .name = "spaces until refused", .run = spaces },
	{ .name = "20000 mappings far apart", .run = mappings },
	{ .name = "200 threads at once", .run = senders },
	{ .name = "pages of the thread table until refused", .run = table_pages },
	{ 0 }
};
