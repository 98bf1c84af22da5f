/* SPDX-License-Identifier: BSD-2-Clause
 * What the boot code hands to the kernel, and the kernel, with the second part filled in, to ckptserver
 * (physical address in rdi at its first instruction). The same on every boot path.
 * All addresses are physical, all sizes in bytes.
 */
#ifndef L4_BOOTINFO_H
#define L4_BOOTINFO_H

#define BOOTINFO_MAGIC          0x544f4f4244524550      /* "PERDBOOT" */
#define BOOTINFO_MAX_MEM        128
#define BOOTINFO_MAX_MODULES    16
#define BOOTINFO_MAX_FREE       128
#define BOOTINFO_CMDLINE        2048

/* Where sigma0 (ckptserver) sees physical memory: virtual = physical + this. */
#define SIGMA0_PHYS_BASE        0x0000100000000000

enum { BOOTMEM_RAM = 1, BOOTMEM_RESERVED = 2, BOOTMEM_ACPI = 3 };
enum { BOOTPATH_MULTIBOOT1 = 1, BOOTPATH_MULTIBOOT2 = 2, BOOTPATH_UEFI = 3 };
enum { BOOTFB_NONE = 0, BOOTFB_TEXT = 1, BOOTFB_RGB = 2 };

struct bootinfo_range  { unsigned long base, size; };
struct bootinfo_mem    { unsigned long base, size; unsigned int type, pad; };
struct bootinfo_module { unsigned long base, size; char name[48]; };

struct bootinfo {
	unsigned long magic;            /* BOOTINFO_MAGIC */
	unsigned int  path;             /* BOOTPATH_* */
	unsigned int  mem_count;        /* entries of mem[], sorted, not overlapping, page-aligned for RAM */
	unsigned int  module_count;
	unsigned int  free_count;       /* filled by the kernel */
	unsigned long acpi_rsdp;        /* 0: not known */
	unsigned long entry_tsc;        /* time-stamp counter at the first C of boot/ */
	struct {
		unsigned int  type;     /* BOOTFB_* */
		unsigned int  width, height, pitch, bpp;        /* pixels; for text: columns and rows */
		unsigned char red_pos, red_size, green_pos, green_size, blue_pos, blue_size, pad[2];
		unsigned long base;
	} fb;
	struct bootinfo_mem    mem[BOOTINFO_MAX_MEM];
	struct bootinfo_module module[BOOTINFO_MAX_MODULES];    /* name: last word of the loader's string */
	char cmdline[BOOTINFO_CMDLINE];
	/* Filled by the kernel for ckptserver: */
	unsigned long tsc_hz;
	unsigned long max_pfn;          /* one more than the highest RAM page number */
	struct bootinfo_range free[BOOTINFO_MAX_FREE];          /* RAM that ckptserver owns, page-aligned */
};

#endif
