/* SPDX-License-Identifier: BSD-2-Clause
 * ustar (POSIX.1) and ELF64 readers; see archive.h.
 */
#include "archive.h"

#include <linux/elf.h>
#include <stddef.h>

#define TAR_BLOCK       512u
#define ADDRESS_END     (1ul << 47)

struct tar_header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type;
	char link[100], magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[155], pad[12];
};
_Static_assert(sizeof(struct tar_header) == TAR_BLOCK, "ustar header");

static uint64_t octal(const char *s, unsigned n)
{
	uint64_t v = 0;

	while (n && *s == ' ')
		s++, n--;
	while (n && *s >= '0' && *s <= '7') {
		v = v * 8 + (uint64_t)(*s - '0');
		s++, n--;
	}
	return v;
}

/* Names in the archive may begin with "./". */
static bool same_name(const char *field, const char *name)
{
	unsigned i = 0;

	if (field[0] == '.' && field[1] == '/')
		i = 2;
	for (; i < 100 && field[i]; i++, name++)
		if (field[i] != *name)
			return false;
	return !*name;
}

const void *archive_find(const void *archive, uint64_t bytes, const char *name, uint64_t *size)
{
	const char *base = archive;
	uint64_t at = 0;

	while (at + TAR_BLOCK <= bytes) {
		const struct tar_header *h = (const void *)(base + at);
		uint64_t len = octal(h->size, sizeof h->size);
		bool file = h->type == '0' || h->type == 0;

		if (!h->name[0])
			break;                  /* end of archive */
		at += TAR_BLOCK;
		if (len > bytes - at)
			break;
		if (file && same_name(h->name, name)) {
			*size = len;
			return base + at;
		}
		at += (len + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
	}
	return NULL;
}

static bool header_good(const Elf64_Ehdr *h, uint64_t bytes)
{
	if (bytes < sizeof *h || h->e_ident[0] != 0x7f || h->e_ident[1] != 'E' || h->e_ident[2] != 'L' ||
	    h->e_ident[3] != 'F' || h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != ELFDATA2LSB)
		return false;
	if (h->e_type != ET_EXEC || h->e_machine != EM_X86_64 || h->e_phentsize != sizeof(Elf64_Phdr))
		return false;
	return h->e_phoff % 8 == 0 && h->e_phoff <= bytes && (uint64_t)h->e_phnum * sizeof(Elf64_Phdr) <= bytes - h->e_phoff;
}

static bool segment_good(const Elf64_Phdr *p, uint64_t bytes)
{
	return p->p_offset <= bytes && p->p_filesz <= bytes - p->p_offset && p->p_filesz <= p->p_memsz &&
	       p->p_vaddr < ADDRESS_END && p->p_memsz <= ADDRESS_END - p->p_vaddr;
}

uint64_t elf_load(const void *image, uint64_t bytes, bool (*load)(void *ctx, const struct elf_segment *s), void *ctx)
{
	const Elf64_Ehdr *h = image;
	const Elf64_Phdr *p;

	if (!header_good(h, bytes))
		return 0;
	p = (const void *)((const char *)image + h->e_phoff);
	for (unsigned i = 0; i < h->e_phnum; i++)
		if (p[i].p_type == PT_LOAD && !segment_good(&p[i], bytes))
			return 0;
	for (unsigned i = 0; i < h->e_phnum; i++) {
		struct elf_segment s = { p[i].p_vaddr, p[i].p_filesz, p[i].p_memsz, NULL };

		if (p[i].p_type != PT_LOAD || !s.mem_bytes)
			continue;
		s.data = (const char *)image + p[i].p_offset;
		if (!load(ctx, &s))
			return 0;
	}
	return h->e_entry;
}
