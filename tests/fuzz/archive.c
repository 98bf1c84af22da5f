/* SPDX-License-Identifier: BSD-2-Clause
 * Fuzzer: the boot archive as the pager reads it: its files, boot.cfg, and every file as a program. Input: a byte (1: checksums are
 * put right), then the archive.
 */
#include <stdlib.h>
#include <string.h>

#include "pager/archive.h"
#include "pager/boot.h"
#include "pager/elfimage.h"
#include "pager/program.h"
#include "pager/say.h"
#include "pager/task.h"
#include "ustar.h"

#define LOW     0x400000u
#define HIGH    0x7fffc0000000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What boot.cfg starts goes nowhere; its text must end where it says. */
struct program *program_find(const char *name)
{
	return strlen(name) % 2 ? (struct program *)(uintptr_t)8 : NULL;
}

long task_create(struct task *parent, struct program *program, const struct task_spawn *spawn, struct task **task)
{
	size_t strings = 0;

	(void)parent, (void)program, (void)task;
	for (size_t i = 0; i < spawn->length; i++)
		strings += !spawn->strings[i];
	if (strings != spawn->argc)
		abort();
	return TASK_E_NOTFOUND;
}

void say(const char *format, ...)
{
	(void)format;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elf_image image;
	struct archive_file file;
	uint8_t *archive;
	size_t at = 0;

	if (!size)
		return 0;
	size--;
	archive = malloc(size);
	memcpy(archive, data + 1, size);
	if (data[0] & 1)
		ustar_put_right(archive, size);
	while (archive_next(archive, size, &at, &file) == 1) {
		if (!memchr(file.name, 0, sizeof(file.name)) || file.data < archive || file.size > size ||
		    (size_t)(file.data - archive) > size - file.size)
			abort();
		if (elf_parse(file.data, file.size, LOW, HIGH, &image) != ELF_OK)
			continue;
		for (unsigned i = 0; i < image.count; i++)
			if (image.segment[i].offset > file.size || image.segment[i].bytes > file.size - image.segment[i].offset)
				abort();
	}
	boot_start(archive, size);
	free(archive);
	return 0;
}
