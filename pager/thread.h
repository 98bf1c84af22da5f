/* SPDX-License-Identifier: BSD-2-Clause
 * Threads of tasks: numbers, versions, UTCB slots, and what each is waiting for at the pager.
 *
 * A table entry per thread number, a few words, untouched (and so without memory) until it is used. Numbers are given out
 * in chunks of THREAD_CHUNK; a task's k-th chunk serves its UTCB slots from k * THREAD_CHUNK on, so number and
 * slot follow from each other. A thread waits for one thing at a time and stands in one list at most.
 */
#ifndef PAGER_THREAD_H
#define PAGER_THREAD_H

#include <stdint.h>

#include <l4/types.h>

struct task;

/* Doubly linked through the thread table; number 0 ends a list. A zeroed list is empty. */
struct wait_list {
	uint32_t head, tail;
};

enum wait_kind {
	WAIT_NOTHING = 0,
	WAIT_FAULT,             /* a page fault: address, access, ip */
	WAIT_INFO,              /* thread information by a worker: address = thread id asked for */
	WAIT_TASK,              /* the end of a task: address = its id */
	WAIT_NAME,              /* the registration of a name */
};

struct thread {
	uint32_t version;       /* of the thread that lives, or of the last one that did; 0: never used */
	uint8_t alive, kind, access, pad;
	uint32_t next, prev;
	struct wait_list *list; /* in which it stands, or NULL */
	uint64_t address, ip;
};

extern uint32_t thread_count;

/* The table entry of a living thread with exactly this id, or NULL. */
struct thread *thread_find(L4_ThreadId_t id);

struct thread *thread_at(uint32_t number);
uint32_t thread_number(const struct thread *thread);
L4_ThreadId_t thread_id(uint32_t number);
/* The task a living thread belongs to. */
struct task *thread_task(uint32_t number);

/* How a new thread begins. */
struct thread_start {
	L4_Word_t ip, sp;
	L4_ThreadId_t pager;    /* nil: the pager's main thread */
	int inactive;           /* the start message comes from its own pager */
};

/* Create a thread in a task (its first one creates the space). TASK_E_LIMIT, TASK_E_NOMEM, TASK_E_KERNEL, TASK_E_INVAL. */
long thread_create(struct task *task, const struct thread_start *start, L4_ThreadId_t *id);

/* Delete a thread: it leaves its list, its names go. The kernel deletes the space with the last one. */
void thread_delete(struct task *task, uint32_t number);
void thread_delete_all(struct task *task);

/* The living thread of a task with the lowest number >= from, or 0. */
uint32_t thread_next(const struct task *task, uint32_t from);

void wait_add(struct wait_list *list, struct thread *thread, enum wait_kind kind);
/* Take a thread out of whatever list it stands in. */
void wait_remove(struct thread *thread);
/* Take the first one out, or NULL. */
struct thread *wait_pop(struct wait_list *list);

#endif
