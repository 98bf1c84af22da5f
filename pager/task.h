/* SPDX-License-Identifier: BSD-2-Clause
 * Tasks: the table, creation from programs, the end, and waiting for it.
 *
 * A task is running, then a zombie that holds its exit status until its parent has asked for it (or at once
 * nothing, if it was detached or its parent has ended). Ids ascend and are never used twice; id modulo
 * LIMIT_TASKS is the slot.
 */
#ifndef PAGER_TASK_H
#define PAGER_TASK_H

#include <stdint.h>

#include <l4/task.h>

#include "limits.h"
#include "region.h"
#include "thread.h"

struct program;

struct task {
	L4_Word_t id;                   /* 0: the slot is free */
	L4_Word_t parent;               /* id, or 0 */
	long status;
	enum task_state state;
	uint8_t flags;                  /* TASK_SPAWN_* */
	uint8_t doomed;                 /* to be ended by the loop in task_end */
	L4_Word_t priority;             /* of new threads */
	struct task_limits limits;
	L4_Word_t pages, threads, children;
	L4_ThreadId_t pager;            /* of its first thread; nil: the pager itself */
	L4_Word_t pager_task;           /* the task that thread belongs to, or 0 */
	struct region_map map;
	struct wait_list waiters;       /* threads in task_wait for this task */
	uint16_t chunk[THREAD_CHUNKS_PER_TASK]; /* chunk numbers, 0: none */
	uint32_t used[THREAD_CHUNKS_PER_TASK];  /* a bit per thread number of the chunk */
	char name[TASK_NAME_MAX];
};

extern uint32_t task_count;

/* By slot; by id (NULL if there is none); the slot of a task. */
struct task *task_at(uint32_t slot);
struct task *task_find(L4_Word_t id);
uint32_t task_slot(const struct task *task);
/* The task with the lowest id >= from, or NULL. */
struct task *task_next(L4_Word_t from);

struct task_spawn {
	const char *strings;            /* argc strings, one after the other */
	size_t length;
	unsigned argc;
	L4_Word_t flags;
	struct task_limits limits;      /* 0: the parent's */
	L4_ThreadId_t pager;            /* nil: the pager itself */
};

/* Create a task and start it. parent: NULL at boot. Errors as task_spawn of l4/task.h. */
long task_create(struct task *parent, struct program *program, const struct task_spawn *spawn, struct task **task);

/* End a task: its threads, names, shares and regions go, its waiters are answered; tasks that live only with it end, too. */
void task_end(struct task *task, long status);

/* May `task` end, or mirror, `other`? Itself, its descendants, or anything if it is an administrator. */
int task_controls(const struct task *task, const struct task *other);

/* A thread waits for the end of a task, and is answered when that has come. TASK_E_NOTFOUND: there is nothing to wait for. */
long task_wait_for(struct thread *thread, L4_Word_t id);

/* Count pages against a task's limit. TASK_E_LIMIT. (object_released gives them back.) */
long task_charge(struct task *task, L4_Word_t pages);

/* Make an object for a task, charged to it. Errors TASK_E_LIMIT, TASK_E_NOMEM. */
long task_object(struct task *task, L4_Word_t pages, enum object_heap heap, struct object **object);

#endif
