/* SPDX-License-Identifier: BSD-2-Clause
 * The real-time clock (MC146818 and what is compatible with it); see wall.h.
 */
#include "wall.h"

#include "io.h"

#define PORT_INDEX      0x70u
#define PORT_DATA       0x71u
#define REG_CENTURY     0x32u           /* where PCs have it */
#define REG_A           0x0au
#define REG_B           0x0bu
#define UPDATING        0x80u           /* in register A: the other registers may change */
#define PM              0x80u           /* in the hour, with 12 hours */
#define TRIES           20000u          /* looks at register A, of about a microsecond each; an update takes 2 ms */

static uint64_t wall_base_s, wall_base_us;

static unsigned binary(const struct rtc *r, uint8_t v)
{
	return r->format & RTC_BINARY ? v : (v >> 4) * 10u + (v & 15u);
}

static bool leap(unsigned year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static unsigned month_days(unsigned year, unsigned month)
{
	static const uint8_t days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 && leap(year));
}

static uint64_t days_before(unsigned year, unsigned month, unsigned day)
{
	uint64_t days = day - 1;

	for (unsigned y = 1970; y < year; y++)
		days += leap(y) ? 366 : 365;
	for (unsigned m = 1; m < month; m++)
		days += month_days(year, m);
	return days;
}

uint64_t rtc_seconds(const struct rtc *r)
{
	bool pm = !(r->format & RTC_24_HOURS) && r->hour & PM;
	unsigned hour = binary(r, r->format & RTC_24_HOURS ? r->hour : r->hour & (uint8_t)~PM);
	unsigned minute = binary(r, r->minute), second = binary(r, r->second);
	unsigned day = binary(r, r->day), month = binary(r, r->month), year = binary(r, r->year);
	unsigned century = binary(r, r->century);

	if (!(r->format & RTC_24_HOURS)) {
		if (hour < 1 || hour > 12)
			return 0;
		hour = hour % 12 + (pm ? 12 : 0);
	}
	if (hour > 23 || minute > 59 || second > 59 || year > 99 || month < 1 || month > 12)
		return 0;
	year += 100 * (century >= 19 && century <= 99 ? century : 20);
	if (year < 1970 || day < 1 || day > month_days(year, month))
		return 0;
	return days_before(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
}

static uint8_t reg(unsigned n)
{
	io_out8(PORT_INDEX, (uint8_t)n);
	return io_in8(PORT_DATA);
}

static struct rtc rtc_read(void)
{
	return (struct rtc){ reg(0), reg(2), reg(4), reg(7), reg(8), reg(9), reg(REG_CENTURY), reg(REG_B) };
}

/* Two readings alike, neither during an update: else it may have been between two of the registers. */
void wall_init(uint64_t clock_us)
{
	struct rtc a, b = { 0 };

	wall_base_us = clock_us;
	wall_base_s = 0;
	for (unsigned tries = 0; tries < TRIES; tries++) {
		if (reg(REG_A) & UPDATING)
			continue;
		a = rtc_read();
		if (!__builtin_memcmp(&a, &b, sizeof a)) {
			wall_base_s = rtc_seconds(&a);
			return;
		}
		b = a;
	}
}

uint64_t wall_seconds(uint64_t clock_us)
{
	return wall_base_s && clock_us >= wall_base_us ? wall_base_s + (clock_us - wall_base_us) / 1000000 : 0;
}
