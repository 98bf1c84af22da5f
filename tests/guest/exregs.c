/* SPDX-License-Identifier: BSD-2-Clause
 * Property: ExchangeRegisters (X.2 2.3) reads and changes a thread of the caller's space, and only such a thread;
 * it stops, starts and aborts IPC with the right error and phase. Guards kernel/thread.c, kernel/ipc.c (cancel).
 */
#include "test.h"

const char test_suite[] = "exregs";

struct regs {
	word control, sp, ip, flags, handle;
	L4_ThreadId_t pager;
};

static L4_ThreadId_t exchange(L4_ThreadId_t tid, word control, struct regs *r)
{
	return L4_ExchangeRegisters(tid, control, r->sp, r->ip, r->flags, r->handle, r->pager, &r->control, &r->sp,
	                            &r->ip, &r->flags, &r->handle, &r->pager);
}

static volatile word counter, result, error, finished;

static void spin(void *arg)
{
	(void)arg;
	for (;;)
		counter++;
}

static void mark(void *arg)
{
	finished = (word)arg;
}

static void sleeper(void *arg)
{
	L4_MsgTag_t tag = L4_Receive(*(L4_ThreadId_t *)arg);

	error = L4_ErrorCode();
	result = L4_IpcFailed(tag);
	finished = 1;
}

static void sender(void *arg)
{
	L4_MsgTag_t tag = test_send(*(L4_ThreadId_t *)arg, 1, 0, L4_Never);

	error = L4_ErrorCode();
	result = L4_IpcFailed(tag);
	finished = 1;
}

static void unknown_threads(void)
{
	struct regs r = { 0 };

	EXPECT_EQ(exchange(L4_GlobalId(190, 1), 0, &r).raw, 0);
	EXPECT_EQ(L4_ErrorCode(), L4_ERR_INVALID_THREAD);
	EXPECT_EQ(exchange(L4_nilthread, 0, &r).raw, 0);
	EXPECT_EQ(exchange(L4_anythread, 0, &r).raw, 0);
	EXPECT_EQ(exchange(L4_GlobalId(1UL << L4_THREAD_BITS, 1), 0, &r).raw, 0);
}

/* In an unprivileged space: the root task's own space may reach further. */
static void reach_out(void *arg)
{
	struct regs r = { 0 };

	result = exchange(*(L4_ThreadId_t *)arg, L4_EXREGS_RECV, &r).raw;
	error = L4_ErrorCode();
	counter = 1;
}

static void foreign_threads(void)
{
	static L4_ThreadId_t victim, me;
	L4_ThreadId_t other = test_space();

	me = L4_Myself();
	counter = 0;
	finished = 0;
	victim = test_thread(sleeper, &me);
	test_wait_state(victim, L4_SCHEDRESULT_WAITING);
	test_space_start(other, reach_out, &victim);
	test_wait_flag(&counter, 1);
	EXPECT_EQ(result, 0);
	EXPECT_EQ(error, L4_ERR_INVALID_THREAD);
	test_sleep_us(2000);
	EXPECT_EQ(finished, 0);
	test_delete(other);
	test_delete(victim);
}

static void residual_threads(void)
{
	struct regs r = { 0 };

	EXPECT_EQ(exchange(L4_GlobalId(L4_SIGMA0_TNO, 1), L4_EXREGS_HALT | L4_EXREGS_HALTFLAG, &r).raw, 0);
	EXPECT_EQ(L4_ErrorCode(), L4_ERR_INVALID_THREAD);
	EXPECT_EQ(exchange(L4_GlobalId(L4_WRITER_TNO, 1), L4_EXREGS_RECV, &r).raw, 0);
	EXPECT(test_boot() != 0);
}

static void returned_id(void)
{
	struct regs r = { 0 };
	L4_ThreadId_t tid = test_thread(spin, 0), local;

	/* A global id gives the local one, and the other way round. */
	local = exchange(tid, 0, &r);
	EXPECT(L4_IsLocalId(local));
	EXPECT_EQ(exchange(local, 0, &r).raw, tid.raw);
	test_delete(tid);
}

static void handle_and_pager(void)
{
	struct regs r = { .handle = 0x123456789abcdef0, .pager = L4_MyGlobalId() };
	L4_ThreadId_t tid = test_thread(spin, 0);

	exchange(tid, L4_EXREGS_UHANDLE | L4_EXREGS_PAGER | L4_EXREGS_DELIVER, &r);
	EXPECT_EQ(r.pager.raw, L4_Pager().raw);
	exchange(tid, L4_EXREGS_DELIVER, &r);
	EXPECT_EQ(r.handle, 0x123456789abcdef0);
	EXPECT_EQ(r.pager.raw, L4_MyGlobalId().raw);
	test_delete(tid);
}

static void halt_and_go_on(void)
{
	struct regs r = { 0 };
	L4_ThreadId_t tid;
	word seen;

	counter = 0;
	tid = test_thread(spin, 0);
	test_wait_flag(&counter, 1000);
	exchange(tid, L4_EXREGS_HALT | L4_EXREGS_HALTFLAG | L4_EXREGS_DELIVER, &r);
	EXPECT_EQ(r.control & L4_EXREGS_HALT, 0);
	seen = counter;
	test_sleep_us(20000);
	EXPECT_EQ(counter, seen);
	exchange(tid, L4_EXREGS_DELIVER, &r);
	EXPECT_EQ(r.control & L4_EXREGS_HALT, L4_EXREGS_HALT);
	exchange(tid, L4_EXREGS_HALTFLAG, &r);
	test_wait_flag(&counter, seen + 1000);
	test_delete(tid);
}

static void new_ip_and_sp(void)
{
	L4_ThreadId_t tid = test_thread(spin, 0);

	counter = 0;
	finished = 0;
	test_wait_flag(&counter, 1000);
	test_start(tid, mark, (void *)9);
	test_wait_flag(&finished, 9);
	test_delete(tid);
}

static void read_ip(void)
{
	struct regs r = { 0 };
	L4_ThreadId_t tid = test_thread(spin, 0);

	counter = 0;
	test_wait_flag(&counter, 1000);
	exchange(tid, L4_EXREGS_DELIVER, &r);
	EXPECT_GE(r.ip, (word)spin);
	EXPECT_LE(r.ip, (word)spin + 64);
	EXPECT_GE(r.sp, 0x10000000UL);
	EXPECT_EQ(r.flags & 0x200, 0x200);
	test_delete(tid);
}

static void bad_flags(void)
{
	/* IOPL, nested task, VM, trap: a thread may not give itself privileges by its flags. */
	struct regs r = { .flags = 0x3000 | 0x4000 | 0x20000 | 0x8 | 0x20 };
	L4_ThreadId_t tid = test_thread(spin, 0);

	counter = 0;
	exchange(tid, L4_EXREGS_FLAGS, &r);
	test_wait_flag(&counter, 1000);
	exchange(tid, L4_EXREGS_DELIVER, &r);
	EXPECT_EQ(r.flags & (0x3000 | 0x4000 | 0x20000), 0);
	EXPECT_EQ(r.flags & 0x200, 0x200);
	test_delete(tid);
}

static void bad_ip(void)
{
	/* Not canonical: the thread must take the blame, not the kernel's return to user mode. */
	struct regs r = { .ip = 0x8000000000000000, .sp = 0x8000000000000000 };
	L4_ThreadId_t tid = test_thread(spin, 0);

	exchange(tid, L4_EXREGS_IP | L4_EXREGS_SP, &r);
	test_sleep_us(5000);
	r.ip = 0xffffffff80000000;
	exchange(tid, L4_EXREGS_IP | L4_EXREGS_SEND | L4_EXREGS_RECV, &r);
	test_sleep_us(5000);
	r.ip = 0x00007fffffffffff;
	exchange(tid, L4_EXREGS_IP | L4_EXREGS_SEND | L4_EXREGS_RECV, &r);
	test_sleep_us(5000);
	EXPECT(test_boot() != 0);
	test_delete(tid);
}

static void abort_receive(void)
{
	struct regs r = { 0 };
	static L4_ThreadId_t me;
	L4_ThreadId_t tid;

	me = L4_Myself();
	finished = 0;
	tid = test_thread(sleeper, &me);
	test_wait_state(tid, L4_SCHEDRESULT_WAITING);
	/* Abort of a send does not touch a receiver. */
	exchange(tid, L4_EXREGS_SEND, &r);
	test_sleep_us(2000);
	EXPECT_EQ(finished, 0);
	exchange(tid, L4_EXREGS_RECV, &r);
	test_wait_flag(&finished, 1);
	EXPECT_EQ(result, 1);
	EXPECT_EQ(IPC_PHASE(error), 1);
	EXPECT_EQ(IPC_CODE(error), L4_IPC_CANCELED);
	test_delete(tid);
}

static void abort_send(void)
{
	struct regs r = { 0 };
	static L4_ThreadId_t me;
	L4_ThreadId_t tid, from;

	me = L4_Myself();
	finished = 0;
	tid = test_thread(sender, &me);
	test_wait_state(tid, L4_SCHEDRESULT_PENDING_SEND);
	exchange(tid, L4_EXREGS_RECV, &r);
	test_sleep_us(2000);
	EXPECT_EQ(finished, 0);
	exchange(tid, L4_EXREGS_SEND, &r);
	test_wait_flag(&finished, 1);
	EXPECT_EQ(result, 1);
	EXPECT_EQ(IPC_PHASE(error), 0);
	EXPECT_EQ(IPC_CODE(error), L4_IPC_CANCELED);
	/* And nothing arrives. */
	EXPECT_IPC_ERROR(L4_Wait_Timeout(L4_TimePeriod(5000), &from), 1, L4_IPC_TIMEOUT);
	test_delete(tid);
}

static void halted_in_receive(void)
{
	struct regs r = { 0 };
	static L4_ThreadId_t me;
	L4_ThreadId_t tid;

	me = L4_Myself();
	finished = 0;
	tid = test_thread(sleeper, &me);
	test_wait_state(tid, L4_SCHEDRESULT_WAITING);
	exchange(tid, L4_EXREGS_HALT | L4_EXREGS_HALTFLAG, &r);
	/* It still receives, but does not run on before it is released. */
	EXPECT_IPC_OK(test_send(tid, 1, 5, L4_TimePeriod(1000000)));
	test_sleep_us(5000);
	EXPECT_EQ(finished, 0);
	exchange(tid, L4_EXREGS_HALTFLAG, &r);
	test_wait_flag(&finished, 1);
	EXPECT_EQ(result, 0);
	test_delete(tid);
}

static void inactive_thread(void)
{
	L4_ThreadId_t tid = test_thread_inactive(L4_nilthread);
	struct regs r = { .ip = 0x400000, .sp = 0x10000000 };

	/* Whatever it returns: the kernel lives, and the thread can be deleted. */
	exchange(tid, L4_EXREGS_IP | L4_EXREGS_SP, &r);
	EXPECT(test_boot() != 0);
	test_delete(tid);
}

static void myself(void)
{
	struct regs r = { .handle = 77 };

	exchange(L4_Myself(), L4_EXREGS_UHANDLE, &r);
	EXPECT_EQ(L4_UserDefinedHandle(), 77);
	exchange(L4_MyLocalId(), L4_EXREGS_DELIVER, &r);
	EXPECT_EQ(r.handle, 77);
}

const struct test tests[] = {
	{ .name = "unknown threads", .run = unknown_threads },
	{ .name = "threads of other spaces", .run = foreign_threads },
	{ .name = "residual threads", .run = residual_threads },
	{ .name = "returns the other kind of id", .run = returned_id },
	{ .name = "user handle and pager", .run = handle_and_pager },
	{ .name = "halt and go on", .run = halt_and_go_on },
	{ .name = "new ip and sp", .run = new_ip_and_sp },
	{ .name = "read ip, sp and flags of a preempted thread", .run = read_ip },
	{ .name = "flags give no privileges", .run = bad_flags },
	{ .name = "ip and sp that are no addresses", .run = bad_ip },
	{ .name = "abort a receive", .run = abort_receive },
	{ .name = "abort a send", .run = abort_send },
	{ .name = "halted while it receives", .run = halted_in_receive },
	{ .name = "an inactive thread", .run = inactive_thread },
	{ .name = "the caller itself", .run = myself },
	{ 0 }
};
