/* SPDX-License-Identifier: BSD-2-Clause
 * Properties: the partition is found in an intact table and through the backup of a damaged one; a table in which
 * anything is wrong is refused with the right reason; no table, however it was damaged, makes the reader look outside the
 * disk or return a partition outside it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ckptserver/gpt.h"
#include "seed.h"

enum { SECTORS = 2048, ENTRIES = 128, ENTRY = 128, ARRAY = ENTRIES * ENTRY / GPT_SECTOR };

static uint8_t disk[SECTORS * GPT_SECTOR];
static uint64_t fail_sector;

static void put32(uint8_t *p, uint32_t v) { memcpy(p, &v, 4); }
static void put64(uint8_t *p, uint64_t v) { memcpy(p, &v, 8); }

static int read_disk(void *ctx, uint64_t sector, void *buf)
{
	(void)ctx;
	assert_true(sector < SECTORS);
	if (sector == fail_sector)
		return -1;
	memcpy(buf, disk + sector * GPT_SECTOR, GPT_SECTOR);
	return 0;
}

static const struct gpt_source source = { read_disk, NULL, SECTORS };

static void seal(uint64_t at, uint64_t array)
{
	uint8_t *h = disk + at * GPT_SECTOR;

	put32(h + 88, gpt_crc32(0, disk + array * GPT_SECTOR, ENTRIES * ENTRY));
	put32(h + 16, 0);
	put32(h + 16, gpt_crc32(0, h, 92));
}

static void make_header(uint64_t at, uint64_t other, uint64_t array)
{
	uint8_t *h = disk + at * GPT_SECTOR;

	memcpy(h, "EFI PART", 8);
	put32(h + 8, 0x10000);
	put32(h + 12, 92);
	put64(h + 24, at);
	put64(h + 32, other);
	put64(h + 40, 2 + ARRAY);
	put64(h + 48, SECTORS - ARRAY - 2);
	put64(h + 72, array);
	put32(h + 80, ENTRIES);
	put32(h + 84, ENTRY);
}

static void make_entry(unsigned i, const uint8_t *type, uint64_t first, uint64_t last)
{
	for (int copy = 0; copy < 2; copy++) {
		uint8_t *e = disk + (copy ? SECTORS - 1 - ARRAY : 2) * GPT_SECTOR + i * ENTRY;

		memcpy(e, type, 16);
		memset(e + 16, 0x11, 16);
		put64(e + 32, first);
		put64(e + 40, last);
	}
}

static void make_disk(void)
{
	static const uint8_t other[16] = { 1, 2, 3 };

	fail_sector = ~0ull;
	memset(disk, 0, sizeof disk);
	make_header(1, SECTORS - 1, 2);
	make_header(SECTORS - 1, 1, SECTORS - 1 - ARRAY);
	make_entry(0, other, 40, 99);
	make_entry(5, gpt_checkpoint_type, 104, 1903);
	seal(1, 2);
	seal(SECTORS - 1, SECTORS - 1 - ARRAY);
}

static int find(struct gpt_partition *p)
{
	memset(p, 0, sizeof *p);
	return gpt_find(&source, gpt_checkpoint_type, p);
}

static void known_crc(void **state)
{
	(void)state;
	assert_int_equal(gpt_crc32(0, "123456789", 9), 0xcbf43926);
	assert_int_equal(gpt_crc32(gpt_crc32(0, "1234", 4), "56789", 5), 0xcbf43926);
}

static void intact(void **state)
{
	struct gpt_partition p;

	(void)state;
	make_disk();
	assert_int_equal(find(&p), GPT_OK);
	assert_int_equal(p.first, 104);
	assert_int_equal(p.last, 1903);
	assert_false(p.from_backup);
}

static void backup_used(void **state)
{
	struct gpt_partition p;

	(void)state;
	for (int i = 0; i < 4; i++) {
		make_disk();
		if (i == 0)
			memset(disk + GPT_SECTOR, 0, GPT_SECTOR);       /* header gone */
		else if (i == 1)
			disk[GPT_SECTOR + 50] ^= 1;                     /* header damaged */
		else if (i == 2)
			disk[2 * GPT_SECTOR + 5 * ENTRY + 33] ^= 1;     /* entry damaged */
		else
			fail_sector = 1;                                /* unreadable */
		assert_int_equal(find(&p), GPT_OK);
		assert_true(p.from_backup);
		assert_int_equal(p.last, 1903);
	}
}

static void reasons(void **state)
{
	static const uint8_t nothing[16] = { 9 };
	struct gpt_partition p;
	struct gpt_source tiny = source;

	(void)state;
	make_disk();
	make_entry(5, nothing, 104, 1903);
	seal(1, 2);
	seal(SECTORS - 1, SECTORS - 1 - ARRAY);
	assert_int_equal(find(&p), GPT_NO_PARTITION);
	make_disk();
	disk[GPT_SECTOR + 60] ^= 1;
	disk[(SECTORS - 1) * GPT_SECTOR + 60] ^= 1;
	assert_int_equal(find(&p), GPT_DAMAGED);
	memset(disk, 0, sizeof disk);
	assert_int_equal(find(&p), GPT_NONE);
	tiny.sectors = 3;
	assert_int_equal(gpt_find(&tiny, gpt_checkpoint_type, &p), GPT_NONE);
}

/* Wrong values under right checksums. */
static void hostile_fields(void **state)
{
	static const struct { unsigned at, size; uint64_t value; } bad[] = {
		{ 12, 4, 91 }, { 12, 4, 513 }, { 12, 4, 0xffffffff }, { 24, 8, 2 }, { 40, 8, SECTORS },
		{ 48, 8, SECTORS }, { 48, 8, ~0ull }, { 72, 8, 0 }, { 72, 8, SECTORS }, { 72, 8, ~0ull },
		{ 72, 8, SECTORS - 1 }, { 80, 4, 0xffffffff }, { 80, 4, 4097 }, { 84, 4, 0 }, { 84, 4, 64 },
		{ 84, 4, 192 }, { 84, 4, 0x80000000 },
	};
	struct gpt_partition p;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		make_disk();
		for (int copy = 0; copy < 2; copy++) {
			uint8_t *h = disk + (copy ? SECTORS - 1 : 1) * GPT_SECTOR;

			memcpy(h + bad[i].at, &bad[i].value, bad[i].size);
			put32(h + 16, 0);
			put32(h + 16, gpt_crc32(0, h, 92));
		}
		assert_int_equal(find(&p), GPT_DAMAGED);
	}
	make_disk();
	make_entry(5, gpt_checkpoint_type, 1903, 104);
	seal(1, 2);
	seal(SECTORS - 1, SECTORS - 1 - ARRAY);
	assert_int_equal(find(&p), GPT_DAMAGED);
	make_entry(5, gpt_checkpoint_type, 104, SECTORS);
	seal(1, 2);
	seal(SECTORS - 1, SECTORS - 1 - ARRAY);
	assert_int_equal(find(&p), GPT_DAMAGED);
}

/* Random damage with checksums made valid again: any answer, but inside the disk. */
static void random_damage(void **state)
{
	struct gpt_partition p;

	(void)state;
	seed_random(7);
	for (int i = 0; i < 5000; i++) {
		int n = 1 + (int)(random() % 6);

		make_disk();
		while (n--) {
			uint8_t *h = disk + (random() & 1 ? 1 : SECTORS - 1) * GPT_SECTOR;

			h[8 + random() % 84] = (uint8_t)random();
			put32(h + 16, 0);
			put32(h + 16, gpt_crc32(0, h, 92));
		}
		if (find(&p) == GPT_OK)
			assert_true(p.first <= p.last && p.last < SECTORS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_crc), cmocka_unit_test(intact), cmocka_unit_test(backup_used),
		cmocka_unit_test(reasons), cmocka_unit_test(hostile_fields), cmocka_unit_test(random_damage),
	};

	return cmocka_run_group_tests_name("gpt", tests, NULL, NULL);
}
