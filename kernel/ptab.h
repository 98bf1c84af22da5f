/* SPDX-License-Identifier: BSD-2-Clause
 * User page tables (x86-64, four levels), from a fixed pool; a cache, like the mapping database above them.
 *
 * A leaf holds the rights that were *granted* (software bits) apart from hardware W, which is only a cache of
 * "granted W and frame current". A snapshot changes `epoch` and nothing else; a space whose own epoch is old loses
 * W in its top-level entries before it runs again (ptab_make_current), and a write fault pushes that protection down
 * one level along the faulting path, so siblings stay protected. Residual spaces are exempt.
 *
 * Rules: one caller at a time (today: one CPU, kernel not preemptible). Every removal of rights bumps tlb_gen of
 * the space; before user code of a space runs, the kernel must have called ptab_prepare and, if ptab_flush_needed,
 * reloaded CR3 and called ptab_loaded. Any call that maps (mapdb_map*, ptab_map_window, ptab_prepare) may evict
 * mappings and tables of any persistent space: results of ptab_lookup are void after it.
 */
#ifndef KERNEL_PTAB_H
#define KERNEL_PTAB_H

#include "kernel/types.h"
#include "kernel/frame.h"
#include <l4/abi.h>

struct ptab {
	paddr_t root;           /* PML4, 0: none at the moment (evicted, or not made yet) */
	u64 epoch;              /* epoch for which hardware W bits are to be trusted */
	u64 tlb_gen;            /* removals of rights so far */
	u64 tlb_seen;           /* tlb_gen when CR3 was last loaded */
	u64 pml4_used[4];       /* bitmap: PML4 slots 0..255 in use */
	vaddr_t destroy_va;     /* progress of ptab_destroy */
	u32 space;              /* space number, for ptab_of_space */
	bool residual;          /* exempt from epochs and from eviction */
};

/* What a user address translates to. */
struct ptab_leaf {
	u64 *pte;               /* the entry (4 KiB, or 2 MiB in a window), NULL: nothing mapped */
	pfn_t pfn;              /* of the 4 KiB page that contains the address */
	u32 node;               /* mapping node, 0 for window pages */
	u32 rights;             /* granted L4_RIGHT_*; R is always among them */
	bool window;            /* page of a physical window: a root of the mapping database */
	bool kernel;            /* installed by the kernel itself (UTCB, KIP): users cannot map or unmap it */
};

enum ptab_fault {
	PTAB_DONE,              /* hardware W is set (or was): resume */
	PTAB_STALE,             /* W granted, frame not current: needs the checkpoint server */
	PTAB_NOT_GRANTED,       /* mapped, but without W: a fault for the pager */
	PTAB_ABSENT,            /* not mapped: a fault for the pager */
};

/* Provided by the kernel: the page tables of a space that has been created and not yet destroyed. */
struct ptab *ptab_of_space(u32 space);

/* The space whose root is in CR3, NULL if it is the kernel's own. Its root is never evicted. Set by ptab_loaded. */
extern struct ptab *ptab_running;

/* PTE_NX, or 0 on a processor without it; set before the first mapping. */
extern u64 ptab_nx;

/* Must be called once before anything else here: the kernel half (entries 256..511) of every PML4 is copied
 * from `pml4_template` (a virtual address of 512 entries) when a root is made; it must not change later. */
void ptab_init(const u64 *pml4_template);

/* A new, empty space. Takes nothing from the pool and cannot fail; the root is made by the first mapping or ptab_prepare. */
void ptab_create(struct ptab *pt, u32 space, bool residual);

/* One piece of the removal of everything in the space, with the mappings derived from it in other spaces. The caller must
 * see to it that nothing is mapped into the space meanwhile and that it is not running. budget: nodes to remove, > 0.
 * Returns true while there is more to do; after false the space holds no pool memory. */
bool ptab_destroy(struct ptab *pt, unsigned budget);

/* Look an address up in software. va: any user address. Returns true and fills *leaf if it is mapped; otherwise
 * false, with leaf->pte NULL. Changes nothing. */
bool ptab_lookup(const struct ptab *pt, vaddr_t va, struct ptab_leaf *leaf);

/* The lowest mapped page address in [va, end), or end. Skips absent tables, so that an Unmap of the complete address
 * space costs what is there. */
vaddr_t ptab_next(const struct ptab *pt, vaddr_t va, vaddr_t end);

/* The kernel is about to read or write the user page through the direct map: note it as the processor would have (X.2's
 * status bits). */
void ptab_note_access(const struct ptab_leaf *leaf, bool write);

/* A write to va faulted (or the kernel is about to let one happen). Makes the path current and sets hardware W if
 * that is right. *pfn is set for PTAB_DONE, PTAB_STALE and PTAB_NOT_GRANTED. */
enum ptab_fault ptab_write_fault(struct ptab *pt, vaddr_t va, pfn_t *pfn);

/* Window into physical memory for a residual space: [va, va + size) -> [pa, pa + size), rwx as a source of mappings,
 * not executable itself, 2 MiB leaves where alignment allows, else 4 KiB; without nodes. All three page-aligned.
 * Pages already mapped there stay. The search for tables has no limit: there is none to
 * search as long as no program has filled the pool, and windows are made at the start. Returns 0, or -1 if the pool is exhausted (what was mapped stays). */
int ptab_map_window(struct ptab *pt, vaddr_t va, paddr_t pa, u64 size, bool uncached);

/* Old epoch: take W from the top-level entries (slow path of ptab_make_current). */
void ptab_protect_top(struct ptab *pt);

/* Make a root (slow path of ptab_prepare). 0; -1 if the pool is exhausted even after eviction; 1: not yet, the search for a table that
 * may go is long. Call again, after interrupts have had their turn. */
int ptab_make_root(struct ptab *pt);

static inline void ptab_make_current(struct ptab *pt)
{
	if (unlikely(pt->epoch != epoch))
		ptab_protect_top(pt);
}

/* To be called before the space runs: it has a root, and its W bits are of this epoch. 0; -1: no pool memory; 1: call again, as above. */
static inline int ptab_prepare(struct ptab *pt)
{
	int r = 0;

	if (unlikely(!pt->root))
		r = ptab_make_root(pt);
	if (likely(!r))
		ptab_make_current(pt);
	return r;
}

/* The space is running, or is about to with the root that is in CR3 already: must CR3 be reloaded first? */
static inline bool ptab_flush_needed(const struct ptab *pt)
{
	return pt->tlb_gen != pt->tlb_seen;
}

/* The kernel has just loaded CR3 with pt->root (pt may be NULL for the kernel's own root). */
static inline void ptab_loaded(struct ptab *pt)
{
	ptab_running = pt;
	if (pt)
		pt->tlb_seen = pt->tlb_gen;
}

#endif
