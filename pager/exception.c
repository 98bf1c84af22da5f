/* SPDX-License-Identifier: BSD-2-Clause
 * X.2 7.5: the registers of the thread come as untyped words. A handler could change them and let the thread go on; this one
 * never does.
 */
#include "exception.h"

#include <l4/exception.h>
#include <l4/message.h>
#include <l4/task.h>

#include "reply.h"
#include "say.h"
#include "task.h"
#include "thread.h"

void exception_message(const struct message *message, struct thread *thread)
{
	struct task *task = thread_task(thread_number(thread));
	L4_Word_t r[L4_EXC_WORDS + 1] = { 0 };

	for (unsigned i = 1; i <= L4_EXC_WORDS && i <= L4_UntypedWords(message->tag); i++)
		r[i] = message->mr[i];
	if (r[L4_EXC_NUMBER] == L4_EXC_DAMAGED) {
		say("task %u %s: the page at 0x%x cannot be read; thread %u stops at ip 0x%x", task->id, task->name,
		    r[L4_EXC_ERROR], L4_ThreadNo(message->from), r[L4_EXC_RIP]);
		reply_damaged(message->from);
		return;
	}
	say("task %u %s: exception %u error 0x%x ip 0x%x sp 0x%x flags 0x%x ax %x bx %x cx %x dx %x si %x di %x bp %x; killed",
	    task->id, task->name, r[L4_EXC_NUMBER], r[L4_EXC_ERROR], r[L4_EXC_RIP], r[L4_EXC_RSP], r[L4_EXC_RFLAGS],
	    r[L4_EXC_RAX], r[L4_EXC_RBX], r[L4_EXC_RCX], r[L4_EXC_RDX], r[L4_EXC_RSI], r[L4_EXC_RDI], r[L4_EXC_RBP]);
	task_end(task, TASK_STATUS_EXCEPTION);
}
