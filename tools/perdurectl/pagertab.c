/* SPDX-License-Identifier: BSD-2-Clause
 * Reading the pager's tables as pager/fault.c would: address -> region -> (mirrors) -> object -> page of the store. A page
 * that was not given out yet has what its program's file says, or zeros.
 */
#include "pagertab.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

#define IMAGE_FIRST     0x400000ul      /* where the pager is linked */
#define IMAGE_END       0x40000000ul    /* the boot archive stands there */

/* The anchor lies in the pager's own constants, which come before anything else in the store. */
static bool anchor_find(struct world *w, struct pager_anchor *a)
{
	static _Alignas(16) uint8_t page[STORE_PAGE];
	struct store_op op = { .client = w->record.root_space, .vpn = IMAGE_FIRST / STORE_PAGE,
			       .end = IMAGE_END / STORE_PAGE };

	for (; store_sync(w->st, &op, store_next(w->st, &op)) == STORE_OK; op.vpn++) {
		if (world_page(w, op.client, op.vpn, page, NULL) != STORE_OK)
			continue;
		for (size_t i = 0; i < STORE_PAGE; i += 16) {
			memcpy(a, page + i, 16);
			if (a->magic[0] == ANCHOR_MAGIC0 && a->magic[1] == ANCHOR_MAGIC1)
				return world_bytes(w, op.vpn * STORE_PAGE + i, a, sizeof *a) == STORE_OK;
		}
	}
	return false;
}

static bool anchor_known(const struct pager_anchor *a)
{
	return a->version == ANCHOR_VERSION && a->anchor_bytes == sizeof *a && a->task_limit == LIMIT_TASKS &&
	       a->task_bytes == sizeof(struct task) && a->region_bytes == sizeof(struct region) &&
	       a->object_bytes == sizeof(struct object) && a->thread_chunk == THREAD_CHUNK;
}

/* The regions of the task looked at last. */
static struct {
	const struct task *task;
	struct region     *list;
	unsigned           count;
	int                status;
} recent;

static void recent_forget(void)
{
	free(recent.list);
	memset(&recent, 0, sizeof recent);
}

/* It is printed: nothing but text may be in it. */
static void name_mend(char name[TASK_NAME_MAX])
{
	name[TASK_NAME_MAX - 1] = 0;
	for (; *name; name++)
		if (*name < ' ' || *name > '~')
			*name = '?';
}

int pagertab_open(struct pagertab *p, struct world *w)
{
	recent_forget();
	memset(p, 0, sizeof *p);
	p->w = w;
	if (!w->has_record || !anchor_find(w, &p->anchor) || !anchor_known(&p->anchor))
		return TOOL_NOT_FOUND;
	p->tasks = calloc(LIMIT_TASKS, sizeof(struct task));
	if (!p->tasks)
		return tool_fail(TOOL_IO, "not enough memory");
	for (uint32_t i = 0; i < LIMIT_TASKS; i++) {
		struct task *t = &p->tasks[i];
		uint64_t at = (uintptr_t)p->anchor.tasks + i * sizeof *t;

		if (world_bytes(w, at, t, sizeof *t) != STORE_OK || t->id % LIMIT_TASKS != i)
			t->id = 0;
		name_mend(t->name);
	}
	return TOOL_OK;
}

void pagertab_close(struct pagertab *p)
{
	recent_forget();
	free(p->tasks);
	p->tasks = NULL;
}

int pagertab_task(struct pagertab *p, struct world *w, const char *id_or_name, const struct task **task)
{
	if (pagertab_open(p, w) != TOOL_OK)
		return tool_fail(TOOL_NOT_FOUND, "no tables of the pager found: another root task, or another version of it");
	*task = pagertab_find(p, id_or_name);
	return *task ? TOOL_OK : tool_fail(TOOL_NOT_FOUND, "no task %s in generation %" PRIu64, id_or_name, w->mount.generation);
}

static const struct task *by_id(const struct pagertab *p, uint64_t id)
{
	const struct task *t = &p->tasks[id % LIMIT_TASKS];

	return id && t->id == id ? t : NULL;
}

const struct task *pagertab_find(const struct pagertab *p, const char *id_or_name)
{
	const struct task *best = NULL;
	uint64_t id;

	if (number_plain(id_or_name, &id))
		return by_id(p, id);
	for (uint32_t i = 0; i < LIMIT_TASKS; i++) {
		const struct task *t = &p->tasks[i];

		if (t->id && !strcmp(t->name, id_or_name) && (!best || t->id > best->id))
			best = t;
	}
	return best;
}

const struct task *pagertab_thread(const struct pagertab *p, uint32_t number)
{
	if (!p->tasks || number < THREAD_FIRST)
		return NULL;
	for (uint32_t i = 0; i < LIMIT_TASKS; i++)
		for (unsigned k = 0; p->tasks[i].id && k < THREAD_CHUNKS_PER_TASK; k++)
			if (p->tasks[i].chunk[k] == number / THREAD_CHUNK &&
			    p->tasks[i].used[k] >> (number % THREAD_CHUNK) & 1)
				return &p->tasks[i];
	return NULL;
}

static bool region_sane(const struct region *r)
{
	return r->start < r->end && r->end <= TASK_SPACE_END && !(r->start % STORE_PAGE) && !(r->end % STORE_PAGE);
}

int pagertab_regions(const struct pagertab *p, const struct task *task, struct region **list, unsigned *count)
{
	uint32_t n = task->map.count, kept = 0;
	int status;

	*list = NULL;
	*count = 0;
	if (!n)
		return TOOL_OK;
	if (n > LIMIT_REGIONS)
		return tool_fail(TOOL_DAMAGED, "task %" PRIu64 ": its list of regions makes no sense", (uint64_t)task->id);
	*list = calloc(n, sizeof **list);
	if (!*list)
		return tool_fail(TOOL_IO, "not enough memory");
	status = world_bytes(p->w, (uintptr_t)task->map.list, *list, n * sizeof **list);
	if (status != STORE_OK) {
		free(*list);
		*list = NULL;
		return world_fail(p->w, status, "the pager's list of regions");
	}
	for (uint32_t i = 0; i < n; i++)
		if (region_sane(&(*list)[i]))
			(*list)[kept++] = (*list)[i];
	*count = kept;
	return TOOL_OK;
}

int pagertab_object(const struct pagertab *p, const struct region *r, struct object *o)
{
	int status = world_bytes(p->w, (uintptr_t)r->object, o, sizeof *o);

	if (status != STORE_OK)
		return world_fail(p->w, status, "the pager's record of a memory object");
	if (!o->pages || r->source >= o->pages || (r->end - r->start) / STORE_PAGE > o->pages - r->source ||
	    (uint64_t)o->first + o->pages > p->w->record.store_pages)
		return tool_fail(TOOL_DAMAGED, "the region at 0x%" PRIx64 " does not fit its object", r->start);
	return TOOL_OK;
}

/* Is the object's page marked as given out? */
static int touched_get(const struct pagertab *p, const struct region *r, const struct object *o, uint64_t page, bool *out)
{
	uint64_t word, bits = (uintptr_t)o->bits;
	int status;

	if (o->pages <= OBJECT_INLINE_BITS)     /* they stand in the object, wherever the pointer says it is */
		bits = (uintptr_t)r->object + offsetof(struct object, inline_bits);
	status = world_bytes(p->w, bits + page / 64 * 8, &word, 8);
	*out = word >> (page % 64) & 1;
	return status == STORE_OK ? TOOL_OK : world_fail(p->w, status, "the pager's marks of used pages");
}

/* The part of a page that comes from a file, as object_fill_of in pager/object.c has it. */
static int fill(const struct pagertab *p, const struct object *o, uint64_t index, struct task_page *page)
{
	uint64_t begin = index * STORE_PAGE, end = begin + STORE_PAGE, to = o->skew + o->length;
	int status;

	if (!o->bytes || to < o->skew || begin >= to || end <= o->skew)
		return TOOL_OK;
	begin = begin < o->skew ? o->skew : begin;
	end = end > to ? to : end;
	page->touched = true;
	status = world_bytes(p->w, (uintptr_t)o->bytes + (begin - o->skew), page->content + begin % STORE_PAGE, end - begin);
	return status == STORE_OK ? TOOL_OK : world_fail(p->w, status, "a program's file in the archive");
}

static int object_page(const struct pagertab *p, const struct region *r, uint64_t address, struct task_page *page)
{
	struct object o;
	uint64_t index;
	bool touched;
	int status = pagertab_object(p, r, &o);

	if (status != TOOL_OK)
		return status;
	index = r->source + (address - r->start) / STORE_PAGE;
	status = touched_get(p, r, &o, index, &touched);
	if (status != TOOL_OK)
		return status;
	if (!touched)
		return fill(p, &o, index, page);
	page->touched = true;
	page->at = (uint64_t)o.first + index;
	status = world_page(p->w, p->w->record.root_space, page->at, page->content, NULL);
	return status == STORE_OK ? TOOL_OK : world_fail(p->w, status, "a page of the task");
}

static int recent_load(const struct pagertab *p, const struct task *task)
{
	if (recent.task != task) {
		recent_forget();
		recent.task = task;
		recent.status = pagertab_regions(p, task, &recent.list, &recent.count);
	}
	return recent.status;
}

int pagertab_page(const struct pagertab *p, const struct task *task, uint64_t address, struct task_page *page)
{
	memset(page, 0, sizeof *page);
	for (unsigned depth = 0; depth < LIMIT_MIRROR_DEPTH && task; depth++) {
		struct region r = { 0 };
		int status = recent_load(p, task);

		for (unsigned i = 0; i < recent.count; i++)
			if (recent.list[i].start <= address && address < recent.list[i].end)
				r = recent.list[i];
		if (status != TOOL_OK)
			return status;
		if (!r.end)
			return TOOL_NOT_FOUND;
		if (r.object)
			return object_page(p, &r, address & ~(uint64_t)(STORE_PAGE - 1), page);
		address = r.source + (address - r.start);
		task = by_id(p, r.mirrored);
	}
	return TOOL_NOT_FOUND;
}

/* ---- Looking for content ---- */

#define LOOKS_MAX       100000u        /* at regions, in one search: mirrors of mirrors in circles are not followed for ever */

static unsigned looks;

/* Does a file fill one of these pages? */
static bool filled(const struct object *o, uint64_t first, uint64_t end)
{
	return o->bytes && o->length && o->skew / STORE_PAGE < end && (o->skew + o->length - 1) / STORE_PAGE >= first;
}

static uint64_t object_next(const struct pagertab *p, const struct region *r, uint64_t from, uint64_t end)
{
	uint64_t base = (r->start / STORE_PAGE) - r->source, index = from / STORE_PAGE - base, last = end / STORE_PAGE - base;
	uint64_t bits, word;
	struct object o;

	if (pagertab_object(p, r, &o) != TOOL_OK)
		return from;
	bits = o.pages <= OBJECT_INLINE_BITS ? (uintptr_t)r->object + offsetof(struct object, inline_bits) : (uintptr_t)o.bits;
	while (index < last) {
		uint64_t stop = (index / 64 + 1) * 64;

		if (world_bytes(p->w, bits + index / 64 * 8, &word, 8) != STORE_OK)
			break;
		word >>= index % 64;
		for (; index < stop && index < last && (word || filled(&o, index, stop)); index++, word >>= 1)
			if (word & 1 || filled(&o, index, index + 1))
				return (index + base) * STORE_PAGE;
		if (index < stop)
			index = stop;
	}
	return index < last ? (index + base) * STORE_PAGE : end;
}

static uint64_t space_next(const struct pagertab *p, const struct task *task, uint64_t from, uint64_t end, unsigned depth)
{
	struct region *list;
	uint64_t found = end;
	unsigned count;

	if (pagertab_regions(p, task, &list, &count) != TOOL_OK)
		return end;
	for (unsigned i = 0; i < count && found == end && ++looks < LOOKS_MAX; i++) {
		const struct region *r = &list[i];
		uint64_t a = from > r->start ? from : r->start, e = end < r->end ? end : r->end, at = e;
		const struct task *other = r->object ? NULL : by_id(p, r->mirrored);

		if (a >= e)
			continue;
		if (r->object)
			at = object_next(p, r, a, e);
		else if (other && depth < LIMIT_MIRROR_DEPTH && r->source <= TASK_SPACE_END && !(r->source % STORE_PAGE))
			at = space_next(p, other, a - r->start + r->source, e - r->start + r->source, depth + 1) - r->source +
			     r->start;
		if (at < e)
			found = at;
	}
	free(list);
	return found;
}

uint64_t pagertab_next(const struct pagertab *p, const struct task *task, uint64_t from, uint64_t end)
{
	looks = 0;
	return space_next(p, task, from, end, 0);
}
