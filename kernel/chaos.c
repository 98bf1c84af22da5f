/* SPDX-License-Identifier: BSD-2-Clause
 * See chaos.h.
 */
#include "kernel/chaos.h"
#include "kernel/kernel.h"
#include "kernel/mapdb.h"
#include "kernel/thread.h"

u64 chaos_state;

void chaos_init(void)
{
	const char *seed = option("chaos");
	u64 v = 0;

	if (!seed)
		return;
	for (; *seed >= '0' && *seed <= '9'; seed++)
		v = v * 10 + (u64)(*seed - '0');
	chaos_state = v * 0x9e3779b97f4a7c15ul + 1;
	printk("[boot] chaos=%lu\n", v);
}

void chaos_act(void)
{
	const char *bad;

	chaos_state ^= chaos_state << 13;
	chaos_state ^= chaos_state >> 7;
	chaos_state ^= chaos_state << 17;
	if (chaos_state % 8 == 0)
		mapdb_chaos(&chaos_state);
	if (DEBUG && chaos_state % 1024 == 1) {
		bad = mapdb_check();
		if (!bad)
			bad = thread_check_all();
		if (bad)
			panic("consistency: %s", bad);
	}
}
