/* SPDX-License-Identifier: BSD-2-Clause
 * Properties: the boot archive's readers accept what can be used and nothing that leads outside it; the checker of kernel
 * objects lets good objects through and objects to each kind of bad one; the real-time clock's registers become the right second, or none. Guards archive.c,
 * objcheck.c, wall.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <linux/elf.h>

#include "ckptserver/archive.h"
#include "ckptserver/objcheck.h"
#include "ckptserver/wall.h"
#include "kernel/objects.h"
#include "seed.h"
#include <l4/framecontrol.h>

/* ---- ustar -------------------------------------------------------------------------------------------- */

static uint8_t tar[16 * 512];

static void tar_file(unsigned block, const char *name, const char *size, char type)
{
	memset(tar + block * 512, 0, 512);
	strcpy((char *)tar + block * 512, name);
	strcpy((char *)tar + block * 512 + 124, size);
	tar[block * 512 + 156] = (uint8_t)type;
}

static void finds_files(void **state)
{
	uint64_t size;

	(void)state;
	memset(tar, 0, sizeof tar);
	tar_file(0, "folder/", "0", '5');
	tar_file(1, "./pager", "00000001001", '0');     /* 513 bytes: two blocks */
	tar_file(4, "console", "3", '0');
	memcpy(tar + 5 * 512, "abc", 3);
	assert_ptr_equal(archive_find(tar, sizeof tar, "console", &size), tar + 5 * 512);
	assert_int_equal(size, 3);
	assert_ptr_equal(archive_find(tar, sizeof tar, "pager", &size), tar + 2 * 512);
	assert_int_equal(size, 513);
	assert_null(archive_find(tar, sizeof tar, "page", &size));
	assert_null(archive_find(tar, sizeof tar, "pagers", &size));
	assert_null(archive_find(tar, sizeof tar, "folder/", &size));
	assert_null(archive_find(tar, 5 * 512 + 2, "console", &size));
	assert_null(archive_find(tar, 0, "console", &size));
}

static void damaged_archive(void **state)
{
	uint64_t size;

	(void)state;
	seed_random(5);
	for (int i = 0; i < 20000; i++) {
		uint64_t bytes = (uint64_t)random() % (sizeof tar + 1);
		uint8_t *copy = malloc(bytes ? bytes : 1);
		const uint8_t *f;

		finds_files(NULL);
		for (int n = (int)(random() % 20); n; n--)
			tar[random() % sizeof tar] = (uint8_t)random();
		memcpy(copy, tar, bytes);
		f = archive_find(copy, bytes, "console", &size);
		if (f)
			assert_true(f >= copy && size <= bytes && f + size <= copy + bytes);
		free(copy);
	}
}

/* ---- ELF ---------------------------------------------------------------------------------------------- */

struct image {
	Elf64_Ehdr h;
	Elf64_Phdr p[3];
	uint8_t data[256];
};

static struct image make_image(void)
{
	struct image m = { .h = { .e_type = ET_EXEC, .e_machine = EM_X86_64, .e_entry = 0x400100,
				  .e_phoff = sizeof(Elf64_Ehdr), .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 3 } };

	memcpy(m.h.e_ident, "\177ELF", 4);
	m.h.e_ident[EI_CLASS] = ELFCLASS64;
	m.h.e_ident[EI_DATA] = ELFDATA2LSB;
	m.p[0] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_vaddr = 0x400000, .p_filesz = sizeof m, .p_memsz = 4096 };
	m.p[1] = (Elf64_Phdr){ .p_type = PT_NOTE, .p_offset = ~0ull };
	m.p[2] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_vaddr = 0x402000, .p_memsz = 8192 };
	return m;
}

static const uint8_t *image_base;
static uint64_t image_bytes;
static int segments;

static bool take(void *ctx, const struct elf_segment *s)
{
	(void)ctx;
	segments++;
	assert_true(s->file_bytes <= s->mem_bytes && s->address + s->mem_bytes <= 1ull << 47);
	assert_true(s->file_bytes == 0 || ((const uint8_t *)s->data >= image_base &&
					   (const uint8_t *)s->data + s->file_bytes <= image_base + image_bytes));
	return true;
}

static uint64_t load(const void *image, uint64_t bytes)
{
	image_base = image;
	image_bytes = bytes;
	segments = 0;
	return elf_load(image, bytes, take, NULL);
}

static void elf_images(void **state)
{
	struct image m = make_image();

	(void)state;
	assert_int_equal(load(&m, sizeof m), 0x400100);
	assert_int_equal(segments, 2);
	assert_int_equal(load(&m, sizeof m - 1), 0);
	assert_int_equal(segments, 0);                  /* nothing of a bad image is loaded */
	assert_int_equal(load(&m, 10), 0);
	m.p[2].p_vaddr = (1ull << 47) - 4096;
	assert_int_equal(load(&m, sizeof m), 0);
	m = make_image();
	m.p[0].p_filesz = ~0ull;
	assert_int_equal(load(&m, sizeof m), 0);
	m = make_image();
	m.h.e_type = ET_DYN;
	assert_int_equal(load(&m, sizeof m), 0);
	m = make_image();
	m.h.e_phoff = ~0ull - 8;
	assert_int_equal(load(&m, sizeof m), 0);
}

static void damaged_elf(void **state)
{
	(void)state;
	seed_random(6);
	for (int i = 0; i < 50000; i++) {
		struct image m = make_image();
		uint8_t *bytes = (uint8_t *)&m;

		for (int n = 1 + (int)(random() % 8); n; n--)
			bytes[random() % offsetof(struct image, data)] = (uint8_t)random();
		(void)load(&m, sizeof m);
	}
}

/* ---- Kernel objects ------------------------------------------------------------------------------------- */

static void objects(void **state)
{
	static uint8_t page[4096] __attribute__((aligned(4096)));
	struct object_header *h = (void *)page;
	struct tte *e = (void *)page;
	uint32_t tcb = L4_OBJ(L4_OBJ_TCB, 300), table = L4_OBJ(L4_OBJ_TABLE, 2);

	(void)state;
	assert_null(objcheck(tcb, page));               /* fresh and never used */
	*h = (struct object_header){ OBJECT_MAGIC, OBJECT_VERSION, L4_OBJ_TCB, 300, 0 };
	assert_null(objcheck(tcb, page));
	assert_non_null(objcheck(L4_OBJ(L4_OBJ_TCB, 301), page));
	assert_non_null(objcheck(L4_OBJ(L4_OBJ_SPACE, 300), page));
	h->version++;
	assert_non_null(objcheck(tcb, page));
	h->magic = 7;
	assert_non_null(objcheck(tcb, page));
	assert_null(objcheck(L4_OBJ(L4_OBJ_UTCB, 300), page));

	memset(page, 0, sizeof page);
	assert_null(objcheck(table, page));
	e[127] = (struct tte){ .version = 1, .flags = TTE_EXISTS, .space = L4_FIRST_SPACE };
	assert_null(objcheck(table, page));
	e[127].version = 64;
	assert_non_null(objcheck(table, page));
	e[127].version = 1;
	e[127].state = TS_COUNT;
	assert_non_null(objcheck(table, page));
	e[127].state = TS_RECV;
	e[127].space = 1;
	assert_non_null(objcheck(table, page));
	e[127].flags = 0;                               /* does not exist: nothing is asked of it */
	assert_null(objcheck(table, page));
}

/* ---- The real-time clock ------------------------------------------------------------------------------ */

static void clock_registers(void **state)
{
	static const struct { struct rtc r; uint64_t s; } cases[] = {
		{ { 0x56, 0x34, 0x12, 0x20, 0x11, 0x26, 0x20, RTC_24_HOURS }, 1795178096 },
		{ { 56, 34, 12, 20, 11, 26, 20, RTC_24_HOURS | RTC_BINARY }, 1795178096 },
		{ { 0x56, 0x34, 0x12, 0x20, 0x11, 0x26, 0x20, 0 }, 1795178096 - 12 * 3600 },    /* 12 at night */
		{ { 0x56, 0x34, 0x92, 0x20, 0x11, 0x26, 0x20, 0 }, 1795178096 },                /* 12 at noon */
		{ { 0x56, 0x34, 0x81, 0x20, 0x11, 0x26, 0x20, 0 }, 1795178096 + 3600 },
		{ { 0x56, 0x34, 0x12, 0x20, 0x11, 0x26, 0, RTC_24_HOURS }, 1795178096 },        /* no century */
		{ { 0, 0, 0, 0x01, 0x01, 0x70, 0x19, RTC_24_HOURS }, 0 },
		{ { 1, 0, 0, 0x01, 0x01, 0x70, 0x19, RTC_24_HOURS }, 1 },
		{ { 0, 0, 0, 0x29, 0x02, 0x24, 0x20, RTC_24_HOURS }, 1709164800 },
		{ { 0, 0, 0, 0x29, 0x02, 0x25, 0x20, RTC_24_HOURS }, 0 },
		{ { 0, 0, 0, 0x29, 0x02, 0x00, 0x21, RTC_24_HOURS }, 0 },
		{ { 0, 0, 0x24, 0x01, 0x01, 0x26, 0x20, RTC_24_HOURS }, 0 },
		{ { 0, 0, 0, 0x01, 0x01, 0x26, 0x20, 0 }, 0 },
		{ { 0, 0, 0, 0x01, 0x13, 0x26, 0x20, RTC_24_HOURS }, 0 },
		{ { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, 0 },
		{ { 0 }, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(rtc_seconds(&cases[i].r), cases[i].s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_files), cmocka_unit_test(damaged_archive), cmocka_unit_test(elf_images),
		cmocka_unit_test(damaged_elf), cmocka_unit_test(objects), cmocka_unit_test(clock_registers),
	};

	return cmocka_run_group_tests_name("ckptserver", tests, NULL, NULL);
}
