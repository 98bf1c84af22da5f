/* SPDX-License-Identifier: BSD-2-Clause
 * dump: memory of a task (through the pager's tables) or of the root task's store, or a kernel object, in hexadecimal, or
 * as it is with --binary.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "objects.h"
#include "pagertab.h"
#include "tool.h"

#define DUMP_BYTES      256u

struct dump {
	struct world   *w;
	struct pagertab pager;
	const struct task *task;        /* NULL: the store, or an object */
	uint64_t object;                /* page of client 0 */
	const struct tool_options *o;
	uint64_t address, bytes;
};

/* The page an address is in. TOOL_NOT_FOUND silently: nothing there. */
static int page_get(struct dump *d, uint64_t address, uint8_t *page)
{
	static struct task_page tp;
	bool exists = true;
	int status;

	if (d->task) {
		status = pagertab_page(&d->pager, d->task, address, &tp);
		memcpy(page, tp.content, STORE_PAGE);
		return status;
	}
	if (d->o->object)
		status = world_page(d->w, 0, d->object + address / STORE_PAGE, page, &exists);
	else
		status = address >> 12 < d->w->record.store_pages ?
			 world_page(d->w, d->w->record.root_space, address >> 12, page, NULL) : STORE_EINVAL;
	if (status == STORE_EINVAL || !exists)
		return TOOL_NOT_FOUND;
	return status == STORE_OK ? TOOL_OK : world_fail(d->w, status, "page");
}

static void line_text(uint64_t address, const uint8_t *p, size_t n)
{
	printf("%012" PRIx64 " ", address);
	for (size_t i = 0; i < 16; i++) {
		if (i % 8 == 0)
			putchar(' ');
		if (i < n)
			printf("%02x ", p[i]);
		else
			printf("   ");
	}
	putchar(' ');
	for (size_t i = 0; i < n; i++)
		putchar(p[i] >= ' ' && p[i] < 0x7f ? p[i] : '.');
	putchar('\n');
}

static void line_json(const uint8_t *p, size_t n)
{
	char hex[33];

	for (size_t i = 0; i < n; i++)
		snprintf(hex + 2 * i, 3, "%02x", p[i]);
	hex[2 * n] = 0;
	json_string(NULL, hex);
}

static void piece_show(const struct dump *d, uint64_t address, const uint8_t *p, size_t n)
{
	if (d->o->binary) {
		fwrite(p, 1, n, stdout);
		return;
	}
	for (size_t i = 0; i < n; i += 16) {
		size_t part = n - i < 16 ? n - i : 16;

		if (d->o->json)
			line_json(p + i, part);
		else
			line_text(address + i, p + i, part);
	}
}

static int nothing_there(const struct dump *d, uint64_t at)
{
	if (d->o->object)
		return tool_fail(TOOL_NOT_FOUND, "no %s in generation %" PRIu64, d->o->object, d->w->mount.generation);
	return tool_fail(TOOL_NOT_FOUND, "%s has nothing at 0x%" PRIx64 " in generation %" PRIu64,
			 d->task ? d->task->name : "the root task", at, d->w->mount.generation);
}

static int dump(struct dump *d)
{
	uint8_t page[STORE_PAGE];
	uint64_t at = d->address, end = d->address + d->bytes;
	int status;

	while (at < end) {
		uint64_t in = at % STORE_PAGE, n = STORE_PAGE - in < end - at ? STORE_PAGE - in : end - at;

		status = page_get(d, at, page);
		if (status == TOOL_NOT_FOUND)
			return nothing_there(d, at);
		if (status != TOOL_OK)
			return status;
		piece_show(d, at, page + in, n);
		at += n;
	}
	return TOOL_OK;
}

static int target_find(struct dump *d)
{
	if (d->o->task)
		return pagertab_task(&d->pager, d->w, d->o->task, &d->task);
	if (!d->o->object && !d->w->has_record)
		return tool_fail(TOOL_NOT_FOUND, "generation %" PRIu64 " has no record of a root task", d->w->mount.generation);
	return TOOL_OK;
}

static int arguments(struct dump *d)
{
	const struct tool_options *o = d->o;

	if (!!o->task + !!o->object + o->store != 1)
		return tool_fail(TOOL_USAGE, "dump: of what? one of --task T, --store, --object O");
	if (o->object && !object_name_parse(o->object, &d->object))
		return tool_fail(TOOL_USAGE, "dump: no such object: %s (table:N, tcb:N, utcb:N or space:N)", o->object);
	d->bytes = o->object ? STORE_PAGE : DUMP_BYTES;
	if (!o->argc && !o->object)
		return tool_fail(TOOL_USAGE, "dump: which address?");
	if (o->argc > 0 && !number_parse(o->args[0], &d->address))
		return tool_fail(TOOL_USAGE, "dump: not an address: %s", o->args[0]);
	if (o->argc > 1 && (!number_parse(o->args[1], &d->bytes) || !d->bytes))
		return tool_fail(TOOL_USAGE, "dump: not a number of bytes: %s", o->args[1]);
	if (o->json && o->binary)
		return tool_fail(TOOL_USAGE, "dump: --json or --binary, not both");
	if (o->object && d->address >= STORE_PAGE)
		return tool_fail(TOOL_USAGE, "dump: %s has %u bytes, there is no byte 0x%" PRIx64, o->object, STORE_PAGE, d->address);
	if (o->object && d->bytes > STORE_PAGE - d->address)
		d->bytes = STORE_PAGE - d->address;
	if (d->address + d->bytes < d->address)
		return tool_fail(TOOL_USAGE, "dump: the range wraps around");
	return TOOL_OK;
}

static int dump_all(const struct tool_options *o, struct world *w)
{
	struct dump d = { .o = o, .w = w };
	int status = arguments(&d);

	if (status == TOOL_OK)
		status = target_find(&d);
	if (status == TOOL_OK && o->json) {
		json_object(NULL);
		json_number("generation", w->mount.generation);
		json_hex("address", d.address);
		json_list("lines");
		status = dump(&d);
		json_end();
		json_end();
	} else if (status == TOOL_OK) {
		status = dump(&d);
	}
	pagertab_close(&d.pager);
	return status;
}

int cmd_dump(const struct tool_options *o)
{
	struct dump d = { .o = o };
	int status = arguments(&d);

	return status == TOOL_OK ? world_with(o, o->generation, dump_all) : status;
}
