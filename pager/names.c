/* SPDX-License-Identifier: BSD-2-Clause
 * A small table. An entry without a thread is a name somebody waits for; it is free when nobody does any more.
 */
#include "names.h"

#include <stddef.h>
#include <l4/string.h>

#include <l4/task.h>

#include "limits.h"
#include "reply.h"
#include "thread.h"

struct name {
	char name[TASK_NAME_MAX];
	L4_ThreadId_t thread;           /* nil: not registered */
	struct wait_list waiters;
};

static struct name table[LIMIT_NAMES];
static unsigned registered;

static int entry_free(const struct name *n)
{
	return L4_IsNilThread(n->thread) && !n->waiters.head;
}

static struct name *entry_find(const char *name)
{
	for (unsigned i = 0; i < LIMIT_NAMES; i++)
		if (!entry_free(&table[i]) && !strcmp(table[i].name, name))
			return &table[i];
	return NULL;
}

static struct name *entry_get(const char *name)
{
	struct name *n = entry_find(name);

	for (unsigned i = 0; !n && i < LIMIT_NAMES; i++)
		if (entry_free(&table[i])) {
			n = &table[i];
			strlcpy(n->name, name, sizeof n->name);
		}
	return n;
}

long names_register(const char *name, L4_ThreadId_t thread)
{
	struct name *n = entry_get(name);
	struct thread *waiter;

	if (!n)
		return TASK_E_NOMEM;
	if (!L4_IsNilThread(n->thread))
		return TASK_E_EXISTS;
	n->thread = thread;
	registered++;
	while ((waiter = wait_pop(&n->waiters)))
		reply_words(thread_id(thread_number(waiter)), TASK_OK, &thread.raw, 1);
	return TASK_OK;
}

long names_lookup(const char *name, struct thread *waiter, L4_ThreadId_t *id)
{
	struct name *n = entry_find(name);

	if (n && !L4_IsNilThread(n->thread)) {
		*id = n->thread;
		return TASK_OK;
	}
	if (!waiter)
		return TASK_E_NOTFOUND;
	n = entry_get(name);
	if (!n)
		return TASK_E_NOMEM;
	wait_add(&n->waiters, waiter, WAIT_NAME);
	return 1;
}

void names_drop(L4_ThreadId_t thread)
{
	for (unsigned i = 0; registered && i < LIMIT_NAMES; i++)
		if (L4_IsThreadEqual(table[i].thread, thread)) {
			table[i].thread = L4_nilthread;
			registered--;
		}
}
