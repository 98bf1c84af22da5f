/* SPDX-License-Identifier: BSD-2-Clause
 * Not a test: makes a world with a thread in each of many pages of the thread table, and waits to be killed. tests/bootpaths
 * boots it with less memory.
 */
#include "test.h"
#include <l4/framecontrol.h>

const char test_suite[] = "wide";

#define PAGES   400

static void make_wide(void)
{
	for (word n = 1; n <= PAGES; n++) {
		L4_ThreadId_t tid = L4_GlobalId((16 + n) * L4_TABLE_PER_PAGE, 1);

		REQUIRE_EQ(L4_ThreadControl(tid, L4_Myself(), L4_Myself(), L4_nilthread, (void *)-1), 1);
	}
	REQUIRE(test_checkpoint() != 0);
	test_print("[test] wide");
	L4_Sleep(L4_Never);
}

const struct test tests[] = {
	{ .name = "threads all over the table", .run = make_wide },
	{ 0 }
};
