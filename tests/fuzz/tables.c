/* SPDX-License-Identifier: BSD-2-Clause
 * Fuzzer: what `perdurectl ls`, `dump`, `core` and `diff` read in the pages of a saved world: the pager's tables, thread table, TCBs,
 * UTCBs, the checkpoint server's record. No input may crash them or keep them busy for ever.
 *
 * Input: a byte that chooses the command, then records: place (1 byte), offset (2), length - 1 (1, below 16), bytes. They are
 * written over tests/host/saved_world.c's world and committed by the store, so every checksum is right.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <l4/framecontrol.h>

#include "kernel/objects.h"
#include "pager/task.h"
#include "saved_world.h"
#include "tool.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define IMAGE_BYTES     ((size_t)SAVED_BLOCKS * STORE_PAGE)
#define RECORD          UINT64_MAX      /* a place that is no page */

/* Where something can be written over. */
static const struct { uint32_t client; uint64_t vpn; uint32_t from; } places[] = {
	{ ROOT_SPACE, (TASKS_AT + TASK_ID * sizeof(struct task)) >> 12, (TASKS_AT + TASK_ID * sizeof(struct task)) & 4095 },
	{ ROOT_SPACE, REGIONS_AT >> 12, 0 },
	{ ROOT_SPACE, OBJECT_AT >> 12, 0 },
	{ 0, L4_OBJ(L4_OBJ_TABLE, 1), TASK_THREAD % L4_TABLE_PER_PAGE * sizeof(struct tte) },
	{ 0, L4_OBJ(L4_OBJ_TCB, TASK_THREAD), 0 },
	{ 0, L4_OBJ(L4_OBJ_UTCB, TASK_THREAD), 0 },
	{ ROOT_SPACE, ANCHOR_AT >> 12, 0 },
	{ ROOT_SPACE, MEMORY_PAGE, 0 },
	{ ROOT_SPACE, TASKS_AT >> 12, 0 },
	{ 0, L4_OBJ(L4_OBJ_TABLE, 2), 0 },
	{ 0, L4_OBJ(L4_OBJ_TCB, 128), 0 },
	{ ROOT_SPACE, 3, 0 },
	{ 0, RECORD, 0 },
};
#define PLACES (sizeof places / sizeof places[0])

static char image_name[32];
static uint8_t *content, *base;                 /* of the image; as it is at the beginning */
static uint8_t pages[PLACES][STORE_PAGE];
static bool changed[PLACES];

int tool_fail(int status, const char *format, ...)
{
	(void)format;
	return status;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const uint8_t uuid[STORE_UUID_BYTES] = "fuzzed by chance";
	int fd = memfd_create("image", 0);
	struct maker m;

	(void)argc, (void)argv;
	if (!freopen("/dev/null", "w", stdout) || fd < 0 || ftruncate(fd, (off_t)IMAGE_BYTES))
		abort();
	snprintf(image_name, sizeof image_name, "/proc/self/fd/%d", fd);
	if (image_open(&m.img, image_name, true) != TOOL_OK || world_prepare(&m.w, &m.img) != TOOL_OK ||
	    store_format(m.w.st, uuid, false, &m.w.mount) != STORE_OK)
		abort();
	maker_close(&m);
	saved_world_make(image_name);
	content = mmap(NULL, IMAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	base = malloc(IMAGE_BYTES);
	memcpy(base, content, IMAGE_BYTES);
	return 0;
}

static void page_get(struct maker *m, unsigned place)
{
	if (places[place].vpn == RECORD)
		memcpy(pages[place], &m->w.record, sizeof m->w.record);
	else if (world_page(&m->w, places[place].client, places[place].vpn, pages[place], NULL) != STORE_OK)
		abort();
}

static void commit(struct maker *m)
{
	struct store_op op = { 0 };
	struct record r;

	memcpy(&r, changed[PLACES - 1] ? (void *)pages[PLACES - 1] : (void *)&m->w.record, sizeof r);
	r.store_pages %= 8 * STORE_PAGES;       /* the time to read a large store is the store's, not a mistake */
	if (store_begin(m->w.st, (const uint8_t *)&r) != STORE_OK || store_sync(m->w.st, &op, store_commit(m->w.st, &op)) != STORE_OK)
		abort();
}

static void world_change(const uint8_t *data, size_t size)
{
	struct maker m;
	size_t at = 0;

	memset(changed, 0, sizeof changed);
	maker_open(&m, image_name);
	while (at + 5 <= size) {
		unsigned place = data[at] % PLACES;
		size_t from = (places[place].from + (data[at + 1] << 8 | data[at + 2])) % STORE_PAGE, n = (data[at + 3] & 15) + 1u;

		at += 4;
		n = n < size - at ? n : size - at;
		n = n < STORE_PAGE - from ? n : STORE_PAGE - from;
		if (!changed[place])
			page_get(&m, place);
		changed[place] = true;
		memcpy(pages[place] + from, data + at, n);
		at += n;
	}
	for (unsigned i = 0; i < PLACES; i++)
		if (changed[i] && places[i].vpn != RECORD)
			maker_put(&m, places[i].client, places[i].vpn, pages[i], STORE_PAGE);
	commit(&m);
	maker_close(&m);
}

static void command_run(uint8_t which)
{
	static char address[] = "0x400100", bytes[] = "9000", one[] = "1";
	static char *memory[] = { address, bytes }, *older[] = { one };
	struct tool_options o = { .image = image_name, .output = "/dev/null", .json = which & 8, .registers = which & 16 };

	switch (which & 7) {
	case 0:
		cmd_ls(&o);
		break;
	case 1:
		o.task = "worker";
		cmd_ls(&o);
		break;
	case 2:
		o.task = which & 16 ? "7" : "worker";
		o.args = memory;
		o.argc = 2;
		cmd_dump(&o);
		break;
	case 3:
		o.task = "7";
		cmd_core(&o);
		break;
	case 4:
		o.thread = "160";
		cmd_core(&o);
		break;
	case 5:
		o.store = true;
		cmd_core(&o);
		break;
	case 6:
		o.args = older;
		o.argc = 1;
		cmd_diff(&o);
		break;
	case 7:
		o.thread = "128";
		cmd_core(&o);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	for (size_t at = 0; at < IMAGE_BYTES; at += STORE_PAGE)
		if (memcmp(content + at, base + at, STORE_PAGE))
			memcpy(content + at, base + at, STORE_PAGE);
	world_change(data + 1, size - 1);
	command_run(data[0]);
	return 0;
}
