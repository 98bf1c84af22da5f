/* SPDX-License-Identifier: BSD-2-Clause
 * Page tables and mapping database against a naive model, under random operations and tiny pools.
 *
 * The model is a table: per space and address a frame, rights, and the place it was mapped from. It knows nothing of
 * hardware W, lists or pools. After each operation the two are compared; what the pools evicted is allowed to be missing,
 * but only whole subtrees, only of persistent spaces, and only after an operation that may evict. A processor is simulated
 * with a TLB that is flushed only when the kernel would, so a forgotten flush or a W too many shows as a write to a frame
 * that is not current or not granted. MAPDB_SEED and MAPDB_STEPS in the environment repeat or lengthen a run.
 */
#include "mapdb_world.h"

#define SPACES  7               /* 0: window; 6: residual driver */
#define DRIVER  6
#define PLACES  16
#define RAM     12              /* frames in use */
#define FRAMES  16              /* the last four: device frames, two of them in one list */
#define NOWHERE (-1)

static const vaddr_t place_va[PLACES] = {
	0x400000, 0x401000, 0x402000, 0x5ff000,         /* one leaf table */
	0x600000, 0x7ff000,                             /* another below the same table */
	0x40000000, 0x40001000, 0x80000000,             /* below other tables of level 3 */
	0x7f0000000000, 0x7ffffffff000, 0x7fffffe00000, /* the upper end */
	0x123456789000, 0x123456987000, 0x8000000000, 0x0,
};

struct place {
	bool present, kernel;
	pfn_t pfn;
	unsigned rights, refs;
	int parent;             /* place number, NOWHERE: the implicit root */
	struct {
		bool valid, w, dirty;
		pfn_t pfn;
	} tlb;
};

static struct place model[SPACES * PLACES];
static unsigned frame_refs[FRAMES];
static u64 rng;
/* No pool memory: right if a long chain, or what the driver's mappings come from, fills a tiny pool. */
static unsigned refused;

static u64 rnd(u64 n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (rng >> 11) % n;
}

static pfn_t frame_pfn(unsigned f)
{
	static const pfn_t device[] = { 0xfee00, 0xfee00 + DEVICE_HEADS, 0xfee01, 0x12345 };

	return f < RAM ? f + 3 : device[f - RAM];
}

static unsigned frame_of(pfn_t pfn)
{
	unsigned f = 0;

	while (frame_pfn(f) != pfn)
		f++;
	return f;
}

static u32 space_of(int p)
{
	return (u32)(p / PLACES);
}

static vaddr_t va_of(int p)
{
	return place_va[p % PLACES];
}

static struct ptab *ptab_of(int p)
{
	return &world_space[space_of(p)];
}

static int place_of_node(u32 n)
{
	u32 e = nodes.node[n].pte;
	int p = (int)entry_table(e)->space * PLACES;

	while (place_va[p % PLACES] != entry_va(e))
		p++;
	return p;
}

/* ---- The model's operations ---- */

static bool model_ancestor(int a, int p)
{
	while (p != NOWHERE && p != a)
		p = model[p].parent;
	return p == a;
}

static void model_fold(int parent, pfn_t pfn, unsigned refs)
{
	if (parent != NOWHERE)
		model[parent].refs |= refs;
	else if (frame_of(pfn) < RAM)
		frame_refs[frame_of(pfn)] |= refs;
}

static void model_remove(int p)
{
	for (int i = 0; i < SPACES * PLACES; i++)
		if (model[i].present && model[i].parent == p)
			model_remove(i);
	model_fold(model[p].parent, model[p].pfn, model[p].refs);
	model[p].present = false;
	model[p].refs = 0;
}

/* Revoke below p, and at p if own; returns the accesses. */
static unsigned model_revoke(int p, unsigned rights, bool own)
{
	unsigned refs = 0;
	int parent = model[p].parent;
	pfn_t pfn = model[p].pfn;

	for (int i = 0; i < SPACES * PLACES; i++) {
		if (!model[i].present || !model_ancestor(p, i))
			continue;
		refs |= model[i].refs;
		if (!(rights & R))
			model[i].refs = 0;
		if (i != p || own)
			model[i].rights &= ~rights;
	}
	if (rights & R) {
		for (int i = 0; i < SPACES * PLACES; i++)
			if (model[i].present && model[i].parent == p)
				model_remove(i);
		refs |= model[p].refs;
		model[p].refs = 0;
		if (own)
			model_remove(p);
	}
	model_fold(parent, pfn, refs);
	return refs;
}

static unsigned model_revoke_frame(pfn_t pfn, unsigned rights)
{
	unsigned refs = 0;

	for (int i = 0; i < SPACES * PLACES; i++)
		if (model[i].present && model[i].pfn == pfn && model[i].parent == NOWHERE)
			refs |= model_revoke(i, rights, true);
	if (frame_of(pfn) < RAM) {
		refs |= frame_refs[frame_of(pfn)];
		frame_refs[frame_of(pfn)] = 0;
	}
	return refs;
}

static void model_set(int p, pfn_t pfn, unsigned rights, int parent, bool kernel)
{
	model[p].present = true;
	model[p].kernel = kernel;
	model[p].pfn = pfn;
	model[p].rights = rights;
	model[p].parent = parent;
	model[p].refs = 0;
}

static void model_map(pfn_t pfn, int from, int to, unsigned rights, bool kernel)
{
	struct place *d = &model[to];

	if (d->present && d->pfn == pfn) {
		if (d->parent == from && d->kernel == kernel) {
			d->rights |= rights;
			return;
		}
		if (from != NOWHERE && model_ancestor(to, from))
			return;
	}
	if (d->present)
		model_remove(to);
	model_set(to, pfn, rights, from, kernel);
}

static void model_grant(int from, int to, unsigned rights)
{
	pfn_t pfn = model[from].pfn;

	if (model[to].present && model_ancestor(to, from)) {
		model_remove(from);
		return;
	}
	if (model[to].present)
		model_remove(to);
	if (model[from].rights & ~rights)
		model_revoke(from, model[from].rights & ~rights, true);
	model_set(to, pfn, rights, model[from].parent, false);
	model[to].refs = model[from].refs;
	for (int i = 0; i < SPACES * PLACES; i++)
		if (model[i].present && model[i].parent == from)
			model[i].parent = to;
	model[from].present = false;
	model[from].refs = 0;
}

/* ---- Comparison ---- */

/* A mapping is missing: it and all derived from it must be, and none of these may be the driver's. */
static void expect_evicted(int p)
{
	struct ptab_leaf leaf;

	for (int i = 0; i < SPACES * PLACES; i++) {
		if (!model[i].present || !model_ancestor(p, i))
			continue;
		assert_int_not_equal(space_of(i), DRIVER);
		assert_false(ptab_lookup(ptab_of(i), va_of(i), &leaf));
	}
	model_remove(p);
}

static void compare(bool may_evict)
{
	u32 present = 0;

	for (int p = PLACES; p < SPACES * PLACES; p++) {
		struct ptab_leaf leaf;
		bool there = ptab_lookup(ptab_of(p), va_of(p), &leaf);
		u32 parent;

		if (!there && model[p].present) {
			assert_true(may_evict);
			expect_evicted(p);
		}
		assert_int_equal(there, model[p].present);
		if (!there)
			continue;
		present++;
		assert_int_equal(leaf.pfn, model[p].pfn);
		assert_int_equal(leaf.rights, model[p].rights);
		assert_int_equal(leaf.kernel, model[p].kernel);
		parent = nodes.node[leaf.node].parent;
		assert_int_equal(parent ? place_of_node(parent) : NOWHERE, model[p].parent);
	}
	assert_int_equal(present, nodes.count - 1 - nodes.free_count);
}

/* ---- The simulated processor ---- */

static bool may_write(int p)
{
	return model[p].present && model[p].rights & W && (space_of(p) == DRIVER || frame_is_current(model[p].pfn));
}

static void tlb_flush(u32 space)
{
	for (int p = (int)space * PLACES; p < ((int)space + 1) * PLACES; p++)
		model[p].tlb.valid = false;
}

/* Page walk: fill the TLB. False: absent. */
static bool tlb_fill(int p, bool write)
{
	struct ptab_path path;
	unsigned n = ptab_walk(ptab_of(p), va_of(p), &path);
	bool w = true;

	if (n < 4 || !(*path.e[3] & PTE_P))
		return false;
	for (unsigned i = 0; i < 4; i++)
		w &= !!(*path.e[i] & PTE_W);
	if (write && !w)
		return false;
	for (unsigned i = 0; i < 4; i++)
		*path.e[i] |= PTE_A;
	model[p].refs |= R;
	model[p].tlb.valid = true;
	model[p].tlb.w = w;
	model[p].tlb.dirty = *path.e[3] & PTE_D;
	model[p].tlb.pfn = pte_pfn(*path.e[3]);
	return true;
}

/* One load or store that hits the TLB or can fill it. False: page fault, and the entry is gone. */
static bool cpu_access(int p, bool write)
{
	if (!model[p].tlb.valid || (write && !model[p].tlb.w)) {
		model[p].tlb.valid = false;
		if (!tlb_fill(p, write))
			return false;
	}
	assert_true(model[p].present);
	assert_int_equal(model[p].tlb.pfn, model[p].pfn);
	if (!write)
		return true;
	assert_true(may_write(p));
	if (!model[p].tlb.dirty) {
		struct ptab_path path;

		assert_int_equal(ptab_walk(ptab_of(p), va_of(p), &path), 4);
		*path.e[3] |= PTE_D;
		model[p].tlb.dirty = true;
	}
	model[p].refs |= RW;
	return true;
}

static bool switch_to(u32 space)
{
	struct ptab *pt = &world_space[space];

	ptab_loaded(NULL);
	if (prepare(space) < 0) {
		refused++;
		return false;
	}
	if (ptab_flush_needed(pt))
		tlb_flush(space);
	ptab_loaded(pt);
	return true;
}

static void op_access(void)
{
	int p = PLACES + (int)rnd((SPACES - 1) * PLACES);
	struct ptab *pt = ptab_of(p);
	bool write = rnd(2);
	pfn_t pfn = 0;

	if (!switch_to(space_of(p)))
		return;
	compare(true);
	if (cpu_access(p, write) || (!write && !model[p].present))
		return;
	assert_true(write);             /* a load of a mapped page never faults */
	switch (ptab_write_fault(pt, va_of(p), &pfn)) {
	case PTAB_ABSENT:
		assert_false(model[p].present);
		return;
	case PTAB_NOT_GRANTED:
		assert_true(model[p].present && !(model[p].rights & W));
		return;
	case PTAB_STALE:
		assert_true(model[p].present && model[p].rights & W && !may_write(p));
		assert_int_equal(pfn, model[p].pfn);
		if (rnd(2))
			return;
		frame_set_tag(pfn, epoch);
		assert_int_equal(ptab_write_fault(pt, va_of(p), &pfn), PTAB_DONE);
		/* fall through */
	case PTAB_DONE:
		assert_true(may_write(p));
		assert_true(switch_to(space_of(p)));
		assert_true(cpu_access(p, true));
	}
}

/* ---- Operations on both ---- */

static unsigned random_rights(void)
{
	static const unsigned often[] = { RWX, RW, RX, R, W };

	return rnd(4) ? often[rnd(ARRAY_SIZE(often))] : (unsigned)rnd(8);
}

/* Carry an operation out, now and then in small pieces. */
#define IN_PIECES(result, work, call) do {                                      \
		unsigned piece = rnd(3) ? MAPDB_UNLIMITED : 1 + (unsigned)rnd(4);       \
		work = MAPDB_WORK(piece);                                               \
		while ((result = (call)) == MAPDB_MORE) {                               \
			world_check();                                                  \
			work.budget = piece;                                            \
		}                                                                       \
	} while (0)

static void refuse(int to)
{
	refused++;
	if (model[to].present && !rights_at(space_of(to), va_of(to)))
		model_remove(to);
}

static bool kept(int from, int to)
{
	return model[to].present && model_ancestor(to, from);
}

static void op_map(void)
{
	int from = (int)rnd(SPACES * PLACES), to = PLACES + (int)rnd((SPACES - 1) * PLACES);
	unsigned rights = random_rights(), flags = (rnd(4) ? 0 : MAPDB_GRANT) | (rnd(8) ? 0 : MAPDB_LOSE_W);
	bool root = space_of(from) == 0;
	pfn_t pfn = root ? frame_pfn((unsigned)rnd(RAM)) : 0;
	unsigned granted = root ? RWX : model[from].rights;
	enum mapdb_result result, expected = MAPDB_OK;
	struct mapdb_work work;

	IN_PIECES(result, work, mapdb_map(ptab_of(from), root ? window(pfn) : va_of(from), ptab_of(to), va_of(to), rights,
		flags, &work));
	rights &= granted & (flags & MAPDB_LOSE_W ? RX : RWX);
	if (!root && !model[from].present)
		expected = MAPDB_ABSENT;
	else if (!root && model[from].kernel)
		expected = MAPDB_DENIED;
	else if (rights && from != to && model[to].present && model[to].kernel)
		expected = MAPDB_DENIED;
	if (result == MAPDB_NO_POOL) {
		/* It may have made room already, and a grant have taken rights away. */
		refuse(to);
		if (flags & MAPDB_GRANT && !root && model[from].rights & ~(rights | R) && !kept(from, to))
			model_revoke(from, model[from].rights & ~(rights | R), false);
		return;
	}
	assert_int_equal(result, expected);
	if (result != MAPDB_OK || !rights || from == to)
		return;
	if (root)
		model_map(pfn, NOWHERE, to, rights | R, false);
	else if (flags & MAPDB_GRANT)
		model_grant(from, to, rights | R);
	else
		model_map(model[from].pfn, from, to, rights | R, false);
}

static void op_map_frame(void)
{
	int to = PLACES + (int)rnd((SPACES - 1) * PLACES);
	unsigned rights = random_rights() | R;
	bool kernel = rnd(3) == 0;
	pfn_t pfn = frame_pfn((unsigned)rnd(FRAMES));
	enum mapdb_result result;
	struct mapdb_work work;

	IN_PIECES(result, work, mapdb_map_frame(pfn, ptab_of(to), va_of(to), rights, kernel ? MAPDB_KERNEL : 0, &work));
	if (model[to].present && model[to].kernel && !kernel) {
		assert_int_equal(result, MAPDB_DENIED);
		return;
	}
	if (result == MAPDB_NO_POOL) {
		refuse(to);
		return;
	}
	assert_int_equal(result, MAPDB_OK);
	model_map(pfn, NOWHERE, to, rights, kernel);
}

static void op_unmap(void)
{
	int p = PLACES + (int)rnd((SPACES - 1) * PLACES);
	unsigned rights = rnd(2) ? RWX : (unsigned)rnd(8), expected = 0;
	bool flush = rnd(2);
	enum mapdb_result result;
	struct mapdb_work work;

	IN_PIECES(result, work, mapdb_unmap(ptab_of(p), va_of(p), rights, flush, &work));
	if (model[p].present && !model[p].kernel)
		expected = model_revoke(p, rights, flush);
	assert_int_equal(work.status & RW, expected);
}

static void op_unmap_frame(void)
{
	pfn_t pfn = frame_pfn((unsigned)rnd(FRAMES));
	unsigned rights = rnd(2) ? RWX : (unsigned)rnd(8), expected;
	enum mapdb_result result;
	struct mapdb_work work;

	if (frame_of(pfn) < RAM && rnd(2))
		IN_PIECES(result, work, mapdb_unmap(&world_space[0], window(pfn), rights, rnd(2), &work));
	else
		IN_PIECES(result, work, mapdb_unmap_frame(pfn, rights, &work));
	expected = model_revoke_frame(pfn, rights);
	if (frame_of(pfn) < RAM)
		assert_int_equal(work.status & RW, expected);
}

static void op_remove(void)
{
	int p = PLACES + (int)rnd((SPACES - 1) * PLACES);
	enum mapdb_result result;
	struct mapdb_work work;

	IN_PIECES(result, work, mapdb_remove(ptab_of(p), va_of(p), &work));
	if (model[p].present)
		model_remove(p);
}

static void op_protect(void)
{
	pfn_t pfn = frame_pfn((unsigned)rnd(RAM));
	enum mapdb_result result;
	struct mapdb_work work;

	frame_set_tag(pfn, 0);
	for (work = MAPDB_WORK(2); (result = mapdb_protect(pfn, &work)) == MAPDB_MORE; work.budget = 2)
		;
	assert_int_equal(result, MAPDB_OK);
}

static void op_writable(void)
{
	frame_set_tag(frame_pfn((unsigned)rnd(RAM)), epoch);
}

static void op_snapshot(void)
{
	if (rnd(3) == 0)
		epoch++;
}

static void op_chaos(void)
{
	mapdb_chaos(&rng);
}

static void op_destroy(void)
{
	u32 s = 1 + (u32)rnd(SPACES - 2);
	unsigned budget = 1 + (unsigned)rnd(20);

	if (rnd(4))
		return;
	if (ptab_running == &world_space[s])
		ptab_loaded(NULL);
	while (ptab_destroy(&world_space[s], budget))
		world_check();
	for (int p = (int)s * PLACES; p < ((int)s + 1) * PLACES; p++)
		if (model[p].present)
			model_remove(p);
	tlb_flush(s);
	ptab_create(&world_space[s], s, false);
}

static const struct {
	void (*run)(void);
	unsigned weight;
	bool may_evict;
} ops[] = {
	{ op_map, 40, true }, { op_map_frame, 6, true }, { op_access, 40, true }, { op_unmap, 10, false },
	{ op_unmap_frame, 3, false }, { op_remove, 2, false }, { op_protect, 4, false }, { op_writable, 6, false },
	{ op_snapshot, 4, false }, { op_chaos, 4, true }, { op_destroy, 1, false },
};

static void step(void)
{
	unsigned total = 0, pick;

	for (unsigned i = 0; i < ARRAY_SIZE(ops); i++)
		total += ops[i].weight;
	pick = (unsigned)rnd(total);
	for (unsigned i = 0; i < ARRAY_SIZE(ops); i++) {
		if (pick < ops[i].weight) {
			ops[i].run();
			compare(ops[i].may_evict);
			return;
		}
		pick -= ops[i].weight;
	}
}

static u64 setting(const char *name, u64 otherwise)
{
	const char *value = getenv(name);

	return value ? strtoul(value, NULL, 0) : otherwise;
}

static void run_model(u32 table_count, u32 node_count, u64 seed, u64 steps)
{
	struct mapdb_stats s;

	print_message("model: tables %u nodes %u MAPDB_SEED=%lu MAPDB_STEPS=%lu\n", table_count, node_count, seed, steps);
	rng = seed ? seed : 1;
	refused = 0;
	memset(model, 0, sizeof(model));
	memset(frame_refs, 0, sizeof(frame_refs));
	world_start(table_count, node_count);
	ptab_create(&world_space[DRIVER], DRIVER, true);
	for (u64 i = 0; i < steps; i++) {
		step();
		if (i % 7 == 0)
			world_check();
	}
	mapdb_get_stats(&s);
	print_message("  evicted: %lu nodes, %lu tables, %lu roots; refused %u; epoch %lu\n", s.evicted_nodes, s.evicted_tables,
		s.evicted_roots, refused, epoch);
	assert_true(refused * 100UL <= steps);
	world_stop();
}

static void test_roomy(void **state)
{
	(void)state;
	run_model(128, 256, setting("MAPDB_SEED", 42), setting("MAPDB_STEPS", 20000));
}

static void test_few_nodes(void **state)
{
	(void)state;
	run_model(128, 24, setting("MAPDB_SEED", 43), setting("MAPDB_STEPS", 20000));
}

static void test_few_tables(void **state)
{
	(void)state;
	run_model(36, 256, setting("MAPDB_SEED", 44), setting("MAPDB_STEPS", 20000));
}

static void test_few_of_both(void **state)
{
	(void)state;
	for (u64 i = 0; i < 10; i++)
		run_model(36, 24, setting("MAPDB_SEED", 45) + i, setting("MAPDB_STEPS", 4000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_roomy),
		cmocka_unit_test(test_few_nodes),
		cmocka_unit_test(test_few_tables),
		cmocka_unit_test(test_few_of_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
