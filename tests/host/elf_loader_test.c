/* SPDX-License-Identifier: BSD-2-Clause
 *
 * boot/uefi/elf.c: a damaged kernel file is refused, and never read outside its bytes or placed where it cannot be.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <elf.h>
#include <cmocka.h>
#include "boot/uefi/elf.h"

enum { SIZE = 0x400 };

static struct kernel_image k;

static unsigned char *make_file(void)
{
	unsigned char *file = calloc(1, SIZE);
	Elf64_Ehdr h = { .e_ident = { 0x7f, 'E', 'L', 'F', 2, 1, 1 }, .e_type = ET_EXEC, .e_machine = EM_X86_64,
			 .e_entry = 0x100010, .e_phoff = 64, .e_phentsize = 56, .e_phnum = 2 };
	Elf64_Phdr p[2] = {
		{ .p_type = PT_LOAD, .p_offset = 0x200, .p_paddr = 0x100000, .p_filesz = 0x100, .p_memsz = 0x100 },
		{ .p_type = PT_LOAD, .p_offset = 0x300, .p_paddr = 0x102000, .p_filesz = 0x100, .p_memsz = 0x2345 },
	};

	memcpy(file, &h, sizeof h);
	memcpy(file + 64, p, sizeof p);
	return file;
}

static void good_file(void **state)
{
	unsigned char *file = make_file();

	(void)state;
	assert_null(kernel_image_read(&k, file, SIZE));
	assert_int_equal(k.count, 2);
	assert_int_equal(k.start, 0x100000);
	assert_int_equal(k.end, 0x105000);
	assert_int_equal(k.entry, 0x100010);
	assert_ptr_equal(k.segment[1].data, file + 0x300);
	free(file);
}

static void refuses(size_t at, uint64_t value, unsigned int bytes)
{
	unsigned char *file = make_file();

	memcpy(file + at, &value, bytes);
	assert_non_null(kernel_image_read(&k, file, SIZE));
	free(file);
}

static void bad_files(void **state)
{
	unsigned char *file = make_file();
	const size_t ph = 64 + 56;

	(void)state;
	for (size_t n = 0; n < SIZE; n += 16) {
		unsigned char *cut = malloc(n);

		memcpy(cut, file, n);
		assert_non_null(kernel_image_read(&k, cut, n));
		free(cut);
	}
	free(file);
	refuses(0, 0, 1);
	refuses(offsetof(Elf64_Ehdr, e_type), ET_DYN, 2);
	refuses(offsetof(Elf64_Ehdr, e_machine), EM_386, 2);
	refuses(offsetof(Elf64_Ehdr, e_phoff), UINT64_MAX, 8);
	refuses(offsetof(Elf64_Ehdr, e_phnum), 0, 2);
	refuses(offsetof(Elf64_Ehdr, e_phnum), 1000, 2);
	refuses(offsetof(Elf64_Ehdr, e_entry), 0xfffff, 8);
	refuses(offsetof(Elf64_Ehdr, e_entry), 0x105000, 8);
	refuses(ph + offsetof(Elf64_Phdr, p_offset), UINT64_MAX, 8);
	refuses(ph + offsetof(Elf64_Phdr, p_offset), 0x301, 8);
	refuses(ph + offsetof(Elf64_Phdr, p_filesz), 0x3000, 8);
	refuses(ph + offsetof(Elf64_Phdr, p_memsz), 0xff, 8);
	refuses(ph + offsetof(Elf64_Phdr, p_memsz), UINT64_MAX, 8);
	refuses(ph + offsetof(Elf64_Phdr, p_paddr), 0xff000, 8);
	refuses(ph + offsetof(Elf64_Phdr, p_paddr), 1 << 30, 8);
}

static void noise(void **state)
{
	(void)state;
	srand(2);
	for (int round = 0; round < 20000; round++) {
		unsigned char *file = make_file();

		for (int i = rand() % 4; i >= 0; i--)
			file[rand() % 176] = (unsigned char)rand();
		if (!kernel_image_read(&k, file, SIZE))
			for (unsigned int i = 0; i < k.count; i++) {
				assert_true(k.segment[i].data >= file && k.segment[i].data + k.segment[i].size <= file + SIZE);
				assert_true(k.segment[i].phys >= 1 << 20 && k.segment[i].phys + k.segment[i].memory <= 1 << 30);
			}
		free(file);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_file),
		cmocka_unit_test(bad_files),
		cmocka_unit_test(noise),
	};

	return cmocka_run_group_tests_name("elf_loader", tests, NULL, NULL);
}
