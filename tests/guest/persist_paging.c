/* SPDX-License-Identifier: BSD-2-Clause
 * harness: memory=64M disk=1G options=ckpt.frames=2000,ckpt.buffers=24,ckpt.store=1120M timeout=150
 *
 * Property: memory is as large as the partition, not as the machine's RAM. A working set of several times the frames there are
 * is filled, changed at random and swept, by a thread of the root space and by one of another space whose memory comes through
 * a pager, while checkpoints go on. After the kill every page has the content of one instant. Guards dropping and reading
 * back of clean pages, read-ahead, early writing of dirty ones, the bound on copies, volatile and discarded ranges.
 *
 * The working set is a third of what the store (ckpt.store=) has beyond 1 GiB: with the default of 4 GiB it is 1 GiB, with 13 GiB 4 GiB.
 */
#include "test.h"
#include <l4/ckpt.h>

const char test_suite[] = "persist_paging";

#define WORDS           512
#define BEYOND          0x40000000UL    /* the working set is a third of the store beyond this address */
#define ROUNDS          4               /* changes: every page so often, on average, divided by 8 ... */
#define CHANGES_MOST    16384           /* ... but no more in one round of one thread */

struct paging_page {
	word index, version, sum;
	word data[WORDS - 3];
};
_Static_assert(sizeof(struct paging_page) == 4096, "one page");

static struct paging_page *page;
static volatile unsigned int *version;  /* what each page ought to have */
static word pages;

static word page_sum(const struct paging_page *p)
{
	word sum = p->index ^ p->version << 32;

	for (unsigned int i = 0; i < WORDS - 3; i++)
		sum = (sum << 1 | sum >> 63) + p->data[i];
	return sum;
}

static int page_good(word i)
{
	return page[i].index == i && page[i].version == version[i] && page[i].sum == page_sum(&page[i]);
}

static void page_change(word i, word *random)
{
	struct paging_page *p = &page[i];

	p->data[test_random(random) % (WORDS - 3)] = test_random(random);
	p->index = i;
	p->version = ++version[i];
	p->sum = page_sum(p);
}

static void sweep(word first, word end)
{
	word bad = 0;

	for (word i = first; i < end; i++) {
		if (!page_good(i) && !bad++)
			test_note("first bad page", i);
	}
	EXPECT_EQ(bad, 0);
}

/* Every eighth page or so, at random, of a large range fewer; each is checked before. */
static void change_some(word first, word count, word seed)
{
	word random = seed, bad = 0;

	for (word n = 0; n < count / 8 && n < CHANGES_MOST; n++) {
		word i = first + test_random(&random) % count;

		bad += !page_good(i);
		page_change(i, &random);
	}
	EXPECT_EQ(bad, 0);
}

/* ---- A working set larger than memory ------------------------------------------------------------------------ */

static volatile word stranger_done, stranger_sweeps;

/* The upper half belongs to a thread of another space. */
static void stranger(void *arg)
{
	(void)arg;
	for (word round = 0; round < ROUNDS; round++)
		change_some(pages / 2, pages - pages / 2, 77 + round);
	sweep(pages / 2, pages);
	stranger_done = 1;
	while (stranger_done != 2)
		test_sleep_us(1000);
	sweep(pages / 2, pages);
	stranger_sweeps++;
	stranger_done = 3;
}

static void wait_long(volatile word *flag, word least)
{
	while (*flag < least)
		test_sleep_us(2000);
}

/* Pages of the store from `address` on. */
static word store_pages(word address)
{
	void *kip = L4_GetKernelInterface();
	word end = 0;

	for (word i = 0; i < L4_NumMemoryDescriptors(kip); i++) {
		L4_MemoryDesc_t *d = L4_MemoryDesc(kip, i);

		if (L4_IsMemoryDescVirtual(d) && L4_MemoryDescType(d) == L4_ConventionalMemoryType && L4_MemoryDescHigh(d) > end)
			end = L4_MemoryDescHigh(d);
	}
	return (end - address) / 4096;
}

/* A large working set stands behind the addresses that test spaces have for themselves. */
static void *working_set(word count)
{
	word begin = (word)test_pages(1), reserved_end = TEST_KIP + 4096;

	if (begin + (count + 1) * 4096 > TEST_UTCBS && begin < reserved_end)
		(void)test_pages((unsigned int)((reserved_end - begin) / 4096));
	return test_pages((unsigned int)count);
}

static void working_set_setup(void)
{
	struct L4_CkptStat stat;
	word random = 4711;

	REQUIRE_EQ(L4_CheckpointInfo(&stat), L4_CKPT_OK);
	pages = store_pages(BEYOND) / 3;
	REQUIRE(pages > 2 * stat.frames);
	page = working_set(pages);
	version = test_pages((unsigned int)(pages / 1024 + 1));
	for (word i = 0; i < pages; i++)
		page_change(i, &random);
	test_space_start(test_space(), stranger, 0);
	for (word round = 0; round < ROUNDS; round++)
		change_some(0, pages / 2, 11 + round);
	sweep(0, pages / 2);
	wait_long(&stranger_done, 1);
}

static void working_set_check(void)
{
	struct L4_CkptStat stat;
	word began = test_now_us();

	sweep(0, pages);
	test_note("first sweep, milliseconds", (test_now_us() - began) / 1000);
	stranger_done = 2;
	change_some(0, pages / 2, 99);
	sweep(0, pages / 2);
	wait_long(&stranger_done, 3);
	EXPECT_EQ(stranger_sweeps, 1);
	EXPECT_EQ(L4_CheckpointInfo(&stat), L4_CKPT_OK);
	/* All of it has been swept in this boot: most must have come from the disk. */
	EXPECT_GE(stat.reads, pages / 2);
	test_note("pages of the working set", pages);
	test_note("frames", stat.frames);
	test_note("pages read back", stat.reads);
	test_note("of them ahead", stat.ahead);
	EXPECT_GE(stat.ahead, pages / 4);
	test_note("waits for a frame", stat.frame_waits);
	test_note("microseconds in which somebody waited for one", stat.frame_wait_us);
	EXPECT_GE(stat.dropped, pages / 2);
}

/* ---- A pool of buffers that is empty --------------------------------------------------------------------------- */

#define BUSY_PAGES      400
#define BUSY_US         30000000UL

/* Writes to the same pages all the time: while they are being saved each write needs a buffer for the old content. There are
 * a few only, so writers wait; nothing fails, and the wait is told. */
static void empty_pool(void)
{
	word *busy = test_pages(BUSY_PAGES), rounds = 0, bad = 0, end = test_now_us() + BUSY_US;
	struct L4_CkptStat stat;

	do {
		for (word i = 0; i < BUSY_PAGES; i++) {
			bad += busy[i * WORDS] != rounds || busy[i * WORDS + WORDS - 1] != rounds;
			busy[i * WORDS] = busy[i * WORDS + WORDS - 1] = rounds + 1;
		}
		rounds++;
		if (rounds % 16 == 0)
			test_sleep_us(1000);
		EXPECT_EQ(L4_CheckpointInfo(&stat), L4_CKPT_OK);
	} while (!stat.postponed && test_now_us() < end);
	EXPECT_EQ(bad, 0);
	EXPECT_GE(stat.postponed, 1);
	EXPECT_GE(stat.postponed_us, 1);
	EXPECT_EQ(stat.failures, 0);
	test_note("waits for a buffer", stat.postponed);
	test_note("microseconds that they took", stat.postponed_us);
}

/* ---- Volatile and discarded ranges ------------------------------------------------------------------------------ */

static word *fleeting, *kept;
static word fleeting_pages;
#define KEPT_PAGES      64

static void fill(word *at, word count, word seed)
{
	for (word i = 0; i < count; i++)
		at[i * WORDS] = at[i * WORDS + WORDS - 1] = seed ? seed + i : 0;
}

static word wrong(const word *at, word count, word seed)
{
	word bad = 0, n = 0;

	for (word i = 0; i < count; i++) {
		word expected = seed ? seed + i : 0;

		bad += at[i * WORDS] != expected || at[i * WORDS + WORDS - 1] != expected;
		n += at[i * WORDS + 7] != 0;
	}
	return bad + n;
}

/* Larger than memory, and saved once before it is declared volatile: so the disk has old content of all of it. */
static void ranges_setup(void)
{
	struct L4_CkptStat stat;

	REQUIRE_EQ(L4_CheckpointInfo(&stat), L4_CKPT_OK);
	fleeting_pages = stat.frames * 3 / 2;
	fleeting = test_pages((unsigned int)fleeting_pages);
	kept = test_pages(KEPT_PAGES);
	fill(fleeting, fleeting_pages, 1000);
	fill(kept, KEPT_PAGES, 77);
	EXPECT(test_checkpoint() != 0);
	EXPECT_EQ(L4_VolatileStore((word)fleeting, fleeting_pages * 4096), L4_CKPT_OK);
	EXPECT_EQ(wrong(fleeting, fleeting_pages, 1000), 0);
	fill(fleeting, fleeting_pages, 2000);
	EXPECT_EQ(wrong(fleeting, fleeting_pages, 2000), 0);
	EXPECT(test_checkpoint() != 0);
	EXPECT_EQ(wrong(fleeting, fleeting_pages, 2000), 0);
	while (L4_DiscardStore((word)kept, KEPT_PAGES / 2 * 4096) == L4_CKPT_BUSY)
		test_sleep_us(1000);
}

static void ranges_check(void)
{
	EXPECT_EQ(wrong(kept, KEPT_PAGES / 2, 0), 0);
	EXPECT_EQ(wrong(kept + KEPT_PAGES / 2 * WORDS, KEPT_PAGES / 2, 77 + KEPT_PAGES / 2), 0);
	EXPECT_EQ(wrong(fleeting, fleeting_pages, 0), 0);
	fill(fleeting, fleeting_pages, 3000);
	EXPECT_EQ(wrong(fleeting, fleeting_pages, 3000), 0);
}

const struct test tests[] = {
	{ .name = "a working set larger than memory", .setup = working_set_setup, .run = working_set_check },
	{ .name = "volatile ranges are paged, and zero after a recovery; discarded ones too", .setup = ranges_setup, .run = ranges_check },
	{ .name = "writers wait when no buffer is free", .run = empty_pool },
	{ 0 }
};
