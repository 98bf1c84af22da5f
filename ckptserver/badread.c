/* SPDX-License-Identifier: BSD-2-Clause
 * Reads that fail; see badread.h. When there are more than the table holds, those that are not in it are
 * just tried again.
 */
#include "badread.h"

#include "disk.h"
#include "io.h"
#include "pages.h"
#include "server.h"

#define PAGES           32u
#define TRIES           8u              /* of the page, and … */
#define OTHERS          8u              /* … reads of others that went well, before it is lost */
#define PROBES          16u             /* blocks that are read only to see whether the disk reads */
#define PAUSE_US        10000ul
#define PAUSE_MAX_US    1000000ul

static struct { uint64_t key, since_tsc, reads; unsigned tries; } page[PAGES];  /* tries 0: not used */
static uint64_t pause_us = PAUSE_US, due_tsc;
static struct { struct blkreq req; void *buf; bool busy; } probe;

bool badread_init(void)
{
	probe.buf = server_alloc(PAGE_BYTES);
	return probe.buf;
}

static void probe_done(struct blkreq *r)
{
	(void)r;
	probe.busy = false;
}

/* Does the disk read anything at all? disk_reads counts it if so. */
static void probe_start(void)
{
	static unsigned next;

	if (probe.busy)
		return;
	probe.busy = true;
	probe.req = (struct blkreq){ .op = BLK_READ, .count = 1, .block = next++ % PROBES, .bufs = &probe.buf, .done = probe_done };
	disk_dev.submit(&disk_dev, &probe.req);
}

static unsigned find(uint64_t key)
{
	unsigned unused = PAGES;

	for (unsigned i = 0; i < PAGES; i++) {
		if (page[i].tries && page[i].key == key)
			return i;
		if (!page[i].tries)
			unused = i;
	}
	if (unused < PAGES) {
		page[unused].key = key;
		page[unused].since_tsc = rdtsc();
		page[unused].reads = disk_reads();
	}
	return unused;
}

bool badread_failed(uint64_t key)
{
	unsigned i = find(key);

	if (i == PAGES)
		return false;
	page[i].tries++;
	if (page[i].tries < TRIES || disk_reads() < page[i].reads + OTHERS ||
	    time_us(rdtsc() - page[i].since_tsc) < options.disk_timeout_us)
		return false;
	page[i].tries = 0;
	return true;
}

void badread_over(uint64_t key)
{
	for (unsigned i = 0; i < PAGES; i++) {
		if (!page[i].tries || page[i].key != key)
			continue;
		page[i].tries = 0;
		pause_us = PAUSE_US;
	}
}

bool badread_due(uint64_t tsc)
{
	if (tsc < due_tsc)
		return false;
	due_tsc = tsc + time_ticks(pause_us);
	pause_us = pause_us < PAUSE_MAX_US / 2 ? pause_us * 2 : PAUSE_MAX_US;
	probe_start();
	return true;
}
