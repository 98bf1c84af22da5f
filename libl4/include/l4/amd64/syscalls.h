/* SPDX-License-Identifier: BSD-2-Clause
 * The system calls (X.2 AMD64 appendix), as inline functions around a call of the kernel's stubs.
 *
 * The stubs' addresses stand in the kernel interface page; __L4_Init copies them to the pointers
 * below before main runs. A stub takes and returns everything in registers (tables in docs/abi.md) and
 * may change every register but rsp, so each call here saves rbp, first stepping over the 128
 * bytes below rsp that the compiler may be using. Nothing here retries, and nothing needs to know about
 * checkpoints.
 */
#ifndef L4_AMD64_SYSCALLS_H
#define L4_AMD64_SYSCALLS_H

#include <l4/types.h>
#include <l4/amd64/vregs.h>
#include <l4/amd64/specials.h>
#include <l4/message.h>
#include <l4/amd64/kdebug.h>

/* The stubs are no C functions: call them only through the functions below. */
typedef void (*__L4_Stub_t)(void);
typedef __L4_Stub_t __L4_Nop_t, __L4_Ipc_t, __L4_Lipc_t, __L4_Unmap_t, __L4_Schedule_t, __L4_ThreadSwitch_t,
	__L4_SystemClock_t, __L4_ExchangeRegisters_t, __L4_ThreadControl_t, __L4_SpaceControl_t,
	__L4_ProcessorControl_t, __L4_MemoryControl_t, __L4_FrameControl_t, __L4_ThreadInfo_t;

#ifdef __cplusplus
extern "C" {
#endif

extern __L4_Ipc_t __L4_Ipc;
extern __L4_Lipc_t __L4_Lipc;
extern __L4_Unmap_t __L4_Unmap;
extern __L4_Schedule_t __L4_Schedule;
extern __L4_ThreadSwitch_t __L4_ThreadSwitch;
extern __L4_SystemClock_t __L4_SystemClock;
extern __L4_ExchangeRegisters_t __L4_ExchangeRegisters;
extern __L4_ThreadControl_t __L4_ThreadControl;
extern __L4_SpaceControl_t __L4_SpaceControl;
extern __L4_ProcessorControl_t __L4_ProcessorControl;
extern __L4_MemoryControl_t __L4_MemoryControl;
extern __L4_FrameControl_t __L4_FrameControl;
extern __L4_ThreadInfo_t __L4_ThreadInfo;

/* Fills the pointers above from the kernel interface page. The start-up code calls it; a program with its
 * own start-up code calls it before any other system call. */
void __L4_Init(void);

#ifdef __cplusplus
}
#endif

#define __L4_CALL(pointer)				\
	"leaq -128(%%rsp), %%rsp\n\t"			\
	"pushq %%rbp\n\t"				\
	"callq *" #pointer "(%%rip)\n\t"		\
	"popq %%rbp\n\t"				\
	"leaq 128(%%rsp), %%rsp"

/* Finds the kernel interface page (X.2 1.1). Returns its address in the caller's space. Works before
 * __L4_Init, and never blocks. */
L4_INLINE void *L4_KernelInterface(L4_Word_t *ApiVersion, L4_Word_t *ApiFlags, L4_Word_t *KernelId)
{
	void *kip;

	__asm__ __volatile__("lock; nop"
		: "=a"(kip), "=c"(*ApiVersion), "=d"(*ApiFlags), "=S"(*KernelId));
	return kip;
}

/* Reads and changes registers and state of a thread of the caller's own address space, or of one whose pager the
 * caller is (X.2 2.3).
 *   dest     global or local id
 *   control  L4_EXREGS_* (l4/abi.h): which of the following arguments count
 * Old values go to the old_* variables (not NULL). Returns the thread's local id when dest is global and its global
 * id when dest is local; L4_nilthread on an error, with ErrorCode L4_ErrInvalidThread.
 * May wait for the thread's kernel objects to be paged in; never for the thread. */
L4_INLINE L4_ThreadId_t L4_ExchangeRegisters(L4_ThreadId_t dest, L4_Word_t control, L4_Word_t sp, L4_Word_t ip,
	L4_Word_t flags, L4_Word_t UserDefHandle, L4_ThreadId_t pager,
	L4_Word_t *old_control, L4_Word_t *old_sp, L4_Word_t *old_ip,
	L4_Word_t *old_flags, L4_Word_t *old_UserDefHandle, L4_ThreadId_t *old_pager)
{
	L4_Word_t rax = dest.raw, rdi = pager.raw;
	register L4_Word_t r8 __asm__("r8") = ip;
	register L4_Word_t r9 __asm__("r9") = flags;
	register L4_Word_t r10 __asm__("r10") = UserDefHandle;

	__asm__ __volatile__(__L4_CALL(__L4_ExchangeRegisters)
		: "+a"(rax), "+S"(control), "+d"(sp), "+D"(rdi), "+r"(r8), "+r"(r9), "+r"(r10)
		: : "rbx", "rcx", "r11", "r12", "r13", "r14", "r15", "cc", "memory");
	ip = r8;
	flags = r9;
	UserDefHandle = r10;
	*old_control = control;
	*old_sp = sp;
	*old_ip = ip;
	*old_flags = flags;
	*old_UserDefHandle = UserDefHandle;
	old_pager->raw = rdi;
	return __L4_RAW(L4_ThreadId_t, rax);
}

/* Creates, activates, moves or deletes a thread, or sets who handles an interrupt (X.2 2.4). Privileged.
 *   dest            global id; for a new thread any version whose low 6 bits are not 0
 *   SpaceSpecifier  a thread of the space it shall be in; dest itself for a new space; nil deletes
 *   Scheduler       nil: unchanged        Pager  nil: unchanged (a new thread stays inactive)
 *   UtcbLocation    address of the UTCB in the space's UTCB area, -1: unchanged
 * Returns 1, or 0 with ErrorCode L4_ErrNoPrivilege, InvalidThread (wrong number or version), InvalidSpace,
 * InvalidScheduler, UtcbArea (location outside the area, misaligned or taken) or NoMem (no room for kernel
 * objects). May wait for kernel objects. */
L4_INLINE L4_Word_t L4_ThreadControl(L4_ThreadId_t dest, L4_ThreadId_t SpaceSpecifier,
	L4_ThreadId_t Scheduler, L4_ThreadId_t Pager, void *UtcbLocation)
{
	L4_Word_t rax, rdi = dest.raw, rsi = Pager.raw, rdx = Scheduler.raw;
	register L4_Word_t r8 __asm__("r8") = SpaceSpecifier.raw;
	register L4_Word_t r9 __asm__("r9") = (L4_Word_t)UtcbLocation;

	__asm__ __volatile__(__L4_CALL(__L4_ThreadControl)
		: "=a"(rax), "+D"(rdi), "+S"(rsi), "+d"(rdx), "+r"(r8), "+r"(r9)
		: : "rbx", "rcx", "r10", "r11", "r12", "r13", "r14", "r15", "cc", "memory");
	return rax;
}

/* The clock, in microseconds (X.2 3.1). Continues where it stood when the system is recovered from a checkpoint.
 * Never blocks. */
L4_INLINE L4_Clock_t L4_SystemClock(void)
{
	L4_Word_t rax;

	__asm__ __volatile__(__L4_CALL(__L4_SystemClock)
		: "=a"(rax)
		: : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
		  "cc", "memory");
	return __L4_RAW(L4_Clock_t, rax);
}

/* Gives the processor to dest if it is ready, keeping the own time slice for later; nil: gives up the rest of the time
 * slice (X.2 3.2). No errors. */
L4_INLINE void L4_ThreadSwitch(L4_ThreadId_t dest)
{
	L4_Word_t rdi = dest.raw;

	__asm__ __volatile__(__L4_CALL(__L4_ThreadSwitch)
		: "+D"(rdi)
		: : "rax", "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
		  "cc", "memory");
}

/* Sets the scheduling parameters of a thread whose scheduler is in the caller's space (X.2 3.3). A parameter of
 * all ones is left as it is. Use the helpers in l4/schedule.h.
 * Returns the thread's state (L4_SCHEDRESULT_*); 0 with ErrorCode L4_ErrNoPrivilege, InvalidThread or InvalidParam. The
 * remaining time slice and quantum go to *old_TimeControl. */
L4_INLINE L4_Word_t L4_Schedule(L4_ThreadId_t dest, L4_Word_t TimeControl, L4_Word_t ProcessorControl,
	L4_Word_t PrioControl, L4_Word_t PreemptionControl, L4_Word_t *old_TimeControl)
{
	L4_Word_t rax, rdi = dest.raw;
	register L4_Word_t r8 __asm__("r8") = ProcessorControl;
	register L4_Word_t r9 __asm__("r9") = PreemptionControl;

	__asm__ __volatile__(__L4_CALL(__L4_Schedule)
		: "=a"(rax), "+D"(rdi), "+S"(PrioControl), "+d"(TimeControl), "+r"(r8), "+r"(r9)
		: : "rbx", "rcx", "r10", "r11", "r12", "r13", "r14", "r15", "cc", "memory");
	*old_TimeControl = TimeControl;
	return rax;
}

/* The body of L4_Ipc and L4_Lipc: MR0..MR7 travel in registers, the others in the UTCB. */
#define __L4_IPC_BODY(pointer)								\
	L4_Word_t *mr = __L4_X86_Utcb();						\
	L4_Word_t rax = mr[1], rbx = mr[2], rsi = to.raw, rdx = FromSpecifier.raw;	\
	L4_Word_t w0 = mr[0], w3 = mr[3], w4 = mr[4], w5 = mr[5], w6 = mr[6], w7 = mr[7]; \
	register L4_Word_t r8 __asm__("r8") = Timeouts;					\
	register L4_Word_t r9 __asm__("r9") = w0;					\
	register L4_Word_t r10 __asm__("r10") = w3;					\
	register L4_Word_t r12 __asm__("r12") = w4;					\
	register L4_Word_t r13 __asm__("r13") = w5;					\
	register L4_Word_t r14 __asm__("r14") = w6;					\
	register L4_Word_t r15 __asm__("r15") = w7;					\
											\
	__asm__ __volatile__(__L4_CALL(pointer)						\
		: "+D"(mr), "+S"(rsi), "+d"(rdx), "+a"(rax), "+b"(rbx), "+r"(r8), "+r"(r9), "+r"(r10), \
		  "+r"(r12), "+r"(r13), "+r"(r14), "+r"(r15)				\
		: : "rcx", "r11", "cc", "memory");					\
	w0 = r9;									\
	w3 = r10;									\
	w4 = r12;									\
	w5 = r13;									\
	w6 = r14;									\
	w7 = r15;									\
	mr[0] = w0;									\
	mr[1] = rax;									\
	mr[2] = rbx;									\
	mr[3] = w3;									\
	mr[4] = w4;									\
	mr[5] = w5;									\
	mr[6] = w6;									\
	mr[7] = w7;									\
	if (FromSpecifier.raw != L4_NILTHREAD)						\
		from->raw = rsi;							\
	return __L4_RAW(L4_MsgTag_t, w0)

/* Sends the message in the MRs to `to` (nil: no send phase), then receives from FromSpecifier (nil: no receive phase,
 * L4_anythread, L4_anylocalthread, or one thread) (X.2 5.6).
 *   Timeouts  L4_Timeouts (send, receive)
 * Returns the tag of the received message, or of a failed send: then L4_IpcFailed is true and ErrorCode says why. *from
 * is the sender; it may be NULL if FromSpecifier is nil. Blocks as long as the timeouts allow.
 * Use the functions in l4/ipc.h. */
L4_INLINE L4_MsgTag_t L4_Ipc(L4_ThreadId_t to, L4_ThreadId_t FromSpecifier, L4_Word_t Timeouts, L4_ThreadId_t *from)
{
	__L4_IPC_BODY(__L4_Ipc);
}

/* As L4_Ipc, for partners in the same address space: untyped words only (X.2 5.7). */
L4_INLINE L4_MsgTag_t L4_Lipc(L4_ThreadId_t to, L4_ThreadId_t FromSpecifier, L4_Word_t Timeouts, L4_ThreadId_t *from)
{
	__L4_IPC_BODY(__L4_Lipc);
}

/* Takes rights away from mappings that others got from the caller: the fpages in MR0..MRk, whose rights bits
 * are those to remove (X.2 4.2). control = k | flush << 6; flush takes them from the caller as well. The fpages'
 * rights bits then say which accesses have happened. No errors. Use the helpers in l4/space.h. */
L4_INLINE void L4_Unmap(L4_Word_t control)
{
	L4_Word_t *mr = __L4_X86_Utcb();
	L4_Word_t rax = mr[1], rbx = mr[2];
	L4_Word_t w0 = mr[0], w3 = mr[3], w4 = mr[4], w5 = mr[5], w6 = mr[6], w7 = mr[7];
	register L4_Word_t r9 __asm__("r9") = w0;
	register L4_Word_t r10 __asm__("r10") = w3;
	register L4_Word_t r12 __asm__("r12") = w4;
	register L4_Word_t r13 __asm__("r13") = w5;
	register L4_Word_t r14 __asm__("r14") = w6;
	register L4_Word_t r15 __asm__("r15") = w7;

	__asm__ __volatile__(__L4_CALL(__L4_Unmap)
		: "+D"(mr), "+d"(control), "+a"(rax), "+b"(rbx), "+r"(r9), "+r"(r10), "+r"(r12), "+r"(r13),
		  "+r"(r14), "+r"(r15)
		: : "rcx", "rsi", "r8", "r11", "cc", "memory");
	w0 = r9;
	w3 = r10;
	w4 = r12;
	w5 = r13;
	w6 = r14;
	w7 = r15;
	mr[0] = w0;
	mr[1] = rax;
	mr[2] = rbx;
	mr[3] = w3;
	mr[4] = w4;
	mr[5] = w5;
	mr[6] = w6;
	mr[7] = w7;
}

/* Sets up or changes an address space (X.2 4.3). Privileged. The areas can be changed only while no thread of the space
 * is active.
 * Returns 1, or 0 with ErrorCode L4_ErrNoPrivilege, InvalidSpace, UtcbArea or KipArea. */
L4_INLINE L4_Word_t L4_SpaceControl(L4_ThreadId_t SpaceSpecifier, L4_Word_t control,
	L4_Fpage_t KernelInterfacePageArea, L4_Fpage_t UtcbArea, L4_ThreadId_t redirector, L4_Word_t *old_control)
{
	L4_Word_t rax, rdi = SpaceSpecifier.raw, rdx = KernelInterfacePageArea.raw;
	register L4_Word_t r8 __asm__("r8") = UtcbArea.raw;
	register L4_Word_t r9 __asm__("r9") = redirector.raw;

	__asm__ __volatile__(__L4_CALL(__L4_SpaceControl)
		: "=a"(rax), "+D"(rdi), "+S"(control), "+d"(rdx), "+r"(r8), "+r"(r9)
		: : "rbx", "rcx", "r10", "r11", "r12", "r13", "r14", "r15", "cc", "memory");
	*old_control = rdx;
	return rax;
}

/* Sets a processor's frequencies and voltage (X.2 3.4). Privileged. Returns 1, or 0 with ErrorCode L4_ErrNoPrivilege or
 * InvalidParam. */
L4_INLINE L4_Word_t L4_ProcessorControl(L4_Word_t ProcessorNo, L4_Word_t InternalFrequency,
	L4_Word_t ExternalFrequency, L4_Word_t voltage)
{
	L4_Word_t rax;
	register L4_Word_t r8 __asm__("r8") = voltage;

	__asm__ __volatile__(__L4_CALL(__L4_ProcessorControl)
		: "=a"(rax), "+D"(ProcessorNo), "+S"(InternalFrequency), "+d"(ExternalFrequency), "+r"(r8)
		: : "rbx", "rcx", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "cc", "memory");
	return rax;
}

/* Sets cache attributes of the fpages in MR0..MRcontrol (X.2 4.4). Privileged. attributes: four words; an
 * fpage's rights field says which of them it gets. Returns 1, or 0 with ErrorCode L4_ErrNoPrivilege or InvalidParam. Use the
 * helpers in l4/misc.h. */
L4_INLINE L4_Word_t L4_MemoryControl(L4_Word_t control, const L4_Word_t *attributes)
{
	L4_Word_t *mr = __L4_X86_Utcb();
	L4_Word_t rax = mr[1], rbx = mr[2], rcx = attributes[0], rsi = attributes[1];
	L4_Word_t a2 = attributes[2], a3 = attributes[3];
	L4_Word_t w0 = mr[0], w3 = mr[3], w4 = mr[4], w5 = mr[5], w6 = mr[6], w7 = mr[7];
	register L4_Word_t r8 __asm__("r8") = a2;
	register L4_Word_t r9 __asm__("r9") = w0;
	register L4_Word_t r10 __asm__("r10") = w3;
	register L4_Word_t r11 __asm__("r11") = a3;
	register L4_Word_t r12 __asm__("r12") = w4;
	register L4_Word_t r13 __asm__("r13") = w5;
	register L4_Word_t r14 __asm__("r14") = w6;
	register L4_Word_t r15 __asm__("r15") = w7;

	__asm__ __volatile__(__L4_CALL(__L4_MemoryControl)
		: "+D"(mr), "+d"(control), "+a"(rax), "+b"(rbx), "+c"(rcx), "+S"(rsi), "+r"(r8), "+r"(r9),
		  "+r"(r10), "+r"(r11), "+r"(r12), "+r"(r13), "+r"(r14), "+r"(r15)
		: : "cc", "memory");
	return control;
}

/* Extension (ArchSyscall0): carries out the n operations whose words stand in MR[0 .. 2n-1] (1..31), see
 * l4/framecontrol.h; the results replace the operations in the UTCB. Only the checkpoint server may. Returns the
 * number of operations carried out; fewer than n with ErrorCode L4_ErrInvalidParam, none with L4_ErrNoPrivilege. Never blocks. */
L4_INLINE L4_Word_t L4_FrameControl(L4_Word_t n)
{
	L4_Word_t rax;

	__asm__ __volatile__(__L4_CALL(__L4_FrameControl)
		: "=a"(rax), "+D"(n)
		: : "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "cc", "memory");
	return rax;
}

#endif
