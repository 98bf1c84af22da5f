/* SPDX-License-Identifier: BSD-2-Clause
 * Physical memory as the kernel sees it: the direct map, and the frame table with each frame's epoch tag.
 *
 * A frame's tag is the epoch in which writing to it was last allowed; the frame is *current* while tag >= epoch.
 * A snapshot is `epoch++`: every frame of the store is stale at once. Frames that are not store memory have
 * the tag FRAME_ALWAYS, or lie at or above max_pfn (devices): they are always current.
 *
 * The variables are the kernel's (the host tests define their own); direct_map_base, frame_table, max_pfn and epoch
 * must be set before mapdb_init. The epoch begins with 1, tags of store memory with 0.
 */
#ifndef KERNEL_FRAME_H
#define KERNEL_FRAME_H

#include "kernel/types.h"

#define FRAME_ALWAYS    (~0UL)

struct frame {
	u64 tag;                /* epoch of the last permission to write, 0 none, FRAME_ALWAYS */
	u32 head;               /* first mapping node of the frame, 0 none (owned by mapdb.c) */
	u32 refs;               /* L4_RIGHT_* bits: references folded up from mappings that are gone (mapdb.c) */
};
_Static_assert(sizeof(struct frame) == 16, "frame table: 16 bytes a frame");

extern unsigned char *direct_map_base;  /* virtual address of physical address 0 */
extern struct frame *frame_table;       /* max_pfn entries */
extern pfn_t max_pfn;                   /* one more than the highest RAM page number */
extern u64 epoch;                       /* snapshots since boot, plus one */

static inline void *phys_to_virt(paddr_t pa)
{
	return direct_map_base + pa;
}

static inline paddr_t virt_to_phys(const void *va)
{
	return (paddr_t)((const unsigned char *)va - direct_map_base);
}

/* May this frame be written in this epoch? */
static inline bool frame_is_current(pfn_t pfn)
{
	return pfn >= max_pfn || frame_table[pfn].tag >= epoch;
}

/* tag: `epoch` (writable now), 0 (stale) or FRAME_ALWAYS. Lowering a tag must be followed by mapdb_protect.
 * No effect on device frames. */
static inline void frame_set_tag(pfn_t pfn, u64 tag)
{
	if (pfn < max_pfn)
		frame_table[pfn].tag = tag;
}

#endif
