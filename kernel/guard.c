/* SPDX-License-Identifier: BSD-2-Clause
 * See guard.h.
 */
#include "kernel/guard.h"

#if DEBUG
#include "kernel/arch.h"
#include "kernel/frame.h"
#include "kernel/space.h"
#include "kernel/thread.h"
#include <l4/framecontrol.h>

void guard_object(const void *page)
{
	if (page)
		arch_guard(page, frame_is_current(virt_to_phys(page) >> PAGE_SHIFT));
}

void guard_release(const void *page)
{
	if (page)
		arch_guard(page, true);
}

void guard_writable(pfn_t pfn)
{
	arch_guard(phys_to_virt(pfn << PAGE_SHIFT), true);
}

void guard_all(void)
{
	u32 c, i;

	for (c = 1; c < L4_TABLE_PAGES; c++) {
		if (!thread_chunk[c])
			continue;
		guard_object(thread_chunk[c]->tte);
		for (i = 0; i < L4_TABLE_PER_PAGE; i++) {
			guard_object(thread_chunk[c][i].tcb);
			guard_object(thread_chunk[c][i].utcb);
		}
	}
	for (i = L4_FIRST_SPACE; i < L4_MAX_SPACES; i++)
		if (space_at(i))
			guard_object(space_at(i)->record);
}
#endif
