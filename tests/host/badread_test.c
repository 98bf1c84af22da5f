/* SPDX-License-Identifier: BSD-2-Clause
 * Property: a page that cannot be read counts as lost only when it was tried often and for long enough while other pages could be
 * read; a disk that reads nothing at all is waited for. Failed reads are made again after pauses that double. Guards badread.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ckptserver/badread.h"
#include "ckptserver/disk.h"
#include "ckptserver/pages.h"
#include "ckptserver/server.h"

struct options options;

static uint64_t reads;
static bool long_ago;                   /* any two times are further apart than the limit */

uint64_t disk_reads(void) { return reads; }
uint64_t time_us(uint64_t tsc) { (void)tsc; return long_ago ? 2000000 : 0; }
uint64_t time_ticks(uint64_t us) { return us; }

static enum { DEAD, WELL } device;

static void submit(struct blkdev *dev, struct blkreq *r)
{
	(void)dev;
	assert_int_equal(r->op, BLK_READ);
	r->status = device == WELL ? BLK_OK : BLK_EIO;
	reads += device == WELL;
	r->done(r);
}

struct blkdev disk_dev = { .submit = submit };

void *server_alloc(uint64_t bytes)
{
	static char page[4096];

	assert_true(bytes <= sizeof page);
	return page;
}

static int set_up(void **state)
{
	(void)state;
	device = DEAD;
	assert_true(badread_init());
	options.disk_timeout_us = 1000000;
	long_ago = false;
	for (uint64_t key = 1; key < 1000; key++)
		badread_over(key);
	return 0;
}

static bool lost_after(uint64_t key, unsigned tries)
{
	bool lost = false;

	while (tries--)
		lost |= badread_failed(key);
	return lost;
}

static void a_dead_disk_is_waited_for(void **state)
{
	(void)state;
	long_ago = true;
	assert_false(lost_after(1, 1000));
}

static void others_are_read(void **state)
{
	(void)state;
	assert_false(badread_failed(1));
	reads += 100;
	assert_false(lost_after(1, 100));       /* not for long enough */
	long_ago = true;
	assert_true(badread_failed(1));
	assert_false(badread_failed(1));        /* forgotten: from the beginning */
}

/* Everybody waits for this one page. */
static void nobody_reads_others(void **state)
{
	uint64_t now = 1;
	bool lost = false;

	(void)state;
	long_ago = true;
	for (unsigned i = 0; i < 100; i++, now += 2000000)
		assert_false(badread_due(now) && badread_failed(1));    /* the disk may be dead */
	device = WELL;
	for (unsigned i = 0; i < 20; i++, now += 2000000)
		lost |= badread_due(now) && badread_failed(1);
	assert_true(lost);
}

static void a_few_tries_are_not_enough(void **state)
{
	(void)state;
	assert_false(badread_failed(1));
	reads += 100;
	long_ago = true;
	assert_false(lost_after(1, 5));
	badread_over(1);
	assert_false(lost_after(1, 5));
}

static void more_than_the_table_holds(void **state)
{
	(void)state;
	for (uint64_t key = 1; key < 900; key++)
		assert_false(badread_failed(key));
	reads += 100;
	long_ago = true;
	assert_true(lost_after(1, 10));
	assert_false(lost_after(899, 10));      /* it was not in the table before now, and needs other reads since */
}

static void pauses_double(void **state)
{
	uint64_t now = 1, before = 0, pause = 0;

	(void)state;
	badread_failed(1);
	badread_over(1);
	for (unsigned i = 0; i < 12; i++) {
		while (!badread_due(now))
			now += 1000;
		assert_true(!before || now - before >= pause);
		pause = before ? now - before : 0;
		before = now;
	}
	assert_in_range(pause, 1000000, 1002000);       /* the longest */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_dead_disk_is_waited_for, set_up),
		cmocka_unit_test_setup(others_are_read, set_up),
		cmocka_unit_test_setup(nobody_reads_others, set_up),
		cmocka_unit_test_setup(a_few_tries_are_not_enough, set_up),
		cmocka_unit_test_setup(more_than_the_table_holds, set_up),
		cmocka_unit_test_setup(pauses_double, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
