/* SPDX-License-Identifier: BSD-2-Clause
 * The console driver's start. Its memory is one run of frames for the program and one for the stack, ours
 * for ever; its page faults are answered from them.
 */
#include "residual.h"

#include <l4/bootinfo.h>
#include <l4/print.h>

#include "archive.h"
#include "log.h"
#include "pages.h"
#include "reclaim.h"
#include "server.h"

#define STACK_TOP       0x400000ul
#define STACK_PAGES     16ul
#define IMAGE_MAX       (64ul << 20)
#define IRQ_KEYBOARD    1u
#define IRQ_SERIAL      4u

static struct {
	uint64_t first, end;            /* addresses of the program, whole pages */
	char *image, *stack;            /* where they stand in our window */
	bool lost;                      /* residual_take_memory */
} console;

static bool measure(void *ctx, const struct elf_segment *s)
{
	uint64_t first = s->address & ~(PAGE_BYTES - 1);
	uint64_t end = (s->address + s->mem_bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);

	(void)ctx;
	if (!console.end || first < console.first)
		console.first = first;
	if (end > console.end)
		console.end = end;
	return console.end - console.first <= IMAGE_MAX && first >= STACK_TOP;
}

static bool copy(void *ctx, const struct elf_segment *s)
{
	(void)ctx;
	memcpy(console.image + (s->address - console.first), s->data, s->file_bytes);
	return true;
}

/* Memory that the driver may write: outside snapshots, for good. */
static void *residual_alloc(uint64_t bytes)
{
	char *p = server_alloc(bytes);

	for (uint64_t at = 0; p && at < bytes; at += PAGE_BYTES)
		fc_push(L4_FC_RESIDUAL, virt_to_phys(p + at) >> 12, 0);
	fc_flush();
	return p;
}

/* The start block (libl4/crt0.asm): argc, argv, NULL. Returns the stack pointer. */
static L4_Word_t start_block(void)
{
	char *text = console.stack + STACK_PAGES * PAGE_BYTES - 128;
	uint64_t *block = (uint64_t *)(text - 64);
	L4_Word_t text_at = STACK_TOP - 128;

	strlcpy(text, "console", 8);
	snprintf(text + 8, 120, "fb=%u,%u,%u,%u,%u,%u,%u,%u,0x%lx", boot->fb.type, boot->fb.width, boot->fb.height,
		 boot->fb.pitch, boot->fb.bpp, boot->fb.red_pos, boot->fb.green_pos, boot->fb.blue_pos,
		 boot->fb.base);
	block[0] = 2;
	block[1] = text_at;
	block[2] = text_at + 8;
	block[3] = block[4] = block[5] = block[6] = 0;
	return text_at - 64;
}

void residual_start_console(const void *archive, uint64_t bytes)
{
	L4_ThreadId_t id = L4_GlobalId(L4_CONSOLE_TNO, 1);
	uint64_t size, entry;
	const void *elf = archive ? archive_find(archive, bytes, "console", &size) : NULL;

	if (!elf)
		return;
	if (!elf_load(elf, size, measure, NULL) || !console.end) {
		log_error("console driver: not a program");
		return;
	}
	console.image = residual_alloc(console.end - console.first);
	console.stack = residual_alloc(STACK_PAGES * PAGE_BYTES);
	if (!console.image || !console.stack) {
		log_error("console driver: no memory");
		return;
	}
	entry = elf_load(elf, size, copy, NULL);
	if (!server_start_thread(id, id, SERVER_UTCB, entry, start_block())) {
		log_error("console driver: cannot be started");
		return;
	}
	/* Its turn comes among the highest of the persistent threads: none of them can keep it from answering. */
	server_set_priority(id, 255);
	if (!server_give_irq(IRQ_SERIAL, id) || !server_give_irq(IRQ_KEYBOARD, id))
		log_error("console driver: no interrupts");
	log_use_console();
}

bool residual_page(uint64_t number, uint64_t address, uint64_t *from)
{
	uint64_t page = address & ~(PAGE_BYTES - 1);

	if (number != L4_CONSOLE_TNO || !console.image || console.lost)
		return false;
	if (page >= console.first && page < console.end)
		*from = (uint64_t)console.image + (page - console.first);
	else if (page < STACK_TOP && page >= STACK_TOP - STACK_PAGES * PAGE_BYTES)
		*from = (uint64_t)console.stack + (page - (STACK_TOP - STACK_PAGES * PAGE_BYTES));
	else
		return false;
	return true;
}

void residual_take_memory(void)
{
	uint64_t pages = (console.end - console.first) / PAGE_BYTES;

	for (uint64_t i = 0; i < pages && !console.lost; i++)
		reclaim_unmap((pfn_t)(virt_to_phys(console.image + i * PAGE_BYTES) >> 12));
	console.lost = true;
}

/* From wherever it goes on, it comes to a jump to itself. */
void residual_hang(void)
{
	uint64_t bytes = console.end - console.first;

	memset(console.image, 0x90, bytes - 2);
	console.image[bytes - 2] = (char)0xeb;
	console.image[bytes - 1] = (char)0xfe;
}
