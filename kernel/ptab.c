/* SPDX-License-Identifier: BSD-2-Clause
 * User page tables: walking, the table pool, epochs and hardware W. See ptab.h for the rules.
 *
 * Invariant of hardware W, for a space whose epoch is the machine's (residual ones excepted): if every entry on the path
 * of a leaf has W, then W was granted and the frame is current. Below an entry without W nothing is promised; whoever sets
 * W in an upper entry therefore first takes it from all entries of the table below (ptab_enable_path).
 * A table counts its W entries, so a table without any costs nothing.
 *
 * Pool: tables go back to it as soon as they are empty and are then all zero, so taking one needs no clearing;
 * only a page never used before is cleared first.
 */
#include "kernel/ptab.h"
#include "kernel/mapdb_impl.h"

struct ptab *ptab_running;
u64 ptab_nx = PTE_NX;
struct table_pool tables;

#define ROOT_BUDGET     64              /* pieces of the search for a table that one call takes */

static const u64 *pml4_template;

void ptab_init(const u64 *template_entries)
{
	pml4_template = template_entries;
}

/* ---- Table pool ---- */

static u32 table_alloc(struct ptab *pt, unsigned level, vaddr_t base, u32 up)
{
	u32 t = tables.free;
	struct table *m;

	if (t != NO_ENTRY) {
		tables.free = tables.table[t].up;
	} else {
		t = tables.fresh++;
		__builtin_memset(table_entries(t), 0, PAGE_SIZE);
		__builtin_memset(&tables.node[(u64)t * TABLE_ENTRIES], 0, TABLE_ENTRIES * sizeof(u32));
	}
	tables.free_count--;
	m = &tables.table[t];
	*m = (struct table){ .base = base, .space = pt->space, .up = up, .level = (u8)level };
	return t;
}

static void table_free(u32 t)
{
	struct table *m = &tables.table[t];

	m->level = 0;
	m->up = tables.free;
	tables.free = t;
	tables.free_count++;
}

static void root_alloc(struct ptab *pt)
{
	u32 t = table_alloc(pt, 4, 0, NO_ENTRY);
	u64 *entries = table_entries(t);

	for (unsigned i = TABLE_USER_SLOTS; i < TABLE_ENTRIES; i++)
		entries[i] = pml4_template[i];
	pt->root = tables.base + ((paddr_t)t << PAGE_SHIFT);
	pt->epoch = epoch;
}

int ptab_make_root(struct ptab *pt)
{
	unsigned budget = ROOT_BUDGET;
	enum reserve r = mapdb_reserve_tables(1, 0, &budget);

	if (r != RESERVE_OK)
		return r == RESERVE_MORE ? 1 : -1;
	root_alloc(pt);
	return 0;
}

void ptab_free_root(struct ptab *pt)
{
	u32 t = entry_child(pt->root);

	for (unsigned i = TABLE_USER_SLOTS; i < TABLE_ENTRIES; i++)
		table_entries(t)[i] = 0;
	pt->root = 0;
	table_free(t);
}

/* ---- Paths ---- */

void ptab_extend(struct ptab *pt, vaddr_t va, struct ptab_path *p, unsigned n, unsigned levels)
{
	if (!n) {
		root_alloc(pt);
		p->e[0] = (u64 *)phys_to_virt(pt->root) + path_slot(va, 0);
		n = 1;
	}
	for (; n < levels; n++) {
		u64 *e = p->e[n - 1];
		vaddr_t span = 1UL << (48 - 9 * n);
		u32 t = table_alloc(pt, 4 - n, va & ~(span - 1), entry_index(e));

		/* W here promises nothing yet: the table below is empty. */
		ptab_set_leaf(e, (tables.base + ((paddr_t)t << PAGE_SHIFT)) | PTE_P | PTE_U | PTE_W);
		if (n == 1)
			pt->pml4_used[path_slot(va, 0) / 64] |= 1UL << path_slot(va, 0) % 64;
		p->e[n] = table_entries(t) + path_slot(va, n);
	}
}

/* Take W from every entry of a table. Looking which have it would take longer. */
static void table_protect(u32 t)
{
	u64 *e = table_entries(t);

#pragma GCC unroll 16
	for (unsigned i = 0; i < TABLE_ENTRIES; i++)
		e[i] &= ~PTE_W;
	tables.table[t].writable = 0;
}

void ptab_enable_path(struct ptab *pt, struct ptab_path *p, unsigned levels)
{
	for (unsigned i = 0; i + 1 < levels; i++) {
		u64 *e = p->e[i];
		u32 t;

		if (likely(*e & PTE_W))
			continue;
		t = entry_child(*e);
		if (tables.table[t].writable) {
			/* Often the only one is the one on the path. */
			if (*p->e[i + 1] & PTE_W)
				ptab_clear_w(p->e[i + 1]);
			if (tables.table[t].writable)
				table_protect(t);
			/* A processor may hold the lower entries by themselves, without the upper one's W folded in. */
			pt->tlb_gen++;
		}
		ptab_set_w(e);
	}
}

void ptab_protect_top(struct ptab *pt)
{
	struct table *m;
	u64 *pml4;

	pt->epoch = epoch;
	if (pt->residual || !pt->root)
		return;
	m = &tables.table[entry_child(pt->root)];
	if (!m->writable)
		return;
	pml4 = phys_to_virt(pt->root);
	for (unsigned i = 0; i < ARRAY_SIZE(pt->pml4_used); i++)
		for (u64 used = pt->pml4_used[i]; used; used &= used - 1)
			pml4[i * 64 + (unsigned)__builtin_ctzl(used)] &= ~PTE_W;
	m->writable = 0;
	pt->tlb_gen++;
}

void ptab_clear_leaf(u32 e)
{
	struct table *m = entry_table(e);
	struct ptab *pt = ptab_of_space(m->space);

	for (;;) {
		if (tables.entry[e] & PTE_W)
			m->writable--;
		tables.entry[e] = 0;
		m->valid--;
		if (m->level == 4) {
			pt->pml4_used[e % TABLE_ENTRIES / 64] &= ~(1UL << e % 64);
			break;
		}
		if (m->valid)
			break;
		u32 t = e / TABLE_ENTRIES;
		e = m->up;
		table_free(t);
		m = entry_table(e);
	}
	pt->tlb_gen++;
}

/* ---- What the kernel uses ---- */

void ptab_create(struct ptab *pt, u32 space, bool residual)
{
	*pt = (struct ptab){ .space = space, .residual = residual, .epoch = epoch };
}

bool ptab_lookup(const struct ptab *pt, vaddr_t va, struct ptab_leaf *leaf)
{
	struct ptab_path p;
	unsigned n = va < USER_END ? ptab_walk(pt, va, &p) : 0;
	u64 pte;

	leaf->pte = NULL;
	if (n < 3)
		return false;
	pte = *p.e[n - 1];
	if (!(pte & PTE_P))
		return false;
	leaf->pte = p.e[n - 1];
	leaf->pfn = pte_pfn(pte);
	if (n == 3)
		leaf->pfn += path_slot(va, 3);
	leaf->node = tables.node[entry_index(leaf->pte)];
	leaf->rights = pte_rights(pte);
	leaf->window = pte & PTE_WINDOW;
	leaf->kernel = pte & PTE_KERNEL;
	return true;
}

vaddr_t ptab_next(const struct ptab *pt, vaddr_t va, vaddr_t end)
{
	struct ptab_path p;

	while (va < end) {
		unsigned n = ptab_walk(pt, va, &p);
		unsigned shift = 48 - 9 * n;
		unsigned slot, slots;
		u64 *table;

		if (!n)
			return end;
		if (*p.e[n - 1] & PTE_P)
			return va;
		slot = path_slot(va, n - 1);
		slots = n == 1 ? TABLE_USER_SLOTS : TABLE_ENTRIES;
		table = p.e[n - 1] - slot;
		va = (va >> shift << shift) - ((vaddr_t)slot << shift);
		while (++slot < slots && !(table[slot] & PTE_P))
			;
		va += (vaddr_t)slot << shift;
	}
	return end;
}

void ptab_note_access(const struct ptab_leaf *leaf, bool write)
{
	*leaf->pte |= write ? PTE_A | PTE_D : PTE_A;
}

enum ptab_fault ptab_write_fault(struct ptab *pt, vaddr_t va, pfn_t *pfn)
{
	struct ptab_path p;
	unsigned n = va < USER_END ? ptab_walk(pt, va, &p) : 0;
	u64 pte;

	if (n < 3 || !(*p.e[n - 1] & PTE_P))
		return PTAB_ABSENT;
	pte = *p.e[n - 1];
	*pfn = pte_pfn(pte) + (n == 3 ? path_slot(va, 3) : 0);
	if (!(pte_rights(pte) & L4_RIGHT_W))
		return PTAB_NOT_GRANTED;
	if (!pt->residual && !frame_is_current(*pfn))
		return PTAB_STALE;
	ptab_make_current(pt);
	ptab_enable_path(pt, &p, n);
	if (!(*p.e[n - 1] & PTE_W))
		ptab_set_w(p.e[n - 1]);
	return PTAB_DONE;
}

#define LARGE_SIZE      (PAGE_SIZE * TABLE_ENTRIES)

/* One leaf of a window, 2 MiB if that fits. Returns the bytes done, 0: no pool memory. */
static u64 window_leaf(struct ptab *pt, vaddr_t va, paddr_t pa, u64 size, u64 bits)
{
	bool large = !((va | pa) & (LARGE_SIZE - 1)) && size >= LARGE_SIZE;
	unsigned n, levels, unlimited = MAPDB_UNLIMITED;
	struct ptab_path p;

	if (mapdb_reserve_tables(TABLES_PER_MAP, 0, &unlimited) != RESERVE_OK)
		return 0;
	n = ptab_walk(pt, va, &p);
	if (n >= 3 && (*p.e[n - 1] & PTE_P))
		return PAGE_SIZE;
	levels = large && n < 4 ? 3 : 4;
	ptab_extend(pt, va, &p, n, levels);
	if (levels == 3)
		bits |= PTE_PS;
	ptab_set_leaf(p.e[levels - 1], pte_make(pa >> PAGE_SHIFT, RIGHTS_ALL, bits) | ptab_nx);
	return levels == 3 ? LARGE_SIZE : PAGE_SIZE;
}

int ptab_map_window(struct ptab *pt, vaddr_t va, paddr_t pa, u64 size, bool uncached)
{
	u64 bits = PTE_WINDOW | PTE_W | (uncached ? PTE_UNCACHED : 0);

	while (size) {
		u64 done = window_leaf(pt, va, pa, size, bits);

		if (!done)
			return -1;
		va += done;
		pa += done;
		size -= done;
	}
	return 0;
}

bool ptab_destroy(struct ptab *pt, unsigned budget)
{
	struct mapdb_work work = MAPDB_WORK(budget);
	struct ptab_leaf leaf;

	while (pt->root && tables.table[entry_child(pt->root)].valid) {
		if (!work.budget)
			return true;
		pt->destroy_va = ptab_next(pt, pt->destroy_va, USER_END);
		if (!ptab_lookup(pt, pt->destroy_va, &leaf)) {
			pt->destroy_va = 0;     /* something came back below the cursor */
			continue;
		}
		if (leaf.node) {
			mapdb_remove_subtree(leaf.node, false, &work);
		} else {
			ptab_clear_leaf(entry_index(leaf.pte));
			work.budget--;
		}
	}
	if (pt->root)
		ptab_free_root(pt);
	return false;
}
