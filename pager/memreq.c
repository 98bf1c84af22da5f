/* SPDX-License-Identifier: BSD-2-Clause
 * Requests about memory: anonymous, shared and mirror regions.
 */
#include "request.h"

#include <l4/task.h>

#include "region.h"
#include "share.h"
#include "store.h"
#include "task.h"

#define RIGHTS (L4_RIGHT_R | L4_RIGHT_W | L4_RIGHT_X)

static int range_good(uint64_t address, uint64_t size)
{
	if (address % MEM_PAGE || address < MEM_PAGE || address >= TASK_SPACE_END || size > TASK_SPACE_END - address)
		return 0;
	return address + size <= TASK_RESERVED_BASE || address >= TASK_RESERVED_END;
}

/* Round a size up to pages; 0: it is nothing, or too much. */
static uint64_t size_round(uint64_t size)
{
	return size > TASK_SPACE_END ? 0 : (size + MEM_PAGE - 1) & ~(MEM_PAGE - 1);
}

/* Choose or check the address of a new region whose size and rights are given, and insert it. Drops the object's reference on an
 * error. */
static long region_place(struct request *r, struct region *region, uint64_t address, uint64_t size)
{
	long error = TASK_E_INVAL;

	if (!region->rights || region->rights & ~(unsigned)RIGHTS)
		goto refused;
	if (address) {
		if (!range_good(address, size))
			goto refused;
	} else {
		address = region_gap(&r->task->map, TASK_ARENA_BASE, TASK_ARENA_END, size);
		error = TASK_E_NOMEM;
		if (!address)
			goto refused;
	}
	region->start = address;
	region->end = address + size;
	error = region_insert(&store_mem, &r->task->map, region);
	if (error)
		goto refused;
	r->result[0] = address;
	r->results = 1;
	return TASK_OK;
refused:
	if (region->object)
		object_put(region->object);
	return error;
}

static unsigned rights_word(L4_Word_t word)
{
	return word & ~(L4_Word_t)RIGHTS ? 0 : (unsigned)word;
}

long request_map(struct request *r)
{
	uint64_t size = size_round(r->mr[2]);
	struct region region = { .rights = rights_word(r->mr[3]) };
	long error;

	if (!size)
		return TASK_E_INVAL;
	error = task_object(r->task, size / MEM_PAGE, &region.object);
	if (error)
		return error;
	return region_place(r, &region, r->mr[1], size);
}

static struct task *cutting;

static void piece_gone(const struct region *piece)
{
	struct object *o = piece->object;
	uint32_t count = (uint32_t)((piece->end - piece->start) / MEM_PAGE);

	if (!o)
		return;
	share_drop_object(cutting->id, o);
	/* The last region of it that goes takes its content along (object_put); what a worker still reads stays. */
	if (o->shared)
		store_revoke(o->first + (uint32_t)piece->source, count);
	else
		object_drop(o, (uint32_t)piece->source, count);
}

long request_unmap(struct request *r)
{
	uint64_t size = size_round(r->mr[2]);

	if (!size || !range_good(r->mr[1], size))
		return TASK_E_INVAL;
	cutting = r->task;
	return region_cut(&store_mem, &r->task->map, r->mr[1], r->mr[1] + size, piece_gone);
}

long request_share_create(struct request *r)
{
	const char *name = request_name(r, 4);
	uint64_t size = size_round(r->mr[2]);
	struct region region = { .rights = rights_word(r->mr[3]) };
	struct object *object;
	long error;

	if (!name || !size)
		return TASK_E_INVAL;
	if (share_find(name))
		return TASK_E_EXISTS;
	error = task_object(r->task, size / MEM_PAGE, &object);
	if (error)
		return error;
	object->shared = 1;
	region.object = object;
	object_get(object);                     /* for this function: region_place takes the other one */
	error = region_place(r, &region, r->mr[1], size);
	if (!error && !share_add(name, object, r->task->id, region.rights)) {
		cutting = r->task;
		(void)region_cut(&store_mem, &r->task->map, region.start, region.end, piece_gone);
		error = TASK_E_NOMEM;
	}
	object_put(object);
	return error;
}

long request_share_attach(struct request *r)
{
	const char *name = request_name(r, 3);
	struct region region = { .rights = rights_word(r->mr[2]) };
	struct share *share;
	uint64_t size;
	long error;

	if (!name)
		return TASK_E_INVAL;
	share = share_find(name);
	if (!share)
		return TASK_E_NOTFOUND;
	if (region.rights & ~share->rights)
		return TASK_E_PERM;
	region.object = share->object;
	object_get(region.object);
	size = region.object->pages * MEM_PAGE;
	error = region_place(r, &region, r->mr[1], size);
	r->result[1] = size;
	r->results = 2;
	return error;
}

long request_mirror(struct request *r)
{
	struct task *task = task_find(r->mr[1]);
	uint64_t base = r->mr[2], size = size_round(r->mr[3]);
	struct region region = { .rights = rights_word(r->mr[5]), .source = base, .mirrored = r->mr[1] };

	if (!task || task->state != TASK_RUNNING)
		return TASK_E_NOTFOUND;
	if (task == r->task || (task->pager_task != r->task->id && !task_controls(r->task, task)))
		return TASK_E_PERM;
	if (!size || base % MEM_PAGE || base >= TASK_SPACE_END || size > TASK_SPACE_END - base)
		return TASK_E_INVAL;
	return region_place(r, &region, r->mr[4], size);
}
