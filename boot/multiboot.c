/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The information structures of multiboot 1 (specification 0.6.96) and multiboot 2 (2.0), read into struct
 * bootinfo. All fields are read through copies at checked addresses; nothing assumes alignment.
 */
#include "boot.h"

/* Multiboot 1: flags of the information structure and offsets in it. */
enum {
	MB1_HAS_MEM = 1 << 0, MB1_HAS_CMDLINE = 1 << 2, MB1_HAS_MODS = 1 << 3, MB1_HAS_MMAP = 1 << 6,
	MB1_HAS_FB = 1 << 12,
	MB1_SIZE = 116, MB1_SIZE_OLD = 88,
	MB1_MEM_LOWER = 4, MB1_MEM_UPPER = 8, MB1_CMDLINE = 16, MB1_MODS_COUNT = 20, MB1_MODS = 24,
	MB1_MMAP_LENGTH = 44, MB1_MMAP = 48, MB1_FB = 88,
};

/* Multiboot 2: tags. */
enum {
	MB2_END = 0, MB2_CMDLINE = 1, MB2_MODULE = 3, MB2_MMAP = 6, MB2_FB = 8, MB2_ACPI_OLD = 14, MB2_ACPI_NEW = 15,
};

enum { FB_INDEXED = 0, FB_RGB = 1, FB_TEXT = 2 };	/* both versions */

enum {	/* BIOS data area: what the text screen is, if the loader does not say */
	BDA_VIDEO_MODE = 0x449, BDA_COLUMNS = 0x44a, BDA_ROWS_LESS_1 = 0x484, BDA_EBDA_SEGMENT = 0x40e,
	VGA_TEXT_80 = 3, VGA_TEXT_BASE = 0xb8000,
};

static uint64_t read_le(const unsigned char *p, unsigned int bytes)
{
	uint64_t v = 0;

	while (bytes--)
		v = v << 8 | p[bytes];
	return v;
}

static uint32_t read32(const unsigned char *p)
{
	return (uint32_t)read_le(p, 4);
}

/* How much of a string at a may be read: up to the end of the window or max. */
static size_t text_room(const struct boot_window *w, uint64_t a, size_t max)
{
	if (a >= w->size)
		return 0;
	return w->size - a < max ? (size_t)(w->size - a) : max;
}

static unsigned int mem_type(uint32_t e820)
{
	return e820 == 1 ? BOOTMEM_RAM : e820 == 3 || e820 == 4 ? BOOTMEM_ACPI : BOOTMEM_RESERVED;
}

/* p: address 8, pitch 4, width 4, height 4, bpp 1, type 1; then (at colour) for RGB six bytes of positions and sizes. */
static void set_framebuffer(struct bootinfo *bi, const unsigned char *p, const unsigned char *colour)
{
	unsigned int type = p[21];

	if (type != FB_RGB && type != FB_TEXT)
		return;
	bi->fb.base = read_le(p, 8);
	bi->fb.pitch = read32(p + 8);
	bi->fb.width = read32(p + 12);
	bi->fb.height = read32(p + 16);
	bi->fb.bpp = p[20];
	bi->fb.type = type == FB_RGB ? BOOTFB_RGB : BOOTFB_TEXT;
	if (type == FB_RGB) {
		bi->fb.red_pos = colour[0];
		bi->fb.red_size = colour[1];
		bi->fb.green_pos = colour[2];
		bi->fb.green_size = colour[3];
		bi->fb.blue_pos = colour[4];
		bi->fb.blue_size = colour[5];
	}
}

static void set_bios_text_screen(struct bootinfo *bi, const struct boot_window *w)
{
	const unsigned char *mode = window_at(w, BDA_VIDEO_MODE, 1), *cols = window_at(w, BDA_COLUMNS, 2);
	const unsigned char *rows = window_at(w, BDA_ROWS_LESS_1, 1);

	if (!mode || !cols || !rows || *mode != VGA_TEXT_80 || read_le(cols, 2) != 80)
		return;
	bi->fb.type = BOOTFB_TEXT;
	bi->fb.base = VGA_TEXT_BASE;
	bi->fb.width = 80;
	bi->fb.height = *rows ? *rows + 1u : 25;
	bi->fb.pitch = 160;
	bi->fb.bpp = 16;
}

static void mb1_memory(struct boot_memlist *list, const struct boot_window *w, const unsigned char *mbi, uint32_t flags)
{
	uint32_t at = read32(mbi + MB1_MMAP), left = read32(mbi + MB1_MMAP_LENGTH);

	if (!(flags & MB1_HAS_MMAP)) {
		if (flags & MB1_HAS_MEM) {
			memlist_add(list, 0, read32(mbi + MB1_MEM_LOWER) * 1024ull, BOOTMEM_RAM);
			memlist_add(list, 1 << 20, read32(mbi + MB1_MEM_UPPER) * 1024ull, BOOTMEM_RAM);
		}
		return;
	}
	while (left >= 24) {
		const unsigned char *e = window_at(w, at, 24);
		uint32_t size = e ? read32(e) : 0;	/* of what follows this word */

		if (size < 20 || size > left - 4)
			return;
		memlist_add(list, read_le(e + 4, 8), read_le(e + 12, 8), mem_type(read32(e + 20)));
		at += size + 4;
		left -= size + 4;
	}
}

static void mb1_modules(struct bootinfo *bi, const struct boot_window *w, const unsigned char *mbi)
{
	uint32_t count = read32(mbi + MB1_MODS_COUNT);
	uint64_t at = read32(mbi + MB1_MODS);

	for (; count && bi->module_count < BOOTINFO_MAX_MODULES; count--, at += 16) {
		const unsigned char *m = window_at(w, at, 16);
		uint32_t start, end, text;

		if (!m)
			return;
		start = read32(m);
		end = read32(m + 4);
		text = read32(m + 8);
		if (end > start && window_at(w, start, end - start))
			bootinfo_add_module(bi, start, end - start, (const char *)window_at(w, text, 0),
					    text_room(w, text, 4096));
	}
}

const char *multiboot1_parse(struct bootinfo *bi, struct boot_memlist *list, const struct boot_window *w, uint64_t info)
{
	const unsigned char *mbi = window_at(w, info, MB1_SIZE_OLD);
	uint32_t flags = mbi ? read32(mbi) : 0;

	bootinfo_init(bi, BOOTPATH_MULTIBOOT1);
	if (!mbi)
		return "the multiboot information is out of reach";
	mb1_memory(list, w, mbi, flags);
	bootinfo_set_memory(bi, list);
	if (flags & MB1_HAS_MODS)
		mb1_modules(bi, w, mbi);
	if (flags & MB1_HAS_CMDLINE) {
		uint32_t text = read32(mbi + MB1_CMDLINE);

		bootinfo_set_cmdline(bi, (const char *)window_at(w, text, 0), text_room(w, text, BOOTINFO_CMDLINE + 256), 1);
	}
	if (flags & MB1_HAS_FB && window_at(w, info, MB1_SIZE))
		set_framebuffer(bi, mbi + MB1_FB, mbi + MB1_FB + 22);
	if (bi->fb.type == BOOTFB_NONE)
		set_bios_text_screen(bi, w);
	bi->acpi_rsdp = acpi_find_rsdp(w);
	return bi->mem_count ? NULL : "the loader gave no memory map";
}

static void mb2_memory(struct boot_memlist *list, const unsigned char *t, uint32_t size)
{
	uint32_t entry = size >= 16 ? read32(t + 8) : 0;

	if (entry < 24 || size > UINT32_MAX / 2 || entry > size)
		return;
	for (uint32_t at = 16; at <= size - entry; at += entry)
		memlist_add(list, read_le(t + at, 8), read_le(t + at + 8, 8), mem_type(read32(t + at + 16)));
}

static void mb2_tag(struct bootinfo *bi, struct boot_memlist *list, const struct boot_window *w, uint64_t at,
		    uint32_t type, uint32_t size)
{
	const unsigned char *t = window_at(w, at, size);

	switch (type) {
	case MB2_CMDLINE:
		bootinfo_set_cmdline(bi, (const char *)t + 8, size - 8, 0);
		break;
	case MB2_MODULE:
		if (size > 16 && read32(t + 12) > read32(t + 8) && window_at(w, read32(t + 8), read32(t + 12) - read32(t + 8)))
			bootinfo_add_module(bi, read32(t + 8), read32(t + 12) - read32(t + 8), (const char *)t + 16, size - 16);
		break;
	case MB2_MMAP:
		mb2_memory(list, t, size);
		break;
	case MB2_FB:	/* after the type byte come two reserved bytes */
		if (size >= 32 && (t[29] != FB_RGB || size >= 38))
			set_framebuffer(bi, t + 8, t + 32);
		break;
	case MB2_ACPI_OLD:	/* a copy of the root pointer, inside the information structure */
		if (!bi->acpi_rsdp && size >= 8 + 20)
			bi->acpi_rsdp = at + 8;
		break;
	case MB2_ACPI_NEW:
		if (size >= 8 + 36)
			bi->acpi_rsdp = at + 8;
		break;
	}
}

const char *multiboot2_parse(struct bootinfo *bi, struct boot_memlist *list, const struct boot_window *w, uint64_t info)
{
	const unsigned char *head = window_at(w, info, 8);
	uint32_t total = head ? read32(head) : 0;

	bootinfo_init(bi, BOOTPATH_MULTIBOOT2);
	if (!head || !window_at(w, info, total))
		return "the multiboot information is out of reach";
	for (uint32_t at = 8; at < total && total - at >= 8;) {
		const unsigned char *t = head + at;
		uint32_t type = read32(t), size = read32(t + 4);

		if (type == MB2_END || size < 8 || size > total - at)
			break;
		mb2_tag(bi, list, w, info + at, type, size);
		if (total - at < ((size + 7ull) & ~7ull))
			break;
		at += (size + 7) & ~7u;
	}
	bootinfo_set_memory(bi, list);
	if (bi->acpi_rsdp)	/* what a tag holds does not outlive the boot data: prefer the original */
		bi->acpi_rsdp = acpi_find_rsdp(w) ? acpi_find_rsdp(w) : bi->acpi_rsdp;
	return bi->mem_count ? NULL : "the loader gave no memory map";
}

static int rsdp_valid(const unsigned char *p)
{
	static const char signature[8] = { 'R', 'S', 'D', ' ', 'P', 'T', 'R', ' ' };
	unsigned char sum = 0;

	for (unsigned int i = 0; i < 8; i++)
		if (p[i] != (unsigned char)signature[i])
			return 0;
	for (unsigned int i = 0; i < 20; i++)
		sum = (unsigned char)(sum + p[i]);
	return sum == 0;
}

static uint64_t rsdp_scan(const struct boot_window *w, uint64_t from, uint64_t to)
{
	for (uint64_t a = from & ~15ull; a + 20 <= to; a += 16) {
		const unsigned char *p = window_at(w, a, 20);

		if (p && rsdp_valid(p))
			return a;
	}
	return 0;
}

uint64_t acpi_find_rsdp(const struct boot_window *w)
{
	const unsigned char *seg = window_at(w, BDA_EBDA_SEGMENT, 2);
	uint64_t ebda = seg ? read_le(seg, 2) << 4 : 0, found = 0;

	if (ebda >= 0x80000 && ebda < 0xa0000)
		found = rsdp_scan(w, ebda, ebda + 1024);
	return found ? found : rsdp_scan(w, 0xe0000, 0x100000);
}
