/* SPDX-License-Identifier: BSD-2-Clause
 * Goes wrong on purpose: the machine is reset in the middle of a test. tests/selftest checks that a missing end is
 * never taken for success.
 */
#include "test.h"
#include <l4/ckpt.h>

const char test_suite[] = "bad_reset";

static void reset(void)
{
	EXPECT(1);
	(void)L4_Reboot();
}

const struct test tests[] = {
	{ .name = "reset", .run = reset },
	{ 0 }
};
