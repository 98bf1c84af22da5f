/* SPDX-License-Identifier: BSD-2-Clause
 * core: an address space of a generation as a core file: every thread with its registers, the memory of its regions and
 * the threads' UTCBs. A task's memory is found through the pager's tables; the root task's own is its store.
 *
 * Which space: that of the thread asked for; of the first thread of the task; of the root task.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <l4/types.h>

#include "corefile.h"
#include "json.h"
#include "objects.h"
#include "output.h"
#include "pagertab.h"
#include "tool.h"

#define THREADS_MAX     SPACE_SLOTS
#define GAP_PAGES       256u            /* of nothing, inside one range of the root task */

struct coring {
	struct world   *w;
	struct pagertab pager;
	const struct tool_options *o;
	const struct task *task;        /* NULL: the root task, or memory unknown */
	bool            root;
	uint32_t        thread;         /* that was asked for */
	uint16_t        space;
	uint32_t        threads[THREADS_MAX];   /* numbers; the one asked for first */
	unsigned        count;
	struct corefile file;
	struct output   out;
	uint64_t        pages;
};

/* All threads of the space; the one asked for comes first. */
static int threads_collect(struct coring *c, uint32_t first)
{
	struct tte e;
	uint32_t number = 0;
	int status = STORE_OK;

	c->threads[c->count++] = first;
	for (; object_thread_next(c->w, &number, &e, &status); number++)
		if (e.space == c->space && number != first && c->count < THREADS_MAX)
			c->threads[c->count++] = number;
	return status == STORE_OK ? TOOL_OK : world_fail(c->w, status, "thread table");
}

static int thread_entry(struct coring *c, uint32_t number, struct tte *e)
{
	uint32_t found = number;
	int status = STORE_OK;

	if (object_thread_next(c->w, &found, e, &status) && found == number)
		return TOOL_OK;
	if (status != STORE_OK)
		return world_fail(c->w, status, "thread table");
	return tool_fail(TOOL_NOT_FOUND, "no thread %u in generation %" PRIu64, number, c->w->mount.generation);
}

/* The lowest thread number of a task, or of the root task's space. */
static int first_thread(struct coring *c, uint32_t *first)
{
	struct tte e;
	int status = STORE_OK;

	for (*first = 0; object_thread_next(c->w, first, &e, &status); ++*first)
		if (c->root ? e.space == c->w->record.root_space : pagertab_thread(&c->pager, *first) == c->task)
			return TOOL_OK;
	if (status != STORE_OK)
		return world_fail(c->w, status, "thread table");
	return tool_fail(TOOL_NOT_FOUND, "%s has no thread", c->root ? "the root task" : c->task->name);
}

static int target_find(struct coring *c)
{
	const struct tool_options *o = c->o;
	uint32_t first = c->thread;
	struct tte e;
	int status;

	c->root = o->store;
	if (c->root && !c->w->has_record)
		return tool_fail(TOOL_NOT_FOUND, "generation %" PRIu64 " has no record of a root task", c->w->mount.generation);
	if (!o->task)
		pagertab_open(&c->pager, c->w);         /* without its tables a thread may still be the root task's */
	status = o->task ? pagertab_task(&c->pager, c->w, o->task, &c->task) : TOOL_OK;
	if (status != TOOL_OK)
		return status;
	status = o->thread ? TOOL_OK : first_thread(c, &first);
	if (status == TOOL_OK)
		status = thread_entry(c, first, &e);
	if (status != TOOL_OK)
		return status;
	c->space = e.space;
	c->root = c->w->has_record && e.space == c->w->record.root_space;
	if (!c->root && !c->task)
		c->task = pagertab_thread(&c->pager, first);
	if (!c->root && !c->task)
		return tool_fail(TOOL_NOT_FOUND, "thread %u belongs to no task whose memory could be found", first);
	return threads_collect(c, first);
}

/* ---- Threads inside system calls ---- */

/* How libl4's stubs end (__L4_CALL): popq %rbp; leaq 128(%rsp), %rsp. Debug information does not know of the detour. */
static const uint8_t call_end[] = { 0x5d, 0x48, 0x8d, 0xa4, 0x24, 0x80, 0x00, 0x00, 0x00 };
#define CALL_FRAME      (8 + 128)
#define STUB_PAGE       0xffffffffffe00000ul

static bool memory_read(struct coring *c, uint64_t address, void *buf, size_t bytes)
{
	static struct task_page page;

	if (c->root)
		return world_bytes(c->w, address, buf, bytes) == STORE_OK;
	while (bytes) {
		size_t at = address % STORE_PAGE, n = STORE_PAGE - at < bytes ? STORE_PAGE - at : bytes;

		if (pagertab_page(&c->pager, c->task, address, &page) != TOOL_OK)
			return false;
		memcpy(buf, page.content + at, n);
		buf = (char *)buf + n;
		address += n;
		bytes -= n;
	}
	return true;
}

static bool call_ends_at(struct coring *c, uint64_t address)
{
	uint8_t code[sizeof call_end];

	return memory_read(c, address, code, sizeof code) && !memcmp(code, call_end, sizeof code);
}

/* A thread in a system call is shown as having come back from it: where a debugger can unwind. */
static void call_leave(struct coring *c, struct regs *r)
{
	uint64_t back;

	if (r->rip >= STUB_PAGE && r->rip < STUB_PAGE + STORE_PAGE) {
		if (memory_read(c, r->rsp, &back, sizeof back) && call_ends_at(c, back)) {
			r->rip = back;
			r->rsp += 8;
		} else if (call_ends_at(c, r->rdi)) {
			r->rip = r->rdi;
		}
	}
	if (!call_ends_at(c, r->rip) || !memory_read(c, r->rsp, &r->rbp, sizeof r->rbp))
		return;
	r->rip += sizeof call_end;
	r->rsp += CALL_FRAME;
}

/* ---- Notes ---- */

static int threads_write(struct coring *c)
{
	static struct tcb tcb;

	corefile_process(&c->file, c->root ? "root task" : c->task->name, c->threads[0]);
	for (unsigned i = 0; i < c->count; i++) {
		struct tte e;
		int status = object_tcb(c->w, c->threads[i], &tcb);

		if (status == TOOL_NOT_FOUND && i)
			continue;       /* exists, but was never activated */
		if (status == TOOL_NOT_FOUND)
			return tool_fail(status, "thread %u has no registers yet", c->threads[i]);
		if (status != TOOL_OK)
			return status;
		status = thread_entry(c, c->threads[i], &e);
		if (status != TOOL_OK)
			return status;
		call_leave(c, &tcb.frame);
		corefile_thread(&c->file, &tcb, c->threads[i], e.flags & TTE_STOPPED ? SIGSEGV : 0);
	}
	return TOOL_OK;
}

/* ---- Memory ---- */

struct ranges {
	struct core_range *list;
	unsigned count;
};

static void range_insert(struct ranges *r, struct core_range range)
{
	unsigned i = r->count;

	r->list = realloc(r->list, (r->count + 1) * sizeof *r->list);
	if (!r->list)
		exit(tool_fail(TOOL_IO, "not enough memory"));
	for (; i && r->list[i - 1].start > range.start; i--)
		r->list[i] = r->list[i - 1];
	r->list[i] = range;
	r->count++;
}

static uint32_t rights_convert(uint32_t l4)
{
	return (l4 & L4_RIGHT_R ? PF_R : 0) | (l4 & L4_RIGHT_W ? PF_W : 0) | (l4 & L4_RIGHT_X ? PF_X : 0);
}

static int task_ranges(struct coring *c, struct ranges *out)
{
	struct region *list;
	unsigned count;
	int status = pagertab_regions(&c->pager, c->task, &list, &count);

	for (unsigned i = 0; status == TOOL_OK && i < count; i++)
		range_insert(out, (struct core_range){ list[i].start, list[i].end, rights_convert(list[i].rights) });
	free(list);
	return status;
}

/* The root task's memory: runs of pages that exist, with small gaps closed. */
static int root_ranges(struct coring *c, struct ranges *out)
{
	struct store_op op = { .client = c->w->record.root_space, .end = c->w->record.store_pages };
	uint64_t start = 0, end = 0;
	int status;

	for (; (status = store_sync(c->w->st, &op, store_next(c->w->st, &op))) == STORE_OK; op.vpn++) {
		if (end && op.vpn - end > GAP_PAGES) {
			range_insert(out, (struct core_range){ start * STORE_PAGE, end * STORE_PAGE, PF_R | PF_W | PF_X });
			start = op.vpn;
		} else if (!end) {
			start = op.vpn;
		}
		end = op.vpn + 1;
	}
	if (end)
		range_insert(out, (struct core_range){ start * STORE_PAGE, end * STORE_PAGE, PF_R | PF_W | PF_X });
	return status == STORE_END ? TOOL_OK : world_fail(c->w, status, "the root task's memory");
}

/* The page of a thread's UTCB, or 0. */
static uint64_t utcb_address(struct coring *c, uint32_t number)
{
	static struct tcb tcb;

	return object_tcb(c->w, number, &tcb) == TOOL_OK && tcb.utcb_mr > offsetof(struct utcb, mr) ?
	       (tcb.utcb_mr - offsetof(struct utcb, mr)) & ~(uint64_t)(STORE_PAGE - 1) : 0;
}

static int ranges_make(struct coring *c)
{
	struct ranges r = { NULL, 0 };
	int status = c->root ? root_ranges(c, &r) : task_ranges(c, &r);

	for (unsigned i = 0; i < c->count; i++) {
		uint64_t at = utcb_address(c, c->threads[i]);
		bool clash = !at;

		for (unsigned k = 0; k < r.count; k++)
			clash |= at < r.list[k].end && at + STORE_PAGE > r.list[k].start;
		if (!clash)
			range_insert(&r, (struct core_range){ at, at + STORE_PAGE, PF_R | PF_W });
	}
	for (unsigned i = 0; i < r.count; i++)  /* a list of regions caught in a change may overlap */
		if (!i || r.list[i].start >= r.list[i - 1].end)
			corefile_range(&c->file, r.list[i].start, r.list[i].end, r.list[i].rights);
	free(r.list);
	return status;
}

static int page_write(struct coring *c, uint64_t address, const void *page)
{
	c->pages++;
	if (corefile_page(&c->file, address, page))
		return TOOL_OK;
	return output_fail(&c->out);
}

static int root_memory(struct coring *c)
{
	static uint8_t page[STORE_PAGE];
	struct store_op op = { .client = c->w->record.root_space, .end = c->w->record.store_pages };
	int status;

	for (; (status = store_sync(c->w->st, &op, store_next(c->w->st, &op))) == STORE_OK; op.vpn++) {
		status = world_page(c->w, op.client, op.vpn, page, NULL);
		if (status != STORE_OK)
			return world_fail(c->w, status, "a page of the root task");
		status = page_write(c, op.vpn * STORE_PAGE, page);
		if (status != TOOL_OK)
			return status;
	}
	return status == STORE_END ? TOOL_OK : world_fail(c->w, status, "the root task's memory");
}

static int regions_write(struct coring *c)
{
	static struct task_page page;
	struct region *list;
	unsigned count;
	int status = pagertab_regions(&c->pager, c->task, &list, &count);

	for (unsigned i = 0; status == TOOL_OK && i < count; i++) {
		uint64_t end = list[i].end, a = pagertab_next(&c->pager, c->task, list[i].start, end);

		for (; status == TOOL_OK && a < end; a = pagertab_next(&c->pager, c->task, a + STORE_PAGE, end)) {
			status = pagertab_page(&c->pager, c->task, a, &page);
			if (status == TOOL_OK && page.touched)
				status = page_write(c, a, page.content);
			else if (status == TOOL_NOT_FOUND)
				status = TOOL_OK;
		}
	}
	free(list);
	return status;
}

static int utcbs_write(struct coring *c)
{
	static struct utcb utcb;
	int status = TOOL_OK;

	for (unsigned i = 0; status == TOOL_OK && i < c->count; i++) {
		uint64_t at = utcb_address(c, c->threads[i]);

		if (at && object_utcb(c->w, c->threads[i], &utcb) == TOOL_OK)
			status = page_write(c, at, &utcb);
	}
	return status;
}

static int core_write(struct coring *c)
{
	int status = threads_write(c);

	if (status == TOOL_OK)
		status = ranges_make(c);
	if (status == TOOL_OK && !corefile_begin(&c->file))
		status = output_fail(&c->out);
	if (status == TOOL_OK)
		status = c->root ? root_memory(c) : regions_write(c);
	if (status == TOOL_OK)
		status = utcbs_write(c);
	return status;
}

static void core_say(const struct coring *c)
{
	const char *name = c->root ? "root task" : c->task->name;

	if (!c->o->json) {
		printf("%s: generation %" PRIu64 ", %s, %u thread%s, %" PRIu64 " pages\n", c->o->output, c->w->mount.generation, name,
		       c->count, c->count == 1 ? "" : "s", c->pages);
		return;
	}
	json_object(NULL);
	json_string("file", c->o->output);
	json_number("generation", c->w->mount.generation);
	if (!c->root)
		json_number("task", c->task->id);
	json_string("name", name);
	json_number("thread", c->threads[0]);
	json_number("threads", c->count);
	json_number("pages", c->pages);
	json_end();
}

static int core_make(struct coring *c)
{
	int status = target_find(c);

	if (status != TOOL_OK)
		return status;
	status = output_open(&c->out, c->o->output, c->w->img);
	if (status != TOOL_OK)
		return status;
	c->file.f = c->out.f;
	status = core_write(c);
	if (!corefile_end(&c->file) && status == TOOL_OK)
		status = output_fail(&c->out);
	status = output_close(&c->out, status);
	if (status == TOOL_OK)
		core_say(c);
	return status;
}

/* --thread; 0: another one was asked for. */
static int thread_parse(const struct tool_options *o, uint32_t *thread)
{
	uint64_t number = 0;

	if (!!o->task + !!o->thread + o->store != 1)
		return tool_fail(TOOL_USAGE, "core: of what? one of --task T, --thread N, --store (the root task)");
	if (o->thread && (!number_parse(o->thread, &number) || number > UINT32_MAX))
		return tool_fail(TOOL_USAGE, "core: not a thread number: %s", o->thread);
	*thread = (uint32_t)number;
	return TOOL_OK;
}

static int core(const struct tool_options *o, struct world *w)
{
	static struct coring c;         /* large */
	int status;

	memset(&c, 0, sizeof c);
	c.o = o;
	c.w = w;
	status = thread_parse(o, &c.thread);
	if (status == TOOL_OK)
		status = core_make(&c);
	pagertab_close(&c.pager);
	return status;
}

int cmd_core(const struct tool_options *o)
{
	struct tool_options own = *o;
	char name[64];
	uint32_t thread;
	int status = thread_parse(o, &thread);

	if (status != TOOL_OK)
		return status;
	snprintf(name, sizeof name, "core.%.50s", o->task ? o->task : o->thread ? o->thread : "root");
	if (!own.output)
		own.output = name;
	return world_with(&own, o->generation, core);
}
