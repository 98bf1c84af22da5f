/* SPDX-License-Identifier: BSD-2-Clause
 * What ptab.c and the mapdb*.c files share, and nobody else but their host test: entry bits, the pool of table pages
 * with its metadata, the nodes.
 *
 * The table pool is contiguous, so an entry of any table has a 32-bit index: table number * 512 + slot. Parallel arrays give
 * each table its metadata and each entry the mapping node that belongs to it. Free tables are all zero.
 */
#ifndef KERNEL_MAPDB_IMPL_H
#define KERNEL_MAPDB_IMPL_H

#include "kernel/mapdb.h"

/* ---- Page-table entries (Intel SDM 3A 4.5); software owns bits 9..11 and 52..58 ---- */
#define PTE_P           (1UL << 0)
#define PTE_W           (1UL << 1)
#define PTE_U           (1UL << 2)
#define PTE_PWT         (1UL << 3)
#define PTE_PCD         (1UL << 4)
#define PTE_A           (1UL << 5)
#define PTE_D           (1UL << 6)
#define PTE_PS          (1UL << 7)
#define PTE_GRANT_SHIFT 9               /* L4_RIGHT_* as granted */
#define PTE_GRANTED     (7UL << PTE_GRANT_SHIFT)
#define PTE_KERNEL      (1UL << 52)     /* the kernel's own page: not for users to map or unmap */
#define PTE_WINDOW      (1UL << 53)     /* page of a physical window: no node, a root */
#define PTE_NX          (1UL << 63)
#define PTE_ADDR        0x000ffffffffff000UL
#define PTE_UNCACHED    (PTE_PCD | PTE_PWT)

#define RIGHTS_ALL      (L4_RIGHT_R | L4_RIGHT_W | L4_RIGHT_X)

#define TABLE_ENTRIES   512
#define TABLE_USER_SLOTS 256            /* of a PML4 */
#define TABLES_PER_MAP  4               /* one mapping takes at most that many new tables */
#define NO_ENTRY        (~0u)

struct table {
	u64 base;               /* first virtual address it translates */
	u32 space;
	u32 up;                 /* index of the entry that points here; PML4: NO_ENTRY; free: the next free table */
	u16 valid;              /* present (user) entries */
	u16 writable;           /* of these with hardware W */
	u8 level;               /* 4 PML4 … 1 leaf table, 0 free */
	u8 pad[3];
};
_Static_assert(sizeof(struct table) == 24, "metadata of a table page");

struct map_node {
	u32 next, prev;         /* frame's list in preorder; 0: none. next also links free nodes */
	u32 parent;             /* 0: the implicit root */
	u32 pte;                /* index of its leaf entry */
	u32 serial;             /* number of its installation; 0: free */
	u16 depth;              /* 1 .. MAPDB_MAX_DEPTH */
	u16 refs;               /* L4_RIGHT_*: accesses folded up from removed children, or saved from the entry */
};
_Static_assert(sizeof(struct map_node) == 24, "size of a node");

struct table_pool {
	u64 *entry;             /* all entries of all tables */
	struct table *table;
	u32 *node;              /* per entry: its mapping node, or 0 */
	paddr_t base;
	u32 count, fresh;       /* tables in all; from `fresh` on never used (and not zeroed yet) */
	u32 free;               /* first of the free list, NO_ENTRY none */
	u32 free_count;         /* free list and never used ones */
	u32 hand;
};

struct node_pool {
	struct map_node *node;  /* index 0 is unused */
	u32 count, fresh, free, free_count, hand;
	u32 serial;             /* of the last installation */
};

/* Frames that are not in the frame table share heads by a hash; a list then holds subtrees of several frames. */
#define DEVICE_HEADS    1024

extern struct table_pool tables;
extern struct node_pool nodes;
extern u32 device_heads[DEVICE_HEADS];
extern struct mapdb_stats evictions;    /* only the evicted_* counters are kept here */

/* ---- Entries ---- */

static inline unsigned pte_rights(u64 pte)
{
	return (unsigned)(pte >> PTE_GRANT_SHIFT) & RIGHTS_ALL;
}

static inline pfn_t pte_pfn(u64 pte)
{
	return (pte & PTE_ADDR) >> PAGE_SHIFT;
}

/* X.2 status bits out of the processor's two. */
static inline unsigned pte_refs(u64 pte)
{
	unsigned r = 0;

	if (pte & PTE_A)
		r |= L4_RIGHT_R | (pte_rights(pte) & L4_RIGHT_X);
	if (pte & PTE_D)
		r |= L4_RIGHT_R | L4_RIGHT_W;
	return r;
}

static inline u64 pte_make(pfn_t pfn, unsigned rights, u64 bits)
{
	return pfn << PAGE_SHIFT | PTE_P | PTE_U | (u64)rights << PTE_GRANT_SHIFT | bits
		| (rights & L4_RIGHT_X ? 0 : ptab_nx);
}

static inline u32 entry_index(const u64 *pte)
{
	return (u32)(pte - tables.entry);
}

static inline struct table *entry_table(u32 e)
{
	return &tables.table[e / TABLE_ENTRIES];
}

static inline u32 entry_child(u64 entry)
{
	return (u32)(((entry & PTE_ADDR) - tables.base) >> PAGE_SHIFT);
}

static inline u64 *table_entries(u32 t)
{
	return tables.entry + (u64)t * TABLE_ENTRIES;
}

static inline vaddr_t entry_va(u32 e)
{
	const struct table *t = entry_table(e);

	return t->base + ((vaddr_t)(e % TABLE_ENTRIES) << (PAGE_SHIFT + 9 * (t->level - 1)));
}

/* ---- Paths ---- */

/* Entries from PML4 (e[0]) to the leaf table (e[3]), as far as they exist. */
struct ptab_path {
	u64 *e[4];
};

static inline unsigned path_slot(vaddr_t va, unsigned i)
{
	return (unsigned)(va >> (39 - 9 * i)) & (TABLE_ENTRIES - 1);
}

/* The entry for va in the table that `entry` points to. */
static inline u64 *path_entry(u64 entry, vaddr_t va, unsigned i)
{
	return (u64 *)phys_to_virt(entry & PTE_ADDR) + path_slot(va, i);
}

/* Fills p->e[0 .. n-1] and returns n, 0 without a root. All but e[n-1] are present and point to tables; e[n-1] is
 * absent, or a leaf (n is 4, or 3 with PTE_PS). va must be a user address. */
static inline unsigned ptab_walk(const struct ptab *pt, vaddr_t va, struct ptab_path *p)
{
	u64 *e, entry;

	if (unlikely(!pt->root))
		return 0;
	e = path_entry(pt->root, va, 0);
	p->e[0] = e;
	entry = *e;
	if (unlikely(!(entry & PTE_P)))
		return 1;
	e = path_entry(entry, va, 1);
	p->e[1] = e;
	entry = *e;
	if (unlikely(!(entry & PTE_P)))
		return 2;
	e = path_entry(entry, va, 2);
	p->e[2] = e;
	entry = *e;
	if ((entry & (PTE_P | PTE_PS)) != PTE_P)
		return 3;
	p->e[3] = path_entry(entry, va, 3);
	return 4;
}

/* ---- ptab.c ---- */

/* Complete the path of va to e[levels - 1]; n: what ptab_walk returned. TABLES_PER_MAP tables must be free. */
void ptab_extend(struct ptab *pt, vaddr_t va, struct ptab_path *p, unsigned n, unsigned levels);

/* The space must be current. Set W in the upper entries, pushing protection down to the siblings. */
void ptab_enable_path(struct ptab *pt, struct ptab_path *p, unsigned levels);

/* Write a new present leaf into an absent entry. */
static inline void ptab_set_leaf(u64 *pte, u64 value)
{
	struct table *t = entry_table(entry_index(pte));

	t->valid++;
	if (value & PTE_W)
		t->writable++;
	*pte = value;
}

/* Hardware W on in a present leaf without it. */
static inline void ptab_set_w(u64 *pte)
{
	entry_table(entry_index(pte))->writable++;
	*pte |= PTE_W;
}

/* Hardware W off in a present leaf that has it. The caller bumps tlb_gen. */
static inline void ptab_clear_w(u64 *pte)
{
	entry_table(entry_index(pte))->writable--;
	*pte &= ~PTE_W;
}

/* Remove a present leaf; tables that become empty are freed, except the root. Bumps tlb_gen. */
void ptab_clear_leaf(u32 e);

/* Give the root back; it must be empty and not running. */
void ptab_free_root(struct ptab *pt);

/* ---- mapdb.c ---- */

static inline pfn_t node_pfn(const struct map_node *n)
{
	return pte_pfn(tables.entry[n->pte]);
}

static inline u32 *frame_head(pfn_t pfn)
{
	return likely(pfn < max_pfn) ? &frame_table[pfn].head : &device_heads[pfn % DEVICE_HEADS];
}

/* The node behind n, if it is a descendant (then the first child), else 0. */
static inline u32 node_child(const struct map_node *n)
{
	u32 next = n->next;

	return next && nodes.node[next].depth > n->depth ? next : 0;
}

/* Remove node n's subtree, n included (or, with keep, not). False if the budget was used up first. */
bool mapdb_remove_subtree(u32 n, bool keep, struct mapdb_work *work);

/* ---- mapdb_evict.c ---- */

/* See to a free node, or to `need` free tables; `guard` (0: none) is a node that must not go. NONE: there is nothing that may
 * go. MORE: the budget is used up; the next call goes on with the search. */
enum reserve { RESERVE_NONE, RESERVE_OK, RESERVE_MORE };
enum reserve mapdb_reserve_node(u32 guard, unsigned *budget);
enum reserve mapdb_reserve_tables(u32 need, u32 guard, unsigned *budget);

#endif
