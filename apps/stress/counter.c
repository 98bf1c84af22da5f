/* SPDX-License-Identifier: BSD-2-Clause
 * counter: a number that only grows. Property: memory, registers and clock go on from one and the same instant. The count
 * is kept three times, as a number, as its complement and as the end of a chain that only counting step by step gives; the
 * clock never goes back. */
#include <l4/term.h>
#include "stress.h"

enum { STEP_US = 5000, PRINT_US = 1000000 };

static volatile unsigned long count, complement = ~0UL, chain;

void stress_counter(void)
{
	L4_Word64_t print_at = L4_SystemClock().raw, last = print_at;
	unsigned long in_register = 0, start = stress_seed();

	chain = start;
	for (;;) {
		L4_Word64_t now = L4_SystemClock().raw;
		if (now < last)
			stress_fail("clock went back from=%lu to=%lu", last, now);
		if (count != in_register || complement != ~count)
			stress_fail("n=%lu complement=%lu register=%lu", count, ~complement, in_register);
		if (count && stress_mix(start, count) != chain)
			stress_fail("n=%lu chain=0x%lx", count, chain);
		last = now;
		if (now >= print_at) {
			L4_TermPrintf("[counter] n=%lu clock_us=%lu\n", count, now);
			print_at = now + PRINT_US;
		}
		in_register++;
		count = in_register;
		complement = ~in_register;
		chain = stress_mix(start, in_register);
		stress_round();
		L4_Sleep(L4_TimePeriod(STEP_US));
	}
}
