/* SPDX-License-Identifier: BSD-2-Clause
 * A world to recover: RECOVERY_PAGES pages with content, committed; then the machine is killed. What the next boot
 * costs is told by the kernel's own line `[boot] first_thread` (bench/run).
 */
#include "bench.h"

static void fill(void)
{
	word *memory = test_pages(RECOVERY_PAGES), i;

	for (i = 0; i < RECOVERY_PAGES; i++)
		memory[512 * i + i % 512] = i + 1;
	EXPECT(test_checkpoint() != 0);
	test_print("[bench] ready\n");
	for (;;)
		test_sleep_us(1000000);
}

const struct test tests[] = {
	{ .name = "fill", .run = fill },
	{ 0 }
};
