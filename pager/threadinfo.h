/* SPDX-License-Identifier: BSD-2-Clause
 * What the kernel knows about a thread, for ps. Reading it may wait for the thread's control block, so
 * a worker does it.
 */
#ifndef PAGER_THREADINFO_H
#define PAGER_THREADINFO_H

#include <l4/types.h>

struct thread;

#define THREADINFO_WORDS 4      /* state, partner, processor time in µs, priority: as in struct task_thread_info */

/* By a worker: fills in THREADINFO_WORDS words; zeroes if the thread is gone. */
void threadinfo_read(L4_Word_t thread, L4_Word_t *words);

/* By the main thread: answer the request of `client` about thread client->address. */
void threadinfo_reply(struct thread *client, const L4_Word_t *words);

#endif
