/* SPDX-License-Identifier: BSD-2-Clause
 * A checkpoint of 256 MiB of pages with content: cost of writing a page, and the longest stretch without an
 * instruction of a persistent thread while it is written, as a spinner of the highest persistent priority sees it.
 */
#include "bench.h"
#include <l4/ckpt.h>
#include <l4/threadinfo.h>

const char test_suite[] = "writeout";

#define PAGES   (256UL << 8)
#define ROUNDS  3

static volatile word spinner_max, finished, generation;
static word gap[ROUNDS], per_page[ROUNDS], cpu[ROUNDS];

static void spin(void *arg)
{
	word last = bench_tsc();

	(void)arg;
	for (;;) {
		word now = bench_tsc(), took = now - last;

		last = now;
		if (took > spinner_max) {
			spinner_max = took;
			last = bench_tsc();
		}
	}
}

/* What the checkpoint server's two threads have run, in microseconds of the emulated clock. */
static word server_time(void)
{
	struct l4_thread_info fault = { 0 }, writer = { 0 };

	(void)L4_ThreadInfo(L4_SIGMA0_TNO, &fault);
	(void)L4_ThreadInfo(L4_WRITER_TNO, &writer);
	return fault.cpu_us + writer.cpu_us;
}

static void save(void *arg)
{
	(void)arg;
	generation = test_checkpoint();
	finished = 1;
}

static void write_out(void)
{
	word *memory = test_pages(PAGES), r, i, begin;
	L4_ThreadId_t spinner = test_thread_inactive(L4_Pager()), saver;
	struct L4_CkptStat stat;

	(void)L4_Set_Priority(spinner, 254);
	for (r = 0; r < ROUNDS; r++) {
		for (i = 0; i < PAGES; i++)
			memory[512 * i + r] = i + 1;
		finished = 0;
		test_start(spinner, spin, 0);
		test_sleep_us(1000);
		spinner_max = 0;
		begin = bench_tsc();
		cpu[r] = server_time();
		saver = test_thread_inactive(L4_Pager());
		(void)L4_Set_Priority(saver, 255);
		test_start(saver, save, 0);
		while (!finished)
			test_sleep_us(1000);
		per_page[r] = (bench_tsc() - begin) / PAGES;
		cpu[r] = (server_time() - cpu[r]) * 1000 / PAGES;
		gap[r] = spinner_max;
		test_delete(saver);
		EXPECT(generation != 0);
	}
	test_delete(spinner);
	bench_report("longest_gap_writing_256M", gap, ROUNDS, 1, "instructions");
	bench_report("checkpoint_time_per_page", per_page, ROUNDS, 1, "instructions");
	bench_report("checkpoint_work_per_page", cpu, ROUNDS, 1, "instructions");
	if (EXPECT_EQ(L4_CheckpointInfo(&stat), L4_CKPT_OK)) {
		test_bench("checkpoint_pages", stat.pages_last, "pages");
		test_bench("checkpoint_bytes", stat.bytes_last, "bytes");
	}
}

const struct test tests[] = {
	{ .name = "256 MiB", .run = write_out },
	{ 0 }
};
