/* SPDX-License-Identifier: BSD-2-Clause
 * Start-up, in order, and the first thread: ckptserver. To follow a boot: boot/ -> kernel_main -> enter_user ->
 * ckptserver/main.c.
 */
#include <elf.h>
#include "kernel/arch.h"
#include "kernel/chaos.h"
#include "kernel/kernel.h"
#include "kernel/kip.h"
#include "kernel/mapdb.h"
#include "kernel/memory.h"
#include "kernel/sched.h"
#include "kernel/space.h"
#include "kernel/thread.h"
#include <l4/bootinfo.h>
#include <l4/framecontrol.h>

#define STACK_TOP       0x400000ul
#define STACK_SIZE      0x10000ul
#define KIP_AREA        0xbff00000ul
#define UTCB_AREA       0xbf000000ul

void kernel_main(struct bootinfo *bi);

static const struct bootinfo *boot;
static struct tte residual_table[L4_TABLE_PER_PAGE] __attribute__((aligned(PAGE_SIZE)));

const char *option(const char *name)
{
	const char *at = boot ? boot->cmdline : "";
	size_t n = strlen(name);

	while (*at) {
		if (!strncmp(at, name, n) && at[n] == '=')
			return at + n + 1;
		while (*at && *at != ' ')
			at++;
		while (*at == ' ')
			at++;
	}
	return NULL;
}

static const struct bootinfo_module *find_module(const struct bootinfo *bi, const char *name)
{
	u32 i;

	for (i = 0; i < bi->module_count; i++)
		if (!strncmp(bi->module[i].name, name, sizeof bi->module[i].name))
			return &bi->module[i];
	panic("the boot loader gave no module named \"%s\"", name);
}

static void map_private(struct space *s, vaddr_t va, paddr_t pa, u32 rights)
{
	struct mapdb_work work = MAPDB_WORK(MAPDB_UNLIMITED);

	if (mapdb_map_frame(pa >> PAGE_SHIFT, &s->pt, va, rights, MAPDB_KERNEL, &work) != MAPDB_OK)
		panic("ckptserver: cannot map 0x%lx", va);
}

static void load_segment(struct space *s, const u8 *image, const Elf64_Phdr *p)
{
	vaddr_t start = p->p_vaddr & ~PAGE_MASK, end = (p->p_vaddr + p->p_memsz + PAGE_MASK) & ~PAGE_MASK, va;
	u32 rights = (p->p_flags & PF_R ? L4_RIGHT_R : 0u) | (p->p_flags & PF_W ? L4_RIGHT_W : 0u) |
		(p->p_flags & PF_X ? L4_RIGHT_X : 0u);
	paddr_t pa = boot_alloc(end - start, PAGE_SIZE);

	memcpy((u8 *)phys_to_virt(pa) + (p->p_vaddr - start), image + p->p_offset, p->p_filesz);
	for (va = start; va < end; va += PAGE_SIZE, pa += PAGE_SIZE)
		map_private(s, va, pa, rights);
}

/* Returns the entry point. The image comes from our own build, but a damaged boot medium is not the kernel's bug. */
static vaddr_t load_ckptserver(struct space *s, const struct bootinfo_module *m)
{
	const u8 *image = phys_to_virt(m->base);
	const Elf64_Ehdr *e = (const Elf64_Ehdr *)image;
	u32 i;

	if (m->size < sizeof *e || memcmp(e->e_ident, ELFMAG, SELFMAG) || e->e_machine != EM_X86_64 ||
	    e->e_phentsize != sizeof(Elf64_Phdr) || e->e_phoff > m->size ||
	    (m->size - e->e_phoff) / sizeof(Elf64_Phdr) < e->e_phnum)
		panic("module \"ckptserver\" is not an x86-64 ELF program");
	for (i = 0; i < e->e_phnum; i++) {
		const Elf64_Phdr *p = (const Elf64_Phdr *)(image + e->e_phoff) + i;

		if (p->p_type != PT_LOAD || !p->p_memsz)
			continue;
		if (p->p_offset > m->size || p->p_filesz > m->size - p->p_offset || p->p_filesz > p->p_memsz ||
		    p->p_vaddr < STACK_TOP || p->p_vaddr >= UTCB_AREA || p->p_memsz > UTCB_AREA - p->p_vaddr)
			panic("module \"ckptserver\": bad segment %u", i);
		load_segment(s, image, p);
	}
	return e->e_entry;
}

static void start_sigma0(struct bootinfo *bi)
{
	struct thread *t = thread_at(L4_SIGMA0_TNO);
	struct space *s = space_get(L4_SIGMA0_SPACE);
	paddr_t stack;
	u64 i;

	space_init_record(s, phys_to_virt(kernel_page_alloc()));
	space_mark_used(s->no);
	space_set_areas(s, KIP_AREA | 12 << 4, UTCB_AREA | 14 << 4);
	s->record->threads = s->record->active_threads = 1;
	s->record->slot[0] = t->no;
	t->tcb = phys_to_virt(kernel_page_alloc());
	t->utcb = phys_to_virt(kernel_page_alloc());
	t->space = s;
	*t->tte = (struct tte){ .version = 1, .flags = TTE_EXISTS | TTE_ACTIVE, .prio = 255, .space = L4_SIGMA0_SPACE,
		.deadline = DEADLINE_NEVER };
	tcb_init(t->tcb, t->no, thread_id(t));
	t->tcb->scheduler = thread_id(t);
	t->tcb->utcb_mr = t->utcb->self = UTCB_AREA + 512;
	t->utcb->my_global_id = thread_id(t);
	t->tcb->frame.rip = load_ckptserver(s, find_module(bi, "ckptserver"));
	t->tcb->frame.rsp = STACK_TOP - 16;
	t->tcb->frame.rdi = kernel_virt_to_phys(bi);
	stack = boot_alloc(STACK_SIZE, PAGE_SIZE);
	for (i = 0; i < STACK_SIZE; i += PAGE_SIZE)
		map_private(s, STACK_TOP - STACK_SIZE + i, stack + i, L4_RIGHT_R | L4_RIGHT_W);
	memory_hand_over(bi, s);
	sigma0_thread = t;
	sched_ready(t);
}

void kernel_main(struct bootinfo *bi)
{
	uart_init();
	boot = bi;
	cpu_init();
	paging_init(bi);
	memory_init(bi);
	timer_init();
	fpu_init();
	bi->tsc_hz = tsc_hz;
	boot_entry_tsc = bi->entry_tsc;
	kip_init(bi);
	chaos_init();
	if (thread_add_table(0, residual_table, true) < 0)
		panic("no kernel pool");
	start_sigma0(bi);
	schedule();
	enter_user();
}
