/* SPDX-License-Identifier: BSD-2-Clause
 * The owners of pages: extents of all tasks, sorted. See owners.h. */
#include "owners.h"

#include <l4/task.h>
#include <l4/term.h>
#include <l4/string.h>

enum { TASKS_MAX = 1024, EXTENTS_MAX = 16384 };

static struct { unsigned long id, pages; char name[TASK_NAME_MAX]; } task[TASKS_MAX];
static struct extent { unsigned long first, end; unsigned int task; } extent[EXTENTS_MAX];
static unsigned int tasks, extents;
static unsigned long rest;

/* How many extents begin at or below a page. */
static unsigned int begun(unsigned long page)
{
	unsigned int low = 0, high = extents;

	while (low < high) {
		unsigned int middle = (low + high) / 2;

		if (extent[middle].first <= page)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Memory that several tasks share is the first one's. */
static void extent_add(const struct task_extent *e, unsigned int owner)
{
	unsigned int at = begun(e->first);

	if (!e->pages || extents == EXTENTS_MAX || (at && extent[at - 1].end > e->first))
		return;
	memmove(extent + at + 1, extent + at, (extents++ - at) * sizeof *extent);
	extent[at] = (struct extent){ e->first, e->first + e->pages, owner };
}

static void task_read(unsigned int owner)
{
	struct task_extent e[TASK_EXTENTS_MAX];
	long n;

	for (unsigned long from = 0; (n = task_extents(task[owner].id, from, e)) > 0; from += (unsigned long)n)
		for (long i = 0; i < n; i++)
			extent_add(&e[i], owner);
}

void owners_read(void)
{
	struct task_info info;
	unsigned long from = 0;

	tasks = extents = 0;
	rest = 0;
	for (; tasks < TASKS_MAX && task_info(from, &info) == TASK_OK; from = info.id + 1) {
		task[tasks].id = info.id;
		task[tasks].pages = 0;
		memcpy(task[tasks].name, info.name, TASK_NAME_MAX);
		task_read(tasks++);
	}
}

void owners_count(unsigned long first, unsigned long pages)
{
	unsigned long end = first + pages;

	while (first < end) {
		unsigned int next = begun(first);
		unsigned long stop = next < extents && extent[next].first < end ? extent[next].first : end;

		if (next && extent[next - 1].end > first) {
			if (stop > extent[next - 1].end)
				stop = extent[next - 1].end;
			task[extent[next - 1].task].pages += stop - first;
		} else {
			rest += stop - first;
		}
		first = stop;
	}
}

static void print_pages(unsigned long pages)
{
	L4_TermPrintf(": %lu page%s", pages, pages == 1 ? "" : "s");
}

void owners_print(void)
{
	for (unsigned int i = 0; i < tasks; i++) {
		if (!task[i].pages)
			continue;
		L4_TermPrintf("task %lu %s", task[i].id, task[i].name);
		print_pages(task[i].pages);
		L4_TermPrintf(" of memory\n");
	}
	if (!rest)
		return;
	L4_TermPrintf("root task");
	print_pages(rest);
	L4_TermPrintf(" of its own, or of tasks that have ended\n");
}
