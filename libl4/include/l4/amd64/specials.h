/* SPDX-License-Identifier: BSD-2-Clause
 * Single instructions of AMD64 that the portable headers need.
 */
#ifndef L4_AMD64_SPECIALS_H
#define L4_AMD64_SPECIALS_H

#include <l4/amd64/types.h>

/* Number of the highest set bit of w (0..63). w must not be 0. */
L4_INLINE int __L4_Msb(L4_Word_t w)
{
	return 63 - __builtin_clzl(w);
}

/* Number of the lowest set bit of w (0..63). w must not be 0. */
L4_INLINE int __L4_Lsb(L4_Word_t w)
{
	return __builtin_ctzl(w);
}

/* Adds 1 to *w, atomically among processors and across preemption. */
L4_INLINE void __L4_Inc_Atomic(L4_Word_t *w)
{
	__atomic_fetch_add(w, 1, __ATOMIC_SEQ_CST);
}

/* The time-stamp counter. It restarts at every boot: a program that was resumed from a checkpoint may
 * see it run backwards. L4_SystemClock does not. */
L4_INLINE L4_Word64_t __L4_Rdtsc(void)
{
	L4_Word_t low, high;

	__asm__ __volatile__("rdtsc" : "=a"(low), "=d"(high));
	return (high << 32) | low;
}

/* Performance counter; an exception unless the kernel has allowed it to user programs. */
L4_INLINE L4_Word64_t __L4_Rdpmc(const L4_Word_t counter)
{
	L4_Word_t low, high;

	__asm__ __volatile__("rdpmc" : "=a"(low), "=d"(high) : "c"(counter));
	return (high << 32) | low;
}

#endif
