/* SPDX-License-Identifier: BSD-2-Clause
 * diff: which pages differ between two generations; kernel objects by name, the others counted by what they belong to:
 * the task whose memory a page of the store is, as the newer generation's pager has it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "objects.h"
#include "pair.h"
#include "pagertab.h"
#include "tool.h"

struct extent {                         /* of the store, and the task whose it is */
	uint64_t first, end, task;
};

struct diff {
	struct world    from, to;
	struct pagertab pager;
	bool            json;
	struct extent  *extents;
	size_t          extent_count, extent_room;
	uint64_t        count[3];
	uint64_t       *of_task;        /* changed pages, by slot */
	uint64_t        of_root, of_others;
};

static const char *const kind_names[] = {
	[PAIR_ADDED] = "added", [PAIR_CHANGED] = "changed", [PAIR_GONE] = "gone",
};

static void extent_add(struct diff *d, const struct object *o, uint64_t task)
{
	if (d->extent_count == d->extent_room) {
		d->extent_room = d->extent_room ? 2 * d->extent_room : 256;
		d->extents = realloc(d->extents, d->extent_room * sizeof *d->extents);
		if (!d->extents)
			exit(tool_fail(TOOL_IO, "not enough memory"));
	}
	d->extents[d->extent_count++] = (struct extent){ o->first, (uint64_t)o->first + o->pages, task };
}

static int extent_order(const void *a, const void *b)
{
	const struct extent *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

static void extents_collect(struct diff *d)
{
	for (uint32_t i = 0; d->pager.tasks && i < LIMIT_TASKS; i++) {
		const struct task *t = &d->pager.tasks[i];
		struct region *list;
		struct object o;
		unsigned count;

		if (!t->id || pagertab_regions(&d->pager, t, &list, &count) != TOOL_OK)
			continue;
		for (unsigned k = 0; k < count; k++)
			if (list[k].object && pagertab_object(&d->pager, &list[k], &o) == TOOL_OK)
				extent_add(d, &o, t->id);
		free(list);
	}
	if (d->extent_count)
		qsort(d->extents, d->extent_count, sizeof *d->extents, extent_order);
}

static uint64_t task_of(const struct diff *d, uint64_t page)
{
	size_t low = 0, high = d->extent_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (d->extents[middle].first <= page)
			low = middle + 1;
		else
			high = middle;
	}
	return low && page < d->extents[low - 1].end ? d->extents[low - 1].task : 0;
}

static void page_count(struct diff *d, const struct pair_item *it)
{
	uint64_t task = 0;

	if (d->to.has_record && it->client == d->to.record.root_space) {
		task = task_of(d, it->vpn);
		if (task)
			d->of_task[task % LIMIT_TASKS]++;
		else
			d->of_root++;
	} else if (it->client) {
		d->of_others++;
	}
	if (!d->json)
		return;
	json_object(NULL);
	json_string("what", kind_names[it->kind]);
	json_number("client", it->client);
	json_hex("page", it->vpn);
	if (!it->client)
		json_string("object", object_name(it->vpn));
	if (task)
		json_number("task", task);
	json_end();
}

static int on_item(void *ctx, const struct pair_item *it)
{
	struct diff *d = ctx;

	d->count[it->kind]++;
	page_count(d, it);
	if (!it->client && !d->json)
		printf("%-8s%s\n", kind_names[it->kind], object_name(it->vpn));
	return 0;
}

static void summary(const struct diff *d)
{
	for (uint32_t i = 0; d->pager.tasks && i < LIMIT_TASKS; i++)
		if (d->of_task[i])
			printf("task %" PRIu64 " %s: %" PRIu64 " pages of memory\n", (uint64_t)d->pager.tasks[i].id,
			       d->pager.tasks[i].name, d->of_task[i]);
	if (d->of_root)
		printf("root task: %" PRIu64 " pages of its own, or of tasks that have ended\n", d->of_root);
	if (d->of_others)
		printf("other clients: %" PRIu64 " pages\n", d->of_others);
	printf("generation %" PRIu64 " -> %" PRIu64 ": %" PRIu64 " pages added, %" PRIu64 " changed, %" PRIu64 " gone\n",
	       d->from.mount.generation, d->to.mount.generation, d->count[PAIR_ADDED], d->count[PAIR_CHANGED],
	       d->count[PAIR_GONE]);
}

static int compare(struct diff *d)
{
	int status;

	pagertab_open(&d->pager, &d->to);
	d->of_task = calloc(LIMIT_TASKS, sizeof *d->of_task);
	if (!d->of_task)
		return tool_fail(TOOL_IO, "not enough memory");
	extents_collect(d);
	if (d->json) {
		json_object(NULL);
		json_number("from", d->from.mount.generation);
		json_number("to", d->to.mount.generation);
		json_list("pages");
	}
	status = pair_walk(&d->from, &d->to, on_item, d);
	if (d->json) {
		json_end();
		for (unsigned k = 0; k < 3; k++)
			json_number(kind_names[k], d->count[k]);
		json_end();
	} else {
		summary(d);
	}
	pagertab_close(&d->pager);
	free(d->extents);
	free(d->of_task);
	if (status != STORE_OK)
		return world_fail(&d->to, status, "comparing");
	return d->count[0] + d->count[1] + d->count[2] ? TOOL_PROBLEM : TOOL_OK;
}

/* Which two: the arguments, else the newest and the one kept before it. */
static int generations_choose(const struct tool_options *o, struct world *newest, const char **from, const char **to)
{
	static char before[24];
	const struct fmt_generation *list;
	unsigned count = world_kept(newest, &list);

	if (o->argc > 2)
		return tool_fail(TOOL_USAGE, "diff: perdurectl diff IMAGE [OLD [NEW]]");
	if (!o->argc && count < 2)
		return tool_fail(TOOL_NOT_FOUND, "%s: no second generation is kept", o->image);
	snprintf(before, sizeof before, "%" PRIu64, count > 1 ? list[1].generation : 0);
	*from = o->argc ? o->args[0] : before;
	*to = o->argc > 1 ? o->args[1] : NULL;
	return TOOL_OK;
}

int cmd_diff(const struct tool_options *o)
{
	struct diff d = { .json = o->json };
	const char *from, *to;
	struct image img;
	int status = image_open(&img, o->image, false);

	if (status != TOOL_OK)
		return status;
	status = world_open(&d.to, &img, NULL);
	if (status == TOOL_OK) {
		status = generations_choose(o, &d.to, &from, &to);
		world_close(&d.to);
	}
	if (status == TOOL_OK)
		status = world_open(&d.to, &img, to);
	if (status == TOOL_OK)
		status = world_open(&d.from, &img, from);
	if (status == TOOL_OK)
		status = compare(&d);
	world_close(&d.from);
	world_close(&d.to);
	image_close(&img);
	return status;
}
