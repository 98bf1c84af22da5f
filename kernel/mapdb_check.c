/* SPDX-License-Identifier: BSD-2-Clause
 * Proof of the mapping database's and the page tables' invariants, by walking all of both. Debug builds and tests.
 */
#include "kernel/mapdb.h"
#include "kernel/mapdb_impl.h"

#define REQUIRE(condition, text) do { if (!(condition)) return text; } while (0)

static const char *check_upper(u32 t, u64 entry, u32 e)
{
	const struct table *m = &tables.table[t];
	const struct table *below;

	if (entry & PTE_WINDOW) {
		REQUIRE(m->level == 2 && entry & PTE_PS, "window leaf at a wrong level");
		return NULL;
	}
	REQUIRE((entry & PTE_ADDR) >= tables.base && entry_child(entry) < tables.fresh, "table outside the pool");
	below = &tables.table[entry_child(entry)];
	REQUIRE(below->level == m->level - 1, "table at a wrong level");
	REQUIRE(below->up == e, "table does not know the entry above it");
	REQUIRE(below->space == m->space, "table of another space");
	REQUIRE(below->base == entry_va(e), "table with a wrong address");
	REQUIRE(below->valid, "empty table not freed");
	return NULL;
}

/* Is W set in all entries above this leaf? */
static bool path_writable(u32 e)
{
	while (entry_table(e)->up != NO_ENTRY) {
		e = entry_table(e)->up;
		if (!(tables.entry[e] & PTE_W))
			return false;
	}
	return true;
}

static const char *check_leaf(u64 entry, u32 e)
{
	const struct ptab *pt = ptab_of_space(entry_table(e)->space);
	u32 n = tables.node[e];

	REQUIRE(pte_rights(entry) & L4_RIGHT_R, "leaf without R");
	REQUIRE(!(entry & PTE_W) || pte_rights(entry) & L4_RIGHT_W, "hardware W without granted W");
	if (entry & PTE_WINDOW) {
		REQUIRE(!n && pt->residual, "window page with a node, or in a persistent space");
		return NULL;
	}
	REQUIRE(!(entry & PTE_NX) == (!ptab_nx || pte_rights(entry) & L4_RIGHT_X), "NX differs from granted X");
	REQUIRE(n && n < nodes.fresh && nodes.node[n].serial && nodes.node[n].pte == e, "leaf without its node");
	if (entry & PTE_W && !pt->residual && pt->epoch == epoch && path_writable(e))
		REQUIRE(frame_is_current(pte_pfn(entry)), "stale frame writable");
	return NULL;
}

static const char *check_table(u32 t)
{
	const struct table *m = &tables.table[t];
	const struct ptab *pt = ptab_of_space(m->space);
	unsigned valid = 0, writable = 0, slots = m->level == 4 ? TABLE_USER_SLOTS : TABLE_ENTRIES;

	REQUIRE(pt, "table of no space");
	REQUIRE(m->level != 4 || entry_child(pt->root) == t, "root that is not its space's");
	for (u32 i = 0; i < slots; i++) {
		u32 e = t * TABLE_ENTRIES + i;
		u64 entry = tables.entry[e];
		const char *error = NULL;

		if (m->level == 4)
			REQUIRE((pt->pml4_used[i / 64] >> i % 64 & 1) == (entry & PTE_P), "bitmap of PML4 slots");
		if (!(entry & PTE_P)) {
			REQUIRE(!entry && !tables.node[e], "absent entry not zero");
			continue;
		}
		valid++;
		writable += !!(entry & PTE_W);
		error = m->level == 1 ? check_leaf(entry, e) : check_upper(t, entry, e);
		if (error)
			return error;
	}
	REQUIRE(m->level == 4 || tables.entry[m->up] & PTE_P, "table nothing points to");
	REQUIRE(valid == m->valid, "count of valid entries");
	REQUIRE(writable == m->writable, "count of writable entries");
	return NULL;
}

static const char *check_tables(void)
{
	u32 used = 0, free = 0;

	for (u32 t = 0; t < tables.fresh; t++) {
		const char *error;

		if (!tables.table[t].level)
			continue;
		used++;
		error = check_table(t);
		if (error)
			return error;
	}
	for (u32 t = tables.free; t != NO_ENTRY && free <= tables.count; t = tables.table[t].up) {
		free++;
		REQUIRE(!tables.table[t].level, "table in use on the free list");
		for (u32 i = 0; i < TABLE_ENTRIES; i++)
			REQUIRE(!table_entries(t)[i] && !tables.node[(u64)t * TABLE_ENTRIES + i], "free table not zero");
	}
	REQUIRE(free + used == tables.fresh, "table lost");
	REQUIRE(free + tables.count - tables.fresh == tables.free_count, "count of free tables");
	return NULL;
}

static const char *check_node(u32 n)
{
	const struct map_node *nd = &nodes.node[n], *prev = &nodes.node[nd->prev];
	u64 pte = tables.entry[nd->pte];
	u32 above = nd->prev;

	REQUIRE(entry_table(nd->pte)->level == 1 && pte & PTE_P && tables.node[nd->pte] == n, "node without its leaf");
	REQUIRE(nd->depth && nd->depth <= MAPDB_MAX_DEPTH, "depth out of range");
	REQUIRE((nd->depth == 1) == !nd->parent, "depth 1 means the parent is implicit");
	REQUIRE(!nd->next || nodes.node[nd->next].prev == n, "backward link");
	if (!nd->prev) {
		REQUIRE(*frame_head(pte_pfn(pte)) == n, "first node is not the frame's head");
		REQUIRE(nd->depth == 1, "first node is not of depth 1");
		return NULL;
	}
	REQUIRE(prev->serial && prev->next == n, "forward link");
	REQUIRE(nd->depth <= prev->depth + 1, "preorder skips a depth");
	REQUIRE(frame_head(node_pfn(prev)) == frame_head(pte_pfn(pte)), "node in another frame's list");
	if (nd->depth == 1)
		return NULL;
	while (above && nodes.node[above].depth >= nd->depth)
		above = nodes.node[above].parent;
	REQUIRE(above == nd->parent, "parent is not the nearest shallower node");
	REQUIRE(node_pfn(&nodes.node[above]) == pte_pfn(pte), "parent maps another frame");
	return NULL;
}

static const char *check_nodes(void)
{
	u32 used = 0, free = 0, linked = 0;

	for (u32 n = 1; n < nodes.fresh; n++) {
		const char *error;

		if (!nodes.node[n].serial)
			continue;
		used++;
		linked += !nodes.node[n].prev;
		error = check_node(n);
		if (error)
			return error;
	}
	for (u32 n = nodes.free; n && free <= nodes.count; n = nodes.node[n].next) {
		free++;
		REQUIRE(!nodes.node[n].serial, "node in use on the free list");
	}
	REQUIRE(free + used + 1 == nodes.fresh, "node lost");
	REQUIRE(free + nodes.count - nodes.fresh == nodes.free_count, "count of free nodes");
	REQUIRE(!used || linked, "lists without a first node");
	return NULL;
}

const char *mapdb_check(void)
{
	const char *error = check_tables();

	return error ? error : check_nodes();
}

void mapdb_get_stats(struct mapdb_stats *out)
{
	*out = evictions;
	out->nodes = nodes.count - 1;
	out->nodes_free = nodes.free_count;
	out->tables = tables.count;
	out->tables_free = tables.free_count;
}
