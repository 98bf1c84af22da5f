/* SPDX-License-Identifier: BSD-2-Clause
 * Seconds since 1970 as a date, in UTC. Pure.
 */
#ifndef L4_DATE_H
#define L4_DATE_H

#ifdef __cplusplus
extern "C" {
#endif

struct L4_Date {
	unsigned long year;
	unsigned int month, day;        /* from 1 */
	unsigned int hour, minute, second;
};

/* The date of that many seconds after 1970-01-01 00:00:00 UTC, in the Gregorian calendar. */
struct L4_Date L4_DateOf(unsigned long seconds);

#ifdef __cplusplus
}
#endif
#endif
