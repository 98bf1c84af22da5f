/* SPDX-License-Identifier: BSD-2-Clause
 * Requests of tasks (l4/task.h): the dispatcher, and what its handlers are given.
 */
#ifndef PAGER_REQUEST_H
#define PAGER_REQUEST_H

#include <stddef.h>

#include <l4/types.h>

struct message;
struct task;
struct thread;

#define REQUEST_NO_REPLY 1      /* a handler's result: there is nobody to answer, or not yet */

struct request {
	struct task *task;              /* who asks */
	struct thread *thread;
	const L4_Word_t *mr;            /* mr[1] .. mr[words] */
	unsigned words;
	L4_Word_t result[32];           /* words of the answer, behind the error */
	unsigned results;
};

/* A request by a task's thread. */
void request_message(const struct message *message, struct thread *thread);

/* The string that begins in mr[first]: NULL if it is empty, has no NUL, or is TASK_NAME_MAX bytes or longer. */
const char *request_name(const struct request *request, unsigned first);

/* Handlers, by file. */
long request_spawn(struct request *r);
long request_exit(struct request *r);
long request_kill(struct request *r);
long request_wait(struct request *r);
long request_info(struct request *r);
long request_self(struct request *r);

long request_thread_info(struct request *r);
long request_thread_create(struct request *r);
long request_thread_delete(struct request *r);
long request_thread_priority(struct request *r);

long request_map(struct request *r);
long request_unmap(struct request *r);
long request_share_create(struct request *r);
long request_share_attach(struct request *r);
long request_mirror(struct request *r);
long request_extents(struct request *r);

#endif
