/* SPDX-License-Identifier: BSD-2-Clause
 * Wall-clock time, for people: when a checkpoint was taken. From the real-time clock of the machine, taken to
 * be UTC and read once per boot; the persistent clock counts on from there. Nothing depends on its being right.
 */
#ifndef CKPT_WALL_H
#define CKPT_WALL_H

#include <stdbool.h>
#include <stdint.h>

/* Registers of the real-time clock, as read. */
struct rtc {
	uint8_t second, minute, hour, day, month, year, century, format;
};
#define RTC_BINARY      0x04u           /* bits of format (register B) */
#define RTC_24_HOURS    0x02u

/* Seconds since 1970 of a moment in UTC, 0: the registers make no sense. Binary or BCD, 12 or 24 hours; a century
 * of 0 (a clock without that register) is the 21st. */
uint64_t rtc_seconds(const struct rtc *r);

/* Read the machine's clock. clock_us: the persistent clock now. Waits at most a few milliseconds: while booting only. */
void wall_init(uint64_t clock_us);

/* Seconds since 1970 (UTC) when the persistent clock shows clock_us, 0: not known. */
uint64_t wall_seconds(uint64_t clock_us);

#endif
