/* SPDX-License-Identifier: BSD-2-Clause
 * Pages that are written to in every interval, and pages that are written to once in a long one: what the first costs its writer and
 * the checkpoint server, and how much of the second is left to be written when the checkpoint comes.
 */
#include "bench.h"
#include <l4/ckpt.h>
#include <l4/threadinfo.h>

const char test_suite[] = "paging";

#define HOT     256UL
#define ROUNDS  40UL
#define SPARSE  4096UL

/* What the checkpoint server's two threads have run, in microseconds of the emulated clock. */
static word server_time(void)
{
	struct l4_thread_info fault = { 0 }, writer = { 0 };

	(void)L4_ThreadInfo(L4_SIGMA0_TNO, &fault);
	(void)L4_ThreadInfo(L4_WRITER_TNO, &writer);
	return fault.cpu_us + writer.cpu_us;
}

static void hot(void)
{
	word *memory = test_pages(HOT), r, i, writing = 0, server = 0;

	for (r = 0; r < ROUNDS + 10; r++) {
		word begin, before;

		before = server_time();
		begin = bench_tsc();
		for (i = 0; i < HOT; i++)
			memory[512 * i] = r + 1;
		if (r >= 10)
			writing += bench_tsc() - begin;
		EXPECT(test_checkpoint() != 0);
		if (r >= 10)
			server += server_time() - before;
	}
	test_bench("hot_page_first_write", writing / ROUNDS / HOT, "instructions");
	test_bench("hot_page_server_work", server * 1000 / ROUNDS / HOT, "instructions");
}

static void early(void)
{
	word *memory = test_pages(SPARSE), i, before;
	struct L4_CkptStat stat;

	EXPECT_EQ(L4_SetCheckpointInterval(60000000, &before), L4_CKPT_OK);
	EXPECT(test_checkpoint() != 0);
	for (i = 0; i < SPARSE; i++)
		memory[512 * i] = i + 1;
	test_sleep_us(8000000);
	if (EXPECT_EQ(L4_CheckpointInfo(&stat), L4_CKPT_OK)) {
		test_bench("sparse_pages", SPARSE, "pages");
		test_bench("sparse_pages_left_to_the_checkpoint", stat.frames_dirty, "pages");
	}
	EXPECT_EQ(L4_SetCheckpointInterval(before, &before), L4_CKPT_OK);
}

const struct test tests[] = {
	{ .name = "256 pages written to in every interval", .run = hot },
	{ .name = "4096 pages written to once in an interval of a minute", .run = early },
	{ 0 }
};
