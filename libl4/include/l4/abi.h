/* SPDX-License-Identifier: BSD-2-Clause
 * The numbers of the L4 X.2 ABI on AMD64, as both sides of the system-call gate see them.
 *
 * Everything here is asm-safe: plain defines, no types. The kernel, libl4, the servers and the
 * tests include this one file; nothing in it is restated elsewhere.
 * Reference: L4 eXperimental Kernel Reference Manual, Version X.2, and its AMD64 appendix.
 */
#ifndef L4_ABI_H
#define L4_ABI_H

/* ---- Thread numbers (X.2 1.2, 2.1) -------------------------------------------------------
 * Global thread id: bits 63..32 thread number, bits 31..0 version (its low 6 bits are not all 0,
 * which tells it from a local id). */
#define L4_THREAD_BITS          18          /* thread numbers are below 2^18 */
#define L4_VERSION_BITS         32
#define L4_SYSTEM_BASE          64          /* 0..63 are interrupts */
#define L4_USER_BASE            126         /* sigma0 = (126,1), its writer (127,1), root task (128,1) */
#define L4_KERNEL_TNO           64          /* the kernel's pseudo-thread: sends events to ckptserver */
#define L4_CONSOLE_TNO          65          /* the residual console driver */
#define L4_SIGMA0_TNO           126
#define L4_WRITER_TNO           127
#define L4_ROOT_TNO             128         /* first persistent thread number */
#define L4_CONTROL_TNO_END      4096        /* threads below it may control the machine (l4/ckpt.h) */
#define L4_NILTHREAD            0
#define L4_ANYTHREAD            0xffffffffffffffff
#define L4_ANYLOCALTHREAD       0xffffffffffffffc0

/* ---- UTCB (X.2 1.3; AMD64 appendix) --------------------------------------------------------
 * One UTCB occupies one 4 KiB page (KIP UtcbInfo: a=12, m=1, s=12). %gs:0 holds the address of
 * MR0, which is the thread's local id: UTCB base + 512. TCRs stand at negative word offsets. */
#define L4_UTCB_SIZE            4096
#define L4_UTCB_BITS            12
#define L4_UTCB_MR_OFFSET       512         /* from the UTCB's base, in bytes */
#define L4_UTCB_MAX_SLOTS       960         /* UTCBs (threads) in one address space */

/* Word offsets from MR0. */
#define L4_TCR_WORD_SIZE_MASK   (-1)
#define L4_TCR_THREAD_WORD_0    (-4)
#define L4_TCR_THREAD_WORD_1    (-5)
#define L4_TCR_VIRTUAL_SENDER   (-6)        /* also ActualSender */
#define L4_TCR_INTENDED_RECEIVER (-7)
#define L4_TCR_XFER_TIMEOUT     (-8)
#define L4_TCR_ERROR_CODE       (-9)
#define L4_TCR_FLAGS            (-10)       /* byte 0 preemption flags, byte 1 coprocessor flags */
#define L4_TCR_EXCEPTION_HANDLER (-11)
#define L4_TCR_PAGER            (-12)
#define L4_TCR_USER_DEFINED_HANDLE (-13)
#define L4_TCR_PROCESSOR_NO     (-14)
#define L4_TCR_MY_GLOBAL_ID     (-15)
#define L4_TCR_BR0              (-16)       /* BR n is word -16-n */
#define L4_NUM_MRS              64
#define L4_NUM_BRS              33

/* ---- Message tag (X.2 5.1): u bits 0..5, t bits 6..11, flags 12..15, label 16..63 ---------- */
#define L4_TAG_PROPAGATED       (1 << 12)
#define L4_TAG_REDIRECTED       (1 << 13)
#define L4_TAG_XCPU             (1 << 14)
#define L4_TAG_ERROR            (1 << 15)   /* same bit in a received tag */

/* Labels of kernel protocols: bits 63..20 of the tag hold -n. */
#define L4_LABEL_INTERRUPT      (-1)        /* tag = label<<20 | ... */
#define L4_LABEL_PAGEFAULT      (-2)        /* plus rwx in bits 16..18 */
#define L4_LABEL_PREEMPTION     (-3)
#define L4_LABEL_EXCEPTION      (-5)        /* arch exceptions: all registers */
#define L4_LABEL_SIGMA0         (-6)
/* Extension. Answer of a pager to a page fault, without items: the page cannot be read back and will not come. The thread gets
 * exception L4_EXC_DAMAGED (l4/exception.h); without an exception handler it is stopped, and the console names it. If the
 * fault was that of a message's map item, that send fails with L4_IPC_XFER_TIMEOUT_INVOKER and the receiver waits on.
 * Answer of an exception handler: the thread is stopped. A stopped thread can be deleted. */
#define L4_LABEL_DAMAGED        (-16)

/* ---- IPC errors (X.2 5.6): ErrorCode = (offset << 4) | (e << 1) | p; p: 0 send, 1 receive -- */
#define L4_IPC_TIMEOUT          1
#define L4_IPC_NON_EXISTING     2
#define L4_IPC_CANCELED         3
#define L4_IPC_MSG_OVERFLOW     4
#define L4_IPC_XFER_TIMEOUT_INVOKER 5
#define L4_IPC_XFER_TIMEOUT_PARTNER 6
#define L4_IPC_ABORTED          7
/* Extension, seen by ckptserver threads only: the partner's kernel objects are absent or stale;
 * BR1.. name them (l4/framecontrol.h), BR0 their number. The message was not sent. */
#define L4_IPC_OBJECTS_MISSING  0

/* ---- System-call errors (X.2: ErrorCode TCR) ------------------------------------------------ */
#define L4_ERR_NONE             0
#define L4_ERR_NO_PRIVILEGE     1
#define L4_ERR_INVALID_THREAD   2
#define L4_ERR_INVALID_SPACE    3
#define L4_ERR_INVALID_SCHEDULER 4
#define L4_ERR_INVALID_PARAM    5
#define L4_ERR_UTCB_AREA        6
#define L4_ERR_KIP_AREA         7
#define L4_ERR_NO_MEM           8
/* Extension, seen by ckptserver threads only: as L4_IPC_OBJECTS_MISSING, for other system calls. */
#define L4_ERR_OBJECTS_MISSING  32

/* ---- Kernel interface page (X.2 1.1), byte offsets ------------------------------------------ */
#define L4_KIP_MAGIC            0x4be6344c  /* "L4\xe6K" */
#define L4_KIP_MAGIC_OFS        0x00
#define L4_KIP_API_VERSION      0x08
#define L4_KIP_API_FLAGS        0x10
#define L4_KIP_KERNDESC_PTR     0x18
#define L4_KIP_MEMORY_INFO      0xa8        /* n bits 0..31, pointer (offset) bits 32..63 */
#define L4_KIP_UTCB_INFO        0x150
#define L4_KIP_KIP_INFO         0x158
#define L4_KIP_BOOT_INFO        0x170
#define L4_KIP_PROCDESC_PTR     0x178
#define L4_KIP_CLOCK_INFO       0x180
#define L4_KIP_THREAD_INFO      0x188
#define L4_KIP_PAGE_INFO        0x190
#define L4_KIP_PROCESSOR_INFO   0x198
#define L4_KIP_SYSCALLS         0x1a0       /* 11 words in L4_SYS_* order */
#define L4_KIP_ARCH_SYSCALLS    0x220       /* ArchSyscall0..3 */
/* Extensions, in words that X.2 reserves (accessors in l4/kip.h). */
#define L4_KIP_BOOT_NUMBER      0x1f8       /* boots so far of this disk, from 1; never repeats */
#define L4_KIP_ENTROPY          0x200       /* 64 fresh random bits, different in every boot */
#define L4_KIP_GENERATION       0x208       /* checkpoint this boot recovered from; 0 at genesis */
#define L4_API_VERSION          0x84070000  /* version 0x84 (X.2), subversion 7 */
#define L4_API_FLAGS            0x4         /* little-endian, 64-bit: ww=01 << 2 | ee=00 */
#define L4_KERNEL_ID            0x50010000  /* id 0x50 ('P'), subid 1 */

/* ---- System calls: the order of the KIP's words and of the stub page -------------------------
 * The stub page is mapped, user-executable, at the same address in every space, because the KIP
 * holds absolute addresses. Stub n begins at L4_STUB_BASE + 128 n. Its bytes are ABI. */
#define L4_STUB_BASE            0xffffffffffe00000
#define L4_STUB_BITS            7
#define L4_SYS_SPACE_CONTROL    0
#define L4_SYS_THREAD_CONTROL   1
#define L4_SYS_PROCESSOR_CONTROL 2
#define L4_SYS_MEMORY_CONTROL   3
#define L4_SYS_IPC              4
#define L4_SYS_LIPC             5
#define L4_SYS_UNMAP            6
#define L4_SYS_EXCHANGE_REGISTERS 7
#define L4_SYS_SYSTEM_CLOCK     8
#define L4_SYS_THREAD_SWITCH    9
#define L4_SYS_SCHEDULE         10
#define L4_SYS_FRAME_CONTROL    11          /* ArchSyscall0: ckptserver only */
#define L4_SYS_THREAD_INFO      12          /* ArchSyscall1: privileged */
#define L4_SYS_COUNT            13

/* ---- ExchangeRegisters control word (X.2 2.3): h d u f i s S R H ------------------------------ */
#define L4_EXREGS_HALT          (1 << 0)
#define L4_EXREGS_RECV          (1 << 1)
#define L4_EXREGS_SEND          (1 << 2)
#define L4_EXREGS_SP            (1 << 3)
#define L4_EXREGS_IP            (1 << 4)
#define L4_EXREGS_FLAGS         (1 << 5)
#define L4_EXREGS_UHANDLE       (1 << 6)
#define L4_EXREGS_PAGER         (1 << 7)
#define L4_EXREGS_HALTFLAG      (1 << 8)
#define L4_EXREGS_DELIVER       (1 << 9)

/* ---- Access rights of fpages (X.2 4.1) --------------------------------------------------------- */
#define L4_RIGHT_X              1
#define L4_RIGHT_W              2
#define L4_RIGHT_R              4

/* ---- Kernel debug services, Pistachio's form: int3; cmpb $op,%al -------------------------------- */
#define L4_KDB_PRINT_CHAR       0x00
#define L4_KDB_PRINT_STRING     0x01
#define L4_KDB_PRINT_TEXT       0xf0    /* our own: %rax address, %rdx bytes (at most L4_KDB_TEXT_MAX); %rax: bytes printed */
#define L4_KDB_TEXT_MAX         512

#endif
