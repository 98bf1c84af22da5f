/* SPDX-License-Identifier: BSD-2-Clause
 * Threads: the volatile half. What is saved stands in objects.h (thread-table entry, TCB, UTCB);
 * struct thread holds only what this boot can compute again: where the objects are, queue links, timers.
 *
 * Chunks of 128 struct thread come with their thread-table page and are never freed.
 *
 * Invariants (thread_check_all walks them in debug builds):
 *  (T1) current_in == epoch  =>  table page, TCB, UTCB are present and current, the space is known. That
 *       one compare is the check phase for a partner; the snapshot invalidates all by epoch++.
 *  (T2) a thread is in at most one of: the ready queue, a send queue, an object's wait list.
 *  (T3) a thread in a send queue is in state TS_SEND with that partner.
 *  (T4) interrupt code writes nothing but volatile structures.
 */
#ifndef KERNEL_THREAD_H
#define KERNEL_THREAD_H

#include "kernel/types.h"
#include "kernel/objects.h"
#include "kernel/event.h"

struct space;

enum thread_flags {
	TF_READY     = 1,               /* in the ready queue */
	TF_TIMER     = 2,               /* in the wakeup heap */
	TF_TIMEDOUT  = 4,               /* its deadline passed: applied at its next dispatch */
	TF_PARKED    = 8,               /* waits for a kernel object or a frame */
	TF_RESTART   = 16,              /* call to a residual thread, to be restarted after recovery */
	TF_CANCEL    = 32,              /* pure receive from a residual thread: ends as cancelled */
	TF_RESIDENT  = 64,              /* residual: its objects are the kernel's own */
	TF_DAMAGED   = 128,             /* TCB or UTCB cannot be used */
	TF_OUT_OF_MEMORY = 256,         /* a fresh object it asked for was refused */
	TF_WAITING   = 512,             /* in the queue for the ticket (ticket.h) */
	TF_PAGE_DAMAGED = 2048,         /* its pager said that the page will not come: applied at its next dispatch */
	TF_ANSWERED  = 1024,            /* of these: has been answered, and has not tried again since */
};

struct thread {
	u64 current_in;                 /* see T1 */
	struct tte *tte;
	struct tcb *tcb;                /* NULL: not here */
	struct utcb *utcb;              /* NULL: not here */
	struct space *space;            /* NULL: not yet looked up */
	u32 no;
	u32 flags;                      /* TF_* */

	struct thread *ready_next, *ready_prev; /* ready queue; of a parked thread: those that wait for the same, circular */
	struct thread *senders;         /* queued for this thread: circular, oldest first */
	struct thread *send_next, *send_prev;
	struct thread *send_to;         /* in whose queue this thread is, or was when that one went (ipc_release_senders) */

	struct thread *park_next;       /* next in the hash chain, of the first waiter of a key */
	u64 park_key;                   /* event word it waits for */
	struct event park_event;        /* asks ckptserver, for the first waiter of a key */
	struct event discard_event;     /* TCB and UTCB of this deleted thread are no longer needed */

	u64 wake_at;                    /* µs, persistent clock */
	u32 heap_index;
	u32 pins;                       /* released waiters of its objects that have not retried yet */
	u32 *pinned;                    /* the pin count that this released thread holds, or NULL */
	u32 wait_next, wait_prev;       /* queue for the ticket: thread numbers, 0: none */
	u32 wait_at;                    /* instruction at which it began to wait (a hash of it), 0: not known yet */
	u32 scan;                       /* number of a thread in its own queue: those up to it are not local; see next_local */
	u64 quantum_left;               /* TSC ticks of its time slice */
	u32 unmap_node, unmap_serial;   /* struct mapdb_work of a page whose Unmap was preempted; 0: from its start */
};

extern struct thread *thread_chunk[];
extern struct thread *sigma0_thread;            /* ckptserver's fault thread */


static inline u32 tid_number(tid_t id)  { return (u32)(id >> 32); }
static inline u32 tid_version(tid_t id) { return (u32)id; }
static inline tid_t tid_make(u32 number, u32 version) { return (tid_t)number << 32 | version; }

/* The thread with that number, existing or not; NULL if its table page has never existed. */
static inline struct thread *thread_at(u32 number)
{
	struct thread *chunk;

	if (unlikely(number >= 1u << 18))
		return NULL;
	chunk = thread_chunk[number / 128];
	return chunk ? chunk + number % 128 : NULL;
}

/* The existing thread with that global id, or NULL. */
static inline struct thread *thread_by_id(tid_t id)
{
	struct thread *t = thread_at(tid_number(id));

	if (unlikely(!t || t->tte->version != tid_version(id) || !(t->tte->flags & TTE_EXISTS)))
		return NULL;
	return t;
}

/* Does it belong to ckptserver, whose system calls never wait? */
bool thread_is_ckptserver(const struct thread *t);

/* t retries now: it no longer keeps what it was given from eviction. */
static inline void thread_unpin(struct thread *t)
{
	if (unlikely(t->pinned != NULL)) {
		(*t->pinned)--;
		t->pinned = NULL;
	}
}

static inline tid_t thread_id(const struct thread *t)
{
	return tid_make(t->no, t->tte->version);
}

/* Give a thread-table page its volatile half. page: kernel address of the table page. 0 or -1 (pool). */
int thread_add_table(u32 index, struct tte *page, bool resident);

/* Objects that must be asked for before a step can be taken. */
#define WANTS_MAX 6
struct wants {
	u32 count;
	u64 event[WANTS_MAX];                  /* L4_EV_* << 56 | name */
};
void want_object(struct wants *w, u64 type, u32 object);
void want_frame(struct wants *w, const void *page);

/* Check phase for one thread: everything a step of IPC reads or writes of it. True: present and current.
 * False: w names what is missing. Changes nothing but caches. */
bool thread_check_slow(struct thread *t, struct wants *w);
/* Only its thread-table entry is to be written. */
bool thread_check_entry(struct thread *t, struct wants *w);
/* Entry and TCB, not the UTCB. */
bool thread_check_tcb(struct thread *t, struct wants *w);

extern u64 epoch;
static inline bool thread_check(struct thread *t, struct wants *w)
{
	return likely(t->current_in == epoch) || thread_check_slow(t, w);
}

/* Prepare a freshly supplied TCB for a new thread. */
void tcb_init(struct tcb *tcb, u32 number, tid_t self);

/* What user space is told of a thread: for ThreadInfo, traces and panics. */
const char *thread_state_name(const struct thread *t);

/* Stop a thread for good: its objects or a page of its are unusable, or nobody handles its exception. Who waits for it gets an
 * error; it can be deleted. ckptserver is told (L4_EV_STOPPED). reason: for the log. Never blocks. */
void thread_stop(struct thread *t, const char *reason);
/* The same, because of what was to stand at that address. */
void thread_stop_at(struct thread *t, const char *reason, vaddr_t va);

/* Walk all invariants; NULL or what is wrong. */
const char *thread_check_all(void);

#endif
