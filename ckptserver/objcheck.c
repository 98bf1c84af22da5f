/* SPDX-License-Identifier: BSD-2-Clause
 * Checks of kernel object pages by their headers and ranges (kernel/objects.h). The kernel validates every field
 * when it loads an object; this is to notice, before it is on disk, that memory went wrong.
 */
#include "objcheck.h"

#include <kernel/objects.h>
#include <l4/framecontrol.h>
#include <stddef.h>

/* A page that was supplied fresh and given up before the kernel wrote its header is all zero. */
static bool untouched(const struct object_header *h)
{
	return !h->magic && !h->version && !h->type && !h->number && !h->reserved;
}

static const char *check_header(uint32_t obj, const struct object_header *h)
{
	if (untouched(h))
		return NULL;
	if (h->magic != OBJECT_MAGIC)
		return "no object header";
	if (h->version != OBJECT_VERSION)
		return "unknown object version";
	if (h->type != L4_OBJ_TYPE(obj) || h->number != L4_OBJ_INDEX(obj))
		return "another object's content";
	return NULL;
}

static const char *check_entry(const struct tte *e)
{
	if (!(e->flags & TTE_EXISTS))
		return NULL;
	if ((e->version & 63) == 0)
		return "thread version is zero";
	if (e->state >= TS_COUNT || (e->kind & IPC_KIND_MASK) >= IPC_KIND_COUNT || e->pending >= PEND_COUNT)
		return "thread state out of range";
	if (e->space < L4_FIRST_SPACE || e->space >= L4_MAX_SPACES)
		return "space number out of range";
	return NULL;
}

static const char *check_table(const struct tte *e)
{
	for (unsigned i = 0; i < L4_TABLE_PER_PAGE; i++) {
		const char *why = check_entry(&e[i]);

		if (why)
			return why;
	}
	return NULL;
}

const char *objcheck(uint32_t obj, const void *page)
{
	switch (L4_OBJ_TYPE(obj)) {
	case L4_OBJ_TABLE:
		return check_table(page);
	case L4_OBJ_TCB:
	case L4_OBJ_SPACE:
		return check_header(obj, page);
	default:
		return NULL;                    /* a UTCB is its user's */
	}
}
