/* SPDX-License-Identifier: BSD-2-Clause
 * X.2 time values (X.2 3.1): 16 bits. Period: m * 2^e µs (bits 0..9, 10..14), 0 never, 0x400 zero. Point (bit 15): the
 * moment at which the clock's low e+10 bits are m * 2^e and bit e+10 is c.
 */
#ifndef KERNEL_TIMEOUT_H
#define KERNEL_TIMEOUT_H

#include "kernel/types.h"
#include "kernel/objects.h"
#include "kernel/arch.h"

#define DEADLINE_NOW    0               /* a zero timeout: one attempt */
#define TIME_ZERO       0x400

/* The X.2 time value as an absolute deadline in µs; now: the persistent clock. Pure. */
static inline u64 timeout_at(u16 time, u64 now)
{
	u64 m = time & 0x3ff, high;
	u32 e;

	if (time == 0)
		return DEADLINE_NEVER;
	if (!(time & 0x8000))
		return m ? now + (m << (time >> 10 & 0x1f)) : DEADLINE_NOW;
	e = time >> 11 & 0xf;
	high = now >> (e + 10);
	if ((high & 1) != (time >> 10 & 1))
		high++;
	high = high << (e + 10) | m << e;
	return high <= now ? DEADLINE_NOW : high;
}

/* A period in µs (for time slices). Points and zero count as one µs. */
static inline u64 timeout_at_period(u16 time)
{
	u64 us = time & 0x8000 ? 1 : (u64)(time & 0x3ff) << (time >> 10 & 0x1f);

	return us ? us : 1;
}

static inline u64 timeout_deadline(u16 time)
{
	return time == 0 ? DEADLINE_NEVER : time == TIME_ZERO ? DEADLINE_NOW : timeout_at(time, clock_us());
}

#endif
