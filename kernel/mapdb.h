/* SPDX-License-Identifier: BSD-2-Clause
 * The mapping database: which page was mapped from which, so that Unmap can take it back (X.2 4.2, 4.3).
 *
 * Per frame one doubly linked list of nodes in preorder, each with its depth: a subtree is a node and the nodes behind
 * it that are deeper. The root is implicit (a page of sigma0's window, or the kernel for UTCB and KIP pages), its
 * children have depth 1. A node and a present 4 KiB leaf belong to each other one to one; rights and frame are in
 * the leaf. Nodes and page tables come from fixed pools; when one runs low, whole subtrees are evicted by a clock
 * hand, and come back by page faults. So any mapping of a persistent space may vanish in any call that maps.
 *
 * Long work is done in pieces: struct mapdb_work limits a piece and remembers where the next begins. It is volatile: a
 * zeroed cursor starts again from the beginning, which is always correct.
 */
#ifndef KERNEL_MAPDB_H
#define KERNEL_MAPDB_H

#include "kernel/types.h"
#include "kernel/ptab.h"

/* With at least this much pool besides what residual spaces hold, and no other thread mapping meanwhile, a fault
 * through three pagers makes progress, whatever the addresses: four spaces, each needing up to MAPDB_WORKING_SET pages of its
 * own at once, and each page mapped through every pager between it and the root. That is 8 * (1 + 2 + 3 + 4) nodes, each
 * in a leaf table of its own below upper tables of its own, and four roots; the rest is what one call takes. */
#define MAPDB_WORKING_SET       8
#define MAPDB_CHAIN_NODES       80
#define MAPDB_MIN_NODES         128
#define MAPDB_MIN_TABLES        256
/* The mappings installed last are not evicted. The number shrinks, but not below MAPDB_CHAIN_NODES, before a pool of the
 * minimum size has nothing left to give; below that only to avoid a failure. */
#define MAPDB_PROTECTED         128
/* Longest chain of mappings derived from one another. */
#define MAPDB_MAX_DEPTH         255

enum mapdb_result {
	MAPDB_OK        = 0,
	MAPDB_MORE      = 1,    /* budget used up: call again with the same arguments */
	MAPDB_ABSENT    = -1,   /* the source page is not mapped: fault the sender */
	MAPDB_NO_POOL   = -2,   /* pools exhausted, and eviction cannot help */
	MAPDB_DENIED    = -3,   /* source or destination is a kernel page (UTCB, KIP) or a window, or too deep: nothing done */
};

/* Flags of mapdb_map and mapdb_map_frame. */
#define MAPDB_GRANT             1       /* the source loses its mapping; the new one takes its place in the tree */
#define MAPDB_LOSE_W            2       /* destination may not write (a persistent page for a residual space) */
#define MAPDB_UNCACHED          4       /* mapdb_map_frame only: device memory */
#define MAPDB_KERNEL            8       /* mapdb_map_frame only: users can neither map it on nor unmap it */

/* A limit on a piece of work, and its progress. Before the first piece: zero, budget set, status 0. Before each
 * further piece: budget set again, the rest left alone. */
struct mapdb_work {
	unsigned budget;        /* nodes to visit in this piece, > 0; counts down */
	unsigned status;        /* out, OR-ed: L4_RIGHT_* bits of accesses since the last time they were read */
	u32 node, serial;       /* where to go on; 0: from the beginning */
};
#define MAPDB_WORK(n)           ((struct mapdb_work){ .budget = (n) })
#define MAPDB_UNLIMITED         (~0u)

/* Bytes of (virtual) memory mapdb_init needs for pools of that size, besides the table pages. */
size_t mapdb_meta_size(u32 table_count, u32 node_count);

/* Set the pools up. tables: physical address of table_count contiguous pages, reachable by the direct map; meta: at least
 * mapdb_meta_size bytes, 16-byte aligned. Neither needs to be zeroed, neither is touched before it is needed. Called
 * once (host tests: again for a fresh start), with the heads of the frame table 0. */
void mapdb_init(paddr_t tables, u32 table_count, void *meta, u32 node_count);

/* Map one page: what src has at sva also appears in dst at dva. Addresses are page-aligned user addresses; rights
 * are intersected with what src was granted (none left: nothing happens, MAPDB_OK; any implies R). If dva
 * already is a mapping derived from that source page its rights are extended; any other mapping there is removed first,
 * with all that was derived from it, unless the source itself derives from it (then the destination has the
 * page already and nothing changes). Hardware W is set at once if the frame is current.
 * work: limits the removal. Returns any of enum mapdb_result. May evict. X.2 4.2, 5.3. */
enum mapdb_result mapdb_map(struct ptab *src, vaddr_t sva, struct ptab *dst, vaddr_t dva, unsigned rights,
	unsigned flags, struct mapdb_work *work);

/* Map a frame into dst as a child of the implicit root: the kernel's own pages (UTCB, KIP, boot images), with
 * MAPDB_KERNEL, MAPDB_UNCACHED. Otherwise as mapdb_map; replaces a mapping of another frame at that place, and
 * extends one of the same frame. Never MAPDB_ABSENT. */
enum mapdb_result mapdb_map_frame(pfn_t pfn, struct ptab *dst, vaddr_t dva, unsigned rights, unsigned flags,
	struct mapdb_work *work);

/* Unmap one page: revoke rights (L4_RIGHT_*; R means all; 0: only read the status bits) in everything derived
 * from pt's page at va, and with flush also in pt's own mapping. work->status gets the accesses of the page and of all
 * derived from it, which are cleared here but remembered for its ancestors. A page of a window: every mapping of the frame
 * is concerned, the window itself stays. Not mapped, or the kernel's: nothing happens. MAPDB_OK or MAPDB_MORE. X.2 4.3. */
enum mapdb_result mapdb_unmap(struct ptab *pt, vaddr_t va, unsigned rights, bool flush, struct mapdb_work *work);

/* The same for all mappings of a frame, the kernel's included. */
enum mapdb_result mapdb_unmap_frame(pfn_t pfn, unsigned rights, struct mapdb_work *work);

/* Hardware W off in every mapping of the frame (not in residual spaces); granted rights stay. The frame's tag must have
 * been lowered before the first piece; user code may still write to the frame until MAPDB_OK. Or MAPDB_MORE. */
enum mapdb_result mapdb_protect(pfn_t pfn, struct mapdb_work *work);

/* Remove the kernel's own mapping (or any other) at va with its subtree: areas of a space that is taken apart. As mapdb_unmap
 * with all rights and flush, but MAPDB_KERNEL pages too. */
enum mapdb_result mapdb_remove(struct ptab *pt, vaddr_t va, struct mapdb_work *work);

/* Pool use, for statistics and tests. */
struct mapdb_stats {
	u32 nodes, nodes_free, tables, tables_free;
	u64 evicted_nodes, evicted_tables, evicted_roots;
};
void mapdb_get_stats(struct mapdb_stats *out);

/* Walk everything and compare: tree order and depth, node against leaf, counts, hardware W against granted W and frame tags,
 * no node or table lost. Returns NULL, or what is wrong. Slow: debug builds and tests. */
const char *mapdb_check(void);

/* chaos=SEED: evict a random subtree, or take hardware W from a random frame's mappings. *rng: any state, advanced. */
void mapdb_chaos(u64 *rng);

#endif
