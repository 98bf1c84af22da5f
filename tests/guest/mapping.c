/* SPDX-License-Identifier: BSD-2-Clause
 * Property: map and grant items (X.2 5.3) give exactly the pages and rights that sender and receiver both allow, and
 * Unmap (4.2) takes them back, from everybody who got them through us and nobody else. Guards kernel/mapdb.c,
 * kernel/unmap.c, the items in kernel/ipc.c.
 *
 * The receiver is a thread of another space with a pager of its own that records faults, so that an absent page
 * shows as a fault. Mappings may vanish at any time (the mapping contract), so its pager restores
 * what the test says is mapped: `expected` maps receiver pages to pages of ours.
 */
#include "test.h"
#include <l4/ckpt.h>

const char test_suite[] = "mapping";

#define WINDOW  0x4000000000UL          /* where the receiver gets pages */
#define PAGE    4096UL
#define FLUSHES 50

enum { OP_READ = 1, OP_WRITE, OP_RECEIVE, OP_END };

static struct {
	volatile word value, faulted, received, error;
} client;

static L4_ThreadId_t client_id, client_pager, main_id;
static volatile word fault_address, fault_label, allow_base, allow_size, allow_rights, allow_source;

/* ---- The receiver: does one thing per message, and tells the outcome in its answer ----------------------- */

static void client_loop(void *arg)
{
	L4_ThreadId_t from;
	L4_MsgTag_t tag = L4_Wait(&from);

	(void)arg;
	for (;;) {
		word address = test_mr(1), value = test_mr(2);

		if (L4_Label(tag) == OP_READ)
			client.value = *(volatile word *)address;
		else if (L4_Label(tag) == OP_WRITE)
			*(volatile word *)address = value;
		test_load(1, 0, 0, 0);
		if (L4_Label(tag) == OP_RECEIVE) {
			/* MR1: the acceptor. Receives one message of the main thread, then answers. */
			L4_LoadBR(0, address);
			tag = L4_Ipc(from, from, L4_Timeouts(L4_Never, L4_TimePeriod(1000000)), &from);
			client.error = L4_IpcFailed(tag) ? L4_ErrorCode() : 0;
			client.received = tag.raw;
			L4_LoadBR(0, 0);
			test_load(1, 0, 0, 0);
			from = main_id;
		}
		tag = L4_Ipc(from, from, L4_Timeouts(L4_Never, L4_Never), &from);
	}
}

/* The client's pager: 1:1 for the program, `allow_*` for the window, else it notes the fault and lets the
 * client's operation fail by moving it on to client_loop again. */
static void pager_loop(void *arg)
{
	L4_ThreadId_t from;
	L4_MsgTag_t tag;

	(void)arg;
	for (;;) {
		word address, page, rights = 7;
		L4_Msg_t msg;

		tag = L4_Wait(&from);
		if (L4_IpcFailed(tag))
			continue;
		if (L4_Label(tag) == 0x77) {            /* start message for MR1 */
			L4_ThreadId_t target = { .raw = test_mr(1) };

			test_load(0, 2, test_mr(2), test_mr(3));
			(void)L4_Send(target);
			continue;
		}
		address = test_mr(1);
		page = address & ~(PAGE - 1);
		if (address >= WINDOW) {
			if (address < allow_base || address >= allow_base + allow_size ||
			    (L4_Label(tag) & 7 & ~allow_rights)) {
				fault_address = address;
				fault_label = L4_Label(tag);
				client.faulted = 1;
				continue;
			}
			page = allow_source + (page - allow_base);
			rights = allow_rights;
		}
		(void)__atomic_fetch_add((volatile char *)page, 0, __ATOMIC_RELAXED);
		L4_MsgClear(&msg);
		L4_MsgAppendMapItem(&msg, L4_MapItem(L4_FpageAddRights(L4_FpageLog2(page, 12), rights),
		                                     address & ~(PAGE - 1)));
		L4_MsgLoad(&msg);
		(void)L4_Send_Timeout(from, L4_ZeroTime);
	}
}

static void start_client(void)
{
	word ip_sp[2], old;
	L4_Msg_t msg;
	extern void test_entry(void);

	main_id = L4_MyGlobalId();
	if (!client_pager.raw)
		client_pager = test_thread(pager_loop, 0);
	client_id = test_new_id();
	REQUIRE_EQ(L4_ThreadControl(client_id, client_id, L4_Myself(), L4_nilthread, (void *)-1), 1);
	REQUIRE_EQ(L4_SpaceControl(client_id, 0, L4_FpageLog2(TEST_KIP, 12), L4_FpageLog2(TEST_UTCBS, 12),
	                           L4_nilthread, &old), 1);
	REQUIRE_EQ(L4_ThreadControl(client_id, client_id, L4_nilthread, client_pager, (void *)TEST_UTCBS), 1);
	ip_sp[0] = (word)test_entry;
	ip_sp[1] = test_stack(client_loop, 0);
	L4_MsgClear(&msg);
	L4_Set_MsgLabel(&msg, 0x77);
	L4_MsgAppendWord(&msg, client_id.raw);
	L4_MsgAppendWord(&msg, ip_sp[0]);
	L4_MsgAppendWord(&msg, ip_sp[1]);
	L4_MsgLoad(&msg);
	EXPECT_IPC_OK(L4_Send(client_pager));
	allow_size = 0;
	client.faulted = 0;
	test_wait_state(client_id, L4_SCHEDRESULT_WAITING);
}

static void end_client(void)
{
	test_delete(client_id);
}

/* After a fault that was not answered the client is stuck: make a new one in the same state. */
static int client_does(word op, word address, word value)
{
	L4_MsgTag_t tag;

	client.faulted = 0;
	test_load(op, 2, address, value);
	tag = L4_Call_Timeouts(client_id, L4_TimePeriod(2000000), L4_TimePeriod(200000));
	return (int)L4_IpcSucceeded(tag);
}

static int reads(word address, word value)
{
	client.value = ~value;
	return client_does(OP_READ, address, 0) && client.value == value;
}

/* Send one item to the client, which accepts `acceptor`. The client's error code. */
static word send_item(word item0, word item1, word acceptor)
{
	L4_ThreadId_t from;

	test_load(OP_RECEIVE, 2, acceptor, 0);
	(void)L4_Ipc(client_id, client_id, L4_Timeouts(L4_TimePeriod(2000000), L4_TimePeriod(2000000)), &from);
	L4_LoadMR(0, 5UL << 16 | 2 << 6);
	L4_LoadMR(1, item0);
	L4_LoadMR(2, item1);
	/* A refused item fails our send; the client's answer comes all the same. */
	if (L4_IpcFailed(L4_Ipc(client_id, client_id, L4_Timeouts(L4_TimePeriod(2000000), L4_TimePeriod(2000000)), &from)))
		EXPECT_IPC_OK(L4_Receive_Timeout(client_id, L4_TimePeriod(2000000)));
	return client.error;
}

static word map_page(word from, word to, word rights, L4_Fpage_t window)
{
	L4_MapItem_t item = L4_MapItem(L4_FpageAddRights(L4_FpageLog2(from, 12), rights), to);

	return send_item(item.raw[0], item.raw[1], window.raw);
}

static word *our_page(word value)
{
	word *page = test_pages(1);

	*page = value;
	return page;
}

static void permit(word base, word size, word rights, void *source)
{
	allow_base = base;
	allow_rights = rights;
	allow_source = (word)source;
	allow_size = size;
}

/* ---- Tests ------------------------------------------------------------------------------------------------- */

static void read_write(void)
{
	word *page = our_page(0x1234);

	start_client();
	EXPECT_EQ(map_page((word)page, WINDOW, 7, L4_CompleteAddressSpace), 0);
	permit(WINDOW, PAGE, 7, page);
	EXPECT(reads(WINDOW, 0x1234));
	EXPECT(client_does(OP_WRITE, WINDOW + 8, 0x77));
	EXPECT_EQ(page[1], 0x77);
	end_client();
}

static void read_only(void)
{
	word *page = our_page(0x4321);

	start_client();
	EXPECT_EQ(map_page((word)page, WINDOW, L4_RIGHT_R, L4_CompleteAddressSpace), 0);
	permit(WINDOW, PAGE, L4_RIGHT_R, page);
	EXPECT(reads(WINDOW, 0x4321));
	EXPECT(!client_does(OP_WRITE, WINDOW, 1));
	EXPECT_EQ(client.faulted, 1);
	EXPECT_EQ(fault_label & L4_RIGHT_W, L4_RIGHT_W);
	EXPECT_EQ(*page, 0x4321);
	end_client();
}

static void no_window(void)
{
	word *page = our_page(1);

	start_client();
	EXPECT_EQ(IPC_CODE(map_page((word)page, WINDOW, 7, L4_Nilpage)), L4_IPC_MSG_OVERFLOW);
	EXPECT(!client_does(OP_READ, WINDOW, 0));
	EXPECT_EQ(client.faulted, 1);
	end_client();
}

static void small_window(void)
{
	word *page = our_page(0x99);

	start_client();
	/* The window is one page elsewhere: that is where the page goes, whatever the send base says beyond it. */
	EXPECT_EQ(map_page((word)page, WINDOW, 7, L4_FpageLog2(WINDOW + 0x10000, 12)), 0);
	permit(WINDOW + 0x10000, PAGE, 7, page);
	EXPECT(reads(WINDOW + 0x10000, 0x99));
	EXPECT(!client_does(OP_READ, WINDOW, 0));
	end_client();
}

static void window_in_kernel(void)
{
	word *page = our_page(1);

	start_client();
	(void)map_page((word)page, 0xffffffff80000000, 7, L4_CompleteAddressSpace);
	(void)map_page((word)page, WINDOW, 7, L4_FpageLog2(0xffffffff80000000, 12));
	(void)map_page((word)page, 0x800000000000, 7, L4_CompleteAddressSpace);
	/* KIP and UTCB area cannot be mapped over. */
	(void)map_page((word)page, TEST_KIP, 7, L4_CompleteAddressSpace);
	(void)map_page((word)page, TEST_UTCBS, 7, L4_CompleteAddressSpace);
	EXPECT(reads(TEST_KIP, *(volatile word *)L4_GetKernelInterface()));
	end_client();
}

static void not_ours_to_give(void)
{
	start_client();
	/* Kernel memory, our KIP and UTCB: nothing of that may arrive. */
	(void)map_page(0xffffffff80000000, WINDOW, 7, L4_CompleteAddressSpace);
	EXPECT(!client_does(OP_READ, WINDOW, 0));
	end_client();
	start_client();
	(void)map_page((word)L4_GetKernelInterface(), WINDOW, 7, L4_CompleteAddressSpace);
	EXPECT(!client_does(OP_WRITE, WINDOW, 0));
	end_client();
}

static void large_fpage(void)
{
	word *pages = test_pages(32), i;
	word base = ((word)pages + 0xffff) & ~0xffffUL;
	L4_MapItem_t item;

	for (i = 0; i < 16; i++)
		*(volatile word *)(base + i * PAGE) = i + 1;
	start_client();
	item = L4_MapItem(L4_FpageAddRights(L4_FpageLog2(base, 16), 7), WINDOW);
	EXPECT_EQ(send_item(item.raw[0], item.raw[1], L4_CompleteAddressSpace.raw), 0);
	permit(WINDOW, 0x10000, 7, (void *)base);
	for (i = 0; i < 16; i++)
		EXPECT(reads(WINDOW + i * PAGE, i + 1));
	/* Taken back as a whole. */
	(void)L4_UnmapFpage(L4_FpageAddRights(L4_FpageLog2(base, 16), 7));
	allow_size = 0;
	EXPECT(!client_does(OP_READ, WINDOW + 5 * PAGE, 0));
	end_client();
}

static void absent_source(void)
{
	/* Never touched: the sender faults first, and the client gets the page. */
	word *page = test_pages(1);

	start_client();
	EXPECT_EQ(map_page((word)page, WINDOW, 7, L4_CompleteAddressSpace), 0);
	permit(WINDOW, PAGE, 7, page);
	EXPECT(client_does(OP_WRITE, WINDOW, 0xabc));
	EXPECT_EQ(*page, 0xabc);
	end_client();
}

static void granted(void)
{
	word *page = our_page(0x6161);
	L4_GrantItem_t item = L4_GrantItem(L4_FpageAddRights(L4_FpageLog2((word)page, 12), 7), WINDOW);

	start_client();
	EXPECT_EQ(send_item(item.raw[0], item.raw[1], L4_CompleteAddressSpace.raw), 0);
	/* The page is the client's now, until somebody takes it; our own access faults it in from sigma0 again. */
	permit(WINDOW, PAGE, 7, page);
	EXPECT(reads(WINDOW, 0x6161));
	EXPECT_EQ(*page, 0x6161);
	end_client();
}

static void unmap_takes_back(void)
{
	word *page = our_page(0x55);

	start_client();
	EXPECT_EQ(map_page((word)page, WINDOW, 7, L4_CompleteAddressSpace), 0);
	permit(WINDOW, PAGE, 7, page);
	EXPECT(reads(WINDOW, 0x55));
	allow_size = 0;
	(void)L4_UnmapFpage(L4_FpageAddRights(L4_FpageLog2((word)page, 12), 7));
	EXPECT(!client_does(OP_READ, WINDOW, 0));
	EXPECT_EQ(fault_address, WINDOW);
	/* We keep it. */
	EXPECT_EQ(*page, 0x55);
	end_client();
}

static void unmap_write_only(void)
{
	word *page = our_page(0x56);

	start_client();
	EXPECT_EQ(map_page((word)page, WINDOW, 7, L4_CompleteAddressSpace), 0);
	permit(WINDOW, PAGE, L4_RIGHT_R, page);
	EXPECT(reads(WINDOW, 0x56));
	(void)L4_UnmapFpage(L4_FpageAddRights(L4_FpageLog2((word)page, 12), L4_RIGHT_W));
	EXPECT(reads(WINDOW, 0x56));
	EXPECT(!client_does(OP_WRITE, WINDOW, 1));
	EXPECT_EQ(*page, 0x56);
	end_client();
}

static void unmap_hostile(void)
{
	L4_Fpage_t pages[64];
	unsigned int i;

	for (i = 0; i < 64; i++)
		pages[i].raw = 0xffffffffffffffff;
	L4_UnmapFpages(64, pages);
	for (i = 0; i < 64; i++)
		pages[i] = L4_FpageAddRights(L4_FpageLog2(0xffffffff80000000 + i * PAGE, 12), 7);
	L4_UnmapFpages(64, pages);
	(void)L4_UnmapFpage(L4_FpageAddRights(L4_FpageLog2(0x800000000000, 47), 7));
	(void)L4_UnmapFpage(L4_Nilpage);
	/* Our children of everything. What was mapped comes back by faults. */
	(void)L4_UnmapFpage(L4_FpageAddRights(L4_CompleteAddressSpace, 7));
	EXPECT(test_boot() != 0);
}

static void flush_own(void)
{
	word *page = our_page(0x3c);

	/* Flushed from ourselves: the next access faults it in from sigma0, with its content. */
	(void)L4_Flush(L4_FpageAddRights(L4_FpageLog2((word)page, 12), 7));
	EXPECT_EQ(*(volatile word *)page, 0x3c);
	*page = 0x3d;
	(void)L4_Flush(L4_FpageAddRights(L4_FpageLog2((word)page, 12), L4_RIGHT_W));
	*(volatile word *)page = 0x3e;
	EXPECT_EQ(*(volatile word *)page, 0x3e);
}

/* The very next access faults: the processor must not go on with what it remembers of the mapping. */
static void flush_at_once(void)
{
	volatile word *page = our_page(0x3f);
	struct L4_CkptStat before, after;
	unsigned int i;

	EXPECT_EQ(L4_CheckpointInfo(&before), L4_CKPT_OK);
	for (i = 0; i < FLUSHES; i++) {
		EXPECT_EQ(*page, 0x3f);
		(void)L4_Flush(L4_FpageAddRights(L4_FpageLog2((word)page, 12), 7));
	}
	EXPECT_EQ(L4_CheckpointInfo(&after), L4_CKPT_OK);
	EXPECT_GE(after.faults - before.faults, FLUSHES - 1);
}

static void status_bits(void)
{
	word *page = our_page(1);
	L4_Fpage_t fpage = L4_FpageLog2((word)page, 12), status;

	start_client();
	EXPECT_EQ(map_page((word)page, WINDOW, 7, L4_CompleteAddressSpace), 0);
	permit(WINDOW, PAGE, 7, page);
	EXPECT(client_does(OP_WRITE, WINDOW, 5));
	status = L4_GetStatus(fpage);
	EXPECT(L4_WasWritten(status));
	EXPECT(L4_WasReferenced(status));
	end_client();
}

const struct test tests[] = {
	{ .name = "unmap with hostile arguments", .run = unmap_hostile },
	{ .name = "windows and send bases outside user memory", .run = window_in_kernel },
	{ .name = "nobody can give what is not his", .run = not_ours_to_give },
	{ .name = "no window, no mapping", .run = no_window },
	{ .name = "map read-write", .run = read_write },
	{ .name = "map read-only", .run = read_only },
	{ .name = "a window smaller than the space", .run = small_window },
	{ .name = "64 KiB in one item", .run = large_fpage },
	{ .name = "a source page that is absent", .run = absent_source },
	{ .name = "grant", .run = granted },
	{ .name = "unmap takes the page back", .run = unmap_takes_back },
	{ .name = "unmap of the write right", .run = unmap_write_only },
	{ .name = "flush", .run = flush_own },
	{ .name = "flush works at once", .run = flush_at_once },
	{ .name = "status bits", .run = status_bits },
	{ 0 }
};
