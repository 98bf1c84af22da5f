/* SPDX-License-Identifier: BSD-2-Clause
 * A thread of tasktest is the pager of a child: it answers the child's faults with pages of a mirror.
 */
#include <l4/ipc.h>
#include <l4/pagefault.h>
#include <l4/schedule.h>
#include <l4/task.h>
#include <l4/thread.h>

#include "tasktest.h"

static const struct window {
	L4_Word_t base, size;
} windows[2] = {
	{ 0, TASK_STACK_TOP },                 /* page 0, too: an access there ends the child, as it should */
	{ TASK_ARENA_BASE, 1UL << 24 },
};

static L4_Word_t shown[2];
static volatile L4_Word_t served;

static L4_Word_t window_of(L4_Word_t address)
{
	for (int i = 0; i < 2; i++)
		if (address >= windows[i].base && address - windows[i].base < windows[i].size && shown[i])
			return shown[i] + (address - windows[i].base);
	return 0;
}

static void serve(void *arg)
{
	L4_ThreadId_t from;
	L4_MsgTag_t tag;

	(void)arg;
	L4_Set_ExceptionHandler(L4_GlobalId(L4_ROOT_TNO, 1));
	tag = L4_Wait(&from);
	for (;;) {
		if (L4_IpcSucceeded(tag) && L4_IsPageFault(tag)) {
			L4_Word_t address, at, access = L4_PageFaultAccess(tag);
			L4_Fpage_t page;

			L4_StoreMR(1, &address);
			at = window_of(address & ~4095UL);
			/* Before the windows are open: nothing, and it faults again. */
			page = L4_FpageLog2(at, 12);
			L4_Set_Rights(&page, access);
			L4_LoadPageFaultReply(page, address & ~4095UL);
			if (!at) {
				L4_LoadMR(0, 0);
				L4_Yield();
			}
			served++;
		}
		tag = L4_ReplyWait(from, &from);
	}
}

void pager_of_ours(void)
{
	const char *argv[] = { "tasktest", "leaf", "100", 0 }, *bad[] = { "tasktest", "fault", "null", 0 };
	L4_ThreadId_t pager;
	L4_Word_t id = 0;
	void *top;

	CHECK(task_stack(4, &top), TASK_OK);
	CHECK(task_thread_create(serve, 0, top, &pager), TASK_OK);
	CHECK(task_thread_priority(pager, 90), TASK_OK);
	for (int round = 0; round < 3; round++) {
		served = 0;
		CHECK(task_spawn_paged("tasktest", round == 2 ? bad : argv, 0, 0, pager, &id), TASK_OK);
		for (int i = 0; i < 2; i++) {
			L4_Word_t at = 0;

			CHECK(task_mirror(id, windows[i].base, windows[i].size, 7, &at), TASK_OK);
			shown[i] = at;
		}
		CHECK(status_of(id), round == 2 ? TASK_STATUS_FAULT : 0);
		CHECK(served > (round == 2 ? 0 : 100), 1);
		for (int i = 0; i < 2; i++) {
			L4_Word_t at = shown[i];

			shown[i] = 0;
			CHECK(task_unmap(at, windows[i].size), TASK_OK);
		}
	}
	CHECK(task_spawn_paged("tasktest", argv, 0, 0, L4_GlobalId(L4_ROOT_TNO, 1), &id), TASK_E_PERM);
	CHECK(task_thread_delete(pager), TASK_OK);
	CHECK(task_unmap((L4_Word_t)top - 4 * 4096, 4 * 4096), TASK_OK);
}
