/* SPDX-License-Identifier: BSD-2-Clause
 * Kernel objects by name; see kernel/objects.h for what they hold and libl4's framecontrol.h for their names.
 */
#include "objects.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <l4/framecontrol.h>

#include "tool.h"

#define INTERRUPTS      64

static const char *const type_names[L4_OBJ_TYPES] = {
	[L4_OBJ_TABLE] = "table", [L4_OBJ_TCB] = "tcb", [L4_OBJ_UTCB] = "utcb", [L4_OBJ_SPACE] = "space",
};

bool object_thread_next(struct world *w, uint32_t *number, struct tte *entry, int *status)
{
	static struct tte table[L4_TABLE_PER_PAGE];
	struct store_op op = { .end = L4_OBJ(L4_OBJ_TABLE, L4_TABLE_PAGES) };
	uint32_t at = *number % L4_TABLE_PER_PAGE;

	for (op.vpn = *number / L4_TABLE_PER_PAGE; op.vpn < op.end; op.vpn++, at = 0) {
		uint64_t wanted = op.vpn;

		*status = store_sync(w->st, &op, store_next(w->st, &op));
		if (*status == STORE_OK)
			*status = world_page(w, 0, op.vpn, table, NULL);
		if (*status != STORE_OK)
			break;
		if (op.vpn != wanted)
			at = 0;
		for (; at < L4_TABLE_PER_PAGE; at++) {
			if (!(table[at].flags & TTE_EXISTS))
				continue;
			*number = (uint32_t)op.vpn * L4_TABLE_PER_PAGE + at;
			*entry = table[at];
			return true;
		}
	}
	if (*status == STORE_END)
		*status = STORE_OK;
	return false;
}

static int object_read(struct world *w, unsigned type, uint32_t number, void *page)
{
	bool exists;
	int status = world_page(w, 0, L4_OBJ((uint64_t)type, number), page, &exists);

	if (status != STORE_OK)
		return world_fail(w, status, object_name(L4_OBJ((uint64_t)type, number)));
	return exists ? TOOL_OK : TOOL_NOT_FOUND;
}

static int header_check(int status, const struct object_header *h, unsigned type, uint32_t number)
{
	if (status != TOOL_OK)
		return status;
	return h->magic == OBJECT_MAGIC && h->version == OBJECT_VERSION && h->type == type && h->number == number ?
	       TOOL_OK : TOOL_NOT_FOUND;
}

int object_tcb(struct world *w, uint32_t number, struct tcb *tcb)
{
	return header_check(object_read(w, L4_OBJ_TCB, number, tcb), &tcb->header, L4_OBJ_TCB, number);
}

int object_utcb(struct world *w, uint32_t number, struct utcb *utcb)
{
	return object_read(w, L4_OBJ_UTCB, number, utcb);
}

int object_space(struct world *w, uint32_t number, struct space_record *space)
{
	return header_check(object_read(w, L4_OBJ_SPACE, number, space), &space->header, L4_OBJ_SPACE, number);
}

bool object_name_parse(const char *text, uint64_t *vpn)
{
	const char *colon = strchr(text, ':');
	uint64_t number;

	if (!colon || !number_parse(colon + 1, &number) || number > L4_OBJ_INDEX_MASK)
		return false;
	for (unsigned type = 0; type < L4_OBJ_TYPES; type++) {
		if (strncmp(text, type_names[type], (size_t)(colon - text)) || type_names[type][colon - text])
			continue;
		*vpn = L4_OBJ((uint64_t)type, number);
		return true;
	}
	return false;
}

const char *object_name(uint64_t vpn)
{
	static char text[40];
	uint64_t type = L4_OBJ_TYPE(vpn);

	if (type < L4_OBJ_TYPES && vpn >> 32 == 0)
		snprintf(text, sizeof text, "%s:%" PRIu64, type_names[type], (uint64_t)L4_OBJ_INDEX(vpn));
	else
		snprintf(text, sizeof text, "object 0x%" PRIx64, vpn);
	return text;
}

const char *thread_name(uint64_t id)
{
	static char texts[4][32];
	static unsigned turn;
	char *text = texts[turn++ % 4];
	uint64_t number = id >> 32, version = id & 0xffffffff;

	if (!id)
		return "none";
	if (id == UINT64_MAX)
		return "any";
	if (id == (uint64_t)-64)
		return "any local";
	if (number < INTERRUPTS)
		snprintf(text, 32, "irq %" PRIu64, number);
	else
		snprintf(text, 32, "%" PRIu64 "v%" PRIu64, number, version);
	return text;
}

const char *thread_state(const struct tte *e)
{
	static const char *const names[TS_COUNT] = {
		[TS_READY] = "ready", [TS_SEND] = "sends", [TS_RECV] = "waits", [TS_RECV_PENDING] = "waits",
	};

	if (e->flags & TTE_STOPPED)
		return "stopped";
	if (e->flags & TTE_HALTED)
		return "halted";
	if (!(e->flags & TTE_ACTIVE))
		return "inactive";
	return e->state < TS_COUNT ? names[e->state] : "?";
}

const char *thread_kind(const struct tte *e)
{
	static const char *const names[IPC_KIND_COUNT] = {
		[IPC_NORMAL] = "ipc", [IPC_PAGEFAULT] = "pagefault", [IPC_EXCEPTION] = "exception", [IPC_START] = "start",
		[IPC_PREEMPTION] = "preemption",
	};
	unsigned kind = e->kind & IPC_KIND_MASK;

	if (e->kind & IPC_NESTED)
		return "pagefault in ipc";
	return kind < IPC_KIND_COUNT ? names[kind] : "?";
}
