/* SPDX-License-Identifier: BSD-2-Clause
 * Outcomes of a fault:
 *   the region shows a page of an object    -> map it, with the region's rights
 *   the region mirrors another task         -> as a fault of that task, mapped to the one that faulted
 *   … which has ended                       -> a page of no meaning: nobody is there to see it
 *   no region, or rights it does not have   -> the task ends; through a mirror, the mirrored task does
 */
#include "fault.h"

#include <stddef.h>

#include <l4/message.h>
#include <l4/task.h>

#include "object.h"
#include "region.h"
#include "reply.h"
#include "say.h"
#include "store.h"
#include "task.h"
#include "thread.h"
#include "worker.h"

unsigned long fault_count;

static uint32_t scratch;        /* page shown where a mirrored task has ended */

struct place {
	struct task *task;              /* whose region it is, at the end of all mirrors; NULL: it has ended */
	struct object *object;          /* NULL: no region */
	uint32_t page;
	unsigned rights;
	uint64_t address;               /* seen from that task */
};

int fault_init(void)
{
	scratch = mem_alloc(&store_mem, 1);
	return scratch != MEM_NONE;
}

static struct place place_of(struct task *task, uint64_t address)
{
	struct place place = { .task = task, .address = address, .rights = L4_RIGHT_R | L4_RIGHT_W | L4_RIGHT_X };

	for (unsigned depth = 0; depth < LIMIT_MIRROR_DEPTH && place.task; depth++) {
		struct region *r = region_find(&place.task->map, address);

		if (!r)
			return place;
		place.rights &= r->rights;
		if (r->object) {
			place.object = r->object;
			place.page = (uint32_t)(r->source + (address - r->start) / MEM_PAGE);
			return place;
		}
		address = place.address = r->source + (address - r->start);
		place.task = task_find(r->mirrored);
		if (place.task && place.task->state != TASK_RUNNING)
			place.task = NULL;
	}
	return place;
}

static void answer(struct thread *thread, uint32_t store_page, unsigned rights)
{
	fault_count++;
	reply_map(thread_id(thread_number(thread)), store_page, thread->address & ~(MEM_PAGE - 1), rights);
}

/* The fault is nobody's to serve. */
static void fault_kill(struct thread *thread, const struct place *place)
{
	struct task *faulter = thread_task(thread_number(thread)), *culprit = place->task;
	char access[4] = {
		thread->access & L4_RIGHT_R ? 'r' : '-', thread->access & L4_RIGHT_W ? 'w' : '-',
		thread->access & L4_RIGHT_X ? 'x' : '-', 0,
	};

	if (culprit) {
		say("task %u %s: page fault at 0x%x ip 0x%x access %s: %s; killed", culprit->id, culprit->name,
		    place->address, thread->ip, access, place->object ? "rights" : "no region");
		if (culprit != faulter)
			answer(thread, scratch, L4_RIGHT_R | L4_RIGHT_W);
		task_end(culprit, TASK_STATUS_FAULT);
		return;
	}
	answer(thread, scratch, L4_RIGHT_R | L4_RIGHT_W);
}

static void serve(struct thread *thread, const struct object *present, uint32_t present_page)
{
	struct place place = place_of(thread_task(thread_number(thread)), thread->address);
	struct object *o = place.object;
	uint32_t store_page;

	if (!o || thread->access & ~place.rights) {
		fault_kill(thread, &place);
		return;
	}
	store_page = o->first + place.page;
	if (!object_touched(o, place.page) && !object_needs_fill(o, place.page)) {
		object_touch(o, place.page);
		(void)*(volatile const char *)mem_pointer(&store_mem, store_page);
	} else if (o != present || place.page != present_page) {
		worker_fault(thread, o, place.page);
		return;
	}
	answer(thread, store_page, place.rights);
}

void fault_serve(struct thread *thread)
{
	serve(thread, NULL, 0);
}

void fault_ready(struct thread *thread, const struct object *object, uint32_t page)
{
	serve(thread, object, page);
}

void fault_message(const struct message *message, struct thread *thread)
{
	thread->address = message->mr[1];
	thread->ip = message->mr[2];
	thread->access = (uint8_t)(L4_Label(message->tag) & (L4_RIGHT_R | L4_RIGHT_W | L4_RIGHT_X));
	fault_serve(thread);
}
