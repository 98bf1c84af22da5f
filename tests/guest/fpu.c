/* SPDX-License-Identifier: BSD-2-Clause
 * Property: FPU, SSE and AVX state belongs to its thread: it survives preemption and IPC, starts clean, and no
 * other thread ever sees it. Guards kernel/x86/fpu.c.
 */
#include "test.h"

const char test_suite[] = "fpu";

#define MXCSR_RESET 0x1f80
#define FCW_RESET   0x37f

struct lane { word low, high; } __attribute__((aligned(16)));

static volatile word wrong, rounds[4], stop, finished, seen_mxcsr, seen_fcw, seen_bits;

static void load_xmm(word seed)
{
	struct lane v[4];
	unsigned int i;

	for (i = 0; i < 4; i++)
		v[i] = (struct lane){ seed + i, ~(seed + i) };
	__asm__ __volatile__("movdqa %0, %%xmm0\n\tmovdqa %1, %%xmm7\n\tmovdqa %2, %%xmm8\n\tmovdqa %3, %%xmm15"
		: : "m"(v[0]), "m"(v[1]), "m"(v[2]), "m"(v[3]) : "xmm0", "xmm7", "xmm8", "xmm15");
}

static word check_xmm(word seed)
{
	struct lane v[4];
	unsigned int i;

	__asm__ __volatile__("movdqa %%xmm0, %0\n\tmovdqa %%xmm7, %1\n\tmovdqa %%xmm8, %2\n\tmovdqa %%xmm15, %3"
		: "=m"(v[0]), "=m"(v[1]), "=m"(v[2]), "=m"(v[3]));
	for (i = 0; i < 4; i++) {
		if (v[i].low != seed + i || v[i].high != ~(seed + i))
			return 1;
	}
	return 0;
}

static void set_control(unsigned int mxcsr, unsigned short fcw)
{
	__asm__ __volatile__("ldmxcsr %0\n\tfldcw %1" : : "m"(mxcsr), "m"(fcw));
}

static void get_control(void)
{
	unsigned int mxcsr;
	unsigned short fcw;

	__asm__ __volatile__("stmxcsr %0\n\tfnstcw %1" : "=m"(mxcsr), "=m"(fcw));
	seen_mxcsr = mxcsr;
	seen_fcw = fcw;
}

/* Loads, is preempted or not, compares; never touches SSE by itself between (the loop is integer code). */
static void holder(void *arg)
{
	word me = (word)arg, seed = me << 32, i;

	set_control(MXCSR_RESET | (unsigned int)(me & 3) << 13, (unsigned short)(FCW_RESET | (me & 3) << 10));
	while (!stop) {
		load_xmm(seed);
		for (i = 0; i < 20000; i++)
			__asm__ __volatile__("" : : : "memory");
		wrong += check_xmm(seed);
		get_control();
		seed++;
		rounds[me]++;
	}
	finished++;
}

static void preemption(void)
{
	L4_ThreadId_t tid[4];
	word i;

	wrong = stop = finished = 0;
	for (i = 0; i < 4; i++) {
		rounds[i] = 0;
		tid[i] = test_thread_inactive(L4_Pager());
		(void)L4_Set_Priority(tid[i], 50);
		(void)L4_Set_Timeslice(tid[i], L4_TimePeriod(1000), L4_Never);
		test_start(tid[i], holder, (void *)i);
	}
	for (i = 0; i < 100 && !(rounds[0] > 20 && rounds[1] > 20 && rounds[2] > 20 && rounds[3] > 20); i++)
		test_sleep_us(20000);
	stop = 1;
	test_wait_flag(&finished, 4);
	EXPECT_EQ(wrong, 0);
	for (i = 0; i < 4; i++) {
		EXPECT(rounds[i] > 0);
		test_delete(tid[i]);
	}
}

static void partner(void *arg)
{
	L4_ThreadId_t from;

	(void)arg;
	(void)L4_Wait(&from);
	for (;;) {
		load_xmm(0x9999);
		test_load(1, 0, 0, 0);
		(void)L4_ReplyWait(from, &from);
		wrong += check_xmm(0x9999);
	}
}

static void across_ipc(void)
{
	L4_ThreadId_t tid;
	word i, bad = 0;

	wrong = 0;
	tid = test_thread(partner, 0);
	for (i = 0; i < 200; i++) {
		load_xmm(i);
		test_load(1, 0, 0, 0);
		(void)L4_Call(tid);
		bad += check_xmm(i);
	}
	EXPECT_EQ(bad, 0);
	EXPECT_EQ(wrong, 0);
	test_delete(tid);
}

static void look(void *arg)
{
	struct lane v[16];
	unsigned int i;

	(void)arg;
	__asm__ __volatile__("movdqa %%xmm0, 0(%0)\n\tmovdqa %%xmm1, 16(%0)\n\tmovdqa %%xmm2, 32(%0)\n\t"
		"movdqa %%xmm7, 48(%0)\n\tmovdqa %%xmm8, 64(%0)\n\tmovdqa %%xmm15, 80(%0)" : : "r"(v) : "memory");
	get_control();
	seen_bits = 0;
	for (i = 0; i < 6; i++)
		seen_bits |= v[i].low | v[i].high;
	finished = 1;
}

/* A thread that never used the FPU finds it in its initial state, whoever used it before. */
static void starts_clean(void)
{
	L4_ThreadId_t tid;
	word i;

	for (i = 0; i < 10; i++) {
		load_xmm(0x5ec2e75ec2e7);
		set_control(MXCSR_RESET | 0x6000, FCW_RESET | 0xc00);
		finished = 0;
		tid = i & 1 ? test_space() : L4_nilthread;
		if (i & 1)
			test_space_start(tid, look, 0);
		else
			tid = test_thread(look, 0);
		test_wait_flag(&finished, 1);
		EXPECT_EQ(seen_bits, 0);
		EXPECT_EQ(seen_mxcsr, MXCSR_RESET);
		EXPECT_EQ(seen_fcw, FCW_RESET);
		test_delete(tid);
	}
	set_control(MXCSR_RESET, FCW_RESET);
}

/* The same thread number again: nothing is left of the thread before. */
static void clean_after_reuse(void)
{
	unsigned int slot = test_new_slot(), i;
	L4_ThreadId_t tid = test_new_id();

	for (i = 1; i < 6; i++) {
		tid = L4_GlobalId(L4_ThreadNo(tid), i);
		load_xmm(0x123456789);
		finished = 0;
		REQUIRE_EQ(L4_ThreadControl(tid, L4_Myself(), L4_Myself(), L4_Pager(), test_utcb(slot)), 1);
		test_start(tid, look, 0);
		test_wait_flag(&finished, 1);
		EXPECT_EQ(seen_bits, 0);
		EXPECT_EQ(seen_mxcsr, MXCSR_RESET);
		REQUIRE_EQ(L4_ThreadControl(tid, L4_nilthread, L4_nilthread, L4_nilthread, (void *)-1), 1);
	}
}

static int have_avx(void)
{
	unsigned int a = 1, b, c, d;

	__asm__ __volatile__("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
	return (c >> 28 & 1) && (c >> 27 & 1);
}

static void avx_noise(void *arg)
{
	(void)arg;
	for (;;) {
		__asm__ __volatile__("vpcmpeqd %%xmm1, %%xmm1, %%xmm1\n\tvinsertf128 $1, %%xmm1, %%ymm1, %%ymm1" : : : "xmm1");
		rounds[0]++;
	}
}

static void avx_upper_halves(void)
{
	static word v[4] __attribute__((aligned(32))) = { 1, 2, 0x3333, 0x4444 }, out[4] __attribute__((aligned(32)));
	L4_ThreadId_t tid;
	word i;

	if (!have_avx()) {
		EXPECT(1);
		test_note("no AVX", 0);
		return;
	}
	rounds[0] = 0;
	tid = test_thread(avx_noise, 0);
	for (i = 0; i < 20; i++) {
		v[2] = i;
		__asm__ __volatile__("vmovdqa %0, %%ymm1" : : "m"(v) : "xmm1");
		test_sleep_us(2000);
		__asm__ __volatile__("vmovdqa %%ymm1, %0" : "=m"(out));
		EXPECT_EQ(out[2], i);
		EXPECT_EQ(out[3], 0x4444);
	}
	EXPECT(rounds[0] > 0);
	test_delete(tid);
}

const struct test tests[] = {
	{ .name = "a new thread starts clean", .run = starts_clean },
	{ .name = "so does a new version of a thread", .run = clean_after_reuse },
	{ .name = "four threads, preempted", .run = preemption },
	{ .name = "across IPC", .run = across_ipc },
	{ .name = "upper halves of AVX registers", .run = avx_upper_halves },
	{ 0 }
};
