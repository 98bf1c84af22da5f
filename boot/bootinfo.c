/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Builds a struct bootinfo: memory map, modules, command line. See boot.h.
 *
 * The memory map is made by a sweep over the entries' ends: between two neighbouring ends nothing changes, so
 * the strongest type that covers the interval is its type. Quadratic, over at most BOOT_RAW_MAX entries.
 */
#include "boot.h"

#define PAGE	4096ull

static void zero(void *p, size_t n)
{
	unsigned char *c = p;

	while (n--)
		*c++ = 0;
}

void bootinfo_init(struct bootinfo *bi, unsigned int path)
{
	zero(bi, sizeof *bi);
	bi->magic = BOOTINFO_MAGIC;
	bi->path = path;
}

void memlist_add(struct boot_memlist *l, uint64_t base, uint64_t size, unsigned int type)
{
	if (size == 0 || base + size < base)
		return;
	if (l->count) {
		struct bootinfo_mem *last = &l->mem[l->count - 1];

		if (last->type == type && last->base + last->size == base) {
			last->size += size;
			return;
		}
	}
	if (l->count == BOOT_RAW_MAX) {
		l->lost++;
		return;
	}
	l->mem[l->count++] = (struct bootinfo_mem){ .base = base, .size = size, .type = type };
}

/* RAM shrinks to whole pages, everything else grows. */
static void round_entry(struct bootinfo_mem *m)
{
	uint64_t start = m->base, end = m->base + m->size;

	if (m->type == BOOTMEM_RAM) {
		start = start > UINT64_MAX - PAGE ? end : (start + PAGE - 1) & ~(PAGE - 1);
		end &= ~(PAGE - 1);
	} else {
		start &= ~(PAGE - 1);
		end = end > UINT64_MAX - PAGE ? ~(PAGE - 1) : (end + PAGE - 1) & ~(PAGE - 1);
	}
	m->base = start;
	m->size = end > start ? end - start : 0;
}

static unsigned int type_rank(unsigned int type)
{
	return type == BOOTMEM_RAM ? 1 : type == BOOTMEM_ACPI ? 2 : 3;
}

/* The next end (of either kind) above at; UINT64_MAX if there is none. */
static uint64_t next_edge(const struct boot_memlist *l, uint64_t at)
{
	uint64_t next = UINT64_MAX;

	for (unsigned int i = 0; i < l->count; i++) {
		uint64_t start = l->mem[i].base, end = start + l->mem[i].size;

		if (l->mem[i].size == 0)
			continue;
		if (start > at && start < next)
			next = start;
		if (end > at && end < next)
			next = end;
	}
	return next;
}

/* The type that covers the interval beginning at at, or 0. */
static unsigned int type_at(const struct boot_memlist *l, uint64_t at)
{
	unsigned int best = 0;

	for (unsigned int i = 0; i < l->count; i++) {
		const struct bootinfo_mem *m = &l->mem[i];

		if (at >= m->base && at - m->base < m->size && (!best || type_rank(m->type) > type_rank(best)))
			best = m->type;
	}
	return best;
}

/* Room is made for RAM at the cost of what is only described. */
static int drop_one_reserved(struct bootinfo *bi)
{
	for (unsigned int i = 0; i < bi->mem_count; i++) {
		if (bi->mem[i].type == BOOTMEM_RAM)
			continue;
		for (bi->mem_count--; i < bi->mem_count; i++)
			bi->mem[i] = bi->mem[i + 1];
		return 1;
	}
	return 0;
}

static void append(struct bootinfo *bi, uint64_t base, uint64_t size, unsigned int type)
{
	if (bi->mem_count) {
		struct bootinfo_mem *last = &bi->mem[bi->mem_count - 1];

		if (last->type == type && last->base + last->size == base) {
			last->size += size;
			return;
		}
	}
	if (bi->mem_count == BOOTINFO_MAX_MEM && (type != BOOTMEM_RAM || !drop_one_reserved(bi)))
		return;
	bi->mem[bi->mem_count++] = (struct bootinfo_mem){ .base = base, .size = size, .type = type };
}

void bootinfo_set_memory(struct bootinfo *bi, struct boot_memlist *l)
{
	uint64_t at, next;

	memlist_add(l, 0, PAGE, BOOTMEM_RESERVED);
	for (unsigned int i = 0; i < l->count; i++)
		round_entry(&l->mem[i]);
	bi->mem_count = 0;
	for (at = 0; (next = next_edge(l, at)) != UINT64_MAX; at = next) {
		unsigned int type = type_at(l, at);

		if (type)
			append(bi, at, next - at, type);
	}
}

static size_t text_length(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && text[n])
		n++;
	return n;
}

int bootinfo_add_module(struct bootinfo *bi, uint64_t base, uint64_t size, const char *text, size_t len)
{
	struct bootinfo_module *m = &bi->module[bi->module_count];
	size_t start = 0, end, n;

	if (bi->module_count == BOOTINFO_MAX_MODULES || size == 0 || base + size < base)
		return -1;
	len = text_length(text, len);
	while (start < len && text[start] == ' ')
		start++;
	for (end = start; end < len && text[end] != ' '; end++)
		if (text[end] == '/' || text[end] == '\\')
			start = end + 1;
	n = end > start ? end - start : 0;
	if (n == 0)
		return -1;
	if (n > sizeof m->name - 1)
		n = sizeof m->name - 1;
	m->base = base;
	m->size = size;
	for (size_t i = 0; i < sizeof m->name; i++)
		m->name[i] = i < n ? text[start + i] : 0;
	bi->module_count++;
	return 0;
}

void bootinfo_set_cmdline(struct bootinfo *bi, const char *text, size_t len, int skip_first)
{
	size_t start = 0, n = 0, end;

	len = text_length(text, len);
	while (start < len && text[start] == ' ')
		start++;
	if (skip_first) {
		for (end = start; end < len && text[end] != ' ' && text[end] != '='; end++)
			;
		if (end == len || text[end] == ' ')
			start = end;
		while (start < len && text[start] == ' ')
			start++;
	}
	for (; start < len && n < sizeof bi->cmdline - 1; start++) {
		char c = text[start];

		bi->cmdline[n++] = c == '\n' || c == '\r' || c == '\t' ? ' ' : c;
	}
	while (n && bi->cmdline[n - 1] == ' ')
		n--;
	bi->cmdline[n] = 0;
}

int bootinfo_malformed(const struct bootinfo *bi)
{
	if (bi->magic != BOOTINFO_MAGIC || bi->mem_count > BOOTINFO_MAX_MEM ||
	    bi->module_count > BOOTINFO_MAX_MODULES)
		return 1;
	if (text_length(bi->cmdline, sizeof bi->cmdline) == sizeof bi->cmdline)
		return 1;
	for (unsigned int i = 0; i < bi->module_count; i++) {
		const struct bootinfo_module *m = &bi->module[i];

		if (m->base + m->size < m->base || text_length(m->name, sizeof m->name) == sizeof m->name)
			return 1;
	}
	return 0;
}

const void *window_at(const struct boot_window *w, uint64_t a, uint64_t len)
{
	if (len > w->size || a > w->size - len)
		return NULL;
	return (const void *)(w->base + (uintptr_t)a);
}
