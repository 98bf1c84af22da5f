/* SPDX-License-Identifier: BSD-2-Clause
 * fpu: registers of the floating-point units under preemption. Property: each thread finds its own x87, SSE and (where the
 * processor has it) AVX registers, control word and MXCSR as it left them, whoever ran meanwhile and whenever the machine
 * was stopped. A thread loads a pattern of its own, spins without touching it, stores the registers and compares. */
#include "stress.h"

enum { THREADS_MAX = 16, SPINS = 80000, X87 = 6, VECTORS = 16, WIDE = 4, PAUSE_US = 4000 };

struct fpu_state {
	unsigned long vector[VECTORS][WIDE];    /* halves above 128 bits count with AVX only */
	double x87[X87];
	unsigned int mxcsr;
	unsigned short control;
};

static struct fpu_state want[THREADS_MAX], got[THREADS_MAX];
static unsigned long rounds[THREADS_MAX];
static int avx;

#define LOAD(n)         "movdqu " #n "*32(%[want]), %%xmm" #n "\n\t"
#define STORE(n)        "movdqu %%xmm" #n ", " #n "*32(%[got])\n\t"
#define LOAD_WIDE(n)    "vmovdqu " #n "*32(%[want]), %%ymm" #n "\n\t"
#define STORE_WIDE(n)   "vmovdqu %%ymm" #n ", " #n "*32(%[got])\n\t"
#define ALL(m)          m(0) m(1) m(2) m(3) m(4) m(5) m(6) m(7) m(8) m(9) m(10) m(11) m(12) m(13) m(14) m(15)
#define LOAD_X87(n)     "fldl 512+8*" #n "(%[want])\n\t"
#define STORE_X87(n)    "fstpl 512+8*" #n "(%[got])\n\t"
#define CLOBBERS        "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", \
			"xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "st", "st(1)", "st(2)", "st(3)", "st(4)", \
			"st(5)", "st(6)", "st(7)"
_Static_assert(sizeof(double) == 8 && __builtin_offsetof(struct fpu_state, x87) == 512, "512 in LOAD_X87");
_Static_assert(__builtin_offsetof(struct fpu_state, mxcsr) == 560, "560 and 564 in spin");

/* want = this thread's pattern, got = where the registers go, spins = counted down in between.
 * The old control words are on the stack-free side: in saved[]. */
#define SPIN(load, store)							\
	__asm__ volatile(							\
		"stmxcsr (%[saved])\n\t" "fnstcw 4(%[saved])\n\t" "fninit\n\t"	\
		"ldmxcsr 560(%[want])\n\t" "fldcw 564(%[want])\n\t"		\
		LOAD_X87(5) LOAD_X87(4) LOAD_X87(3) LOAD_X87(2) LOAD_X87(1) LOAD_X87(0) \
		load								\
		"1: decq %[spins]\n\t" "jnz 1b\n\t"				\
		store								\
		STORE_X87(0) STORE_X87(1) STORE_X87(2) STORE_X87(3) STORE_X87(4) STORE_X87(5) \
		"stmxcsr 560(%[got])\n\t" "fnstcw 564(%[got])\n\t"		\
		"ldmxcsr (%[saved])\n\t" "fldcw 4(%[saved])\n\t"		\
		: [spins] "+r"(spins)						\
		: [want] "r"(w), [got] "r"(g), [saved] "r"(saved) : CLOBBERS)

static void spin(const struct fpu_state *w, struct fpu_state *g, unsigned long spins)
{
	unsigned int saved[2];

	if (avx)
		SPIN(ALL(LOAD_WIDE), ALL(STORE_WIDE) "vzeroupper\n\t");
	else
		SPIN(ALL(LOAD), ALL(STORE));
}

static void pattern(struct fpu_state *w, unsigned long *random)
{
	for (int i = 0; i < VECTORS; i++)
		for (int j = 0; j < WIDE; j++)
			w->vector[i][j] = stress_random(random);
	for (int i = 0; i < X87; i++)
		w->x87[i] = (double)(long)(stress_random(random) >> 12);        /* exact: below 2^52 */
	w->mxcsr = 0x1f80 | (unsigned int)(stress_random(random) & 3) << 13 | (unsigned int)(stress_random(random) & 1) << 15;
	w->control = (unsigned short)(0x037f | (stress_random(random) & 3) << 10);
}

static void check(unsigned long n)
{
	const struct fpu_state *w = &want[n], *g = &got[n];

	for (int i = 0; i < VECTORS; i++)
		for (int j = 0; j < (avx ? WIDE : WIDE / 2); j++)
			if (w->vector[i][j] != g->vector[i][j])
				stress_fail("thread=%lu vector=%d word=%d is 0x%lx expected=0x%lx", n, i, j,
					    g->vector[i][j], w->vector[i][j]);
	for (int i = 0; i < X87; i++)
		if (((const unsigned long *)(const void *)w->x87)[i] != ((const unsigned long *)(const void *)g->x87)[i])
			stress_fail("thread=%lu x87=%d round=%lu", n, i, rounds[n]);
	if (w->mxcsr != g->mxcsr || w->control != g->control)
		stress_fail("thread=%lu mxcsr=0x%x expected=0x%x control=0x%x expected=0x%x", n, g->mxcsr, w->mxcsr,
			    (unsigned int)g->control, (unsigned int)w->control);
}

static void work(unsigned long n, unsigned long *random)
{
	pattern(&want[n], random);
	spin(&want[n], &got[n], SPINS / 2 + stress_random(random) % SPINS);
	check(n);
	rounds[n]++;
}

static void worker(void *argument)
{
	unsigned long n = (unsigned long)argument, random = n << 40;

	for (;;) {
		work(n, &random);
		L4_Sleep(L4_TimePeriod(PAUSE_US));
	}
}

/* AVX: the processor has it, and the kernel has enabled its state. */
static int avx_usable(void)
{
	unsigned int a = 1, b, c = 0, d, low, high;

	__asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	if ((c & (1u << 27 | 1u << 28)) != (1u << 27 | 1u << 28))
		return 0;
	__asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (low & 6) == 6;
}

void stress_fpu(void)
{
	unsigned long threads = stress_option("threads", 3), random = 0;

	avx = avx_usable();
	for (unsigned long n = 1; n < threads && n < THREADS_MAX; n++)
		stress_thread_start(worker, (void *)n, 4);
	for (;;) {
		work(0, &random);
		L4_Sleep(L4_TimePeriod(PAUSE_US));
		stress_round();
	}
}
