/* SPDX-License-Identifier: BSD-2-Clause
 * Requests about memory: anonymous, shared and mirror regions.
 */
#include "request.h"

#include <l4/string.h>
#include <l4/task.h>

#include "region.h"
#include "share.h"
#include "store.h"
#include "task.h"

#define PIECE_BYTES     (64UL << 20)
#define RIGHTS          (L4_RIGHT_R | L4_RIGHT_W | L4_RIGHT_X)

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

static long address_choose(const struct task *task, uint64_t *address, uint64_t size)
{
	if (*address)
		return range_good(*address, size) ? TASK_OK : TASK_E_INVAL;
	*address = region_gap(&task->map, TASK_ARENA_BASE, TASK_ARENA_END, size);
	return *address ? TASK_OK : TASK_E_NOMEM;
}

/* Choose or check the address of a new region whose size and rights are given, and insert it. Drops the object's reference on an
 * error. */
static long region_place(struct request *r, struct region *region, uint64_t address, uint64_t size)
{
	long error = region->rights ? address_choose(r->task, &address, size) : TASK_E_INVAL;

	region->start = address;
	region->end = address + size;
	if (!error)
		error = region_insert(&store_mem, &r->task->map, region);
	if (error && region->object)
		object_put(region->object);
	r->result[0] = address;
	r->results = 1;
	return error;
}

/* 0: not a set of rights, or none. */
static unsigned rights_word(L4_Word_t word)
{
	return word & ~(L4_Word_t)RIGHTS ? 0 : (unsigned)word;
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

/* Memory comes in pieces, each an object with one extent of the store: so a fragmented store can still serve large requests. */
static long pieces_map(struct request *r, uint64_t at, uint64_t end, unsigned rights, enum object_heap heap)
{
	long error = TASK_OK;

	while (!error && at < end) {
		struct region region = { .rights = rights };
		uint64_t size = end - at < PIECE_BYTES ? end - at : PIECE_BYTES;

		error = task_object(r->task, size / MEM_PAGE, heap, &region.object);
		if (!error)
			error = region_place(r, &region, at, size);
		at += size;
	}
	return error;
}

long request_map(struct request *r)
{
	uint64_t address = r->mr[1], size = size_round(r->mr[2]), end;
	unsigned rights = rights_word(r->mr[3] & ~(L4_Word_t)TASK_VOLATILE);
	enum object_heap heap = r->mr[3] & TASK_VOLATILE ? OBJECT_VOLATILE : OBJECT_PERSISTENT;
	long error = size && rights ? address_choose(r->task, &address, size) : TASK_E_INVAL;

	if (error)
		return error;
	if (!region_free(&r->task->map, address, address + size))
		return TASK_E_EXISTS;
	end = address + size;
	error = pieces_map(r, address, end, rights, heap);
	if (error) {
		cutting = r->task;
		(void)region_cut(&store_mem, &r->task->map, address, end, piece_gone);
	}
	r->result[0] = address;
	return error;
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
	error = task_object(r->task, size / MEM_PAGE, OBJECT_PERSISTENT, &object);
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

long request_extents(struct request *r)
{
	struct task *task = task_find(r->mr[1]);
	struct task_extent extent[TASK_EXTENTS_MAX];
	unsigned n = 0;

	_Static_assert(1 + TASK_EXTENTS_MAX * 2 <= sizeof r->result / sizeof *r->result, "fits the answer");
	if (!task)
		return TASK_E_NOTFOUND;
	for (L4_Word_t i = r->mr[2]; i < task->map.count && n < TASK_EXTENTS_MAX; i++) {
		const struct object *object = task->map.list[i].object;

		extent[n++] = object ? (struct task_extent){ object->first, object->pages } : (struct task_extent){ 0, 0 };
	}
	r->result[0] = task->map.count;
	memcpy(&r->result[1], extent, n * sizeof *extent);
	r->results = 1 + 2 * n;
	return TASK_OK;
}
