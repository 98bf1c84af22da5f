/* SPDX-License-Identifier: BSD-2-Clause
 * Property: the kernel interface page says what X.2 and abi.h say, is the same from every thread, cannot be
 * written, and the bytes of the system-call stubs are those of the golden copy (a thread may have been
 * checkpointed between any two of them). Guards kernel/kip.c and kernel/x86 stubs.
 */
#include <l4/kdebug.h>

#include "test.h"
#include "stubs_golden.h"

const char test_suite[] = "kip";

static const word stubs[] = {
	L4_SYS_SPACE_CONTROL, L4_SYS_THREAD_CONTROL, L4_SYS_PROCESSOR_CONTROL, L4_SYS_MEMORY_CONTROL, L4_SYS_IPC,
	L4_SYS_LIPC, L4_SYS_UNMAP, L4_SYS_EXCHANGE_REGISTERS, L4_SYS_SYSTEM_CLOCK, L4_SYS_THREAD_SWITCH,
	L4_SYS_SCHEDULE,
};

static word field(word offset)
{
	return *(const volatile word *)((word)L4_GetKernelInterface() + offset);
}

static void lock_nop(void)
{
	word base, version, flags, id;

	/* X.2: base in rax, API version in rcx, flags in rdx, kernel id in rsi. */
	__asm__ __volatile__("lock; nop" : "=a"(base), "=c"(version), "=d"(flags), "=S"(id) : : "memory");
	EXPECT_EQ(base, (word)L4_GetKernelInterface());
	EXPECT_EQ(base & 0xfff, 0);
	EXPECT_EQ(version, L4_API_VERSION);
	EXPECT_EQ(flags, L4_API_FLAGS);
	EXPECT_EQ(id, L4_KERNEL_ID);
}

static void lock_nop_keeps_registers(void)
{
	word b = 0x1111, d = 0x2222, r8 = 0x3333, r15 = 0x4444;
	word bo, r8o, r15o;

	(void)d;
	__asm__ __volatile__(
		"movq %3, %%rbx\n\tmovq %4, %%r8\n\tmovq %5, %%r15\n\t"
		"lock; nop\n\t"
		"movq %%rbx, %0\n\tmovq %%r8, %1\n\tmovq %%r15, %2"
		: "=&m"(bo), "=&m"(r8o), "=&m"(r15o)
		: "m"(b), "m"(r8), "m"(r15)
		: "rax", "rbx", "rcx", "rdx", "rsi", "r8", "r15", "memory");
	EXPECT_EQ(bo, b);
	EXPECT_EQ(r8o, r8);
	EXPECT_EQ(r15o, r15);
}

static void fields(void)
{
	EXPECT_EQ(field(L4_KIP_MAGIC_OFS) & 0xffffffff, L4_KIP_MAGIC);
	EXPECT_EQ(field(L4_KIP_API_VERSION), L4_API_VERSION);
	EXPECT_EQ(field(L4_KIP_API_FLAGS), L4_API_FLAGS);
	/* ThreadInfo: t bits 0..7, SystemBase 8..19, UserBase 20..31. */
	EXPECT_EQ(field(L4_KIP_THREAD_INFO) & 0xff, L4_THREAD_BITS);
	EXPECT_EQ(field(L4_KIP_THREAD_INFO) >> 8 & 0xfff, L4_SYSTEM_BASE);
	EXPECT_EQ(field(L4_KIP_THREAD_INFO) >> 20 & 0xfff, L4_USER_BASE);
	/* UtcbInfo: m bits 0..9, a bits 10..15, s bits 16..21. */
	EXPECT_EQ((field(L4_KIP_UTCB_INFO) & 0x3ff) << (field(L4_KIP_UTCB_INFO) >> 10 & 0x3f), L4_UTCB_SIZE);
	EXPECT_EQ(field(L4_KIP_UTCB_INFO) >> 10 & 0x3f, 12);
	EXPECT_EQ(field(L4_KIP_UTCB_INFO) >> 16 & 0x3f, 12);
	EXPECT_EQ(field(L4_KIP_KIP_INFO) & 0x3f, 12);
	/* PageInfo: page-size mask from bit 10, rights 0..2. 4 KiB must be there. */
	EXPECT(field(L4_KIP_PAGE_INFO) & 0x1000);
	EXPECT_EQ(field(L4_KIP_PAGE_INFO) & 7, 7);
}

static void stub_addresses(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(stubs) / sizeof(stubs[0]); i++)
		EXPECT_EQ(field(L4_KIP_SYSCALLS + 8 * i), L4_STUB_BASE + (stubs[i] << L4_STUB_BITS));
	EXPECT_EQ(field(L4_KIP_ARCH_SYSCALLS), L4_STUB_BASE + ((word)L4_SYS_FRAME_CONTROL << L4_STUB_BITS));
}

static void stub_bytes(void)
{
	const volatile unsigned char *page = (const volatile unsigned char *)L4_STUB_BASE;
	unsigned int i;

	for (i = 0; i < sizeof(stubs_golden); i++) {
		if (!EXPECT_EQ(page[i], stubs_golden[i]))
			test_note("at offset", i);
	}
}

static void memory_descriptors(void)
{
	word info = field(L4_KIP_MEMORY_INFO), n = info & 0xffffffff, i, conventional = 0;
	const word *desc = (const word *)((word)L4_GetKernelInterface() + (info >> 32));

	REQUIRE(n > 0 && n < 200);
	for (i = 0; i < n; i++) {
		word low = desc[2 * i] & ~0x3ffUL, high = desc[2 * i + 1] | 0x3ff;

		EXPECT(low < high);
		if ((desc[2 * i] & 0xf) == 1)
			conventional += high - low + 1;
	}
	/* They describe the store, so there is at least what this program uses. */
	EXPECT_GE(conventional, 1UL << 24);
}

static void proc_descriptor(void)
{
	word info = field(L4_KIP_PROCESSOR_INFO);

	EXPECT_EQ(info & 0xffff, 0);            /* number of processors minus one */
	EXPECT(field(L4_KIP_CLOCK_INFO) != 0);
}

/* The KIP and the stub page refuse writes: the writer's exception or page fault goes to its handlers. */
static volatile word wrote;

static void write_kip(void *arg)
{
	*(volatile word *)arg = 0;
	wrote = 1;
}

static void try_write(word address)
{
	L4_ThreadId_t victim = test_space();

	wrote = 0;
	test_space_start(victim, write_kip, (void *)address);
	test_sleep_us(20000);
	EXPECT_EQ(wrote, 0);
	EXPECT_EQ(field(L4_KIP_MAGIC_OFS) & 0xffffffff, L4_KIP_MAGIC);
	test_delete(victim);
}

static void read_only(void)
{
	try_write(TEST_KIP);
	try_write(L4_STUB_BASE);
}

static volatile word other_kip;

static void find_kip(void *arg)
{
	(void)arg;
	other_kip = (word)L4_GetKernelInterface();
}

static void kip_in_other_space(void)
{
	L4_ThreadId_t tid = test_space();

	other_kip = 0;
	test_space_start(tid, find_kip, 0);
	test_wait_flag(&other_kip, 1);
	EXPECT_EQ(other_kip, TEST_KIP);
	test_delete(tid);
}

static const char remark[] = "T> # printed in one piece\n";

static void debug_text(void)
{
	static char room[L4_KDB_TEXT_MAX + 1];
	word printed = 0;

	for (int try = 0; try < 100 && !printed; try++) {       /* chaos may take the page away right after the touch */
		(void)*(const volatile char *)remark;
		(void)*(const volatile char *)(remark + sizeof remark - 2);
		printed = L4_KDB_PrintText(remark, sizeof remark - 1);
	}
	EXPECT_EQ(printed, sizeof remark - 1);
	EXPECT_EQ(L4_KDB_PrintText(room, sizeof room), 0);
	EXPECT_EQ(L4_KDB_PrintText(remark, 0), 0);
	EXPECT_EQ(L4_KDB_PrintText((const char *)0x700000000000, 8), 0);
	EXPECT_EQ(L4_KDB_PrintText((const char *)0xffff800000000000, 8), 0);
	EXPECT_EQ(L4_KDB_PrintText((const char *)~0ul - 3, 8), 0);
}

const struct test tests[] = {
	{ .name = "lock nop finds it", .run = lock_nop },
	{ .name = "lock nop keeps the other registers", .run = lock_nop_keeps_registers },
	{ .name = "fields", .run = fields },
	{ .name = "addresses of the stubs", .run = stub_addresses },
	{ .name = "bytes of the stubs", .run = stub_bytes },
	{ .name = "memory descriptors", .run = memory_descriptors },
	{ .name = "processor and clock", .run = proc_descriptor },
	{ .name = "another space sees its own address", .run = kip_in_other_space },
	{ .name = "KIP and stubs cannot be written", .run = read_only },
	{ .name = "debug text whole or not at all", .run = debug_text },
	{ 0 }
};
