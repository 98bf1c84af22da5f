/* SPDX-License-Identifier: BSD-2-Clause
 * output: work whose output is fixed by its seed. Property: with any number of crashes the output is what it is without: the
 * lines between a checkpoint and a crash come again, the same, and none is left out. Each line follows from all before it,
 * through a table in memory and another task that is asked. lines= is how many there are; it ends with an end line. */
#include <l4/term.h>
#include "stress.h"

enum { TABLE = 8192, WRITES = 40, NAP_US = 8000 };

static unsigned long table[TABLE];

/* a = who asks. Answers with a number that follows from the question and from all before. */
static void helper(void)
{
	L4_ThreadId_t asker = { stress_option("a", 0) };
	unsigned long memory = 0;
	L4_MsgTag_t tag = L4_Receive(asker);

	for (;;) {
		L4_Word_t question;

		if (L4_IpcFailed(tag))
			stress_fail("part=helper error=0x%lx", L4_ErrorCode());
		L4_StoreMR(1, &question);
		memory = stress_mix(memory, question);
		L4_LoadMR(1, memory);
		L4_Set_MsgTag((L4_MsgTag_t){ 1 });
		tag = L4_Call(asker);
	}
}

static unsigned long ask(L4_ThreadId_t whom, unsigned long question)
{
	L4_Word_t answer;

	L4_LoadMR(1, question);
	L4_Set_MsgTag((L4_MsgTag_t){ 1 });
	if (L4_IpcFailed(L4_Call(whom)))
		stress_fail("helper error=0x%lx", L4_ErrorCode());
	L4_StoreMR(1, &answer);
	return answer;
}

void stress_output(void)
{
	unsigned long lines = stress_option("lines", 300), sum = stress_seed();
	L4_ThreadId_t other;

	if (stress_role()[0])
		helper();
	other = stress_part("helper", L4_Myself().raw, 0);
	for (unsigned long n = 1; n <= lines; n++) {
		for (unsigned long i = 0; i < WRITES; i++) {
			unsigned long *at = &table[stress_mix(sum, i) % TABLE];

			sum = stress_mix(sum, *at);
			*at = sum;
		}
		sum = ask(other, sum);
		L4_TermPrintf("[output] n=%lu sum=%016lx\n", n, sum);
		L4_Sleep(L4_TimePeriod(1 + sum % NAP_US));
	}
	L4_TermPrintf("[output] end lines=%lu sum=%016lx\n", lines, sum);
	L4_Sleep(L4_Never);
}
