/* SPDX-License-Identifier: BSD-2-Clause
 * Property: everything a program can see of itself is after a power cut as it was at the checkpoint: memory,
 * registers, FPU, IPC under way in every phase, priorities, versions of deleted threads, and the time that was left of
 * sleeps. Each test has a set-up, then the machine is killed and booted again. Guards the saved layouts of
 * thread table, TCB, UTCB and space record, activation (DESIGN of recovery), and ckptserver's restore.
 */
#include "test.h"

const char test_suite[] = "persist_basic";

#define MS 1000UL

/* ---- Memory and registers ------------------------------------------------------------------------------ */

#define PAGES 200
static word *memory, memory_seed = 0x1234567;

static void memory_setup(void)
{
	word s = memory_seed, i;

	memory = test_pages(PAGES);
	for (i = 0; i < PAGES * 512; i += 37)
		memory[i] = test_random(&s);
}

static void memory_check(void)
{
	word s = memory_seed, i, bad = 0;

	for (i = 0; i < PAGES * 512; i++) {
		word expected = i % 37 ? 0 : test_random(&s);

		bad += memory[i] != expected;
	}
	EXPECT_EQ(bad, 0);
}

volatile word spin_rounds, spin_bad;

/* All registers are checked against one counter that only this loop changes. */
static void spin_registers(void *arg)
{
	(void)arg;
	__asm__ __volatile__(
		"xorl %%eax, %%eax\n"
		/* The count in memory and in the register are one: the cut goes through both at the same instant. */
		"1:\n\tcmpq %%rax, spin_rounds(%%rip)\n\t je 4f\n\t incq spin_bad(%%rip)\n"
		"4:\n\t"
		"leaq 1(%%rax), %%rbx\n\t leaq 2(%%rax), %%rcx\n\t leaq 3(%%rax), %%rdx\n\t"
		"leaq 4(%%rax), %%rsi\n\t leaq 5(%%rax), %%rdi\n\t leaq 6(%%rax), %%r8\n\t"
		"leaq 7(%%rax), %%r9\n\t leaq 8(%%rax), %%r10\n\t leaq 9(%%rax), %%r11\n\t"
		"leaq 10(%%rax), %%r12\n\t leaq 11(%%rax), %%r13\n\t leaq 12(%%rax), %%r14\n\t leaq 13(%%rax), %%r15\n\t"
		"movq %%rax, %%xmm5\n\t"
		"pushq $200\n"
		"2:\tdecq (%%rsp)\n\t jnz 2b\n\t popq (%0)\n\t"
		"subq %%rax, %%rbx\n\t subq %%rax, %%rcx\n\t subq %%rax, %%rdx\n\t subq %%rax, %%rsi\n\t"
		"subq %%rax, %%rdi\n\t subq %%rax, %%r8\n\t subq %%rax, %%r9\n\t subq %%rax, %%r10\n\t"
		"subq %%rax, %%r11\n\t subq %%rax, %%r12\n\t subq %%rax, %%r13\n\t subq %%rax, %%r14\n\t subq %%rax, %%r15\n\t"
		"addq %%rcx, %%rbx\n\t addq %%rdx, %%rbx\n\t addq %%rsi, %%rbx\n\t addq %%rdi, %%rbx\n\t"
		"addq %%r8, %%rbx\n\t addq %%r9, %%rbx\n\t addq %%r10, %%rbx\n\t addq %%r11, %%rbx\n\t"
		"addq %%r12, %%rbx\n\t addq %%r13, %%rbx\n\t addq %%r14, %%rbx\n\t addq %%r15, %%rbx\n\t"
		"movq %%xmm5, %%rcx\n\t subq %%rax, %%rcx\n\t addq %%rcx, %%rbx\n\t"
		"cmpq $91, %%rbx\n\t je 3f\n\t incq spin_bad(%%rip)\n"
		"3:\tincq %%rax\n\t movq %%rax, spin_rounds(%%rip)\n\t jmp 1b\n"
		: : "r"(&(word){ 0 })
		: "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm5",
		  "memory", "cc");
}

static word rounds_at_setup;

static void registers_setup(void)
{
	L4_ThreadId_t tid = test_thread_inactive(L4_Pager());

	(void)L4_Set_Priority(tid, 40);
	test_start(tid, spin_registers, 0);
	test_wait_flag(&spin_rounds, 1000);
	rounds_at_setup = spin_rounds;
}

static void registers_check(void)
{
	EXPECT_GE(spin_rounds, rounds_at_setup);
	rounds_at_setup = spin_rounds;
	test_wait_flag(&spin_rounds, rounds_at_setup + 1000);
	EXPECT_EQ(spin_bad, 0);
}

/* ---- IPC under way --------------------------------------------------------------------------------------- */

static L4_ThreadId_t main_id, caller, sender, receiver, waiter;
static volatile word caller_got, sender_done, receiver_got, waiter_error, waiter_done;

static void caller_body(void *arg)
{
	L4_MsgTag_t tag = test_call(main_id, 0x11, (word)arg, 2);

	caller_got = L4_IpcFailed(tag) ? ~0UL : test_mr(1);
}

static void sender_body(void *arg)
{
	L4_MsgTag_t tag = test_send(main_id, 0x22, (word)arg, L4_Never);

	sender_done = 1 + L4_IpcFailed(tag);
}

static void receiver_body(void *arg)
{
	L4_MsgTag_t tag = L4_Receive(*(L4_ThreadId_t *)arg);

	receiver_got = L4_IpcFailed(tag) ? ~0UL : test_mr(1);
}

static void ipc_setup(void)
{
	main_id = L4_MyGlobalId();
	caller = test_thread(caller_body, (void *)71);
	test_wait_state(caller, L4_SCHEDRESULT_PENDING_SEND);
	EXPECT_IPC_OK(L4_Receive_Timeout(caller, L4_TimePeriod(1000 * MS)));
	EXPECT_EQ(test_mr(1), 71);
	sender = test_thread(sender_body, (void *)72);
	test_wait_state(sender, L4_SCHEDRESULT_PENDING_SEND);
	receiver = test_thread(receiver_body, &main_id);
	test_wait_state(receiver, L4_SCHEDRESULT_WAITING);
	/* Left so: the caller waits for our answer, the sender is in our queue, the receiver waits for us. */
}

static void ipc_check(void)
{
	L4_ThreadId_t from;

	EXPECT_EQ(caller_got, 0);
	EXPECT_EQ(sender_done, 0);
	EXPECT_EQ(receiver_got, 0);
	EXPECT_IPC_OK(test_send(caller, 1, 171, L4_ZeroTime));
	test_wait_flag(&caller_got, 1);
	EXPECT_EQ(caller_got, 171);
	EXPECT_IPC_OK(L4_Receive_Timeout(sender, L4_TimePeriod(1000 * MS)));
	EXPECT_EQ(test_mr(1), 72);
	EXPECT_EQ(L4_Label((L4_MsgTag_t){ .raw = test_mr(0) }), 0x22);
	test_wait_flag(&sender_done, 1);
	EXPECT_EQ(sender_done, 1);
	EXPECT_IPC_ERROR(L4_Receive_Timeout(sender, L4_TimePeriod(5 * MS)), 1, L4_IPC_TIMEOUT);
	EXPECT_IPC_OK(test_send(receiver, 1, 173, L4_ZeroTime));
	test_wait_flag(&receiver_got, 1);
	EXPECT_EQ(receiver_got, 173);
	EXPECT_IPC_ERROR(L4_Wait_Timeout(L4_ZeroTime, &from), 1, L4_IPC_TIMEOUT);
}

static void waiter_body(void *arg)
{
	L4_MsgTag_t tag;

	(void)arg;
	tag = L4_Receive(main_id);
	waiter_error = L4_IpcFailed(tag) ? L4_ErrorCode() : 0;
	waiter_done = 1;
}

static void cancel_setup(void)
{
	main_id = L4_MyGlobalId();
	waiter = test_thread(waiter_body, 0);
	test_wait_state(waiter, L4_SCHEDRESULT_WAITING);
}

/* Cancelled by ExchangeRegisters right after the recovery, when its TCB has perhaps not been loaded yet. */
static void cancel_check(void)
{
	word dummy;
	L4_ThreadId_t none;

	(void)L4_ExchangeRegisters(waiter, L4_EXREGS_RECV, 0, 0, 0, 0, L4_nilthread, &dummy, &dummy, &dummy, &dummy,
	                           &dummy, &none);
	test_wait_flag(&waiter_done, 1);
	EXPECT_EQ(IPC_PHASE(waiter_error), 1);
	EXPECT_EQ(IPC_CODE(waiter_error), L4_IPC_CANCELED);
}

/* ---- Time --------------------------------------------------------------------------------------------------- */

static volatile word sleep_begin, sleep_end, clock_at_setup;
#define LONG_SLEEP (3000 * MS)

static void sleeper_body(void *arg)
{
	(void)arg;
	sleep_begin = test_now_us();
	test_sleep_us(LONG_SLEEP);
	sleep_end = test_now_us();
}

static volatile word clock_last, clock_went_back, clock_watched;

/* Never asleep: had the clock begun anew, whoever sleeps would wake when it had come to where it was. */
static void clock_watcher(void *arg)
{
	(void)arg;
	while (!clock_watched) {
		word now = test_now_us();

		clock_went_back += now < clock_last;
		clock_last = now;
	}
}

static void sleep_setup(void)
{
	(void)test_thread(sleeper_body, 0);
	test_wait_flag(&sleep_begin, 1);
	(void)test_thread(clock_watcher, 0);
	test_wait_flag(&clock_last, 1);
	clock_at_setup = test_now_us();
}

static void clock_check(void)
{
	clock_watched = 1;
	EXPECT_EQ(clock_went_back, 0);
	EXPECT_GE(test_now_us(), clock_at_setup);
	EXPECT_LE(test_now_us(), clock_at_setup + 60000 * MS);
}

static void sleep_check(void)
{
	test_wait_flag(&sleep_end, 1);
	EXPECT_GE(sleep_end - sleep_begin, LONG_SLEEP * 998 / 1000);
	EXPECT_LE(sleep_end - sleep_begin, LONG_SLEEP + 3000 * MS);
}

static volatile word for_ever_woke;

static void for_ever_body(void *arg)
{
	(void)arg;
	L4_Sleep(L4_Never);
	for_ever_woke = 1;
}

static L4_ThreadId_t for_ever;

static void for_ever_setup(void)
{
	for_ever = test_thread(for_ever_body, 0);
	test_wait_state(for_ever, L4_SCHEDRESULT_WAITING);
}

static void for_ever_check(void)
{
	EXPECT_EQ(for_ever_woke, 0);
	test_wait_state(for_ever, L4_SCHEDRESULT_WAITING);
	EXPECT_EQ(for_ever_woke, 0);
}

/* ---- Threads --------------------------------------------------------------------------------------------------- */

static L4_ThreadId_t dead, versioned, inactive, halted;
static volatile word halted_count;

static void count_body(void *arg)
{
	(void)arg;
	for (;;)
		halted_count++;
}

static void exchange(L4_ThreadId_t tid, word control)
{
	word dummy;
	L4_ThreadId_t none;

	(void)L4_ExchangeRegisters(tid, control, 0, 0, 0, 0, L4_nilthread, &dummy, &dummy, &dummy, &dummy, &dummy,
	                           &none);
}

static word halted_seen;

static void threads_setup(void)
{
	unsigned int slot;

	dead = test_thread_inactive(L4_nilthread);
	test_delete(dead);
	versioned = test_thread_inactive(L4_nilthread);
	test_delete(versioned);
	slot = test_new_slot();
	versioned = L4_GlobalId(L4_ThreadNo(versioned), 5);
	REQUIRE_EQ(L4_ThreadControl(versioned, L4_Myself(), L4_Myself(), L4_nilthread, test_utcb(slot)), 1);
	test_claim_slot(slot, versioned);
	inactive = test_thread_inactive(L4_nilthread);
	halted = test_thread(count_body, 0);
	(void)L4_Set_Priority(halted, 45);
	test_wait_flag(&halted_count, 100);
	exchange(halted, L4_EXREGS_HALT | L4_EXREGS_HALTFLAG);
	halted_seen = halted_count;
}

static int exists(L4_ThreadId_t tid)
{
	word old;

	return L4_Schedule(tid, ~0UL, ~0UL, ~0UL, ~0UL, &old) != L4_SCHEDRESULT_ERROR;
}

static void threads_check(void)
{
	word old;

	EXPECT(!exists(dead));
	EXPECT(exists(versioned));
	EXPECT(!exists(L4_GlobalId(L4_ThreadNo(versioned), 1)));
	EXPECT_IPC_ERROR(test_send(dead, 1, 1, L4_ZeroTime), 0, L4_IPC_NON_EXISTING);
	EXPECT_EQ(L4_Schedule(inactive, ~0UL, ~0UL, ~0UL, ~0UL, &old) & 0xff, L4_SCHEDRESULT_INACTIVE);
	EXPECT_EQ(halted_count, halted_seen);
	exchange(halted, L4_EXREGS_HALTFLAG);
	test_wait_flag(&halted_count, halted_seen + 100);
	test_delete(halted);
}

/* ---- Spaces and pagers -------------------------------------------------------------------------------------------- */

static volatile word space_rounds;
static L4_ThreadId_t space_thread;

static void space_body(void *arg)
{
	(void)arg;
	for (;;) {
		space_rounds++;
		test_sleep_us(1 * MS);
	}
}

static void space_setup(void)
{
	space_thread = test_space();
	test_space_start(space_thread, space_body, 0);
	test_wait_flag(&space_rounds, 3);
}

static void space_check(void)
{
	word before = space_rounds;

	test_wait_flag(&space_rounds, before + 5);
	test_delete(space_thread);
}

/* ---- FPU ------------------------------------------------------------------------------------------------------------ */

static volatile word fpu_rounds, fpu_bad;

/* xmm11 counts the rounds, beside the word in memory: a state that was saved one round too early lags behind for good. */
static void fpu_body(void *arg)
{
	static const word start[2] __attribute__((aligned(16))) = { 0x1122334455667788, 0x99aabbccddeeff00 };
	static const word step[2] __attribute__((aligned(16))) = { 1, 3 };
	word out[2] __attribute__((aligned(16)));
	unsigned int mxcsr = 0x1f80 | 0x6000, now;
	word i;

	(void)arg;
	__asm__ __volatile__("ldmxcsr %1\n\tmovdqa %0, %%xmm11\n\tfld1\n\tfldpi" : : "m"(start), "m"(mxcsr) : "xmm11");
	for (;;) {
		for (i = 0; i < 1000; i++)
			__asm__ __volatile__("" : : : "memory");
		__asm__ __volatile__("paddq %2, %%xmm11\n\tmovdqa %%xmm11, %0\n\tstmxcsr %1"
		                     : "=m"(out), "=m"(now) : "m"(step) : "xmm11");
		fpu_rounds++;
		fpu_bad += out[0] != start[0] + fpu_rounds * step[0] || out[1] != start[1] + fpu_rounds * step[1] ||
		           (now & ~0x3fU) != mxcsr;
	}
}

static void fpu_setup(void)
{
	L4_ThreadId_t tid = test_thread_inactive(L4_Pager());

	(void)L4_Set_Priority(tid, 40);
	test_start(tid, fpu_body, 0);
	test_wait_flag(&fpu_rounds, 10);
}

static void fpu_check(void)
{
	word before = fpu_rounds;

	test_wait_flag(&fpu_rounds, before + 10);
	EXPECT_EQ(fpu_bad, 0);
}

const struct test tests[] = {
	{ .name = "the clock goes on", .run = clock_check },
	{ .name = "memory", .setup = memory_setup, .run = memory_check },
	{ .name = "a thread cancelled right after the recovery", .setup = cancel_setup, .run = cancel_check },
	{ .name = "IPC in every phase", .setup = ipc_setup, .run = ipc_check },
	{ .name = "registers", .setup = registers_setup, .run = registers_check },
	{ .name = "FPU and MXCSR", .setup = fpu_setup, .run = fpu_check },
	{ .name = "dead, inactive and halted threads, versions", .setup = threads_setup, .run = threads_check },
	{ .name = "a space and its pager", .setup = space_setup, .run = space_check },
	{ .name = "an endless wait stays one", .setup = for_ever_setup, .run = for_ever_check },
	{ .name = "what was left of a sleep is left", .setup = sleep_setup, .run = sleep_check },
	{ 0 }
};
