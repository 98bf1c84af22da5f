/* SPDX-License-Identifier: BSD-2-Clause
 * ls: the threads of a generation from the kernel's objects, each with the task it belongs to from the pager's tables.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <l4/types.h>

#include "json.h"
#include "objects.h"
#include "pagertab.h"
#include "tool.h"

struct listing {
	struct world   *w;
	struct pagertab pager;
	const struct tool_options *o;
	uint64_t threads;
};

static const char *task_name(const struct listing *l, uint32_t number, const struct tte *e, char text[64])
{
	const struct task *t = pagertab_thread(&l->pager, number);

	if (t)
		snprintf(text, 64, "%" PRIu64 " %s", (uint64_t)t->id, t->name);
	else
		snprintf(text, 64, "%s", l->w->has_record && e->space == l->w->record.root_space ? "(root task)" : "-");
	return text;
}

static void registers_text(const struct tcb *t)
{
	const struct regs *r = &t->frame;

	printf("         rip %016" PRIx64 " rsp %016" PRIx64 " rbp %016" PRIx64 " flags %08" PRIx64 "%s\n", r->rip, r->rsp, r->rbp,
	       r->rflags, t->resume == RESUME_IPC ? "  (returns from Ipc)" : "");
	printf("         rax %016" PRIx64 " rbx %016" PRIx64 " rcx %016" PRIx64 " rdx %016" PRIx64 "\n", r->rax, r->rbx, r->rcx,
	       r->rdx);
	printf("         rsi %016" PRIx64 " rdi %016" PRIx64 "  r8 %016" PRIx64 "  r9 %016" PRIx64 "\n", r->rsi, r->rdi, r->r8,
	       r->r9);
	printf("         r10 %016" PRIx64 " r11 %016" PRIx64 " r12 %016" PRIx64 " r13 %016" PRIx64 "\n", r->r10, r->r11, r->r12,
	       r->r13);
	printf("         r14 %016" PRIx64 " r15 %016" PRIx64 " cpu %.6f s\n", r->r14, r->r15, (double)t->cpu_time_ns / 1e9);
}

static void registers_json(const struct tcb *t)
{
	const struct regs *r = &t->frame;
	const struct { const char *name; uint64_t value; } all[] = {
		{ "rip", r->rip }, { "rsp", r->rsp }, { "rbp", r->rbp }, { "rflags", r->rflags }, { "rax", r->rax },
		{ "rbx", r->rbx }, { "rcx", r->rcx }, { "rdx", r->rdx }, { "rsi", r->rsi }, { "rdi", r->rdi },
		{ "r8", r->r8 }, { "r9", r->r9 }, { "r10", r->r10 }, { "r11", r->r11 }, { "r12", r->r12 },
		{ "r13", r->r13 }, { "r14", r->r14 }, { "r15", r->r15 },
	};

	json_object("registers");
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		json_hex(all[i].name, all[i].value);
	json_end();
	json_number("cpu_ns", t->cpu_time_ns);
}

static void thread_text(const struct listing *l, uint32_t number, const struct tte *e, const struct tcb *tcb)
{
	char task[64], deadline[40] = "-", waits[40] = "-";

	if (e->state != TS_READY) {
		snprintf(waits, sizeof waits, "%s", thread_name(e->partner));
		if (e->deadline != DEADLINE_NEVER && l->w->has_record)
			snprintf(deadline, sizeof deadline, "%+.6f s",
				 (double)(int64_t)(e->deadline - l->w->record.clock_us) / 1e6);
	}
	printf("%9s %5u %4u %-8s %-16s %-10s %-14s %s\n", thread_name((uint64_t)number << 32 | e->version), e->space,
	       e->prio, thread_state(e), thread_kind(e), waits, deadline, task_name(l, number, e, task));
	if (tcb)
		registers_text(tcb);
}

static void thread_json(const struct listing *l, uint32_t number, const struct tte *e, const struct tcb *tcb)
{
	const struct task *t = pagertab_thread(&l->pager, number);

	json_object(NULL);
	json_number("thread", number);
	json_number("version", e->version);
	json_number("space", e->space);
	json_number("slot", e->slot);
	json_number("priority", e->prio);
	json_string("state", thread_state(e));
	json_string("kind", thread_kind(e));
	if (e->state != TS_READY) {
		json_string("partner", thread_name(e->partner));
		if (e->deadline != DEADLINE_NEVER)
			json_number("deadline_us", e->deadline);
	}
	if (t)
		json_number("task", t->id);
	if (tcb)
		registers_json(tcb);
	json_end();
}

static int threads_list(struct listing *l)
{
	static struct tcb tcb;
	struct tte e;
	uint32_t number = 0;
	int status = STORE_OK, worst = TOOL_OK;

	for (; object_thread_next(l->w, &number, &e, &status); number++) {
		const struct tcb *shown = NULL;

		l->threads++;
		if (l->o->registers) {
			int r = object_tcb(l->w, number, &tcb);

			if (r == TOOL_OK)
				shown = &tcb;
			else if (r != TOOL_NOT_FOUND)
				worst = r;
		}
		(l->o->json ? thread_json : thread_text)(l, number, &e, shown);
	}
	return status == STORE_OK ? worst : world_fail(l->w, status, "thread table");
}

static void tasks_list(const struct listing *l)
{
	if (!l->o->json)
		printf("\n     task   parent state     threads    pages regions  name\n");
	for (uint32_t i = 0; l->pager.tasks && i < LIMIT_TASKS; i++) {
		const struct task *t = &l->pager.tasks[i];
		const char *state = t->state == TASK_ZOMBIE ? "zombie" : t->state == TASK_RUNNING ? "running" : "?";

		if (!t->id)
			continue;
		if (!l->o->json) {
			printf("%9" PRIu64 " %8" PRIu64 " %-8s %8" PRIu64 " %8" PRIu64 " %7u  %s\n", (uint64_t)t->id,
			       (uint64_t)t->parent, state, (uint64_t)t->threads, (uint64_t)t->pages, t->map.count, t->name);
			continue;
		}
		json_object(NULL);
		json_number("task", t->id);
		json_string("name", t->name);
		json_number("parent", t->parent);
		json_string("state", state);
		json_signed("status", t->status);
		json_number("threads", t->threads);
		json_number("pages", t->pages);
		json_number("regions", t->map.count);
		json_end();
	}
}

/* Pages of a region that have been given out. */
static uint64_t touched_count(const struct listing *l, const struct task *t, const struct region *r)
{
	static struct task_page page;
	uint64_t n = 0, a = pagertab_next(&l->pager, t, r->start, r->end);

	for (; a < r->end; a = pagertab_next(&l->pager, t, a + STORE_PAGE, r->end)) {
		if (pagertab_page(&l->pager, t, a, &page) != TOOL_OK)
			break;
		n += page.at != 0;
	}
	return n;
}

static void region_show(const struct listing *l, const struct task *t, const struct region *r)
{
	char rights[4] = { r->rights & L4_RIGHT_R ? 'r' : '-', r->rights & L4_RIGHT_W ? 'w' : '-',
			   r->rights & L4_RIGHT_X ? 'x' : '-', 0 };

	if (!l->o->json) {
		printf("%016" PRIx64 " %016" PRIx64 " %s %9" PRIu64, r->start, r->end, rights, (r->end - r->start) / STORE_PAGE);
		if (r->object)
			printf(" %9" PRIu64 "\n", touched_count(l, t, r));
		else
			printf("  mirrors task %" PRIu64 " at %" PRIx64 "\n", r->mirrored, r->source);
		return;
	}
	json_object(NULL);
	json_hex("start", r->start);
	json_hex("end", r->end);
	json_string("rights", rights);
	json_number("pages", (r->end - r->start) / STORE_PAGE);
	if (r->object)
		json_number("touched", touched_count(l, t, r));
	else
		json_number("mirrors", r->mirrored);
	json_end();
}

/* ls --task: the task's address space. */
static int regions_list(struct listing *l)
{
	const struct task *t;
	struct region *list;
	unsigned count;
	int status = pagertab_task(&l->pager, l->w, l->o->task, &t);

	if (status == TOOL_OK)
		status = pagertab_regions(&l->pager, t, &list, &count);
	if (status != TOOL_OK) {
		pagertab_close(&l->pager);
		return status;
	}
	if (l->o->json)
		json_list(NULL);
	else
		printf("task %" PRIu64 " %s\n%-16s %-16s %-3s %9s %9s\n", (uint64_t)t->id, t->name, "start", "end", "", "pages",
		       "touched");
	for (unsigned i = 0; i < count; i++)
		region_show(l, t, &list[i]);
	if (l->o->json)
		json_end();
	free(list);
	pagertab_close(&l->pager);
	return TOOL_OK;
}

static int list(struct listing *l)
{
	int status, tables = pagertab_open(&l->pager, l->w);

	if (l->o->json) {
		json_object(NULL);
		json_number("generation", l->w->mount.generation);
		json_list("threads");
	} else {
		printf("generation %" PRIu64 ", persistent clock %.6f s\n", l->w->mount.generation, (double)l->w->record.clock_us / 1e6);
		printf("   thread space prio state    what             partner    deadline       task\n");
	}
	status = threads_list(l);
	if (l->o->json) {
		json_end();
		json_list("tasks");
	}
	tasks_list(l);
	if (l->o->json) {
		json_end();
		json_bool("tables_found", tables == TOOL_OK);
		json_end();
	} else if (tables != TOOL_OK) {
		printf("no tables of the pager found: another root task, or another version of it\n");
	}
	pagertab_close(&l->pager);
	return status;
}

static int ls(const struct tool_options *o, struct world *w)
{
	struct listing l = { .o = o, .w = w };

	return o->task ? regions_list(&l) : list(&l);
}

int cmd_ls(const struct tool_options *o)
{
	return world_with(o, o->generation, ls);
}
