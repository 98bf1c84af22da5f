/* SPDX-License-Identifier: BSD-2-Clause
 * Names of services: who is it, and tell me when there is one.
 */
#ifndef PAGER_NAMES_H
#define PAGER_NAMES_H

#include <l4/types.h>

struct thread;

/* TASK_E_EXISTS, TASK_E_NOMEM. Threads that waited for the name are answered. */
long names_register(const char *name, L4_ThreadId_t thread);

/* TASK_OK and *id; or TASK_E_NOTFOUND; or 1: `waiter` (not NULL) was put on the name's list; or TASK_E_NOMEM. */
long names_lookup(const char *name, struct thread *waiter, L4_ThreadId_t *id);

/* A thread is gone: so are its names. */
void names_drop(L4_ThreadId_t thread);

#endif
