/* SPDX-License-Identifier: BSD-2-Clause
 *
 * First C of the machine: boot/entry.asm calls boot_main in long mode, interrupts off, on the boot stack, with the
 * first 4 GiB mapped to themselves and the kernel where it is linked. It makes one struct bootinfo of whatever the
 * loader left and calls kernel_main (kernel/main.c) with its kernel address.
 */
#include "boot.h"

#define MB1_LOADER_MAGIC	0x2badb002
#define MB2_LOADER_MAGIC	0x36d76289
#define COM1			0x3f8
#define WINDOW			(4ull << 30)

void kernel_main(struct bootinfo *bi);
void boot_main(uint64_t magic, uint64_t info) __attribute__((noreturn));

/* Kept after boot: the kernel fills in its part and hands it to ckptserver by physical address. */
__attribute__((section(".bss.bootinfo"), aligned(4096))) struct bootinfo boot_info;

static struct boot_memlist raw_memory;

static void put(char c)
{
	unsigned char status;

	do
		__asm__ volatile("inb %w1, %0" : "=a"(status) : "Nd"(COM1 + 5));
	while (!(status & 0x20));
	__asm__ volatile("outb %0, %w1" : : "a"(c), "Nd"(COM1));
}

static void puts(const char *s)
{
	while (*s)
		put(*s++);
}

__attribute__((noreturn)) static void fail(const char *why)
{
	puts("\r\n[panic] boot: ");
	puts(why);
	puts("\r\n");
	for (;;)
		__asm__ volatile("cli; hlt");
}

/* The UEFI loader has made a struct bootinfo already; it lives in memory that is free from now on. */
static const char *adopt(const struct boot_window *w, uint64_t info)
{
	const struct bootinfo *from = window_at(w, info, sizeof *from);

	if (!from || bootinfo_malformed(from))
		return "the hand-over from the UEFI loader is damaged";
	boot_info = *from;
	return boot_info.mem_count ? NULL : "the loader gave no memory map";
}

void boot_main(uint64_t magic, uint64_t info)
{
	const struct boot_window w = { .base = 0, .size = WINDOW };
	const char *error = "not started by a multiboot loader or by our UEFI loader";
	const uint64_t entry_tsc = __builtin_ia32_rdtsc();

	if (magic == MB1_LOADER_MAGIC)
		error = multiboot1_parse(&boot_info, &raw_memory, &w, info);
	else if (magic == MB2_LOADER_MAGIC)
		error = multiboot2_parse(&boot_info, &raw_memory, &w, info);
	else if (magic == BOOTINFO_MAGIC)
		error = adopt(&w, info);
	if (error)
		fail(error);
	boot_info.entry_tsc = entry_tsc;
	kernel_main(&boot_info);
	fail("kernel_main returned");
}
