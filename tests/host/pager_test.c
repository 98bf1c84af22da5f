/* SPDX-License-Identifier: BSD-2-Clause
 * Property: the pager's parsers and tables stand any input. ELF and ustar readers accept only what can be used
 * without another check; the page allocator never gives a page twice and loses none; regions stay sorted and
 * disjoint, and every reference to an object is returned. Guards pager/{archive,elfimage,mem,pool,object,region}.c.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <l4/abi.h>

#include "pager/archive.h"
#include "pager/elfimage.h"
#include "pager/mem.h"
#include "pager/object.h"
#include "pager/region.h"
#include "pager/startblock.h"

#define PAGES 4096U

static uint64_t seed = 88172645463325252ULL;

static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* ---- what the pager provides to the pure parts ---- */
static struct mem mem;
static uint8_t *arena;
static uint64_t released_pages;

static int discards;                    /* so many succeed, then none; -1: all do */
static unsigned refused;

void store_clear(uint32_t first, uint32_t count)
{
	assert_true(first < PAGES && count <= PAGES - first);
	memset(mem_pointer(&mem, first), 0, count * MEM_PAGE);
}

int store_discard(uint32_t first, uint32_t count)
{
	store_clear(first, count);
	if (!discards) {
		refused++;
		memset(mem_pointer(&mem, first), (int)rnd(), count * MEM_PAGE);
		return 0;
	}
	discards -= discards > 0;
	return 1;
}

void object_released(uint64_t owner, uint32_t pages)
{
	assert_int_equal(owner, 7);
	released_pages += pages;
}

static int memory_setup(void **state)
{
	(void)state;
	arena = aligned_alloc(MEM_PAGE, PAGES * MEM_PAGE);
	memset(arena, 0, PAGES * MEM_PAGE);
	mem_init(&mem, calloc(1, mem_metadata_bytes(PAGES)), (uintptr_t)arena, PAGES);
	mem_add(&mem, 1, PAGES - 1);
	object_init(&mem);
	released_pages = 0;
	discards = -1;
	refused = 0;
	return 0;
}

static int memory_teardown(void **state)
{
	(void)state;
	free(arena);
	free(mem.block);
	return 0;
}

/* ---- mem ---- */
static void mem_gives_each_page_once(void **state)
{
	struct { uint32_t first, count; } held[200];
	unsigned n = 0;
	uint8_t owned[PAGES] = { 0 };

	(void)state;
	for (int step = 0; step < 20000; step++) {
		if (n < 200 && rnd() % 3) {
			uint32_t count = 1 + (uint32_t)(rnd() % (rnd() % 8 ? 9 : 500));
			uint32_t first = mem_alloc(&mem, count);

			if (first == MEM_NONE)
				continue;
			assert_true(first >= 1 && first + count <= PAGES);
			for (uint32_t i = first; i < first + count; i++) {
				assert_int_equal(owned[i], 0);
				owned[i] = 1;
			}
			held[n].first = first;
			held[n++].count = count;
		} else if (n) {
			unsigned k = (unsigned)(rnd() % n);

			mem_free(&mem, held[k].first, held[k].count);
			memset(owned + held[k].first, 0, held[k].count);
			held[k] = held[--n];
		}
		if (step % 64 == 0)
			assert_true(mem_consistent(&mem));
	}
	while (n--)
		mem_free(&mem, held[n].first, held[n].count);
	assert_true(mem_consistent(&mem));
	assert_int_equal(mem.free, PAGES - 1);
	assert_int_equal(mem_alloc(&mem, 0), MEM_NONE);
	assert_int_equal(mem_alloc(&mem, PAGES), MEM_NONE);
	assert_int_equal(mem_alloc(&mem, UINT32_MAX), MEM_NONE);
	assert_int_not_equal(mem_alloc(&mem, PAGES / 2), MEM_NONE);
}

/* ---- objects ---- */
static void object_fill_covers_the_file_bytes(void **state)
{
	static const uint8_t file[10000];
	struct object *o = object_create(4, 7, OBJECT_PERSISTENT);
	struct object_fill f;

	(void)state;
	o->bytes = file;
	o->skew = 100;
	o->length = sizeof file;
	object_fill_of(o, 0, &f);
	assert_int_equal(f.offset, 100);
	assert_int_equal(f.length, 3996);
	assert_ptr_equal(f.from, file);
	object_fill_of(o, 1, &f);
	assert_int_equal(f.offset, 0);
	assert_int_equal(f.length, 4096);
	assert_ptr_equal(f.from, file + 3996);
	object_fill_of(o, 2, &f);
	assert_int_equal(f.length, 10000 - 3996 - 4096);
	assert_true(object_needs_fill(o, 2));
	assert_false(object_needs_fill(o, 3));
	object_touch(o, 2);
	assert_false(object_needs_fill(o, 2));
	object_put(o);
	assert_int_equal(released_pages, 4);
}

static void object_big_bits(void **state)
{
	uint32_t before;
	struct object *o;

	(void)state;
	object_put(object_create(1, 0, OBJECT_PERSISTENT));        /* the pool's page */
	before = mem.free;
	o = object_create(1000, 0, OBJECT_PERSISTENT);
	for (uint32_t i = 0; i < 1000; i += 3)
		object_touch(o, i);
	assert_int_equal(o->touched, 334);
	object_touch(o, 0);
	assert_int_equal(o->touched, 334);
	object_drop(o, 0, 10);
	assert_int_equal(o->touched, 330);
	object_put(o);
	assert_int_equal(mem.free, before);
	assert_null(object_create(PAGES, 0, OBJECT_PERSISTENT));
	assert_int_equal(mem.free, before);
}

/* Whatever the checkpoint server cannot take back at the moment: what is given out is zero, nobody is given what lingers, and
 * in the end nothing is lost. */
static void what_cannot_be_discarded_lingers(void **state)
{
	struct object *held[24] = { NULL };
	uint32_t before;

	(void)state;
	object_put(object_create(1, 7, OBJECT_PERSISTENT));
	before = mem.free;
	for (int step = 0; step < 20000; step++) {
		struct object **o = &held[rnd() % 24];
		uint32_t pages = 1 + (uint32_t)(rnd() % 300), page;

		discards = (int)(rnd() % 4);
		if (!*o) {
			*o = object_create(pages, 7, OBJECT_PERSISTENT);
			for (uint32_t i = 0; *o && i < pages; i++)
				for (uint32_t b = 0; b < MEM_PAGE; b += 512)
					assert_int_equal(arena[((*o)->first + i) * MEM_PAGE + b], 0);
		} else if (rnd() % 3) {
			page = (uint32_t)(rnd() % (*o)->pages);
			object_touch(*o, page);
			memset(arena + ((*o)->first + page) * MEM_PAGE, 0xa5, MEM_PAGE);
		} else if (rnd() % 2) {
			page = (uint32_t)(rnd() % (*o)->pages);
			object_drop(*o, page, 1 + (uint32_t)(rnd() % ((*o)->pages - page)));
		} else {
			object_put(*o);
			*o = NULL;
		}
		if (rnd() % 16 == 0)
			object_retry();
	}
	discards = 0;
	for (unsigned i = 0; i < 24; i++)
		if (held[i])
			object_put(held[i]);
	assert_true(object_lingers());
	refused = 0;
	object_retry();
	assert_int_equal(refused, 1);           /* it is not to cost more, for it may be asked for very often */
	discards = -1;
	object_retry();
	assert_false(object_lingers());
	assert_true(mem_consistent(&mem));
	assert_true(before - mem.free < 16);    /* pages of the object pool stay away */
}

/* One whose page is on its way from the disk, for ever perhaps. */
static void one_that_lingers_keeps_no_other(void **state)
{
	struct object *o[3];
	uint32_t before;

	(void)state;
	object_put(object_create(1, 0, OBJECT_PERSISTENT));
	before = mem.free;
	for (unsigned i = 0; i < 3; i++) {
		o[i] = object_create(8, 7, OBJECT_PERSISTENT);
		object_touch(o[i], i);
	}
	discards = 0;
	for (unsigned i = 0; i < 3; i++)
		object_put(o[i]);
	assert_int_equal(released_pages, 24);   /* to its owner it is gone */
	assert_int_equal(mem.free, before - 24);
	object_retry();                         /* the first fails again, … */
	discards = 2;
	object_retry();                         /* … and now the others have their turn */
	assert_int_equal(mem.free, before - 8);
	assert_true(object_lingers());
	discards = -1;
	object_retry();
	assert_int_equal(mem.free, before);
	assert_false(object_lingers());
}

/* ---- regions ---- */
static void gone_nothing(const struct region *piece)
{
	assert_true(piece->start < piece->end);
}

static void map_check(const struct region_map *map)
{
	for (uint32_t i = 0; i < map->count; i++) {
		const struct region *r = &map->list[i];

		assert_true(r->start < r->end);
		if (i)
			assert_true(r[-1].end <= r->start);
	}
}

/* Random insertions and cuts against a page-by-page model. */
static void regions_follow_the_model(void **state)
{
	static struct { struct object *object; uint64_t page; } model[512];
	struct region_map map = { 0 };
	uint32_t before;

	(void)state;
	memset(model, 0, sizeof model);
	object_put(object_create(1, 7, OBJECT_PERSISTENT));
	before = mem.free;
	for (int step = 0; step < 20000; step++) {
		uint64_t first = rnd() % 500, count = 1 + rnd() % 12, i;

		if (rnd() % 2) {
			struct region r = { .start = first * MEM_PAGE, .end = (first + count) * MEM_PAGE };
			int taken = 0;
			long error;

			r.object = object_create((uint32_t)count + 3, 7, OBJECT_PERSISTENT);
			if (!r.object)
				continue;
			r.source = 3;
			for (i = first; i < first + count; i++)
				taken |= model[i].object != NULL;
			error = region_insert(&mem, &map, &r);
			if (error)
				object_put(r.object);
			assert_int_equal(error != 0, taken);
			for (i = 0; !error && i < count; i++) {
				model[first + i].object = r.object;
				model[first + i].page = 3 + i;
			}
		} else {
			assert_int_equal(region_cut(&mem, &map, first * MEM_PAGE, (first + count) * MEM_PAGE,
						    gone_nothing), 0);
			memset(&model[first], 0, count * sizeof model[0]);
		}
		map_check(&map);
		i = rnd() % 512;
		struct region *r = region_find(&map, i * MEM_PAGE + rnd() % MEM_PAGE);

		assert_int_equal(r != NULL, model[i].object != NULL);
		if (r) {
			assert_ptr_equal(r->object, model[i].object);
			assert_int_equal(r->source + (i * MEM_PAGE - r->start) / MEM_PAGE, model[i].page);
		}
		uint64_t gap = region_gap(&map, 0x10000, 512 * MEM_PAGE, count * MEM_PAGE);

		for (uint64_t k = 0; gap && k < count; k++)
			assert_null(model[gap / MEM_PAGE + k].object);
	}
	region_clear(&mem, &map);
	assert_true(mem_consistent(&mem));
	/* Only pages of the object pool stay away. */
	assert_true(before - mem.free < 16);
}

static void region_gap_limits(void **state)
{
	struct region_map map = { 0 };

	(void)state;
	assert_int_equal(region_gap(&map, 0x1000, 0x10000, 0x20000), 0);
	assert_int_equal(region_gap(&map, 0x1000, 0x10000, UINT64_MAX & ~4095ULL), 0);
	assert_int_equal(region_gap(&map, 0x1000, 0x10000, 0xf000), 0);
	assert_int_equal(region_gap(&map, 0x1000, 0x10000, 0xd000), 0x2000);
}

/* ---- ELF ---- */
#define LOW  0x1000ULL
#define HIGH 0x40000000ULL

struct elf_file {
	Elf64_Ehdr h;
	Elf64_Phdr p[3];
	uint8_t bytes[8192];
};

static void elf_make(struct elf_file *f)
{
	memset(f, 0, sizeof *f);
	memcpy(f->h.e_ident, ELFMAG, SELFMAG);
	f->h.e_ident[EI_CLASS] = ELFCLASS64;
	f->h.e_ident[EI_DATA] = ELFDATA2LSB;
	f->h.e_ident[EI_VERSION] = EV_CURRENT;
	f->h.e_type = ET_EXEC;
	f->h.e_machine = EM_X86_64;
	f->h.e_version = EV_CURRENT;
	f->h.e_entry = 0x400010;
	f->h.e_phoff = sizeof f->h;
	f->h.e_phentsize = sizeof f->p[0];
	f->h.e_phnum = 3;
	f->p[0] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_offset = 0, .p_vaddr = 0x400000,
				.p_filesz = 4096, .p_memsz = 4096 };
	f->p[1] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_offset = 4100, .p_vaddr = 0x402004,
				.p_filesz = 100, .p_memsz = 9000 };
	f->p[2] = (Elf64_Phdr){ .p_type = PT_NOTE };
}

static enum elf_error parse(const struct elf_file *f, struct elf_image *image)
{
	return elf_parse((const uint8_t *)f, sizeof *f, LOW, HIGH, image);
}

static void elf_accepts_a_good_file(void **state)
{
	struct elf_file f;
	struct elf_image image;

	(void)state;
	elf_make(&f);
	assert_int_equal(parse(&f, &image), ELF_OK);
	assert_int_equal(image.count, 2);
	assert_int_equal(image.entry, 0x400010);
	assert_int_equal(image.segment[0].rights, L4_RIGHT_R | L4_RIGHT_X);
	assert_int_equal(image.segment[1].start, 0x402000);
	assert_int_equal(image.segment[1].skew, 4);
	assert_int_equal(image.segment[1].pages, 3);
	assert_int_equal(image.segment[1].bytes, 100);
}

#define REFUSES(change, error) do { elf_make(&f); change; assert_int_equal(parse(&f, &image), error); } while (0)

static void elf_refuses_hostile_files(void **state)
{
	struct elf_file f;
	struct elf_image image;

	(void)state;
	REFUSES(f.h.e_ident[0] = 0, ELF_NOT_ELF);
	REFUSES(f.h.e_ident[EI_CLASS] = ELFCLASS32, ELF_NOT_ELF);
	REFUSES(f.h.e_machine = EM_386, ELF_NOT_ELF);
	REFUSES(f.h.e_type = ET_DYN, ELF_NOT_ELF);
	REFUSES(f.p[2].p_type = PT_INTERP, ELF_NOT_ELF);
	REFUSES(f.h.e_phnum = 0, ELF_SEGMENTS);
	REFUSES(f.h.e_phnum = 0xffff, ELF_SHORT);
	REFUSES(f.h.e_phentsize = 8, ELF_SEGMENTS);
	REFUSES(f.h.e_phoff = UINT64_MAX, ELF_SHORT);
	REFUSES(f.h.e_phoff = UINT64_MAX - 10, ELF_SHORT);
	REFUSES(f.h.e_phoff = sizeof f - 56, ELF_SHORT);
	REFUSES(f.p[0].p_offset = UINT64_MAX - 4095, ELF_BYTES);
	REFUSES(f.p[0].p_filesz = UINT64_MAX, ELF_BYTES);
	REFUSES(f.p[0].p_filesz = 4097, ELF_BYTES);
	REFUSES(f.p[1].p_offset = sizeof f - 99, ELF_BYTES);
	REFUSES(f.p[0].p_vaddr = 0, ELF_ADDRESS);
	REFUSES(f.p[0].p_vaddr = 0xffffffff80000000, ELF_ADDRESS);
	REFUSES(f.p[1].p_memsz = UINT64_MAX, ELF_ADDRESS);
	REFUSES(f.p[1].p_memsz = UINT64_MAX - 0x402004, ELF_ADDRESS);
	REFUSES(f.p[1].p_vaddr = HIGH - 8999, ELF_ADDRESS);
	REFUSES(f.p[1].p_vaddr = 0x400ffc, ELF_OVERLAP);
	REFUSES(f.p[1].p_vaddr = 0x300000, ELF_OVERLAP);
	REFUSES(f.h.e_entry = 0x402004, ELF_ENTRY);
	REFUSES(f.h.e_entry = 0x401000, ELF_ENTRY);
	REFUSES((f.p[0].p_type = f.p[1].p_type = PT_NULL), ELF_SEGMENTS);
	for (size_t n = 0; n < sizeof(Elf64_Ehdr); n++)
		assert_int_equal(elf_parse((uint8_t *)&f, n, LOW, HIGH, &image), ELF_SHORT);
}

/* Whatever is accepted can be loaded: checked for mutated files of every length, in exact-size buffers. */
static void elf_survives_mutation(void **state)
{
	struct elf_file f;
	struct elf_image image;
	unsigned accepted = 0;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		size_t size = rnd() % 3 ? sizeof f : rnd() % sizeof f;
		uint8_t *copy = malloc(size + 1);

		elf_make(&f);
		for (uint64_t k = rnd() % 4; k; k--)
			((uint8_t *)&f)[rnd() % (sizeof f.h + sizeof f.p)] = (uint8_t)rnd();
		memcpy(copy, &f, size);
		if (elf_parse(copy, size, LOW, HIGH, &image) == ELF_OK) {
			accepted++;
			for (unsigned i = 0; i < image.count; i++) {
				struct elf_segment *s = &image.segment[i];

				assert_true(s->offset <= size && s->bytes <= size - s->offset);
				assert_true(s->pages && s->skew + s->bytes <= s->pages * 4096);
				assert_true(s->start >= LOW && s->start + s->pages * 4096 <= HIGH);
			}
		} else {
			assert_non_null(elf_reason(elf_parse(copy, size, LOW, HIGH, &image)));
		}
		free(copy);
	}
	assert_true(accepted > 100);
}

/* ---- ustar ---- */
static void tar_header(uint8_t *block, const char *name, size_t size, char type)
{
	unsigned sum = 0;

	memset(block, 0, 512);
	strcpy((char *)block, name);
	snprintf((char *)block + 124, 12, "%011o", (unsigned)size);
	memcpy(block + 257, "ustar", 6);
	block[156] = (uint8_t)type;
	memset(block + 148, ' ', 8);
	for (int i = 0; i < 512; i++)
		sum += block[i];
	snprintf((char *)block + 148, 8, "%06o", sum);
}

static size_t tar_make(uint8_t *tar)
{
	memset(tar, 0, 8192);
	tar_header(tar, "./dir/", 0, '5');
	tar_header(tar + 512, "./hello", 700, '0');
	memset(tar + 1024, 'h', 700);
	tar_header(tar + 2048, "boot.cfg", 5, '0');
	memcpy(tar + 2560, "start", 5);
	return 4096;
}

static void archive_reads_files(void **state)
{
	static uint8_t tar[8192];
	size_t size = tar_make(tar), offset = 0;
	struct archive_file file;

	(void)state;
	assert_int_equal(archive_next(tar, size, &offset, &file), 1);
	assert_string_equal(file.name, "hello");
	assert_int_equal(file.size, 700);
	assert_int_equal(archive_next(tar, size, &offset, &file), 1);
	assert_string_equal(file.name, "boot.cfg");
	assert_memory_equal(file.data, "start", 5);
	assert_int_equal(archive_next(tar, size, &offset, &file), 0);
	assert_int_equal(archive_find(tar, size, "hello", &file), 1);
	assert_int_equal(archive_find(tar, size, "hell", &file), 0);
	tar_header(tar + 512, "x", 0, '0');
	memset(tar + 512 + 124, '7', 11);       /* a size far beyond the end */
	offset = 0;
	assert_int_equal(archive_next(tar, size, &offset, &file), -1);
	tar_make(tar);
	memset(tar + 512, 'n', 100);            /* a full name field, and a full prefix */
	memset(tar + 512 + 345, 'p', 155);
	memset(tar + 512 + 148, ' ', 8);
	unsigned sum = 0;

	for (int i = 512; i < 1024; i++)
		sum += tar[i];
	snprintf((char *)tar + 512 + 148, 8, "%06o", sum);
	offset = 0;
	assert_int_equal(archive_next(tar, size, &offset, &file), 1);
	assert_int_equal(strlen(file.name), 256);
}

static void archive_survives_mutation(void **state)
{
	static uint8_t tar[8192];
	struct archive_file file;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		size_t size = rnd() % 2 ? tar_make(tar) : rnd() % tar_make(tar), offset = 0;
		uint8_t *copy = malloc(size + 1);
		int files = 0;

		if (round % 2)
			for (int k = 0; k < 3; k++)
				tar[rnd() % 4096] = (uint8_t)rnd();
		else
			tar_header(tar + 512, "big", rnd() % 8192, '0');
		memcpy(copy, tar, size);
		while (archive_next(copy, size, &offset, &file) == 1) {
			assert_true(file.data >= copy && file.size <= (size_t)(copy + size - file.data));
			assert_true(offset <= size && ++files < 100);
			assert_true(strlen(file.name) < sizeof file.name);
		}
		free(copy);
	}
}

/* ---- the start block ---- */
static void startblock_is_what_crt0_expects(void **state)
{
	static const char strings[] = "shell\0-x\0";
	uint8_t *page = calloc(1, 4096);
	uint64_t top = 0xbe000000, sp, argv0, argv1;
	uint64_t *words;

	(void)state;
	sp = startblock_build(page, top, strings, sizeof strings - 1, 2);
	assert_true(sp && sp % 16 == 0 && sp < top && sp >= top - 4096);
	words = (uint64_t *)(page + (sp - (top - 4096)));
	assert_int_equal(words[0], 2);
	argv0 = words[1];
	argv1 = words[2];
	assert_string_equal((char *)page + (argv0 - (top - 4096)), "shell");
	assert_string_equal((char *)page + (argv1 - (top - 4096)), "-x");
	for (int i = 3; i < 7; i++)
		assert_int_equal(words[i], 0);
	assert_int_equal(startblock_build(page, top, strings, sizeof strings - 1, 4), 0);
	assert_int_equal(startblock_build(page, top, "abc", 3, 1), 0);
	assert_int_not_equal(startblock_build(page, top, "", 0, 0), 0);
	free(page);
}

#define MEMORY_TEST(f) cmocka_unit_test_setup_teardown(f, memory_setup, memory_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MEMORY_TEST(mem_gives_each_page_once),
		MEMORY_TEST(object_fill_covers_the_file_bytes),
		MEMORY_TEST(object_big_bits),
		MEMORY_TEST(what_cannot_be_discarded_lingers),
		MEMORY_TEST(one_that_lingers_keeps_no_other),
		MEMORY_TEST(regions_follow_the_model),
		cmocka_unit_test(region_gap_limits),
		cmocka_unit_test(elf_accepts_a_good_file),
		cmocka_unit_test(elf_refuses_hostile_files),
		cmocka_unit_test(elf_survives_mutation),
		cmocka_unit_test(archive_reads_files),
		cmocka_unit_test(archive_survives_mutation),
		cmocka_unit_test(startblock_is_what_crt0_expects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
