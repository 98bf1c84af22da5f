/* SPDX-License-Identifier: BSD-2-Clause
 * Worker threads: they touch what may have to come from disk, so that the main thread does not wait for it.
 *
 * All state is the main thread's. A worker calls the main thread, "done, what next?", and gets its next job as the
 * answer, when there is one. A job names memory only; whom the result concerns stands in the worker's list of clients, from
 * which threads that are deleted meanwhile simply vanish. A job holds a reference to its object, so the
 * memory stays until the worker is back, whoever was killed.
 */
#ifndef PAGER_WORKER_H
#define PAGER_WORKER_H

#include <stdint.h>

#include <l4/types.h>

struct message;
struct object;
struct thread;

#define WORKER_LABEL    0x5100          /* worker to main thread: done */

/* Create the threads. Once. 0: the kernel refused (not even one could be made). */
int worker_init(void);

/* Is this one of the workers? */
int worker_is(L4_ThreadId_t id);

/* Have a page of an object present, then call fault_ready for the thread (whose fault it is). */
void worker_fault(struct thread *thread, struct object *object, uint32_t page);

/* Answer the thread's request with the information about thread->address. */
void worker_info(struct thread *thread);

/* An exception of a worker, in the middle of its job. */
void worker_exception(const struct message *message);

/* A message of a worker. */
void worker_message(const struct message *message);

#endif
