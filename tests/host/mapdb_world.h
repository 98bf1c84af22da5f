/* SPDX-License-Identifier: BSD-2-Clause
 * A small machine for the tests of page tables and mapping database: simulated RAM with a direct map, a frame
 * table, pools, and a few spaces. Space 0 is residual and has RAM in its window, as ckptserver has.
 */
#ifndef MAPDB_WORLD_H
#define MAPDB_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/mapdb_impl.h"

#define WORLD_SPACES    16
#define WORLD_PAGES     8192UL                  /* simulated RAM, pages */
#define WORLD_TABLES    4096UL                  /* first pfn of the table pool */
#define WINDOW          0x0000100000000000UL
#define WINDOW_PAGES    1024UL
#define RWX             RIGHTS_ALL
#define RW              (L4_RIGHT_R | L4_RIGHT_W)
#define RX              (L4_RIGHT_R | L4_RIGHT_X)
#define R               L4_RIGHT_R
#define W               L4_RIGHT_W

unsigned char *direct_map_base;
struct frame *frame_table;
pfn_t max_pfn = WORLD_PAGES;
u64 epoch;

static struct ptab world_space[WORLD_SPACES];
static u64 world_template[512];
static void *world_meta;

struct ptab *ptab_of_space(u32 space)
{
	assert_true(space < WORLD_SPACES);
	return &world_space[space];
}

/* A fresh machine. Every frame is stale in epoch 1. Pool contents begin as rubbish. */
static inline void world_start(u32 table_count, u32 node_count)
{
	size_t meta = mapdb_meta_size(table_count, node_count);

	assert_true(WORLD_TABLES + table_count <= WORLD_PAGES);
	direct_map_base = aligned_alloc(PAGE_SIZE, WORLD_PAGES * PAGE_SIZE);
	frame_table = calloc(WORLD_PAGES, sizeof(*frame_table));
	world_meta = aligned_alloc(16, (meta + 15) & ~15UL);
	assert_non_null(direct_map_base);
	memset(direct_map_base + WORLD_TABLES * PAGE_SIZE, 0xa5, table_count * PAGE_SIZE);
	memset(world_meta, 0xa5, meta);
	epoch = 1;
	ptab_running = NULL;
	for (unsigned i = 256; i < 512; i++)
		world_template[i] = 0xfff0000000000000UL + i;
	ptab_init(world_template);
	mapdb_init(WORLD_TABLES << PAGE_SHIFT, table_count, world_meta, node_count);
	for (u32 i = 0; i < WORLD_SPACES; i++)
		ptab_create(&world_space[i], i, i == 0);
	assert_int_equal(ptab_map_window(&world_space[0], WINDOW, 0, WINDOW_PAGES * PAGE_SIZE, false), 0);
	assert_null(mapdb_check());
}

static inline void world_stop(void)
{
	free(direct_map_base);
	free(frame_table);
	free(world_meta);
}

static inline void world_check(void)
{
	const char *error = mapdb_check();

	if (error)
		fail_msg("mapdb_check: %s", error);
}

/* Operations without a limit. */
static inline int prepare(u32 space)
{
	int r;

	do
		r = ptab_prepare(&world_space[space]);
	while (r > 0);
	return r;
}

static inline enum mapdb_result map(u32 src, vaddr_t sva, u32 dst, vaddr_t dva, unsigned rights, unsigned flags)
{
	struct mapdb_work work = MAPDB_WORK(MAPDB_UNLIMITED);

	return mapdb_map(&world_space[src], sva, &world_space[dst], dva, rights, flags, &work);
}

static inline unsigned unmap(u32 space, vaddr_t va, unsigned rights, bool flush)
{
	struct mapdb_work work = MAPDB_WORK(MAPDB_UNLIMITED);

	assert_int_equal(mapdb_unmap(&world_space[space], va, rights, flush, &work), MAPDB_OK);
	return work.status;
}

static inline vaddr_t window(pfn_t pfn)
{
	return WINDOW + (pfn << PAGE_SHIFT);
}

/* Granted rights, 0 if not mapped. */
static inline unsigned rights_at(u32 space, vaddr_t va)
{
	struct ptab_leaf leaf;

	return ptab_lookup(&world_space[space], va, &leaf) ? leaf.rights : 0;
}

static inline pfn_t pfn_at(u32 space, vaddr_t va)
{
	struct ptab_leaf leaf;

	assert_true(ptab_lookup(&world_space[space], va, &leaf));
	return leaf.pfn;
}

/* What the processor would let user code do: NULL, or the leaf, with *writable the AND of all W on the path. */
static inline u64 *hardware_walk(u32 space, vaddr_t va, bool *writable)
{
	struct ptab_path p;
	unsigned n = ptab_walk(&world_space[space], va, &p);

	if (n < 3 || !(*p.e[n - 1] & PTE_P))
		return NULL;
	*writable = true;
	for (unsigned i = 0; i < n; i++)
		*writable &= !!(*p.e[i] & PTE_W);
	return p.e[n - 1];
}

static inline bool hardware_writable(u32 space, vaddr_t va)
{
	bool writable;

	return hardware_walk(space, va, &writable) && writable;
}

#endif
