/* SPDX-License-Identifier: BSD-2-Clause
 * Property: page faults and exceptions become IPC to the thread's pager and exception handler (X.2 7), with the right
 * words; the reply resumes the thread; nothing a program executes harms the kernel or another thread. So do
 * SYSCALL outside the stubs, port I/O and privileged instructions. Guards kernel/fault.c, kernel/x86/trap.c.
 */
#include "test.h"
#include <l4/exception.h>
#include <l4/threadinfo.h>

const char test_suite[] = "fault";

#define AREA    0x5000000000UL          /* not in the root's store: only the test's pager maps it */

static volatile word label, words, mr[24], seen, done_flag, value;
static volatile word handler_mode, reply_page;
enum { MODE_MAP = 0, MODE_SKIP, MODE_IGNORE, MODE_DAMAGED, MODE_DAMAGED_SKIP };
static L4_ThreadId_t handler_id, client;

/* ---- A pager and exception handler that notes what comes -------------------------------------------------- */

static void answer(L4_ThreadId_t from, L4_MsgTag_t tag)
{
	L4_Msg_t msg;
	word address = test_mr(1), page;
	int i;

	if (L4_Label(tag) >> 4 == ((word)L4_LABEL_PAGEFAULT & 0xfffffffffff) && address < AREA) {
		page = address & ~0xfffUL;
		(void)__atomic_fetch_add((volatile char *)page, 0, __ATOMIC_RELAXED);
		L4_MsgClear(&msg);
		L4_MsgAppendMapItem(&msg, L4_MapItem(L4_FpageAddRights(L4_FpageLog2(page, 12), 7), page));
		L4_MsgLoad(&msg);
		(void)L4_Send_Timeout(from, L4_ZeroTime);
		return;
	}
	label = L4_Label(tag);
	words = L4_UntypedWords(tag);
	for (i = 1; i < 24; i++)
		mr[i] = test_mr(i);
	seen++;
	if (handler_mode == MODE_MAP) {
		L4_MsgClear(&msg);
		L4_MsgAppendMapItem(&msg, L4_MapItem(L4_FpageAddRights(L4_FpageLog2(reply_page, 12), 7),
		                                     address & ~0xfffUL));
		L4_MsgLoad(&msg);
		(void)L4_Send_Timeout(from, L4_ZeroTime);
	} else if (handler_mode == MODE_DAMAGED ||
	           (handler_mode == MODE_DAMAGED_SKIP && L4_Label(tag) >> 4 != ((word)L4_LABEL_EXCEPTION & 0xfffffffffff))) {
		L4_LoadMR(0, (word)L4_LABEL_DAMAGED << 20);
		(void)L4_Send_Timeout(from, L4_ZeroTime);
	} else if (handler_mode == MODE_SKIP || handler_mode == MODE_DAMAGED_SKIP) {
		L4_LoadMR(0, (tag.raw & ~0xffffUL) | L4_EXC_WORDS);
		L4_LoadMR(L4_EXC_RIP, mr[L4_EXC_RBX]);          /* the client left its continuation in rbx */
		L4_LoadMR(L4_EXC_RAX, 0xa0a0);
		(void)L4_Send_Timeout(from, L4_ZeroTime);
	}
}

static void handler_loop(void *arg)
{
	L4_ThreadId_t from;
	L4_MsgTag_t tag;

	(void)arg;
	for (;;) {
		tag = L4_Wait(&from);
		if (L4_IpcFailed(tag))
			continue;
		if (L4_Label(tag) == 0x77) {
			L4_ThreadId_t target = { .raw = test_mr(1) };

			test_load(0, 2, test_mr(2), test_mr(3));
			(void)L4_Send(target);
			continue;
		}
		answer(from, tag);
	}
}

static void start_client(void (*fn)(void *), void *arg, word mode)
{
	extern void test_entry(void);
	L4_Msg_t msg;
	word old;

	if (!handler_id.raw)
		handler_id = test_thread(handler_loop, 0);
	seen = 0;
	done_flag = 0;
	value = 0;
	handler_mode = mode;
	client = test_new_id();
	REQUIRE_EQ(L4_ThreadControl(client, client, L4_Myself(), L4_nilthread, (void *)-1), 1);
	REQUIRE_EQ(L4_SpaceControl(client, 0, L4_FpageLog2(TEST_KIP, 12), L4_FpageLog2(TEST_UTCBS, 12),
	                           L4_nilthread, &old), 1);
	REQUIRE_EQ(L4_ThreadControl(client, client, L4_nilthread, handler_id, (void *)TEST_UTCBS), 1);
	L4_MsgClear(&msg);
	L4_Set_MsgLabel(&msg, 0x77);
	L4_MsgAppendWord(&msg, client.raw);
	L4_MsgAppendWord(&msg, (word)test_entry);
	L4_MsgAppendWord(&msg, test_stack(fn, arg));
	L4_MsgLoad(&msg);
	EXPECT_IPC_OK(L4_Send(handler_id));
}

/* ---- Page faults --------------------------------------------------------------------------------------------- */

static void read_it(void *arg)
{
	value = *(volatile word *)arg;
	done_flag = 1;
}

static void write_it(void *arg)
{
	*(volatile word *)arg = 0xfeed;
	done_flag = 1;
}

static void jump_to_it(void *arg)
{
	((void (*)(void))arg)();
	done_flag = 1;
}

static word pagefault_label(word rights)
{
	return (((word)L4_LABEL_PAGEFAULT << 4) | rights) & 0xffffffffffff;
}

static void read_fault(void)
{
	word *page = test_pages(1);

	page[1] = 0x1357;
	reply_page = (word)page;
	start_client(read_it, (void *)(AREA + 8), MODE_MAP);
	test_wait_flag(&done_flag, 1);
	EXPECT_EQ(label, pagefault_label(L4_RIGHT_R));
	EXPECT_EQ(words, 2);
	EXPECT_EQ(mr[1], AREA + 8);
	EXPECT_GE(mr[2], (word)read_it);
	EXPECT_LE(mr[2], (word)read_it + 64);
	EXPECT_EQ(value, 0x1357);
	test_delete(client);
}

static void write_fault(void)
{
	word *page = test_pages(1);

	page[0] = 1;
	reply_page = (word)page;
	start_client(write_it, (void *)(AREA + 0x5000), MODE_MAP);
	test_wait_flag(&done_flag, 1);
	EXPECT_EQ(label & 2, 2);
	EXPECT_EQ(mr[1], AREA + 0x5000);
	EXPECT_EQ(page[0], 0xfeed);
	test_delete(client);
}

static void execute_fault(void)
{
	unsigned char *page = test_pages(1);

	page[0x10] = 0xc3;      /* ret */
	reply_page = (word)page;
	start_client(jump_to_it, (void *)(AREA + 0x10), MODE_MAP);
	test_wait_flag(&done_flag, 1);
	EXPECT_EQ(label, pagefault_label(L4_RIGHT_X));
	EXPECT_EQ(mr[1], AREA + 0x10);
	EXPECT_EQ(mr[2], AREA + 0x10);
	test_delete(client);
}

static void unanswered(void)
{
	start_client(read_it, (void *)AREA, MODE_IGNORE);
	test_wait_flag(&seen, 1);
	test_sleep_us(5000);
	EXPECT_EQ(done_flag, 0);
	EXPECT_EQ(seen, 1);
	test_delete(client);
}

static void kernel_addresses(void)
{
	static const word addresses[] = { 0xffffffff80000000, 0xffff800000000000, 0xfffffffffffffff0,
	                                  0x800000000000, 0x8000000000000000 };
	unsigned int i;

	for (i = 0; i < 2 * sizeof(addresses) / sizeof(addresses[0]); i++) {
		start_client(i & 1 ? write_it : read_it, (void *)addresses[i / 2], MODE_IGNORE);
		test_sleep_us(10000);
		EXPECT_EQ(done_flag, 0);
		test_delete(client);
	}
}

static void jump_to_kernel(void)
{
	static const word addresses[] = { 0xffffffff80000000, 0xffff800000000000, 0x800000000000 };
	unsigned int i;

	for (i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		start_client(jump_to_it, (void *)addresses[i], MODE_IGNORE);
		test_sleep_us(10000);
		EXPECT_EQ(done_flag, 0);
		test_delete(client);
	}
}

/* ---- Pages that cannot be read ---------------------------------------------------------------------------------- */

static void read_with_handler(void *arg)
{
	L4_Set_ExceptionHandler(L4_Pager());
	__asm__ __volatile__("leaq 1f(%%rip), %%rbx\n\tmovq (%1), %0\n1:\n" : "=a"(value) : "r"(arg) : "rbx", "memory");
	done_flag = 1;
}

static word info_state(L4_ThreadId_t tid)
{
	struct l4_thread_info info = { 0 };

	return L4_ThreadInfo(L4_ThreadNo(tid), &info).raw == tid.raw ? info.state : 0;
}

static void wait_stopped(L4_ThreadId_t tid)
{
	word end = test_now_us() + 5000000;

	while (!(info_state(tid) & L4_TI_DAMAGED) && test_now_us() < end)
		test_sleep_us(500);
	EXPECT_EQ(info_state(tid) & L4_TI_DAMAGED, L4_TI_DAMAGED);
}

static volatile word partner_error;

static void partner_waits(void *arg)
{
	L4_ThreadId_t from = { .raw = (word)arg };

	if (L4_IpcFailed(L4_Receive(from)))
		partner_error = L4_ErrorCode();
}

static void damaged_page(void)
{
	L4_ThreadId_t partner;

	start_client(read_it, (void *)AREA, MODE_IGNORE);
	test_wait_flag(&seen, 1);
	partner_error = 0;
	partner = test_thread(partner_waits, (void *)client.raw);
	test_wait_state(partner, L4_TI_WAITING);
	handler_mode = MODE_DAMAGED;
	test_load(0x77, 1, client.raw, 0);      /* the handler sends anything: the fault is tried again, and answered so */
	EXPECT_IPC_OK(L4_Send(handler_id));
	wait_stopped(client);
	test_wait_flag(&partner_error, 1);
	EXPECT_EQ(IPC_CODE(partner_error), L4_IPC_NON_EXISTING);
	EXPECT_EQ(done_flag, 0);
	EXPECT_IPC_ERROR(test_send(client, 0, 0, L4_TimePeriod(1000)), 0, L4_IPC_NON_EXISTING);
	test_delete(client);
	test_delete(partner);
}

/* The handler knows something better. */
static void damaged_page_skipped(void)
{
	start_client(read_with_handler, (void *)(AREA + 0x3018), MODE_DAMAGED_SKIP);
	test_wait_flag(&done_flag, 1);
	EXPECT_EQ(seen, 2);
	EXPECT_EQ(mr[L4_EXC_NUMBER], L4_EXC_DAMAGED);
	EXPECT_EQ(mr[L4_EXC_ERROR], AREA + 0x3018);
	EXPECT_EQ(value, 0xa0a0);
	EXPECT_EQ(info_state(client) & L4_TI_DAMAGED, 0);
	test_delete(client);
}

/* It does not. */
static void damaged_page_given_up(void)
{
	start_client(read_with_handler, (void *)(AREA + 0x3018), MODE_DAMAGED);
	wait_stopped(client);
	EXPECT_EQ(seen, 2);
	EXPECT_EQ(done_flag, 0);
	test_delete(client);
}

/* A map item of a page that cannot be read fails the send; who waits for the message waits on. */
static volatile word item_error;

static void send_item(void *arg)
{
	L4_Msg_t msg;

	L4_MsgClear(&msg);
	L4_MsgAppendMapItem(&msg, L4_MapItem(L4_FpageAddRights(L4_FpageLog2(AREA + 0x7000, 12), 7), 0));
	L4_MsgLoad(&msg);
	(void)L4_Send((L4_ThreadId_t){ .raw = (word)arg });
	item_error = L4_ErrorCode();
	done_flag = 1;
}

static void damaged_item(void)
{
	L4_ThreadId_t receiver = L4_Myself(), from;

	item_error = 0;
	L4_Accept(L4_MapGrantItems(L4_FpageLog2((word)test_pages(1), 12)));
	start_client(send_item, (void *)receiver.raw, MODE_DAMAGED);
	EXPECT_IPC_ERROR(L4_Wait_Timeout(L4_TimePeriod(200000), &from), 1, L4_IPC_TIMEOUT);
	L4_Accept(L4_UntypedWordsAcceptor);
	test_wait_flag(&done_flag, 1);
	EXPECT_EQ(IPC_PHASE(item_error), 0);
	EXPECT_EQ(IPC_CODE(item_error), L4_IPC_XFER_TIMEOUT_INVOKER);
	EXPECT_EQ(info_state(client) & L4_TI_DAMAGED, 0);
	test_delete(client);
}

/* sigma0 is the root task's pager only: who names it all the same is told that there is no page. */
static void names_sigma0(void *arg)
{
	seen = 1;                       /* while it has a pager */
	L4_Set_Pager(L4_GlobalId(L4_SIGMA0_TNO, 1));
	value = *(volatile word *)arg;
	done_flag = 1;
}

static void strangers_pager(void)
{
	client = test_space();
	seen = done_flag = 0;
	test_space_start(client, names_sigma0, (void *)AREA);
	test_wait_flag(&seen, 1);
	wait_stopped(client);
	EXPECT_EQ(done_flag, 0);
	test_delete(client);
}

/* ---- Exceptions ------------------------------------------------------------------------------------------------- */

/* Run an instruction as client: rbx = where to go on, the other registers are marked. The exception
 * handler is set by the client itself. */
#define RAISE(name, instruction) \
	static void name(void *arg) \
	{ \
		word a; \
		(void)arg; \
		L4_Set_ExceptionHandler(L4_Pager()); \
		__asm__ __volatile__( \
			"leaq 1f(%%rip), %%rbx\n\t" \
			"movq $0x1212, %%r12\n\tmovq $0x1515, %%r15\n\tmovq $0xdddd, %%rdx\n\t" \
			instruction "\n" \
			"1:\n\t" \
			: "=a"(a) : "a"(0x77) \
			: "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r15", "rdi", "rsi", "memory", "cc"); \
		value = a; \
		done_flag = 1; \
	}

RAISE(raise_ud2, "ud2")
RAISE(raise_divide, "xorl %%ecx, %%ecx\n\tdivq %%rcx")
RAISE(raise_hlt, "hlt")
RAISE(raise_cli, "cli")
RAISE(raise_in, "inb $0x60, %%al")
RAISE(raise_out, "outb %%al, $0x80")
RAISE(raise_cr, "movq %%cr0, %%rcx")
RAISE(raise_wrmsr, "movl $0xc0000082, %%ecx\n\twrmsr")
RAISE(raise_int80, "int $0x80")
RAISE(raise_int_pf, "int $14")
RAISE(raise_int_timer, "int $0x20")
RAISE(raise_lgdt, "lgdt (%%rsp)")
RAISE(raise_noncanonical, "movq $0x8000000000000000, %%rcx\n\tmovq (%%rcx), %%rcx")
RAISE(raise_syscall, "xorl %%ecx, %%ecx\n\tsyscall")
RAISE(raise_swapgs, "swapgs")
RAISE(raise_iret, "pushq $0\n\tpushq $0\n\tpushq $0\n\tpushq $0\n\tpushq $0\n\tiretq")

static void expect_exception(void (*fn)(void *), word number)
{
	start_client(fn, 0, MODE_SKIP);
	test_wait_flag(&done_flag, 1);
	EXPECT_EQ(seen, 1);
	EXPECT_EQ(label >> 4, (word)L4_LABEL_EXCEPTION & 0xfffffffffff);
	EXPECT_EQ(words, L4_EXC_WORDS);
	EXPECT_EQ(mr[L4_EXC_NUMBER], number);
	EXPECT_EQ(mr[L4_EXC_R12], 0x1212);
	EXPECT_EQ(mr[L4_EXC_R15], 0x1515);
	EXPECT_GE(mr[L4_EXC_RIP], (word)fn);
	EXPECT_LE(mr[L4_EXC_RIP], (word)fn + 256);
	EXPECT_EQ(value, 0xa0a0);       /* the handler's reply set rax */
	test_delete(client);
}

static void faults_of_the_cpu(void)
{
	expect_exception(raise_ud2, 6);
	EXPECT_EQ(mr[L4_EXC_RAX], 0x77);
	EXPECT_EQ(mr[L4_EXC_RDX], 0xdddd);
	expect_exception(raise_divide, 0);
	expect_exception(raise_noncanonical, 13);
}

static void privileged_instructions(void)
{
	expect_exception(raise_hlt, 13);
	expect_exception(raise_cli, 13);
	expect_exception(raise_cr, 13);
	expect_exception(raise_wrmsr, 13);
	expect_exception(raise_lgdt, 13);
	expect_exception(raise_swapgs, 13);
}

static void port_io(void)
{
	expect_exception(raise_in, 13);
	expect_exception(raise_out, 13);
}

static void software_interrupts(void)
{
	expect_exception(raise_int80, 13);
	expect_exception(raise_int_pf, 13);
	expect_exception(raise_int_timer, 13);
}

static void syscall_elsewhere(void)
{
	expect_exception(raise_syscall, L4_EXC_SYSCALL);
}

/* QEMU's emulation reads the user's stack as the supervisor here and meets SMAP, so there the thread faults for ever at
 * this instruction; a processor gives it a general protection fault. Either way it goes nowhere. */
static void bad_iret(void)
{
	start_client(raise_iret, 0, MODE_IGNORE);
	test_sleep_us(20000);
	EXPECT_EQ(done_flag, 0);
	EXPECT(test_boot() != 0);
	test_delete(client);
}

static void no_handler(void *arg)
{
	(void)arg;
	__asm__ __volatile__("ud2");
	done_flag = 1;
}

static void without_handler(void)
{
	start_client(no_handler, 0, MODE_SKIP);
	test_sleep_us(10000);
	EXPECT_EQ(done_flag, 0);
	EXPECT_EQ(seen, 0);
	EXPECT(test_boot() != 0);
	test_delete(client);
}

/* A reply that sets impossible registers. */
static volatile word evil_rip, evil_flags;

static void evil_loop(void *arg)
{
	L4_ThreadId_t from;
	L4_MsgTag_t tag;

	(void)arg;
	for (;;) {
		tag = L4_Wait(&from);
		if (L4_IpcFailed(tag))
			continue;
		L4_LoadMR(0, (tag.raw & ~0xffffUL) | L4_EXC_WORDS);
		L4_LoadMR(L4_EXC_RIP, evil_rip);
		L4_LoadMR(L4_EXC_RFLAGS, evil_flags);
		L4_LoadMR(L4_EXC_RSP, 0x8000000000000000);
		seen++;
		if (seen < 4)
			(void)L4_Send_Timeout(from, L4_ZeroTime);
	}
}

static void hostile_reply(void)
{
	static L4_ThreadId_t evil;
	static const word ips[] = { 0xffffffff80000000, 0x8000000000000000, 0x800000000000, 0x7fffffffffff };
	unsigned int i;

	for (i = 0; i < 4; i++) {
		L4_ThreadId_t tid;

		evil = test_thread(evil_loop, 0);
		evil_rip = ips[i];
		evil_flags = 0xffffffffffffffff;
		seen = 0;
		done_flag = 0;
		tid = test_thread_inactive(L4_Pager());
		test_start(tid, no_handler, 0);
		L4_Set_PagerOf(tid, evil);
		test_sleep_us(10000);
		EXPECT_EQ(done_flag, 0);
		EXPECT(test_boot() != 0);
		test_delete(tid);
		test_delete(evil);
	}
}

static void start_message(void)
{
	/* X.2 2.4: a thread activated by ThreadControl waits for ip and sp from its pager, and from nobody else. */
	extern void test_entry(void);
	L4_ThreadId_t tid = test_thread_inactive(L4_MyGlobalId());
	word *page = test_pages(1), end;

	*page = 0x2468;
	done_flag = 0;
	value = 0;
	test_wait_state(tid, L4_SCHEDRESULT_WAITING);
	test_load(0, 2, (word)test_entry, test_stack(read_it, page));
	EXPECT_IPC_OK(L4_Send_Timeout(tid, L4_TimePeriod(1000000)));
	/* Its faults come to us now; in one space, touching the page is the whole answer. */
	for (end = test_now_us() + 2000000; !done_flag && test_now_us() < end;) {
		if (L4_IpcSucceeded(L4_Receive_Timeout(tid, L4_TimePeriod(2000)))) {
			(void)*(volatile char *)test_mr(1);
			test_load(0, 0, 0, 0);
			(void)L4_Send_Timeout(tid, L4_ZeroTime);
		}
	}
	EXPECT_EQ(value, 0x2468);
	test_delete(tid);
}

static volatile word stranger_result;

static void stranger(void *arg)
{
	extern void test_entry(void);

	test_load(0, 2, (word)test_entry, (word)arg);
	stranger_result = 1 + (L4_IpcFailed(L4_Send_Timeout(client, L4_TimePeriod(10000))) ? L4_ErrorCode() : 1000);
}

static void start_by_a_stranger(void)
{
	L4_ThreadId_t tid;

	client = test_thread_inactive(L4_MyGlobalId());
	done_flag = 0;
	stranger_result = 0;
	test_wait_state(client, L4_SCHEDRESULT_WAITING);
	tid = test_thread(stranger, (void *)test_stack(no_handler, 0));
	test_wait_flag(&stranger_result, 1);
	EXPECT_EQ(stranger_result, 1 + (L4_IPC_TIMEOUT << 1));
	EXPECT_EQ(done_flag, 0);
	test_delete(tid);
	test_delete(client);
}

/* ---- What a call removes is gone when it returns ------------------------------------------------------------- */

static void sleeper(void *arg)
{
	(void)arg;
	L4_Sleep(L4_Never);
}

/* Reads the UTCB of a thread before and after its deletion. */
static void utcb_reader(void *arg)
{
	L4_ThreadId_t victim = { .raw = (word)arg };
	word at = L4_LocalIdOf(victim).raw, got = 0x5a5a;

	L4_Set_ExceptionHandler(handler_id);
	value = *(volatile word *)at;
	test_delete(victim);
	__asm__ volatile("lea 1f(%%rip), %%rbx\n\tmov (%1), %0\n1:" : "+a"(got) : "r"(at) : "rbx", "memory");
	value = got;
	done_flag = 1;
}

static void utcb_of_the_dead(void)
{
	L4_ThreadId_t reader;

	if (!handler_id.raw)
		handler_id = test_thread(handler_loop, 0);
	handler_mode = MODE_SKIP;
	seen = done_flag = 0;
	reader = test_thread(utcb_reader, (void *)test_thread(sleeper, 0).raw);
	test_wait_flag(&done_flag, 1);
	EXPECT_EQ(seen, 1);
	EXPECT_EQ(value, 0xa0a0);
	test_delete(reader);
}

const struct test tests[] = {
	{ .name = "reads and writes at kernel addresses", .run = kernel_addresses },
	{ .name = "jumps to kernel addresses", .run = jump_to_kernel },
	{ .name = "a handler's reply with impossible registers", .run = hostile_reply },
	{ .name = "an exception without a handler", .run = without_handler },
	{ .name = "read fault", .run = read_fault },
	{ .name = "write fault", .run = write_fault },
	{ .name = "execute fault", .run = execute_fault },
	{ .name = "a fault that is not answered", .run = unanswered },
	{ .name = "a damaged page stops its thread", .run = damaged_page },
	{ .name = "a damaged page, and a handler", .run = damaged_page_skipped },
	{ .name = "a damaged page, and a handler that gives up", .run = damaged_page_given_up },
	{ .name = "a damaged page in a map item", .run = damaged_item },
	{ .name = "a page fault to sigma0 of a thread that is not the root task's", .run = strangers_pager },
	{ .name = "exceptions of the processor", .run = faults_of_the_cpu },
	{ .name = "privileged instructions", .run = privileged_instructions },
	{ .name = "port I/O", .run = port_io },
	{ .name = "software interrupts", .run = software_interrupts },
	{ .name = "SYSCALL outside the stubs", .run = syscall_elsewhere },
	{ .name = "iretq with nonsense", .run = bad_iret },
	{ .name = "the UTCB of a deleted thread", .run = utcb_of_the_dead },
	{ .name = "start message from the pager", .run = start_message },
	{ .name = "start message from anybody else", .run = start_by_a_stranger },
	{ 0 }
};
