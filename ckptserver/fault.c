/* SPDX-License-Identifier: BSD-2-Clause
 * Faults on purpose; see fault.h.
 */
#include "fault.h"

#include "disk.h"
#include "residual.h"
#include "server.h"

/* Outside everything that is mapped for us. */
#define NOWHERE         0x1000ul

static uint64_t due_tsc;

static void happen(void)
{
	switch (options.fault) {
	case FAULT_RESET:
		disk_break();
		break;
	case FAULT_CRASH:
		*(volatile char *)NOWHERE = 0;
		break;
	case FAULT_HANG:
		for (;;)
			__asm__ volatile("pause");
	case FAULT_CONSOLE_CRASH:
		residual_take_memory();
		break;
	case FAULT_CONSOLE_HANG:
		residual_hang();
		break;
	}
}

void fault_tick(uint64_t now)
{
	if (!options.fault)
		return;
	if (due_tsc && now >= due_tsc)
		happen();
	if (!due_tsc || now >= due_tsc)
		due_tsc = now + time_ticks(options.fault_us);
}
