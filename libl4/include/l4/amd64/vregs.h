/* SPDX-License-Identifier: BSD-2-Clause
 * The virtual registers of a thread: TCRs, message registers and buffer registers (X.2 1.3, 2.2,
 * 5.2), at fixed word offsets from MR0 in its UTCB. The offsets are in l4/abi.h.
 *
 * A host test may define L4_HOST_UTCB and supply the accessor itself.
 */
#ifndef L4_AMD64_VREGS_H
#define L4_AMD64_VREGS_H

#include <l4/types.h>

#ifdef L4_HOST_UTCB
#ifdef __cplusplus
extern "C"
#endif
L4_Word_t *__L4_X86_Utcb(void);
#else
/* Address of MR0 of the running thread: its local id. */
L4_INLINE __attribute__((const)) L4_Word_t *__L4_X86_Utcb(void)
{
	L4_Word_t *mr;

	__asm__("movq %%gs:0, %0" : "=r"(mr));
	return mr;
}
#endif

#define __L4_TCR_WORD_SIZE_MASK		L4_TCR_WORD_SIZE_MASK
#define __L4_TCR_THREAD_WORD_0		L4_TCR_THREAD_WORD_0
#define __L4_TCR_THREAD_WORD_1		L4_TCR_THREAD_WORD_1
#define __L4_TCR_VIRTUAL_ACTUAL_SENDER	L4_TCR_VIRTUAL_SENDER
#define __L4_TCR_INTENDED_RECEIVER	L4_TCR_INTENDED_RECEIVER
#define __L4_TCR_XFER_TIMEOUT		L4_TCR_XFER_TIMEOUT
#define __L4_TCR_ERROR_CODE		L4_TCR_ERROR_CODE
#define __L4_TCR_PREEMPT_FLAGS		L4_TCR_FLAGS
#define __L4_TCR_COP_FLAGS		L4_TCR_FLAGS
#define __L4_TCR_EXCEPTION_HANDLER	L4_TCR_EXCEPTION_HANDLER
#define __L4_TCR_PAGER			L4_TCR_PAGER
#define __L4_TCR_USER_DEFINED_HANDLE	L4_TCR_USER_DEFINED_HANDLE
#define __L4_TCR_PROCESSOR_NO		L4_TCR_PROCESSOR_NO
#define __L4_TCR_MY_GLOBAL_ID		L4_TCR_MY_GLOBAL_ID

/* ---- TCRs. Volatile: other threads change some of them by ExchangeRegisters. ---------------------- */

L4_INLINE L4_Word_t __L4_TCR_Read(int tcr)
{
	return ((volatile L4_Word_t *)__L4_X86_Utcb())[tcr];
}

L4_INLINE void __L4_TCR_Write(int tcr, L4_Word_t w)
{
	((volatile L4_Word_t *)__L4_X86_Utcb())[tcr] = w;
}

L4_INLINE L4_Word_t __L4_TCR_MyGlobalId(void)
{
	return __L4_TCR_Read(L4_TCR_MY_GLOBAL_ID);
}

L4_INLINE L4_Word_t __L4_TCR_MyLocalId(void)
{
	return (L4_Word_t)__L4_X86_Utcb();
}

L4_INLINE L4_Word_t __L4_TCR_ProcessorNo(void)
{
	return __L4_TCR_Read(L4_TCR_PROCESSOR_NO);
}

L4_INLINE L4_Word_t __L4_TCR_UserDefinedHandle(void)
{
	return __L4_TCR_Read(L4_TCR_USER_DEFINED_HANDLE);
}

L4_INLINE void __L4_TCR_Set_UserDefinedHandle(L4_Word_t w)
{
	__L4_TCR_Write(L4_TCR_USER_DEFINED_HANDLE, w);
}

L4_INLINE L4_Word_t __L4_TCR_Pager(void)
{
	return __L4_TCR_Read(L4_TCR_PAGER);
}

L4_INLINE void __L4_TCR_Set_Pager(L4_Word_t w)
{
	__L4_TCR_Write(L4_TCR_PAGER, w);
}

L4_INLINE L4_Word_t __L4_TCR_ExceptionHandler(void)
{
	return __L4_TCR_Read(L4_TCR_EXCEPTION_HANDLER);
}

L4_INLINE void __L4_TCR_Set_ExceptionHandler(L4_Word_t w)
{
	__L4_TCR_Write(L4_TCR_EXCEPTION_HANDLER, w);
}

L4_INLINE L4_Word_t __L4_TCR_ErrorCode(void)
{
	return __L4_TCR_Read(L4_TCR_ERROR_CODE);
}

L4_INLINE L4_Word_t __L4_TCR_XferTimeout(void)
{
	return __L4_TCR_Read(L4_TCR_XFER_TIMEOUT);
}

L4_INLINE void __L4_TCR_Set_XferTimeout(L4_Word_t w)
{
	__L4_TCR_Write(L4_TCR_XFER_TIMEOUT, w);
}

L4_INLINE L4_Word_t __L4_TCR_IntendedReceiver(void)
{
	return __L4_TCR_Read(L4_TCR_INTENDED_RECEIVER);
}

L4_INLINE L4_Word_t __L4_TCR_ActualSender(void)
{
	return __L4_TCR_Read(L4_TCR_VIRTUAL_SENDER);
}

L4_INLINE void __L4_TCR_Set_VirtualSender(L4_Word_t w)
{
	__L4_TCR_Write(L4_TCR_VIRTUAL_SENDER, w);
}

L4_INLINE L4_Word_t __L4_TCR_WordSizeMask(void)
{
	return __L4_TCR_Read(L4_TCR_WORD_SIZE_MASK);
}

L4_INLINE void __L4_TCR_Set_WordSizeMask(L4_Word_t w)
{
	__L4_TCR_Write(L4_TCR_WORD_SIZE_MASK, w);
}

/* ThreadWord 0 or 1: free for the program. */
L4_INLINE L4_Word_t __L4_TCR_ThreadWord(L4_Word_t n)
{
	return __L4_TCR_Read(L4_TCR_THREAD_WORD_0 - (int)n);
}

L4_INLINE void __L4_TCR_Set_ThreadWord(L4_Word_t n, L4_Word_t w)
{
	__L4_TCR_Write(L4_TCR_THREAD_WORD_0 - (int)n, w);
}

/* ---- Preemption and coprocessor flags: one instruction each, because the kernel sets bits of the same
 * word. Each of the preemption functions returns the old value of its bit. --------------------------- */
#define __L4_PREEMPT_SIGNAL	5	/* s: a preemption sends a message to the exception handler */
#define __L4_PREEMPT_DELAY	6	/* d: ask for preemption to be delayed */
#define __L4_PREEMPT_PENDING	7	/* I: a preemption was delayed */

L4_INLINE L4_Bool_t __L4_Flag_Set(L4_Word_t bit)
{
	L4_Word8_t old;

	__asm__ __volatile__("btsq %2, %0\n\tsetc %1"
		: "+m"(__L4_X86_Utcb()[L4_TCR_FLAGS]), "=q"(old) : "Jr"(bit) : "cc");
	return old;
}

L4_INLINE L4_Bool_t __L4_Flag_Clear(L4_Word_t bit)
{
	L4_Word8_t old;

	__asm__ __volatile__("btrq %2, %0\n\tsetc %1"
		: "+m"(__L4_X86_Utcb()[L4_TCR_FLAGS]), "=q"(old) : "Jr"(bit) : "cc");
	return old;
}

L4_INLINE void L4_Set_CopFlag(L4_Word_t n)
{
	(void)__L4_Flag_Set(8 + n);
}

L4_INLINE void L4_Clr_CopFlag(L4_Word_t n)
{
	(void)__L4_Flag_Clear(8 + n);
}

L4_INLINE L4_Bool_t L4_EnablePreemptionFaultException(void)
{
	return __L4_Flag_Set(__L4_PREEMPT_SIGNAL);
}

L4_INLINE L4_Bool_t L4_DisablePreemptionFaultException(void)
{
	return __L4_Flag_Clear(__L4_PREEMPT_SIGNAL);
}

/* Preemption takes place at once again. */
L4_INLINE L4_Bool_t L4_EnablePreemption(void)
{
	return __L4_Flag_Clear(__L4_PREEMPT_DELAY);
}

/* Preemption by threads below the sensitive priority is delayed, up to the maximum delay set by Schedule. */
L4_INLINE L4_Bool_t L4_DisablePreemption(void)
{
	return __L4_Flag_Set(__L4_PREEMPT_DELAY);
}

/* Whether a preemption was delayed since the last time this was asked. */
L4_INLINE L4_Bool_t L4_PreemptionPending(void)
{
	return __L4_Flag_Clear(__L4_PREEMPT_PENDING);
}

/* ---- Message registers, 0..63 ------------------------------------------------------------------------ */

L4_INLINE void L4_StoreMR(int i, L4_Word_t *w)
{
	*w = __L4_X86_Utcb()[i];
}

L4_INLINE void L4_LoadMR(int i, L4_Word_t w)
{
	__L4_X86_Utcb()[i] = w;
}

/* Copies MR i .. i+k-1 to w. */
L4_INLINE void L4_StoreMRs(int i, int k, L4_Word_t *w)
{
	const L4_Word_t *mr = __L4_X86_Utcb() + i;

	while (k-- > 0)
		*w++ = *mr++;
}

L4_INLINE void L4_LoadMRs(int i, int k, const L4_Word_t *w)
{
	L4_Word_t *mr = __L4_X86_Utcb() + i;

	while (k-- > 0)
		*mr++ = *w++;
}

/* ---- Buffer registers, 0..32: downwards from word L4_TCR_BR0 ---------------------------------------- */

L4_INLINE void L4_StoreBR(int i, L4_Word_t *w)
{
	*w = __L4_X86_Utcb()[L4_TCR_BR0 - i];
}

L4_INLINE void L4_LoadBR(int i, L4_Word_t w)
{
	__L4_X86_Utcb()[L4_TCR_BR0 - i] = w;
}

L4_INLINE void L4_StoreBRs(int i, int k, L4_Word_t *w)
{
	const L4_Word_t *br = __L4_X86_Utcb() + L4_TCR_BR0 - i;

	while (k-- > 0)
		*w++ = *br--;
}

L4_INLINE void L4_LoadBRs(int i, int k, const L4_Word_t *w)
{
	L4_Word_t *br = __L4_X86_Utcb() + L4_TCR_BR0 - i;

	while (k-- > 0)
		*br-- = *w++;
}

#endif
