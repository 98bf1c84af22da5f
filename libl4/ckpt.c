/* SPDX-License-Identifier: BSD-2-Clause
 * The client's side of l4/ckpt.h: each function is one call to sigma0, under the boot number that the kernel
 * interface page shows at that moment. The kernel repeats a call that a power cut interrupted; the server
 * recognises it by the number.
 */
#include <l4/ckpt.h>

#include <l4/ipc.h>
#include <l4/kip.h>
#include <l4/message.h>
#include <l4/schedule.h>
#include <l4/string.h>

#define WORDS(type)     (sizeof(type) / sizeof(L4_Word_t))
#define ASK_AGAIN_US    2000

unsigned long L4_CheckpointBoot(void)
{
	return L4_BootNumber(L4_GetKernelInterface());
}

/* MR2.. hold the arguments already. Returns the status; results stand in MR3.. */
static unsigned long call(unsigned long label, unsigned long arguments)
{
	L4_MsgTag_t tag = { .raw = label << 16 | (1 + arguments) };
	L4_Word_t status;

	L4_LoadMR(1, L4_CheckpointBoot());
	L4_LoadMR(0, tag.raw);
	tag = L4_Call(L4_GlobalId(L4_SIGMA0_TNO, 1));
	if (L4_IpcFailed(tag) || !L4_UntypedWords(tag))
		return L4_CKPT_NO_SERVER;
	L4_StoreMR(1, &status);
	return status;
}

static void result(unsigned long *to)
{
	L4_Word_t word;

	L4_StoreMR(3, &word);
	if (to)
		*to = word;
}

/* A call whose answer is one word; to: may be null. */
static unsigned long call_for(unsigned long label, unsigned long arguments, unsigned long *to)
{
	unsigned long status = call(label, arguments);

	if (status == L4_CKPT_OK)
		result(to);
	return status;
}

unsigned long L4_CheckpointAndWait(unsigned long *generation)
{
	return call_for(L4_CKPT_SAVE, 0, generation);
}

unsigned long L4_CheckpointInfo(struct L4_CkptStat *stat)
{
	unsigned long status = call(L4_CKPT_STAT, 0);

	if (status == L4_CKPT_OK)
		L4_StoreMRs(3, sizeof *stat / sizeof(L4_Word_t), (L4_Word_t *)stat);
	return status;
}

unsigned long L4_SetCheckpointInterval(unsigned long us, unsigned long *before)
{
	L4_LoadMR(2, us);
	return call_for(L4_CKPT_INTERVAL, 1, before);
}

unsigned long L4_PowerOff(void)
{
	return call(L4_CKPT_POWEROFF, 0);
}

unsigned long L4_Reboot(void)
{
	return call(L4_CKPT_REBOOT, 0);
}

unsigned long L4_ExitEmulator(unsigned long status)
{
	L4_LoadMR(2, status);
	return call(L4_CKPT_EXIT, 1);
}

/* A reboot in the middle is no harm: the request is made again. */
static unsigned long range(unsigned long label, unsigned long first, unsigned long bytes)
{
	unsigned long status;

	do {
		L4_LoadMR(2, first);
		L4_LoadMR(3, bytes);
		status = call(label, 2);
	} while (status == L4_CKPT_NEW_BOOT);
	return status;
}

/* In pieces, because the server does a bounded amount of work per request. After one that must come again, the others are given up all the same. */
unsigned long L4_DiscardStore(unsigned long first, unsigned long bytes)
{
	unsigned long result = L4_CKPT_OK;

	while (bytes) {
		unsigned long n = bytes < L4_CKPT_RANGE_MAX ? bytes : L4_CKPT_RANGE_MAX;
		unsigned long status = range(L4_CKPT_DISCARD, first, n);

		if (status != L4_CKPT_OK && status != L4_CKPT_BUSY)
			return status;
		if (status == L4_CKPT_BUSY)
			result = status;
		first += n;
		bytes -= n;
	}
	return result;
}

unsigned long L4_VolatileStore(unsigned long first, unsigned long bytes)
{
	return range(L4_CKPT_VOLATILE, first, bytes);
}

/* ---- Generations ------------------------------------------------------------------------------- */

unsigned long L4_CheckpointList(struct L4_CkptGeneration *list, unsigned long most, unsigned long *count)
{
	unsigned long n = 0, below = 0, left, status;

	for (;;) {
		L4_LoadMR(2, below);
		status = call(L4_CKPT_LIST, 1);
		if (status == L4_CKPT_BUSY) {
			L4_Sleep(L4_TimePeriod(ASK_AGAIN_US));
			continue;
		}
		if (status != L4_CKPT_OK)
			return status;
		result(&left);
		*count = n + left;
		for (unsigned long i = 0; i < L4_CKPT_LIST_MAX && i < left && n < most; i++, n++)
			L4_StoreMRs((int)(4 + i * WORDS(struct L4_CkptGeneration)), (int)WORDS(struct L4_CkptGeneration),
				    (L4_Word_t *)&list[n]);
		if (left <= L4_CKPT_LIST_MAX || n == most)
			return L4_CKPT_OK;
		below = list[n - 1].generation;
	}
}

unsigned long L4_CheckpointName(unsigned long generation, const char *name, unsigned long *named)
{
	L4_Word_t words[L4_CKPT_NAME_BYTES / sizeof(L4_Word_t)] = { 0 };

	if (strlen(name) >= L4_CKPT_NAME_BYTES)
		return L4_CKPT_BAD_REQUEST;
	memcpy(words, name, strlen(name));
	L4_LoadMR(2, generation);
	L4_LoadMRs(3, (int)(sizeof words / sizeof *words), words);
	return call_for(L4_CKPT_NAME, 1 + sizeof words / sizeof *words, named);
}

unsigned long L4_CheckpointDrop(unsigned long first, unsigned long last, unsigned long *dropped)
{
	L4_LoadMR(2, first);
	L4_LoadMR(3, last);
	L4_LoadMR(4, 0);
	return call_for(L4_CKPT_DROP, 3, dropped);
}

unsigned long L4_CheckpointKeep(unsigned long unnamed, unsigned long *before)
{
	L4_LoadMR(2, unnamed);
	return call_for(L4_CKPT_KEEP, 1, before);
}

/* MR3: changes; MR4, MR5: client and page to go on at; MR6: done; then the changes. */
unsigned long L4_CheckpointDiff(struct L4_CkptDiff *diff, struct L4_CkptChange change[L4_CKPT_DIFF_MAX],
				unsigned long *count)
{
	unsigned long status;

	for (;;) {
		L4_LoadMR(2, diff->from);
		L4_LoadMR(3, diff->to);
		L4_LoadMR(4, diff->client);
		L4_LoadMR(5, diff->page);
		status = call(L4_CKPT_DIFF, 4);
		if (status != L4_CKPT_BUSY)
			break;
		L4_Sleep(L4_TimePeriod(ASK_AGAIN_US));
	}
	if (status != L4_CKPT_OK)
		return status;
	result(count);
	if (*count > L4_CKPT_DIFF_MAX)
		return L4_CKPT_NO_SERVER;
	L4_StoreMR(4, &diff->client);
	L4_StoreMR(5, &diff->page);
	L4_StoreMR(6, &diff->done);
	L4_StoreMRs(7, (int)(*count * WORDS(struct L4_CkptChange)), (L4_Word_t *)change);
	return L4_CKPT_OK;
}

/* ---- Save before ---------------------------------------------------------------------------------- */

/* The boot is the one in which the server answered: the kernel may have repeated the call in it. */
unsigned long L4_OrderSave(const volatile void *first, unsigned long bytes, struct L4_CkptOrder *order)
{
	unsigned long status;

	L4_LoadMR(2, (L4_Word_t)first);
	L4_LoadMR(3, bytes);
	status = call(L4_CKPT_ORDER, 2);
	if (status == L4_CKPT_OK) {
		L4_StoreMR(2, &order->boot);
		result(&order->snapshot);
	}
	return status;
}

unsigned long L4_AwaitSave(const struct L4_CkptOrder *order, unsigned long *generation)
{
	L4_LoadMR(2, order->boot);
	L4_LoadMR(3, order->snapshot);
	return call_for(L4_CKPT_AWAIT, 2, generation);
}
