/* SPDX-License-Identifier: BSD-2-Clause
 * Memory objects: an extent of the store with what its pages initially hold (zeroes, or a part of a file),
 * and a bit per page that says whether it has been given out since. Regions refer to objects; so do
 * workers while they fetch a page, so an extent is never freed under somebody's hands.
 *
 * Pure, except that freed content goes through store_discard and the charge through object_released.
 */
#ifndef PAGER_OBJECT_H
#define PAGER_OBJECT_H

#include "mem.h"

#define OBJECT_INLINE_BITS 128

struct object {
	uint32_t refs;
	uint32_t first, pages;          /* its extent of the store */
	uint32_t touched;               /* bits set */
	uint64_t owner;                 /* task id charged, or 0 */
	uint8_t shared;                 /* may be in several tasks: content is not dropped by one's unmap */
	uint8_t heap;                   /* which pages it is made of */
	union {
		const uint8_t *bytes;   /* initial content: file bytes, or NULL */
		struct object *next;    /* without references: in the ring of those that linger */
	};
	uint64_t skew, length;          /* where they begin in the object, and how many */
	uint64_t *bits;                 /* one per page: given out since the object was made */
	uint64_t inline_bits[OBJECT_INLINE_BITS / 64];
};

enum object_heap { OBJECT_PERSISTENT, OBJECT_VOLATILE, OBJECT_HEAPS };

/* Once, before any other. */
void object_init(struct mem *mem);

/* Volatile objects are made of the pages of mem, of which page 0 is page `first` of the store. Without this call there
 * is no room for them. */
void object_init_volatile(struct mem *mem, uint32_t first);

/* A new object with one reference, or NULL (no room). Charges nobody: that is the caller's. */
struct object *object_create(uint32_t pages, uint64_t owner, enum object_heap heap);

void object_get(struct object *object);

/* Drop a reference. With the last one its owner is uncharged, and the extent is discarded and freed. What cannot be discarded now
 * (the checkpoint server may be unable to, for as long as no commit can be made) lingers: it is not free yet, and nobody waits. */
void object_put(struct object *object);

/* Does anything linger? */
int object_lingers(void);
/* Try again to discard what lingers, until the first that cannot be. object_create does it when there is no room. */
void object_retry(void);

int object_touched(const struct object *object, uint32_t page);
void object_touch(struct object *object, uint32_t page);

/* Does this page begin with bytes of a file (and was not given out yet)? */
int object_needs_fill(const struct object *object, uint32_t page);

/* The file bytes of a page: where in the page they go, from where, how many. */
struct object_fill {
	uint32_t offset, length;
	const uint8_t *from;
};
void object_fill_of(const struct object *object, uint32_t page, struct object_fill *fill);

/* Drop the content of some pages that no region shows any more. What cannot be discarded now is when the object goes. */
void object_drop(struct object *object, uint32_t page, uint32_t count);

/* Provided by the pager (and by tests): the content of these pages of the store is not needed any more:
 * revoke all mappings of them and make them zero. 0: they are revoked, but hold anything until a later call has succeeded. */
int store_discard(uint32_t first, uint32_t count);
/* The same for a few pages of tables, which are made zero by hand if need be. */
void store_clear(uint32_t first, uint32_t count);
/* Provided by the pager: an object charged to this task is gone. */
void object_released(uint64_t owner, uint32_t pages);

#endif
