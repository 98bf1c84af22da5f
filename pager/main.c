/* SPDX-License-Identifier: BSD-2-Clause
 * The pager: root task, first persistent program, and the pager of all others. Its address space is the
 * single-level store: it uses memory, and the checkpoint server, its own pager, keeps it. There is no code
 * for persistence here, and nothing to be done at recovery: the message loop below goes on.
 *
 * To follow a page fault of a task: here -> fault.c -> (worker.c, if the page may be on disk) -> reply.c.
 * To follow a request: here -> request.c -> the handler in taskreq.c, threadreq.c or memreq.c.
 */
#include <l4/schedule.h>
#include <l4/task.h>
#include <l4/thread.h>

#include "boot.h"
#include "exception.h"
#include "fault.h"
#include "limits.h"
#include "names.h"
#include "object.h"
#include "program.h"
#include "reply.h"
#include "request.h"
#include "say.h"
#include "store.h"
#include "thread.h"
#include "worker.h"

#define LINGER_US       50000

/* The kernel's labels carry access rights in the low four bits: bits 63..20 of the tag hold the number. */
static long kernel_label(L4_MsgTag_t tag)
{
	return (long)tag.raw >> 20;
}

static void dispatch(const struct message *message)
{
	struct thread *thread;

	if (worker_is(message->from)) {
		if (L4_Label(message->tag) == WORKER_LABEL)
			worker_message(message);
		else if (kernel_label(message->tag) == L4_LABEL_EXCEPTION)
			worker_exception(message);
		return;
	}
	thread = thread_find(message->from);
	if (!thread)
		return;                 /* deleted meanwhile, or no thread of a task */
	wait_remove(thread);            /* whatever it waited for, it does not any more: a timeout, or another thread's doing */
	switch (kernel_label(message->tag)) {
	case L4_LABEL_PAGEFAULT:
		fault_message(message, thread);
		break;
	case L4_LABEL_EXCEPTION:
		exception_message(message, thread);
		break;
	default:
		request_message(message, thread);
		break;
	}
}

/* What could not be discarded is tried again now and then, between other things or when there are none. */
static void linger_tick(void)
{
	static uint64_t last;
	uint64_t now = L4_SystemClock().raw;

	if (now - last < LINGER_US)
		return;
	last = now;
	object_retry();
}

static int init(void)
{
	const uint8_t *archive;
	size_t size;

	(void)L4_Set_Priority(L4_Myself(), PRIORITY_PAGER);
	if (!store_init())
		return 0;
	object_init(&store_mem);
	if (store_init_volatile())
		object_init_volatile(&volatile_mem, volatile_first);
	if (!fault_init() || !worker_init())
		return 0;
	(void)names_register("console", L4_GlobalId(L4_CONSOLE_TNO, 1));
	archive = store_archive(&size);
	program_init(archive, size);
	boot_start(archive, size);
	return 1;
}

int main(void)
{
	static struct message message;

	if (!init())
		say("no store, or no threads: nothing can run");
	for (;;) {
		if (reply_wait(&message, object_lingers() ? L4_TimePeriod(LINGER_US) : L4_Never))
			dispatch(&message);
		if (object_lingers())
			linger_tick();
	}
}
