/* SPDX-License-Identifier: BSD-2-Clause
 * holes: memory that comes and goes. Property: what is mapped reads as zero, whoever had its pages before and however little of that
 * could be given back to the disk yet; and it keeps what is written to it. Single pages are mapped, and every second one unmapped, so
 * that what is free lies in as many pieces. Then, round after round, one of the remaining ones goes and comes back, and larger
 * regions do between them. */
#include "stress.h"

enum { WORDS = 512, LARGE_MAX = 100, PAUSE_ROUNDS = 32 };

struct hole {
	unsigned long *page;
	unsigned long number;           /* in the first and the last word of each of its pages */
};

static void fill(unsigned long *at, unsigned long pages, unsigned long number)
{
	for (unsigned long i = 0; i < pages; i++, at += WORDS) {
		for (unsigned int w = 0; w < WORDS; w++)
			if (at[w])
				stress_fail("new page=%lu of %lu word=%u value=0x%lx", i, pages, w, at[w]);
		at[0] = at[WORDS - 1] = number + i;
	}
}

static void check(const unsigned long *at, unsigned long pages, unsigned long number)
{
	for (unsigned long i = 0; i < pages; i++, at += WORDS)
		if (at[0] != number + i || at[WORDS - 1] != number + i)
			stress_fail("page=%lu of %lu values=0x%lx,0x%lx expected=0x%lx", i, pages, at[0], at[WORDS - 1], number + i);
}

static void come(struct hole *h, unsigned long pages, unsigned long *random)
{
	h->page = stress_pages(pages);
	h->number = stress_random(random);
	fill(h->page, pages, h->number);
}

static void go(const struct hole *h, unsigned long pages)
{
	long error;

	check(h->page, pages, h->number);
	error = task_unmap((L4_Word_t)h->page, pages * 4096);
	if (error != TASK_OK)
		stress_fail("unmap pages=%lu error=%ld", pages, error);
}

void stress_holes(void)
{
	unsigned long holes = stress_option("holes", 200), random = 0;
	struct hole *hole, large;

	if (!holes)
		holes = 1;
	hole = stress_pages(1 + 2 * holes * sizeof *hole / 4096);
	for (unsigned long i = 0; i < 2 * holes; i++)
		come(&hole[i], 1, &random);
	for (unsigned long i = 0; i < 2 * holes; i += 2)
		go(&hole[i], 1);
	for (unsigned long round = 1;; round++) {
		unsigned long i = stress_random(&random) % holes * 2 + 1, pages = 1 + stress_random(&random) % LARGE_MAX;

		come(&large, pages, &random);
		go(&hole[i], 1);
		come(&hole[i], 1, &random);
		go(&large, pages);
		if (round % PAUSE_ROUNDS == 0)
			L4_Sleep(L4_TimePeriod(5000));
		stress_round();
	}
}
