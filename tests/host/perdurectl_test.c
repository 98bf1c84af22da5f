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

#include "pager/task.h"
#include "saved_world.h"
#include "tools/perdurectl/tool.h"

static char folder[64];
static char image[80], other[80], stream[80], scratch[80], output[80];
static char text[1 << 20];              /* what the last command printed */

/* ---- Running subcommands ---- */

static int run(int (*command)(const struct tool_options *), struct tool_options o, ...)
{
	static char *args[10];
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

#define RUN(command, ...) run(command, (struct tool_options){ .image = image, __VA_ARGS__ }, NULL)
#define RUN_WITH(command, arguments, ...) run(command, (struct tool_options){ .image = image, __VA_ARGS__ }, \
	arguments, NULL)

#define RUN_TWO(command, first, second, ...) run(command, (struct tool_options){ .image = image, __VA_ARGS__ }, first, second, NULL)

static void says(const char *what)
{
	if (!strstr(text, what)) {
		print_error("not said: %s\n%s\n", what, text);
		fail();
	}
}

/* ---- The world ---- */

static void world_make(void)
{
	unlink(image);
	assert_int_equal(RUN(cmd_mkfs, .create_bytes = SAVED_BLOCKS * STORE_PAGE), TOOL_OK);
	saved_world_make(image);
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
	says("no tcb:161 in generation 2");
	assert_int_equal(RUN_WITH(cmd_dump, (char[]){ "4096" }, .object = "tcb:160"), TOOL_USAGE);
	assert_int_equal(RUN_TWO(cmd_dump, at, (char[]){ "1Q" }, .task = "worker"), TOOL_USAGE);
	says("not a number of bytes: 1Q");
	assert_int_equal(RUN_TWO(cmd_dump, (char[]){ "here" }, (char[]){ "1" }, .task = "worker"), TOOL_USAGE);
	says("not an address: here");
	assert_int_equal(RUN_WITH(cmd_dump, at, .task = "worker", .json = true, .binary = true), TOOL_USAGE);
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
	says("root task, 1 thread,");
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
	maker_open(&m, image);
	memcpy(page + 0x100, end, sizeof end);
	memcpy(page + 0x800, "savedrbp", 8);
	maker_put(&m, ROOT_SPACE, MEMORY_PAGE, page, sizeof page);
	maker_commit(&m, 6000000, STORE_PAGES);
	maker_close(&m);
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
	assert_int_equal(run(cmd_diff, (struct tool_options){ .image = image }, two, two, NULL), TOOL_OK);
}

/* ---- The command line ---- */

static int line(const struct tool_options *o)
{
	char *argv[12] = { "perdurectl" };
	int argc = 1;

	for (; argc <= o->argc; argc++)
		argv[argc] = o->args[argc - 1];
	return tool_main(argc, argv);
}

/* What perdurectl says to a line of up to nine words. */
static int said(const char *words)
{
	static char copy[256], *word[10];
	char *save = NULL;
	unsigned n = 0;

	memset(word, 0, sizeof word);
	snprintf(copy, sizeof copy, "%s", words);
	for (char *w = strtok_r(copy, " ", &save); w && n < 9; w = strtok_r(NULL, " ", &save))
		word[n++] = strcmp(w, "IMAGE") ? w : image;
	return run(line, (struct tool_options){ 0 }, word[0], word[1], word[2], word[3], word[4], word[5], word[6], word[7], word[8], NULL);
}

static void test_command_line(void **state)
{
	static const struct { const char *words; int status; const char *says; } lines[] = {
		{ "", TOOL_USAGE, "usage: perdurectl" },
		{ "--help", TOOL_OK, "exit status:" },
		{ "undo IMAGE", TOOL_USAGE, "unknown command 'undo'" },
		{ "info", TOOL_USAGE, "info: which image?" },
		{ "info IMAGE", TOOL_OK, "generation   2" },
		{ "-g 1 info IMAGE", TOOL_OK, "generation   1" },
		{ "info IMAGE more", TOOL_USAGE, "info: 'more' is too much" },
		{ "list IMAGE -g 1", TOOL_USAGE, "list: has no option --gen; use: perdurectl list IMAGE" },
		{ "verify IMAGE --force", TOOL_USAGE, "verify: has no option --force" },
		{ "ls IMAGE --store", TOOL_USAGE, "ls: has no option --store" },
		{ "rollback IMAGE", TOOL_USAGE, "rollback: something is missing" },
		{ "rollback IMAGE 1 2", TOOL_USAGE, "rollback: '2' is too much" },
		{ "drop IMAGE", TOOL_USAGE, "drop: something is missing" },
		{ "prune IMAGE --keep no", TOOL_USAGE, "--keep: not a number above 0: no" },
		{ "prune IMAGE --keep 99999999999999999999", TOOL_USAGE, "--keep: not a number above 0" },
		{ "mkfs IMAGE --create 4X", TOOL_USAGE, "--create: not a number above 0: 4X" },
		{ "info IMAGE --wrong", TOOL_USAGE, "wrong" },
		{ "info IMAGE -g 0", TOOL_NOT_FOUND, "generation 0 is not kept" },
		{ "info IMAGE -g 4K", TOOL_NOT_FOUND, "generation 4K is not kept" },
		{ "info IMAGE -g 0x2", TOOL_OK, "generation   2" },
		{ "info IMAGE -g 02", TOOL_OK, "generation   2" },
		{ "core IMAGE", TOOL_USAGE, "core: of what?" },
		{ "core IMAGE --thread x", TOOL_USAGE, "not a thread number: x" },
		{ "info /dev/null", TOOL_IO, "neither a file nor a disk" },
		{ "info /nowhere/at/all", TOOL_IO, "No such file" },
	};

	(void)state;
	world_make();
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		int status = said(lines[i].words);

		if (status != lines[i].status)
			fail_msg("perdurectl %s: status %d\n%s", lines[i].words, status, text);
		says(lines[i].says);
	}
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
		maker_open(&m, image);
		world_page(&m.w, 16, vpn, page, NULL);
		for (unsigned i = 0; i < 4; i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			page[spots[round % 3] % STORE_PAGE / 8 + (seed >> 33) % 12] =
				seed >> 62 == 0 ? ~0ul : seed >> 62 == 1 ? seed >> 40 : seed;
		}
		maker_put(&m, ROOT_SPACE, vpn, page, sizeof page);
		maker_commit(&m, 1, STORE_PAGES);
		maker_close(&m);
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
	static uint8_t rubbish[SAVED_BLOCKS * STORE_PAGE];

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
	assert_int_equal(run(cmd_diff, (struct tool_options){ .image = image }, three, (char[]){ "4" }, NULL), TOOL_PROBLEM);
	assert_int_equal(RUN(cmd_prune), TOOL_OK);
	assert_int_equal(RUN(cmd_diff), TOOL_OK);
	assert_int_equal(RUN(cmd_verify), TOOL_OK);
}

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
	says("generation 5 is newer than generation 1");
	assert_int_equal(RUN_WITH(cmd_drop, (char[]){ "old..5" }), TOOL_OK);
	says("3 generations dropped");
	assert_int_equal(RUN_WITH(cmd_drop, all), TOOL_NOT_FOUND);
	assert_int_equal(RUN_TWO(cmd_name, (char[]){ "9" }, old), TOOL_OK);
	assert_int_equal(RUN_TWO(cmd_name, old, none), TOOL_OK);
	says("generation 9 has no name");
	assert_int_equal(RUN(cmd_verify), TOOL_OK);
}

/* Names that would be taken for something else, and the longest there are. */
static void test_odd_names(void **state)
{
	static const char *const bad[] = { "-x", "a..b", "latest", "none", "0x10", "12", "a b", "a2345678901234567890123456789012" };
	static char first[] = "a234567890123456789012345678901", last[] = "b234567890123456789012345678901", range[80], one[] = "1", two[] = "2",
		unit[] = "4K";

	(void)state;
	world_make();
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(RUN_TWO(cmd_name, one, (char *)(uintptr_t)bad[i]), TOOL_REFUSED);
		says("is no name");
	}
	assert_int_equal(RUN_TWO(cmd_name, one, unit), TOOL_OK);
	assert_int_equal(RUN_TWO(cmd_name, unit, first), TOOL_OK);
	assert_int_equal(RUN_TWO(cmd_name, two, last, .json = true), TOOL_OK);
	says("\"generation\": 2,");
	says(last);
	snprintf(range, sizeof range, "%s..%s", first, last);
	assert_int_equal(RUN_WITH(cmd_drop, range), TOOL_OK);
	says("2 generations dropped");
	assert_int_equal(RUN(cmd_verify), TOOL_OK);
}

/* Everything that changes a store says in JSON what it did. */
static void test_json(void **state)
{
	static char one[] = "1", two[] = "2";

	(void)state;
	world_make();
	assert_int_equal(RUN_WITH(cmd_rollback, one, .json = true), TOOL_OK);
	says("\"generation\": 3,\n  \"content_of\": 1,\n  \"kept\": 2\n}");
	assert_int_equal(RUN_WITH(cmd_drop, two, .json = true), TOOL_OK);
	says("\"dropped\": 1,\n  \"generation\": 5,\n  \"content_of\": 3,");
	assert_int_equal(RUN(cmd_prune, .json = true), TOOL_OK);
	says("\"dropped\": 0,\n  \"generation\": 7,");
	assert_int_equal(RUN(cmd_core, .task = "worker", .output = scratch, .json = true), TOOL_OK);
	says("\"task\": 7,\n  \"name\": \"worker\",\n  \"thread\": 160,\n  \"threads\": 1,\n  \"pages\": 3\n}");
	assert_int_equal(RUN(cmd_export, .output = stream, .json = true), TOOL_OK);
	says("\"generation\": 7,\n  \"records\":");
	unlink(other);
	assert_int_equal(run(cmd_mkfs, (struct tool_options){ .image = other, .create_bytes = SAVED_BLOCKS * STORE_PAGE, .json = true }, NULL),
			 TOOL_OK);
	says("\"blocks\": 2048");
	assert_int_equal(run(cmd_import, (struct tool_options){ .image = other, .json = true }, stream, NULL), TOOL_OK);
	says("\"generation\": 7,\n  \"records\":");
}

/* A file of that name stays until there is another; the image itself is never one. */
static void test_output_files(void **state)
{
	static const char old[] = "what was there before";
	char part[sizeof scratch + 8];
	uint8_t *before, *after;
	size_t n;

	(void)state;
	world_make();
	n = file_get(image, &before);
	assert_int_equal(RUN(cmd_core, .task = "worker", .output = image), TOOL_REFUSED);
	says("that is the image itself");
	assert_int_equal(RUN(cmd_export, .output = image), TOOL_REFUSED);
	assert_int_equal(file_get(image, &after), n);
	assert_memory_equal(before, after, n);
	free(after);
	/* A block of the task's memory is damaged: neither a core file nor a stream can be made. */
	for (size_t at = 0; at < n; at += STORE_PAGE)
		if (!memcmp(before + at, "secondaa", 8))
			before[at + 100] ^= 1;
	file_set(image, before, n);
	file_set(scratch, old, sizeof old);
	assert_int_equal(RUN(cmd_core, .task = "worker", .output = scratch), TOOL_DAMAGED);
	assert_int_equal(RUN(cmd_export, .output = scratch), TOOL_DAMAGED);
	assert_int_equal(file_get(scratch, &after), sizeof old);
	assert_memory_equal(after, old, sizeof old);
	snprintf(part, sizeof part, "%s.part", scratch);
	assert_int_equal(access(part, F_OK), -1);
	assert_int_equal(RUN(cmd_core, .task = "worker", .output = "/nowhere/at/all"), TOOL_IO);
	free(before);
	free(after);
}

static int import_other(bool force)
{
	return run(cmd_import, (struct tool_options){ .image = other, .force = force }, stream, NULL);
}

static int import_incremental(void)
{
	return run(cmd_import, (struct tool_options){ .image = other }, scratch, NULL);
}

static void test_export_import(void **state)
{
	uint8_t *a, *b;
	size_t n;

	(void)state;
	world_make();
	unlink(other);
	assert_int_equal(run(cmd_mkfs, (struct tool_options){ .image = other, .create_bytes = 3 * SAVED_BLOCKS * STORE_PAGE }, NULL), TOOL_OK);
	assert_int_equal(RUN(cmd_export, .generation = "1", .output = stream), TOOL_OK);
	assert_int_equal(RUN(cmd_export, .since = "1", .output = scratch), TOOL_OK);
	says("2 records");
	assert_int_equal(RUN(cmd_export, .generation = "1", .since = "2", .output = stream), TOOL_USAGE);
	says("generation 2 (--since) is not older than generation 1");
	assert_int_equal(import_incremental(), TOOL_STREAM);            /* another store */
	assert_int_equal(import_other(false), TOOL_OK);
	assert_int_equal(import_other(false), TOOL_REFUSED);
	assert_int_equal(import_incremental(), TOOL_OK);
	assert_int_equal(import_incremental(), TOOL_STREAM);            /* it has it already */
	assert_int_equal(run(cmd_verify, (struct tool_options){ .image = other }, NULL), TOOL_OK);
	assert_int_equal(run(cmd_list, (struct tool_options){ .image = other }, NULL), TOOL_OK);
	says("*          2          1");
	assert_int_equal(run(cmd_diff, (struct tool_options){ .image = other }, NULL), TOOL_PROBLEM);
	says("0 pages added, 1 changed, 1 gone");
	assert_int_equal(RUN(cmd_export, .output = stream), TOOL_OK);
	assert_int_equal(run(cmd_export, (struct tool_options){ .image = other, .output = scratch }, NULL), TOOL_OK);
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
	data = realloc(data, n + 1);
	data[n] = 0;
	file_set(scratch, data, n + 1);
	assert_int_equal(import_incremental(), TOOL_STREAM);
	says("something follows the stream's end");
	assert_int_equal(run(cmd_list, (struct tool_options){ .image = other }, NULL), TOOL_OK);
	says("*          1          0");
	assert_int_equal(run(cmd_verify, (struct tool_options){ .image = other }, NULL), TOOL_OK);
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
		cmocka_unit_test(test_command_line), cmocka_unit_test(test_odd_names), cmocka_unit_test(test_json), cmocka_unit_test(test_output_files),
		cmocka_unit_test(test_every_block_flipped), cmocka_unit_test(test_hostile_tables),
		cmocka_unit_test(test_not_ours), cmocka_unit_test(test_rollback_prune), cmocka_unit_test(test_names),
		cmocka_unit_test(test_export_import), cmocka_unit_test(test_bad_streams),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
