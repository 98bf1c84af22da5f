/* SPDX-License-Identifier: BSD-2-Clause
 * Names of shared regions. An entry goes as soon as its creator no longer shows any of it, so the object it
 * names is always held by a region of the creator.
 */
#include "share.h"

#include <l4/string.h>

#include "limits.h"

static struct share table[LIMIT_SHARES];

struct share *share_find(const char *name)
{
	for (unsigned i = 0; i < LIMIT_SHARES; i++)
		if (table[i].object && !strcmp(table[i].name, name))
			return &table[i];
	return NULL;
}

struct share *share_add(const char *name, struct object *object, uint64_t owner, unsigned rights)
{
	for (unsigned i = 0; i < LIMIT_SHARES; i++) {
		struct share *s = &table[i];

		if (s->object)
			continue;
		s->object = object;
		s->owner = owner;
		s->rights = rights;
		strlcpy(s->name, name, sizeof s->name);
		return s;
	}
	return NULL;
}

void share_drop_owner(uint64_t owner)
{
	for (unsigned i = 0; i < LIMIT_SHARES; i++)
		if (table[i].object && table[i].owner == owner)
			table[i].object = NULL;
}

void share_drop_object(uint64_t owner, const struct object *object)
{
	for (unsigned i = 0; i < LIMIT_SHARES; i++)
		if (table[i].object == object && table[i].owner == owner)
			table[i].object = NULL;
}
