/* SPDX-License-Identifier: BSD-2-Clause
 * Kernel object pages: the part of the kernel's state that is persistent.
 *
 * Every structure here is saved to disk as it stands, and may come back under another kernel build
 * or after a damaged disk. So: fixed layouts, sizes asserted, a header with a format version, and
 * nothing that a reboot makes false: no pointer, no physical address, no queue link. Thread ids,
 * numbers and values of the persistent clock only. What can be computed again lives in the volatile
 * structures of thread.h and space.h instead.
 *
 * The kernel trusts none of it when it is loaded: object_validate_* (object.c) look at each field.
 */
#ifndef KERNEL_OBJECTS_H
#define KERNEL_OBJECTS_H

#include <stdint.h>
#include <stddef.h>

#define OBJECT_MAGIC    0x4a424f50u     /* "POBJ" */
#define OBJECT_VERSION  1

struct object_header {
	uint32_t magic;
	uint16_t version;
	uint16_t type;                  /* L4_OBJ_* */
	uint32_t number;                /* thread or space number */
	uint32_t reserved;
};
_Static_assert(sizeof(struct object_header) == 16, "saved layout");

/* ---- Thread table ------------------------------------------------------------------------- */

enum tte_flags {
	TTE_EXISTS  = 1,
	TTE_ACTIVE  = 2,                /* has a UTCB and has been activated */
	TTE_HALTED  = 4,                /* does not return to user mode (ExchangeRegisters H) */
	TTE_PLACED  = 16,               /* its UTCB slot is decided */
	TTE_STOPPED = 8,                /* stopped by the kernel: damaged object, or an exception nobody handles */
};

enum tte_state {
	TS_READY,                       /* in user mode, or about to be */
	TS_SEND,                        /* send phase: partner = destination */
	TS_RECV,                        /* waiting: partner = who may send (id, any, anylocal) */
	TS_RECV_PENDING,                /* waiting, but has not yet looked at senders already queued */
	TS_COUNT
};

/* What the IPC is: low nibble; the flags above it. */
enum tte_kind {
	IPC_NORMAL,
	IPC_PAGEFAULT,                  /* words are in the TCB */
	IPC_EXCEPTION,                  /* words are the saved registers */
	IPC_START,                      /* waits for the thread-start message of its pager */
	IPC_PREEMPTION,
	IPC_KIND_COUNT,
	IPC_KIND_MASK = 0x0f,
	IPC_CALL_RESIDUAL = 0x40,       /* closed receive that follows a send to the same residual thread */
	IPC_NESTED = 0x80,              /* page fault inside an IPC; the outer one is in the TCB */
};

/* An end of an IPC decided by somebody else, applied at the thread's next dispatch. */
enum tte_pending {
	PEND_NONE,
	PEND_ABORT_SEND,
	PEND_ABORT_RECV,
	PEND_COUNT
};

struct tte {
	uint32_t version;               /* of the thread id; kept when the thread is deleted */
	uint8_t  flags;                 /* TTE_* */
	uint8_t  prio;                  /* 0..255 */
	uint8_t  state;                 /* TS_* */
	uint8_t  kind;                  /* IPC_* */
	uint16_t space;                 /* address-space number */
	uint16_t slot;                  /* UTCB slot in that space */
	uint8_t  pending;               /* PEND_* */
	uint8_t  reserved[3];
	uint64_t partner;               /* global thread id, or any/anylocal thread */
	uint64_t deadline;              /* of the current phase, persistent clock in µs; DEADLINE_NEVER */
};
_Static_assert(sizeof(struct tte) == 32, "saved layout: 128 entries make a page");

#define DEADLINE_NEVER  UINT64_MAX

/* What a user may have in its flags (status, TF, DF, AC, ID), and what is always set (IF, bit 1). */
#define RFLAGS_USER_BITS 0x240dd5ul
#define RFLAGS_ALWAYS   0x202ul
/* Harmless, and found in a saved frame: NT, which user code can set, and RF, which the processor sets for a fault. */
#define RFLAGS_SAVED_BITS (RFLAGS_USER_BITS | 0x14000ul)

/* ---- TCB ------------------------------------------------------------------------------------ */

/* User registers, in the order in which entry code pushes them (entry.asm). */
struct regs {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
	uint64_t rdi, rsi, rbp, rbx, rdx, rcx, rax;
	uint64_t vector, error;         /* of the last trap */
	uint64_t rip, cs, rflags, rsp, ss;
};
_Static_assert(sizeof(struct regs) == 22 * 8, "saved layout");

enum tcb_resume {
	RESUME_FRAME,                   /* all registers are in the frame */
	RESUME_IPC,                     /* returns from Ipc: message registers are in the UTCB */
	RESUME_COUNT
};

#define FPU_AREA_SIZE   832             /* XSAVE, standard form: x87, SSE, AVX */
#define FPU_FEATURES    7ul

struct tcb {
	struct object_header header;

	/* touched by entry.asm: offsets in x86/tcb_offsets.inc, asserted below */
	struct regs frame;             /* saved */
	uint64_t ipc_from;              /* Ipc's second result: who sent */
	uint64_t utcb_mr;               /* user address of MR0: the local id */
	uint8_t  resume;                /* RESUME_* */
	uint8_t  fpu_used;              /* the FPU area holds state */
	uint8_t  reserved0[6];

	/* identity */
	uint64_t myself;                /* global id */
	uint64_t scheduler;             /* global id */

	/* IPC: arguments of the call in progress */
	uint64_t ipc_to;
	uint64_t ipc_fromspec;
	uint64_t ipc_timeouts;

	/* words of a page-fault IPC */
	uint64_t fault_addr;
	uint64_t fault_ip;
	uint64_t fault_rights;          /* rwx as in the label */

	/* the outer IPC while a nested page fault is served */
	uint64_t outer_partner;
	uint64_t outer_deadline;
	uint8_t  outer_state, outer_kind, reserved1[6];

	/* progress of long work: map items (index << 48 | page), Unmap (address) */
	uint64_t progress;

	/* scheduling */
	uint64_t cpu_time_ns;
	uint64_t timeslice_us;          /* 0: never ends */
	uint64_t total_quantum_us;      /* as given; 0: infinite */
	uint64_t unmap_index;           /* progress of Unmap: fpage number, status bits gathered so far */
	uint64_t unmap_status;
	uint64_t spare[6];

	uint8_t  reserved2[1024 - 16 - 176 - 24 - 16 - 24 - 24 - 24 - 8 - 24 - 64];
	uint8_t  fpu[FPU_AREA_SIZE] __attribute__((aligned(64)));
	uint8_t  reserved3[4096 - 1024 - FPU_AREA_SIZE];
};
_Static_assert(sizeof(struct tcb) == 4096, "saved layout: a TCB is a page");
_Static_assert(offsetof(struct tcb, fpu) == 1024, "XSAVE wants 64-byte alignment");
_Static_assert(offsetof(struct tcb, frame) == 16 && sizeof(struct regs) == 192 - 16, "tcb_offsets.inc");
_Static_assert(offsetof(struct tcb, frame.rip) == 152, "tcb_offsets.inc");
_Static_assert(offsetof(struct tcb, frame.rflags) == 168, "tcb_offsets.inc");
_Static_assert(offsetof(struct tcb, frame.rsp) == 176, "tcb_offsets.inc");
_Static_assert(offsetof(struct tcb, ipc_from) == 192, "tcb_offsets.inc");
_Static_assert(offsetof(struct tcb, utcb_mr) == 200, "tcb_offsets.inc");
_Static_assert(offsetof(struct tcb, resume) == 208, "tcb_offsets.inc");

/* ---- UTCB: belongs to the user; the kernel reads it with suspicion ---------------------------- */

struct utcb {
	uint64_t self;                  /* user address of MR0: what %gs:0 reads */
	uint64_t reserved0[15];
	uint64_t br_reversed[33];       /* BR n is br_reversed[32 - n] */
	uint64_t my_global_id;
	uint64_t processor_no;
	uint64_t user_defined_handle;
	uint64_t pager;
	uint64_t exception_handler;
	uint8_t  preempt_flags;
	uint8_t  cop_flags;
	uint8_t  reserved1[6];
	uint64_t error_code;
	uint64_t xfer_timeout;
	uint64_t intended_receiver;
	uint64_t virtual_sender;
	uint64_t reserved2[5];          /* thread words among them */
	uint64_t mr[64];
	uint8_t  rest[4096 - 1024];
};
_Static_assert(offsetof(struct utcb, mr) == 512, "X.2 AMD64 UTCB");
_Static_assert(offsetof(struct utcb, my_global_id) == 512 - 15 * 8, "X.2 AMD64 UTCB");
_Static_assert(offsetof(struct utcb, br_reversed[32]) == 512 - 16 * 8, "X.2 AMD64 UTCB");
_Static_assert(offsetof(struct utcb, error_code) == 512 - 9 * 8, "X.2 AMD64 UTCB");
_Static_assert(sizeof(struct utcb) == 4096, "a UTCB is a page");

/* ---- Space record ----------------------------------------------------------------------------- */

#define SPACE_SLOTS     960
struct space_record {
	struct object_header header;
	uint64_t kip_area;              /* fpage; 0: not yet set */
	uint64_t utcb_area;             /* fpage; 0: not yet set */
	uint64_t redirector;            /* global id, or any thread */
	uint32_t threads;               /* existing threads of this space */
	uint32_t active_threads;
	uint64_t control;
	uint8_t  reserved[256 - 16 - 24 - 8 - 8];
	uint32_t slot[SPACE_SLOTS];     /* UTCB slot -> thread number, 0: free */
};
_Static_assert(sizeof(struct space_record) == 4096, "saved layout: a space record is a page");

#endif
