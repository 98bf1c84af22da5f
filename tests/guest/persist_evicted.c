/* SPDX-License-Identifier: BSD-2-Clause
 * harness: memory=64M options=ckpt.frames=700 timeout=150
 *
 * Property: a thread whose TCB and UTCB are paged out loses nothing by it: its deadline passes in time, an answer to its page
 * fault, a message, a cancellation reach it, and a server that has answered one client and finds the next one absent has
 * answered once. What a thread has been told, or has begun, and could not do yet, it does after a recovery: an abort, a send whose
 * receiver was paged out. A map item into a space that has not run since the snapshot leaves that space's older pages protected;
 * what is written where something was discarded stays. A map item larger than memory arrives. Guards eviction, the check phase of
 * IPC, activation, epochs of page tables, discarding.
 *
 * Paging out is done by touching more memory than there are frames, and proved by the pages that are read back.
 */
#include "test.h"
#include <l4/ckpt.h>

const char test_suite[] = "persist_evicted";

#define MS      1000UL
#define MANY    24                      /* threads of each kind */
#define SWEEPS  3                       /* over that many times the frames */

static volatile word *ballast;
static word ballast_pages;

static struct L4_CkptStat stat(void)
{
	struct L4_CkptStat s;

	REQUIRE_EQ(L4_CheckpointInfo(&s), L4_CKPT_OK);
	return s;
}

/* Touch so many pages that whatever nobody needs is paged out. */
static void page_out(void)
{
	word i, sweep;

	if (!ballast) {
		ballast_pages = stat().frames * 2;
		ballast = test_pages((unsigned int)ballast_pages);
	}
	for (sweep = 0; sweep < SWEEPS; sweep++)
		for (i = 0; i < ballast_pages; i++)
			ballast[i * 512]++;
}

static word reads_before;

static void begin_reading(void)
{
	page_out();
	reads_before = stat().reads;
}

/* At least the TCBs and UTCBs of so many threads have come from the disk meanwhile. */
static void expect_read(word threads)
{
	EXPECT_GE(stat().reads, reads_before + 2 * threads);
}

/* ---- A deadline --------------------------------------------------------------------------------------------------- */

#define NAP     (1500 * MS)

static volatile word nap_begin[MANY], nap_end[MANY], naps;

static void napper(void *arg)
{
	word n = (word)arg;

	nap_begin[n] = test_now_us();
	test_sleep_us(NAP);
	nap_end[n] = test_now_us();
	__atomic_fetch_add(&naps, 1, __ATOMIC_RELAXED);
}

static void deadline_check(void)
{
	L4_ThreadId_t tid[MANY];
	word n, out;

	for (n = 0; n < MANY; n++)
		tid[n] = test_thread(napper, (void *)n);
	for (n = 0; n < MANY; n++)
		test_wait_flag(&nap_begin[n], 1);
	begin_reading();
	out = test_now_us();
	test_wait_flag(&naps, MANY);
	for (n = 0; n < MANY; n++) {
		EXPECT_GE(nap_end[n] - nap_begin[n], NAP * 998 / 1000);
		/* While memory is short all are late. */
		EXPECT_LE(nap_end[n] - nap_begin[n], NAP + 3000 * MS + (out - nap_begin[n]));
		test_delete(tid[n]);
	}
	/* On a machine so slow that they woke before they were out nothing was proved. */
	if (out < nap_begin[0] + NAP)
		expect_read(MANY);
	else
		test_note("paging out took longer than the sleep, us", out - nap_begin[0]);
}

/* ---- An answer to a page fault ------------------------------------------------------------------------------------ */

#define HOLD    1                       /* labels: page faults wait from now on; … are answered now */
#define ANSWER  2

static L4_ThreadId_t slow_pager;
static volatile word *fault_page;
static volatile word held, answered, refused, fault_got[MANY], fault_done, fault_over;

/* Who has done his part may fault once more, on his way to sleep, and be deleted before he is answered. */
static void answer(L4_ThreadId_t to, word address)
{
	(void)__atomic_fetch_add((volatile unsigned char *)address, 0, __ATOMIC_RELAXED);
	test_load(0, 0, 0, 0);
	if (L4_IpcFailed(L4_Send_Timeout(to, L4_ZeroTime)) && !fault_over)
		refused++;
	answered++;
}

/* Pager of threads of this space. It touches what they miss, so it is there for them as well. */
static void slow_pager_loop(void *arg)
{
	L4_ThreadId_t from, held_from[MANY];
	word held_address[MANY], hold = 0, n;
	L4_MsgTag_t tag;

	(void)arg;
	for (;;) {
		tag = L4_Wait(&from);
		if (L4_IpcFailed(tag))
			continue;
		if (L4_Label(tag) == HOLD) {
			hold = 1;
		} else if (L4_Label(tag) == ANSWER) {
			for (hold = n = 0; n < held; n++)
				answer(held_from[n], held_address[n]);
			held = 0;
		} else if (hold && held < MANY) {
			held_from[held] = from;
			held_address[held] = test_mr(1);
			held++;
		} else {
			answer(from, test_mr(1));
		}
	}
}

static void faulter(void *arg)
{
	word n = (word)arg;

	fault_page[n * 512] += n + 1;
	fault_got[n] = fault_page[n * 512];
	__atomic_fetch_add(&fault_done, 1, __ATOMIC_RELAXED);
}

static void fault_check(void)
{
	L4_ThreadId_t tid[MANY];
	word n;

	slow_pager = test_thread(slow_pager_loop, 0);
	fault_page = test_pages(MANY);
	EXPECT_IPC_OK(test_send(slow_pager, HOLD, 0, L4_Never));
	for (n = 0; n < MANY; n++) {
		tid[n] = test_thread_inactive(slow_pager);
		test_start(tid[n], faulter, (void *)n);
	}
	test_wait_flag(&held, MANY);
	begin_reading();
	EXPECT_IPC_OK(test_send(slow_pager, ANSWER, 0, L4_Never));
	test_wait_flag(&fault_done, MANY);
	fault_over = 1;
	EXPECT_EQ(refused, 0);
	for (n = 0; n < MANY; n++) {
		EXPECT_EQ(fault_got[n], n + 1);
		test_delete(tid[n]);
	}
	EXPECT_GE(answered, MANY);
	expect_read(MANY);
	test_delete(slow_pager);
}

/* ---- Reply and wait ----------------------------------------------------------------------------------------------- */

static L4_ThreadId_t server, main_id;
static volatile word asked[MANY], got[MANY], wrong, extra, replies;

static void server_loop(void *arg)
{
	L4_ThreadId_t from;
	L4_MsgTag_t tag;

	(void)arg;
	/* Its clients queue up while it waits for somebody else. */
	EXPECT_IPC_OK(L4_Receive(main_id));
	tag = L4_Wait(&from);
	for (;;) {
		word n = test_mr(1);

		if (L4_IpcFailed(tag) || n >= MANY || asked[n]++)
			wrong++;
		test_load(1, 1, 5000 + n, 0);
		tag = L4_ReplyWait(from, &from);
	}
}

static void client(void *arg)
{
	word n = (word)arg;

	if (L4_IpcFailed(test_call(server, 1, n, 0)) || test_mr(1) != 5000 + n)
		wrong++;
	got[n]++;
	__atomic_fetch_add(&replies, 1, __ATOMIC_RELAXED);
	for (;;) {
		(void)L4_Receive(server);
		extra++;
	}
}

static void reply_wait_check(void)
{
	L4_ThreadId_t tid[MANY];
	word n;

	main_id = L4_MyGlobalId();
	server = test_thread(server_loop, 0);
	for (n = 0; n < MANY; n++)
		tid[n] = test_thread(client, (void *)n);
	for (n = 0; n < MANY; n++)
		test_wait_state(tid[n], L4_SCHEDRESULT_PENDING_SEND);
	begin_reading();
	EXPECT_IPC_OK(test_send(server, 1, 0, L4_Never));
	test_wait_flag(&replies, MANY);
	test_sleep_us(20 * MS);
	for (n = 0; n < MANY; n++) {
		EXPECT_EQ(asked[n], 1);
		EXPECT_EQ(got[n], 1);
	}
	EXPECT_EQ(wrong, 0);
	EXPECT_EQ(extra, 0);
	expect_read(MANY);
	for (n = 0; n < MANY; n++)
		test_delete(tid[n]);
	test_delete(server);
}

/* ---- Cancelled ---------------------------------------------------------------------------------------------------- */

static volatile word cancelled, not_cancelled;

static void waiter(void *arg)
{
	word error;

	if ((word)arg % 2)
		error = L4_IpcFailed(L4_Receive(main_id)) ? L4_ErrorCode() : ~0UL;
	else
		error = L4_IpcFailed(test_call(main_id, 1, 0, 0)) ? L4_ErrorCode() : ~0UL;
	if (IPC_CODE(error) == L4_IPC_CANCELED && IPC_PHASE(error) == (word)arg % 2)
		__atomic_fetch_add(&cancelled, 1, __ATOMIC_RELAXED);
	else
		not_cancelled = error;
}

static void cancel(L4_ThreadId_t tid)
{
	word dummy;
	L4_ThreadId_t none;

	(void)L4_ExchangeRegisters(tid, L4_EXREGS_SEND | L4_EXREGS_RECV, 0, 0, 0, 0, L4_nilthread, &dummy, &dummy, &dummy,
	                           &dummy, &dummy, &none);
}

static void cancel_check(void)
{
	L4_ThreadId_t tid[MANY];
	word n;

	main_id = L4_MyGlobalId();
	for (n = 0; n < MANY; n++)
		tid[n] = test_thread(waiter, (void *)n);
	for (n = 0; n < MANY; n++)
		test_wait_state(tid[n], n % 2 ? L4_SCHEDRESULT_WAITING : L4_SCHEDRESULT_PENDING_SEND);
	begin_reading();
	for (n = 0; n < MANY; n++)
		cancel(tid[n]);
	test_wait_flag(&cancelled, MANY);
	EXPECT_EQ(cancelled, MANY);
	EXPECT_EQ(not_cancelled, 0);
	expect_read(MANY);
	for (n = 0; n < MANY; n++)
		test_delete(tid[n]);
}

/* ---- Begun, and not done yet -------------------------------------------------------------------------------------- */

/* Take a checkpoint now, be killed, and come back from that checkpoint. */
static void recover_here(const char *request)
{
	word boot = test_boot();

	EXPECT(test_checkpoint() != 0);
	if (test_boot() == boot)
		test_wait_boot(request, boot);
}

static volatile word told, told_error;

static void told_waiter(void *arg)
{
	(void)arg;
	told = 1;
	(void)L4_Receive(main_id);
	told_error = L4_ErrorCode();
	told = 2;
}

/* The thread is less urgent than this one, so the snapshot comes before it has noticed anything. */
static void abort_check(void)
{
	L4_ThreadId_t tid = test_thread_inactive(L4_Pager());

	main_id = L4_MyGlobalId();
	EXPECT_EQ(L4_SetCheckpointInterval(0, 0), L4_CKPT_OK);
	(void)L4_Set_Priority(tid, 10);
	test_start(tid, told_waiter, 0);
	test_wait_flag(&told, 1);
	test_wait_state(tid, L4_SCHEDRESULT_WAITING);
	EXPECT(test_checkpoint() != 0);
	cancel(tid);
	recover_here("[test] kill 2");
	test_wait_flag(&told, 2);
	EXPECT_EQ(IPC_PHASE(told_error), 1);
	EXPECT_EQ(IPC_CODE(told_error), L4_IPC_CANCELED);
	test_delete(tid);
}

static L4_ThreadId_t taker[MANY];
static volatile word go, begun, snapped, taken[MANY], takers, too_much, sender_wrong;

static void take_one(void *arg)
{
	word n = (word)arg;
	L4_ThreadId_t from;

	if (L4_IpcFailed(L4_Wait(&from)) || test_mr(1) != 300 + n)
		too_much++;
	taken[n]++;
	__atomic_fetch_add(&takers, 1, __ATOMIC_RELAXED);
	(void)L4_Wait(&from);
	too_much++;
}

static void send_one(void *arg)
{
	word n = (word)arg;

	while (!go)
		test_sleep_us(1 * MS);          /* never idle for long enough to be paged out itself */
	begun = 1;
	if (L4_IpcFailed(test_send(taker[n], 1, 300 + n, L4_Never)))
		sender_wrong++;
	for (;;)
		L4_Sleep(L4_Never);
}

/* Less urgent than the senders: when it sees that they have begun, they wait for objects from the disk. */
static void snapper(void *arg)
{
	(void)arg;
	while (!begun)
		;
	snapped = test_checkpoint();
}

static void send_check(void)
{
	L4_ThreadId_t sender[MANY], tid;
	word n, boot = test_boot();

	main_id = L4_MyGlobalId();
	EXPECT_EQ(L4_SetCheckpointInterval(0, 0), L4_CKPT_OK);
	for (n = 0; n < MANY; n++) {
		taker[n] = test_thread(take_one, (void *)n);
		sender[n] = test_thread(send_one, (void *)n);
	}
	for (n = 0; n < MANY; n++)
		test_wait_state(taker[n], L4_SCHEDRESULT_WAITING);
	EXPECT(test_checkpoint() != 0);
	page_out();
	tid = test_thread_inactive(L4_Pager());
	(void)L4_Set_Priority(tid, 50);
	test_start(tid, snapper, 0);
	go = 1;
	test_wait_flag(&snapped, 1);
	if (test_boot() == boot)
		test_wait_boot("[test] kill 3", boot);
	test_wait_flag(&takers, MANY);
	test_sleep_us(20 * MS);
	for (n = 0; n < MANY; n++)
		EXPECT_EQ(taken[n], 1);
	EXPECT_EQ(too_much, 0);
	EXPECT_EQ(sender_wrong, 0);
	test_delete(tid);
	for (n = 0; n < MANY; n++) {
		test_delete(sender[n]);
		test_delete(taker[n]);
	}
}

/* ---- A map item into a space that has not run since the snapshot ------------------------------------------------- */

#define ROUNDS  16
#define OLD     8                       /* pages it had before */

static L4_ThreadId_t sleeper_space;
static volatile word *old_page, *new_page, mapped_rounds;

static void receive_pages(void *arg)
{
	L4_ThreadId_t from;
	word n, i;

	(void)arg;
	for (i = 0; i < OLD; i++)
		old_page[i * 512] = 1;
	for (n = 1;; n++) {
		/* The window is where the old pages are: one page table has both. */
		L4_LoadBR(0, L4_CompleteAddressSpace.raw);
		EXPECT_IPC_OK(L4_Wait(&from));
		for (i = 0; i < OLD; i++)
			old_page[i * 512] = 100 * n + i;
		new_page[(n - 1) * 512] = 7 * n;
		mapped_rounds = n;
	}
}

static void map_setup(void)
{
	word n;

	old_page = test_pages(OLD + ROUNDS);
	new_page = old_page + OLD * 512;
	sleeper_space = test_space();
	test_space_start(sleeper_space, receive_pages, 0);
	for (n = 0; n < ROUNDS; n++) {
		L4_Msg_t msg;

		test_wait_flag(&mapped_rounds, n);
		test_wait_state(sleeper_space, L4_SCHEDRESULT_WAITING);
		new_page[n * 512] = 3;
		EXPECT(test_checkpoint() != 0);
		L4_MsgClear(&msg);
		L4_MsgAppendMapItem(&msg, L4_MapItem(L4_FpageAddRights(L4_FpageLog2((word)&new_page[n * 512], 12),
		                                                       L4_FullyAccessible), (word)&new_page[n * 512]));
		L4_MsgLoad(&msg);
		EXPECT_IPC_OK(L4_Send(sleeper_space));
	}
	test_wait_flag(&mapped_rounds, ROUNDS);
}

/* Had a write to an old page gone unnoticed, the checkpoint would lack it. */
static void map_check(void)
{
	word i;

	EXPECT_EQ(mapped_rounds, ROUNDS);
	for (i = 0; i < OLD; i++)
		EXPECT_EQ(old_page[i * 512], 100 * ROUNDS + i);
	for (i = 0; i < ROUNDS; i++)
		EXPECT_EQ(new_page[i * 512], 7 * (i + 1));
}

/* ---- Written anew where something was discarded -------------------------------------------------------------------- */

#define ANEW    64

static volatile word *anew;

static word anew_wrong(void)
{
	word i, bad = 0;

	for (i = 0; i < ANEW; i++)
		bad += anew[i * 512] != 500 + i || anew[i * 512 + 511] != 0;
	return bad;
}

/* The next checkpoint removes what was discarded. Until then what was written since must not be taken for it: not when it is
 * written early and paged out, and not by that checkpoint. */
static void anew_check(void)
{
	word i, early, end;

	EXPECT_EQ(L4_SetCheckpointInterval(0, 0), L4_CKPT_OK);
	anew = test_pages(ANEW);
	for (i = 0; i < ANEW; i++)
		anew[i * 512] = anew[i * 512 + 511] = 1;
	EXPECT(test_checkpoint() != 0);
	while (L4_DiscardStore((word)anew, ANEW * 4096) == L4_CKPT_BUSY)
		test_sleep_us(1 * MS);
	for (i = 0; i < ANEW; i++)
		anew[i * 512] = 500 + i;
	/* The disk has nothing else to do. */
	early = stat().early;
	end = test_now_us() + 4000 * MS;
	while (stat().early < early + ANEW && test_now_us() < end)
		test_sleep_us(20 * MS);
	page_out();
	EXPECT_EQ(anew_wrong(), 0);
	recover_here("[test] kill 4");
	EXPECT_EQ(anew_wrong(), 0);
}

/* ---- A map item larger than memory ----------------------------------------------------------------------------------- */

#define LARGE_BITS      22
#define LARGE           (1UL << (LARGE_BITS - 12))
#define LARGE_US        (60000 * MS)

static volatile word *large, large_wrong, large_sent, large_got;

static void large_receive(void *arg)
{
	L4_ThreadId_t from;

	(void)arg;
	L4_LoadBR(0, L4_CompleteAddressSpace.raw);
	EXPECT_IPC_OK(L4_Wait(&from));
	for (word i = 0; i < LARGE; i++)
		large_wrong += large[i * 512] != 900 + i;
	large_got = 1;
}

static void large_send(void *arg)
{
	L4_ThreadId_t to = { .raw = (word)arg };
	L4_Msg_t msg;

	L4_MsgClear(&msg);
	L4_MsgAppendMapItem(&msg, L4_MapItem(L4_FpageAddRights(L4_FpageLog2((word)large, LARGE_BITS), L4_FullyAccessible),
	                                     (word)large));
	L4_MsgLoad(&msg);
	EXPECT_IPC_OK(L4_Send(to));
	large_sent = 1;
}

static void wait_patiently(volatile word *flag)
{
	word end = test_now_us() + LARGE_US;

	while (!*flag && test_now_us() < end)
		test_sleep_us(5 * MS);
	EXPECT_EQ(*flag, 1);
}

/* Its pages are brought one after the other, and the first have gone again when the last one comes: the sender gets on all
 * the same. */
static void large_check(void)
{
	L4_ThreadId_t to = test_space(), tid;
	word i;

	large = (word *)(((word)test_pages(2 * LARGE) + LARGE * 4096 - 1) & ~(LARGE * 4096 - 1));
	EXPECT(LARGE > stat().frames);
	for (i = 0; i < LARGE; i++)
		large[i * 512] = 900 + i;
	page_out();
	test_space_start(to, large_receive, 0);
	test_wait_state(to, L4_SCHEDRESULT_WAITING);
	tid = test_thread(large_send, (void *)to.raw);
	wait_patiently(&large_sent);
	wait_patiently(&large_got);
	EXPECT_EQ(large_wrong, 0);
	test_delete(tid);
	test_delete(to);
}

const struct test tests[] = {
	{ .name = "a map item into a space that has not run since the snapshot", .setup = map_setup, .run = map_check },
	{ .name = "deadline of a thread that is paged out", .run = deadline_check },
	{ .name = "answer to a faulter that is paged out", .run = fault_check },
	{ .name = "reply, and wait for a sender that is paged out", .run = reply_wait_check },
	{ .name = "cancelling threads that are paged out", .run = cancel_check },
	{ .name = "an abort that was not noticed yet", .run = abort_check },
	{ .name = "a send that waits for its receiver's objects", .run = send_check },
	{ .name = "a page written anew where one was discarded", .run = anew_check },
	{ .name = "a map item larger than memory", .run = large_check },
	{ 0 }
};
