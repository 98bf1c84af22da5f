/* SPDX-License-Identifier: BSD-2-Clause
 * Threads (X.2 2.1 to 2.4): the running thread's own control registers, and the usual ways to use
 * ExchangeRegisters and ThreadControl. Functions on another thread may wait for its kernel objects to be
 * paged in, never for the thread itself; unless said otherwise a failed one leaves ErrorCode set.
 */
#ifndef L4_THREAD_H
#define L4_THREAD_H

#include <l4/types.h>
#include <l4/amd64/syscalls.h>
#include <l4/amd64/vregs.h>

#define L4_ERROR_OK			L4_ERR_NONE
#define L4_ERROR_NO_PRIVILEGE		L4_ERR_NO_PRIVILEGE
#define L4_ERROR_INVALID_THREAD		L4_ERR_INVALID_THREAD
#define L4_ERROR_INVALID_SPACE		L4_ERR_INVALID_SPACE
#define L4_ERROR_INVALID_SCHEDULER	L4_ERR_INVALID_SCHEDULER
#define L4_ERROR_INVALID_PARAM		L4_ERR_INVALID_PARAM
#define L4_ERROR_UTCB_AREA		L4_ERR_UTCB_AREA
#define L4_ERROR_KIP_AREA		L4_ERR_KIP_AREA
#define L4_ERROR_NO_MEM			L4_ERR_NO_MEM

/* ---- State before an ExchangeRegisters, from the returned control word ---------------------------- */

typedef struct {
	L4_Word_t raw;
} L4_ThreadState_t;

L4_INLINE L4_Bool_t L4_ThreadWasHalted(L4_ThreadState_t s)
{
	return (s.raw & L4_EXREGS_HALT) != 0;
}

L4_INLINE L4_Bool_t L4_ThreadWasReceiving(L4_ThreadState_t s)
{
	return (s.raw & L4_EXREGS_RECV) != 0;
}

L4_INLINE L4_Bool_t L4_ThreadWasSending(L4_ThreadState_t s)
{
	return (s.raw & L4_EXREGS_SEND) != 0;
}

L4_INLINE L4_Bool_t L4_ThreadWasIpcing(L4_ThreadState_t s)
{
	return (s.raw & (L4_EXREGS_RECV | L4_EXREGS_SEND)) != 0;
}

/* ---- The running thread (TCRs) -------------------------------------------------------------------------- */

L4_INLINE L4_ThreadId_t L4_MyGlobalId(void)
{
	return __L4_RAW(L4_ThreadId_t, __L4_TCR_MyGlobalId());
}

L4_INLINE L4_ThreadId_t L4_MyLocalId(void)
{
	return __L4_RAW(L4_ThreadId_t, __L4_TCR_MyLocalId());
}

L4_INLINE L4_ThreadId_t L4_Myself(void)
{
	return L4_MyGlobalId();
}

L4_INLINE L4_Word_t L4_ProcessorNo(void)
{
	return __L4_TCR_ProcessorNo();
}

L4_INLINE L4_Word_t L4_UserDefinedHandle(void)
{
	return __L4_TCR_UserDefinedHandle();
}

L4_INLINE void L4_Set_UserDefinedHandle(L4_Word_t NewValue)
{
	__L4_TCR_Set_UserDefinedHandle(NewValue);
}

L4_INLINE L4_ThreadId_t L4_Pager(void)
{
	return __L4_RAW(L4_ThreadId_t, __L4_TCR_Pager());
}

L4_INLINE void L4_Set_Pager(L4_ThreadId_t NewPager)
{
	__L4_TCR_Set_Pager(NewPager.raw);
}

L4_INLINE L4_ThreadId_t L4_ExceptionHandler(void)
{
	return __L4_RAW(L4_ThreadId_t, __L4_TCR_ExceptionHandler());
}

L4_INLINE void L4_Set_ExceptionHandler(L4_ThreadId_t NewHandler)
{
	__L4_TCR_Set_ExceptionHandler(NewHandler.raw);
}

/* Why the last system call, or (X.2 5.6 encoding) the last IPC, failed. Valid only after one that did. */
L4_INLINE L4_Word_t L4_ErrorCode(void)
{
	return __L4_TCR_ErrorCode();
}

/* A name for an error code of a system call other than Ipc. */
L4_INLINE const char *L4_ErrorCode_String(L4_Word_t err)
{
	static const char *const name[] = {
		"ok", "no privilege", "invalid thread", "invalid space", "invalid scheduler",
		"invalid parameter", "utcb area", "kip area", "out of memory",
	};

	return err <= L4_ERR_NO_MEM ? name[err] : "unknown error";
}

/* Limits for page faults during string transfers, as L4_Timeouts (send, receive). */
L4_INLINE L4_Word_t L4_XferTimeouts(void)
{
	return __L4_TCR_XferTimeout();
}

L4_INLINE void L4_Set_XferTimeouts(L4_Word_t NewValue)
{
	__L4_TCR_Set_XferTimeout(NewValue);
}

/* After a redirected or propagated message: whom it was for, who really sent it. */
L4_INLINE L4_ThreadId_t L4_IntendedReceiver(void)
{
	return __L4_RAW(L4_ThreadId_t, __L4_TCR_IntendedReceiver());
}

L4_INLINE L4_ThreadId_t L4_ActualSender(void)
{
	return __L4_RAW(L4_ThreadId_t, __L4_TCR_ActualSender());
}

/* Before a propagated send: in whose name. */
L4_INLINE void L4_Set_VirtualSender(L4_ThreadId_t t)
{
	__L4_TCR_Set_VirtualSender(t.raw);
}

L4_INLINE L4_Word_t L4_WordSizeMask(void)
{
	return __L4_TCR_WordSizeMask();
}

L4_INLINE void L4_Reset_WordSizeMask(void)
{
	__L4_TCR_Set_WordSizeMask(~0UL);
}

/* ---- ExchangeRegisters on another thread ----------------------------------------------------------------- */

/* What an ExchangeRegisters found. */
typedef struct {
	L4_ThreadId_t id;
	L4_Word_t     control, sp, ip, flags, handle;
	L4_ThreadId_t pager;
} __L4_OldRegisters_t;

L4_INLINE __L4_OldRegisters_t __L4_Exchange(L4_ThreadId_t t, L4_Word_t control, L4_Word_t sp, L4_Word_t ip,
	L4_Word_t flags, L4_Word_t handle, L4_ThreadId_t pager)
{
	__L4_OldRegisters_t old;

	old.id = L4_ExchangeRegisters(t, control, sp, ip, flags, handle, pager,
		&old.control, &old.sp, &old.ip, &old.flags, &old.handle, &old.pager);
	return old;
}

/* The global id of a thread of this address space; a global id stays as it is. */
L4_INLINE L4_ThreadId_t L4_GlobalIdOf(L4_ThreadId_t t)
{
	return L4_IsLocalId(t) ? __L4_Exchange(t, 0, 0, 0, 0, 0, L4_nilthread).id : t;
}

/* The local id of a thread of this address space. */
L4_INLINE L4_ThreadId_t L4_LocalIdOf(L4_ThreadId_t t)
{
	return L4_IsGlobalId(t) ? __L4_Exchange(t, 0, 0, 0, 0, 0, L4_nilthread).id : t;
}

L4_INLINE L4_Bool_t L4_SameThreads(L4_ThreadId_t l, L4_ThreadId_t r)
{
	return L4_GlobalIdOf(l).raw == L4_GlobalIdOf(r).raw;
}

L4_INLINE L4_Word_t L4_UserDefinedHandleOf(L4_ThreadId_t t)
{
	return __L4_Exchange(t, L4_EXREGS_DELIVER, 0, 0, 0, 0, L4_nilthread).handle;
}

L4_INLINE void L4_Set_UserDefinedHandleOf(L4_ThreadId_t t, L4_Word_t handle)
{
	(void)__L4_Exchange(t, L4_EXREGS_UHANDLE, 0, 0, 0, handle, L4_nilthread);
}

L4_INLINE L4_ThreadId_t L4_PagerOf(L4_ThreadId_t t)
{
	return __L4_Exchange(t, L4_EXREGS_DELIVER, 0, 0, 0, 0, L4_nilthread).pager;
}

L4_INLINE void L4_Set_PagerOf(L4_ThreadId_t t, L4_ThreadId_t p)
{
	(void)__L4_Exchange(t, L4_EXREGS_PAGER, 0, 0, 0, 0, p);
}

/* Lets a halted thread run; an IPC in progress is aborted. */
#define __L4_START	(L4_EXREGS_HALTFLAG | L4_EXREGS_SEND | L4_EXREGS_RECV)

L4_INLINE void L4_Start(L4_ThreadId_t t)
{
	(void)__L4_Exchange(t, __L4_START, 0, 0, 0, 0, L4_nilthread);
}

/* The same, at a new instruction and stack pointer. */
L4_INLINE void L4_Start_SpIp(L4_ThreadId_t t, L4_Word_t sp, L4_Word_t ip)
{
	(void)__L4_Exchange(t, __L4_START | L4_EXREGS_SP | L4_EXREGS_IP, sp, ip, 0, 0, L4_nilthread);
}

L4_INLINE void L4_Start_SpIpFlags(L4_ThreadId_t t, L4_Word_t sp, L4_Word_t ip, L4_Word_t flags)
{
	(void)__L4_Exchange(t, __L4_START | L4_EXREGS_SP | L4_EXREGS_IP | L4_EXREGS_FLAGS, sp, ip, flags, 0,
			    L4_nilthread);
}

/* Halts a thread. An IPC in progress goes on in the plain form (the thread halts when it ends), and is
 * aborted by those with Abort in their name: its receive phase, its send phase, or either. The SpIpFlags
 * forms also tell where it was. */
L4_INLINE L4_ThreadState_t __L4_StopThread(L4_ThreadId_t t, L4_Word_t abort, L4_Word_t *sp, L4_Word_t *ip,
	L4_Word_t *flags)
{
	__L4_OldRegisters_t old = __L4_Exchange(t, L4_EXREGS_HALT | L4_EXREGS_HALTFLAG | L4_EXREGS_DELIVER | abort,
		0, 0, 0, 0, L4_nilthread);
	L4_ThreadState_t state = { old.control };

	if (sp) {
		*sp = old.sp;
		*ip = old.ip;
		*flags = old.flags;
	}
	return state;
}

L4_INLINE L4_ThreadState_t L4_Stop(L4_ThreadId_t t)
{
	return __L4_StopThread(t, 0, 0, 0, 0);
}

L4_INLINE L4_ThreadState_t L4_Stop_SpIpFlags(L4_ThreadId_t t, L4_Word_t *sp, L4_Word_t *ip, L4_Word_t *flags)
{
	return __L4_StopThread(t, 0, sp, ip, flags);
}

L4_INLINE L4_ThreadState_t L4_AbortReceive_and_stop(L4_ThreadId_t t)
{
	return __L4_StopThread(t, L4_EXREGS_RECV, 0, 0, 0);
}

L4_INLINE L4_ThreadState_t L4_AbortReceive_and_stop_SpIpFlags(L4_ThreadId_t t, L4_Word_t *sp, L4_Word_t *ip,
	L4_Word_t *flags)
{
	return __L4_StopThread(t, L4_EXREGS_RECV, sp, ip, flags);
}

L4_INLINE L4_ThreadState_t L4_AbortSend_and_stop(L4_ThreadId_t t)
{
	return __L4_StopThread(t, L4_EXREGS_SEND, 0, 0, 0);
}

L4_INLINE L4_ThreadState_t L4_AbortSend_and_stop_SpIpFlags(L4_ThreadId_t t, L4_Word_t *sp, L4_Word_t *ip,
	L4_Word_t *flags)
{
	return __L4_StopThread(t, L4_EXREGS_SEND, sp, ip, flags);
}

L4_INLINE L4_ThreadState_t L4_AbortIpc_and_stop(L4_ThreadId_t t)
{
	return __L4_StopThread(t, L4_EXREGS_SEND | L4_EXREGS_RECV, 0, 0, 0);
}

L4_INLINE L4_ThreadState_t L4_AbortIpc_and_stop_SpIpFlags(L4_ThreadId_t t, L4_Word_t *sp, L4_Word_t *ip,
	L4_Word_t *flags)
{
	return __L4_StopThread(t, L4_EXREGS_SEND | L4_EXREGS_RECV, sp, ip, flags);
}

/* ---- Interrupts: privileged. Result and errors as L4_ThreadControl. ------------------------------------- */

/* From now on the handler gets a message from the interrupt thread for each interrupt. */
L4_INLINE L4_Word_t L4_AssociateInterrupt(L4_ThreadId_t InterruptThread, L4_ThreadId_t HandlerThread)
{
	return L4_ThreadControl(InterruptThread, InterruptThread, L4_nilthread, HandlerThread, (void *)~0UL);
}

L4_INLINE L4_Word_t L4_DeassociateInterrupt(L4_ThreadId_t InterruptThread)
{
	return L4_ThreadControl(InterruptThread, InterruptThread, L4_nilthread, InterruptThread, (void *)~0UL);
}

/* ---- C++ overloads ------------------------------------------------------------------------------------------ */
#ifdef __cplusplus

L4_INLINE L4_ThreadId_t L4_GlobalId(L4_ThreadId_t t) { return L4_GlobalIdOf(t); }
L4_INLINE L4_ThreadId_t L4_LocalId(L4_ThreadId_t t) { return L4_LocalIdOf(t); }
L4_INLINE L4_Word_t L4_UserDefinedHandle(L4_ThreadId_t t) { return L4_UserDefinedHandleOf(t); }
L4_INLINE void L4_Set_UserDefinedHandle(L4_ThreadId_t t, L4_Word_t handle) { L4_Set_UserDefinedHandleOf(t, handle); }
L4_INLINE L4_ThreadId_t L4_Pager(L4_ThreadId_t t) { return L4_PagerOf(t); }
L4_INLINE void L4_Set_Pager(L4_ThreadId_t t, L4_ThreadId_t p) { L4_Set_PagerOf(t, p); }
L4_INLINE void L4_Start(L4_ThreadId_t t, L4_Word_t sp, L4_Word_t ip) { L4_Start_SpIp(t, sp, ip); }
L4_INLINE void L4_Start(L4_ThreadId_t t, L4_Word_t sp, L4_Word_t ip, L4_Word_t flags)
{
	L4_Start_SpIpFlags(t, sp, ip, flags);
}
L4_INLINE L4_ThreadState_t L4_Stop(L4_ThreadId_t t, L4_Word_t *sp, L4_Word_t *ip, L4_Word_t *flags)
{
	return L4_Stop_SpIpFlags(t, sp, ip, flags);
}
L4_INLINE L4_ThreadState_t L4_AbortReceive_and_stop(L4_ThreadId_t t, L4_Word_t *sp, L4_Word_t *ip, L4_Word_t *flags)
{
	return L4_AbortReceive_and_stop_SpIpFlags(t, sp, ip, flags);
}
L4_INLINE L4_ThreadState_t L4_AbortSend_and_stop(L4_ThreadId_t t, L4_Word_t *sp, L4_Word_t *ip, L4_Word_t *flags)
{
	return L4_AbortSend_and_stop_SpIpFlags(t, sp, ip, flags);
}
L4_INLINE L4_ThreadState_t L4_AbortIpc_and_stop(L4_ThreadId_t t, L4_Word_t *sp, L4_Word_t *ip, L4_Word_t *flags)
{
	return L4_AbortIpc_and_stop_SpIpFlags(t, sp, ip, flags);
}

#endif
#endif
