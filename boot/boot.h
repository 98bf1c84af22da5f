/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Boot code, C part: everything that turns what a loader says into one struct bootinfo (l4/bootinfo.h).
 * A loader's data is outside data: each length and address is checked before it is used, and a bad one is
 * left out or reported, never believed. bootinfo.c and multiboot.c are plain C without machine access: the kernel
 * image, the UEFI loader and the host tests compile the same files.
 */
#pragma once
#include <stdint.h>
#include <stddef.h>
#include <l4/bootinfo.h>

#define BOOT_RAW_MAX	512	/* memory map entries taken from a loader before they are merged */

/* A loader's memory map, in any order, overlapping or not; bytes. */
struct boot_memlist {
	unsigned int count;
	unsigned int lost;	/* entries that found no place */
	struct bootinfo_mem mem[BOOT_RAW_MAX];
};

/* Physical memory as the parsers see it: address a is at base + a, for a below size. */
struct boot_window {
	uintptr_t base;
	uint64_t size;
};

/* Empties *bi and sets its magic and path (BOOTPATH_*). */
void bootinfo_init(struct bootinfo *bi, unsigned int path);

/* Notes one entry of the loader's map; type is BOOTMEM_*. An entry that wraps or is empty is left out, one that continues
 * the entry before it is merged. */
void memlist_add(struct boot_memlist *l, uint64_t base, uint64_t size, unsigned int type);

/* Makes bi->mem from the list: sorted, disjoint, page-aligned. Where entries overlap, reserved beats ACPI beats RAM; page 0 is
 * reserved (real-mode vectors and BIOS data). The list is sorted in place. */
void bootinfo_set_memory(struct bootinfo *bi, struct boot_memlist *l);

/* Adds a module. text (at most len bytes, may end earlier with 0) is the loader's string for it: the name is
 * the last path component of its first word, cut to what fits. Returns 0, or -1 if there is no room, the range is empty or
 * wraps, or there is no name. */
int bootinfo_add_module(struct bootinfo *bi, uint64_t base, uint64_t size, const char *text, size_t len);

/* Sets the command line from at most len bytes, ended earlier by 0; what does not fit is cut off. With skip_first the
 * first word (the kernel's own path, as some loaders pass it) is left out if it holds no '='. */
void bootinfo_set_cmdline(struct bootinfo *bi, const char *text, size_t len, int skip_first);

/* True if the command line or a module's name is unterminated or a count is out of range: checked on
 * every struct bootinfo that arrives from elsewhere. */
int bootinfo_malformed(const struct bootinfo *bi);

/* A pointer to len bytes at physical address a, or NULL if they are not all inside the window. */
const void *window_at(const struct boot_window *w, uint64_t a, uint64_t len);

/* Fill *bi from the information structure at physical address info. list is scratch space. Return NULL, or the
 * reason why the machine cannot be booted from it, as text. */
const char *multiboot1_parse(struct bootinfo *bi, struct boot_memlist *list, const struct boot_window *w, uint64_t info);
const char *multiboot2_parse(struct bootinfo *bi, struct boot_memlist *list, const struct boot_window *w, uint64_t info);

/* Looks for the ACPI root pointer where a BIOS leaves it; 0 if there is none. */
uint64_t acpi_find_rsdp(const struct boot_window *w);
