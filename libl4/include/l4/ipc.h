/* SPDX-License-Identifier: BSD-2-Clause
 * IPC (X.2 5.6, 5.7): the usual combinations of a send and a receive phase. The message to send
 * stands in the message registers, the received one replaces it there. All of these return a tag:
 * L4_IpcFailed tells whether either phase failed, and then L4_ErrorCode which one and why
 * (L4_IPC_* in l4/abi.h). Without a timeout argument a function waits for ever, except replies,
 * which never wait for the receiver.
 *
 * Between persistent threads a message is delivered exactly once, checkpoints or not. A call to a
 * residual server (a driver, sigma0) may be delivered twice if the system is recovered in between.
 */
#ifndef L4_IPC_H
#define L4_IPC_H

#include <l4/types.h>
#include <l4/amd64/syscalls.h>
#include <l4/message.h>
#include <l4/thread.h>

L4_INLINE L4_Bool_t L4_IpcSucceeded(L4_MsgTag_t t)
{
	return (t.raw & L4_TAG_ERROR) == 0;
}

L4_INLINE L4_Bool_t L4_IpcFailed(L4_MsgTag_t t)
{
	return (t.raw & L4_TAG_ERROR) != 0;
}

L4_INLINE L4_Bool_t L4_IpcPropagated(L4_MsgTag_t t)
{
	return (t.raw & L4_TAG_PROPAGATED) != 0;
}

L4_INLINE L4_Bool_t L4_IpcRedirected(L4_MsgTag_t t)
{
	return (t.raw & L4_TAG_REDIRECTED) != 0;
}

L4_INLINE L4_Bool_t L4_IpcXcpu(L4_MsgTag_t t)
{
	return (t.raw & L4_TAG_XCPU) != 0;
}

/* Marks a message to be sent in another thread's name (L4_Set_VirtualSender). */
L4_INLINE void L4_Set_Propagation(L4_MsgTag_t *t)
{
	t->raw = (t->raw & ~0xf000UL) | L4_TAG_PROPAGATED;
}

L4_INLINE L4_Word_t L4_Timeouts(L4_Time_t SndTimeout, L4_Time_t RcvTimeout)
{
	return ((L4_Word_t)SndTimeout.raw << 16) | RcvTimeout.raw;
}

/* Sends to a thread and waits for its answer. */
L4_INLINE L4_MsgTag_t L4_Call_Timeouts(L4_ThreadId_t to, L4_Time_t SndTimeout, L4_Time_t RcvTimeout)
{
	L4_ThreadId_t from;

	return L4_Ipc(to, to, L4_Timeouts(SndTimeout, RcvTimeout), &from);
}

L4_INLINE L4_MsgTag_t L4_Call(L4_ThreadId_t to)
{
	return L4_Call_Timeouts(to, L4_Never, L4_Never);
}

L4_INLINE L4_MsgTag_t L4_Send_Timeout(L4_ThreadId_t to, L4_Time_t SndTimeout)
{
	return L4_Ipc(to, L4_nilthread, L4_Timeouts(SndTimeout, L4_Never), (L4_ThreadId_t *)0);
}

L4_INLINE L4_MsgTag_t L4_Send(L4_ThreadId_t to)
{
	return L4_Send_Timeout(to, L4_Never);
}

/* Sends to a thread that is waiting for it; fails with L4_IPC_TIMEOUT if it is not. */
L4_INLINE L4_MsgTag_t L4_Reply(L4_ThreadId_t to)
{
	return L4_Send_Timeout(to, L4_ZeroTime);
}

L4_INLINE L4_MsgTag_t L4_Receive_Timeout(L4_ThreadId_t from, L4_Time_t RcvTimeout)
{
	L4_ThreadId_t sender;

	return L4_Ipc(L4_nilthread, from, L4_Timeouts(L4_Never, RcvTimeout), &sender);
}

L4_INLINE L4_MsgTag_t L4_Receive(L4_ThreadId_t from)
{
	return L4_Receive_Timeout(from, L4_Never);
}

/* Receives from any thread. */
L4_INLINE L4_MsgTag_t L4_Wait_Timeout(L4_Time_t RcvTimeout, L4_ThreadId_t *from)
{
	return L4_Ipc(L4_nilthread, L4_anythread, L4_Timeouts(L4_Never, RcvTimeout), from);
}

L4_INLINE L4_MsgTag_t L4_Wait(L4_ThreadId_t *from)
{
	return L4_Wait_Timeout(L4_Never, from);
}

/* Replies to one thread and receives from any: a server's main call. If the reply fails nothing is received, and
 * *from does not change usefully: serve on with L4_Wait. */
L4_INLINE L4_MsgTag_t L4_ReplyWait_Timeout(L4_ThreadId_t to, L4_Time_t RcvTimeout, L4_ThreadId_t *from)
{
	return L4_Ipc(to, L4_anythread, L4_Timeouts(L4_ZeroTime, RcvTimeout), from);
}

L4_INLINE L4_MsgTag_t L4_ReplyWait(L4_ThreadId_t to, L4_ThreadId_t *from)
{
	return L4_ReplyWait_Timeout(to, L4_Never, from);
}

/* Sleeps; message registers keep their values, except for the tag. */
L4_INLINE void L4_Sleep(L4_Time_t t)
{
	(void)L4_Receive_Timeout(L4_MyLocalId(), t);
}

/* Calls and reply-and-wait between threads of one address space, untyped words only. */
L4_INLINE L4_MsgTag_t L4_Lcall(L4_ThreadId_t to)
{
	L4_ThreadId_t from;

	return L4_Lipc(to, to, L4_Timeouts(L4_Never, L4_Never), &from);
}

L4_INLINE L4_MsgTag_t L4_LreplyWait(L4_ThreadId_t to, L4_ThreadId_t *from)
{
	return L4_Lipc(to, L4_anylocalthread, L4_Timeouts(L4_ZeroTime, L4_Never), from);
}

/* ---- C++ overloads ------------------------------------------------------------------------------------------ */
#ifdef __cplusplus

L4_INLINE L4_MsgTag_t L4_Call(L4_ThreadId_t to, L4_Time_t SndTimeout, L4_Time_t RcvTimeout)
{
	return L4_Call_Timeouts(to, SndTimeout, RcvTimeout);
}
L4_INLINE L4_MsgTag_t L4_Send(L4_ThreadId_t to, L4_Time_t SndTimeout) { return L4_Send_Timeout(to, SndTimeout); }
L4_INLINE L4_MsgTag_t L4_Receive(L4_ThreadId_t from, L4_Time_t RcvTimeout) { return L4_Receive_Timeout(from, RcvTimeout); }
L4_INLINE L4_MsgTag_t L4_Wait(L4_Time_t RcvTimeout, L4_ThreadId_t *from) { return L4_Wait_Timeout(RcvTimeout, from); }
L4_INLINE L4_MsgTag_t L4_ReplyWait(L4_ThreadId_t to, L4_Time_t RcvTimeout, L4_ThreadId_t *from)
{
	return L4_ReplyWait_Timeout(to, RcvTimeout, from);
}

#endif
#endif
