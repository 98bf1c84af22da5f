/* SPDX-License-Identifier: BSD-2-Clause
 * The pager is the exception handler of tasks: it prints what happened and ends the task.
 */
#ifndef PAGER_EXCEPTION_H
#define PAGER_EXCEPTION_H

struct message;
struct thread;

void exception_message(const struct message *message, struct thread *thread);

#endif
