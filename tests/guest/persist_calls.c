/* SPDX-License-Identifier: BSD-2-Clause
 * Property: every blocking call goes on as if nothing had happened, wherever in it the snapshot came. Threads make calls of
 * every kind for ever and check each result; after the kill each must get on, without one wrong result. Guards the saved form of
 * IPC in all its phases, faults and exceptions, Unmap, thread and register control, and their recovery.
 *
 * tests/sweep takes checkpoints of this suite as fast as they come and boots a large sample of them.
 */
#include "test.h"
#include <l4/ckpt.h>

const char test_suite[] = "persist_calls";

#define MS      1000UL
#define LEAST   5                       /* rounds that each kind must get on after the recovery */

enum { SEND, CALL, CALL_FAR, SLEEP, SEND_TIMEOUT, RECEIVE_TIMEOUT, FAULT, NESTED_FAULT, EXCEPTION, UNMAP, EXREGS, THREADS, SIGMA0, KINDS };

static volatile word rounds[KINDS], bad[KINDS];
static L4_ThreadId_t root;

static void note(word kind, word right)
{
	if (!right)
		bad[kind]++;
	rounds[kind]++;
	test_sleep_us(100 + 37 * kind);         /* who goes first is different every time */
}

static L4_ThreadId_t start(void (*fn)(void *), word priority)
{
	L4_ThreadId_t tid = test_thread_inactive(L4_Pager());

	(void)L4_Set_Priority(tid, priority);
	test_start(tid, fn, 0);
	return tid;
}

/* ---- Messages ---------------------------------------------------------------------------------------------------- */

static L4_ThreadId_t sender, near_server, far_server, deaf;
static volatile word ready;

static void sends(void *arg)
{
	L4_ThreadId_t to = { .raw = (word)arg };
	word n;

	for (n = 1;; n++)
		if (L4_IpcFailed(test_send(to, 3, n, L4_Never)))
			bad[SEND]++;
}

static void receives(void *arg)
{
	word n;

	(void)arg;
	while (!ready)
		test_sleep_us(1 * MS);
	for (n = 1;; n++) {
		L4_MsgTag_t tag = L4_Receive(sender);

		note(SEND, L4_IpcSucceeded(tag) && test_mr(1) == n);
	}
}

/* Answers with the number of the request, of which none may be missing. */
static void serves(void *arg)
{
	word kind = (word)arg, n;
	L4_ThreadId_t from;
	L4_MsgTag_t tag = L4_Wait(&from);

	for (n = 1;; n++) {
		if (L4_IpcFailed(tag) || test_mr(1) != n)
			bad[kind]++;
		test_load(4, 1, n, 0);
		tag = L4_ReplyWait(from, &from);
	}
}

static void call_for_ever(word kind, L4_ThreadId_t server)
{
	word n;

	for (n = 1;; n++)
		note(kind, L4_IpcSucceeded(test_call(server, 4, n, 0)) && test_mr(1) == n);
}

static void calls(void *arg)
{
	(void)arg;
	while (!ready)
		test_sleep_us(1 * MS);
	call_for_ever(CALL, near_server);
}

static void calls_far(void *arg)
{
	(void)arg;
	while (!ready)
		test_sleep_us(1 * MS);
	call_for_ever(CALL_FAR, far_server);
}

/* ---- Time --------------------------------------------------------------------------------------------------------- */

static int took(word begin, word us)
{
	return test_now_us() - begin >= us * 998 / 1000 - 1;
}

static void sleeps(void *arg)
{
	word n;

	(void)arg;
	for (n = 1;; n++) {
		word begin = test_now_us(), us = 200 + n * 131 % 4000;

		test_sleep_us(us);
		note(SLEEP, took(begin, us));
	}
}

static void never_receives(void *arg)
{
	(void)arg;
	for (;;)
		L4_Sleep(L4_Never);
}

static void times_out(word kind)
{
	for (;;) {
		word begin = test_now_us();
		L4_MsgTag_t tag = kind == SEND_TIMEOUT ? test_send(deaf, 1, 1, L4_TimePeriod(1500)) :
			L4_Receive_Timeout(deaf, L4_TimePeriod(1500));
		word error = L4_ErrorCode();

		note(kind, L4_IpcFailed(tag) && IPC_CODE(error) == L4_IPC_TIMEOUT && IPC_PHASE(error) == (kind == RECEIVE_TIMEOUT) &&
		     took(begin, 1500));
	}
}

static void send_times_out(void *arg)
{
	(void)arg;
	while (!ready)
		test_sleep_us(1 * MS);
	times_out(SEND_TIMEOUT);
}

static void receive_times_out(void *arg)
{
	(void)arg;
	while (!ready)
		test_sleep_us(1 * MS);
	times_out(RECEIVE_TIMEOUT);
}

/* ---- Memory ------------------------------------------------------------------------------------------------------- */

#define PAGES   64
static volatile word *fault_pages, *unmap_pages, *lent_page;
static L4_ThreadId_t borrower;

static L4_Fpage_t page_at(volatile word *page)
{
	return L4_FpageAddRights(L4_FpageLog2((word)page, 12), L4_FullyAccessible);
}

/* In a space of its own, whose pages come from test_pager(). */
static void faults(void *arg)
{
	word n;

	(void)arg;
	for (n = 1;; n++) {
		volatile word *page = fault_pages + n % PAGES * 512;
		word before = page[1];

		(void)L4_Flush(page_at(page));
		page[1] = before + 1;
		note(FAULT, page[1] == before + 1 && before == (n - 1) / PAGES);
	}
}

/* In a space of its own: lends a page that it must fault in first, in the middle of the send. */
static void lends(void *arg)
{
	word n;

	(void)arg;
	for (n = 1;; n++) {
		L4_Msg_t msg;

		lent_page[0] = n;
		(void)L4_Flush(page_at(lent_page));
		L4_MsgClear(&msg);
		L4_MsgAppendWord(&msg, n);
		L4_MsgAppendMapItem(&msg, L4_MapItem(page_at(lent_page), (word)lent_page));
		L4_MsgLoad(&msg);
		note(NESTED_FAULT, L4_IpcSucceeded(L4_Call(borrower)) && test_mr(1) == n);
	}
}

static void borrows(void *arg)
{
	L4_ThreadId_t from;
	L4_MsgTag_t tag;
	word n;

	(void)arg;
	L4_LoadBR(0, L4_CompleteAddressSpace.raw);
	tag = L4_Wait(&from);
	for (n = 1;; n++) {
		if (L4_IpcFailed(tag) || test_mr(1) != n || lent_page[0] != n)
			bad[NESTED_FAULT]++;
		test_load(1, 1, n, 0);
		L4_LoadBR(0, L4_CompleteAddressSpace.raw);
		tag = L4_ReplyWait(from, &from);
	}
}

/* Large enough to be done in pieces. */
static void unmaps(void *arg)
{
	word n, i;

	(void)arg;
	for (n = 1;; n++) {
		word wrong = 0;

		for (i = 0; i < PAGES; i++)
			unmap_pages[i * 512 + i]++;
		(void)L4_Flush(L4_FpageAddRights(L4_FpageLog2((word)unmap_pages, 18), L4_FullyAccessible));
		for (i = 0; i < PAGES; i++)
			wrong += unmap_pages[i * 512 + i] != n;
		note(UNMAP, !wrong);
	}
}

/* ---- Exceptions, registers, threads ------------------------------------------------------------------------------ */

static L4_ThreadId_t handler, target;
static volatile word spins;

/* Moves whoever comes on behind its ud2, whose 2 bytes did nothing. */
static void handles(void *arg)
{
	L4_ThreadId_t from;
	L4_MsgTag_t tag = L4_Wait(&from);

	(void)arg;
	for (;;) {
		word ip = test_mr(1);

		if (L4_IpcFailed(tag) || L4_UntypedWords(tag) < 20)
			bad[EXCEPTION]++;
		L4_LoadMR(1, ip + 2);
		L4_LoadMR(0, 18);
		tag = L4_ReplyWait(from, &from);
	}
}

static void raises(void *arg)
{
	word n;

	(void)arg;
	while (!ready)
		test_sleep_us(1 * MS);
	L4_Set_ExceptionHandler(handler);
	for (n = 1;; n++) {
		word kept = n * 3, in_register = n;

		__asm__ __volatile__("ud2" : "+r"(kept), "+r"(in_register) : : "memory");
		note(EXCEPTION, kept == n * 3 && in_register == n);
	}
}

static void spin(void *arg)
{
	(void)arg;
	for (;;)
		spins++;
}

/* Halts a running thread and lets it go on. */
static void exchanges(void *arg)
{
	(void)arg;
	while (!ready)
		test_sleep_us(1 * MS);
	for (;;) {
		word dummy, control, before;
		L4_ThreadId_t none;

		(void)L4_ExchangeRegisters(target, L4_EXREGS_HALT | L4_EXREGS_HALTFLAG, 0, 0, 0, 0, L4_nilthread, &control, &dummy,
		                           &dummy, &dummy, &dummy, &none);
		before = spins;
		test_sleep_us(300);
		dummy = spins;
		note(EXREGS, before == dummy && !(control & L4_EXREGS_HALT));
		(void)L4_ExchangeRegisters(target, L4_EXREGS_HALTFLAG, 0, 0, 0, 0, L4_nilthread, &control, &dummy, &dummy, &dummy,
		                           &dummy, &none);
	}
}

/* Made and deleted again and again, each time with a new version; the old id is dead. Root only: a privileged call. */
static void makes_threads(void *arg)
{
	word version = 1;
	unsigned int slot = (unsigned int)(word)arg;

	for (;;) {
		L4_ThreadId_t tid = L4_GlobalId(199, (unsigned int)(++version << 8 | 1)), self = L4_MyGlobalId();
		word made = L4_ThreadControl(tid, self, self, L4_nilthread, test_utcb(slot));
		word gone = L4_ThreadControl(tid, L4_nilthread, L4_nilthread, L4_nilthread, (void *)-1);
		L4_MsgTag_t tag = test_send(tid, 1, 1, L4_ZeroTime);

		note(THREADS, made == 1 && gone == 1 && L4_IpcFailed(tag) && IPC_CODE(L4_ErrorCode()) == L4_IPC_NON_EXISTING);
	}
}

static void asks_sigma0(void *arg)
{
	struct L4_CkptStat stat;

	(void)arg;
	for (;;)
		note(SIGMA0, L4_CheckpointInfo(&stat) == L4_CKPT_OK && stat.boot);
}

/* ---- All of them -------------------------------------------------------------------------------------------------- */

static void start_all(void)
{
	L4_ThreadId_t receiver, tid;
	unsigned int slot;

	root = L4_MyGlobalId();
	fault_pages = test_pages(PAGES);
	unmap_pages = (volatile word *)(((word)test_pages(2 * PAGES) + PAGES * 4096 - 1) & ~(PAGES * 4096UL - 1));
	lent_page = test_pages(1);
	receiver = start(receives, 40);
	sender = test_thread_inactive(L4_Pager());
	(void)L4_Set_Priority(sender, 41);
	test_start(sender, sends, (void *)receiver.raw);
	near_server = test_thread_inactive(L4_Pager());
	(void)L4_Set_Priority(near_server, 42);
	test_start(near_server, serves, (void *)CALL);
	start(calls, 40);
	far_server = test_space();
	test_space_start(far_server, serves, (void *)CALL_FAR);
	start(calls_far, 41);
	start(sleeps, 45);
	deaf = start(never_receives, 40);
	start(send_times_out, 40);
	start(receive_times_out, 40);
	test_space_start(test_space(), faults, 0);
	borrower = start(borrows, 43);
	test_space_start(test_space(), lends, 0);
	start(unmaps, 40);
	handler = start(handles, 44);
	start(raises, 40);
	target = start(spin, 30);
	start(exchanges, 45);
	slot = test_new_slot();
	test_claim_slot(slot, L4_GlobalId(199, 1));
	tid = test_thread_inactive(L4_Pager());
	(void)L4_Set_Priority(tid, 40);
	test_start(tid, makes_threads, (void *)(word)slot);
	start(asks_sigma0, 40);
	ready = 1;
}

static void calls_setup(void)
{
	word kind;

	start_all();
	for (kind = 0; kind < KINDS; kind++)
		test_wait_flag(&rounds[kind], LEAST);
}

static void goes_on(word kind)
{
	test_wait_flag(&rounds[kind], rounds[kind] + LEAST);
	EXPECT_EQ(bad[kind], 0);
}

#define GOES_ON(name, kind) static void name(void) { goes_on(kind); }
GOES_ON(send_on, SEND)
GOES_ON(call_on, CALL)
GOES_ON(call_far_on, CALL_FAR)
GOES_ON(sleep_on, SLEEP)
GOES_ON(send_timeout_on, SEND_TIMEOUT)
GOES_ON(receive_timeout_on, RECEIVE_TIMEOUT)
GOES_ON(fault_on, FAULT)
GOES_ON(nested_on, NESTED_FAULT)
GOES_ON(exception_on, EXCEPTION)
GOES_ON(unmap_on, UNMAP)
GOES_ON(exregs_on, EXREGS)
GOES_ON(threads_on, THREADS)
GOES_ON(sigma0_on, SIGMA0)

const struct test tests[] = {
	{ .name = "send and receive", .setup = calls_setup, .run = send_on },
	{ .name = "call, and reply and wait", .run = call_on },
	{ .name = "the same between spaces", .run = call_far_on },
	{ .name = "sleep", .run = sleep_on },
	{ .name = "a send that times out", .run = send_timeout_on },
	{ .name = "a receive that times out", .run = receive_timeout_on },
	{ .name = "page faults", .run = fault_on },
	{ .name = "page faults within a send", .run = nested_on },
	{ .name = "exceptions", .run = exception_on },
	{ .name = "unmapping in pieces", .run = unmap_on },
	{ .name = "halting and going on", .run = exregs_on },
	{ .name = "making and deleting threads", .run = threads_on },
	{ .name = "calls to a residual server", .run = sigma0_on },
	{ 0 }
};
