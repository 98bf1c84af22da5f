/* SPDX-License-Identifier: BSD-2-Clause
 * pagers: a task whose pager is a program of ours, whose pager is a program of ours, whose pager is the system's.
 * Property: faults travel through any number of pagers, and what a snapshot does to the pages is seen by none of them. The
 * outer pager maps memory to the inner one, that to the leaf; both take some of it back at random times. The leaf keeps
 * pages with checksums and finds them as it left them, however often they had to be mapped again. */
#include <l4/pagefault.h>
#include <l4/space.h>
#include <l4/print.h>
#include "stress.h"

enum { WORDS = 512, PAGE = 4096, PAUSE_US = 20000, ROUND = 1, RECENT = 64, TAKEN = 4, BETWEEN = 32 };

/* Parts of the child's address space that are shown in ours: what it was linked and started with, and its arena. */
#define LOW_SIZE        0xbf000000UL
#define LEAF_ARENA      0x40000000UL
#define INNER_ARENA     0x200000000UL   /* holds what the inner pager shows of the leaf */

static L4_Word_t low, arena;            /* where they are shown */
static L4_Word_t arena_size;
static L4_Word_t recent[RECENT];        /* pages of the child that were mapped last */
static unsigned long faults;

/* Where an address of the child stands in our own address space; 0 if nowhere. */
static L4_Word_t shown(L4_Word_t address)
{
	if (address < LOW_SIZE)
		return low + address;
	if (address >= TASK_ARENA_BASE && address < TASK_ARENA_BASE + arena_size)
		return arena + address - TASK_ARENA_BASE;
	return 0;
}

/* Access our own view of the child's page in the way it wants to: it is mapped to us then, with that right. */
static void touch(L4_Word_t at, L4_Word_t access)
{
	if (access & L4_Writable)
		__asm__ volatile("lock orb $0, %0" : "+m"(*(volatile char *)at) : : "cc");
	else
		(void)*(volatile char *)at;
}

/* Answer the fault in the message registers. A map item gives no right that we do not have ourselves, and a read-only
 * mapping of ours is no reason for a fault in the transfer: so the page is touched first. */
static void load_answer(L4_MsgTag_t tag)
{
	L4_Word_t mr[2], page, access = L4_PageFaultAccess(tag);

	L4_StoreMRs(1, 2, mr);
	page = mr[0] & ~(L4_Word_t)(PAGE - 1);
	if (!L4_IsPageFault(tag) || !shown(page))
		stress_fail("part=%s tag=0x%lx address=0x%lx ip=0x%lx", stress_role(), tag.raw, mr[0], mr[1]);
	recent[faults++ % RECENT] = page;
	touch(shown(page), access);
	L4_LoadPageFaultReply(L4_FpageAddRights(L4_FpageLog2(shown(page), 12),
						access & L4_Writable ? L4_FullyAccessible : L4_ReadeXecOnly), page);
}

/* Take back some of the pages mapped last, from ourselves as well: code, stack, data or what the child shows in its turn. */
static void take_back(unsigned long *random)
{
	for (int i = 0; i < TAKEN; i++) {
		L4_Word_t page = recent[stress_random(random) % RECENT];
		if (page)
			L4_Flush(L4_FpageAddRights(L4_FpageLog2(shown(page), 12), L4_FullyAccessible));
	}
}

/* Faults of the next part; rounds of the leaf, which it reports to the outer pager. */
static void serve(void)
{
	unsigned long random = L4_Myself().raw;

	for (unsigned long messages = 1;; messages++) {
		L4_ThreadId_t from;
		L4_MsgTag_t tag = L4_Wait_Timeout(L4_TimePeriod(PAUSE_US), &from);
		if (L4_IpcSucceeded(tag)) {
			if (tag.raw == ROUND << 16) {
				stress_round();
				L4_Set_MsgTag(tag);
			} else {
				load_answer(tag);
			}
			L4_Reply(from);
		}
		if (L4_IpcFailed(tag) || messages % BETWEEN == 0)
			take_back(&random);
	}
}

/* Start the next part with ourselves as its pager, and serve it. */
static void page_for(const char *role, L4_Word_t size, unsigned long pages, unsigned long outer)
{
	char text[3][40];
	const char *argv[] = { stress_name(), role, text[0], text[1], text[2], 0 };
	L4_Word_t task;

	arena_size = size;
	snprintf(text[0], sizeof text[0], "a=%lu", pages);
	snprintf(text[1], sizeof text[1], "b=%lu", outer);
	snprintf(text[2], sizeof text[2], "seed=%lu", stress_seed());
	long error = task_spawn_paged("stress", argv, TASK_SPAWN_DETACH | TASK_SPAWN_DIE_WITH, 0, L4_Myself(), &task);
	low = arena = 0;
	if (error == TASK_OK)
		error = task_mirror(task, 0, LOW_SIZE, L4_FullyAccessible, &low);
	if (error == TASK_OK)
		error = task_mirror(task, TASK_ARENA_BASE, arena_size, L4_FullyAccessible, &arena);
	if (error != TASK_OK)
		stress_fail("part=%s could not be started, error=%ld", role, error);
	serve();
}

/* The leaf must hear from the outer pager: it counts the rounds. */
static void report(L4_ThreadId_t outer)
{
	L4_Set_MsgTag((L4_MsgTag_t){ ROUND << 16 });
	L4_MsgTag_t tag = L4_Call(outer);
	if (L4_IpcFailed(tag) || tag.raw != ROUND << 16)
		stress_fail("part=leaf tag=0x%lx error=0x%lx", tag.raw, L4_ErrorCode());
}

/* Page i holds words that follow from i and from how often it was written. */
static void leaf(void)
{
	unsigned long pages = stress_option("a", 32), random = 0;
	unsigned long (*page)[WORDS] = stress_pages(pages);
	unsigned long *version = stress_pages(1 + pages * sizeof *version / PAGE);

	for (unsigned long round = 0;; round++) {
		unsigned long i = stress_random(&random) % pages;
		for (unsigned long w = 0; version[i] && w < WORDS; w++)
			if (page[i][w] != stress_mix(version[i] << 16 | i, w))
				stress_fail("page=%lu word=%lu is 0x%lx version=%lu", i, w, page[i][w], version[i]);
		version[i]++;
		for (unsigned long w = 0; w < WORDS; w++)
			page[i][w] = stress_mix(version[i] << 16 | i, w);
		report((L4_ThreadId_t){ stress_option("b", 0) });
		if (round % 16 == 0)
			L4_Sleep(L4_TimePeriod(5000));
	}
}

void stress_pagers(void)
{
	if (stress_role()[0] == 'l')
		leaf();
	else if (stress_role()[0] == 'i')
		page_for("role=leaf", LEAF_ARENA, stress_option("a", 32), stress_option("b", 0));
	else
		page_for("role=inner", INNER_ARENA, stress_option("pages", 32), L4_Myself().raw);
}
