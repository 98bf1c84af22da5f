/* SPDX-License-Identifier: BSD-2-Clause
 * Page faults of tasks (X.2 protocol): find the region, have the page, map it on.
 *
 * main.c hands the message to fault_message. A page never given out yet is new and zero: the main thread touches it
 * itself, which needs no disk. Any other may be on disk: worker.c fetches it and comes back by fault_ready.
 */
#ifndef PAGER_FAULT_H
#define PAGER_FAULT_H

#include <stdint.h>

struct message;
struct object;
struct thread;

extern unsigned long fault_count;

/* Once. 0: no memory. */
int fault_init(void);

/* A page-fault message; `thread` is its sender. */
void fault_message(const struct message *message, struct thread *thread);

/* Serve the fault that stands in the thread's entry, from the beginning. */
void fault_serve(struct thread *thread);

/* The same, knowing that this page of this object is present now. */
void fault_ready(struct thread *thread, const struct object *object, uint32_t page);

#endif
