/* SPDX-License-Identifier: BSD-2-Clause
 * Jobs and workers. A fault on a page that a worker fetches already joins that worker's clients: so a page is filled once,
 * never under the hands of a thread that already writes to it. When all workers are busy, threads wait in a queue, and
 * begin anew (fault_serve) when one is free, because their regions may have changed.
 */
#include "worker.h"

#include <l4/string.h>

#include <l4/exception.h>
#include <l4/ipc.h>
#include <l4/schedule.h>
#include <l4/task.h>
#include <l4/thread.h>

#include "fault.h"
#include "limits.h"
#include "object.h"
#include "reply.h"
#include "say.h"
#include "store.h"
#include "thread.h"
#include "threadinfo.h"

#define STACK_BYTES     8192

enum job { JOB_NONE, JOB_TOUCH, JOB_FILL, JOB_INFO };

struct worker {
	L4_ThreadId_t id;
	enum job job;                   /* JOB_NONE: it waits in its call */
	int ready;                      /* it has called at least once */
	struct object *object;          /* of the job: a reference */
	uint32_t page;
	struct wait_list clients;
};

static struct worker workers[LIMIT_WORKERS];
static struct wait_list queue;
static char stacks[LIMIT_WORKERS][STACK_BYTES] __attribute__((aligned(16)));

/* ---- the worker's side ---- */

static void job_run(L4_Word_t job, const L4_Word_t *argument, L4_Word_t *result)
{
	switch (job) {
	case JOB_FILL:
		memcpy((void *)argument[0], (const void *)argument[1], argument[2]);
		break;
	case JOB_TOUCH:
		(void)*(volatile const char *)argument[0];
		break;
	case JOB_INFO:
		threadinfo_read(argument[0], result);
		break;
	}
}

static void worker_main(void)
{
	L4_Word_t words[1 + THREADINFO_WORDS] = { 0 };
	L4_ThreadId_t main_thread = L4_GlobalId(L4_ROOT_TNO, 1);
	L4_MsgTag_t tag = L4_Niltag;

	L4_Set_ExceptionHandler(main_thread);
	L4_Set_Label(&tag, WORKER_LABEL);
	tag.raw |= THREADINFO_WORDS;
	for (;;) {
		L4_LoadMR(0, tag.raw);
		L4_LoadMRs(1, THREADINFO_WORDS, words);
		if (L4_IpcFailed(L4_Call(main_thread)))
			continue;
		L4_StoreMRs(1, 1 + THREADINFO_WORDS, words);
		job_run(words[0], words + 1, words);
	}
}

/* ---- the main thread's side ---- */

static L4_Word_t stack_of(unsigned i)
{
	return (L4_Word_t)&stacks[i][STACK_BYTES] - 8;
}

static int worker_start(struct worker *w, unsigned i)
{
	L4_Word_t utcb = L4_MyLocalId().raw - L4_UTCB_MR_OFFSET + (i + 1) * L4_UTCB_SIZE;

	w->id = L4_GlobalId(THREAD_WORKER_BASE + i, 1);
	if (!L4_ThreadControl(w->id, L4_Myself(), L4_Myself(), L4_Pager(), (void *)utcb))
		return 0;
	(void)L4_Set_Priority(w->id, PRIORITY_WORKER);
	L4_Start_SpIp(w->id, stack_of(i), (L4_Word_t)worker_main);
	return 1;
}

int worker_init(void)
{
	unsigned n;

	for (n = 0; n < LIMIT_WORKERS; n++)
		if (!worker_start(&workers[n], n))
			break;
	if (n < LIMIT_WORKERS)
		say("%u of %u workers: error %u", (unsigned long)n, (unsigned long)LIMIT_WORKERS, L4_ErrorCode());
	return n > 0;
}

int worker_is(L4_ThreadId_t id)
{
	return L4_ThreadNo(id) >= THREAD_WORKER_BASE && L4_ThreadNo(id) < THREAD_WORKER_BASE + LIMIT_WORKERS;
}

static struct worker *worker_idle(void)
{
	for (unsigned i = 0; i < LIMIT_WORKERS; i++)
		if (workers[i].ready && workers[i].job == JOB_NONE)
			return &workers[i];
	return NULL;
}

static void job_give(struct worker *w, enum job job, L4_Word_t a, L4_Word_t b, L4_Word_t c)
{
	L4_Word_t words[4] = { job, a, b, c };

	w->job = job;
	reply_message(w->id, 0, words, 4);
}

static void job_page(struct worker *w)
{
	char *page = mem_pointer(&store_mem, w->object->first + w->page);
	struct object_fill fill;

	if (!object_needs_fill(w->object, w->page)) {
		job_give(w, JOB_TOUCH, (L4_Word_t)page, 0, 0);
		return;
	}
	object_fill_of(w->object, w->page, &fill);
	job_give(w, JOB_FILL, (L4_Word_t)(page + fill.offset), (L4_Word_t)fill.from, fill.length);
}

void worker_fault(struct thread *thread, struct object *object, uint32_t page)
{
	struct worker *w;

	for (unsigned i = 0; i < LIMIT_WORKERS; i++) {
		w = &workers[i];
		if (w->job != JOB_NONE && w->object == object && w->page == page) {
			wait_add(&w->clients, thread, WAIT_FAULT);
			return;
		}
	}
	w = worker_idle();
	if (!w) {
		wait_add(&queue, thread, WAIT_FAULT);
		return;
	}
	object_get(object);
	w->object = object;
	w->page = page;
	wait_add(&w->clients, thread, WAIT_FAULT);
	job_page(w);
}

void worker_info(struct thread *thread)
{
	struct worker *w = worker_idle();

	if (!w) {
		wait_add(&queue, thread, WAIT_INFO);
		return;
	}
	wait_add(&w->clients, thread, WAIT_INFO);
	job_give(w, JOB_INFO, thread->address, 0, 0);
}

/* The worker has no job any more. */
static void job_end(struct worker *w)
{
	if (w->object)
		object_put(w->object);
	w->object = NULL;
	w->job = JOB_NONE;
}

static void job_done(struct worker *w, const struct message *message)
{
	struct thread *thread;

	if (w->job == JOB_FILL)
		object_touch(w->object, w->page);
	while ((thread = wait_pop(&w->clients))) {
		if (w->job == JOB_INFO)
			threadinfo_reply(thread, message->mr + 1);
		else
			fault_ready(thread, w->object, w->page);
	}
	job_end(w);
}

static const L4_Word_t no_info[THREADINFO_WORDS];

/* A worker met a page that cannot be read (or anything else that ought not to happen to it): who needs that page learns it, and
 * nobody else. The worker begins anew. */
void worker_exception(const struct message *message)
{
	unsigned i = (unsigned)(L4_ThreadNo(message->from) - THREAD_WORKER_BASE);
	L4_Word_t registers[L4_EXC_RFLAGS];
	struct worker *w = &workers[i];
	struct thread *thread;

	if (L4_UntypedWords(message->tag) != L4_EXC_WORDS)
		return;                         /* no worker sends such a message itself */
	say("worker %u: exception %u address 0x%x ip 0x%x", (unsigned long)i, message->mr[L4_EXC_NUMBER],
	    message->mr[L4_EXC_ERROR], message->mr[L4_EXC_RIP]);
	while ((thread = wait_pop(&w->clients))) {
		if (w->job == JOB_INFO)
			threadinfo_reply(thread, no_info);
		else
			reply_damaged(thread_id(thread_number(thread)));
	}
	job_end(w);
	w->ready = 0;
	memcpy(registers, message->mr + 1, sizeof registers);
	registers[L4_EXC_RIP - 1] = (L4_Word_t)worker_main;
	registers[L4_EXC_RSP - 1] = stack_of(i);
	reply_message(w->id, 0, registers, L4_EXC_RFLAGS);
}

void worker_message(const struct message *message)
{
	struct worker *w = &workers[L4_ThreadNo(message->from) - THREAD_WORKER_BASE];

	job_done(w, message);
	w->ready = 1;
	while (queue.head && worker_idle()) {
		int info = thread_at(queue.head)->kind == WAIT_INFO;
		struct thread *thread = wait_pop(&queue);

		if (info)
			worker_info(thread);
		else
			fault_serve(thread);
	}
}
