/* SPDX-License-Identifier: BSD-2-Clause
 * ring: one token around a ring of tasks. Property: there is one token, however often the machine stops: it is never lost and
 * never there twice. Who has it counts its laps, must not have it already, and gets it from nobody but the task before. */
#include "stress.h"

enum { MEMBERS = 5, BUSY = 200, PAUSE_LAPS = 100 };

static volatile unsigned long holding;

/* The token for the `lap`th time, from `before` (nilthread: from whoever comes first). Returns the sender. */
static L4_ThreadId_t take(unsigned long lap, L4_ThreadId_t before)
{
	L4_ThreadId_t from;
	L4_MsgTag_t tag = L4_Wait(&from);
	L4_Word_t mr[2];

	L4_StoreMRs(1, 2, mr);
	if (L4_IpcFailed(tag) || L4_UntypedWords(tag) != 2 || mr[1] != stress_mix(mr[0], 3))
		stress_fail("lap=%lu tag=0x%lx error=0x%lx", lap, tag.raw, L4_ErrorCode());
	if (mr[0] != lap || holding)
		stress_fail("lap=%lu, expected=%lu holding=%lu", mr[0], lap, holding);
	if (!L4_IsNilThread(before) && !L4_IsThreadEqual(from, before))
		stress_fail("lap=%lu from a stranger=0x%lx", lap, from.raw);
	holding = lap;
	for (volatile unsigned long i = stress_mix(lap, 4) % BUSY; i; i--)
		;
	return from;
}

static void pass(unsigned long lap, L4_ThreadId_t next)
{
	holding = 0;
	L4_LoadMR(1, lap);
	L4_LoadMR(2, stress_mix(lap, 3));
	L4_Set_MsgTag((L4_MsgTag_t){ 2 });
	if (L4_IpcFailed(L4_Send(next)))
		stress_fail("lap=%lu send error=0x%lx", lap, L4_ErrorCode());
}

/* a = the next in the ring. */
static void member(void)
{
	L4_ThreadId_t next = { stress_option("a", 0) }, before = L4_nilthread;

	for (unsigned long lap = 1;; lap++) {
		before = take(lap, before);
		pass(lap, next);
	}
}

void stress_ring(void)
{
	L4_ThreadId_t next = L4_Myself(), before = L4_nilthread;

	if (stress_role()[0])
		member();
	for (int i = 1; i < MEMBERS; i++)
		next = stress_part("member", next.raw, 0);
	for (unsigned long lap = 1;; lap++) {
		pass(lap, next);
		before = take(lap, before);
		stress_round();
		if (lap % PAUSE_LAPS == 0)
			L4_Sleep(L4_TimePeriod(5000));
	}
}
