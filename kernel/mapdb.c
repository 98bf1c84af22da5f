/* SPDX-License-Identifier: BSD-2-Clause
 * The mapping database: map, grant, unmap. See mapdb.h for what it promises; eviction is in mapdb_evict.c.
 *
 * Invariants (proved by mapdb_check):
 *  (1) a node and a present 4 KiB leaf outside windows refer to each other;
 *  (2) a frame's list is the preorder of its mapping tree; a node's parent is the nearest earlier one with depth - 1;
 *  (3) hardware W only with granted W and, where the path has W, a current frame.
 * A node's granted rights are among its parent's, except while (or where) a revocation was interrupted.
 * Trees lose nodes leaf by leaf, so every intermediate state of a long removal satisfies them too.
 * Accesses (the processor's A and D) of a node that goes are folded into its parent, or into the frame.
 */
#include "kernel/mapdb.h"
#include "kernel/mapdb_impl.h"

struct node_pool nodes;
u32 device_heads[DEVICE_HEADS];
struct mapdb_stats evictions;

/* ---- Pools ---- */

static size_t round16(size_t n)
{
	return (n + 15) & ~15UL;
}

size_t mapdb_meta_size(u32 table_count, u32 node_count)
{
	return round16(table_count * sizeof(struct table)) + (size_t)table_count * TABLE_ENTRIES * sizeof(u32)
		+ ((size_t)node_count + 1) * sizeof(struct map_node);
}

void mapdb_init(paddr_t table_base, u32 table_count, void *meta, u32 node_count)
{
	u8 *p = meta;

	tables = (struct table_pool){ .entry = phys_to_virt(table_base), .table = meta, .base = table_base,
		.count = table_count, .free = NO_ENTRY, .free_count = table_count };
	p += round16(table_count * sizeof(struct table));
	tables.node = (u32 *)(void *)p;
	p += (size_t)table_count * TABLE_ENTRIES * sizeof(u32);
	nodes = (struct node_pool){ .node = (struct map_node *)(void *)p, .count = node_count + 1, .fresh = 1,
		.free_count = node_count };
	for (unsigned i = 0; i < DEVICE_HEADS; i++)
		device_heads[i] = 0;
	evictions = (struct mapdb_stats){ 0 };
}

static u32 next_serial(void)
{
	if (unlikely(!++nodes.serial))
		nodes.serial = 1;
	return nodes.serial;
}

static u32 node_alloc(void)
{
	u32 n = nodes.free;

	if (n)
		nodes.free = nodes.node[n].next;
	else
		n = nodes.fresh++;
	nodes.free_count--;
	return n;
}

static void node_free(u32 n)
{
	struct map_node *nd = &nodes.node[n];

	nd->serial = 0;
	nd->depth = 0;
	nd->next = nodes.free;
	nodes.free = n;
	nodes.free_count++;
}

/* ---- Trees ---- */

/* Remember accesses for the parent: the node `parent`, or the implicit root of the frame. */
static void refs_fold(u32 parent, pfn_t pfn, unsigned refs)
{
	if (parent)
		nodes.node[parent].refs |= (u16)refs;
	else if (pfn < max_pfn)
		frame_table[pfn].refs |= refs;
}

/* First child of `parent` (0: of the frame's implicit root). */
static void node_link(u32 n, u32 parent, pfn_t pfn)
{
	struct map_node *nd = &nodes.node[n];
	u32 *link = parent ? &nodes.node[parent].next : frame_head(pfn);

	nd->prev = parent;
	nd->next = *link;
	if (nd->next)
		nodes.node[nd->next].prev = n;
	*link = n;
	nd->parent = parent;
	nd->depth = parent ? (u16)(nodes.node[parent].depth + 1) : 1;
}

/* Remove a node without children, and its leaf. */
static void node_remove(u32 n)
{
	struct map_node *nd = &nodes.node[n];
	u64 pte = tables.entry[nd->pte];
	pfn_t pfn = pte_pfn(pte);

	refs_fold(nd->parent, pfn, nd->refs | pte_refs(pte));
	*(nd->prev ? &nodes.node[nd->prev].next : frame_head(pfn)) = nd->next;
	if (nd->next)
		nodes.node[nd->next].prev = nd->prev;
	tables.node[nd->pte] = 0;
	ptab_clear_leaf(nd->pte);
	node_free(n);
}

bool mapdb_remove_subtree(u32 n, bool keep, struct mapdb_work *work)
{
	u32 c = n, child;

	for (;;) {
		while ((child = node_child(&nodes.node[c])))
			c = child;
		if (c == n && keep)
			return true;
		if (!work->budget)
			return false;
		work->budget--;
		child = c;
		c = nodes.node[c].prev;
		node_remove(child);
		if (child == n)
			return true;
	}
}

static bool is_ancestor(u32 ancestor, u32 n)
{
	unsigned depth = nodes.node[ancestor].depth;

	while (n && nodes.node[n].depth > depth)
		n = nodes.node[n].parent;
	return n == ancestor;
}

/* ---- Walks that change rights ---- */

enum walk_kind { WALK_REVOKE, WALK_PROTECT };

/* Take rights from one mapping (never R, that is removal) and collect its accesses. */
static unsigned node_revoke(struct map_node *nd, unsigned rights)
{
	u64 *pte = &tables.entry[nd->pte];
	unsigned refs = nd->refs | pte_refs(*pte);
	u64 old = *pte;

	nd->refs = 0;
	if (rights & L4_RIGHT_W && *pte & PTE_W)
		ptab_clear_w(pte);
	if (rights & L4_RIGHT_X)
		*pte |= ptab_nx;
	*pte &= ~((u64)rights << PTE_GRANT_SHIFT | PTE_A | PTE_D);
	/* Also for accesses saved earlier: the TLB may still hold the entry as accessed. */
	if (*pte != old || refs)
		ptab_of_space(entry_table(nd->pte)->space)->tlb_gen++;
	return refs;
}

static void node_protect(struct map_node *nd)
{
	u64 *pte = &tables.entry[nd->pte];
	struct ptab *pt;

	if (!(*pte & PTE_W))
		return;
	pt = ptab_of_space(entry_table(nd->pte)->space);
	if (pt->residual)
		return;
	ptab_clear_w(pte);
	pt->tlb_gen++;
}

/* Visit n and the nodes behind it that are deeper than `depth` and of this frame. False: budget used up, and
 * work says where to go on. */
static bool walk(u32 n, unsigned depth, pfn_t pfn, enum walk_kind kind, unsigned rights, struct mapdb_work *work)
{
	while (n && nodes.node[n].depth > depth) {
		struct map_node *nd = &nodes.node[n];

		if (!work->budget) {
			work->node = n;
			work->serial = nd->serial;
			return false;
		}
		work->budget--;
		if (likely(pfn < max_pfn || node_pfn(nd) == pfn)) {
			if (kind == WALK_REVOKE)
				work->status |= node_revoke(nd, rights);
			else
				node_protect(nd);
		}
		n = nd->next;
	}
	work->node = 0;
	return true;
}

/* Where a walk below `root` (0: over a whole frame) goes on: work's node if it is still there, else `first`. */
static u32 walk_resume(u32 root, pfn_t pfn, u32 first, const struct mapdb_work *work)
{
	u32 n = work->node;

	if (!n || n >= nodes.fresh || nodes.node[n].serial != work->serial || !work->serial)
		return first;
	if (root ? !is_ancestor(root, n) : frame_head(node_pfn(&nodes.node[n])) != frame_head(pfn))
		return first;
	return n;
}

/* Revoke some rights (not R) below node n, and with `own` in n itself. */
static bool subtree_revoke(u32 n, unsigned rights, bool own, struct mapdb_work *work)
{
	struct map_node *nd = &nodes.node[n];
	pfn_t pfn = node_pfn(nd);
	unsigned before = work->status;
	bool done;

	work->status = 0;
	if (!work->node) {
		work->budget--;
		work->status |= node_revoke(nd, own ? rights : 0);      /* its accesses are reported in any case */
	}
	done = walk(walk_resume(n, pfn, nd->next, work), nd->depth, pfn, WALK_REVOKE, rights, work);
	refs_fold(nd->parent, pfn, work->status);
	work->status |= before;
	return done;
}

/* ---- Map ---- */

/* The page a mapping is made from. */
struct source {
	pfn_t pfn;
	u32 node;               /* 0: the frame's implicit root */
	u64 bits;               /* of the leaf: cache attributes, PTE_KERNEL */
};

/* May W be set in a leaf of dst at once? Makes dst current if so. */
static always_inline bool hardware_w(struct ptab *dst, pfn_t pfn, unsigned rights)
{
	if (!(rights & L4_RIGHT_W))
		return false;
	if (dst->residual)
		return true;
	if (!frame_is_current(pfn))
		return false;
	ptab_make_current(dst);
	return true;
}

static void map_extend(struct ptab *dst, struct ptab_path *p, u32 n, unsigned rights)
{
	u64 *pte = p->e[3];

	nodes.node[n].serial = next_serial();
	*pte |= (u64)rights << PTE_GRANT_SHIFT;
	if (rights & L4_RIGHT_X)
		*pte &= ~PTE_NX;
	if (!hardware_w(dst, pte_pfn(*pte), rights))
		return;
	ptab_enable_path(dst, p, 4);
	if (!(*pte & PTE_W))
		ptab_set_w(pte);
}

enum room { ROOM_FREE, ROOM_SAME, ROOM_KEEP, ROOM_DENIED, ROOM_MORE };

/* Look at what stands in the destination and clear it away if it must go. The path is walked again after a removal. */
static always_inline enum room make_room(const struct source *s, struct ptab *dst, vaddr_t dva, struct ptab_path *p, unsigned *n,
	struct mapdb_work *work)
{
	u64 pte;
	u32 old;

	*n = ptab_walk(dst, dva, p);
	if (*n < 3 || !(*p->e[*n - 1] & PTE_P))
		return ROOM_FREE;
	pte = *p->e[*n - 1];
	if (pte & PTE_WINDOW || (pte & PTE_KERNEL && !(s->bits & PTE_KERNEL)))
		return ROOM_DENIED;
	old = tables.node[entry_index(p->e[3])];
	if (pte_pfn(pte) == s->pfn) {
		if (nodes.node[old].parent == s->node && !((pte ^ s->bits) & (PTE_KERNEL | PTE_UNCACHED)))
			return ROOM_SAME;
		if (s->node && is_ancestor(old, s->node))
			return ROOM_KEEP;
	}
	if (!mapdb_remove_subtree(old, false, work))
		return ROOM_MORE;
	*n = ptab_walk(dst, dva, p);
	return ROOM_FREE;
}

/* The pools can give what one mapping needs. The path may have changed if they had to evict. */
static always_inline enum reserve make_pool(u32 guard, bool node, struct ptab *dst, vaddr_t dva, struct ptab_path *p, unsigned *n,
	struct mapdb_work *work)
{
	enum reserve r;

	if (likely((!node || nodes.free_count) && *n == 4))
		return RESERVE_OK;
	if (node && !nodes.free_count) {
		r = mapdb_reserve_node(guard, &work->budget);
		if (r != RESERVE_OK)
			return r;
		*n = ptab_walk(dst, dva, p);
	}
	if (*n == 4)
		return RESERVE_OK;
	if (tables.free_count < TABLES_PER_MAP) {
		r = mapdb_reserve_tables(TABLES_PER_MAP, guard, &work->budget);
		if (r != RESERVE_OK)
			return r;
		*n = ptab_walk(dst, dva, p);
	}
	ptab_extend(dst, dva, p, *n, 4);
	return RESERVE_OK;
}

static always_inline enum mapdb_result map_page(const struct source *s, struct ptab *dst, vaddr_t dva, unsigned rights,
	struct mapdb_work *work)
{
	enum reserve r;
	struct ptab_path p;
	unsigned n;
	u32 node, e;
	u64 pte;

	switch (make_room(s, dst, dva, &p, &n, work)) {
	case ROOM_FREE:
		break;
	case ROOM_SAME:
		map_extend(dst, &p, tables.node[entry_index(p.e[3])], rights);
		return MAPDB_OK;
	case ROOM_KEEP:
		return MAPDB_OK;
	case ROOM_MORE:
		return MAPDB_MORE;
	default:
		return MAPDB_DENIED;
	}
	if (s->node && nodes.node[s->node].depth >= MAPDB_MAX_DEPTH)
		return MAPDB_DENIED;
	r = make_pool(s->node, true, dst, dva, &p, &n, work);
	if (unlikely(r != RESERVE_OK))
		return r == RESERVE_MORE ? MAPDB_MORE : MAPDB_NO_POOL;
	pte = pte_make(s->pfn, rights, s->bits);
	if (hardware_w(dst, s->pfn, rights)) {
		ptab_enable_path(dst, &p, 4);
		pte |= PTE_W;
	}
	node = node_alloc();
	e = entry_index(p.e[3]);
	nodes.node[node].pte = e;
	nodes.node[node].refs = 0;
	nodes.node[node].serial = next_serial();
	node_link(node, s->node, s->pfn);
	tables.node[e] = node;
	ptab_set_leaf(p.e[3], pte);
	return MAPDB_OK;
}

/* Give node n (at src's leaf *s) the leaf dva of dst. */
static enum mapdb_result grant_page(const struct ptab_leaf *s, struct ptab *dst, vaddr_t dva, unsigned rights,
	struct mapdb_work *work)
{
	struct source source = { .pfn = s->pfn, .node = s->node, .bits = *s->pte & PTE_UNCACHED };
	struct map_node *nd = &nodes.node[s->node];
	struct ptab_path p;
	enum reserve r;
	unsigned n;
	u64 pte;

	switch (make_room(&source, dst, dva, &p, &n, work)) {
	case ROOM_FREE:
		break;
	case ROOM_SAME:                 /* a child of the source makes way for it */
		if (!mapdb_remove_subtree(tables.node[entry_index(p.e[3])], false, work))
			return MAPDB_MORE;
		n = ptab_walk(dst, dva, &p);
		break;
	case ROOM_KEEP:                 /* its ancestor stays, the granter gives it up */
		return mapdb_remove_subtree(s->node, false, work) ? MAPDB_OK : MAPDB_MORE;
	case ROOM_MORE:
		return MAPDB_MORE;
	default:
		return MAPDB_DENIED;
	}
	/* The node's own rights last, with the move: they say whether there is still something to do. */
	if (s->rights & ~rights && !subtree_revoke(s->node, s->rights & ~rights, false, work))
		return MAPDB_MORE;
	r = make_pool(s->node, false, dst, dva, &p, &n, work);
	if (unlikely(r != RESERVE_OK))
		return r == RESERVE_MORE ? MAPDB_MORE : MAPDB_NO_POOL;
	nd->refs |= (u16)pte_refs(*s->pte);
	pte = pte_make(s->pfn, rights, source.bits);
	if (hardware_w(dst, s->pfn, rights)) {
		ptab_enable_path(dst, &p, 4);
		pte |= PTE_W;
	}
	tables.node[nd->pte] = 0;
	n = nd->pte;
	nd->pte = entry_index(p.e[3]);
	nd->serial = next_serial();
	tables.node[nd->pte] = s->node;
	ptab_set_leaf(p.e[3], pte);
	ptab_clear_leaf(n);
	return MAPDB_OK;
}

enum mapdb_result mapdb_map(struct ptab *src, vaddr_t sva, struct ptab *dst, vaddr_t dva, unsigned rights,
	unsigned flags, struct mapdb_work *work)
{
	struct ptab_leaf s;

	if (dva >= USER_END)
		return MAPDB_DENIED;
	if (!ptab_lookup(src, sva, &s))
		return MAPDB_ABSENT;
	if (s.kernel)
		return MAPDB_DENIED;
	rights &= s.rights;
	if (flags & MAPDB_LOSE_W)
		rights &= ~(unsigned)L4_RIGHT_W;
	if (!rights || (src == dst && sva == dva))
		return MAPDB_OK;
	rights |= L4_RIGHT_R;
	if (flags & MAPDB_GRANT && s.node)
		return grant_page(&s, dst, dva, rights, work);

	struct source source = { .pfn = s.pfn, .node = s.node, .bits = *s.pte & PTE_UNCACHED };

	return map_page(&source, dst, dva, rights, work);
}

enum mapdb_result mapdb_map_frame(pfn_t pfn, struct ptab *dst, vaddr_t dva, unsigned rights, unsigned flags,
	struct mapdb_work *work)
{
	struct source source = { .pfn = pfn };

	if (dva >= USER_END)
		return MAPDB_DENIED;
	if (flags & MAPDB_LOSE_W)
		rights &= ~(unsigned)L4_RIGHT_W;
	if (flags & MAPDB_UNCACHED)
		source.bits |= PTE_UNCACHED;
	if (flags & MAPDB_KERNEL)
		source.bits |= PTE_KERNEL;
	return map_page(&source, dst, dva, rights | L4_RIGHT_R, work);
}

/* ---- Unmap ---- */

/* Remove all mappings of a frame. In a device list subtrees of other frames are passed over. */
static bool frame_remove(pfn_t pfn, struct mapdb_work *work)
{
	u32 n = *frame_head(pfn);

	while (n) {
		struct map_node *nd = &nodes.node[n];
		u32 prev = nd->prev;

		if (nd->depth == 1 && (pfn < max_pfn || node_pfn(nd) == pfn)) {
			if (!mapdb_remove_subtree(n, false, work))
				return false;
			n = prev ? nodes.node[prev].next : *frame_head(pfn);
		} else {
			n = nd->next;
		}
	}
	return true;
}

enum mapdb_result mapdb_unmap_frame(pfn_t pfn, unsigned rights, struct mapdb_work *work)
{
	bool done;

	if (rights & L4_RIGHT_R)
		done = frame_remove(pfn, work);
	else
		done = walk(walk_resume(0, pfn, *frame_head(pfn), work), 0, pfn, WALK_REVOKE, rights, work);
	if (pfn < max_pfn) {
		work->status |= frame_table[pfn].refs;
		frame_table[pfn].refs = 0;
	}
	return done ? MAPDB_OK : MAPDB_MORE;
}

enum mapdb_result mapdb_unmap(struct ptab *pt, vaddr_t va, unsigned rights, bool flush, struct mapdb_work *work)
{
	struct ptab_leaf leaf;
	unsigned refs;
	u32 parent;

	if (!ptab_lookup(pt, va, &leaf) || leaf.kernel)
		return MAPDB_OK;
	if (leaf.window)
		return mapdb_unmap_frame(leaf.pfn, rights, work);
	if (!(rights & L4_RIGHT_R))
		return subtree_revoke(leaf.node, rights, flush, work) ? MAPDB_OK : MAPDB_MORE;
	if (!mapdb_remove_subtree(leaf.node, true, work) || (flush && !work->budget))
		return MAPDB_MORE;
	if (!flush) {
		parent = nodes.node[leaf.node].parent;
		refs = node_revoke(&nodes.node[leaf.node], 0);
		refs_fold(parent, leaf.pfn, refs);
		work->status |= refs;
		return MAPDB_OK;
	}
	work->budget--;
	work->status |= nodes.node[leaf.node].refs | pte_refs(*leaf.pte);
	node_remove(leaf.node);
	return MAPDB_OK;
}

enum mapdb_result mapdb_remove(struct ptab *pt, vaddr_t va, struct mapdb_work *work)
{
	struct ptab_leaf leaf;

	if (!ptab_lookup(pt, va, &leaf) || !leaf.node)
		return MAPDB_OK;
	return mapdb_remove_subtree(leaf.node, false, work) ? MAPDB_OK : MAPDB_MORE;
}

enum mapdb_result mapdb_protect(pfn_t pfn, struct mapdb_work *work)
{
	u32 first = walk_resume(0, pfn, *frame_head(pfn), work);

	return walk(first, 0, pfn, WALK_PROTECT, 0, work) ? MAPDB_OK : MAPDB_MORE;
}
