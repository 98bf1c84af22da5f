/* SPDX-License-Identifier: BSD-2-Clause
 * Fuzzer: the boot archive as the checkpoint server reads it, and the programs it loads from there; each is also tried as a
 * kernel for the UEFI loader. Input: a byte (1: checksums are put right; 2: it is a program, not an archive), then the bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "boot/uefi/elf.h"
#include "ckptserver/archive.h"
#include "ustar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint8_t sink;

static bool load(void *ctx, const struct elf_segment *s)
{
	const uint8_t *bytes = s->data;

	(void)ctx;
	if (s->file_bytes > s->mem_bytes || s->address + s->mem_bytes < s->address)
		abort();
	for (uint64_t i = 0; i < s->file_bytes; i++)    /* all of them are there to be read */
		sink = bytes[i];
	return true;
}

static void program(const uint8_t *file, size_t size)
{
	struct kernel_image k;

	elf_load(file, size, load, NULL);
	if (kernel_image_read(&k, file, size))
		return;
	for (unsigned i = 0; i < k.count; i++)
		for (uint64_t n = 0; n < k.segment[i].size; n++)
			sink = k.segment[i].data[n];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "pager", "console", "boot.cfg" };
	uint8_t *bytes;

	if (!size)
		return 0;
	size--;
	bytes = malloc(size);
	memcpy(bytes, data + 1, size);
	if (data[0] & 1)
		ustar_put_right(bytes, size);
	if (data[0] & 2)
		program(bytes, size);
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		uint64_t length = 0;
		const uint8_t *file = archive_find(bytes, size, names[i], &length);

		if (file && (file < bytes || length > size || (size_t)(file - bytes) > size - length))
			abort();
		if (file)
			program(file, length);
	}
	free(bytes);
	return 0;
}
