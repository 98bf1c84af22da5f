/* SPDX-License-Identifier: BSD-2-Clause
 * pagers: a task whose pager is a program of ours, whose pager is a program of ours, whose pager is the system's.
 * Property: faults travel through any number of pagers, and what a snapshot does to the pages is seen by none of them. The
 * outer pager maps memory to the inner one, that to the leaf; both take some of it back at random times. The leaf keeps
 * pages with checksums and finds them as it left them, however often they had to be mapped again. */
#include <l4/pagefault.h>
#include <l4/space.h>
#include "stress.h"

enum { WORDS = 512, PAGE = 4096, PAUSE_US = 20000 };

/* Parts of the child's address space that are shown in ours: what it was linked and started with, and its arena. */
#define LOW_SIZE        0xbf000000UL
#define ARENA_SIZE      0x40000000UL

static L4_Word_t low, arena;            /* where they are shown */
static unsigned long faults;

/* Where an address of the child stands in our own address space; 0 if nowhere. */
static L4_Word_t shown(L4_Word_t address)
{
	if (address < LOW_SIZE)
		return low + address;
	if (address >= TASK_ARENA_BASE && address < TASK_ARENA_BASE + ARENA_SIZE)
		return arena + address - TASK_ARENA_BASE;
	return 0;
}

/* Answer the fault in the message registers: map the page at the place where it is missing. */
static void load_answer(L4_MsgTag_t tag)
{
	L4_Word_t mr[2], page;

	L4_StoreMRs(1, 2, mr);
	page = mr[0] & ~(L4_Word_t)(PAGE - 1);
	if (!L4_IsPageFault(tag) || !shown(page))
		stress_fail("part=%s tag=0x%lx address=0x%lx ip=0x%lx", stress_role(), tag.raw, mr[0], mr[1]);
	L4_LoadPageFaultReply(L4_FpageAddRights(L4_FpageLog2(shown(page), 12), L4_FullyAccessible), page);
	faults++;
}

/* Take back one random page among the last ones that the child was given, or a whole stretch of its memory. */
static void take_back(unsigned long *random)
{
	unsigned long pages = stress_option("a", 32), r = stress_random(random);
	L4_Word_t address = TASK_ARENA_BASE + r % (2 * pages) * PAGE;

	L4_Flush(L4_FpageAddRights(L4_FpageLog2(shown(address), 12), L4_FullyAccessible));
	if (r >> 32 & 1)
		L4_Flush(L4_FpageAddRights(L4_FpageLog2(shown(0x400000) & ~0xffffUL, 16), L4_FullyAccessible));
}

static void serve(void)
{
	unsigned long random = L4_Myself().raw;
	L4_ThreadId_t from = L4_nilthread;
	L4_MsgTag_t tag = L4_Wait_Timeout(L4_TimePeriod(PAUSE_US), &from);

	for (;;) {
		if (L4_IpcFailed(tag)) {
			take_back(&random);
			tag = L4_Wait_Timeout(L4_TimePeriod(PAUSE_US), &from);
			continue;
		}
		load_answer(tag);
		L4_Reply(from);
		tag = L4_Wait_Timeout(L4_TimePeriod(PAUSE_US), &from);
	}
}

/* Start the next part with ourselves as its pager, and serve it. */
static void page_for(const char *role)
{
	const char *argv[] = { stress_name(), role, "seed=0", "a=32", 0 };
	L4_Word_t task;
	long error = task_spawn_paged("stress", argv, TASK_SPAWN_DETACH | TASK_SPAWN_DIE_WITH, 0, L4_Myself(), &task);

	low = arena = 0;
	if (error == TASK_OK)
		error = task_mirror(task, 0, LOW_SIZE, L4_FullyAccessible, &low);
	if (error == TASK_OK)
		error = task_mirror(task, TASK_ARENA_BASE, ARENA_SIZE, L4_FullyAccessible, &arena);
	if (error != TASK_OK)
		stress_fail("part=%s could not be started, error=%ld", role, error);
	serve();
}

/* The leaf: page i holds a generation number and words that follow from both. */
static void leaf(void)
{
	unsigned long pages = stress_option("a", 32), random = 0;
	unsigned long (*page)[WORDS] = stress_pages(pages);
	unsigned long *version = stress_pages(1);

	for (unsigned long round = 0;; round++) {
		unsigned long i = stress_random(&random) % pages;
		for (unsigned long w = 0; version[i] && w < WORDS; w++)
			if (page[i][w] != stress_mix(version[i] << 16 | i, w))
				stress_fail("page=%lu word=%lu is 0x%lx version=%lu", i, w, page[i][w], version[i]);
		version[i]++;
		for (unsigned long w = 0; w < WORDS; w++)
			page[i][w] = stress_mix(version[i] << 16 | i, w);
		if (round % 16 == 0)
			L4_Sleep(L4_TimePeriod(5000));
		stress_round();
	}
}

void stress_pagers(void)
{
	if (stress_role()[0] == 'l')
		leaf();
	else
		page_for(stress_role()[0] == 'i' ? "role=leaf" : "role=inner");
}
