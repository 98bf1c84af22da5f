/* SPDX-License-Identifier: BSD-2-Clause
 * Tasks: the protocol of the pager (root task) and the functions programs call.
 *
 * A task is an address space with its threads, its regions of memory and its limits. The pager alone
 * may create threads and spaces, so all of it goes through messages to its main thread, thread
 * (L4_ROOT_TNO, 1). docs/tasks.md explains the protocol for programmers.
 *
 * Every function below is one call to the pager: it uses message registers (all of them, contents are
 * lost) and may block as long as the pager is busy; those that wait for somebody else say so. Each
 * returns 0 or a positive count on success, else a negative TASK_E_*. None of them touches buffer
 * registers, except to leave the acceptor at "no items".
 *
 * The mapping contract: any mapping may vanish at any time; the next access faults, and whoever is the
 * thread's pager must be able to map it again. Memory obtained here is restored by the pager.
 */
#ifndef L4_TASK_H
#define L4_TASK_H

#include <l4/abi.h>
#include <l4/types.h>

/* ---- Errors ---------------------------------------------------------------------------------- */
#define TASK_OK                 0
#define TASK_E_NOMEM            (-1)    /* the store, or a table of the pager or the kernel, is full */
#define TASK_E_LIMIT            (-2)    /* this task's limit of pages, threads, tasks or regions is reached */
#define TASK_E_NOTFOUND         (-3)    /* no such task, thread, program, name or region */
#define TASK_E_INVAL            (-4)    /* a bad argument: alignment, range, length, unknown flag or request */
#define TASK_E_PERM             (-5)    /* not yours */
#define TASK_E_TIMEOUT          (-6)    /* the time given is over; nothing has changed */
#define TASK_E_IPC              (-7)    /* the pager could not be reached, or the call was cancelled */
#define TASK_E_EXISTS           (-8)    /* the name or the address range is taken */
#define TASK_E_BADIMAGE         (-9)    /* the program is no ELF64 executable for this machine */
#define TASK_E_KERNEL           (-10)   /* the kernel refused a system call of the pager */

/* ---- Requests (message labels) and their message registers, for the curious ------------------
 * A reply has label 0 and MR1 = error; results follow from MR2. Strings are packed from the named
 * register on, each with its final NUL. All sizes in bytes, page-aligned, unless the name says pages. */
#define TASK_LABEL_BASE         0x5000
#define TASK_SPAWN              0x5000  /* flags, pages, threads, tasks, priority, pager, argc, strings: program argv… → task */
#define TASK_EXIT               0x5001  /* status; never answered */
#define TASK_KILL               0x5002  /* task */
#define TASK_WAIT               0x5003  /* task, do not wait → status */
#define TASK_INFO               0x5004  /* lowest id wanted → struct task_info */
#define TASK_THREAD_INFO        0x5005  /* task, lowest thread number wanted → struct task_thread_info */
#define TASK_THREAD_CREATE      0x5006  /* ip, sp, pager, flags → thread */
#define TASK_THREAD_DELETE      0x5007  /* thread (0: the caller; then never answered) */
#define TASK_THREAD_PRIORITY    0x5008  /* thread, priority */
#define TASK_MAP                0x5009  /* address or 0, size, rights (and TASK_VOLATILE) → address */
#define TASK_UNMAP              0x500a  /* address, size */
#define TASK_SHARE_CREATE       0x500b  /* address or 0, size, rights, name → address */
#define TASK_SHARE_ATTACH       0x500c  /* address or 0, rights, name → address, size */
#define TASK_MIRROR             0x500d  /* task, base, size, address or 0, rights → address */
#define TASK_NAME_REGISTER      0x500e  /* thread, name */
#define TASK_NAME_LOOKUP        0x500f  /* 1: wait until registered, name → thread */
#define TASK_PROGRAM            0x5010  /* index → size of the file, name */
#define TASK_MEMORY             0x5011  /* → struct task_memory */
#define TASK_SELF               0x5012  /* → task */
#define TASK_EXTENTS            0x5013  /* task, first region wanted → regions there are, then struct task_extent of those from it on */
#define TASK_LABEL_END          0x5014
#define TASK_EXTENTS_MAX        14      /* in one answer */

#define TASK_ARG_BYTES          432     /* program and argv strings together, with their NULs */
#define TASK_ARGC_MAX           64
#define TASK_NAME_MAX           32      /* names of tasks, services, shared regions: with the NUL */

/* ---- Where things stand in a task's address space ----------------------------------------------
 * Page 0 is never mapped. ELF segments stand where they are linked (0x400000 by convention). Regions
 * whose address the pager chooses come from the arena. Everything else below TASK_SPACE_END is free for
 * regions at addresses of the program's choice. */
#define TASK_UTCB_BASE          0xbf000000      /* UTCB area, 4 MiB */
#define TASK_UTCB_LOG2          22
#define TASK_KIP_BASE           0xbff00000
#define TASK_RESERVED_BASE      0xbf000000      /* no region here … */
#define TASK_RESERVED_END       0xc0000000
#define TASK_STACK_TOP          0xbe000000      /* first thread's stack ends here; guard page below it */
#define TASK_STACK_PAGES        32
#define TASK_ARENA_BASE         0x100000000
#define TASK_ARENA_END          0x4000000000
#define TASK_SPACE_END          0x7ffffffff000

/* ---- The start block ---------------------------------------------------------------------------
 * At the first instruction of a task's first thread rsp is 16-byte aligned and points to: argc (a word),
 * argc pointers to strings, a null pointer, a null pointer (no environment), two null words (end of the
 * auxiliary vector), as in the System V ABI for this machine. argv[0] is the task's name.
 * When a first thread leaves main, start-up code calls task_exit. Start-up code makes the pager the
 * thread's exception handler; for further threads task_thread_create does it. */

/* ---- Types -------------------------------------------------------------------------------------- */
#ifdef __cplusplus
extern "C" {
#endif

/* What a task may use. 0 means "as much as the creator's limit". Nothing may exceed the creator's limit;
 * the limits of tasks are not added up. */
struct task_limits {
	L4_Word_t pages;        /* 4 KiB pages in private regions: reserved, touched or not */
	L4_Word_t threads;      /* at most L4_UTCB_MAX_SLOTS */
	L4_Word_t tasks;        /* children that live, or were not waited for */
	L4_Word_t priority;     /* highest priority of its threads, 1..255 */
};

enum task_state { TASK_RUNNING = 1, TASK_ZOMBIE = 2 };

struct task_info {
	L4_Word_t id;
	L4_Word_t parent;       /* 0: started from boot.cfg, or the parent has ended */
	L4_Word_t state;        /* enum task_state */
	L4_Word_t status;       /* exit status, when a zombie */
	L4_Word_t threads;
	L4_Word_t pages;        /* reserved, as counted against the limit */
	L4_Word_t touched;      /* pages used so far */
	L4_Word_t children;
	L4_Word_t first_thread; /* global thread id */
	struct task_limits limits;
	char name[TASK_NAME_MAX];
};

/* One thread. The fields from `state` on come from the kernel. */
struct task_thread_info {
	L4_Word_t task;
	L4_Word_t thread;       /* global thread id */
	L4_Word_t state;        /* as ThreadInfo reports it */
	L4_Word_t partner;      /* whom it waits for, or 0 */
	L4_Word_t cpu_us;       /* processor time used, µs */
	L4_Word_t priority;
};

struct task_memory {
	L4_Word_t store_pages;  /* pages of the store that the pager gives out */
	L4_Word_t free_pages;
	L4_Word_t tasks, tasks_max;
	L4_Word_t threads, threads_max;
	L4_Word_t faults;       /* page faults answered since genesis */
};

/* Where the memory of a region stands in the store: pages of the root task's space, as checkpoints name them (l4/ckpt.h). */
struct task_extent {
	L4_Word_t first, pages; /* pages 0: the region mirrors another task */
};

/* ---- Tasks --------------------------------------------------------------------------------------- */
#define TASK_SPAWN_DETACH       1       /* nobody will wait for it: it vanishes when it ends */
#define TASK_SPAWN_ADMIN        2       /* may kill any task, and control the machine (l4/ckpt.h); only an administrator may give this */
#define TASK_SPAWN_DIE_WITH     4       /* kill it when its parent ends */

/* Start a program of the boot archive. argv: null-terminated, argv[0] becomes the task's name; a null argv
 * means { program }. limits may be null (= the caller's own). *task receives the id.
 * E_NOTFOUND no such program; E_BADIMAGE; E_INVAL strings longer than TASK_ARG_BYTES or more than
 * TASK_ARGC_MAX of them; E_LIMIT; E_NOMEM; E_KERNEL. */
long task_spawn(const char *program, const char *const argv[], unsigned long flags,
		const struct task_limits *limits, L4_Word_t *task);

/* The same, but the page faults of the new task go to `pager`, a thread of the caller's task, which
 * answers them with map items of its own memory: usually of a mirror of the new task (task_mirror), but
 * any memory will do. The first fault may still be answered by the system's pager. The new task is
 * killed when the pager's task ends. E_PERM: pager is not a thread of the caller's task. */
long task_spawn_paged(const char *program, const char *const argv[], unsigned long flags,
		      const struct task_limits *limits, L4_ThreadId_t pager, L4_Word_t *task);

/* End the calling task, with all its threads. Does not return. */
void task_exit(long status) __attribute__((noreturn));

/* End a task. Its status becomes TASK_STATUS_KILLED. E_NOTFOUND; E_PERM: neither a descendant of the
 * caller's task nor is the caller's task an administrator. */
long task_kill(L4_Word_t task);
#define TASK_STATUS_KILLED      (-1000)
#define TASK_STATUS_FAULT       (-1001)         /* a page fault outside its regions, or against their rights */
#define TASK_STATUS_EXCEPTION   (-1002)
#define TASK_STATUS_NOMEM       (-1003)

/* Wait until a task has ended; *status receives what it gave to task_exit. Anybody may wait; once the
 * parent has, the id is gone. Blocks up to timeout (X.2 form; L4_Never, L4_ZeroTime, …).
 * E_NOTFOUND, E_TIMEOUT. */
long task_wait(L4_Word_t task, L4_Time_t timeout, long *status);

/* The caller's task id (positive), or E_IPC. */
long task_self(void);

/* The task with the lowest id that is at least `from`. E_NOTFOUND: there is none. Loop with
 * from = info->id + 1. */
long task_info(L4_Word_t from, struct task_info *info);

/* The thread of that task with the lowest thread number that is at least `from`. E_NOTFOUND. Loop with
 * from = thread number + 1. May wait for the thread's control block to be read from disk. */
long task_thread_info(L4_Word_t task, L4_Word_t from, struct task_thread_info *info);

/* ---- Threads -------------------------------------------------------------------------------------- */
/* A new thread in the caller's task, which runs entry(arg) on the stack that ends at stack_top (16-byte
 * aligned, writable; 64 bytes of it are written before the thread starts), and ends when entry returns.
 * Its pager is the system's, its exception handler too; its priority is the caller's task's default.
 * E_INVAL, E_LIMIT, E_NOMEM, E_KERNEL. */
long task_thread_create(void (*entry)(void *), void *arg, void *stack_top, L4_ThreadId_t *thread);

/* The same with raw register values, and a pager of the caller's choice: any thread (nil = the system's).
 * TASK_THREAD_INACTIVE: the thread is left waiting for the start message (X.2 5.8) of its pager, which must
 * then be a thread other than the system's pager; ip and sp are not used. */
#define TASK_THREAD_INACTIVE    1
long task_thread_create_raw(L4_Word_t ip, L4_Word_t sp, L4_ThreadId_t pager, unsigned long flags,
			    L4_ThreadId_t *thread);

/* Delete a thread of the caller's task. E_NOTFOUND: it does not exist (any more) or is not the caller's.
 * Deleting the last thread ends the task with status 0. */
long task_thread_delete(L4_ThreadId_t thread);

/* End the calling thread. Does not return. */
void task_thread_exit(void) __attribute__((noreturn));

/* Set the priority (1..255) of a thread of the caller's task. E_PERM: above the task's limit. */
long task_thread_priority(L4_ThreadId_t thread, L4_Word_t priority);

/* ---- Memory ----------------------------------------------------------------------------------------- */
/* Rights are L4_RIGHT_R, L4_RIGHT_W, L4_RIGHT_X. size is rounded up to pages. *address: 0 or null = the
 * pager chooses (from the arena); on success it holds the region's address. New memory reads as zero.
 * E_INVAL (misaligned, reserved range), E_EXISTS (overlaps a region), E_LIMIT, E_NOMEM. */
long task_map(L4_Word_t size, L4_Word_t rights, L4_Word_t *address);

/* Added to the rights of task_map: memory that is not saved by checkpoints, and zero after each recovery: for what can be
 * made again, and should be then (caches). All tasks together have 4 MiB of it (E_NOMEM). */
#define TASK_VOLATILE           8

/* Give back whole pages: every region or part of one within the range; memory that nobody shares is freed.
 * E_INVAL, E_LIMIT (cutting a region in two needs one more). A range that holds nothing is no error. */
long task_unmap(L4_Word_t address, L4_Word_t size);

/* A stack of `pages` pages with an unmapped guard page below; *top receives its end. */
long task_stack(L4_Word_t pages, void **top);

/* Memory shared between tasks, by name. It counts against its creator's limit and lives until the last task has
 * unmapped it; the name goes when the creator has ended or unmapped it. E_EXISTS: the name is taken, or as task_map. */
long task_share_create(const char *name, L4_Word_t size, L4_Word_t rights, L4_Word_t *address);
/* *size (may be null) receives the size. rights must not exceed the creator's. E_NOTFOUND, E_PERM, as task_map. */
long task_share_attach(const char *name, L4_Word_t rights, L4_Word_t *address, L4_Word_t *size);

/* For programs that are pagers: a window of the caller's address space that shows the regions of another
 * task, [base, base + size), page for page, with that task's own rights (cut by `rights`). An access to
 * the window at offset x is the same memory as an access of that task to base + x; it faults fatally where
 * that task has no region. So a page fault of that task at address a is answered by the map item
 * (window + a - base, rights) → a. Costs no memory. E_PERM: the caller is neither that task's
 * pager nor its parent nor an administrator; otherwise as task_map. */
long task_mirror(L4_Word_t task, L4_Word_t base, L4_Word_t size, L4_Word_t rights, L4_Word_t *address);

/* The extents of a task's regions from the `from`-th on (0: the first): extent[] receives at most TASK_EXTENTS_MAX of them. The
 * result is how many it received; 0: there are no more. Regions may show the same memory; a list that changes between two calls
 * may miss one. E_NOTFOUND: no such task. */
long task_extents(L4_Word_t task, L4_Word_t from, struct task_extent extent[TASK_EXTENTS_MAX]);

/* ---- Names ------------------------------------------------------------------------------------------- */
/* Give a name to a thread of the caller's task (nil: the calling thread). The name goes when the thread
 * does. E_EXISTS, E_INVAL (empty or too long), E_NOMEM, E_PERM. The residual console driver is "console". */
long task_name_register(const char *name, L4_ThreadId_t thread);
/* Who has that name? With a timeout other than L4_ZeroTime: wait that long until somebody registers it.
 * E_NOTFOUND (zero timeout), E_TIMEOUT. */
long task_name_lookup(const char *name, L4_Time_t timeout, L4_ThreadId_t *thread);

/* ---- The machine ------------------------------------------------------------------------------------- */
/* The index-th program (ELF file) of the boot archive: its name into name[TASK_NAME_MAX], its file size into *size (may be
 * null). E_NOTFOUND: there are not that many. */
long task_program(L4_Word_t index, char *name, L4_Word_t *size);

long task_memory(struct task_memory *memory);

#ifdef __cplusplus
}
#endif
#endif
