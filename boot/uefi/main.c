/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The UEFI loader, BOOTX64.EFI. It reads the kernel and its modules from \perdure on the volume it came from, gathers memory
 * map, framebuffer and ACPI root pointer into one struct bootinfo (boot/bootinfo.c, the same code as on the multiboot
 * paths), leaves the firmware and enters boot/entry.asm at boot_entry64. Who presses a key meanwhile is asked for the
 * checkpoint to go on from (menu.h).
 *
 * The kernel has a fixed place (1 MiB) that the firmware may be using: what is free there is claimed at once, and
 * the rest becomes free by ExitBootServices. So the kernel is copied to its place only after that, on page
 * tables of our own, because the firmware's may lie in the way.
 */
#include <efi.h>
#include <efilib.h>
#include "boot.h"
#include "elf.h"
#include "menu.h"

#define PAGE		4096ull
#define BELOW_4G	0xffffffffull
#define CR4_LA57	(1ull << 12)
#define PTE_P_W		3ull
#define PTE_LARGE	0x80ull
#define MAP_SLACK	16	/* descriptors that may be added between two calls of GetMemoryMap */

struct file {
	unsigned char *data;	/* below 4 GiB, whole pages; NULL: not there */
	UINTN size;
};

struct loader {
	EFI_LOADED_IMAGE *image;
	EFI_FILE_HANDLE root;
	struct file kernel;
	struct kernel_image elf;
	struct bootinfo *bi;
	struct boot_memlist *list;
	uint64_t *tables;
	unsigned char *map;	/* the firmware's memory map */
	UINTN map_room, map_size, map_key, map_entry;
};

EFI_STATUS efi_main(EFI_HANDLE handle, EFI_SYSTEM_TABLE *system);

__attribute__((noreturn)) static void stop(const CHAR16 *what, const char *why, EFI_STATUS status)
{
	Print(L"Perdure: %s", what);
	if (why)
		Print(L": %a", why);
	if (EFI_ERROR(status))
		Print(L": %r", status);
	Print(L"\n");
	BS->Stall(10 * 1000 * 1000);
	Exit(EFI_ERROR(status) ? status : EFI_LOAD_ERROR, 0, NULL);
	for (;;)
		;
}

/* Memory the kernel will see as RAM, reachable for its boot code. */
static void *allocate(UINTN bytes)
{
	EFI_PHYSICAL_ADDRESS at = BELOW_4G;
	EFI_STATUS status = BS->AllocatePages(AllocateMaxAddress, EfiLoaderData, (bytes + PAGE - 1) / PAGE, &at);

	if (EFI_ERROR(status))
		stop(L"not enough memory", NULL, status);
	SetMem((void *)at, bytes, 0);
	return (void *)at;
}

static struct file read_file(struct loader *l, const CHAR16 *name, int required)
{
	struct file f = { NULL, 0 };
	EFI_FILE_HANDLE h;
	EFI_FILE_INFO *info;
	EFI_STATUS status = l->root->Open(l->root, &h, (CHAR16 *)(uintptr_t)name, EFI_FILE_MODE_READ, 0);
	UINTN got;

	if (EFI_ERROR(status)) {
		if (required)
			stop(name, NULL, status);
		return f;
	}
	info = LibFileInfo(h);
	if (!info || info->FileSize > BELOW_4G)
		stop(name, "cannot be read", EFI_LOAD_ERROR);
	f.size = got = info->FileSize;
	FreePool(info);
	if (f.size) {
		f.data = allocate(f.size);
		status = h->Read(h, &got, f.data);
		if (EFI_ERROR(status) || got != f.size)
			stop(name, "cannot be read", status);
	}
	h->Close(h);
	return f;
}

static void add_module(struct loader *l, const CHAR16 *path, const char *name, int required)
{
	struct file f = read_file(l, path, required);

	if (f.data)
		bootinfo_add_module(l->bi, (uint64_t)f.data, f.size, name, strlena((const CHAR8 *)name));
}

static int ends_in_efi(const char *s, UINTN n)
{
	return n >= 4 && s[n - 4] == '.' && (s[n - 3] | 32) == 'e' && (s[n - 2] | 32) == 'f' && (s[n - 1] | 32) == 'i';
}

/* Options given to us by the firmware's boot entry or the shell, UTF-16; a shell puts our own name first. Anything that
 * is not plain text is not meant for us. Returns the length of what it appended to text. */
static UINTN load_options(const struct loader *l, char *text, UINTN room)
{
	const CHAR16 *o = l->image->LoadOptions;
	UINTN length = l->image->LoadOptionsSize / sizeof *o, n = 0, word = 0;

	for (UINTN i = 0; o && i < length && o[i] && n < room; i++) {
		if (o[i] < ' ' || o[i] > '~')
			return 0;
		text[n++] = (char)o[i];
	}
	while (word < n && text[word] != ' ')
		word++;
	if (ends_in_efi(text, word))
		for (UINTN i = 0; i < word; i++)
			text[i] = ' ';
	return n;
}

/* The checkpoint server takes the last ckpt.resume=. Returns the length of what was appended to text. */
static UINTN chosen_option(char *text, UINTN n, UINTN room)
{
	static const char name[] = " ckpt.resume=";
	struct menu menu;
	UINTN at = 0;

	menu_choose(&menu, menu_seconds(text, n));
	if (!menu.length)
		return 0;
	if (room < sizeof name + menu.length)
		stop(L"\\perdure\\cmdline.txt", "is too long for an option more", EFI_LOAD_ERROR);
	for (const char *c = name; *c; c++)
		text[n + at++] = *c;
	for (UINTN i = 0; i < menu.length; i++)
		text[n + at++] = menu.text[i];
	return at;
}

static void set_cmdline(struct loader *l)
{
	struct file f = read_file(l, L"\\perdure\\cmdline.txt", 0);
	static char text[BOOTINFO_CMDLINE];
	UINTN n = 0;

	while (n < f.size && n < sizeof text - 2 && f.data[n]) {
		text[n] = (char)f.data[n];
		n++;
	}
	text[n++] = ' ';
	n += load_options(l, text + n, sizeof text - n);
	n += chosen_option(text, n, sizeof text - n);
	bootinfo_set_cmdline(l->bi, text, n, 0);
}

/* Position and width of a colour's bits. */
static void colour(UINT32 mask, unsigned char *pos, unsigned char *size)
{
	*pos = *size = 0;
	while (mask && !(mask & 1)) {
		mask >>= 1;
		++*pos;
	}
	while (mask & 1) {
		mask >>= 1;
		++*size;
	}
}

static void set_framebuffer(struct bootinfo *bi)
{
	EFI_GUID guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
	EFI_GRAPHICS_OUTPUT_PROTOCOL *gop;
	EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *info;
	UINT32 red = 0xff, green = 0xff00, blue = 0xff0000;

	if (EFI_ERROR(BS->LocateProtocol(&guid, NULL, (void **)&gop)) || !gop->Mode || !gop->Mode->Info)
		return;
	info = gop->Mode->Info;
	if (info->PixelFormat == PixelBlueGreenRedReserved8BitPerColor) {
		red = 0xff0000;
		blue = 0xff;
	} else if (info->PixelFormat == PixelBitMask) {
		red = info->PixelInformation.RedMask;
		green = info->PixelInformation.GreenMask;
		blue = info->PixelInformation.BlueMask;
	} else if (info->PixelFormat != PixelRedGreenBlueReserved8BitPerColor) {
		return;
	}
	bi->fb.type = BOOTFB_RGB;
	bi->fb.base = gop->Mode->FrameBufferBase;
	bi->fb.width = info->HorizontalResolution;
	bi->fb.height = info->VerticalResolution;
	bi->fb.pitch = info->PixelsPerScanLine * 4;
	bi->fb.bpp = 32;
	colour(red, &bi->fb.red_pos, &bi->fb.red_size);
	colour(green, &bi->fb.green_pos, &bi->fb.green_size);
	colour(blue, &bi->fb.blue_pos, &bi->fb.blue_size);
}

static void set_rsdp(struct bootinfo *bi)
{
	EFI_GUID new_guid = ACPI_20_TABLE_GUID, old_guid = ACPI_TABLE_GUID;
	void *table = NULL;

	if (!EFI_ERROR(LibGetSystemConfigurationTable(&new_guid, &table)) ||
	    !EFI_ERROR(LibGetSystemConfigurationTable(&old_guid, &table)))
		bi->acpi_rsdp = (uint64_t)table;
}

static void read_map(struct loader *l)
{
	UINT32 version;
	EFI_STATUS status;

	l->map_size = l->map_room;
	status = BS->GetMemoryMap(&l->map_size, (EFI_MEMORY_DESCRIPTOR *)l->map, &l->map_key, &l->map_entry, &version);
	if (EFI_ERROR(status))
		stop(L"no memory map", NULL, status);
}

static void make_map_buffer(struct loader *l)
{
	UINT32 version;

	l->map_size = 0;
	BS->GetMemoryMap(&l->map_size, NULL, &l->map_key, &l->map_entry, &version);
	l->map_room = l->map_size + MAP_SLACK * l->map_entry;
	l->map = allocate(l->map_room);
}

static unsigned int memory_type(UINT32 efi)
{
	switch (efi) {
	case EfiConventionalMemory:
	case EfiLoaderCode:
	case EfiLoaderData:
	case EfiBootServicesCode:
	case EfiBootServicesData:
		return BOOTMEM_RAM;
	case EfiACPIReclaimMemory:
	case EfiACPIMemoryNVS:
		return BOOTMEM_ACPI;
	default:
		return BOOTMEM_RESERVED;
	}
}

static const EFI_MEMORY_DESCRIPTOR *descriptor(const struct loader *l, UINTN i)
{
	return i < l->map_size / l->map_entry ? (const EFI_MEMORY_DESCRIPTOR *)(l->map + i * l->map_entry) : NULL;
}

/* Claims what is free of the kernel's place, so that nothing else of ours comes to lie there. */
static void claim_place(struct loader *l)
{
	const EFI_MEMORY_DESCRIPTOR *d;

	read_map(l);
	for (UINTN i = 0; (d = descriptor(l, i)); i++) {
		uint64_t start = d->PhysicalStart, end = start + d->NumberOfPages * PAGE;
		EFI_PHYSICAL_ADDRESS at;

		if (start < l->elf.start)
			start = l->elf.start;
		if (end > l->elf.end)
			end = l->elf.end;
		at = start;
		if (d->Type == EfiConventionalMemory && start < end)
			BS->AllocatePages(AllocateAddress, EfiLoaderData, (end - start) / PAGE, &at);
	}
}

static int overlaps(const struct loader *l, const void *p, uint64_t size)
{
	uint64_t a = (uint64_t)p;

	return a < l->elf.end && a + size > l->elf.start;
}

/* All of the kernel's place must be RAM that is free once the firmware is gone, and nothing we still need may lie there. */
static void check_place(const struct loader *l)
{
	const EFI_MEMORY_DESCRIPTOR *d;
	uint64_t found = 0;

	for (UINTN i = 0; (d = descriptor(l, i)); i++) {
		uint64_t start = d->PhysicalStart, end = start + d->NumberOfPages * PAGE;

		start = start < l->elf.start ? l->elf.start : start;
		end = end > l->elf.end ? l->elf.end : end;
		if (start < end && memory_type(d->Type) == BOOTMEM_RAM)
			found += end - start;
	}
	if (found != l->elf.end - l->elf.start)
		stop(L"cannot load the kernel", "the firmware keeps memory where it belongs", EFI_LOAD_ERROR);
	if (overlaps(l, l->image->ImageBase, l->image->ImageSize) || overlaps(l, __builtin_frame_address(0), PAGE) ||
	    overlaps(l, l->kernel.data, l->kernel.size))
		stop(L"cannot load the kernel", "this loader lies where it belongs", EFI_LOAD_ERROR);
	for (unsigned int i = 0; i < l->bi->module_count; i++)
		if (overlaps(l, (void *)l->bi->module[i].base, l->bi->module[i].size))
			stop(L"cannot load the kernel", "a module lies where it belongs", EFI_LOAD_ERROR);
}

/* The first 4 GiB, mapped to themselves by 2 MiB pages: PML4, PDPT and four page directories. */
static void make_tables(struct loader *l)
{
	uint64_t *t = l->tables = allocate(6 * PAGE);
	uint64_t base = (uint64_t)t;

	t[0] = (base + PAGE) | PTE_P_W;
	for (uint64_t i = 0; i < 4; i++)
		t[512 + i] = (base + (2 + i) * PAGE) | PTE_P_W;
	for (uint64_t i = 0; i < 4 * 512; i++)
		t[1024 + i] = i << 21 | PTE_LARGE | PTE_P_W;
}

static void leave_firmware(struct loader *l, EFI_HANDLE handle)
{
	EFI_STATUS status = EFI_SUCCESS;

	for (int attempt = 0; attempt < 4; attempt++) {
		read_map(l);
		check_place(l);
		status = BS->ExitBootServices(handle, l->map_key);
		if (!EFI_ERROR(status))
			return;
	}
	stop(L"the firmware does not let go", NULL, status);
}

/* No firmware from here on. */
__attribute__((noreturn)) static void enter_kernel(struct loader *l)
{
	const EFI_MEMORY_DESCRIPTOR *d;

	__asm__ volatile("cli");
	for (UINTN i = 0; (d = descriptor(l, i)); i++)
		memlist_add(l->list, d->PhysicalStart, d->NumberOfPages * PAGE, memory_type(d->Type));
	bootinfo_set_memory(l->bi, l->list);
	__asm__ volatile("mov %0, %%cr3" : : "r"(l->tables) : "memory");
	for (unsigned int i = 0; i < l->elf.count; i++) {
		const struct kernel_segment *s = &l->elf.segment[i];
		volatile unsigned char *to = (unsigned char *)s->phys;

		for (uint64_t n = 0; n < s->memory; n++)
			to[n] = n < s->size ? s->data[n] : 0;
	}
	__asm__ volatile("jmp *%0" : : "r"(l->elf.entry), "D"(l->bi) : "memory");
	__builtin_unreachable();
}

EFI_STATUS efi_main(EFI_HANDLE handle, EFI_SYSTEM_TABLE *system)
{
	static struct loader l;
	EFI_GUID guid = LOADED_IMAGE_PROTOCOL;
	EFI_STATUS status;
	uint64_t cr4;
	const char *error;

	InitializeLib(handle, system);
	BS->SetWatchdogTimer(0, 0, 0, NULL);
	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	if (cr4 & CR4_LA57)
		stop(L"the firmware has switched on five-level paging", NULL, EFI_UNSUPPORTED);
	status = BS->HandleProtocol(handle, &guid, (void **)&l.image);
	if (EFI_ERROR(status))
		stop(L"cannot find out where this loader came from", NULL, status);
	l.root = LibOpenRoot(l.image->DeviceHandle);
	if (!l.root)
		stop(L"cannot open the volume this loader came from", NULL, EFI_LOAD_ERROR);

	l.kernel = read_file(&l, L"\\perdure\\kernel.elf", 1);
	error = kernel_image_read(&l.elf, l.kernel.data, l.kernel.size);
	if (error)
		stop(L"\\perdure\\kernel.elf", error, EFI_LOAD_ERROR);
	make_map_buffer(&l);
	claim_place(&l);

	l.bi = allocate(sizeof *l.bi);
	l.list = allocate(sizeof *l.list);
	bootinfo_init(l.bi, BOOTPATH_UEFI);
	add_module(&l, L"\\perdure\\ckptserver", "ckptserver", 1);
	add_module(&l, L"\\perdure\\archive", "archive", 0);
	set_cmdline(&l);
	set_framebuffer(l.bi);
	set_rsdp(l.bi);
	make_tables(&l);
	leave_firmware(&l, handle);
	enter_kernel(&l);
}
