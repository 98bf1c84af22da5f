/* SPDX-License-Identifier: BSD-2-Clause
 * bank: money moved between tasks by messages. Property: a snapshot is one consistent cut through all tasks: no transfer is
 * half in it. Three banks keep accounts; two tellers take money from one and bring it to another, and count what they
 * carry; the auditor (first part) stops both at agreed times and adds everything up. Banks check that each
 * teller's requests are numbered without a gap, and that their own total follows from what came and went. */
#include "stress.h"

enum { BANKS = 3, TELLERS = 2, ACCOUNTS_MAX = 4096, OPENING = 1000, BETWEEN_AUDITS = 50 };
enum { TAKE = 1, BRING, TOTAL, READY };         /* labels: number, account, amount → amount; TOTAL → total */

static L4_ThreadId_t bank[BANKS];

/* A call with three words; returns MR1 of the answer. */
static unsigned long ask(L4_ThreadId_t whom, unsigned long label, unsigned long a, unsigned long b, unsigned long c)
{
	L4_MsgTag_t tag = { label << 16 | 3 };
	L4_Word_t answer;

	L4_LoadMR(1, a);
	L4_LoadMR(2, b);
	L4_LoadMR(3, c);
	L4_Set_MsgTag(tag);
	tag = L4_Call(whom);
	L4_StoreMR(1, &answer);
	if (L4_IpcFailed(tag) || L4_UntypedWords(tag) != 1 || L4_Label(tag) != label)
		stress_fail("request=%lu number=%lu tag=0x%lx error=0x%lx", label, a, tag.raw, L4_ErrorCode());
	return answer;
}

static void reply(L4_ThreadId_t whom, unsigned long label, unsigned long value)
{
	L4_LoadMR(1, value);
	L4_Set_MsgTag((L4_MsgTag_t){ label << 16 | 1 });
	if (L4_IpcFailed(L4_Reply(whom)))
		stress_fail("no answer to request=%lu error=0x%lx", label, L4_ErrorCode());
}

/* ---- A bank: b = number of accounts ---------------------------------------------------------------- */

static long account[ACCOUNTS_MAX], total;
static struct { L4_ThreadId_t id; unsigned long number; } customer[TELLERS];

/* Requests of a teller are numbered 1, 2, 3 … at each bank. */
static void check_number(L4_ThreadId_t from, unsigned long number)
{
	int i = 0;

	while (i < TELLERS && !L4_IsThreadEqual(customer[i].id, from) && !L4_IsNilThread(customer[i].id))
		i++;
	if (i == TELLERS)
		stress_fail("part=bank stranger=0x%lx", from.raw);
	customer[i].id = from;
	if (number != ++customer[i].number)
		stress_fail("part=bank teller=%d number=%lu expected=%lu", i, number, customer[i].number);
}

static unsigned long move(unsigned long label, long *a, long amount)
{
	if (label == TAKE && amount > *a)
		amount = *a;
	*a += label == TAKE ? -amount : amount;
	total += label == TAKE ? -amount : amount;
	return (unsigned long)amount;
}

static unsigned long add_up(unsigned long accounts)
{
	long sum = 0;

	for (unsigned long i = 0; i < accounts; i++)
		sum += account[i];
	if (sum != total)
		stress_fail("part=bank sum=%ld total=%ld", sum, total);
	return (unsigned long)sum;
}

static void bank_main(void)
{
	unsigned long accounts = stress_option("b", 1);

	for (unsigned long i = 0; i < accounts; i++)
		account[i] = OPENING;
	total = (long)accounts * OPENING;
	for (;;) {
		L4_ThreadId_t from;
		L4_Word_t mr[3] = { 0 };
		L4_MsgTag_t tag = L4_Wait(&from);
		unsigned long label = L4_Label(tag);
		L4_StoreMRs(1, 3, mr);
		if (L4_IpcFailed(tag) || (label != TOTAL && (label > BRING || mr[1] >= accounts)))
			stress_fail("part=bank tag=0x%lx account=%lu", tag.raw, mr[1]);
		if (label != TOTAL)
			check_number(from, mr[0]);
		reply(from, label, label == TOTAL ? add_up(accounts) : move(label, &account[mr[1]], (long)mr[2]));
	}
}

/* ---- A teller: a = auditor, b = accounts in each bank ------------------------------------------------ */

static void teller_main(void)
{
	L4_ThreadId_t auditor = { stress_option("a", 0) };
	unsigned long accounts = stress_option("b", 1), number[BANKS] = { 0 }, random = L4_Myself().raw;

	for (int i = 0; i < BANKS; i++)
		bank[i].raw = ask(auditor, READY, (unsigned long)i, 0, 0);
	for (unsigned long n = 1;; n++) {
		unsigned long from = stress_random(&random) % BANKS, to = stress_random(&random) % BANKS;
		unsigned long amount = stress_random(&random) % OPENING;
		amount = ask(bank[from], TAKE, ++number[from], stress_random(&random) % accounts, amount);
		ask(bank[to], BRING, ++number[to], stress_random(&random) % accounts, amount);
		if (n % BETWEEN_AUDITS == 0)
			ask(auditor, READY, BANKS, n, 0);       /* carries nothing now; answered after the audit */
	}
}

/* ---- The auditor --------------------------------------------------------------------------------------- */

/* Wait until every teller stands still; meanwhile tell them where the banks are. */
static void gather(L4_ThreadId_t *waiting)
{
	for (int n = 0; n < TELLERS;) {
		L4_ThreadId_t from;
		L4_Word_t which;
		L4_MsgTag_t tag = L4_Wait(&from);
		L4_StoreMR(1, &which);
		if (L4_IpcFailed(tag) || L4_Label(tag) != READY)
			stress_fail("part=auditor tag=0x%lx", tag.raw);
		if (which < BANKS)
			reply(from, READY, bank[which].raw);
		else
			waiting[n++] = from;
	}
}

void stress_bank(void)
{
	unsigned long accounts = stress_option("accounts", 64);
	L4_ThreadId_t waiting[TELLERS];

	if (stress_role()[0] == 'b')
		bank_main();
	if (stress_role()[0] == 't')
		teller_main();
	accounts = accounts < 1 ? 1 : accounts > ACCOUNTS_MAX ? ACCOUNTS_MAX : accounts;
	for (int i = 0; i < BANKS; i++)
		bank[i] = stress_part("bank", L4_Myself().raw, accounts);
	for (int i = 0; i < TELLERS; i++)
		stress_part("teller", L4_Myself().raw, accounts);
	for (;;) {
		unsigned long sum = 0;
		gather(waiting);
		for (int i = 0; i < BANKS; i++)
			sum += ask(bank[i], TOTAL, 0, 0, 0);
		if (sum != BANKS * accounts * OPENING)
			stress_fail("sum=%lu expected=%lu", sum, BANKS * accounts * OPENING);
		stress_round();
		L4_Sleep(L4_TimePeriod(5000));
		for (int i = 0; i < TELLERS; i++)
			reply(waiting[i], READY, 0);
	}
}
