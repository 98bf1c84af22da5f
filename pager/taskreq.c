/* SPDX-License-Identifier: BSD-2-Clause
 * Requests about tasks: spawn, exit, kill, wait, information.
 */
#include "request.h"

#include <l4/string.h>

#include <l4/task.h>

#include "program.h"
#include "task.h"
#include "thread.h"

#define SPAWN_FLAGS     (TASK_SPAWN_DETACH | TASK_SPAWN_ADMIN | TASK_SPAWN_DIE_WITH)
#define SPAWN_STRINGS   8               /* first message register of the strings */

static long spawn_check(const struct request *r, const struct task_spawn *spawn)
{
	struct thread *pager = thread_find(spawn->pager);

	if (spawn->flags & ~(L4_Word_t)SPAWN_FLAGS)
		return TASK_E_INVAL;
	if (spawn->flags & TASK_SPAWN_ADMIN && !(r->task->flags & TASK_SPAWN_ADMIN))
		return TASK_E_PERM;
	if (!L4_IsNilThread(spawn->pager) && (!pager || thread_task(thread_number(pager)) != r->task))
		return TASK_E_PERM;
	return TASK_OK;
}

long request_spawn(struct request *r)
{
	const char *strings = (const char *)&r->mr[SPAWN_STRINGS], *end;
	size_t length = r->words < SPAWN_STRINGS ? 0 : (r->words - SPAWN_STRINGS + 1) * sizeof(L4_Word_t);
	struct task_spawn spawn = {
		.flags = r->mr[1],
		.limits = { .pages = r->mr[2], .threads = r->mr[3], .tasks = r->mr[4], .priority = r->mr[5] },
		.pager = { .raw = r->mr[6] },
	};
	struct program *program;
	struct task *task;
	long error = spawn_check(r, &spawn);

	if (error)
		return error;
	end = length ? memchr(strings, 0, length) : NULL;
	if (!end || r->mr[7] > TASK_ARGC_MAX)
		return TASK_E_INVAL;
	program = program_find(strings);
	if (!program)
		return TASK_E_NOTFOUND;
	spawn.argc = (unsigned)r->mr[7];
	spawn.strings = end + 1;
	spawn.length = length - (size_t)(end + 1 - strings);
	error = task_create(r->task, program, &spawn, &task);
	if (error)
		return error;
	r->result[0] = task->id;
	r->results = 1;
	return TASK_OK;
}

long request_exit(struct request *r)
{
	task_end(r->task, (long)r->mr[1]);
	return REQUEST_NO_REPLY;
}

long request_kill(struct request *r)
{
	struct task *task = task_find(r->mr[1]);
	L4_Word_t self = r->task->id;

	if (!task || task->state != TASK_RUNNING)
		return TASK_E_NOTFOUND;
	if (!task_controls(r->task, task))
		return TASK_E_PERM;
	task_end(task, TASK_STATUS_KILLED);
	/* The caller may have ended with it. */
	return task_find(self) && r->thread->alive ? TASK_OK : REQUEST_NO_REPLY;
}

long request_wait(struct request *r)
{
	const struct task *task = task_find(r->mr[1]);
	long error;

	if (r->words >= 2 && r->mr[2] && task && task->state == TASK_RUNNING)
		return TASK_E_TIMEOUT;          /* only asked whether it has ended */
	error = task_wait_for(r->thread, r->mr[1]);
	return error ? error : REQUEST_NO_REPLY;
}

static L4_Word_t pages_touched(const struct task *task)
{
	L4_Word_t touched = 0;

	for (uint32_t i = 0; i < task->map.count; i++) {
		const struct object *object = task->map.list[i].object;

		/* An object cut in two is counted at its first piece. */
		if (object && (!i || task->map.list[i - 1].object != object))
			touched += object->touched;
	}
	return touched;
}

long request_info(struct request *r)
{
	struct task *task = task_next(r->mr[1]);
	struct task_info info = { 0 };
	uint32_t first;

	_Static_assert(sizeof info <= sizeof r->result, "task_info fits an answer");
	if (!task)
		return TASK_E_NOTFOUND;
	first = thread_next(task, 0);
	info.id = task->id;
	info.parent = task->parent;
	info.state = task->state;
	info.status = (L4_Word_t)task->status;
	info.threads = task->threads;
	info.pages = task->pages;
	info.touched = pages_touched(task);
	info.children = task->children;
	info.first_thread = first ? thread_id(first).raw : 0;
	info.limits = task->limits;
	memcpy(info.name, task->name, sizeof info.name);
	memcpy(r->result, &info, sizeof info);
	r->results = sizeof info / sizeof(L4_Word_t);
	return TASK_OK;
}

long request_self(struct request *r)
{
	r->result[0] = r->task->id;
	r->results = 1;
	return TASK_OK;
}
