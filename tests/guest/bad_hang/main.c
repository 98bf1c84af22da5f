/* SPDX-License-Identifier: BSD-2-Clause
 * Goes wrong on purpose: hangs in its second test. tests/selftest checks that this is reported as a time-out.
 */
#include "test.h"

const char test_suite[] = "bad_hang";

static void good(void)
{
	EXPECT(1);
}

static void hang(void)
{
	EXPECT(1);
	for (;;)
		__asm__ __volatile__("pause");
}

const struct test tests[] = {
	{ .name = "good", .run = good },
	{ .name = "hang", .run = hang },
	{ 0 }
};
