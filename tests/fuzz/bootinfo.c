/* SPDX-License-Identifier: BSD-2-Clause
 * Fuzzer: what a loader hands over. Input: a byte (bit 0: multiboot 1, else 2; bit 1: it begins 8 bytes into memory), then
 * all of physical memory that there is. What comes out must satisfy bootinfo_malformed's own rules, with memory sorted and
 * disjoint.
 */
#include <stdlib.h>
#include <string.h>

#include "boot/boot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct bootinfo bi;
static struct boot_memlist list;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct boot_window w;
	const char *why;
	uint8_t *memory;

	if (!size)
		return 0;
	memory = malloc(size - 1);              /* of exactly that size, for the sanitizer to see */
	memcpy(memory, data + 1, size - 1);
	w = (struct boot_window){ (uintptr_t)memory, size - 1 };
	memset(&bi, 0xa5, sizeof(bi));
	memset(&list, 0, sizeof(list));
	why = data[0] & 1 ? multiboot1_parse(&bi, &list, &w, data[0] & 2 ? 8 : 0) :
			    multiboot2_parse(&bi, &list, &w, data[0] & 2 ? 8 : 0);
	acpi_find_rsdp(&w);
	if (!why && bootinfo_malformed(&bi))
		abort();
	for (unsigned i = 1; !why && i < bi.mem_count; i++)
		if (bi.mem[i].base < bi.mem[i - 1].base + bi.mem[i - 1].size)
			abort();
	free(memory);
	return 0;
}
