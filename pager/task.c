/* SPDX-License-Identifier: BSD-2-Clause
 * The life of a task.
 *
 *   (none) -> RUNNING   [task_create]
 *   RUNNING -> ZOMBIE   [end_one: no threads, no memory any more; status kept for the parent]
 *   ZOMBIE -> (none)    [reap: the parent has the status, or nobody will ask]
 *
 * Creation fills the regions with objects that are loaded page by page on first touch, so it is short whatever the
 * program's size. Whatever fails on the way is undone by ending the half-made task.
 */
#include "task.h"

#include <l4/string.h>

#include "anchor.h"
#include "names.h"
#include "program.h"
#include "reply.h"
#include "share.h"
#include "startblock.h"
#include "store.h"

static struct task table[LIMIT_TASKS];
static L4_Word_t last_id;

uint32_t task_count;

extern const struct pager_anchor pager_anchor;
const struct pager_anchor pager_anchor __attribute__((used)) = {
	.magic = { ANCHOR_MAGIC0, ANCHOR_MAGIC1 }, .version = ANCHOR_VERSION, .anchor_bytes = sizeof pager_anchor,
	.tasks = table, .task_limit = LIMIT_TASKS, .task_bytes = sizeof(struct task),
	.region_bytes = sizeof(struct region), .object_bytes = sizeof(struct object), .thread_chunk = THREAD_CHUNK,
};

struct task *task_at(uint32_t slot)
{
	return &table[slot];
}

uint32_t task_slot(const struct task *task)
{
	return (uint32_t)(task - table);
}

struct task *task_find(L4_Word_t id)
{
	struct task *task = &table[id % LIMIT_TASKS];

	return id && task->id == id ? task : NULL;
}

struct task *task_next(L4_Word_t from)
{
	struct task *best = NULL;

	for (uint32_t i = 0; i < LIMIT_TASKS; i++)
		if (table[i].id && table[i].id >= from && (!best || table[i].id < best->id))
			best = &table[i];
	return best;
}

/* ---- memory ---- */

long task_charge(struct task *task, L4_Word_t pages)
{
	if (pages > task->limits.pages - task->pages)
		return TASK_E_LIMIT;
	task->pages += pages;
	return TASK_OK;
}

void object_released(uint64_t owner, uint32_t pages)
{
	struct task *task = task_find(owner);

	if (task)
		task->pages -= pages;
}

long task_object(struct task *task, L4_Word_t pages, enum object_heap heap, struct object **object)
{
	long error = pages < MEM_NONE ? task_charge(task, pages) : TASK_E_LIMIT;

	if (error)
		return error;
	*object = object_create((uint32_t)pages, task->id, heap);
	if (*object)
		return TASK_OK;
	task->pages -= pages;
	return TASK_E_NOMEM;
}

static long region_add(struct task *task, uint64_t start, uint64_t pages, struct object *object, unsigned rights)
{
	struct region region = {
		.start = start, .end = start + pages * MEM_PAGE, .object = object, .rights = rights,
	};
	long error = region_insert(&store_mem, &task->map, &region);

	if (error)
		object_put(object);
	return error;
}

static long segment_add(struct task *task, struct program *program, unsigned i)
{
	const struct elf_segment *s = &program->image.segment[i];
	struct object *object;
	long error;

	if (!(s->rights & L4_RIGHT_W)) {
		object = program_text(program, i);
		if (!object)
			return TASK_E_NOMEM;
	} else {
		error = task_object(task, s->pages, OBJECT_PERSISTENT, &object);
		if (error)
			return error;
		program_source(program, i, object);
	}
	return region_add(task, s->start, s->pages, object, s->rights);
}

static long stack_add(struct task *task, const struct task_spawn *spawn, L4_Word_t *sp)
{
	struct object *object;
	uint32_t last = TASK_STACK_PAGES - 1;
	long error = task_object(task, TASK_STACK_PAGES, OBJECT_PERSISTENT, &object);

	if (error)
		return error;
	object_touch(object, last);
	*sp = startblock_build(mem_pointer(&store_mem, object->first + last), TASK_STACK_TOP, spawn->strings,
			       spawn->length, spawn->argc);
	if (!*sp) {
		object_put(object);
		return TASK_E_INVAL;
	}
	return region_add(task, TASK_STACK_TOP - TASK_STACK_PAGES * MEM_PAGE, TASK_STACK_PAGES, object,
			  L4_RIGHT_R | L4_RIGHT_W);
}

/* ---- creation ---- */

static struct task *slot_find(void)
{
	for (uint32_t i = 0; i < LIMIT_TASKS; i++) {
		struct task *task = &table[++last_id % LIMIT_TASKS];

		if (!task->id && last_id)
			return task;
	}
	return NULL;
}

static L4_Word_t limit_of(L4_Word_t wish, L4_Word_t most)
{
	return wish && wish < most ? wish : most;
}

static void limits_set(struct task *task, const struct task *parent, const struct task_limits *wish)
{
	const struct task_limits boot = {
		.pages = store_mem.total, .threads = L4_UTCB_MAX_SLOTS, .tasks = LIMIT_TASKS, .priority = PRIORITY_MAX,
	};
	const struct task_limits *most = parent ? &parent->limits : &boot;

	task->limits.pages = limit_of(wish->pages, most->pages);
	task->limits.threads = limit_of(wish->threads, most->threads);
	task->limits.tasks = limit_of(wish->tasks, most->tasks);
	task->limits.priority = limit_of(wish->priority, most->priority);
	task->priority = limit_of(parent ? PRIORITY_DEFAULT : PRIORITY_BOOT, task->limits.priority);
}

static void name_set(struct task *task, const char *name)
{
	size_t i;

	for (i = 0; i < sizeof task->name - 1 && name[i]; i++)
		task->name[i] = name[i] < ' ' || name[i] > '~' ? '?' : name[i];
}

static long regions_and_thread(struct task *task, struct program *program, const struct task_spawn *spawn)
{
	struct thread_start start = { .ip = program->image.entry, .pager = spawn->pager };
	L4_ThreadId_t id;
	long error;

	for (unsigned i = 0; i < program->image.count; i++) {
		error = segment_add(task, program, i);
		if (error)
			return error;
	}
	error = stack_add(task, spawn, &start.sp);
	if (error)
		return error;
	return thread_create(task, &start, &id);
}

/* The parent knows the status, or does not want to. */
static void parent_forget(struct task *task)
{
	struct task *parent = task_find(task->parent);

	if (parent)
		parent->children--;
	task->parent = 0;
}

static void reap(struct task *task)
{
	parent_forget(task);
	memset(task, 0, sizeof *task);
	task_count--;
}

static void table_enter(struct task *task, struct task *parent, const struct task_spawn *spawn)
{
	struct thread *pager = thread_find(spawn->pager);

	memset(task, 0, sizeof *task);
	task->id = last_id;
	task->parent = parent ? parent->id : 0;
	task->state = TASK_RUNNING;
	task->flags = (uint8_t)spawn->flags;
	task->pager = spawn->pager;
	task->pager_task = pager ? thread_task(thread_number(pager))->id : 0;
	limits_set(task, parent, &spawn->limits);
	name_set(task, spawn->argc ? spawn->strings : "?");
	task_count++;
}

long task_create(struct task *parent, struct program *program, const struct task_spawn *spawn, struct task **out)
{
	struct task *task;
	long error;

	if (program->error)
		return TASK_E_BADIMAGE;
	if (parent && parent->children >= parent->limits.tasks)
		return TASK_E_LIMIT;
	task = slot_find();
	if (!task)
		return TASK_E_NOMEM;
	table_enter(task, parent, spawn);
	if (parent)
		parent->children++;
	error = regions_and_thread(task, program, spawn);
	if (error) {
		region_clear(&store_mem, &task->map);
		reap(task);
		return error;
	}
	*out = task;
	return TASK_OK;
}

/* ---- the end ---- */

int task_controls(const struct task *task, const struct task *other)
{
	if (task->flags & TASK_SPAWN_ADMIN)
		return 1;
	while (other && other != task)
		other = task_find(other->parent);
	return other != NULL;
}

/* What the end of a task means to the others. */
static void others_concerned(struct task *gone)
{
	for (uint32_t i = 0; i < LIMIT_TASKS; i++) {
		struct task *task = &table[i];

		if (!task->id)
			continue;
		if (task->parent == gone->id) {
			task->parent = 0;
			if (task->state == TASK_ZOMBIE)
				reap(task);
			else if (task->flags & TASK_SPAWN_DIE_WITH)
				task->doomed = 1;
		}
		if (task->pager_task == gone->id && task->id && task->state == TASK_RUNNING)
			task->doomed = 1;
	}
}

/* A waiter whose time was over a moment ago gets nothing: a parent can ask again. */
static void status_give(struct task *task, const struct thread *waiter)
{
	uint32_t number = thread_number(waiter);
	L4_Word_t status = (L4_Word_t)task->status;

	reply_words(thread_id(number), TASK_OK, &status, 1);
	if (reply_flush() && thread_task(number)->id == task->parent)
		parent_forget(task);
}

static void waiters_answer(struct task *task)
{
	struct thread *thread;

	while ((thread = wait_pop(&task->waiters)))
		status_give(task, thread);
}

static void end_one(struct task *task, long status)
{
	task->doomed = 0;
	task->state = TASK_ZOMBIE;
	task->status = status;
	thread_delete_all(task);
	share_drop_owner(task->id);
	region_clear(&store_mem, &task->map);
	others_concerned(task);
	waiters_answer(task);
	if (!task->parent || task->flags & TASK_SPAWN_DETACH)
		reap(task);
}

void task_end(struct task *task, long status)
{
	end_one(task, status);
	for (uint32_t i = 0; i < LIMIT_TASKS; i++) {
		if (!table[i].doomed)
			continue;
		end_one(&table[i], TASK_STATUS_KILLED);
		i = (uint32_t)-1;       /* its end may have doomed others: from the beginning */
	}
}

long task_wait_for(struct thread *thread, L4_Word_t id)
{
	struct task *task = task_find(id);

	if (!task)
		return TASK_E_NOTFOUND;
	if (task->state == TASK_RUNNING) {
		wait_add(&task->waiters, thread, WAIT_TASK);
		return TASK_OK;
	}
	status_give(task, thread);
	if (!task->parent)
		reap(task);
	return TASK_OK;
}
