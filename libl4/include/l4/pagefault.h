/* SPDX-License-Identifier: BSD-2-Clause
 * The page-fault protocol (X.2 7.3), as a pager sees it. The kernel sends, in the faulting
 * thread's name: label -2 with the wanted rights, MR1 the fault address, MR2 the instruction pointer. The pager
 * answers with no untyped words and one map or grant item; the hot spot is the fault address.
 */
#ifndef L4_PAGEFAULT_H
#define L4_PAGEFAULT_H

#include <l4/types.h>
#include <l4/message.h>

typedef union L4_PfRequest {
	L4_Word_t raw[3];
	struct {
		L4_MsgTag_t tag;
		L4_Word_t   fault_address;
		L4_Word_t   fault_ip;
	} X;
} L4_PfRequest_t;

typedef union L4_PfReply {
	L4_Word_t raw[3];
	struct {
		L4_MsgTag_t  tag;
		L4_MapItem_t MapItem;
	} X;
} L4_PfReply_t;

/* Whether a received message is a page fault. Check the sender as well: anyone can send this label. */
L4_INLINE L4_Bool_t L4_IsPageFault(L4_MsgTag_t t)
{
	return (L4_SignedWord_t)t.raw >> 20 == L4_LABEL_PAGEFAULT
	    && L4_UntypedWords(t) == 2 && L4_TypedWords(t) == 0;
}

/* The access that faulted: L4_Readable, L4_Writable or L4_eXecutable. */
L4_INLINE L4_Word_t L4_PageFaultAccess(L4_MsgTag_t t)
{
	return L4_Label(t) & L4_FullyAccessible;
}

/* Loads the answer that maps fpage f (with its rights) for a fault at address. */
L4_INLINE void L4_LoadPageFaultReply(L4_Fpage_t f, L4_Word_t address)
{
	L4_MapItem_t m = L4_MapItem(f, address);

	L4_LoadMR(0, 2UL << __L4_TAG_T_SHIFT);
	L4_LoadMR(1, m.raw[0]);
	L4_LoadMR(2, m.raw[1]);
}

#endif
