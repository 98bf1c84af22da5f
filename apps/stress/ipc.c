/* SPDX-License-Identifier: BSD-2-Clause
 * ipc: numbered messages around three tasks. Property: a message between persistent threads arrives exactly once, whole and
 * in order. The source sends either around the ring (source, relay, sink, source) with plain sends, or by nested
 * calls (source calls relay calls sink). Every part knows which number must come next and what words belong to it. */
#include "stress.h"

enum { RING = 1, CALL = 2, PAUSE_ROUNDS = 64 };

/* Load MR1..: number, then words that follow from it. Returns the tag. */
static L4_MsgTag_t fill(unsigned long label, unsigned long number)
{
	unsigned long n = 1 + stress_mix(number, 7) % (L4_NUM_MRS - 2);
	L4_MsgTag_t tag = { label << 16 | n };

	L4_LoadMR(1, number);
	for (unsigned long i = 2; i <= n; i++)
		L4_LoadMR((int)i, stress_mix(number, i));
	return tag;
}

/* The message just received must be this one. */
static void check(const char *part, L4_MsgTag_t tag, unsigned long label, unsigned long number)
{
	L4_Word_t mr[L4_NUM_MRS], n = L4_UntypedWords(tag);

	if (L4_IpcFailed(tag))
		stress_fail("part=%s number=%lu ipc error=0x%lx", part, number, L4_ErrorCode());
	L4_StoreMRs(1, (int)n, mr);
	if (L4_Label(tag) != label || n != 1 + stress_mix(number, 7) % (L4_NUM_MRS - 2) || mr[0] != number)
		stress_fail("part=%s expected=%lu got=%lu label=%lu words=%lu", part, number, n ? mr[0] : 0,
			    (unsigned long)L4_Label(tag), n);
	for (unsigned long i = 1; i < n; i++)
		if (mr[i] != stress_mix(number, i + 1))
			stress_fail("part=%s number=%lu word=%lu is 0x%lx", part, number, i, mr[i]);
}

static void sent(const char *part, L4_MsgTag_t tag, unsigned long number)
{
	if (L4_IpcFailed(tag))
		stress_fail("part=%s number=%lu send error=0x%lx", part, number, L4_ErrorCode());
}

/* a = source, b = the sink; receives from the source only. */
static void relay(void)
{
	L4_ThreadId_t source = { stress_option("a", 0) }, sink = { stress_option("b", 0) };

	for (unsigned long number = 1;; number++) {
		L4_MsgTag_t tag = L4_Receive(source);
		unsigned long label = L4_Label(tag);
		check("relay", tag, label == CALL ? CALL : RING, number);
		L4_Set_MsgTag(fill(label, number));
		if (label == CALL) {
			check("relay", L4_Call(sink), CALL, number);
			L4_Set_MsgTag(fill(CALL, number));
			sent("relay", L4_Send(source), number);
		} else {
			sent("relay", L4_Send(sink), number);
		}
	}
}

/* a = source. The relay is whoever comes first. */
static void sink(void)
{
	L4_ThreadId_t source = { stress_option("a", 0) }, from, only = L4_nilthread;

	for (unsigned long number = 1;; number++) {
		L4_MsgTag_t tag = L4_Wait(&from);
		unsigned long label = L4_Label(tag);
		if (number == 1)
			only = from;
		if (!L4_IsThreadEqual(from, only))
			stress_fail("part=sink message from a stranger=0x%lx", from.raw);
		check("sink", tag, label == CALL ? CALL : RING, number);
		L4_Set_MsgTag(fill(label, number));
		sent("sink", L4_Send(label == CALL ? from : source), number);
	}
}

static void source(void)
{
	L4_ThreadId_t last = stress_part("sink", L4_Myself().raw, 0);
	L4_ThreadId_t next = stress_part("relay", L4_Myself().raw, last.raw);
	unsigned long random = 0;

	for (unsigned long number = 1;; number++) {
		unsigned long label = stress_random(&random) % 2 ? CALL : RING;
		L4_Set_MsgTag(fill(label, number));
		if (label == CALL) {
			check("source", L4_Call(next), CALL, number);
		} else {
			sent("source", L4_Send(next), number);
			check("source", L4_Receive(last), RING, number);
		}
		stress_round();
		if (number % PAUSE_ROUNDS == 0)
			L4_Sleep(L4_TimePeriod(5000));
	}
}

void stress_ipc(void)
{
	if (stress_role()[0] == 'r')
		relay();
	else if (stress_role()[0] == 's')
		sink();
	else
		source();
}
