/* SPDX-License-Identifier: BSD-2-Clause
 * What the benchmark programs share: reading the time-stamp counter, medians, output. Under `-icount shift=0` one tick
 * is one guest instruction. A benchmark program is a suite of the test framework whose tests print
 * `[bench] name=… value=… unit=…` lines; bench/run runs it and keeps the lines as CSV.
 */
#ifndef BENCH_H
#define BENCH_H

#include "test.h"

#define BENCH_ROUNDS 101

static inline word bench_tsc(void)
{
	word low, high;

	__asm__ __volatile__("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return high << 32 | low;
}

/* Ticks that a pair of readings costs by itself. */
static inline word bench_overhead(void)
{
	word best = ~0UL, i;

	for (i = 0; i < 32; i++) {
		word begin = bench_tsc(), took = bench_tsc() - begin;

		if (took < best)
			best = took;
	}
	return best;
}

/* Sort in place (samples are few); afterwards v[n / 2] is the median. */
static inline void bench_sort(word *v, word n)
{
	word i, j;

	for (i = 1; i < n; i++) {
		word x = v[i];

		for (j = i; j > 0 && v[j - 1] > x; j--)
			v[j] = v[j - 1];
		v[j] = x;
	}
}

/* Print median, and as NAME_min and NAME_max the extremes; `each` operations per sample. Sorts v. */
static inline void bench_report(const char *name, word *v, word n, word each, const char *unit)
{
	static char other[64];
	const char *suffix[] = { "_min", "_max" };
	word at[] = { 0, n - 1 }, i, k, s;

	bench_sort(v, n);
	test_bench(name, v[n / 2] / each, unit);
	for (i = 0; i < 2; i++) {
		for (k = 0; name[k] && k < sizeof other - 8; k++)
			other[k] = name[k];
		for (s = 0; suffix[i][s]; s++)
			other[k++] = suffix[i][s];
		other[k] = 0;
		test_bench(other, v[at[i]] / each, unit);
	}
}

#endif
