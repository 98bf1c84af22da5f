/* SPDX-License-Identifier: BSD-2-Clause
 * The program in the golden images (tests/golden): counts for ever, checks what it remembers, says so, and names two of its
 * generations. It is not a suite: tests/golden-images boots images in which it was running when it was killed. A change here changes nothing
 * in them, for the program's own code is in the image.
 */
#include <l4/ckpt.h>
#include <l4/print.h>

#include "test.h"

#define PAGES   24u
#define EVERY   64u             /* counts between two lines */
#define NAMED   (2 * EVERY)     /* counts between two generations that get a name ... */
#define NAMES   2u              /* ... until so many have one */

static volatile word *memory[PAGES];
static volatile word served;

static void server(void *unused)
{
	L4_ThreadId_t from;
	L4_MsgTag_t tag = L4_Wait(&from);

	(void)unused;
	for (;;) {
		word count = test_mr(1);

		if (L4_IpcFailed(tag) || count != served + 1)
			l4_printf("[golden] FAIL the server was asked for %lu after %lu\n", count, served);
		served = count;
		test_load(1, 1, count, 0);
		tag = L4_ReplyWait(from, &from);
	}
}

/* Page i holds the last count that left the remainder i, all over. */
static int remembers(word count)
{
	for (word i = 0; i < PAGES && i < count; i++) {
		word want = count - 1 - (count - 1 - i) % PAGES;

		for (word k = 0; k < 512; k += 73)
			if (memory[i][k] != want + k)
				return 0;
	}
	return 1;
}

/* Commit the state after this count, which has been printed, and name it count.N. Who goes on from there comes here again. */
static void name_it(word count)
{
	unsigned long generation, status;
	char name[L4_CKPT_NAME_BYTES];

	snprintf(name, sizeof name, "count.%lu", count);
	status = L4_CheckpointAndWait(&generation);
	if (status == L4_CKPT_OK)
		status = L4_CheckpointName(generation, name, 0);
	if (status != L4_CKPT_OK && status != L4_CKPT_NAME_TAKEN && status != L4_CKPT_NEW_BOOT)
		l4_printf("[golden] FAIL to name %s: %lu\n", name, status);
}

static void count_for_ever(void)
{
	L4_ThreadId_t partner = test_thread(server, 0);

	for (word i = 0; i < PAGES; i++)
		memory[i] = test_pages(1);
	for (word count = 1; ; count++) {
		volatile word *page = memory[(count - 1) % PAGES];

		for (word k = 0; k < 512; k++)
			page[k] = count - 1 + k;
		test_call(partner, 1, count, 0);
		if (test_mr(1) != count || !remembers(count))
			l4_printf("[golden] FAIL at %lu\n", count);
		if (count % EVERY == 0)
			l4_printf("[golden] count=%lu boot=%lu\n", count, test_boot());
		if (count % NAMED == 0 && count <= NAMES * NAMED)
			name_it(count);
		test_sleep_us(2000);
	}
}

const char test_suite[] = "golden";
const struct test tests[] = {
	{ .name = "count", .run = count_for_ever },
	{ 0 }
};
