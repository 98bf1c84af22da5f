/* SPDX-License-Identifier: BSD-2-Clause
 * ELF64 for the pager: static executables for x86-64 whose segments lie on pages of their own. Anything that
 * needs a dynamic linker is refused. All sums are arranged so that no hostile number can wrap.
 */
#include "elfimage.h"

#include <elf.h>
#include <l4/string.h>

#include <l4/abi.h>

#define PAGE            4096ULL
#define PAGE_ROUND(a)   (((a) + PAGE - 1) & ~(PAGE - 1))

static enum elf_error header_check(const Elf64_Ehdr *h)
{
	if (memcmp(h->e_ident, ELFMAG, SELFMAG) || h->e_ident[EI_CLASS] != ELFCLASS64 ||
	    h->e_ident[EI_DATA] != ELFDATA2LSB || h->e_ident[EI_VERSION] != EV_CURRENT)
		return ELF_NOT_ELF;
	if (h->e_machine != EM_X86_64 || h->e_type != ET_EXEC || h->e_version != EV_CURRENT)
		return ELF_NOT_ELF;
	if (h->e_phentsize != sizeof(Elf64_Phdr) || !h->e_phnum)
		return ELF_SEGMENTS;
	return ELF_OK;
}

static unsigned rights_of(uint32_t flags)
{
	return (flags & PF_R ? L4_RIGHT_R : 0U) | (flags & PF_W ? L4_RIGHT_W : 0U) |
	       (flags & PF_X ? L4_RIGHT_X : 0U);
}

static enum elf_error segment_add(struct elf_image *image, const Elf64_Phdr *p, size_t size,
				  uint64_t low, uint64_t high)
{
	struct elf_segment *s = &image->segment[image->count];

	if (image->count == LIMIT_SEGMENTS)
		return ELF_SEGMENTS;
	if (p->p_offset > size || p->p_filesz > size - p->p_offset || p->p_filesz > p->p_memsz)
		return ELF_BYTES;
	if (p->p_vaddr < low || p->p_vaddr >= high || p->p_memsz > high - p->p_vaddr)
		return ELF_ADDRESS;
	s->start = p->p_vaddr & ~(PAGE - 1);
	s->skew = p->p_vaddr - s->start;
	s->pages = PAGE_ROUND(s->skew + p->p_memsz) / PAGE;
	s->offset = p->p_offset;
	s->bytes = p->p_filesz;
	s->rights = rights_of(p->p_flags);
	if (image->count && s->start < s[-1].start + s[-1].pages * PAGE)
		return ELF_OVERLAP;
	image->count++;
	return ELF_OK;
}

static enum elf_error entry_check(const struct elf_image *image)
{
	for (unsigned i = 0; i < image->count; i++) {
		const struct elf_segment *s = &image->segment[i];

		if (s->rights & L4_RIGHT_X && image->entry >= s->start &&
		    image->entry - s->start < s->pages * PAGE)
			return ELF_OK;
	}
	return ELF_ENTRY;
}

enum elf_error elf_parse(const uint8_t *file, size_t size, uint64_t low, uint64_t high, struct elf_image *image)
{
	Elf64_Ehdr h;
	enum elf_error error;

	memset(image, 0, sizeof *image);
	if (size < sizeof h)
		return ELF_SHORT;
	memcpy(&h, file, sizeof h);     /* the file may stand at any alignment */
	error = header_check(&h);
	if (error)
		return error;
	if (h.e_phoff > size || (uint64_t)h.e_phnum * sizeof(Elf64_Phdr) > size - h.e_phoff)
		return ELF_SHORT;
	for (unsigned i = 0; i < h.e_phnum; i++) {
		Elf64_Phdr p;

		memcpy(&p, file + h.e_phoff + i * sizeof p, sizeof p);
		if (p.p_type == PT_INTERP || p.p_type == PT_DYNAMIC)
			return ELF_NOT_ELF;
		if (p.p_type != PT_LOAD || !p.p_memsz)
			continue;
		error = segment_add(image, &p, size, low, high);
		if (error)
			return error;
	}
	image->entry = h.e_entry;
	return image->count ? entry_check(image) : ELF_SEGMENTS;
}

const char *elf_reason(enum elf_error error)
{
	static const char *const reason[] = {
		[-ELF_OK] = "no error",
		[-ELF_SHORT] = "file ends before its headers do",
		[-ELF_NOT_ELF] = "not a static ELF64 executable for x86-64",
		[-ELF_SEGMENTS] = "no segments, too many, or unknown program headers",
		[-ELF_BYTES] = "segment's bytes are not in the file",
		[-ELF_ADDRESS] = "segment outside the addresses of programs",
		[-ELF_OVERLAP] = "segments out of order or on one page",
		[-ELF_ENTRY] = "entry point in no executable segment",
	};

	_Static_assert(sizeof reason / sizeof *reason == -ELF_ENTRY + 1, "every error has a reason");
	return reason[-error];
}
