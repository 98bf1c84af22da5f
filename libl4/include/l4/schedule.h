/* SPDX-License-Identifier: BSD-2-Clause
 * Scheduling and time (X.2 3.1 to 3.3). The Set functions need the caller to be in the address space of
 * the thread's scheduler; each returns the thread's state (L4_SCHEDRESULT_*), 0 on an error (ErrorCode).
 */
#ifndef L4_SCHEDULE_H
#define L4_SCHEDULE_H

#include <l4/types.h>
#include <l4/amd64/syscalls.h>

#define L4_SCHEDRESULT_ERROR		0
#define L4_SCHEDRESULT_DEAD		1
#define L4_SCHEDRESULT_INACTIVE		2
#define L4_SCHEDRESULT_RUNNING		3
#define L4_SCHEDRESULT_PENDING_SEND	4
#define L4_SCHEDRESULT_SENDING		5
#define L4_SCHEDRESULT_WAITING		6
#define L4_SCHEDRESULT_RECEIVING	7

#define __L4_SCHEDULE_KEEP		(~0UL)

/* The point in time `at`, as a timeout: see __L4_TimePointFrom (l4/types.h) for its range and rounding. */
L4_INLINE L4_Time_t L4_TimePoint(L4_Clock_t at)
{
	return __L4_TimePointFrom(L4_SystemClock(), at);
}

L4_INLINE void L4_Yield(void)
{
	L4_ThreadSwitch(L4_nilthread);
}

/* prio: 0 (lowest) .. 255. */
L4_INLINE L4_Word_t L4_Set_Priority(L4_ThreadId_t tid, L4_Word_t prio)
{
	L4_Word_t old;

	return L4_Schedule(tid, __L4_SCHEDULE_KEEP, __L4_SCHEDULE_KEEP, prio & 0xff, __L4_SCHEDULE_KEEP, &old);
}

L4_INLINE L4_Word_t L4_Set_ProcessorNo(L4_ThreadId_t tid, L4_Word_t cpu_no)
{
	L4_Word_t old;

	return L4_Schedule(tid, __L4_SCHEDULE_KEEP, cpu_no & 0xffff, __L4_SCHEDULE_KEEP, __L4_SCHEDULE_KEEP, &old);
}

/* Length of a time slice and of the whole quantum; both L4_Never: no limit. */
L4_INLINE L4_Word_t L4_Set_Timeslice(L4_ThreadId_t tid, L4_Time_t timeslice, L4_Time_t totalquantum)
{
	L4_Word_t control = ((L4_Word_t)timeslice.raw << 16) | totalquantum.raw;

	return L4_Schedule(tid, control, __L4_SCHEDULE_KEEP, __L4_SCHEDULE_KEEP, __L4_SCHEDULE_KEEP, &control);
}

/* What is left of them. */
L4_INLINE L4_Word_t L4_Timeslice(L4_ThreadId_t tid, L4_Time_t *timeslice, L4_Time_t *totalquantum)
{
	L4_Word_t left, state;

	state = L4_Schedule(tid, __L4_SCHEDULE_KEEP, __L4_SCHEDULE_KEEP, __L4_SCHEDULE_KEEP, __L4_SCHEDULE_KEEP, &left);
	timeslice->raw = (L4_Word16_t)(left >> 16);
	totalquantum->raw = (L4_Word16_t)left;
	return state;
}

/* Preemption by threads of at most sensitivePrio may be delayed by at most maxDelay microseconds (0..65535). */
L4_INLINE L4_Word_t L4_Set_PreemptionDelay(L4_ThreadId_t tid, L4_Word_t sensitivePrio, L4_Word_t maxDelay)
{
	L4_Word_t old, control = ((sensitivePrio & 0xff) << 16) | (maxDelay & 0xffff);

	return L4_Schedule(tid, __L4_SCHEDULE_KEEP, __L4_SCHEDULE_KEEP, __L4_SCHEDULE_KEEP, control, &old);
}

/* Hierarchical scheduling as other X.2 kernels have it, so that programs with an option for it compile. Perdure has
 * none: the call fails with L4_ErrInvalidParam. */
L4_INLINE L4_Word_t L4_HS_Schedule(L4_ThreadId_t tid, L4_Word_t control, L4_ThreadId_t domain, L4_Word_t prio,
	L4_Word_t stride, L4_Word_t *old_control)
{
	return L4_Schedule(tid, domain.raw, __L4_SCHEDULE_KEEP, (stride << 16) | (prio & 0x1ff),
			   ((control & 0x3f) << 26) | (1UL << 25), old_control);
}

#endif
