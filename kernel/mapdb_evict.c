/* SPDX-License-Identifier: BSD-2-Clause
 * What to forget when a pool runs low. The mappings are a cache: page faults bring back what is still needed.
 *
 * A clock hand goes over the nodes, another over the tables. Only whole subtrees go, never an inner node alone; the
 * accesses of what goes are folded upward by the removal itself. Mappings of residual spaces never go, nor does anything a
 * mapping in progress comes from (`guard`), nor the mappings installed last: first 128 of them are safe, and that number
 * shrinks only when nothing else is found, so what goes is roughly the oldest. Keeping the last MAPDB_CHAIN_NODES is
 * what makes a chain of faults end: each of its pages faults once, then all of them are there.
 */
#include "kernel/mapdb.h"
#include "kernel/mapdb_impl.h"

/* Freed at a time, so that the hand's way and the TLB flush are shared. */
#define NODE_BATCH      8
#define TABLE_BATCH     4
/* Looked at for one unit of the budget. */
#define NODE_STEPS      32
#define TABLE_STEPS     2
/* A node with more descendants than that is spared. */
#define NODE_SUBTREE    64
/* A table whose mappings have more descendants than that is spared while there are others. */
#define SUBTREE_LIMIT   1024

static const u32 protected_numbers[] = { MAPDB_PROTECTED, MAPDB_CHAIN_NODES, 40, 16, 4, 1 };

static bool node_is_safe(u32 n, u32 guard, u32 recent)
{
	const struct map_node *nd = &nodes.node[n];

	return n == guard || nodes.serial - nd->serial < recent || ptab_of_space(entry_table(nd->pte)->space)->residual;
}

/* May n go with its subtree? *limit: nodes to look at, counted down; running out means no. */
static bool subtree_may_go(u32 n, u32 guard, u32 recent, unsigned *limit)
{
	unsigned depth = nodes.node[n].depth;

	do {
		if (!*limit || node_is_safe(n, guard, recent))
			return false;
		--*limit;
		n = nodes.node[n].next;
	} while (n && nodes.node[n].depth > depth);
	return true;
}

static void evict_subtree(u32 n)
{
	struct mapdb_work work = MAPDB_WORK(MAPDB_UNLIMITED);

	mapdb_remove_subtree(n, false, &work);
	evictions.evicted_nodes += MAPDB_UNLIMITED - work.budget;
}

/* Was it used since the hand last came by? The accessed bit is saved in the node; leaving the TLB alone only makes
 * the guess coarser. */
static bool second_chance(struct map_node *nd)
{
	u64 *pte = &tables.entry[nd->pte];

	if (!(*pte & PTE_A))
		return false;
	nd->refs |= (u16)pte_refs(*pte & ~PTE_D);
	*pte &= ~PTE_A;
	return true;
}

/* Up to `steps` nodes from the hand on; `leaves`: only mappings nothing derives from and that were not used. Larger subtrees may be passed
 * by: of one that may go every leaf may go, and the hand comes to those as well. */
static void node_sweep(u32 steps, bool leaves, u32 guard, u32 recent, u32 want)
{
	while (steps-- && nodes.free_count < want) {
		unsigned limit = NODE_SUBTREE;
		struct map_node *nd;

		if (++nodes.hand >= nodes.fresh)
			nodes.hand = 1;
		nd = &nodes.node[nodes.hand];
		if (!nd->serial || (leaves && (node_child(nd) || second_chance(nd))))
			continue;
		if (subtree_may_go(nodes.hand, guard, recent, &limit))
			evict_subtree(nodes.hand);
	}
}

/* A search takes rounds: for each protected number one that spares what is in use, then one that does not. It is interrupted when
 * the budget is used up, and goes on with the next call, whoever makes it. */
struct search {
	u32 round, steps;
};

#define ROUNDS          (2 * ARRAY_SIZE(protected_numbers))

/* The search's next piece of `steps` steps; a first round over `all` is two turns, because of the second chance. False: all
 * rounds are over. */
static bool search_piece(struct search *s, u32 steps, u64 all)
{
	if (s->steps >= (s->round % 2 ? all : 2 * all)) {
		s->round++;
		s->steps = 0;
	}
	if (s->round == ROUNDS)
		return false;
	s->steps += steps;
	return true;
}

/* One piece is done, also without a budget: what the caller does before its search may use up the whole of it each time, and the
 * search must come to an end all the same. True: no more now. */
static bool search_pause(unsigned *budget)
{
	if (*budget)
		--*budget;
	return !*budget;
}

enum reserve mapdb_reserve_node(u32 guard, unsigned *budget)
{
	static struct search s;
	u32 want = nodes.count / 16 < NODE_BATCH ? nodes.count / 16 + 1 : NODE_BATCH;

	while (!nodes.free_count) {
		if (!search_piece(&s, NODE_STEPS, nodes.fresh))
			break;
		node_sweep(NODE_STEPS, s.round % 2 == 0, guard, protected_numbers[s.round / 2], want);
		if (!nodes.free_count && search_pause(budget))
			return RESERVE_MORE;
	}
	s = (struct search){ 0 };
	return nodes.free_count ? RESERVE_OK : RESERVE_NONE;
}

/* ---- Tables ---- */

static bool table_may_go(u32 t, u32 guard, u32 recent, unsigned limit)
{
	const u64 *entries = table_entries(t);
	unsigned left = tables.table[t].valid;

	for (u32 i = 0; left; i++) {
		u32 n;

		if (!(entries[i] & PTE_P))
			continue;
		left--;
		n = tables.node[(u64)t * TABLE_ENTRIES + i];
		if (!n || !subtree_may_go(n, guard, recent, &limit))
			return false;
	}
	return true;
}

/* Take away all mappings of a leaf table; the last one takes the table along. */
static void evict_table(u32 t)
{
	for (u32 i = 0; i < TABLE_ENTRIES && tables.table[t].level; i++) {
		u32 n = tables.node[(u64)t * TABLE_ENTRIES + i];

		if (n)
			evict_subtree(n);
	}
	evictions.evicted_tables++;
}

static bool evict_root(u32 t)
{
	struct ptab *pt = ptab_of_space(tables.table[t].space);

	if (tables.table[t].valid || pt == ptab_running || pt->residual)
		return false;
	ptab_free_root(pt);
	evictions.evicted_roots++;
	return true;
}

/* Up to `steps` tables from the hand on; unused: pass over tables the processor walked through since the last time. */
static void table_sweep(u32 steps, bool unused, u32 guard, u32 recent, u32 want)
{
	while (steps-- && tables.free_count < want) {
		struct table *t;

		if (++tables.hand >= tables.fresh)
			tables.hand = 0;
		t = &tables.table[tables.hand];
		if (t->level == 4)
			evict_root(tables.hand);
		if (t->level != 1)
			continue;
		if (unused && tables.entry[t->up] & PTE_A) {
			tables.entry[t->up] &= ~PTE_A;
			continue;
		}
		if (table_may_go(tables.hand, guard, recent, unused ? SUBTREE_LIMIT : MAPDB_UNLIMITED))
			evict_table(tables.hand);
	}
}

enum reserve mapdb_reserve_tables(u32 need, u32 guard, unsigned *budget)
{
	static struct search s;

	while (tables.free_count < need) {
		if (!search_piece(&s, TABLE_STEPS, 2ul * tables.fresh))
			break;
		table_sweep(TABLE_STEPS, s.round % 2 == 0, guard, protected_numbers[s.round / 2], need + TABLE_BATCH);
		if (tables.free_count < need && search_pause(budget))
			return RESERVE_MORE;
	}
	s = (struct search){ 0 };
	return tables.free_count >= need ? RESERVE_OK : RESERVE_NONE;
}

/* ---- Chaos ---- */

/* xorshift64*: good enough to choose victims. */
static u64 chaos_next(u64 *rng)
{
	u64 x = *rng ? *rng : 1;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*rng = x;
	return x * 0x2545f4914f6cdd1dUL >> 32;
}

void mapdb_chaos(u64 *rng)
{
	struct mapdb_work work = MAPDB_WORK(MAPDB_UNLIMITED);
	u32 n = (u32)(chaos_next(rng) % nodes.fresh);
	unsigned limit = SUBTREE_LIMIT;

	if (!n || !nodes.node[n].serial)
		return;
	if (chaos_next(rng) & 1)
		mapdb_protect(node_pfn(&nodes.node[n]), &work);
	else if (subtree_may_go(n, 0, protected_numbers[3], &limit))
		evict_subtree(n);
}
