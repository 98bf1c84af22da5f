/* SPDX-License-Identifier: BSD-2-Clause
 * mem: pages with checksums. Property: no page is lost, mixed up with another, or older or newer than the rest.
 * Every page says which it is and how often it was changed, as does a table apart from them; a round checks one random
 * page in full, changes some of its words, its version and its sum. From time to time the next few of all pages are checked. */
#include "stress.h"

enum { WORDS = 512, FIRST = 3, CHANGES_MAX = 16, SWEEP_ROUNDS = 512, SWEEP_PAGES = 256, PAUSE_ROUNDS = 32 };

struct mem_page {
	unsigned long index, version, sum;      /* sum of the words that follow */
	unsigned long word[WORDS - FIRST];
};
_Static_assert(sizeof(struct mem_page) == 4096, "one page");

static struct mem_page *page;
static unsigned long *version;                  /* what each page ought to have */
static unsigned long pages;

static unsigned long sum_of(const struct mem_page *p)
{
	unsigned long sum = p->index ^ p->version << 32;

	for (unsigned int i = 0; i < WORDS - FIRST; i++)
		sum = (sum << 1 | sum >> 63) + p->word[i];
	return sum;
}

static void check(unsigned long i)
{
	const struct mem_page *p = &page[i];

	if (p->index != i || p->version != version[i])
		stress_fail("page=%lu index=%lu version=%lu expected=%lu", i, p->index, p->version, version[i]);
	if (p->sum != sum_of(p))
		stress_fail("page=%lu version=%lu sum=0x%lx expected=0x%lx", i, p->version, sum_of(p), p->sum);
}

static void change(unsigned long i, unsigned long *random)
{
	struct mem_page *p = &page[i];
	unsigned long n = 1 + stress_random(random) % CHANGES_MAX;

	while (n--) {
		unsigned long r = stress_random(random);
		p->word[r % (WORDS - FIRST)] = r;
	}
	p->version = ++version[i];
	p->sum = sum_of(p);
}

void stress_mem(void)
{
	unsigned long random = 0, swept = 0;

	pages = stress_option("size", 4096 * stress_option("pages", 256)) / 4096;
	if (!pages)
		pages = 1;
	page = stress_pages(pages);
	version = stress_pages(1 + pages * sizeof *version / 4096);
	for (unsigned long i = 0; i < pages; i++) {
		page[i].index = i;
		change(i, &random);
	}
	for (unsigned long round = 1;; round++) {
		unsigned long i = stress_random(&random) % pages;
		check(i);
		change(i, &random);
		if (round % SWEEP_ROUNDS == 0)
			for (unsigned int n = 0; n < SWEEP_PAGES && n < pages; n++)
				check(swept++ % pages);
		if (round % PAUSE_ROUNDS == 0)
			L4_Sleep(L4_TimePeriod(5000));
		stress_round();
	}
}
