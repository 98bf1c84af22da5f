/* SPDX-License-Identifier: BSD-2-Clause
 * The table of requests, and the small ones. Every word comes from a program: it is checked here or where it is used.
 * A request with fewer words than its handler reads sees zeroes.
 */
#include "request.h"

#include <l4/string.h>

#include <l4/task.h>

#include "fault.h"
#include "names.h"
#include "program.h"
#include "reply.h"
#include "store.h"
#include "task.h"
#include "thread.h"

const char *request_name(const struct request *r, unsigned first)
{
	const char *name = (const char *)&r->mr[first];
	size_t bytes;

	if (first > r->words)
		return NULL;
	bytes = (r->words - first + 1) * sizeof(L4_Word_t);
	if (bytes > TASK_NAME_MAX)
		bytes = TASK_NAME_MAX;
	return *name && memchr(name, 0, bytes) ? name : NULL;
}

static long request_name_register(struct request *r)
{
	const char *name = request_name(r, 2);
	L4_ThreadId_t id = { .raw = r->mr[1] };
	struct thread *thread = L4_IsNilThread(id) ? r->thread : thread_find(id);

	if (!name)
		return TASK_E_INVAL;
	if (!thread || thread_task(thread_number(thread)) != r->task)
		return TASK_E_PERM;
	return names_register(name, thread_id(thread_number(thread)));
}

static long request_name_lookup(struct request *r)
{
	const char *name = request_name(r, 2);
	L4_ThreadId_t id;
	long error;

	if (!name)
		return TASK_E_INVAL;
	error = names_lookup(name, r->mr[1] ? r->thread : NULL, &id);
	r->result[0] = id.raw;
	r->results = error ? 0 : 1;
	return error;
}

static long request_program(struct request *r)
{
	struct program *program = r->mr[1] < LIMIT_PROGRAMS ? program_at((unsigned)r->mr[1]) : NULL;

	if (!program)
		return TASK_E_NOTFOUND;
	r->result[0] = program->size;
	memcpy(&r->result[1], program->name, sizeof program->name);
	r->results = 1 + sizeof program->name / sizeof(L4_Word_t);
	return TASK_OK;
}

static long request_memory(struct request *r)
{
	struct task_memory memory = {
		.store_pages = store_mem.total, .free_pages = store_mem.free, .tasks = task_count,
		.tasks_max = LIMIT_TASKS, .threads = thread_count,
		.threads_max = THREAD_NUMBERS - THREAD_FIRST, .faults = fault_count,
	};

	memcpy(r->result, &memory, sizeof memory);
	r->results = sizeof memory / sizeof(L4_Word_t);
	return TASK_OK;
}

typedef long handler(struct request *r);

static handler *const handlers[TASK_LABEL_END - TASK_LABEL_BASE] = {
	[TASK_SPAWN - TASK_LABEL_BASE] = request_spawn,
	[TASK_EXIT - TASK_LABEL_BASE] = request_exit,
	[TASK_KILL - TASK_LABEL_BASE] = request_kill,
	[TASK_WAIT - TASK_LABEL_BASE] = request_wait,
	[TASK_INFO - TASK_LABEL_BASE] = request_info,
	[TASK_THREAD_INFO - TASK_LABEL_BASE] = request_thread_info,
	[TASK_THREAD_CREATE - TASK_LABEL_BASE] = request_thread_create,
	[TASK_THREAD_DELETE - TASK_LABEL_BASE] = request_thread_delete,
	[TASK_THREAD_PRIORITY - TASK_LABEL_BASE] = request_thread_priority,
	[TASK_MAP - TASK_LABEL_BASE] = request_map,
	[TASK_UNMAP - TASK_LABEL_BASE] = request_unmap,
	[TASK_SHARE_CREATE - TASK_LABEL_BASE] = request_share_create,
	[TASK_SHARE_ATTACH - TASK_LABEL_BASE] = request_share_attach,
	[TASK_MIRROR - TASK_LABEL_BASE] = request_mirror,
	[TASK_NAME_REGISTER - TASK_LABEL_BASE] = request_name_register,
	[TASK_NAME_LOOKUP - TASK_LABEL_BASE] = request_name_lookup,
	[TASK_PROGRAM - TASK_LABEL_BASE] = request_program,
	[TASK_MEMORY - TASK_LABEL_BASE] = request_memory,
	[TASK_SELF - TASK_LABEL_BASE] = request_self,
	[TASK_EXTENTS - TASK_LABEL_BASE] = request_extents,
};

void request_message(const struct message *message, struct thread *thread)
{
	L4_Word_t label = L4_Label(message->tag) - TASK_LABEL_BASE, mr[64] = { 0 };
	struct request r = {
		.task = thread_task(thread_number(thread)), .thread = thread, .mr = mr,
		.words = (unsigned)L4_UntypedWords(message->tag),
	};
	long error = TASK_E_INVAL;

	memcpy(mr + 1, message->mr + 1, r.words * sizeof *mr);
	if (label < TASK_LABEL_END - TASK_LABEL_BASE)
		error = handlers[label](&r);
	if (error != REQUEST_NO_REPLY)
		reply_words(message->from, error, r.result, error ? 0 : r.results);
}
