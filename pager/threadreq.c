/* SPDX-License-Identifier: BSD-2-Clause
 * Requests about threads of the caller's own task, and thread information for ps.
 */
#include "request.h"

#include <l4/schedule.h>
#include <l4/task.h>
#include <l4/thread.h>

#include "task.h"
#include "thread.h"
#include "worker.h"

long request_thread_info(struct request *r)
{
	struct task *task = task_find(r->mr[1]);
	uint32_t number = task && r->mr[2] < THREAD_NUMBERS ? thread_next(task, (uint32_t)r->mr[2]) : 0;

	if (!number)
		return TASK_E_NOTFOUND;
	r->thread->address = thread_id(number).raw;
	worker_info(r->thread);
	return REQUEST_NO_REPLY;
}

long request_thread_create(struct request *r)
{
	struct thread_start start = {
		.ip = r->mr[1], .sp = r->mr[2], .pager = { .raw = r->mr[3] },
		.inactive = (r->mr[4] & TASK_THREAD_INACTIVE) != 0,
	};
	L4_ThreadId_t id;
	long error;

	if (r->mr[4] & ~(L4_Word_t)TASK_THREAD_INACTIVE || (start.inactive && L4_IsNilThread(start.pager)))
		return TASK_E_INVAL;
	if (!L4_IsNilThread(start.pager) && !thread_find(start.pager))
		return TASK_E_INVAL;
	error = thread_create(r->task, &start, &id);
	if (error)
		return error;
	r->result[0] = id.raw;
	r->results = 1;
	return TASK_OK;
}

/* A living thread of the caller's task, or NULL. nil: the caller. */
static struct thread *own_thread(const struct request *r, L4_Word_t raw)
{
	struct thread *thread = raw ? thread_find((L4_ThreadId_t){ .raw = raw }) : r->thread;

	return thread && thread_task(thread_number(thread)) == r->task ? thread : NULL;
}

long request_thread_delete(struct request *r)
{
	struct thread *thread = own_thread(r, r->mr[1]);

	if (!thread)
		return TASK_E_NOTFOUND;
	if (r->task->threads == 1) {
		task_end(r->task, 0);
		return REQUEST_NO_REPLY;
	}
	thread_delete(r->task, thread_number(thread));
	return thread == r->thread ? REQUEST_NO_REPLY : TASK_OK;
}

long request_thread_priority(struct request *r)
{
	struct thread *thread = own_thread(r, r->mr[1]);

	if (!thread)
		return TASK_E_NOTFOUND;
	if (!r->mr[2] || r->mr[2] > PRIORITY_MAX)
		return TASK_E_INVAL;
	if (r->mr[2] > r->task->limits.priority)
		return TASK_E_PERM;
	return L4_Set_Priority(thread_id(thread_number(thread)), r->mr[2]) ? TASK_OK : TASK_E_KERNEL;
}
