/* SPDX-License-Identifier: BSD-2-Clause
 * The kernel as a client: its object pages, and the events by which it asks for them (l4/framecontrol.h).
 */
#ifndef CKPT_KOBJ_H
#define CKPT_KOBJ_H

#include "pages.h"

/* One event word from the kernel, or from the list of objects that a system call of ours misses. Answers are
 * batched: fc_flush sends them. What cannot be answered now for want of a frame or a buffer is remembered. */
void kobj_event(uint64_t word);

/* An object has been read: f is its frame, 0: it is damaged. */
void kobj_loaded(uint32_t obj, pfn_t f);

/* The kernel found the object's content invalid: it has stopped the thread and does not hold the page. */
void kobj_not_taken(uint32_t obj);

/* Tries remembered events again. */
void kobj_retry(void);
uint64_t kobj_deferred(void);

/* Memory for remembering. */
bool kobj_init(void);

/* The space that a thread is in, from its thread-table entry; 0: no such thread in memory. */
uint32_t kobj_space_of(uint64_t thread_number);

/* Threads that the kernel has stopped since this boot. */
extern uint64_t kobj_stopped;

#endif
