/* SPDX-License-Identifier: BSD-2-Clause
 * Property: each subcommand of perdurectl says what is in an image, and no more; damage of any block is named and
 * never believed; what writes leaves a whole store; streams that are cut, changed or do not fit change nothing.
 * Guards tools/perdurectl. The image is a small world made with the store's code: two generations with kernel objects, a pager's
 * tables and one task.
 */
#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/procfs.h>
#include <sys/user.h>
#include <unistd.h>
#include <cmocka.h>

#include <l4/framecontrol.h>

#include "kernel/objects.h"
#include "pager/anchor.h"
#include "pager/task.h"
#include "tools/perdurectl/tool.h"
#include "tools/perdurectl/world.h"

#define BLOCKS          2048u
#define ANCHOR_AT       0x401000u
#define TASKS_AT        0x500000u
#define REGIONS_AT      0x800000u
#define OBJECT_AT       0x801000u
#define FILE_AT         0x40000000u
#define MEMORY_PAGE     0x900u          /* of the task's object in the store */
#define SEEN_AT         0x400000u       /* where the task sees it */
#define TASK_ID         7u
#define TASK_THREAD     160u

static char folder[64];
static char image[80], other[80], stream[80], scratch[80], output[80];
static char text[1 << 20];              /* what the last command printed */

/* ---- Running subcommands ---- */

static int run(int (*command)(const struct options *), struct options o, ...)
{
	static char *args[4];
	int saved[2] = { dup(1), dup(2) }, status;
	va_list list;
	char *arg;
	FILE *f;

	va_start(list, o);
	for (o.argc = 0; (arg = va_arg(list, char *)); o.argc++)
		args[o.argc] = arg;
	va_end(list);
	o.args = args;
	fflush(NULL);
	assert_non_null(freopen(output, "w", stdout));
	dup2(1, 2);
	status = command(&o);
	fflush(NULL);
	dup2(saved[0], 1);
	dup2(saved[1], 2);
	close(saved[0]);
	close(saved[1]);
	f = fopen(output, "r");
	assert_non_null(f);
	text[fread(text, 1, sizeof text - 1, f)] = 0;
	fclose(f);
	return status;
}

#define RUN(command, ...) run(command, (struct options){ .image = image, __VA_ARGS__ }, NULL)
#define RUN_WITH(command, arguments, ...) run(command, (struct options){ .image = image, __VA_ARGS__ }, \
	arguments, NULL)

static void says(const char *what)
{
	if (!strstr(text, what)) {
		print_error("not said: %s\n%s\n", what, text);
		fail();
	}
}

/* ---- The world ---- */

struct maker {
	struct image img;
	struct world w;
};

static void put(struct maker *m, uint32_t client, uint64_t vpn, const void *content, size_t bytes)
{
	static _Alignas(4096) uint8_t page[STORE_PAGE];
	struct store_op op = { .client = client, .vpn = vpn, .buf = page };

	memset(page, 0, sizeof page);
	memcpy(page, content, bytes);
	assert_int_equal(store_sync(m->w.st, &op, store_put(m->w.st, &op)), STORE_OK);
}

static void put_root(struct maker *m, uint64_t address, const void *content, size_t bytes)
{
	const uint8_t *from = content;

	for (size_t at = 0; at < bytes; at += STORE_PAGE)
		put(m, 16, (address + at) >> 12, from + at, bytes - at < STORE_PAGE ? bytes - at : STORE_PAGE);
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
	put(m, 0, L4_OBJ(L4_OBJ_TCB, number), &tcb, sizeof tcb);
	utcb.self = 0xbf000200;
	put(m, 0, L4_OBJ(L4_OBJ_UTCB, number), &utcb, sizeof utcb);
}

static void make_objects(struct maker *m)
{
	static struct tte table[2][L4_TABLE_PER_PAGE];

	make_thread(m, 128, 16, table[0], 0x402000);
	make_thread(m, TASK_THREAD, 17, table[0], SEEN_AT + 0x100);
	put(m, 0, L4_OBJ(L4_OBJ_TABLE, 1), table[0], sizeof table[0]);
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

static void commit(struct maker *m, uint64_t clock_us)
{
	struct record r = { .magic = RECORD_MAGIC, .version = RECORD_VERSION, .root_space = 16, .clock_us = clock_us,
			    .store_pages = 0x50000 };
	struct store_op op = { 0 };

	assert_int_equal(store_begin(m->w.st, (const uint8_t *)&r), STORE_OK);
	assert_int_equal(store_sync(m->w.st, &op, store_commit(m->w.st, &op)), STORE_OK);
}

/* Generation 1: the world. Generation 2: the task's page is another, a page of another space is gone. */
static void world_make(void)
{
	static uint8_t page[STORE_PAGE];
	struct store_op op = { 0 };
	struct maker m;

	unlink(image);
	assert_int_equal(RUN(cmd_mkfs, .create_bytes = BLOCKS * STORE_PAGE), TOOL_OK);
	assert_int_equal(image_open(&m.img, image, true), TOOL_OK);
	assert_int_equal(world_open(&m.w, &m.img, 0), TOOL_OK);
	make_objects(&m);
	make_pager(&m);
	memset(page, 'a', sizeof page);
	put(&m, 16, MEMORY_PAGE, page, sizeof page);
	put(&m, 99, 5, page, sizeof page);
	assert_int_equal(store_sync(m.w.st, &op, store_boot(m.w.st, &op)), STORE_OK);
	commit(&m, 5000000);
	memcpy(page, "second", 6);
	put(&m, 16, MEMORY_PAGE, page, sizeof page);
	put(&m, 99, 5, page, 0);
	commit(&m, 5500000);
	world_close(&m.w);
	assert_int_equal(image_close(&m.img), TOOL_OK);
}

static int setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "%s/perdurectl.XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	if (!mkdtemp(folder))
		return -1;
	snprintf(image, sizeof image, "%s/image", folder);
	snprintf(other, sizeof other, "%s/other", folder);
	snprintf(stream, sizeof stream, "%s/stream", folder);
	snprintf(scratch, sizeof scratch, "%s/scratch", folder);
	snprintf(output, sizeof output, "%s/output", folder);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(image), unlink(other), unlink(stream), unlink(scratch), unlink(output);
	return rmdir(folder);
}

/* ---- Files ---- */

static size_t file_get(const char *name, uint8_t **data)
{
	FILE *f = fopen(name, "rb");
	size_t n;

	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	n = (size_t)ftell(f);
	rewind(f);
	*data = malloc(n + 1);
	assert_int_equal(fread(*data, 1, n, f), n);
	fclose(f);
	return n;
}

static void file_set(const char *name, const void *data, size_t n)
{
	FILE *f = fopen(name, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, n, f), n);
	fclose(f);
}

/* ---- Reading ---- */

static void test_info(void **state)
{
	(void)state;
	world_make();
	assert_int_equal(RUN(cmd_info), TOOL_OK);
	says("generation   2");
	says("space 16");
	assert_int_equal(RUN(cmd_info, .json = true), TOOL_OK);
	says("\"generation\": 2");
	assert_int_equal(RUN(cmd_list), TOOL_OK);
	says("*          2          1");
	says("           1          0");
	assert_int_equal(RUN(cmd_verify), TOOL_OK);
	says("0 problems in 2 generations");
	assert_int_equal(RUN(cmd_info, .generation = "9"), TOOL_NOT_FOUND);
}

static void test_ls(void **state)
{
	(void)state;
	world_make();
	assert_int_equal(RUN(cmd_ls, .registers = true), TOOL_OK);
	says("128v1    16  100 waits    ipc              any        +0.500000 s    (root task)");
	says("160v1    17  100 waits    ipc              any        +0.500000 s    7 worker");
	says("rbx 0000001234567890");
	assert_int_equal(RUN(cmd_ls, .json = true), TOOL_OK);
	says("\"name\": \"worker\"");
	assert_int_equal(RUN(cmd_ls, .task = "worker"), TOOL_OK);
	says("0000000000400000 0000000000403000 rwx         3         1");
	assert_int_equal(RUN(cmd_ls, .task = "8"), TOOL_NOT_FOUND);
}

static void test_dump(void **state)
{
	static char at[] = "0x400000", file[] = "0x401010", zero[] = "0x402000", beyond[] = "0x403000";

	(void)state;
	world_make();
	assert_int_equal(RUN_WITH(cmd_dump, at, .task = "worker"), TOOL_OK);
	says("73 65 63 6f 6e 64 61 61  61");
	assert_int_equal(RUN_WITH(cmd_dump, at, .task = "7", .generation = "1"), TOOL_OK);
	says("61 61 61 61 61 61 61 61  61");
	assert_int_equal(RUN_WITH(cmd_dump, file, .task = "worker"), TOOL_OK);
	says("filebyte........");
	assert_int_equal(RUN_WITH(cmd_dump, zero, .task = "worker"), TOOL_OK);
	assert_int_equal(RUN_WITH(cmd_dump, beyond, .task = "worker"), TOOL_NOT_FOUND);
	assert_int_equal(RUN_WITH(cmd_dump, at, .task = "nobody"), TOOL_NOT_FOUND);
	assert_int_equal(RUN(cmd_dump, .object = "tcb:160"), TOOL_OK);
	says("POBJ");
	assert_int_equal(RUN(cmd_dump, .object = "tcb:161"), TOOL_NOT_FOUND);
	assert_int_equal(RUN(cmd_dump, .object = "tbc:160"), TOOL_USAGE);
	assert_int_equal(RUN_WITH(cmd_dump, at), TOOL_USAGE);
}

static void test_core(void **state)
{
	const struct elf_prstatus *s;
	const Elf64_Ehdr *e;
	const Elf64_Phdr *p;
	struct user_regs_struct u;
	uint8_t *core;

	(void)state;
	world_make();
	assert_int_equal(RUN(cmd_core, .thread = "160", .output = scratch), TOOL_OK);
	file_get(scratch, &core);
	e = (void *)core;
	p = (void *)(core + e->e_phoff);
	assert_int_equal(e->e_type, ET_CORE);
	assert_int_equal(e->e_phnum, 3);        /* notes, the region, the UTCB */
	assert_int_equal(p[1].p_vaddr, SEEN_AT);
	assert_int_equal(p[1].p_filesz, 3 * STORE_PAGE);
	assert_memory_equal(core + p[1].p_offset, "seconda", 7);
	assert_memory_equal(core + p[1].p_offset + STORE_PAGE + 16, "filebyte", 9);
	assert_int_equal(p[2].p_vaddr, 0xbf000000);
	assert_int_equal(core[p[2].p_offset + 1], 2);
	s = (void *)(core + p[0].p_offset + 20 + sizeof(struct elf_prpsinfo) + 20);
	assert_int_equal(s->pr_pid, TASK_THREAD);
	memcpy(&u, &s->pr_reg, sizeof u);
	assert_int_equal(u.rip, SEEN_AT + 0x100);
	assert_int_equal(u.rbx, 0x1234567890);
	free(core);
	assert_int_equal(RUN(cmd_core, .store = true, .output = scratch), TOOL_OK);
	says("root task, 1 threads");
	assert_int_equal(RUN(cmd_core, .thread = "161", .output = scratch), TOOL_NOT_FOUND);
}

/* Program code as libl4 ends a system call: the core's thread is behind it, with the stack as before. */
static void test_core_leaves_call(void **state)
{
	static const uint8_t end[] = { 0x5d, 0x48, 0x8d, 0xa4, 0x24, 0x80, 0, 0, 0 };
	static uint8_t page[STORE_PAGE];
	const struct elf_prstatus *s;
	struct user_regs_struct u;
	const Elf64_Phdr *p;
	struct maker m;
	uint8_t *core;

	(void)state;
	world_make();
	assert_int_equal(image_open(&m.img, image, true), TOOL_OK);
	assert_int_equal(world_open(&m.w, &m.img, 0), TOOL_OK);
	memcpy(page + 0x100, end, sizeof end);
	memcpy(page + 0x800, "savedrbp", 8);
	put(&m, 16, MEMORY_PAGE, page, sizeof page);
	commit(&m, 6000000);
	world_close(&m.w);
	image_close(&m.img);
	assert_int_equal(RUN(cmd_core, .task = "worker", .output = scratch), TOOL_OK);
	file_get(scratch, &core);
	p = (void *)(core + sizeof(Elf64_Ehdr));
	s = (void *)(core + p[0].p_offset + 20 + sizeof(struct elf_prpsinfo) + 20);
	memcpy(&u, &s->pr_reg, sizeof u);
	assert_int_equal(u.rip, SEEN_AT + 0x100 + sizeof end);
	assert_int_equal(u.rsp, SEEN_AT + 0x800 + 136);
	assert_memory_equal(&u.rbp, "savedrbp", 8);
	free(core);
}

static void test_diff(void **state)
{
	static char two[] = "2";

	(void)state;
	world_make();
	assert_int_equal(RUN(cmd_diff), TOOL_PROBLEM);
	says("task 7 worker: 1 pages of memory");
	says("other clients: 1 pages");
	says("0 pages added, 1 changed, 1 gone");
	assert_int_equal(run(cmd_diff, (struct options){ .image = image }, two, two, NULL), TOOL_OK);
}

/* ---- Damage ---- */

/* Flip a bit in each block in use, one at a time: verify names the block, or the superblock it hangs from; nothing crashes. */
static void test_every_block_flipped(void **state)
{
	uint8_t *data;
	char name[32];
	size_t bytes;
	unsigned used = 0;

	(void)state;
	world_make();
	bytes = file_get(image, &data);
	for (size_t b = 0; b < bytes / STORE_PAGE; b++) {
		uint8_t *p = data + b * STORE_PAGE;
		bool zero = true;
		int status;

		for (size_t i = 0; i < STORE_PAGE && zero; i++)
			zero = !p[i];
		if (zero)
			continue;
		p[b * 37 % STORE_PAGE] ^= 1;
		file_set(image, data, bytes);
		p[b * 37 % STORE_PAGE] ^= 1;
		status = RUN(cmd_verify);
		used++;
		assert_true(status == TOOL_PROBLEM || status == TOOL_NO_STORE);
		snprintf(name, sizeof name, "block %zu", b);
		says(name);
		RUN(cmd_ls, .registers = true);
		RUN(cmd_diff);
		RUN(cmd_export, .output = scratch);
		RUN(cmd_core, .task = "7", .output = scratch);
	}
	assert_true(used > 30);
	free(data);
}

/* The pager's tables hold anything: no crash, and nothing endless. */
static void test_hostile_tables(void **state)
{
	static uint64_t page[STORE_PAGE / 8];
	static const uint64_t spots[] = { TASKS_AT + TASK_ID * sizeof(struct task), REGIONS_AT, OBJECT_AT };
	uint64_t seed = 1;

	(void)state;
	for (unsigned round = 0; round < 60; round++) {
		uint64_t vpn = spots[round % 3] >> 12;
		struct maker m;

		if (round % 3 == 0)
			world_make();
		assert_int_equal(image_open(&m.img, image, true), TOOL_OK);
		assert_int_equal(world_open(&m.w, &m.img, 0), TOOL_OK);
		world_page(&m.w, 16, vpn, page, NULL);
		for (unsigned i = 0; i < 4; i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			page[spots[round % 3] % STORE_PAGE / 8 + (seed >> 33) % 12] =
				seed >> 62 == 0 ? ~0ul : seed >> 62 == 1 ? seed >> 40 : seed;
		}
		put(&m, 16, vpn, page, sizeof page);
		commit(&m, 1);
		world_close(&m.w);
		image_close(&m.img);
		RUN(cmd_ls);
		RUN(cmd_ls, .task = "worker");
		RUN(cmd_diff);
		RUN_WITH(cmd_dump, (char[]){ "0x400000" }, .task = "7");
		RUN(cmd_core, .task = "7", .output = scratch);
		assert_int_equal(RUN(cmd_verify), TOOL_OK);
	}
}

static void test_not_ours(void **state)
{
	static uint8_t rubbish[BLOCKS * STORE_PAGE];

	(void)state;
	file_set(image, rubbish, sizeof rubbish);
	assert_int_equal(RUN(cmd_info), TOOL_NO_STORE);
	memset(rubbish, 0x5a, sizeof rubbish);
	file_set(image, rubbish, sizeof rubbish);
	assert_int_equal(RUN(cmd_info), TOOL_NO_STORE);
	assert_int_equal(RUN(cmd_mkfs), TOOL_REFUSED);
	assert_int_equal(RUN(cmd_mkfs, .create_bytes = 1 << 24), TOOL_REFUSED);
	assert_int_equal(RUN(cmd_mkfs, .force = true), TOOL_OK);
	assert_int_equal(RUN(cmd_verify), TOOL_OK);
	file_set(image, rubbish, 4096);
	assert_int_equal(RUN(cmd_mkfs, .force = true), TOOL_NO_STORE);
	unlink(image);
	assert_int_equal(RUN(cmd_info), TOOL_IO);
}

/* ---- Writing ---- */

static void test_rollback_prune(void **state)
{
	static char one[] = "1", two[] = "2", three[] = "3", at[] = "0x400000";

	(void)state;
	world_make();
	assert_int_equal(RUN_WITH(cmd_rollback, two), TOOL_REFUSED);
	assert_int_equal(RUN_WITH(cmd_rollback, three), TOOL_NOT_FOUND);
	assert_int_equal(RUN(cmd_rollback), TOOL_USAGE);
	assert_int_equal(RUN_WITH(cmd_rollback, one), TOOL_OK);
	says("generation 3 has the content of generation 1; generation 2 is still kept");
	assert_int_equal(RUN_WITH(cmd_dump, at, .task = "worker"), TOOL_OK);
	says("61 61 61 61 61 61 61 61  61");
	assert_int_equal(RUN(cmd_verify), TOOL_OK);
	assert_int_equal(RUN_WITH(cmd_rollback, two), TOOL_OK);        /* and back */
	assert_int_equal(run(cmd_diff, (struct options){ .image = image }, three, (char[]){ "4" }, NULL), TOOL_PROBLEM);
	assert_int_equal(RUN(cmd_prune), TOOL_OK);
	assert_int_equal(RUN(cmd_diff), TOOL_OK);
	assert_int_equal(RUN(cmd_verify), TOOL_OK);
}

#define RUN_TWO(command, first, second, ...) run(command, (struct options){ .image = image, __VA_ARGS__ }, first, second, NULL)

static void test_names(void **state)
{
	static char one[] = "1", two[] = "2", old[] = "old", twelve[] = "12", nine[] = "9", at[] = "0x400000", none[] = "",
		backwards[] = "2..old", all[] = "old..2";

	(void)state;
	world_make();
	assert_int_equal(RUN(cmd_name), TOOL_USAGE);
	assert_int_equal(RUN_TWO(cmd_name, nine, old), TOOL_NOT_FOUND);
	assert_int_equal(RUN_TWO(cmd_name, one, twelve), TOOL_REFUSED);
	assert_int_equal(RUN_TWO(cmd_name, one, old), TOOL_OK);
	says("generation 1 is old");
	assert_int_equal(RUN_TWO(cmd_name, two, old), TOOL_REFUSED);
	assert_int_equal(RUN(cmd_list, .json = true), TOOL_OK);
	says("\"name\": \"old\"");
	assert_int_equal(RUN_WITH(cmd_dump, at, .task = "worker", .generation = "old"), TOOL_OK);
	says("61 61 61 61 61 61 61 61  61");
	assert_int_equal(RUN_WITH(cmd_dump, at, .task = "worker", .generation = "older"), TOOL_NOT_FOUND);
	says("generation older is not kept");
	assert_int_equal(RUN(cmd_verify, .generation = "old"), TOOL_OK);
	says("0 problems in 1 generations");
	assert_int_equal(RUN(cmd_export, .since = "old", .output = scratch), TOOL_OK);
	assert_int_equal(RUN(cmd_prune, .keep = 1000), TOOL_USAGE);
	assert_int_equal(RUN(cmd_prune), TOOL_OK);              /* generations 4 and 5; 2 and 3 go, 1 has a name */
	assert_int_equal(RUN_WITH(cmd_diff, two), TOOL_NOT_FOUND);
	assert_int_equal(RUN_WITH(cmd_rollback, old), TOOL_OK);
	says("generation 6 has the content of generation 1");
	assert_int_equal(RUN(cmd_list), TOOL_OK);
	says("(pinned)");
	assert_int_equal(RUN(cmd_prune), TOOL_OK);
	assert_int_equal(RUN(cmd_info, .generation = "5"), TOOL_OK);    /* pinned: it stays */
	assert_int_equal(RUN(cmd_drop), TOOL_USAGE);
	assert_int_equal(RUN_WITH(cmd_drop, backwards), TOOL_NOT_FOUND);
	assert_int_equal(RUN_WITH(cmd_drop, (char[]){ "8" }), TOOL_REFUSED);    /* the newest */
	assert_int_equal(RUN_WITH(cmd_drop, (char[]){ "5..old" }), TOOL_REFUSED);
	assert_int_equal(RUN_WITH(cmd_drop, (char[]){ "old..5" }), TOOL_OK);
	says("old..5: 3 generations dropped");
	assert_int_equal(RUN_WITH(cmd_drop, all), TOOL_NOT_FOUND);
	assert_int_equal(RUN_TWO(cmd_name, (char[]){ "9" }, old), TOOL_OK);
	assert_int_equal(RUN_TWO(cmd_name, old, none), TOOL_OK);
	says("generation 9 has no name");
	assert_int_equal(RUN(cmd_verify), TOOL_OK);
}

static int import_other(bool force)
{
	return run(cmd_import, (struct options){ .image = other, .force = force }, stream, NULL);
}

static int import_incremental(void)
{
	return run(cmd_import, (struct options){ .image = other }, scratch, NULL);
}

static void test_export_import(void **state)
{
	uint8_t *a, *b;
	size_t n;

	(void)state;
	world_make();
	unlink(other);
	assert_int_equal(run(cmd_mkfs, (struct options){ .image = other, .create_bytes = 3 * BLOCKS * STORE_PAGE }, NULL), TOOL_OK);
	assert_int_equal(RUN(cmd_export, .generation = "1", .output = stream), TOOL_OK);
	assert_int_equal(RUN(cmd_export, .since = "1", .output = scratch), TOOL_OK);
	says("2 records");
	assert_int_equal(import_incremental(), TOOL_STREAM);            /* another store */
	assert_int_equal(import_other(false), TOOL_OK);
	assert_int_equal(import_other(false), TOOL_REFUSED);
	assert_int_equal(import_incremental(), TOOL_OK);
	assert_int_equal(import_incremental(), TOOL_STREAM);            /* it has it already */
	assert_int_equal(run(cmd_verify, (struct options){ .image = other }, NULL), TOOL_OK);
	assert_int_equal(run(cmd_list, (struct options){ .image = other }, NULL), TOOL_OK);
	says("*          2          1");
	assert_int_equal(run(cmd_diff, (struct options){ .image = other }, NULL), TOOL_PROBLEM);
	says("0 pages added, 1 changed, 1 gone");
	assert_int_equal(RUN(cmd_export, .output = stream), TOOL_OK);
	assert_int_equal(run(cmd_export, (struct options){ .image = other, .output = scratch }, NULL), TOOL_OK);
	n = file_get(stream, &a);
	assert_int_equal(file_get(scratch, &b), n);
	assert_memory_equal(a + 384, b + 384, n - 384);                 /* the headers name the sizes of the stores */
	free(a);
	free(b);
}

/* Any byte changed, or the end cut off: refused, and an incremental one leaves the store as it was. */
static void test_bad_streams(void **state)
{
	uint8_t *data, *before, *after;
	size_t n, size;

	(void)state;
	world_make();
	assert_int_equal(RUN(cmd_export, .generation = "1", .output = stream), TOOL_OK);
	assert_int_equal(RUN(cmd_export, .since = "1", .output = scratch), TOOL_OK);
	assert_int_equal(import_other(true), TOOL_OK);
	n = file_get(scratch, &data);
	for (size_t i = 0; i < n; i += 1 + (i > 500) * 97) {
		data[i] ^= 4;
		file_set(scratch, data, n);
		data[i] ^= 4;
		assert_int_equal(import_incremental(), TOOL_STREAM);
	}
	for (size_t i = 0; i < n; i += 311) {
		file_set(scratch, data, i);
		assert_int_equal(import_incremental(), TOOL_STREAM);
	}
	assert_int_equal(run(cmd_list, (struct options){ .image = other }, NULL), TOOL_OK);
	says("*          1          0");
	assert_int_equal(run(cmd_verify, (struct options){ .image = other }, NULL), TOOL_OK);
	size = file_get(other, &before);
	file_set(scratch, data, n);
	assert_int_equal(import_incremental(), TOOL_OK);
	assert_int_equal(file_get(other, &after), size);
	assert_memory_not_equal(before, after, size);
	free(data);
	free(before);
	free(after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_info), cmocka_unit_test(test_ls), cmocka_unit_test(test_dump),
		cmocka_unit_test(test_core), cmocka_unit_test(test_core_leaves_call), cmocka_unit_test(test_diff),
		cmocka_unit_test(test_every_block_flipped), cmocka_unit_test(test_hostile_tables),
		cmocka_unit_test(test_not_ours), cmocka_unit_test(test_rollback_prune), cmocka_unit_test(test_names),
		cmocka_unit_test(test_export_import), cmocka_unit_test(test_bad_streams),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
