/* SPDX-License-Identifier: BSD-2-Clause
 * Shared regions by name: the table of names. The memory lives as long as some region shows it.
 */
#ifndef PAGER_SHARE_H
#define PAGER_SHARE_H

#include "object.h"

struct share {
	struct object *object;          /* NULL: free entry. No reference: the entry goes before the creator's region */
	uint64_t owner;                 /* task id of the creator */
	unsigned rights;
	char name[32];
};

struct share *share_find(const char *name);
/* NULL: the table is full. The name must not be taken. */
struct share *share_add(const char *name, struct object *object, uint64_t owner, unsigned rights);
/* The creator has ended, or has unmapped that object. */
void share_drop_owner(uint64_t owner);
void share_drop_object(uint64_t owner, const struct object *object);

#endif
