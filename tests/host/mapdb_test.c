/* SPDX-License-Identifier: BSD-2-Clause
 * Page tables and mapping database, property by property: rights, trees, epochs, pieces, eviction, and that the
 * consistency walk notices damage. The randomised comparison with a model is mapdb_model_test.c.
 */
#include "mapdb_world.h"

#define A 0x400000UL
#define B 0x401000UL
#define C 0x7f0000000000UL

static int start(void **state)
{
	(void)state;
	world_start(1024, 4096);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	world_stop();
	return 0;
}

static struct mapdb_stats stats(void)
{
	struct mapdb_stats s;

	mapdb_get_stats(&s);
	return s;
}

static void test_map_and_unmap(void **state)
{
	struct mapdb_stats before = stats();

	(void)state;
	assert_int_equal(map(1, A, 2, A, RWX, 0), MAPDB_ABSENT);
	assert_int_equal(map(0, window(7), 1, A, RW, 0), MAPDB_OK);
	assert_int_equal(rights_at(1, A), RW);
	assert_int_equal(pfn_at(1, A), 7);
	assert_int_equal(map(1, A, 2, C, RX, 0), MAPDB_OK);
	assert_int_equal(rights_at(2, C), R);
	assert_int_equal(map(2, C, 3, C, W, 0), MAPDB_OK);      /* nothing in common: nothing happens */
	assert_int_equal(rights_at(3, C), 0);
	assert_int_equal(map(1, A, 3, C, W, 0), MAPDB_OK);      /* W comes with R */
	assert_int_equal(rights_at(3, C), RW);
	assert_int_equal(map(1, A, 3, A, RWX, MAPDB_LOSE_W), MAPDB_OK);
	assert_int_equal(rights_at(3, A), R);
	assert_int_equal(map(1, A, 3, USER_END, RWX, 0), MAPDB_DENIED);
	assert_int_equal(map(1, USER_END, 3, A, RWX, 0), MAPDB_ABSENT);
	world_check();
	unmap(1, A, RWX, false);
	assert_int_equal(rights_at(1, A), RW);
	assert_int_equal(rights_at(2, C) + rights_at(3, C) + rights_at(3, A), 0);
	unmap(1, A, RWX, true);
	assert_int_equal(rights_at(1, A), 0);
	unmap(1, A, RWX, true);
	world_check();
	assert_int_equal(stats().nodes_free, before.nodes_free);
	assert_int_equal(stats().tables_free, before.tables_free - 3);  /* roots stay */
}

static void test_revoke_reaches_all(void **state)
{
	(void)state;
	map(0, window(7), 1, A, RWX, 0);
	map(1, A, 2, A, RWX, 0);
	map(2, A, 4, A, RX, 0);
	map(2, A, 6, A, RWX, 0);
	map(2, A, 3, A, RWX, 0);
	map(0, window(7), 5, A, RWX, 0);
	unmap(3, A, W, true);                   /* not its sister */
	assert_int_equal(rights_at(3, A), RX);
	assert_int_equal(rights_at(6, A), RWX);
	unmap(1, A, W, false);
	assert_int_equal(rights_at(1, A), RWX);
	assert_int_equal(rights_at(2, A), RX);
	assert_int_equal(rights_at(3, A), RX);
	assert_int_equal(rights_at(5, A), RWX);
	unmap(1, A, W | L4_RIGHT_X, true);
	assert_int_equal(rights_at(1, A), R);
	assert_int_equal(rights_at(4, A), R);
	world_check();
	unmap(0, window(7), W, false);
	assert_int_equal(rights_at(5, A), RX);
	unmap(0, window(7), RWX, true);
	assert_int_equal(rights_at(1, A) + rights_at(4, A) + rights_at(5, A), 0);
	assert_int_equal(rights_at(0, window(7)), RWX);
	assert_int_equal(frame_table[7].head, 0);
	world_check();
}

static void test_extend_and_replace(void **state)
{
	(void)state;
	map(0, window(7), 1, A, RWX, 0);
	map(0, window(8), 1, B, RWX, 0);
	map(1, A, 2, A, R, 0);
	map(2, A, 3, A, R, 0);
	map(1, A, 2, A, RW, 0);                 /* the same source: more rights, children stay */
	assert_int_equal(rights_at(2, A), RW);
	assert_int_equal(rights_at(3, A), R);
	map(1, A, 2, A, R, 0);                  /* and never fewer */
	assert_int_equal(rights_at(2, A), RW);
	map(1, B, 2, A, R, 0);                  /* another page: the old one goes with its children */
	assert_int_equal(pfn_at(2, A), 8);
	assert_int_equal(rights_at(2, A), R);
	assert_int_equal(rights_at(3, A), 0);
	world_check();
	map(0, window(8), 2, A, R, 0);          /* the same frame from elsewhere replaces, too */
	unmap(1, B, RWX, true);
	assert_int_equal(rights_at(2, A), R);
	world_check();
}

static void test_onto_itself_and_ancestors(void **state)
{
	(void)state;
	map(0, window(7), 1, A, RWX, 0);
	map(1, A, 2, A, RW, 0);
	map(2, A, 3, A, RW, 0);
	assert_int_equal(map(1, A, 1, A, RWX, 0), MAPDB_OK);
	assert_int_equal(map(1, A, 1, A, RWX, MAPDB_GRANT), MAPDB_OK);
	assert_int_equal(map(3, A, 1, A, RW, 0), MAPDB_OK);     /* back up the tree: there already */
	assert_int_equal(rights_at(3, A), RW);
	assert_int_equal(rights_at(1, A), RWX);
	world_check();
	assert_int_equal(map(2, A, 1, A, RW, MAPDB_GRANT), MAPDB_OK);
	assert_int_equal(rights_at(1, A), RWX);
	assert_int_equal(rights_at(2, A) + rights_at(3, A), 0); /* the granter has given it up */
	assert_int_equal(map(1, A, 0, window(9), RWX, 0), MAPDB_DENIED);
	world_check();
	for (vaddr_t va = A; va < A + MAPDB_MAX_DEPTH * PAGE_SIZE; va += PAGE_SIZE)
		assert_int_equal(map(1, va, 1, va + PAGE_SIZE, RWX, 0),
			va == A + (MAPDB_MAX_DEPTH - 1) * PAGE_SIZE ? MAPDB_DENIED : MAPDB_OK);
	world_check();
	unmap(1, A, RWX, false);
	assert_int_equal(rights_at(1, B), 0);
	world_check();
}

static void test_grant(void **state)
{
	(void)state;
	map(0, window(7), 1, A, RWX, 0);
	map(1, A, 2, A, RWX, 0);
	map(2, A, 3, A, RWX, 0);
	assert_int_equal(map(2, A, 4, C, RW, MAPDB_GRANT), MAPDB_OK);
	assert_int_equal(rights_at(2, A), 0);
	assert_int_equal(rights_at(4, C), RW);
	assert_int_equal(rights_at(3, A), RW);          /* never more than the parent */
	world_check();
	assert_int_equal(map(4, C, 3, A, RW, MAPDB_GRANT), MAPDB_OK);    /* onto its own child */
	assert_int_equal(rights_at(4, C), 0);
	assert_int_equal(rights_at(3, A), RW);
	world_check();
	assert_int_equal(map(3, A, 3, B, R, MAPDB_GRANT), MAPDB_OK);     /* within a leaf table */
	assert_int_equal(rights_at(3, B), R);
	world_check();
	unmap(1, A, RWX, false);
	assert_int_equal(rights_at(3, B), 0);
	map(0, window(7), 2, A, RWX, MAPDB_GRANT);              /* a window cannot be given away */
	assert_int_equal(rights_at(0, window(7)), RWX);
	world_check();
}

static void test_kernel_pages(void **state)
{
	struct mapdb_work work = MAPDB_WORK(MAPDB_UNLIMITED);

	(void)state;
	assert_int_equal(mapdb_map_frame(20, &world_space[1], A, RW, MAPDB_KERNEL, &work), MAPDB_OK);
	assert_int_equal(map(1, A, 2, A, RW, 0), MAPDB_DENIED);
	assert_int_equal(map(0, window(7), 1, A, RW, 0), MAPDB_DENIED);
	unmap(1, A, RWX, true);
	assert_int_equal(pfn_at(1, A), 20);
	world_check();
	assert_int_equal(mapdb_map_frame(21, &world_space[1], A, RW, MAPDB_KERNEL, &work), MAPDB_OK);
	assert_int_equal(pfn_at(1, A), 21);
	assert_int_equal(mapdb_remove(&world_space[1], A, &work), MAPDB_OK);
	assert_int_equal(rights_at(1, A), 0);
	mapdb_map_frame(20, &world_space[1], A, RW, MAPDB_KERNEL, &work);
	assert_int_equal(mapdb_unmap_frame(20, RWX, &work), MAPDB_OK);
	assert_int_equal(rights_at(1, A), 0);
	world_check();
}

static void test_windows(void **state)
{
	struct ptab_leaf leaf;
	u64 *pte;
	bool writable;

	(void)state;
	/* 4 KiB, then 2 MiB, then 4 KiB leaves; device memory is not RAM and uncached. */
	assert_int_equal(ptab_map_window(&world_space[0], 0x7ff000, 0x3fff000, 0x402000, true), 0);
	world_check();
	for (vaddr_t va = 0x7ff000; va < 0xc01000; va += PAGE_SIZE)
		assert_int_equal(pfn_at(0, va), (0x3fff000 + va - 0x7ff000) >> PAGE_SHIFT);
	assert_true(ptab_lookup(&world_space[0], 0x800000, &leaf));
	assert_true(leaf.window && (*leaf.pte & PTE_PS));
	assert_false(ptab_lookup(&world_space[0], 0xc01000, &leaf));
	map(0, 0x801000, 1, A, RWX, 0);
	assert_true(hardware_writable(1, A));           /* a device frame is always current */
	epoch++;
	ptab_make_current(&world_space[1]);
	assert_false(hardware_writable(1, A));
	assert_true(hardware_writable(0, 0x801000));
	pte = hardware_walk(1, A, &writable);
	assert_int_equal(*pte & PTE_UNCACHED, PTE_UNCACHED);
	assert_int_equal(ptab_write_fault(&world_space[1], A, &leaf.pfn), PTAB_DONE);
	assert_true(hardware_writable(1, A));
	world_check();
}

static void test_device_frames_share_lists(void **state)
{
	struct mapdb_work work = MAPDB_WORK(MAPDB_UNLIMITED);
	pfn_t d = 2 * DEVICE_HEADS * 100;

	(void)state;
	for (u32 i = 0; i < 3; i++)
		assert_int_equal(mapdb_map_frame(d + i * DEVICE_HEADS, &world_space[1], A + i * PAGE_SIZE, RWX,
			MAPDB_UNCACHED, &work), MAPDB_OK);
	for (u32 i = 0; i < 3; i++) {
		map(1, A + i * PAGE_SIZE, 2, A + i * PAGE_SIZE, RWX, 0);
		map(2, A + i * PAGE_SIZE, 3, A + i * PAGE_SIZE, RWX, 0);
	}
	world_check();
	mapdb_unmap_frame(d + DEVICE_HEADS, W, &work);
	for (u32 s = 1; s <= 3; s++)
		for (u32 i = 0; i < 3; i++)
			assert_int_equal(rights_at(s, A + i * PAGE_SIZE), i == 1 ? RX : RWX);
	mapdb_unmap_frame(d + DEVICE_HEADS, RWX, &work);
	for (u32 s = 1; s <= 3; s++)
		for (u32 i = 0; i < 3; i++)
			assert_int_equal(rights_at(s, A + i * PAGE_SIZE), i == 1 ? 0 : RWX);
	world_check();
}

static void test_snapshot(void **state)
{
	struct ptab *pt = &world_space[1];
	vaddr_t page[] = { A, B, A + 0x200000, A + 0x40000000, C };
	pfn_t pfn;

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(page); i++) {
		frame_set_tag(10 + i, epoch);
		map(0, window(10 + i), 1, page[i], RW, 0);
		assert_true(hardware_writable(1, page[i]));
	}
	ptab_prepare(pt);
	ptab_loaded(pt);
	assert_false(ptab_flush_needed(pt));
	epoch++;
	ptab_make_current(pt);
	assert_true(ptab_flush_needed(pt));
	world_check();
	for (u32 i = 0; i < ARRAY_SIZE(page); i++) {
		assert_false(hardware_writable(1, page[i]));
		assert_int_equal(rights_at(1, page[i]), RW);
		assert_int_equal(ptab_write_fault(pt, page[i], &pfn), PTAB_STALE);
		assert_int_equal(pfn, 10 + i);
	}
	for (u32 i = 0; i < ARRAY_SIZE(page); i++) {
		frame_set_tag(10 + i, epoch);
		assert_int_equal(ptab_write_fault(pt, page[i], &pfn), PTAB_DONE);
		for (u32 k = 0; k < ARRAY_SIZE(page); k++)
			assert_int_equal(hardware_writable(1, page[k]), k <= i);
		world_check();
	}
	assert_int_equal(ptab_write_fault(pt, page[0], &pfn), PTAB_DONE);
	assert_int_equal(ptab_write_fault(pt, A + 0x5000, &pfn), PTAB_ABSENT);
	map(0, window(30), 1, A + 0x5000, R, 0);
	assert_int_equal(ptab_write_fault(pt, A + 0x5000, &pfn), PTAB_NOT_GRANTED);
	/* A mapping made into a space that is not current yet. */
	epoch++;
	frame_set_tag(31, epoch);
	map(0, window(31), 1, A + 0x6000, RW, 0);
	assert_true(hardware_writable(1, A + 0x6000));
	assert_false(hardware_writable(1, A));
	world_check();
}

/* The kernel writes into a space that has not run in this epoch: what it lets happen there must last. */
static void test_write_before_current(void **state)
{
	pfn_t pfn;

	(void)state;
	frame_set_tag(10, epoch);
	frame_set_tag(11, epoch);
	map(0, window(10), 1, A, RW, 0);
	map(0, window(11), 1, B, RW, 0);
	epoch++;
	frame_set_tag(10, epoch);
	assert_int_equal(ptab_write_fault(&world_space[1], A, &pfn), PTAB_DONE);
	ptab_make_current(&world_space[1]);
	assert_true(hardware_writable(1, A));
	assert_false(hardware_writable(1, B));
	world_check();
}

static void test_protect(void **state)
{
	struct mapdb_work work = MAPDB_WORK(1);
	pfn_t pfn;
	unsigned pieces = 1;

	(void)state;
	ptab_create(&world_space[5], 5, true);
	frame_set_tag(7, epoch);
	map(0, window(7), 1, A, RW, 0);
	map(1, A, 2, A, RW, 0);
	map(1, A, 3, A, RW, 0);
	map(0, window(7), 5, A, RW, 0);
	for (u32 i = 1; i <= 5; i++)
		ptab_loaded(&world_space[i]);
	frame_set_tag(7, 0);
	for (; mapdb_protect(7, &work) == MAPDB_MORE; work.budget = 1)
		pieces++;
	assert_int_equal(pieces, 4);
	for (u32 i = 1; i <= 3; i++) {
		assert_true(ptab_flush_needed(&world_space[i]));
		assert_false(hardware_writable(i, A));
		assert_int_equal(rights_at(i, A), RW);
		assert_int_equal(ptab_write_fault(&world_space[i], A, &pfn), PTAB_STALE);
	}
	assert_true(hardware_writable(5, A));
	world_check();
}

static void access_page(u32 space, vaddr_t va, bool write)
{
	struct ptab_leaf leaf;

	assert_true(ptab_lookup(&world_space[space], va, &leaf));
	ptab_note_access(&leaf, write);
}

static void test_status_bits(void **state)
{
	(void)state;
	map(0, window(7), 1, A, RW, 0);
	map(1, A, 2, A, RW, 0);
	map(2, A, 3, A, RW, 0);
	assert_int_equal(unmap(1, A, 0, false), 0);
	access_page(3, A, true);
	access_page(2, A, false);
	assert_int_equal(unmap(3, A, RWX, true), RW);   /* removal hands the bits to the parent */
	assert_int_equal(unmap(2, A, 0, false), RW);    /* reading hands them to the ancestors */
	assert_int_equal(unmap(2, A, 0, false), 0);
	assert_int_equal(unmap(1, A, RWX, false), RW);
	assert_int_equal(unmap(1, A, RWX, false), 0);
	access_page(1, A, false);
	assert_int_equal(unmap(1, A, W, true), R);
	assert_int_equal(unmap(0, window(7), 0, false), RW);
	assert_int_equal(unmap(0, window(7), RWX, false), 0);
	world_check();
}

/* An access the clock hand has saved: the TLB may still take the page for accessed, so reading must flush. */
static void test_saved_access_needs_flush(void **state)
{
	struct ptab_leaf leaf;

	(void)state;
	map(0, window(7), 1, A, RW, 0);
	ptab_lookup(&world_space[1], A, &leaf);
	nodes.node[leaf.node].refs = R;
	ptab_loaded(&world_space[1]);
	assert_int_equal(unmap(1, A, 0, false), R);
	assert_true(ptab_flush_needed(&world_space[1]));
}

/* Between two pieces the subtree moves away, and another page stands at the address. */
static void test_progress_is_verified(void **state)
{
	struct mapdb_work work = MAPDB_WORK(3);

	(void)state;
	map(0, window(7), 1, A, RW, 0);
	map(0, window(8), 1, B, RW, 0);
	for (u32 i = 0; i < 10; i++)
		map(1, A, 2, C + i * PAGE_SIZE, RW, 0);
	map(1, B, 3, A, RW, 0);
	assert_int_equal(mapdb_unmap(&world_space[1], A, W, false, &work), MAPDB_MORE);
	map(1, A, 4, A, RW, MAPDB_GRANT);
	map(1, B, 1, A, RW, MAPDB_GRANT);
	work.budget = MAPDB_UNLIMITED;
	assert_int_equal(mapdb_unmap(&world_space[1], A, W, false, &work), MAPDB_OK);
	assert_int_equal(rights_at(3, A), R);
	assert_int_equal(rights_at(2, C), RW);
	world_check();
}

static void test_unmap_in_pieces(void **state)
{
	struct mapdb_work work = MAPDB_WORK(7);
	unsigned pieces = 1;

	(void)state;
	map(0, window(7), 1, A, RWX, 0);
	for (u32 i = 0; i < 300; i++) {
		map(1, A, 2 + i % 5, C + i * PAGE_SIZE, RWX, 0);
		map(2 + i % 5, C + i * PAGE_SIZE, 8, C + i * PAGE_SIZE, RWX, 0);
		access_page(8, C + i * PAGE_SIZE, i == 150);
	}
	for (; mapdb_unmap(&world_space[1], A, W, true, &work) == MAPDB_MORE; work.budget = 7) {
		if (pieces++ == 20) {                   /* the node where it would go on disappears */
			u32 e = nodes.node[work.node].pte;

			unmap(entry_table(e)->space, entry_va(e), RWX, true);
		}
		world_check();
	}
	assert_int_equal(work.status & RW, RW);
	assert_in_range(pieces, 601 / 7, 601 / 7 + 22);
	for (vaddr_t va = C; va < C + 300 * PAGE_SIZE; va += PAGE_SIZE)
		assert_false(rights_at(8, va) & W);
	pieces = 0;
	work = MAPDB_WORK(10);
	for (; mapdb_unmap(&world_space[1], A, RWX, true, &work) == MAPDB_MORE; work.budget = 10) {
		pieces++;
		world_check();
	}
	assert_int_equal(pieces, 599 / 10);
	assert_int_equal(stats().nodes_free, stats().nodes);
}

static void test_destroy_in_pieces(void **state)
{
	vaddr_t step = 0x3fff3000;
	unsigned pieces = 1;

	(void)state;
	for (u32 i = 0; i < 200; i++) {
		map(0, window(i), 1, A + i * step, RWX, 0);
		map(1, A + i * step, 2, A + i * step, RWX, 0);
	}
	world_check();
	assert_int_equal(ptab_next(&world_space[1], 0, USER_END), A);
	assert_int_equal(ptab_next(&world_space[1], A + 1, USER_END) & ~PAGE_MASK, A);
	assert_int_equal(ptab_next(&world_space[1], B, USER_END), A + step);
	assert_int_equal(ptab_next(&world_space[1], B, A + step), A + step);
	assert_int_equal(ptab_next(&world_space[1], A + 200 * step, USER_END), USER_END);
	assert_int_equal(ptab_next(&world_space[9], 0, USER_END), USER_END);
	while (ptab_destroy(&world_space[1], 9)) {
		world_check();
		pieces++;
	}
	assert_in_range(pieces, 400 / 9, 400 / 9 + 2);
	assert_int_equal(world_space[1].root, 0);
	assert_false(ptab_destroy(&world_space[2], 1));
	assert_int_equal(stats().nodes_free, stats().nodes);
	world_check();
}

/* ---- Eviction ---- */

static void test_root_is_made_and_evicted(void **state)
{
	struct ptab *pt = &world_space[1];

	(void)state;
	world_stop();
	world_start(16, 64);
	assert_int_equal(ptab_prepare(pt), 0);
	assert_int_not_equal(pt->root, 0);
	for (unsigned i = 0; i < 512; i++)
		assert_int_equal(((u64 *)phys_to_virt(pt->root))[i], i < 256 ? 0 : world_template[i]);
	ptab_loaded(pt);
	for (u32 i = 2; i < WORLD_SPACES; i++)
		assert_int_equal(map(0, window(i), i, C, RWX, 0), MAPDB_OK);
	assert_int_not_equal(pt->root, 0);      /* running */
	ptab_loaded(&world_space[15]);
	for (u32 i = 2; i < WORLD_SPACES; i++)
		assert_int_equal(map(0, window(i), i, C, RWX, 0), MAPDB_OK);
	assert_int_equal(pt->root, 0);
	assert_true(stats().evicted_roots > 0);
	world_check();
}

static void test_no_pool_is_an_answer(void **state)
{
	enum mapdb_result result = MAPDB_OK;
	u32 i;

	(void)state;
	world_stop();
	world_start(64, 16);
	ptab_create(&world_space[3], 3, true);
	for (i = 0; i < 17 && result == MAPDB_OK; i++)
		result = map(0, window(i), 3, A + i * PAGE_SIZE, RWX, 0);
	assert_int_equal(result, MAPDB_NO_POOL);        /* residual mappings are not evicted */
	assert_int_equal(i, 17);
	world_check();
	world_stop();
	world_start(13, 64);                            /* 3 of the window, 4 + 2 + 2, and 2 that do not suffice */
	ptab_create(&world_space[3], 3, true);
	for (i = 0, result = MAPDB_OK; i < 17 && result == MAPDB_OK; i++)
		result = map(0, window(i), 3, i * 0x40000000UL, RWX, 0);
	assert_int_equal(result, MAPDB_NO_POOL);
	assert_int_equal(ptab_prepare(&world_space[5]), 0);
	assert_int_equal(ptab_prepare(&world_space[6]), 0);
	ptab_loaded(&world_space[5]);
	assert_int_equal(prepare(7), 0);                        /* instead of the one that is not running */
	assert_int_equal(world_space[6].root, 0);
	world_space[7].residual = true;
	assert_int_equal(ptab_prepare(&world_space[4]), 1);     /* to find that there is none takes more than one piece */
	assert_int_equal(prepare(4), -1);
	world_check();
}

/* Deep trees under a pool that cannot hold them: what is mapped from is never evicted by the mapping. */
static void test_source_survives(void **state)
{
	(void)state;
	world_stop();
	world_start(40, 12);
	for (unsigned round = 0; round < 200; round++) {
		for (u32 s = 0; s < 6; s++) {
			vaddr_t from = s ? A + round * s * 0x1234000 : window(round);

			assert_int_equal(map(s, from, s + 1, A + round * (s + 1) * 0x1234000, RWX, 0), MAPDB_OK);
			world_check();
		}
	}
	assert_true(stats().evicted_nodes > 500);
}

/* ---- Progress with the smallest pools ---- */

/* Whatever was used lately, the mappings installed last stay. step: distance of the addresses. */
static void expect_last_stay(vaddr_t step)
{
	enum { COUNT = 1000, SPAN = 250 };

	for (int i = 0; i < COUNT; i++) {
		assert_int_equal(map(0, window((pfn_t)i), 1, (vaddr_t)(i % SPAN) * step, RWX, 0), MAPDB_OK);
		for (int k = i; k >= 0 && k > i - MAPDB_CHAIN_NODES; k--)
			assert_int_equal(pfn_at(1, (vaddr_t)(k % SPAN) * step), k);
		for (int k = i - MAPDB_CHAIN_NODES; k >= 0 && k > i - SPAN; k--)
			if (rights_at(1, (vaddr_t)(k % SPAN) * step))
				access_page(1, (vaddr_t)(k % SPAN) * step, true);
	}
	world_check();
}

static void test_last_mappings_stay(void **state)
{
	u32 residual = stats().tables - stats().tables_free;

	(void)state;
	world_stop();
	world_start(MAPDB_MIN_TABLES + residual, MAPDB_MIN_NODES);
	expect_last_stay(PAGE_SIZE);            /* short of nodes */
	assert_true(stats().evicted_nodes > 500);
	world_stop();
	world_start(MAPDB_MIN_TABLES + residual, 2048);
	expect_last_stay(1UL << 39);            /* short of tables: one mapping each below every PML4 slot */
	assert_true(stats().evicted_tables > 500);
}

#define CHAIN 4                 /* spaces 1..4: three pagers and the program */

static unsigned chain_maps;
static vaddr_t chain_page[CHAIN + 1][MAPDB_WORKING_SET];

static void chain_run(u32 space);

/* A page of `space` comes from the same address in its pager, and so on down to the window. */
static void chain_fault(u32 space, vaddr_t va)
{
	vaddr_t from = space == 1 ? window(va >> 12 & 1023) : va;

	chain_run(space - 1);                           /* the pager must be able to run at all */
	while (map(space - 1, from, space, va, RWX, 0) != MAPDB_OK)
		chain_fault(space - 1, from);           /* the page is absent in the pager */
	chain_maps++;
}

/* Until all pages the space needs for one instruction are there at once. */
static void chain_run(u32 space)
{
	bool complete = !space;

	while (!complete) {
		complete = true;
		for (u32 i = 0; i < MAPDB_WORKING_SET; i++) {
			if (!rights_at(space, chain_page[space][i])) {
				complete = false;
				chain_fault(space, chain_page[space][i]);
				assert_true(chain_maps < 1000);
			}
		}
	}
}

static void test_minimum_pool_makes_progress(void **state)
{
	u32 residual, worst = 0;

	(void)state;
	world_stop();
	world_start(64, 64);
	residual = stats().tables - stats().tables_free;
	world_stop();
	world_start(MAPDB_MIN_TABLES + residual, MAPDB_MIN_NODES);
	srand(1);
	for (unsigned round = 0; round < 40; round++) {
		for (u32 s = 1; s <= CHAIN; s++)
			for (u32 i = 0; i < MAPDB_WORKING_SET; i++)
				chain_page[s][i] = ((vaddr_t)rand() << 12 & 0x7ffffff000)
					| (vaddr_t)(s * MAPDB_WORKING_SET + i) << 39;
		chain_maps = 0;
		chain_run(CHAIN);
		worst = chain_maps > worst ? chain_maps : worst;
		world_check();
	}
	assert_true(stats().evicted_tables > 1000);
	print_message("chain of three pagers: at most %u mappings for %u pages (at best %u)\n", worst,
		MAPDB_WORKING_SET, MAPDB_CHAIN_NODES);
}

/* ---- The consistency walk bites ---- */

static void expect_damage(u64 *word, u64 value, const char *what)
{
	u64 old = *word;
	const char *error;

	*word = value;
	error = mapdb_check();
	if (!error || !strstr(error, what))
		fail_msg("expected \"%s\", got \"%s\"", what, error ? error : "nothing");
	*word = old;
	world_check();
}

static void test_check_notices_damage(void **state)
{
	struct ptab_path p;
	struct map_node *nd, saved;
	struct ptab_leaf leaf;

	(void)state;
	map(0, window(7), 1, A, RWX, 0);
	map(1, A, 2, A, RW, 0);
	map(1, A, 3, A, R, 0);
	ptab_walk(&world_space[2], A, &p);
	expect_damage(p.e[3], *p.e[3] | PTE_W, "stale frame writable");
	expect_damage(p.e[3], *p.e[3] & ~PTE_NX, "NX");
	expect_damage(p.e[3], *p.e[3] | (u64)L4_RIGHT_X << PTE_GRANT_SHIFT, "NX");
	expect_damage(p.e[3], 0, "absent entry");
	expect_damage(p.e[2] + 1, *p.e[2], "does not know");
	expect_damage(p.e[2], *p.e[2] & ~PTE_W, "count of writable");
	expect_damage(p.e[3] + 1, *p.e[3], "without its node");
	expect_damage(&world_space[2].pml4_used[0], 0, "bitmap");
	ptab_lookup(&world_space[2], A, &leaf);
	nd = &nodes.node[leaf.node];
	saved = *nd;
	nd->depth = 3;
	assert_non_null(mapdb_check());
	*nd = saved;
	nd->parent = nd->prev;
	assert_non_null(mapdb_check());
	*nd = saved;
	nd->prev = 0;
	assert_non_null(mapdb_check());
	*nd = saved;
	frame_table[7].head = leaf.node;
	assert_non_null(mapdb_check());
	ptab_lookup(&world_space[1], A, &leaf);
	frame_table[7].head = leaf.node;
	world_check();
	nodes.free_count--;
	assert_non_null(mapdb_check());
	nodes.free_count++;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_map_and_unmap, start, stop),
		cmocka_unit_test_setup_teardown(test_revoke_reaches_all, start, stop),
		cmocka_unit_test_setup_teardown(test_extend_and_replace, start, stop),
		cmocka_unit_test_setup_teardown(test_onto_itself_and_ancestors, start, stop),
		cmocka_unit_test_setup_teardown(test_grant, start, stop),
		cmocka_unit_test_setup_teardown(test_kernel_pages, start, stop),
		cmocka_unit_test_setup_teardown(test_windows, start, stop),
		cmocka_unit_test_setup_teardown(test_device_frames_share_lists, start, stop),
		cmocka_unit_test_setup_teardown(test_snapshot, start, stop),
		cmocka_unit_test_setup_teardown(test_write_before_current, start, stop),
		cmocka_unit_test_setup_teardown(test_protect, start, stop),
		cmocka_unit_test_setup_teardown(test_status_bits, start, stop),
		cmocka_unit_test_setup_teardown(test_saved_access_needs_flush, start, stop),
		cmocka_unit_test_setup_teardown(test_progress_is_verified, start, stop),
		cmocka_unit_test_setup_teardown(test_unmap_in_pieces, start, stop),
		cmocka_unit_test_setup_teardown(test_destroy_in_pieces, start, stop),
		cmocka_unit_test_setup_teardown(test_root_is_made_and_evicted, start, stop),
		cmocka_unit_test_setup_teardown(test_no_pool_is_an_answer, start, stop),
		cmocka_unit_test_setup_teardown(test_source_survives, start, stop),
		cmocka_unit_test_setup_teardown(test_last_mappings_stay, start, stop),
		cmocka_unit_test_setup_teardown(test_minimum_pool_makes_progress, start, stop),
		cmocka_unit_test_setup_teardown(test_check_notices_damage, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
