/* SPDX-License-Identifier: BSD-2-Clause
 * Page faults: a fault of a space whose pager is sigma0 names a page of that space's store.
 *
 * Outcomes: the page is in memory: it is mapped, with all rights, because rights are logical and hardware
 * write permission follows the frame's tag; it is on disk: it is read first; there is no frame: the fault
 * waits; the address is outside the store, or the thread is not the root task's: it is answered as one that cannot be read.
 * On a write fault the page is made writable at once, which saves the stale event that would follow.
 */
#include "pagefault.h"

#include <l4/bootinfo.h>
#include <l4/message.h>

#include "commit.h"
#include "cow.h"
#include "kobj.h"
#include "log.h"
#include "pages.h"
#include "reclaim.h"
#include "residual.h"

uint64_t pagefault_count;

static uint64_t store_pages;

void pagefault_set_limit(uint64_t pages)
{
	store_pages = pages;
}

/* MR1, MR2: one map item. */
static enum send_result send_map(L4_ThreadId_t to, uint64_t from, unsigned log2, uint64_t at, unsigned rights)
{
	L4_MapItem_t item = L4_MapItem(L4_FpageAddRights(L4_FpageLog2(from, (int)log2), rights), at);

	L4_LoadMR(0, 2 << 6);
	L4_LoadMRs(1, 2, item.raw);
	return server_send(to);
}

/* An answer without a page: the thread runs on and faults again. */
static void send_nothing(L4_ThreadId_t to)
{
	L4_LoadMR(0, 0);
	server_send(to);
}

enum send_result pagefault_answer(struct pending *p)
{
	pfn_t f = page_find(p->key);
	struct page *page = page_of(f);
	enum send_result r;

	if (!f)
		return SEND_LATER;              /* answering another client took it: it is read again */
	if (page->flags & (PG_DEAD | PG_DOOMED)) {
		if (!cow_take(f))
			return SEND_LATER;
		cow_revive(f);
		page_zero(page_data(f));
		fc_push(L4_FC_WRITABLE, f, 0);
	} else if (p->rights & L4_RIGHT_W && page->epoch != epoch_now && !(page->flags & PG_POSTPONED)) {
		if (cow_take(f))
			fc_push(L4_FC_WRITABLE, f, 0);
	}
	page->flags |= PG_MAPPED | PG_USED;
	reclaim_keep(f);
	r = send_map(p->client, (uint64_t)page_data(f), 12, p->address & ~(PAGE_BYTES - 1), L4_FullyAccessible);
	reclaim_keep(0);
	return r;
}

enum send_result pagefault_damaged(struct pending *p)
{
	p->kind = PENDING_REPLY;
	p->label = (uint64_t)L4_LABEL_DAMAGED << 4;     /* above the tag's lower 16 bits; the number above the rights */
	p->count = 0;
	L4_LoadMR(0, p->label << 16);
	return server_send(p->client);
}

enum send_result pagefault_try(struct pending *p)
{
	pfn_t f = page_find(p->key);

	if (!f) {
		switch (load_start(p->key)) {
		case LOAD_NOW:
			break;
		case LOAD_WAIT:
		case LOAD_NO_FRAME:
			return SEND_LATER;
		case LOAD_DAMAGED:
			return pagefault_damaged(p);
		}
		return pagefault_answer(p);
	}
	return page_of(f)->flags & PG_LOADING ? SEND_LATER : pagefault_answer(p);
}

/* A page fault of a persistent thread. */
static enum send_result serve(struct pending *p, uint32_t space, uint64_t ip)
{
	/* Only the root task's faults are sigma0's. Any thread can name us as its pager; there is no page for it to wait for. */
	if (space != record.root_space)
		return pagefault_damaged(p);
	pagefault_count++;
	if (p->address >> 12 >= store_pages) {
		log_error("fault outside the store thread=%lu address=0x%lx ip=0x%lx", L4_ThreadNo(p->client), p->address, ip);
		return pagefault_damaged(p);
	}
	p->key = KEY(space, p->address >> 12);
	return pagefault_try(p);
}

void pagefault_message(L4_ThreadId_t client, unsigned rights, uint64_t address, uint64_t ip)
{
	uint64_t number = L4_ThreadNo(client), from;
	struct pending now = { .client = client, .address = address, .rights = (uint8_t)rights,
			       .kind = PENDING_FAULT };
	struct pending *p;

	if (number < L4_ROOT_TNO) {
		if (residual_page(number, address, &from))
			send_map(client, from, 12, address & ~(PAGE_BYTES - 1), L4_FullyAccessible);
		else
			server_crash("residual thread %lu: page fault at 0x%lx, ip 0x%lx", number, address, ip);
		return;
	}
	if (serve(&now, kobj_space_of(number), ip) != SEND_LATER)
		return;
	p = pending_add((enum pending_kind)now.kind, client);
	if (!p) {
		send_nothing(client);
		return;
	}
	now.next = p->next;
	*p = now;
}

/* ---- sigma0 ----------------------------------------------------------------------------------- */

/* Is [base, base + size) free of RAM, or is it RAM that is not ours or the kernel's: device memory? */
static bool is_device(uint64_t base, uint64_t size)
{
	for (unsigned i = 0; i < boot->mem_count && i < BOOTINFO_MAX_MEM; i++) {
		const struct bootinfo_mem *m = &boot->mem[i];

		if (m->type == BOOTMEM_RAM && base < m->base + m->size && m->base < base + size)
			return false;
	}
	return base + size > base && base + size <= 1ul << 46;
}

void pagefault_sigma0(L4_ThreadId_t client, L4_Fpage_t want)
{
	uint64_t base = L4_Address(want), size = L4_Size(want);

	/* Only drivers get device memory: a persistent task could not go on using a device after a
	 * reboot. Store pages come by page fault. */
	if (L4_ThreadNo(client) < L4_ROOT_TNO && size >= PAGE_BYTES && is_device(base, size)) {
		send_map(client, SIGMA0_PHYS_BASE + base, (unsigned)L4_SizeLog2(want), base, L4_FullyAccessible);
		return;
	}
	send_map(client, 0, 0, 0, 0);           /* a map item with the nil fpage: refused */
}
