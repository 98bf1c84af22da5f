/* SPDX-License-Identifier: BSD-2-Clause
 * The snapshot pause: from the last instruction of a persistent thread before a snapshot to the first one of a
 * persistent thread after it, with 16 MiB to 1 GiB of dirty memory and with 10 to 10,000 threads.
 *
 * A controller (the root task's first thread: 255, the highest persistent priority) reads the clock, sends the request for a checkpoint, and reads the
 * clock again when it runs on: the checkpoint server has the higher priority and takes the snapshot before
 * it lets anybody run. A spinner just below it is ready all the time; until the commit it steps aside, so that the
 * writer need not wait for its turn (writeout.c measures that). Dirty memory is written with zeros: zero pages are as dirty as others and cost no disk, so that
 * 31 snapshots of 1 GiB take no hour.
 */
#include "bench.h"
#include <l4/ckpt.h>

const char test_suite[] = "pause";

#define SNAPSHOTS       31
#define PAGE_WORDS      512
#define FIRST           1000            /* thread numbers of the crowd */
#define PER_SPACE       500

static word sample[SNAPSHOTS];
static volatile word spins;
static L4_ThreadId_t spinner;

static void spin(void *arg)
{
	(void)arg;
	for (;;)
		spins++;
}

/* One snapshot: ticks from before the request to after it; then waits for the commit. 0: it failed. */
static word snapshot(void)
{
	L4_ThreadId_t server = L4_GlobalId(L4_SIGMA0_TNO, 1);
	word begin, took, overhead = bench_overhead(), boot = test_boot();

	test_load(L4_CKPT_SAVE, 1, boot, 0);
	begin = bench_tsc();
	if (L4_IpcFailed(L4_Send(server)))
		return 0;
	took = bench_tsc() - begin - overhead;
	(void)L4_Set_Priority(spinner, 1);
	if (L4_IpcFailed(L4_Receive(server)) || test_mr(1) != L4_CKPT_OK)
		return 0;
	return took;
}

static void dirty(word *memory, word pages)
{
	word i;

	for (i = 0; i < pages; i++)
		*(volatile word *)(memory + PAGE_WORDS * i) = 0;
}

static int measure(const char *name, word *memory, word pages)
{
	word i;

	spinner = test_thread_inactive(L4_Pager());
	(void)L4_Set_Priority(spinner, 1);
	test_start(spinner, spin, 0);
	for (i = 0; i < SNAPSHOTS; i++) {
		dirty(memory, pages);
		(void)L4_Set_Priority(spinner, 254);
		test_sleep_us(1000);
		sample[i] = snapshot();
		if (!EXPECT(sample[i] != 0))
			break;
	}
	test_delete(spinner);
	if (i == SNAPSHOTS)
		bench_report(name, sample, SNAPSHOTS, 1, "instructions");
	return i == SNAPSHOTS;
}

static void by_memory(void)
{
	word *memory = test_pages(1 << 18);

	measure("pause_dirty_16M", memory, 16 << 8);
	measure("pause_dirty_256M", memory, 256 << 8);
	measure("pause_dirty_1G", memory, 1 << 18);
}

/* Threads first .. last-1 exist: in spaces of PER_SPACE, each waiting for its start message. */
static int crowd(word first, word last)
{
	word n, old;

	for (n = first; n < last; n++) {
		L4_ThreadId_t tid = L4_GlobalId(FIRST + n, 1), head = L4_GlobalId(FIRST + n - n % PER_SPACE, 1);

		if (n % PER_SPACE == 0) {
			if (L4_ThreadControl(tid, tid, L4_Myself(), L4_nilthread, (void *)-1) != 1 ||
			    L4_SpaceControl(tid, 0, L4_FpageLog2(TEST_KIP, 12), L4_FpageLog2(TEST_UTCBS, 21),
			                    L4_nilthread, &old) != 1)
				return 0;
			if (L4_ThreadControl(tid, tid, L4_nilthread, L4_MyGlobalId(), (void *)TEST_UTCBS) != 1)
				return 0;
		} else if (L4_ThreadControl(tid, head, L4_Myself(), L4_MyGlobalId(),
		                            (void *)(TEST_UTCBS + n % PER_SPACE * L4_UTCB_SIZE)) != 1) {
			return 0;
		}
	}
	return 1;
}

static void by_threads(void)
{
	static const struct { word count; const char *name; } step[] = {
		{ 10, "pause_threads_10" },
		{ 1000, "pause_threads_1000" },
		{ 10000, "pause_threads_10000" },
	};
	word *memory = test_pages(256), made = 0;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		if (!EXPECT(crowd(made, step[i].count))) {
			test_note("ThreadControl error", L4_ErrorCode());
			return;
		}
		made = step[i].count;
		measure(step[i].name, memory, 256);
	}
}

const struct test tests[] = {
	{ .name = "by threads", .run = by_threads },
	{ .name = "by dirty memory", .run = by_memory },
	{ 0 }
};
