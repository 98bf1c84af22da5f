/* SPDX-License-Identifier: BSD-2-Clause
 * libl4 on the host: everything that needs no kernel. Properties:
 *   encodings   time values, fpages, ids, tags and items have the bits the X.2 manual gives them;
 *   messages    what is put into a message comes out of it, and loads to the right registers;
 *   registers   each system call hands over and takes back exactly the registers of docs/abi.md, and no
 *               compiler's frame survives only by luck: the stub here destroys every register it may;
 *   text        formatting agrees with the host's C library, strings with their definitions.
 * The UTCB is an array, the kernel's stubs are one function that records and replaces all registers.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <setjmp.h>
#include <cmocka.h>

#define L4_HOST_UTCB
#include <l4/thread.h>
#include <l4/ipc.h>
#include <l4/space.h>
#include <l4/schedule.h>
#include <l4/misc.h>
#include <l4/kip.h>
#include <l4/sigma0.h>
#include <l4/pagefault.h>
#include <l4/arch.h>
#include <l4/date.h>
#include <l4/threadinfo.h>
#include <l4/amd64/compat.h>

/* The library's functions under other names, beside the host's. */
#define memcpy own_memcpy
#define memmove own_memmove
#define memset own_memset
#define memcmp own_memcmp
#define memchr own_memchr
#define strlen own_strlen
#define strnlen own_strnlen
#define strcmp own_strcmp
#define strncmp own_strncmp
#define strchr own_strchr
#define strrchr own_strrchr
#define strstr own_strstr
#define strlcpy own_strlcpy
#define strtoul own_strtoul
#define strtol own_strtol
#define snprintf own_snprintf
#define vsnprintf own_vsnprintf
#include "libl4/string.c"
#include "libl4/print.c"
#include "libl4/date.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr
#undef strrchr
#undef strstr
#undef strlcpy
#undef strtoul
#undef strtol
#undef snprintf
#undef vsnprintf

/* ---- A UTCB, and a kernel of one function ------------------------------------------------------------------ */

static L4_Word_t utcb[L4_UTCB_SIZE / sizeof(L4_Word_t)];
static L4_Word_t *const mr = utcb + L4_UTCB_MR_OFFSET / sizeof(L4_Word_t);

L4_Word_t *__L4_X86_Utcb(void)
{
	return mr;
}

enum { RAX, RBX, RCX, RDX, RSI, RDI, RBP, R8, R9, R10, R11, R12, R13, R14, R15, REGS };
L4_Word_t stub_in[REGS], stub_out[REGS];
void stub(void);

#define EACH_REGISTER(X) \
	X(rax, 0) X(rbx, 8) X(rcx, 16) X(rdx, 24) X(rsi, 32) X(rdi, 40) X(rbp, 48) X(r8, 56) X(r9, 64) \
	X(r10, 72) X(r11, 80) X(r12, 88) X(r13, 96) X(r14, 104) X(r15, 112)
#define SAVE(reg, at) "movq %" #reg ", stub_in+" #at "(%rip)\n\t"
#define LOAD(reg, at) "movq stub_out+" #at "(%rip), %" #reg "\n\t"
__asm__(".text\n.globl stub\n.type stub, @function\nstub:\n\t"
	EACH_REGISTER(SAVE)
	"pushq $-1\n\tpushq $-1\n\tpopq %rax\n\tpopq %rax\n\t"
	EACH_REGISTER(LOAD)
	"ret\n");

__L4_Ipc_t __L4_Ipc = stub;
__L4_Lipc_t __L4_Lipc = stub;
__L4_Unmap_t __L4_Unmap = stub;
__L4_Schedule_t __L4_Schedule = stub;
__L4_ThreadSwitch_t __L4_ThreadSwitch = stub;
__L4_SystemClock_t __L4_SystemClock = stub;
__L4_ExchangeRegisters_t __L4_ExchangeRegisters = stub;
__L4_ThreadControl_t __L4_ThreadControl = stub;
__L4_SpaceControl_t __L4_SpaceControl = stub;
__L4_ProcessorControl_t __L4_ProcessorControl = stub;
__L4_MemoryControl_t __L4_MemoryControl = stub;
__L4_FrameControl_t __L4_FrameControl = stub;
__L4_ThreadInfo_t __L4_ThreadInfo = stub;


static void fill(L4_Word_t seed)
{
	for (int i = 0; i < REGS; i++) {
		stub_in[i] = 0;
		stub_out[i] = seed + (L4_Word_t)i;
	}
	for (int i = 0; i < L4_NUM_MRS; i++)
		mr[i] = 0x3000 + (L4_Word_t)i;
}

static L4_ThreadId_t id(L4_Word_t raw)
{
	return (L4_ThreadId_t) { raw };
}

/* ---- Encodings --------------------------------------------------------------------------------------------------- */

static void fpages(void **state)
{
	L4_Fpage_t f = L4_Fpage(0x12345000, 4096);

	(void)state;
	assert_int_equal(f.raw, 0x12345000 | 12 << 4);
	assert_int_equal(f.X.b, 0x12345000 >> 10);
	assert_int_equal(f.X.s, 12);
	assert_int_equal(L4_SizeLog2(L4_Fpage(0, 4097)), 13);
	assert_int_equal(L4_Size(f), 4096);
	assert_int_equal(L4_Address(L4_FpageLog2(0x40123000, 21)), 0x40000000);
	assert_int_equal(L4_Address(L4_FpageLog2(~0UL, 12)), 0xfffffffffffff000);
	assert_int_equal(L4_Rights(L4_FpageAddRights(f, L4_ReadWriteOnly)), 6);
	assert_int_equal(L4_Rights(L4_FpageRemoveRights(L4_FpageAddRights(f, L4_FullyAccessible), L4_Writable)), 5);
	L4_Set_Rights(&f, L4_ReadeXecOnly);
	assert_int_equal(f.X.rwx, 5);
	assert_true(L4_IsNilFpage(L4_Nilpage));
	assert_int_equal(L4_CompleteAddressSpace.raw, 0x10);
	assert_int_equal(L4_Size(L4_Nilpage), 0);
	assert_int_equal(L4_IoFpage(0x3f8, 8).raw, 0x3f8 << 16 | 3 << 10 | 2 << 4);
	assert_int_equal(L4_IoFpageSize(L4_IoFpage(0, 65536)), 65536);
	assert_int_equal(L4_IoFpagePort(L4_IoFpage(0x3f8, 5)), 0x3f8);
	assert_true(L4_IsIoFpage(L4_IoFpage(0x60, 1)));
	assert_false(L4_IsIoFpage(f));
}

static void thread_ids(void **state)
{
	L4_ThreadId_t t = L4_GlobalId(128, 1);

	(void)state;
	assert_int_equal(t.raw, 128UL << 32 | 1);
	assert_int_equal(t.global.X.thread_no, 128);
	assert_int_equal(L4_ThreadNo(t), 128);
	assert_int_equal(L4_Version(t), 1);
	assert_true(L4_IsGlobalId(t));
	assert_true(L4_IsLocalId(id(0xbf000200)));
	assert_true(L4_IsLocalId(L4_anylocalthread));
	assert_true(L4_IsGlobalId(L4_anythread));
	assert_int_equal(L4_anylocalthread.local.X.local_id, ~0UL >> 6);
	assert_true(L4_IsNilThread(L4_nilthread));
	assert_int_equal(L4_ThreadId32(t).raw, 128 << 14 | 1);
	assert_int_equal(L4_ThreadIdFrom32(L4_ThreadId32(t)).raw, t.raw);
	assert_int_equal(L4_ThreadIdFrom32(L4_anylocalthread32).raw, L4_anylocalthread.raw);
	assert_int_equal(L4_ThreadId32(L4_anylocalthread).raw, L4_anylocalthread32.raw);
}

static void time_periods(void **state)
{
	(void)state;
	assert_int_equal(L4_Never.raw, 0);
	assert_int_equal(L4_ZeroTime.raw, 0x400);
	assert_int_equal(L4_TimePeriod(0).raw, L4_ZeroTime.raw);
	assert_int_equal(L4_TimePeriod(1023).raw, 1023);
	assert_int_equal(L4_TimePeriod(1024).raw, 1 << 10 | 512);
	assert_int_equal(L4_TimePeriod(1UL << 62).raw, 0);
	assert_int_equal(L4_TimePeriod(1023UL << 31).raw, 31 << 10 | 1023);
	assert_int_equal(L4_TimePeriod((1023UL << 31) + 1).raw, 0);
	for (L4_Word64_t us = 1; us < 1UL << 41; us += us / 7 + 1) {
		L4_Word64_t got = __L4_TimeUsec(L4_TimePeriod(us));

		assert_true(got <= us && us - got <= us / 512);
	}
	assert_int_equal(__L4_TimeUsec(L4_TimeAdd(L4_TimePeriod(500), 500)), 1000);
	assert_int_equal(L4_TimeSub(L4_TimePeriod(500), 501).raw, L4_ZeroTime.raw);
	assert_int_equal(L4_TimeAdd(L4_Never, 5).raw, 0);
	assert_true(L4_IsTimeLonger(L4_Never, L4_TimePeriod(1000000)));
	assert_true(L4_IsTimeShorter(L4_ZeroTime, L4_TimePeriod(1)));
	assert_true(L4_IsTimeEqual(L4_ZeroTime, __L4_Time(5 << 10)));
	assert_int_equal(L4_Timeouts(L4_ZeroTime, L4_TimePeriod(7)), 0x400 << 16 | 7);
}

/* A time point as the manual defines it, decoded at a clock value. */
static uint64_t decode_point(L4_Time_t t, uint64_t now)
{
	unsigned e = t.point.e;
	uint64_t window = now >> (e + 10);

	assert_true(t.point.a);
	if ((window & 1) != t.point.c)
		window++;
	return ((window << 10) | t.point.m) << e;
}

static void time_points(void **state)
{
	uint64_t now = 0x123456789, seed = 1;

	(void)state;
	assert_int_equal(__L4_TimePointFrom((L4_Clock_t) { 1000 }, (L4_Clock_t) { 1000 }).raw, L4_ZeroTime.raw);
	assert_int_equal(__L4_TimePointFrom((L4_Clock_t) { 1000 }, (L4_Clock_t) { 1 }).raw, L4_ZeroTime.raw);
	assert_int_equal(__L4_TimePointFrom((L4_Clock_t) { now }, (L4_Clock_t) { now + (1UL << 26) }).raw, 0);
	for (int i = 0; i < 200000; i++) {
		uint64_t at, got;
		L4_Time_t t;

		seed = seed * 6364136223846793005UL + 1442695040888963407UL;
		now = seed >> 16;
		at = now + 1 + (seed >> 20) % (1UL << (seed >> 59) % 26);
		t = __L4_TimePointFrom((L4_Clock_t) { now }, (L4_Clock_t) { at });
		if (t.raw == 0) {
			assert_true(at - now > (1UL << 25) - (1 << 15));
			continue;
		}
		got = decode_point(t, now);
		assert_true(got >= at && got - at < 1UL << t.point.e);
		assert_true(t.point.e == 0 || at - now > 1UL << (t.point.e + 8));
	}
}

static void tags_and_items(void **state)
{
	L4_MsgTag_t tag = L4_Niltag;
	L4_MapItem_t m = L4_MapItem(L4_Fpage(0x7000, 4096), 0x123456);
	L4_GrantItem_t g = L4_GrantItem(L4_Fpage(0x7000, 4096), 0x123456);
	L4_StringItem_t s = L4_StringItem(100, utcb);

	(void)state;
	L4_Set_Label(&tag, 0xabcd);
	tag.X.u = 3;
	tag.X.t = 4;
	assert_int_equal(tag.raw, 0xabcdUL << 16 | 4 << 6 | 3);
	assert_int_equal(L4_Label(tag), 0xabcd);
	assert_int_equal(L4_UntypedWords(tag), 3);
	assert_int_equal(L4_TypedWords(tag), 4);
	L4_Set_Propagation(&tag);
	assert_true(L4_IpcPropagated(tag) && tag.X.flags == 1 && L4_IpcSucceeded(tag));
	assert_true(L4_IpcFailed((L4_MsgTag_t) { 1 << 15 }));
	assert_int_equal(m.raw[0], (0x123456 & ~0x3ff) | 8);
	assert_int_equal(m.X.__type, 4);
	assert_int_equal(g.X.__type, 5);
	assert_true(L4_IsMapItem(m) && !L4_IsGrantItem((L4_GrantItem_t) { { m.raw[0], 0 } }));
	assert_int_equal(L4_MapItemSndBase(m), 0x123400);
	assert_int_equal(L4_MapItemSndFpage(m).raw, L4_Fpage(0x7000, 4096).raw);
	assert_int_equal(s.raw[0], 100 << 10);
	assert_true(L4_IsStringItem(&s) && !L4_CompoundString(&s) && L4_Substrings(&s) == 1);
	assert_ptr_equal(L4_Substring(&s, 1), utcb);
	s = L4_AddCacheAllocationHint(s, (L4_CacheAllocationHint_t) { 2 });
	assert_true(L4_CacheAllocationHint(s).raw == 2 && L4_IsStringItem(&s));
	assert_true(L4_IsPageFault((L4_MsgTag_t) { (L4_Word_t)-2 << 20 | 2UL << 16 | 2 }));
	assert_int_equal(L4_PageFaultAccess((L4_MsgTag_t) { (L4_Word_t)-2 << 20 | 2UL << 16 | 2 }), L4_Writable);
	assert_false(L4_IsPageFault((L4_MsgTag_t) { (L4_Word_t)-5 << 20 | 2 }));
}

/* ---- Messages ---------------------------------------------------------------------------------------------------- */

static void message_building(void **state)
{
	L4_Msg_t msg, back;
	L4_Word_t words[2] = { 11, 12 }, got[2], items[4], w;
	L4_MapItem_t m = L4_MapItem(L4_Fpage(0x7000, 4096), 0), m2;
	L4_GrantItem_t g = L4_GrantItem(L4_Fpage(0x9000, 4096), 0x400), g2;

	(void)state;
	L4_MsgClear(&msg);
	L4_Set_MsgLabel(&msg, 0x77);
	L4_MsgAppendWord(&msg, 1);
	L4_MsgAppendMapItem(&msg, m);
	L4_MsgAppendWord(&msg, 2);	/* moves the item up */
	L4_MsgAppendGrantItem(&msg, g);
	assert_int_equal(msg.raw[0], 0x77 << 16 | 4 << 6 | 2);
	assert_int_equal(L4_MsgWord(&msg, 0), 1);
	L4_MsgGetWord(&msg, 1, &w);
	assert_int_equal(w, 2);
	assert_int_equal(L4_MsgGetMapItem(&msg, 0, &m2), 2);
	assert_int_equal(L4_MsgGetGrantItem(&msg, 2, &g2), 2);
	assert_int_equal(m2.raw[0], m.raw[0]);
	assert_int_equal(g2.raw[1], g.raw[1]);
	fill(0);
	L4_MsgLoad(&msg);
	assert_memory_equal(mr, msg.raw, 7 * sizeof(L4_Word_t));
	assert_int_equal(mr[7], 0x3007);
	L4_MsgStore(L4_MsgTag(), &back);
	assert_memory_equal(&back, &msg, 7 * sizeof(L4_Word_t));
	L4_MsgPut(&msg, 5, 2, words, 2, m.raw);
	L4_MsgGet(&msg, got, items);
	assert_memory_equal(got, words, sizeof(words));
	assert_memory_equal(items, m.raw, sizeof(m));
	L4_MsgPutWord(&msg, 1, 99);
	L4_MsgPutGrantItem(&msg, 0, g);
	assert_int_equal(msg.raw[2], 99);
	assert_int_equal(msg.raw[3], g.raw[0]);
	L4_LoadPageFaultReply(L4_Fpage(0x7000, 4096), 0x7123);
	assert_int_equal(mr[0], 2 << 6);
	assert_int_equal(mr[1], 0x7000 | 8);
}

static void compound_strings(void **state)
{
	static char buffer[256];
	L4_StringItem_t area[8], out[8];
	L4_StringItem_t tail = L4_StringItem(64, buffer + 128);
	const L4_Word_t *w = (const L4_Word_t *)area;
	L4_Msg_t msg;

	(void)state;
	area[0] = L4_StringItem(32, buffer);
	L4_AddSubstringAddressTo(area, buffer + 32);
	L4_AddSubstringAddressTo(area, buffer + 64);
	L4_AddSubstringTo(area, &tail);
	assert_int_equal(w[0], 32 << 10 | 1 << 9 | 2 << 4);
	assert_int_equal(w[3], (L4_Word_t)buffer + 64);
	assert_int_equal(w[4], 64 << 10);
	assert_int_equal(L4_Substrings(area), 3);
	assert_true(L4_CompoundString(area));
	assert_ptr_equal(L4_Substring(area, 2), buffer + 32);
	L4_MsgClear(&msg);
	L4_MsgAppendStringItem(&msg, area);
	assert_int_equal(L4_TypedWords(L4_MsgMsgTag(&msg)), 6);
	assert_int_equal(L4_MsgGetStringItem(&msg, 0, out), 6);
	assert_memory_equal(out, area, 6 * sizeof(L4_Word_t));
}

static void acceptors(void **state)
{
	static char buffer[64];
	L4_Acceptor_t a = L4_MapGrantItems(L4_FpageAddRights(L4_Fpage(0x100000, 0x1000), L4_FullyAccessible));
	L4_MsgBuffer_t b;
	L4_Word_t w;

	(void)state;
	assert_int_equal(a.raw, 0x100000 | 12 << 4);
	a = L4_AddAcceptor(a, L4_StringItemsAcceptor);
	assert_true(L4_HasStringItems(a) && L4_HasMapGrantItems(a));
	assert_int_equal(L4_RcvWindow(a).raw, 0x100000 | 12 << 4);
	a = L4_RemoveAcceptor(a, L4_MapGrantItems(L4_CompleteAddressSpace));
	assert_true(L4_HasStringItems(a) && !L4_HasMapGrantItems(a));
	L4_MsgBufferClear(&b);
	L4_MsgBufferAppendSimpleRcvString(&b, L4_StringItem(16, buffer));
	L4_MsgBufferAppendSimpleRcvString(&b, L4_StringItem(32, buffer + 16));
	L4_AcceptStrings(a, &b);
	L4_StoreBR(0, &w);
	assert_int_equal(w, 1);
	assert_int_equal(L4_Accepted().raw, 1);
	assert_int_equal(mr[-17], 16 << 10 | 1);	/* C: another follows */
	assert_int_equal(mr[-18], (L4_Word_t)buffer);
	assert_int_equal(mr[-19], 32 << 10);
	assert_int_equal(mr[-20], (L4_Word_t)buffer + 16);
}

static void control_registers(void **state)
{
	(void)state;
	mr[L4_TCR_MY_GLOBAL_ID] = 5UL << 32 | 1;
	mr[L4_TCR_ERROR_CODE] = 7;
	mr[L4_TCR_FLAGS] = 0;
	assert_int_equal(L4_Myself().raw, 5UL << 32 | 1);
	assert_int_equal(L4_MyLocalId().raw, (L4_Word_t)mr);
	assert_int_equal(L4_ErrorCode(), 7);
	L4_Set_Pager(id(9));
	assert_int_equal(utcb[64 - 12], 9);
	L4_Set_ExceptionHandler(id(10));
	assert_int_equal(utcb[64 - 11], 10);
	__L4_TCR_Set_ThreadWord(1, 12);
	assert_int_equal(utcb[64 - 5], 12);
	assert_false(L4_DisablePreemption());
	assert_true(L4_DisablePreemption());
	L4_Set_CopFlag(2);
	assert_int_equal(mr[L4_TCR_FLAGS], 1 << 6 | 1 << 10);
	assert_true(L4_EnablePreemption());
	assert_false(L4_PreemptionPending());
	assert_string_equal(L4_ErrorCode_String(L4_ErrNoMem), "out of memory");
	assert_string_equal(L4_ErrorCode_String(99), "unknown error");
}

/* ---- Registers of the system calls ---------------------------------------------------------------------------------- */

static void ipc_registers(void **state)
{
	static const int reg[8] = { R9, RAX, RBX, R10, R12, R13, R14, R15 };
	L4_ThreadId_t from = id(1);
	L4_MsgTag_t tag;

	(void)state;
	fill(0x5000);
	stub_out[RDI] = (L4_Word_t)mr;
	tag = L4_Ipc(id(0x111), id(0x222), 0x333, &from);
	assert_int_equal(stub_in[RSI], 0x111);
	assert_int_equal(stub_in[RDX], 0x222);
	assert_int_equal(stub_in[R8], 0x333);
	assert_int_equal(stub_in[RDI], (L4_Word_t)mr);
	assert_int_equal(from.raw, 0x5000 + RSI);
	assert_int_equal(tag.raw, 0x5000 + R9);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(stub_in[reg[i]], 0x3000 + (L4_Word_t)i);
		assert_int_equal(mr[i], 0x5000 + (L4_Word_t)reg[i]);
	}
	assert_int_equal(mr[8], 0x3008);
	fill(0x6000);
	stub_out[RDI] = (L4_Word_t)mr;
	L4_Send(id(0x111));
	assert_int_equal(stub_in[RDX], 0);
	assert_int_equal(stub_in[R8], 0);
	L4_ReplyWait(id(0x111), &from);
	assert_int_equal(stub_in[RDX], ~0UL);
	assert_int_equal(stub_in[R8], 0x400 << 16);
	L4_LreplyWait(id(0x111), &from);
	assert_int_equal(stub_in[RDX], L4_ANYLOCALTHREAD);
	L4_Sleep(L4_TimePeriod(20));
	assert_int_equal(stub_in[RSI], 0);
	assert_int_equal(stub_in[RDX], (L4_Word_t)mr);
	assert_int_equal(stub_in[R8], 20);
	assert_int_equal(L4_Call_Timeouts(id(3), L4_ZeroTime, L4_TimePeriod(5)).raw, 0x6000 + R9);
	assert_true(stub_in[RSI] == 3 && stub_in[RDX] == 3 && stub_in[R8] == (0x400 << 16 | 5));
}

static void unmap_registers(void **state)
{
	static const int reg[8] = { R9, RAX, RBX, R10, R12, R13, R14, R15 };
	L4_Fpage_t f[3] = { { 0xa1 }, { 0xa2 }, { 0xa3 } }, one = { 0xb1 };

	(void)state;
	fill(0x5000);
	stub_out[RDI] = (L4_Word_t)mr;
	L4_FlushFpages(3, f);
	assert_int_equal(stub_in[RDX], 0x42);
	assert_int_equal(stub_in[RDI], (L4_Word_t)mr);
	for (int i = 0; i < 8; i++)
		assert_int_equal(stub_in[reg[i]], i < 3 ? 0xa1 + (L4_Word_t)i : 0x3000 + (L4_Word_t)i);
	assert_int_equal(f[0].raw, 0x5000 + R9);
	assert_int_equal(f[2].raw, 0x5000 + RBX);
	assert_int_equal(L4_UnmapFpage(one).raw, 0x5000 + R9);
	assert_int_equal(stub_in[RDX], 0);
	L4_GetStatus(L4_FpageAddRights(L4_Fpage(0x7000, 4096), L4_FullyAccessible));
	assert_int_equal(stub_in[R9], 0x7000 | 12 << 4);
}

static void control_call_registers(void **state)
{
	L4_Word_t old = 0;
	const L4_Word_t attributes[4] = { 1, 2, 3, 4 };

	(void)state;
	fill(0x7000);
	assert_int_equal(L4_ThreadControl(id(1), id(2), id(3), id(4), (void *)5), 0x7000 + RAX);
	assert_true(stub_in[RDI] == 1 && stub_in[R8] == 2 && stub_in[RDX] == 3 && stub_in[RSI] == 4 && stub_in[R9] == 5);
	assert_int_equal(L4_SpaceControl(id(1), 2, (L4_Fpage_t) { 3 }, (L4_Fpage_t) { 4 }, id(5), &old), 0x7000 + RAX);
	assert_true(stub_in[RDI] == 1 && stub_in[RSI] == 2 && stub_in[RDX] == 3 && stub_in[R8] == 4 && stub_in[R9] == 5);
	assert_int_equal(old, 0x7000 + RDX);
	assert_int_equal(L4_Schedule(id(1), 2, 3, 4, 5, &old), 0x7000 + RAX);
	assert_true(stub_in[RDI] == 1 && stub_in[RDX] == 2 && stub_in[R8] == 3 && stub_in[RSI] == 4 && stub_in[R9] == 5);
	assert_int_equal(old, 0x7000 + RDX);
	assert_int_equal(L4_ProcessorControl(1, 2, 3, 4), 0x7000 + RAX);
	assert_true(stub_in[RDI] == 1 && stub_in[RSI] == 2 && stub_in[RDX] == 3 && stub_in[R8] == 4);
	L4_ThreadSwitch(id(1));
	assert_int_equal(stub_in[RDI], 1);
	assert_int_equal(L4_SystemClock().raw, 0x7000 + RAX);
	assert_int_equal(L4_FrameControl(7), 0x7000 + RAX);
	assert_int_equal(stub_in[RDI], 7);
	assert_int_equal(L4_MemoryControl(9, attributes), 0x7000 + RDX);
	assert_true(stub_in[RDX] == 9 && stub_in[RCX] == 1 && stub_in[RSI] == 2 && stub_in[R8] == 3 && stub_in[R11] == 4);
	assert_true(stub_in[RDI] == (L4_Word_t)mr && stub_in[R9] == 0x3000 && stub_in[R15] == 0x3007);
	L4_Set_Priority(id(3), 0x155);
	assert_true(stub_in[RSI] == 0x55 && stub_in[RDX] == ~0UL && stub_in[R8] == ~0UL && stub_in[R9] == ~0UL);
}

static void exchange_registers(void **state)
{
	L4_Word_t control, sp, ip, flags, handle;
	L4_ThreadId_t pager, r;

	(void)state;
	fill(0x8000);
	r = L4_ExchangeRegisters(id(1), 2, 3, 4, 5, 6, id(7), &control, &sp, &ip, &flags, &handle, &pager);
	assert_true(stub_in[RAX] == 1 && stub_in[RSI] == 2 && stub_in[RDX] == 3 && stub_in[R8] == 4);
	assert_true(stub_in[R9] == 5 && stub_in[R10] == 6 && stub_in[RDI] == 7);
	assert_true(r.raw == 0x8000 + RAX && control == 0x8000 + RSI && sp == 0x8000 + RDX && ip == 0x8000 + R8);
	assert_true(flags == 0x8000 + R9 && handle == 0x8000 + R10 && pager.raw == 0x8000 + RDI);
	L4_Start_SpIp(id(1), 0x100, 0x200);
	assert_true(stub_in[RSI] == 0x11e && stub_in[RDX] == 0x100 && stub_in[R8] == 0x200);
	L4_Stop(id(1));
	assert_int_equal(stub_in[RSI], 0x301);
	assert_int_equal(L4_AbortIpc_and_stop_SpIpFlags(id(1), &sp, &ip, &flags).raw, 0x8000 + RSI);
	assert_true(stub_in[RSI] == 0x307 && ip == 0x8000 + R8);
	assert_int_equal(L4_PagerOf(id(1)).raw, 0x8000 + RDI);
	assert_int_equal(L4_GlobalIdOf(L4_GlobalId(5, 1)).raw, 5UL << 32 | 1);
	assert_int_equal(L4_GlobalIdOf(id(0x1000)).raw, 0x8000 + RAX);
}

static void thread_info(void **state)
{
	struct l4_thread_info info = { .sp = 1 };

	(void)state;
	fill(0x9000);
	assert_int_equal(L4_ThreadInfo(200, &info).raw, 0x9000 + RAX);
	assert_int_equal(stub_in[RDI], 200);
	assert_true(info.state == 0x3000 && info.partner.raw == 0x3003 && info.sp == 0x3007 && info.handle == 0x3009);
	stub_out[RAX] = 0;
	info.sp = 1;
	assert_true(L4_IsNilThread(L4_ThreadInfo(200, &info)));
	assert_int_equal(info.sp, 1);
}

/* Values on the stack, in a function the compiler takes for a leaf, survive a call. */
static __attribute__((noinline)) L4_Word_t sum_across_call(L4_Word_t a, L4_Word_t b)
{
	volatile L4_Word_t local[8] = { a, b, a + b, a - b, a * b, a | b, a & b, a ^ b };

	L4_ThreadSwitch(L4_nilthread);
	return local[0] + local[1] + local[2] + local[3] + local[4] + local[5] + local[6] + local[7];
}

static void stack_survives(void **state)
{
	(void)state;
	fill(0);
	assert_int_equal(sum_across_call(5, 3), 5 + 3 + 8 + 2 + 15 + 7 + 1 + 6);
}

static void kip_accessors(void **state)
{
	static union {
		char bytes[4096];
		L4_Word_t words[512];
	} page;
	L4_KernelInterfacePage_t *kip = (L4_KernelInterfacePage_t *)&page;

	(void)state;
	page.words[L4_KIP_THREAD_INFO / 8] = 18 | 64 << 8 | 126 << 20;
	page.words[L4_KIP_UTCB_INFO / 8] = 1 | 12 << 10 | 13 << 16;
	page.words[L4_KIP_MEMORY_INFO / 8] = 2 | 0x400UL << 32;
	page.words[L4_KIP_KERNDESC_PTR / 8] = 0x800;
	page.words[L4_KIP_PAGE_INFO / 8] = 0x201000 | 7;
	page.words[L4_KIP_BOOT_NUMBER / 8] = 42;
	page.words[L4_KIP_ENTROPY / 8] = 43;
	page.words[L4_KIP_GENERATION / 8] = 44;
	page.words[0x400 / 8] = 1 | 0x1000 | 1 << 9;
	page.words[0x408 / 8] = 0x3fffc00;
	page.words[0x410 / 8] = 0xe | 3 << 4;
	own_memcpy(page.bytes + 0x820, "kernel\0one\0two\0", 16);
	assert_int_equal(L4_ThreadIdBits(kip), 18);
	assert_int_equal(L4_ThreadIdSystemBase(kip), 64);
	assert_int_equal(L4_ThreadIdUserBase(kip), 126);
	assert_int_equal(L4_UtcbSize(kip), 4096);
	assert_int_equal(L4_UtcbAreaSize(kip), 8192);
	assert_int_equal(L4_PageSizeMask(kip), 0x201000);
	assert_true(L4_BootNumber(kip) == 42 && L4_Entropy(kip) == 43 && L4_RecoveredGeneration(kip) == 44);
	assert_int_equal(L4_NumMemoryDescriptors(kip), 2);
	assert_int_equal(L4_MemoryDescType(L4_MemoryDesc(kip, 0)), 1);
	assert_true(L4_IsMemoryDescVirtual(L4_MemoryDesc(kip, 0)));
	assert_int_equal(L4_MemoryDescLow(L4_MemoryDesc(kip, 0)), 0x1000);
	assert_int_equal(L4_MemoryDescHigh(L4_MemoryDesc(kip, 0)), 0x3ffffff);
	assert_int_equal(L4_MemoryDescType(L4_MemoryDesc(kip, 1)), 0x3e);
	assert_null(L4_MemoryDesc(kip, 2));
	assert_string_equal(L4_KernelVersionString(kip), "kernel");
	assert_string_equal(L4_Feature(kip, 0), "one");
	assert_string_equal(L4_Feature(kip, 1), "two");
	assert_null(L4_Feature(kip, 2));
}

/* ---- Text ------------------------------------------------------------------------------------------------------------- */

/* Both formatters, the same arguments; also cut off at every length. */
static void compare_format(const char *format, ...)
{
	char own[300], host[300];
	va_list args, again;
	int n, m;

	va_start(args, format);
	va_copy(again, args);
	n = own_vsnprintf(own, sizeof(own), format, args);
	m = vsnprintf(host, sizeof(host), format, again);
	va_end(again);
	va_end(args);
	if (n != m || strcmp(own, host))
		fail_msg("%s: got \"%s\" (%d), expected \"%s\" (%d)", format, own, n, host, m);
}

static void formatting(void **state)
{
	static const char *const flag[] = { "", "-", "0", "+", " ", "#", "0+", "-#", "0#", "+ " };
	static const char *const width[] = { "", "1", "7", "25", ".0", ".3", "8.3", "12.9", "." };
	static const long value[] = { 0, 1, -1, 9, 10, 255, -256, 123456789, -2147483648L, 9223372036854775807L,
				      -9223372036854775807L - 1 };
	static const char conversion[] = "diuxXo";
	char format[32];

	(void)state;
	for (size_t f = 0; f < sizeof(flag) / sizeof(*flag); f++)
		for (size_t w = 0; w < sizeof(width) / sizeof(*width); w++)
			for (const char *c = conversion; *c; c++)
				for (size_t v = 0; v < sizeof(value) / sizeof(*value); v++) {
					snprintf(format, sizeof(format), "<%%%s%s%c>", flag[f], width[w], *c);
					compare_format(format, (int)value[v]);
					snprintf(format, sizeof(format), "<%%%s%sl%c>", flag[f], width[w], *c);
					compare_format(format, value[v]);
					snprintf(format, sizeof(format), "<%%%s%shh%c>", flag[f], width[w], *c);
					compare_format(format, (int)value[v]);
				}
	compare_format("%s|%10s|%-10s|%.2s|%c|%%|%zu|%lld|%hd", "abc", "abc", "abc", "abc", 'x', (size_t)7, -5LL, 70000);
	compare_format("%*d|%-*d|%.*s|%*s", 6, 42, 6, 42, 2, "abcdef", -8, "q");
	compare_format("%p", (void *)0x1234);
	compare_format("%jd %td", (intmax_t)-3, (ptrdiff_t)4);
	compare_format("plain");
	compare_format("");
}

static void formatting_limits(void **state)
{
	char b[8] = "xxxxxxx";
	const char *odd = "%k %", *volatile null = 0;

	(void)state;
	assert_int_equal(own_snprintf(b, 4, "%s", "abcdef"), 6);
	assert_string_equal(b, "abc");
	assert_int_equal(b[4], 'x');
	assert_int_equal(own_snprintf(b, 1, "%d", 42), 2);
	assert_string_equal(b, "");
	assert_int_equal(own_snprintf(0, 0, "%d", 42), 2);
	assert_int_equal(own_snprintf(b, sizeof(b), odd), 4);
	assert_string_equal(b, "%k %");
	assert_int_equal(own_snprintf(b, sizeof(b), "%s", null), 6);
	assert_string_equal(b, "(null)");
}

static char printed[1024];
static size_t printed_bytes, printed_pieces;

static void record(const char *text, l4_size_t bytes)
{
	memcpy(printed + printed_bytes, text, bytes);
	printed_bytes += bytes;
	printed_pieces++;
	assert_true(bytes <= 512);
}

static void output(void **state)
{
	(void)state;
	l4_set_output(record);
	assert_int_equal(l4_printf("%d%600s%c", 1, "", 'e'), 602);
	assert_int_equal(printed_bytes, 602);
	assert_int_equal(printed_pieces, 2);
	assert_true(printed[0] == '1' && printed[601] == 'e');
	l4_print("");
	l4_print("xyz");
	assert_memory_equal(printed + 602, "xyz", 3);
	l4_set_output(0);
}

static void memory_functions(void **state)
{
	unsigned char a[160], b[160];

	(void)state;
	for (size_t n = 0; n < 70; n++)
		for (size_t from = 0; from < 40; from += 3)
			for (size_t to = 0; to < 40; to += 5) {
				for (size_t i = 0; i < sizeof(a); i++)
					a[i] = b[i] = (unsigned char)(i * 7);
				assert_ptr_equal(own_memmove(a + to, a + from, n), a + to);
				memmove(b + to, b + from, n);
				assert_memory_equal(a, b, sizeof(a));
				own_memcpy(a + 80, a, n);
				memcpy(b + 80, b, n);
				own_memset(a + to, (int)n + 200, from);
				memset(b + to, (int)n + 200, from);
				assert_memory_equal(a, b, sizeof(a));
			}
	assert_true(own_memcmp("abc", "abd", 3) < 0 && own_memcmp("\xff", "a", 1) > 0 && own_memcmp("abc", "abd", 2) == 0);
	assert_ptr_equal(own_memchr(a, a[9], 1), a[0] == a[9] ? a : NULL);
}

static void string_functions(void **state)
{
	static const char *const s[] = { "", "a", "ab", "abc", "b", "\xff", "aba" };
	const char *text = "a/b/c";
	char buffer[4];

	(void)state;
	for (size_t i = 0; i < 7; i++)
		for (size_t j = 0; j < 7; j++) {
			int own = own_strcmp(s[i], s[j]), host = strcmp(s[i], s[j]);

			assert_true((own < 0) == (host < 0) && (own > 0) == (host > 0));
			own = own_strncmp(s[i], s[j], 2);
			host = strncmp(s[i], s[j], 2);
			assert_true((own < 0) == (host < 0) && (own > 0) == (host > 0));
			assert_ptr_equal(own_strstr(s[i], s[j]), strstr(s[i], s[j]));
		}
	assert_int_equal(own_strlen("hello"), 5);
	assert_int_equal(own_strnlen("hello", 3), 3);
	assert_ptr_equal(own_strchr(text, '/'), text + 1);
	assert_ptr_equal(own_strrchr(text, '/'), text + 3);
	assert_ptr_equal(own_strchr(text, 0), text + 5);
	assert_null(own_strchr(text, 'x'));
	assert_null(own_strrchr(text, 'x'));
	assert_int_equal(own_strlcpy(buffer, "abcdef", sizeof(buffer)), 6);
	assert_string_equal(buffer, "abc");
	assert_int_equal(own_strlcpy(buffer, "x", 0), 1);
}

static void numbers(void **state)
{
	static const char *const s[] = { "0", "1", "-1", "+7", " 42x", "0x1f", "0x", "0X7fffffffffffffff", "077", "089", "",
		"-", "x", "18446744073709551615", "18446744073709551616", "9223372036854775808", "-9223372036854775808",
		"-9223372036854775809", "99999999999999999999999", "-0x10", "zz" };
	static const int base[] = { 0, 10, 16, 8, 2, 36 };

	(void)state;
	for (size_t i = 0; i < sizeof(s) / sizeof(*s); i++)
		for (size_t b = 0; b < 6; b++) {
			char *own_end, *end;

			if (own_strtoul(s[i], &own_end, base[b]) != strtoul(s[i], &end, base[b]) || own_end != end)
				fail_msg("strtoul (\"%s\", %d)", s[i], base[b]);
			if (own_strtol(s[i], &own_end, base[b]) != strtol(s[i], &end, base[b]) || own_end != end)
				fail_msg("strtol (\"%s\", %d)", s[i], base[b]);
		}
}

/* As the C library has it: every day of 800 years, at odd times. */
static void dates(void **state)
{
	(void)state;
	for (time_t t = 0; t < 800ll * 365 * 86400; t += 86400 + 4177) {
		struct L4_Date d = L4_DateOf((unsigned long)t);
		struct tm tm;

		gmtime_r(&t, &tm);
		assert_int_equal(d.year, tm.tm_year + 1900);
		assert_int_equal(d.month, tm.tm_mon + 1);
		assert_int_equal(d.day, tm.tm_mday);
		assert_int_equal(d.hour * 3600 + d.minute * 60 + d.second, tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fpages), cmocka_unit_test(thread_ids), cmocka_unit_test(time_periods),
		cmocka_unit_test(time_points), cmocka_unit_test(tags_and_items), cmocka_unit_test(message_building),
		cmocka_unit_test(compound_strings), cmocka_unit_test(acceptors), cmocka_unit_test(control_registers),
		cmocka_unit_test(ipc_registers), cmocka_unit_test(unmap_registers), cmocka_unit_test(control_call_registers),
		cmocka_unit_test(exchange_registers), cmocka_unit_test(thread_info), cmocka_unit_test(stack_survives),
		cmocka_unit_test(kip_accessors), cmocka_unit_test(formatting), cmocka_unit_test(formatting_limits),
		cmocka_unit_test(output), cmocka_unit_test(memory_functions), cmocka_unit_test(string_functions),
		cmocka_unit_test(numbers), cmocka_unit_test(dates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
