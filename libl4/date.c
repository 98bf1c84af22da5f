/* SPDX-License-Identifier: BSD-2-Clause
 * Years are counted from March on, in eras of 400 years: then the leap day is the last of its year, and the months before
 * it repeat in groups of 153 days. */
#include <l4/date.h>

#define DAY_S           86400ul
#define ERA_DAYS        146097ul
#define TO_1970         719468ul        /* days from 0000-03-01 */

struct L4_Date L4_DateOf(unsigned long seconds)
{
	unsigned long days = seconds / DAY_S + TO_1970, rest = seconds % DAY_S;
	unsigned long era = days / ERA_DAYS, day = days % ERA_DAYS;
	unsigned long year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	unsigned long month;

	day -= 365 * year + year / 4 - year / 100;
	month = (5 * day + 2) / 153;
	return (struct L4_Date){
		.year = era * 400 + year + (month >= 10),
		.month = (unsigned int)(month < 10 ? month + 3 : month - 9),
		.day = (unsigned int)(day - (153 * month + 2) / 5 + 1),
		.hour = (unsigned int)(rest / 3600),
		.minute = (unsigned int)(rest / 60 % 60),
		.second = (unsigned int)(rest % 60),
	};
}
