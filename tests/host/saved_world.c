/* SPDX-License-Identifier: BSD-2-Clause
 * See saved_world.h.
 */
#include "saved_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <l4/framecontrol.h>

#include "kernel/objects.h"
#include "pager/anchor.h"
#include "pager/task.h"
#include "tools/perdurectl/tool.h"

static void must(int status, const char *what)
{
	if (status) {
		fprintf(stderr, "%s: status %d\n", what, status);
		abort();
	}
}

void maker_open(struct maker *m, const char *image)
{
	must(image_open(&m->img, image, true), image);
	must(world_open(&m->w, &m->img, NULL), image);
}

void maker_put(struct maker *m, uint32_t client, uint64_t vpn, const void *content, size_t bytes)
{
	static _Alignas(4096) uint8_t page[STORE_PAGE];
	struct store_op op = { .client = client, .vpn = vpn, .buf = page };

	memset(page, 0, sizeof page);
	memcpy(page, content, bytes);
	must(store_sync(m->w.st, &op, store_put(m->w.st, &op)), "put");
}

void maker_commit(struct maker *m, uint64_t clock_us, uint64_t store_pages)
{
	struct record r = { .magic = RECORD_MAGIC, .version = RECORD_VERSION, .root_space = ROOT_SPACE, .clock_us = clock_us,
			    .store_pages = store_pages };
	struct store_op op = { 0 };

	must(store_begin(m->w.st, (const uint8_t *)&r), "begin");
	must(store_sync(m->w.st, &op, store_commit(m->w.st, &op)), "commit");
}

void maker_close(struct maker *m)
{
	world_close(&m->w);
	must(image_close(&m->img), "close");
}

static void put_root(struct maker *m, uint64_t address, const void *content, size_t bytes)
{
	const uint8_t *from = content;

	for (size_t at = 0; at < bytes; at += STORE_PAGE)
		maker_put(m, ROOT_SPACE, (address + at) >> 12, from + at, bytes - at < STORE_PAGE ? bytes - at : STORE_PAGE);
}

static void make_thread(struct maker *m, uint32_t number, uint16_t space, struct tte *table, uint64_t rip)
{
	static struct tcb tcb;
	static struct utcb utcb;

	table[number % L4_TABLE_PER_PAGE] = (struct tte){ .version = 1, .flags = TTE_EXISTS | TTE_ACTIVE, .prio = 100,
		.state = TS_RECV, .space = space, .partner = UINT64_MAX, .deadline = 6000000 };
	memset(&tcb, 0, sizeof tcb);
	tcb.header = (struct object_header){ OBJECT_MAGIC, OBJECT_VERSION, L4_OBJ_TCB, number, 0 };
	tcb.frame.rip = rip;
	tcb.frame.rsp = SEEN_AT + 0x800;
	tcb.frame.rbx = 0x1234567890;
	tcb.utcb_mr = 0xbf000200;
	maker_put(m, 0, L4_OBJ(L4_OBJ_TCB, number), &tcb, sizeof tcb);
	utcb.self = 0xbf000200;
	maker_put(m, 0, L4_OBJ(L4_OBJ_UTCB, number), &utcb, sizeof utcb);
}

static void make_objects(struct maker *m)
{
	static struct tte table[2][L4_TABLE_PER_PAGE];

	make_thread(m, 128, ROOT_SPACE, table[0], 0x402000);
	make_thread(m, TASK_THREAD, ROOT_SPACE + 1, table[0], SEEN_AT + 0x100);
	maker_put(m, 0, L4_OBJ(L4_OBJ_TABLE, 1), table[0], sizeof table[0]);
}

/* One task with three pages: one touched, one that begins with a file's bytes, one nobody has touched. */
static void make_pager(struct maker *m)
{
	static struct task tasks[LIMIT_TASKS];
	struct pager_anchor anchor = { .magic = { ANCHOR_MAGIC0, ANCHOR_MAGIC1 }, .version = ANCHOR_VERSION,
		.anchor_bytes = sizeof anchor, .tasks = (void *)(uintptr_t)TASKS_AT, .task_limit = LIMIT_TASKS,
		.task_bytes = sizeof(struct task), .region_bytes = sizeof(struct region),
		.object_bytes = sizeof(struct object), .thread_chunk = THREAD_CHUNK };
	struct region region = { .start = SEEN_AT, .end = SEEN_AT + 3 * STORE_PAGE,
		.object = (void *)(uintptr_t)OBJECT_AT, .rights = 7 };
	struct object object = { .refs = 1, .first = MEMORY_PAGE, .pages = 3, .touched = 1, .owner = TASK_ID,
		.bytes = (void *)(uintptr_t)FILE_AT, .skew = STORE_PAGE + 16, .length = 8, .inline_bits = { 1 } };
	struct task *t = &tasks[TASK_ID];

	t->id = TASK_ID;
	t->state = TASK_RUNNING;
	t->map = (struct region_map){ (void *)(uintptr_t)REGIONS_AT, 1, 102 };
	t->chunk[0] = TASK_THREAD / THREAD_CHUNK;
	t->used[0] = 1;
	strcpy(t->name, "worker");
	put_root(m, ANCHOR_AT, &anchor, sizeof anchor);
	put_root(m, TASKS_AT, tasks, sizeof tasks);
	put_root(m, REGIONS_AT, &region, sizeof region);
	put_root(m, OBJECT_AT, &object, sizeof object);
	put_root(m, FILE_AT, "filebyte", 8);
}

void saved_world_make(const char *image)
{
	static uint8_t page[STORE_PAGE];
	struct store_op op = { 0 };
	struct maker m;

	maker_open(&m, image);
	make_objects(&m);
	make_pager(&m);
	memset(page, 'a', sizeof page);
	maker_put(&m, ROOT_SPACE, MEMORY_PAGE, page, sizeof page);
	maker_put(&m, 99, 5, page, sizeof page);
	must(store_sync(m.w.st, &op, store_boot(m.w.st, &op)), "boot");
	maker_commit(&m, 5000000, STORE_PAGES);
	memcpy(page, "second", 6);
	maker_put(&m, ROOT_SPACE, MEMORY_PAGE, page, sizeof page);
	maker_put(&m, 99, 5, page, 0);
	maker_commit(&m, 5500000, STORE_PAGES);
	maker_close(&m);
}
