/* SPDX-License-Identifier: BSD-2-Clause
 * What the basic operations cost: system calls, IPC round trips, page faults to a user pager, first writes after a
 * snapshot, thread creation. Medians of BENCH_ROUNDS; everything is warm. The highest priority of persistent
 * threads is used, so that only the kernel and the residual servers can come between.
 */
#include "bench.h"

const char test_suite[] = "basic";

#define INNER 64                /* operations a sample, where one alone is short */

static word sample[BENCH_ROUNDS], overhead;

/* ---- System calls ------------------------------------------------------------------------------------- */

static void system_calls(void)
{
	word r, i, begin;
	L4_ThreadId_t from = L4_nilthread;

	overhead = bench_overhead();
	for (r = 0; r < BENCH_ROUNDS; r++) {
		begin = bench_tsc();
		for (i = 0; i < INNER; i++)
			(void)L4_Ipc(L4_nilthread, L4_nilthread, 0, &from);
		sample[r] = bench_tsc() - begin - overhead;
	}
	bench_report("null_system_call", sample, BENCH_ROUNDS, INNER, "instructions");
	for (r = 0; r < BENCH_ROUNDS; r++) {
		begin = bench_tsc();
		for (i = 0; i < INNER; i++)
			(void)L4_SystemClock();
		sample[r] = bench_tsc() - begin - overhead;
	}
	bench_report("system_clock", sample, BENCH_ROUNDS, INNER, "instructions");
	EXPECT(1);
}

/* ---- IPC ------------------------------------------------------------------------------------------------ */

static void server(void *arg)
{
	L4_ThreadId_t from;
	L4_MsgTag_t tag = L4_Wait(&from);

	(void)arg;
	for (;;) {
		L4_LoadMR(0, tag.raw & 0x3f);
		tag = L4_ReplyWait(from, &from);
	}
}

/* Answers one client by closed call, not by an open wait. */
static void partner(void *arg)
{
	L4_ThreadId_t from;

	(void)arg;
	(void)L4_Wait(&from);
	for (;;) {
		L4_LoadMR(0, 0);
		(void)L4_Call(from);
	}
}

static void round_trips(L4_ThreadId_t to, unsigned int words, const char *name)
{
	word r, i, begin;

	for (r = 0; r < BENCH_ROUNDS + 3; r++) {
		begin = bench_tsc();
		for (i = 0; i < INNER; i++) {
			L4_LoadMR(0, words);
			(void)L4_Call(to);
		}
		if (r >= 3)
			sample[r - 3] = bench_tsc() - begin - overhead;
	}
	bench_report(name, sample, BENCH_ROUNDS, INNER, "instructions");
}

static void ipc_within(void)
{
	L4_ThreadId_t tid = test_thread(server, 0);

	test_wait_state(tid, L4_SCHEDRESULT_WAITING);
	round_trips(tid, 0, "ipc_intra_0");
	round_trips(tid, 7, "ipc_intra_7");
	test_delete(tid);
	EXPECT(1);
}

static void ipc_between(void)
{
	L4_ThreadId_t tid = test_space();

	test_space_start(tid, server, 0);
	test_wait_state(tid, L4_SCHEDRESULT_WAITING);
	round_trips(tid, 0, "ipc_inter_0");
	round_trips(tid, 7, "ipc_inter_7");
	round_trips(tid, 63, "ipc_inter_63");
	test_delete(tid);
	tid = test_space();
	test_space_start(tid, partner, 0);
	test_wait_state(tid, L4_SCHEDRESULT_WAITING);
	round_trips(tid, 0, "ipc_inter_closed_0");
	test_delete(tid);
	EXPECT(1);
}

/* ---- Page faults -------------------------------------------------------------------------------------------- */

static volatile word fault_done, fault_go;
static word *fault_pages;

/* A pager as one would write it: answers with the same page of its own space, and waits for the next fault, in one call. */
static void lean_pager(void *arg)
{
	L4_ThreadId_t from;

	(void)arg;
	(void)L4_Wait(&from);
	for (;;) {
		word page = test_mr(1) & ~0xfffUL;

		L4_LoadMR(0, 2 << 6);
		L4_LoadMR(1, page | 8);
		L4_LoadMR(2, page | 12 << 4 | L4_FullyAccessible);
		(void)L4_ReplyWait(from, &from);
	}
}

static void fault_client(void *arg)
{
	word r, begin;

	(void)arg;
	while (!fault_go)
		test_sleep_us(200);
	/* The pages are present in the root's space, so its pager maps them on without a fault of its own. */
	for (r = 0; r < BENCH_ROUNDS; r++) {
		begin = bench_tsc();
		(void)*(volatile word *)(fault_pages + 512 * r);
		sample[r] = bench_tsc() - begin - overhead;
	}
	fault_done = 1;
}

static void page_faults(void)
{
	L4_ThreadId_t tid = test_space(), pager = test_thread(lean_pager, 0);
	word r;

	fault_pages = test_pages(BENCH_ROUNDS);
	for (r = 0; r < BENCH_ROUNDS; r++)
		fault_pages[512 * r] = r;
	fault_done = fault_go = 0;
	test_space_start(tid, fault_client, 0);
	REQUIRE_EQ(L4_ThreadControl(tid, tid, L4_nilthread, pager, (void *)-1), 1);
	fault_go = 1;
	test_wait_flag(&fault_done, 1);
	bench_report("page_fault_user_pager", sample, BENCH_ROUNDS, 1, "instructions");
	test_delete(tid);
	test_delete(pager);
}

static void root_faults(void)
{
	word *pages = test_pages(BENCH_ROUNDS), r, begin;

	for (r = 0; r < BENCH_ROUNDS; r++) {
		begin = bench_tsc();
		*(volatile word *)(pages + 512 * r) = 1;
		sample[r] = bench_tsc() - begin - overhead;
	}
	bench_report("page_fault_new_page", sample, BENCH_ROUNDS, 1, "instructions");
	EXPECT(1);
}

static void cow_faults(void)
{
	word *pages = test_pages(BENCH_ROUNDS), r, begin, generation;

	for (r = 0; r < BENCH_ROUNDS; r++)
		pages[512 * r] = r + 1;
	generation = test_checkpoint();
	if (!generation) {
		test_note("no checkpoint partition: first writes after a snapshot are not measured", 0);
		EXPECT(1);
		return;
	}
	for (r = 0; r < BENCH_ROUNDS; r++) {
		begin = bench_tsc();
		*(volatile word *)(pages + 512 * r) = r;
		sample[r] = bench_tsc() - begin - overhead;
	}
	bench_report("first_write_after_snapshot", sample, BENCH_ROUNDS, 1, "instructions");
	EXPECT(1);
}

/* ---- Threads --------------------------------------------------------------------------------------------------- */

static void threads(void)
{
	L4_ThreadId_t tid = L4_GlobalId(180, 1), me = L4_Myself(), pager = L4_Pager();
	void *utcb = test_utcb(test_new_slot());
	word r, begin;

	for (r = 0; r < BENCH_ROUNDS; r++) {
		begin = bench_tsc();
		EXPECT_EQ(L4_ThreadControl(tid, me, me, pager, utcb), 1);
		EXPECT_EQ(L4_ThreadControl(tid, L4_nilthread, L4_nilthread, L4_nilthread, (void *)-1), 1);
		sample[r] = bench_tsc() - begin - overhead;
	}
	bench_report("thread_create_delete", sample, BENCH_ROUNDS, 1, "instructions");
}

const struct test tests[] = {
	{ .name = "system calls", .run = system_calls },
	{ .name = "IPC within a space", .run = ipc_within },
	{ .name = "IPC between spaces", .run = ipc_between },
	{ .name = "page faults to a user pager", .run = page_faults },
	{ .name = "new pages from the root pager", .run = root_faults },
	{ .name = "first writes after a snapshot", .run = cow_faults },
	{ .name = "threads", .run = threads },
	{ 0 }
};
