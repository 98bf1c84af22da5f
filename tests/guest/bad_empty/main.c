/* SPDX-License-Identifier: BSD-2-Clause
 * Goes wrong on purpose: a test that checks nothing, and a skipped one. tests/selftest checks that the first
 * counts as failed and the second as skipped.
 */
#include "test.h"

const char test_suite[] = "bad_empty";

static void empty(void)
{
}

const struct test tests[] = {
	{ .name = "empty", .run = empty },
	{ .name = "skipped", .run = empty, .skip = "on purpose" },
	{ 0 }
};
