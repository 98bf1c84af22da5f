/* SPDX-License-Identifier: BSD-2-Clause
 * The client's side of l4/ckpt.h: each function is one call to sigma0, under the boot number that the kernel
 * interface page shows at that moment. The kernel repeats a call that a power cut interrupted; the server
 * recognises it by the number.
 */
#include <l4/ckpt.h>

#include <l4/ipc.h>
#include <l4/kip.h>
#include <l4/message.h>

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

unsigned long L4_CheckpointAndWait(unsigned long *generation)
{
	unsigned long status = call(L4_CKPT_SAVE, 0);

	if (status == L4_CKPT_OK)
		result(generation);
	return status;
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
	unsigned long status;

	L4_LoadMR(2, us);
	status = call(L4_CKPT_INTERVAL, 1);
	if (status == L4_CKPT_OK)
		result(before);
	return status;
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

/* In pieces, because the server does a bounded amount of work per request. */
unsigned long L4_DiscardStore(unsigned long first, unsigned long bytes)
{
	while (bytes) {
		unsigned long n = bytes < L4_CKPT_RANGE_MAX ? bytes : L4_CKPT_RANGE_MAX;
		unsigned long status = range(L4_CKPT_DISCARD, first, n);

		if (status != L4_CKPT_OK)
			return status;
		first += n;
		bytes -= n;
	}
	return L4_CKPT_OK;
}

unsigned long L4_VolatileStore(unsigned long first, unsigned long bytes)
{
	return range(L4_CKPT_VOLATILE, first, bytes);
}
