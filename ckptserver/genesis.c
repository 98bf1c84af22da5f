/* SPDX-License-Identifier: BSD-2-Clause
 * Genesis. All of it is ordinary: pages become dirty, objects are supplied, ThreadControl and SpaceControl make
 * the root task; the next snapshot makes it persistent.
 *
 *   0x3f0000 .. 0x400000   stack of the root task's first thread
 *   0x400000 ..            the program, where it is linked
 *   0x40000000 ..          the boot archive
 */
#include "genesis.h"

#include <l4/bootinfo.h>
#include <l4/string.h>

#include "archive.h"
#include "commit.h"
#include "cow.h"
#include "kobj.h"
#include "log.h"
#include "pages.h"
#include "server.h"

#define STACK_TOP       0x400000ul

/* A byte of the root client's store, in memory and dirty; NULL: no memory. */
static char *store_byte(uint64_t address)
{
	uint64_t key = KEY(L4_FIRST_SPACE, address >> 12);
	pfn_t f = page_find(key);

	if (address >> 12 >= record.store_pages)
		return NULL;
	if (!f)
		f = page_new(key, true, 0);
	if (!f || !cow_take(f))
		return NULL;
	return (char *)page_data(f) + address % PAGE_BYTES;
}

static bool store_write(uint64_t address, const void *data, uint64_t bytes)
{
	const char *from = data;

	while (bytes) {
		uint64_t n = PAGE_BYTES - address % PAGE_BYTES;
		char *to = store_byte(address);

		if (!to)
			return false;
		if (n > bytes)
			n = bytes;
		memcpy(to, from, n);
		from += n;
		address += n;
		bytes -= n;
	}
	return true;
}

/* Memory beyond the file's data is zero as long as nobody has touched it. */
static bool load_segment(void *ctx, const struct elf_segment *s)
{
	(void)ctx;
	return (s->address + s->mem_bytes) >> 12 < record.store_pages &&
	       store_write(s->address, s->data, s->file_bytes);
}

/* argc = 1, argv = { name, NULL }, no environment. Returns the stack pointer, 0: no memory. */
static L4_Word_t start_block(const char *name)
{
	uint64_t text = STACK_TOP - 64;
	uint64_t block[8] = { 1, text };
	uint64_t sp = text - sizeof block;

	if (!store_write(text, name, strnlen(name, 63) + 1) || !store_write(sp, block, sizeof block))
		return 0;
	return sp;
}

bool genesis(const void *archive, uint64_t bytes, const char *root)
{
	L4_ThreadId_t id = L4_GlobalId(L4_ROOT_TNO, 1);
	uint64_t size, entry;
	L4_Word_t sp = start_block(root);
	const void *elf = archive ? archive_find(archive, bytes, root, &size) : NULL;

	if (!elf) {
		log_error("no program %s in the boot archive", root);
		return false;
	}
	if (!store_write(GENESIS_ARCHIVE, archive, bytes)) {
		log_error("not enough memory for the boot archive");
		return false;
	}
	entry = elf_load(elf, size, load_segment, NULL);
	if (!entry || !sp) {
		log_error("%s is not a program that can run here", root);
		return false;
	}
	record.root_space = L4_FIRST_SPACE;     /* the kernel gives the lowest free number */
	if (!server_start_thread(id, id, SERVER_UTCB, entry, sp)) {
		log_error("the root task cannot be started");
		return false;
	}
	if (kobj_space_of(L4_ROOT_TNO) != record.root_space) {
		log_error("the root task is in space %u", kobj_space_of(L4_ROOT_TNO));
		return false;
	}
	return true;
}
