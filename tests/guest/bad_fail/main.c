/* SPDX-License-Identifier: BSD-2-Clause
 * Goes wrong on purpose: the second test fails, EXPECT and REQUIRE. tests/selftest checks that this is reported.
 */
#include "test.h"

const char test_suite[] = "bad_fail";

static volatile word after_require;

static void good(void)
{
	EXPECT_EQ(1, 1);
}

static void bad(void)
{
	EXPECT_EQ(after_require + 2, 3);
	REQUIRE_EQ(after_require + 4, 5);
	after_require = 1;
}

static void require_ended_it(void)
{
	EXPECT_EQ(after_require, 0);
}

const struct test tests[] = {
	{ .name = "good", .run = good },
	{ .name = "bad", .run = bad },
	{ .name = "REQUIRE ended it", .run = require_ended_it },
	{ 0 }
};
