/* SPDX-License-Identifier: BSD-2-Clause
 * Goes wrong on purpose: all is well, but the status of the exit says it failed. tests/selftest checks that
 * the contradiction is reported.
 */
#include "test.h"

const char test_suite[] = "bad_exit";

static void good(void)
{
	EXPECT(1);
}

static void leave(void)
{
	test_print("T> ok 2 bad_exit: leave");
	test_print("T> done");
	test_exit(TEST_EXIT_FAIL);
}

const struct test tests[] = {
	{ .name = "good", .run = good },
	{ .name = "leave", .run = leave },
	{ 0 }
};
