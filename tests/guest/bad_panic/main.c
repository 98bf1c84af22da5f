/* SPDX-License-Identifier: BSD-2-Clause
 * Goes wrong on purpose: prints what a panicking kernel prints, but finishes well otherwise. tests/selftest checks
 * that the run counts as failed nevertheless.
 */
#include "test.h"

const char test_suite[] = "bad_panic";

static void panic(void)
{
	test_print("PANIC: tests/guest/bad_panic/main.c:1: deliberate");
	EXPECT(1);
}

const struct test tests[] = {
	{ .name = "panic", .run = panic },
	{ 0 }
};
