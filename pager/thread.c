/* SPDX-License-Identifier: BSD-2-Clause
 * Thread creation: ThreadControl makes the thread, SpaceControl the areas of a new space, a second ThreadControl
 * activates it, and the start message (X.2 5.8) of its pager, at that moment this program's main thread, sets it going.
 * Only then does it get another pager, if one was asked for: a fault in between comes here and is served like any other.
 */
#include "thread.h"

#include <stddef.h>

#include <l4/ipc.h>
#include <l4/schedule.h>
#include <l4/space.h>
#include <l4/task.h>
#include <l4/thread.h>

#include "limits.h"
#include "names.h"
#include "task.h"

#define CHUNKS          (THREAD_NUMBERS / THREAD_CHUNK)
#define NO_UTCB         ((void *)-1)

static struct thread table[THREAD_NUMBERS];
static uint16_t chunk_owner[CHUNKS];    /* slot of the task + 1, or 0 */
static uint16_t chunk_index[CHUNKS];    /* which chunk of its task it is */

/* Chunk numbers that one kind of task gets. */
struct chunk_zone {
	uint32_t first, end;
	uint32_t hint;                  /* where to begin to search */
};

_Static_assert(L4_CONTROL_TNO_END % THREAD_CHUNK == 0, "no chunk is of both kinds");

/* The numbers of threads that may control the machine, and the others. */
static struct chunk_zone control = { THREAD_FIRST / THREAD_CHUNK, L4_CONTROL_TNO_END / THREAD_CHUNK, THREAD_FIRST / THREAD_CHUNK };
static struct chunk_zone ordinary = { L4_CONTROL_TNO_END / THREAD_CHUNK, CHUNKS, L4_CONTROL_TNO_END / THREAD_CHUNK };

uint32_t thread_count;

struct thread *thread_at(uint32_t number)
{
	return &table[number];
}

uint32_t thread_number(const struct thread *thread)
{
	return (uint32_t)(thread - table);
}

L4_ThreadId_t thread_id(uint32_t number)
{
	return L4_GlobalId(number, table[number].version);
}

struct thread *thread_find(L4_ThreadId_t id)
{
	L4_Word_t number = L4_ThreadNo(id);

	if (number < THREAD_FIRST || number >= THREAD_NUMBERS)
		return NULL;
	return table[number].alive && table[number].version == L4_Version(id) ? &table[number] : NULL;
}

struct task *thread_task(uint32_t number)
{
	return task_at(chunk_owner[number / THREAD_CHUNK] - 1U);
}

/* ---- waiting lists ---- */

void wait_add(struct wait_list *list, struct thread *thread, enum wait_kind kind)
{
	uint32_t number = thread_number(thread);

	thread->kind = (uint8_t)kind;
	thread->list = list;
	thread->next = 0;
	thread->prev = list->tail;
	if (list->tail)
		table[list->tail].next = number;
	else
		list->head = number;
	list->tail = number;
}

void wait_remove(struct thread *thread)
{
	struct wait_list *list = thread->list;

	thread->kind = WAIT_NOTHING;
	if (!list)
		return;
	if (thread->prev)
		table[thread->prev].next = thread->next;
	else
		list->head = thread->next;
	if (thread->next)
		table[thread->next].prev = thread->prev;
	else
		list->tail = thread->prev;
	thread->list = NULL;
}

struct thread *wait_pop(struct wait_list *list)
{
	struct thread *thread;

	if (!list->head)
		return NULL;
	thread = &table[list->head];
	wait_remove(thread);
	return thread;
}

/* ---- numbers and slots ---- */

static uint32_t zone_find(struct chunk_zone *z)
{
	for (uint32_t i = 0; i < z->end - z->first; i++) {
		uint32_t c = z->hint + i;

		if (c >= z->end)
			c -= z->end - z->first;
		if (!chunk_owner[c]) {
			z->hint = c;
			return c;
		}
	}
	return 0;
}

/* Nobody but an administrator gets a number that carries a right; when there is none left, he gets others. */
static uint32_t chunk_find(const struct task *task)
{
	uint32_t c = task->flags & TASK_SPAWN_ADMIN ? zone_find(&control) : 0;

	return c ? c : zone_find(&ordinary);
}

/* A free thread number for the task, from a chunk it has or a new one. */
static long number_alloc(struct task *task, uint32_t *number)
{
	for (uint32_t k = 0; k < THREAD_CHUNKS_PER_TASK; k++) {
		uint32_t c = task->chunk[k];

		if (!c) {
			c = chunk_find(task);
			if (!c)
				return TASK_E_NOMEM;
			task->chunk[k] = (uint16_t)c;
			chunk_owner[c] = (uint16_t)(task_slot(task) + 1);
			chunk_index[c] = (uint16_t)k;
		}
		if (task->used[k] != UINT32_MAX) {
			uint32_t bit = (uint32_t)__builtin_ctz(~task->used[k]);

			task->used[k] |= 1U << bit;
			*number = c * THREAD_CHUNK + bit;
			return TASK_OK;
		}
	}
	return TASK_E_LIMIT;
}

static void number_free(struct task *task, uint32_t number)
{
	uint32_t c = number / THREAD_CHUNK, k = chunk_index[c];

	task->used[k] &= ~(1U << number % THREAD_CHUNK);
	if (task->used[k])
		return;
	task->chunk[k] = 0;
	chunk_owner[c] = 0;
}

static void *utcb_of(uint32_t number)
{
	uint32_t slot = chunk_index[number / THREAD_CHUNK] * THREAD_CHUNK + number % THREAD_CHUNK;

	return (void *)(TASK_UTCB_BASE + (L4_Word_t)slot * L4_UTCB_SIZE);
}

static void version_next(struct thread *thread)
{
	thread->version++;
	if (!(thread->version & 63))    /* X.2: the low six bits tell a global id from a local one */
		thread->version++;
}

/* ---- creation ---- */

static long kernel_error(void)
{
	return L4_ErrorCode() == L4_ERR_NO_MEM ? TASK_E_NOMEM : TASK_E_KERNEL;
}

static long space_create(L4_ThreadId_t id)
{
	L4_Word_t old;

	if (!L4_ThreadControl(id, id, L4_Myself(), L4_nilthread, NO_UTCB))
		return kernel_error();
	if (L4_SpaceControl(id, 0, L4_FpageLog2(TASK_KIP_BASE, 12), L4_FpageLog2(TASK_UTCB_BASE, TASK_UTCB_LOG2),
			    L4_anythread, &old))
		return TASK_OK;
	old = L4_ErrorCode();
	(void)L4_ThreadControl(id, L4_nilthread, L4_nilthread, L4_nilthread, NO_UTCB);
	return old == L4_ERR_NO_MEM ? TASK_E_NOMEM : TASK_E_KERNEL;
}

/* X.2 5.8: two untyped words, ip and sp. */
static int start_send(L4_ThreadId_t id, const struct thread_start *start)
{
	L4_LoadMR(0, 2);
	L4_LoadMR(1, start->ip);
	L4_LoadMR(2, start->sp);
	return !L4_IpcFailed(L4_Send_Timeout(id, L4_ZeroTime));
}

static long kernel_create(struct task *task, L4_ThreadId_t id, const struct thread_start *start)
{
	uint32_t other = thread_next(task, 0), number = (uint32_t)L4_ThreadNo(id);
	L4_ThreadId_t space = other ? thread_id(other) : id;
	long error;

	if (!other) {
		error = space_create(id);
		if (error)
			return error;
	}
	if (!L4_ThreadControl(id, space, L4_Myself(), start->inactive ? start->pager : L4_Myself(), utcb_of(number))) {
		error = kernel_error();
		if (!other)
			(void)L4_ThreadControl(id, L4_nilthread, L4_nilthread, L4_nilthread, NO_UTCB);
		return error;
	}
	(void)L4_Set_Priority(id, task->priority);
	if (start->inactive)
		return TASK_OK;
	if (!start_send(id, start)) {
		(void)L4_ThreadControl(id, L4_nilthread, L4_nilthread, L4_nilthread, NO_UTCB);
		return TASK_E_KERNEL;
	}
	if (!L4_IsNilThread(start->pager))
		(void)L4_ThreadControl(id, id, L4_nilthread, start->pager, NO_UTCB);
	return TASK_OK;
}

long thread_create(struct task *task, const struct thread_start *start, L4_ThreadId_t *id)
{
	struct thread *thread;
	uint32_t number;
	long error;

	if (task->threads >= task->limits.threads)
		return TASK_E_LIMIT;
	error = number_alloc(task, &number);
	if (error)
		return error;
	thread = &table[number];
	version_next(thread);
	*id = thread_id(number);
	error = kernel_create(task, *id, start);
	if (error) {
		number_free(task, number);
		return error;
	}
	thread->alive = 1;
	thread->kind = WAIT_NOTHING;
	thread->list = NULL;
	task->threads++;
	thread_count++;
	return TASK_OK;
}

void thread_delete(struct task *task, uint32_t number)
{
	struct thread *thread = &table[number];

	(void)L4_ThreadControl(thread_id(number), L4_nilthread, L4_nilthread, L4_nilthread, NO_UTCB);
	names_drop(thread_id(number));
	wait_remove(thread);
	thread->alive = 0;
	task->threads--;
	thread_count--;
	number_free(task, number);
}

uint32_t thread_next(const struct task *task, uint32_t from)
{
	uint32_t best = 0;

	for (uint32_t k = 0; k < THREAD_CHUNKS_PER_TASK; k++) {
		uint32_t base = task->chunk[k] * THREAD_CHUNK, mask = task->used[k];

		if (!base || base + THREAD_CHUNK <= from)
			continue;
		if (from > base)
			mask &= UINT32_MAX << (from - base);
		for (; mask; mask &= mask - 1) {
			uint32_t number = base + (uint32_t)__builtin_ctz(mask);

			/* A number just taken for a thread that is not made yet does not count. */
			if (!table[number].alive)
				continue;
			if (!best || number < best)
				best = number;
			break;
		}
	}
	return best;
}

void thread_delete_all(struct task *task)
{
	uint32_t number;

	while ((number = thread_next(task, 0)))
		thread_delete(task, number);
}
