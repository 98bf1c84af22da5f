/* SPDX-License-Identifier: BSD-2-Clause
 *
 * boot/bootinfo.c and boot/multiboot.c: whatever a loader says, the memory map is sorted, disjoint and page-aligned and no
 * byte outside the loader's structures is read (the window is an exact heap block, so the sanitizer sees each overrun).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "boot.h"

static struct bootinfo bi;
static struct boot_memlist list;

static void put32(unsigned char *m, size_t at, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		m[at + i] = (unsigned char)(v >> 8 * i);
}

static void put64(unsigned char *m, size_t at, uint64_t v)
{
	put32(m, at, (uint32_t)v);
	put32(m, at + 4, (uint32_t)(v >> 32));
}

static void check_map(void)
{
	assert_true(bi.mem_count <= BOOTINFO_MAX_MEM);
	for (unsigned int i = 0; i < bi.mem_count; i++) {
		assert_true(bi.mem[i].size > 0);
		assert_int_equal(bi.mem[i].base % 4096, 0);
		assert_int_equal(bi.mem[i].size % 4096, 0);
		if (i)
			assert_true(bi.mem[i].base >= bi.mem[i - 1].base + bi.mem[i - 1].size);
	}
}

static unsigned int type_of(uint64_t a)
{
	for (unsigned int i = 0; i < bi.mem_count; i++)
		if (a >= bi.mem[i].base && a - bi.mem[i].base < bi.mem[i].size)
			return bi.mem[i].type;
	return 0;
}

static void memory_overlaps(void **state)
{
	(void)state;
	list.count = 0;
	bootinfo_init(&bi, BOOTPATH_UEFI);
	memlist_add(&list, 0x100000, 0x700800, BOOTMEM_RAM);
	memlist_add(&list, 0x200801, 0x10, BOOTMEM_RESERVED);
	memlist_add(&list, 0x300000, 0x2000, BOOTMEM_ACPI);
	memlist_add(&list, 0x301000, 0x2000, BOOTMEM_RESERVED);
	memlist_add(&list, 0x400000, 0x1000000, BOOTMEM_RAM);
	memlist_add(&list, 0x10, 0x9f000, BOOTMEM_RAM);
	memlist_add(&list, UINT64_MAX - 10, 100, BOOTMEM_RAM);
	memlist_add(&list, UINT64_MAX - 10, 10, BOOTMEM_RESERVED);
	memlist_add(&list, 5000, 10, BOOTMEM_RAM);
	bootinfo_set_memory(&bi, &list);
	check_map();
	assert_int_equal(type_of(0), BOOTMEM_RESERVED);
	assert_int_equal(type_of(0x1000), BOOTMEM_RAM);
	assert_int_equal(type_of(0x9efff), BOOTMEM_RAM);
	assert_int_equal(type_of(0x9f000), 0);
	assert_int_equal(type_of(0x200000), BOOTMEM_RESERVED);
	assert_int_equal(type_of(0x201000), BOOTMEM_RAM);
	assert_int_equal(type_of(0x300000), BOOTMEM_ACPI);
	assert_int_equal(type_of(0x301000), BOOTMEM_RESERVED);
	assert_int_equal(type_of(0x303000), BOOTMEM_RAM);
	assert_int_equal(type_of(0x13fffff), BOOTMEM_RAM);
	assert_int_equal(type_of(0x1400000), 0);
}

static void memory_overflow_keeps_ram(void **state)
{
	(void)state;
	list.count = 0;
	bootinfo_init(&bi, BOOTPATH_UEFI);
	for (uint64_t i = 1; i <= 200; i++)
		memlist_add(&list, i << 20, 4096, BOOTMEM_RESERVED);
	memlist_add(&list, 1ull << 32, 1 << 20, BOOTMEM_RAM);
	bootinfo_set_memory(&bi, &list);
	check_map();
	assert_int_equal(type_of(1ull << 32), BOOTMEM_RAM);
	for (unsigned int i = 0; i < 2 * BOOT_RAW_MAX; i++)
		memlist_add(&list, (uint64_t)i << 21, 4096, i & 1 ? BOOTMEM_RAM : BOOTMEM_ACPI);
	assert_true(list.lost > 0);
	bootinfo_set_memory(&bi, &list);
	check_map();
}

static void module_names(void **state)
{
	char longest[200];

	(void)state;
	bootinfo_init(&bi, BOOTPATH_MULTIBOOT1);
	assert_int_equal(bootinfo_add_module(&bi, 0x1000, 1, "build/release/ckptserver", 100), 0);
	assert_string_equal(bi.module[0].name, "ckptserver");
	assert_int_equal(bootinfo_add_module(&bi, 0x1000, 1, "  /a/archive  x/y", 100), 0);
	assert_string_equal(bi.module[1].name, "archive");
	assert_int_equal(bootinfo_add_module(&bi, 0x1000, 1, "plainX", 5), 0);
	assert_string_equal(bi.module[2].name, "plain");
	assert_int_equal(bootinfo_add_module(&bi, 0x1000, 1, "dir/", 10), -1);
	assert_int_equal(bootinfo_add_module(&bi, 0x1000, 1, "", 10), -1);
	assert_int_equal(bootinfo_add_module(&bi, 0x1000, 0, "a", 10), -1);
	assert_int_equal(bootinfo_add_module(&bi, UINT64_MAX, 2, "a", 10), -1);
	memset(longest, 'n', sizeof longest);
	assert_int_equal(bootinfo_add_module(&bi, 0x1000, 1, longest, sizeof longest), 0);
	assert_int_equal(strlen(bi.module[3].name), sizeof bi.module[3].name - 1);
	while (bi.module_count < BOOTINFO_MAX_MODULES)
		assert_int_equal(bootinfo_add_module(&bi, 0x1000, 1, "m", 1), 0);
	assert_int_equal(bootinfo_add_module(&bi, 0x1000, 1, "m", 1), -1);
	assert_false(bootinfo_malformed(&bi));
	bi.module_count++;
	assert_true(bootinfo_malformed(&bi));
}

static void command_lines(void **state)
{
	char longest[2 * BOOTINFO_CMDLINE];

	(void)state;
	bootinfo_init(&bi, BOOTPATH_MULTIBOOT1);
	bootinfo_set_cmdline(&bi, "build/kernel.elf ckpt.interval=10ms  log=x \n", 100, 1);
	assert_string_equal(bi.cmdline, "ckpt.interval=10ms  log=x");
	bootinfo_set_cmdline(&bi, "log=x root=a/b", 100, 1);
	assert_string_equal(bi.cmdline, "log=x root=a/b");
	bootinfo_set_cmdline(&bi, "kernel", 100, 1);
	assert_string_equal(bi.cmdline, "");
	bootinfo_set_cmdline(&bi, "quiet log=x", 100, 0);
	assert_string_equal(bi.cmdline, "quiet log=x");
	memset(longest, 'c', sizeof longest);
	bootinfo_set_cmdline(&bi, longest, sizeof longest, 0);
	assert_int_equal(strlen(bi.cmdline), BOOTINFO_CMDLINE - 1);
	assert_false(bootinfo_malformed(&bi));
	bi.cmdline[BOOTINFO_CMDLINE - 1] = 'c';
	assert_true(bootinfo_malformed(&bi));
}

enum { WINDOW = 0x2000, INFO = 0x1000, MMAP = 0x1100, MODS = 0x1200, TEXT = 0x1f00 };

static void make_mb1(unsigned char *m)
{
	memset(m, 0, WINDOW);
	put32(m, INFO, 1 << 2 | 1 << 3 | 1 << 6);
	put32(m, INFO + 16, TEXT);
	strcpy((char *)m + TEXT, "kernel.elf log=x");
	put32(m, INFO + 20, 2);
	put32(m, INFO + 24, MODS);
	put32(m, MODS, 0x800);
	put32(m, MODS + 4, 0x900);
	put32(m, MODS + 8, TEXT + 0x40);
	strcpy((char *)m + TEXT + 0x40, "b/ckptserver");
	put32(m, MODS + 16, 0x900);
	put32(m, MODS + 20, WINDOW + 1);	/* outside: left out */
	put32(m, MODS + 24, TEXT + 0x40);
	put32(m, INFO + 44, 48);
	put32(m, INFO + 48, MMAP);
	put32(m, MMAP, 20);
	put64(m, MMAP + 4, 0);
	put64(m, MMAP + 12, 0x9fc00);
	put32(m, MMAP + 20, 1);
	put32(m, MMAP + 24, 20);
	put64(m, MMAP + 28, 0x100000);
	put64(m, MMAP + 36, 0x1000000);
	put32(m, MMAP + 44, 1);
}

static void multiboot1(void **state)
{
	unsigned char *m = malloc(WINDOW);
	struct boot_window w = { (uintptr_t)m, WINDOW };

	(void)state;
	make_mb1(m);
	list.count = 0;
	assert_null(multiboot1_parse(&bi, &list, &w, INFO));
	check_map();
	assert_int_equal(type_of(0x100000), BOOTMEM_RAM);
	assert_int_equal(bi.module_count, 1);
	assert_string_equal(bi.module[0].name, "ckptserver");
	assert_string_equal(bi.cmdline, "log=x");
	assert_non_null(multiboot1_parse(&bi, &list, &w, WINDOW - 4));
	assert_non_null(multiboot1_parse(&bi, &list, &w, UINT64_MAX - 4));
	free(m);
}

static size_t make_mb2(unsigned char *m)
{
	size_t at = INFO + 8;

	memset(m, 0, WINDOW);
	put32(m, at, 1);
	put32(m, at + 4, 8 + 6);
	strcpy((char *)m + at + 8, "log=x");
	at += 16;
	put32(m, at, 3);
	put32(m, at + 4, 16 + 8);
	put32(m, at + 8, 0x800);
	put32(m, at + 12, 0x900);
	strcpy((char *)m + at + 16, "archive");
	at += 24;
	put32(m, at, 6);
	put32(m, at + 4, 16 + 24);
	put32(m, at + 8, 24);
	put64(m, at + 16, 0x100000);
	put64(m, at + 24, 0x1000000);
	put32(m, at + 32, 1);
	at += 40;
	put32(m, at, 8);
	put32(m, at + 4, 38);
	put64(m, at + 8, 0xfd000000);
	put32(m, at + 16, 4096);
	put32(m, at + 20, 1024);
	put32(m, at + 24, 768);
	m[at + 28] = 32;
	m[at + 29] = 1;
	m[at + 32] = 16;
	m[at + 33] = 8;
	at += 40;
	put32(m, at + 4, 8);
	put32(m, INFO, (uint32_t)(at + 8 - INFO));
	return at + 8;
}

static void multiboot2(void **state)
{
	unsigned char *m = malloc(WINDOW);
	struct boot_window w = { (uintptr_t)m, WINDOW };

	(void)state;
	make_mb2(m);
	list.count = 0;
	assert_null(multiboot2_parse(&bi, &list, &w, INFO));
	check_map();
	assert_int_equal(type_of(0x100000), BOOTMEM_RAM);
	assert_string_equal(bi.module[0].name, "archive");
	assert_string_equal(bi.cmdline, "log=x");
	assert_int_equal(bi.fb.type, BOOTFB_RGB);
	assert_int_equal(bi.fb.width, 1024);
	assert_int_equal(bi.fb.red_pos, 16);
	put32(m, INFO, WINDOW);
	assert_non_null(multiboot2_parse(&bi, &list, &w, INFO));
	free(m);
}

/* Random damage: nothing outside the window is read, and what comes out is well-formed. */
static void noise(void **state)
{
	(void)state;
	srand(1);
	for (int round = 0; round < 20000; round++) {
		unsigned char *m = malloc(WINDOW);
		struct boot_window w = { (uintptr_t)m, WINDOW };
		int second = round & 1;
		size_t end = INFO + 0x300;

		if (second)
			end = make_mb2(m);
		else
			make_mb1(m);
		for (int i = rand() % 8; i >= 0; i--)
			m[INFO + (size_t)rand() % (end - INFO)] = (unsigned char)(rand() % 3 ? rand() : 0xff);
		list.count = 0;
		if (second)
			multiboot2_parse(&bi, &list, &w, INFO);
		else
			multiboot1_parse(&bi, &list, &w, INFO);
		check_map();
		assert_false(bootinfo_malformed(&bi));
		free(m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_overlaps),
		cmocka_unit_test(memory_overflow_keeps_ram),
		cmocka_unit_test(module_names),
		cmocka_unit_test(command_lines),
		cmocka_unit_test(multiboot1),
		cmocka_unit_test(multiboot2),
		cmocka_unit_test(noise),
	};

	return cmocka_run_group_tests_name("boot", tests, NULL, NULL);
}
