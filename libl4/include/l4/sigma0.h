/* SPDX-License-Identifier: BSD-2-Clause
 * The sigma0 protocol (X.2 7.2). Perdure's sigma0 is the checkpoint server: the root task gets
 * pages of its store from it (by page faults, or by asking here) and device memory.
 *
 * Each function is a call: it waits for sigma0's answer, uses the message registers and sets BR0.
 */
#ifndef L4_SIGMA0_H
#define L4_SIGMA0_H

#include <l4/types.h>
#include <l4/kip.h>
#include <l4/message.h>
#include <l4/ipc.h>

/* Label of a kernel or sigma0 protocol (L4_LABEL_*): its number stands above the 4 bits that carry rights. */
#define __L4_PROTOCOL_LABEL(number)	((L4_Word_t)(number) << 4)

L4_INLINE L4_ThreadId_t __L4_Sigma0(L4_ThreadId_t s0)
{
	return L4_IsNilThread(s0) ? L4_GlobalId(L4_ThreadIdUserBase(L4_GetKernelInterface()), 1) : s0;
}

/* Asks for the pages of f and has them mapped inside RcvWindow.
 *   s0    sigma0, nil: the system's        f   fpage; its base all ones: any pages of that size
 *   high  upper half of an address that does not fit f; counts only if f's extended bit is set
 * Returns the fpage that was mapped; L4_Nilpage if it was refused or the call failed. */
L4_INLINE L4_Fpage_t L4_Sigma0_GetPage_RcvWindow_High(L4_ThreadId_t s0, L4_Fpage_t f, L4_Fpage_t RcvWindow,
	L4_Word_t high)
{
	L4_MsgTag_t tag;
	L4_Msg_t msg;

	L4_MsgClear(&msg);
	L4_MsgAppendWord(&msg, f.raw);
	L4_MsgAppendWord(&msg, 0);
	if (f.X.extended)
		L4_MsgAppendWord(&msg, high);
	L4_Set_MsgLabel(&msg, __L4_PROTOCOL_LABEL(L4_LABEL_SIGMA0));
	L4_MsgLoad(&msg);
	L4_Accept(L4_MapGrantItems(RcvWindow));
	tag = L4_Call(__L4_Sigma0(s0));
	if (L4_IpcFailed(tag))
		return L4_Nilpage;
	L4_StoreMR(2, &f.raw);
	return f;
}

L4_INLINE L4_Fpage_t L4_Sigma0_GetPage_RcvWindow(L4_ThreadId_t s0, L4_Fpage_t f, L4_Fpage_t RcvWindow)
{
	return L4_Sigma0_GetPage_RcvWindow_High(s0, f, RcvWindow, 0);
}

/* Maps the pages at their own addresses. */
L4_INLINE L4_Fpage_t L4_Sigma0_GetPage(L4_ThreadId_t s0, L4_Fpage_t f)
{
	return L4_Sigma0_GetPage_RcvWindow(s0, f, L4_CompleteAddressSpace);
}

/* Any free pages of 2^s bytes. */
L4_INLINE L4_Fpage_t L4_Sigma0_GetAny(L4_ThreadId_t s0, L4_Word_t s, L4_Fpage_t RcvWindow)
{
	return L4_Sigma0_GetPage_RcvWindow(s0, L4_FpageLog2(~0UL, (int)s), RcvWindow);
}

/* Maps, page by page of pagesize bytes, the first memory region that a descriptor of the given type names, at address
 * (NULL: where it is). Returns the address, NULL if there is no such region. */
L4_INLINE void *L4_Sigma0_GetSpecial(L4_Word_t type, void *address, L4_Word_t pagesize)
{
	void *kip = L4_GetKernelInterface();
	L4_ThreadId_t s0 = __L4_Sigma0(L4_nilthread);
	L4_Word_t i, at, to;

	for (i = 0; i < L4_NumMemoryDescriptors(kip); i++)
		if (L4_MemoryDescType(L4_MemoryDesc(kip, i)) == type)
			break;
	if (i == L4_NumMemoryDescriptors(kip) || L4_IsThreadEqual(L4_Myself(), s0))
		return (void *)0;
	at = L4_MemoryDescLow(L4_MemoryDesc(kip, i));
	if (!address)
		address = (void *)at;
	for (to = (L4_Word_t)address; at < L4_MemoryDescHigh(L4_MemoryDesc(kip, i)); at += pagesize, to += pagesize) {
		L4_Fpage_t f = L4_FpageAddRights(L4_Fpage(at, pagesize), L4_ReadWriteOnly);

		if (L4_IsNilFpage(L4_Sigma0_GetPage_RcvWindow(s0, f, L4_Fpage(to, pagesize))))
			break;
	}
	return address;
}

#ifdef __cplusplus

L4_INLINE L4_Fpage_t L4_Sigma0_GetPage(L4_ThreadId_t s0, L4_Fpage_t f, L4_Fpage_t RcvWindow)
{
	return L4_Sigma0_GetPage_RcvWindow(s0, f, RcvWindow);
}
L4_INLINE L4_Fpage_t L4_Sigma0_GetPage(L4_ThreadId_t s0, L4_Fpage_t f, L4_Word_t high)
{
	f.X.extended = 1;
	return L4_Sigma0_GetPage_RcvWindow_High(s0, f, L4_CompleteAddressSpace, high);
}
L4_INLINE L4_Fpage_t L4_Sigma0_GetPage(L4_ThreadId_t s0, L4_Fpage_t f, L4_Word_t high, L4_Fpage_t RcvWindow)
{
	f.X.extended = 1;
	return L4_Sigma0_GetPage_RcvWindow_High(s0, f, RcvWindow, high);
}

#endif
#endif
