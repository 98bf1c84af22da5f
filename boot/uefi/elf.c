/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reads the kernel's ELF headers. The file comes from a disk anyone may have written: see elf.h.
 */
#include "elf.h"

#define PAGE		4096ull
#define LOW_LIMIT	(1ull << 20)	/* real mode's and the firmware's */
#define HIGH_LIMIT	(1ull << 30)	/* what the boot page tables map of the kernel */

enum {	/* ELF64: offsets and values */
	EHDR_SIZE = 64, E_TYPE = 16, E_MACHINE = 18, E_ENTRY = 24, E_PHOFF = 32, E_PHENTSIZE = 54, E_PHNUM = 56,
	PHDR_SIZE = 56, P_TYPE = 0, P_OFFSET = 8, P_PADDR = 24, P_FILESZ = 32, P_MEMSZ = 40,
	TYPE_EXEC = 2, MACHINE_X86_64 = 62, SEGMENT_LOAD = 1,
};

static uint64_t read_le(const unsigned char *p, unsigned int bytes)
{
	uint64_t v = 0;

	while (bytes--)
		v = v << 8 | p[bytes];
	return v;
}

static const char *read_segment(struct kernel_image *k, const unsigned char *file, size_t size, const unsigned char *ph)
{
	struct kernel_segment *s = &k->segment[k->count];
	uint64_t offset = read_le(ph + P_OFFSET, 8);

	s->phys = read_le(ph + P_PADDR, 8);
	s->size = read_le(ph + P_FILESZ, 8);
	s->memory = read_le(ph + P_MEMSZ, 8);
	if (s->memory == 0)
		return NULL;
	if (offset > size || s->size > size - offset || s->size > s->memory)
		return "a segment of the kernel lies outside the file";
	if (s->phys < LOW_LIMIT || s->phys >= HIGH_LIMIT || s->memory > HIGH_LIMIT - s->phys)
		return "a segment of the kernel has an impossible address";
	s->data = file + offset;
	if (s->phys < k->start)
		k->start = s->phys & ~(PAGE - 1);
	if (s->phys + s->memory > k->end)
		k->end = (s->phys + s->memory + PAGE - 1) & ~(PAGE - 1);
	k->count++;
	return NULL;
}

const char *kernel_image_read(struct kernel_image *k, const unsigned char *file, size_t size)
{
	static const unsigned char ident[7] = { 0x7f, 'E', 'L', 'F', 2, 1, 1 };
	uint64_t at, number;

	k->count = 0;
	k->start = UINT64_MAX;
	k->end = 0;
	if (size < EHDR_SIZE)
		return "the kernel is too short";
	for (unsigned int i = 0; i < sizeof ident; i++)
		if (file[i] != ident[i])
			return "the kernel is no 64-bit ELF file";
	at = read_le(file + E_PHOFF, 8);
	number = read_le(file + E_PHNUM, 2);
	if (read_le(file + E_TYPE, 2) != TYPE_EXEC || read_le(file + E_MACHINE, 2) != MACHINE_X86_64 ||
	    read_le(file + E_PHENTSIZE, 2) != PHDR_SIZE || at > size || number * PHDR_SIZE > size - at)
		return "the kernel is no x86-64 program";
	for (; number--; at += PHDR_SIZE) {
		const char *error;

		if (read_le(file + at + P_TYPE, 4) != SEGMENT_LOAD)
			continue;
		if (k->count == KERNEL_SEGMENTS_MAX)
			return "the kernel has too many segments";
		error = read_segment(k, file, size, file + at);
		if (error)
			return error;
	}
	k->entry = read_le(file + E_ENTRY, 8);
	if (!k->count || k->entry < k->start || k->entry >= k->end)
		return "the kernel has no entry";
	return NULL;
}
