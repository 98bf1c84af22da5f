/* SPDX-License-Identifier: BSD-2-Clause
 * ELF core files: header, program headers (one PT_NOTE, a PT_LOAD per range), notes, memory on page boundaries.
 */
#include "corefile.h"

#include <stdlib.h>
#include <string.h>
#include <sys/procfs.h>
#include <sys/user.h>
#include <unistd.h>

#include "tool.h"

#define PAGE    4096u

static void note_add(struct corefile *c, uint32_t type, const void *data, size_t bytes)
{
	static const char owner[8] = "CORE";
	Elf64_Nhdr h = { .n_namesz = 5, .n_descsz = (uint32_t)bytes, .n_type = type };
	size_t padded = (bytes + 3) & ~(size_t)3, total = sizeof h + sizeof owner + padded;
	char *at;

	c->notes = realloc(c->notes, c->note_bytes + total);
	if (!c->notes)
		exit(tool_fail(TOOL_IO, "not enough memory"));
	at = c->notes + c->note_bytes;
	memset(at, 0, total);
	memcpy(at, &h, sizeof h);
	memcpy(at + sizeof h, owner, sizeof owner);
	memcpy(at + sizeof h + sizeof owner, data, bytes);
	c->note_bytes += total;
}

void corefile_process(struct corefile *c, const char *name, uint32_t id)
{
	struct elf_prpsinfo p;

	memset(&p, 0, sizeof p);
	p.pr_sname = 'S';
	p.pr_pid = (int)id;
	memcpy(p.pr_fname, name, strnlen(name, sizeof p.pr_fname - 1));
	memcpy(p.pr_psargs, name, strnlen(name, sizeof p.pr_psargs - 1));
	note_add(c, NT_PRPSINFO, &p, sizeof p);
}

static void registers_convert(const struct tcb *t, struct user_regs_struct *u)
{
	const struct regs *r = &t->frame;

	memset(u, 0, sizeof *u);
	u->r15 = r->r15, u->r14 = r->r14, u->r13 = r->r13, u->r12 = r->r12;
	u->rbp = r->rbp, u->rbx = r->rbx, u->r11 = r->r11, u->r10 = r->r10;
	u->r9 = r->r9, u->r8 = r->r8, u->rax = r->rax, u->rcx = r->rcx;
	u->rdx = r->rdx, u->rsi = r->rsi, u->rdi = r->rdi;
	u->orig_rax = ~0ull;
	u->rip = r->rip, u->cs = r->cs, u->eflags = r->rflags, u->rsp = r->rsp, u->ss = r->ss;
	if (t->utcb_mr)
		u->gs_base = t->utcb_mr - offsetof(struct utcb, mr);
}

void corefile_thread(struct corefile *c, const struct tcb *tcb, uint32_t number, int signal)
{
	struct elf_prstatus s;
	struct user_regs_struct u;

	memset(&s, 0, sizeof s);
	s.pr_info.si_signo = signal;
	s.pr_cursig = (short)signal;
	s.pr_pid = (int)number;
	registers_convert(tcb, &u);
	memcpy(&s.pr_reg, &u, sizeof u);
	s.pr_fpvalid = tcb->fpu_used;
	note_add(c, NT_PRSTATUS, &s, sizeof s);
	if (tcb->fpu_used)              /* the XSAVE area begins as FXSAVE's */
		note_add(c, NT_FPREGSET, tcb->fpu, sizeof(struct user_fpregs_struct));
}

void corefile_range(struct corefile *c, uint64_t start, uint64_t end, uint32_t rights)
{
	if (c->range_count == c->range_room) {
		c->range_room = c->range_room ? 2 * c->range_room : 64;
		c->ranges = realloc(c->ranges, c->range_room * sizeof *c->ranges);
		if (!c->ranges)
			exit(tool_fail(TOOL_IO, "not enough memory"));
	}
	c->ranges[c->range_count++] = (struct core_range){ start, end, rights };
}

static bool put(struct corefile *c, const void *data, size_t bytes)
{
	return fwrite(data, 1, bytes, c->f) == bytes;
}

bool corefile_begin(struct corefile *c)
{
	uint64_t headers = sizeof(Elf64_Ehdr) + (c->range_count + 1) * sizeof(Elf64_Phdr), at;
	Elf64_Ehdr e = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT }, .e_type = ET_CORE,
			 .e_machine = EM_X86_64, .e_version = EV_CURRENT, .e_phoff = sizeof e, .e_ehsize = sizeof e,
			 .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = (uint16_t)(c->range_count + 1) };
	Elf64_Phdr notes = { .p_type = PT_NOTE, .p_offset = headers, .p_filesz = c->note_bytes, .p_align = 4 };
	bool ok = c->range_count < PN_XNUM - 1 && put(c, &e, sizeof e) && put(c, &notes, sizeof notes);

	at = c->data = (headers + c->note_bytes + PAGE - 1) / PAGE * PAGE;
	for (unsigned i = 0; ok && i < c->range_count; i++) {
		const struct core_range *r = &c->ranges[i];
		Elf64_Phdr p = { .p_type = PT_LOAD, .p_flags = r->rights, .p_offset = at, .p_vaddr = r->start,
				 .p_filesz = r->end - r->start, .p_memsz = r->end - r->start, .p_align = PAGE };

		ok = put(c, &p, sizeof p);
		at += p.p_filesz;
	}
	return ok && put(c, c->notes, c->note_bytes);
}

bool corefile_page(struct corefile *c, uint64_t address, const void *page)
{
	uint64_t at = c->data;

	for (unsigned i = 0; i < c->range_count; i++) {
		const struct core_range *r = &c->ranges[i];

		if (address >= r->start && address < r->end)
			return fseeko(c->f, (off_t)(at + address - r->start), SEEK_SET) == 0 && put(c, page, PAGE);
		at += r->end - r->start;
	}
	return true;
}

bool corefile_end(struct corefile *c)
{
	uint64_t end = c->data;
	bool ok;

	for (unsigned i = 0; i < c->range_count; i++)
		end += c->ranges[i].end - c->ranges[i].start;
	ok = fflush(c->f) == 0 && ftruncate(fileno(c->f), (off_t)end) == 0;
	free(c->notes);
	free(c->ranges);
	return ok;
}
