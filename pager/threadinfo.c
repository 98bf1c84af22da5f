/* SPDX-License-Identifier: BSD-2-Clause
 * ThreadInfo (ArchSyscall1) is for privileged spaces only; programs ask the pager.
 */
#include "threadinfo.h"

#include <l4/string.h>

#include <l4/task.h>
#include <l4/threadinfo.h>

#include "reply.h"
#include "task.h"
#include "thread.h"

void threadinfo_read(L4_Word_t thread, L4_Word_t *words)
{
	L4_ThreadId_t id = { .raw = thread };
	struct l4_thread_info info = { 0 };

	memset(words, 0, THREADINFO_WORDS * sizeof *words);
	if (L4_ThreadInfo(L4_ThreadNo(id), &info).raw != thread)
		return;         /* gone, or there is a next one with a higher number */
	words[0] = info.state;
	words[1] = info.partner.raw;
	words[2] = info.cpu_us;
	words[3] = info.priority;
}

void threadinfo_reply(struct thread *client, const L4_Word_t *words)
{
	struct thread *subject = thread_find((L4_ThreadId_t){ .raw = client->address });
	struct task_thread_info info;

	if (!subject) {
		reply_words(thread_id(thread_number(client)), TASK_E_NOTFOUND, NULL, 0);
		return;
	}
	info.task = thread_task(thread_number(subject))->id;
	info.thread = client->address;
	info.state = words[0];
	info.partner = words[1];
	info.cpu_us = words[2];
	info.priority = words[3];
	reply_words(thread_id(thread_number(client)), TASK_OK, (const L4_Word_t *)&info, sizeof info / sizeof(L4_Word_t));
}
