/* SPDX-License-Identifier: BSD-2-Clause
 * Threads, spaces, memory and time for the in-guest tests. See test.h.
 *
 * Thread numbers and UTCB slots of the root space are given out once and never again, except that a slot
 * comes back by test_delete: so a test's left-overs cannot be mistaken for the next test's threads.
 */
#include "test.h"
#include <l4/ckpt.h>

#define FIRST_NUMBER    200             /* below: free for suites that need numbers of their own */
#define MAX_SLOTS       256
#define MAX_NUMBERS     1024
#define HEAP_BASE       0x10000000UL    /* in the root's store, above program and stack */
#define PROGRAM_BASE    0x3f0000UL      /* lowest address of the root's program: its first stack */
#define WAIT_LEAST_US   5000000         /* a wait is in vain after so long and so many looks: on a busy host the clock goes on, */
#define WAIT_LOOKS      10000           /* and nobody runs; */
#define WAIT_MOST_US    60000000        /* or after so long */
#define LABEL_START     0x7e57          /* to the pager thread: send thread MR1 its start message (ip MR2, sp MR3) */

static word next_number = FIRST_NUMBER;
static L4_ThreadId_t slot_owner[MAX_SLOTS];
static word heap = HEAP_BASE;
static L4_ThreadId_t pager_id;
static word space_slot[MAX_NUMBERS];    /* UTCB slot of each thread of a test space, by thread number */
volatile word test_faults, test_bad_faults, test_bad_address;

/* First instruction of a test thread: the stack holds fn and arg, then nothing. */
__asm__(
	".globl test_entry\n"
	"test_entry:\n"
	"	popq %rax\n"
	"	popq %rdi\n"
	"	andq $-16, %rsp\n"
	"	xorl %ebp, %ebp\n"
	"	call *%rax\n"
	"	call test_thread_end\n"
	"	ud2\n");
void test_entry(void);
void test_thread_end(void);

void test_thread_end(void)
{
	for (;;)
		L4_Sleep(L4_Never);
}

/* ---- Threads --------------------------------------------------------------------------------------- */

L4_ThreadId_t test_new_id(void)
{
	return L4_GlobalId(__atomic_fetch_add(&next_number, 1, __ATOMIC_RELAXED), 1);
}

void *test_utcb(unsigned int slot)
{
	word base = L4_MyLocalId().raw & ~((word)L4_UTCB_SIZE - 1);
	unsigned int mine;

	for (mine = 1; mine < MAX_SLOTS; mine++) {
		if (slot_owner[mine].raw == L4_MyGlobalId().raw) {
			base -= (word)mine * L4_UTCB_SIZE;
			break;
		}
	}
	return (void *)(base + (word)slot * L4_UTCB_SIZE);
}

unsigned int test_new_slot(void)
{
	unsigned int slot;

	for (slot = 1; slot < MAX_SLOTS; slot++) {
		if (!slot_owner[slot].raw)
			return slot;
	}
	test_abort();
}

void test_claim_slot(unsigned int slot, L4_ThreadId_t tid)
{
	slot_owner[slot] = tid;
}

word test_stack(void (*fn)(void *), void *arg)
{
	word *top = (word *)((word)test_pages(TEST_STACK / 4096) + TEST_STACK - 64);

	top[0] = (word)fn;
	top[1] = (word)arg;
	return (word)top;
}

L4_ThreadId_t test_thread_inactive(L4_ThreadId_t pager)
{
	L4_ThreadId_t tid = test_new_id();
	unsigned int slot = test_new_slot();

	if (!EXPECT_EQ(L4_ThreadControl(tid, L4_Myself(), L4_Myself(), pager, test_utcb(slot)), 1)) {
		test_note("ThreadControl failed, error", L4_ErrorCode());
		test_abort();
	}
	slot_owner[slot] = tid;
	return tid;
}

void test_start(L4_ThreadId_t tid, void (*fn)(void *), void *arg)
{
	L4_Start_SpIp(tid, test_stack(fn, arg), (word)test_entry);
}

L4_ThreadId_t test_thread(void (*fn)(void *), void *arg)
{
	L4_ThreadId_t tid = test_thread_inactive(L4_Pager());

	test_start(tid, fn, arg);
	return tid;
}

void test_delete(L4_ThreadId_t tid)
{
	unsigned int slot;

	EXPECT_EQ(L4_ThreadControl(tid, L4_nilthread, L4_nilthread, L4_nilthread, (void *)-1), 1);
	for (slot = 1; slot < MAX_SLOTS; slot++) {
		if (slot_owner[slot].raw == tid.raw)
			slot_owner[slot] = L4_nilthread;
	}
}

/* Sleep before the next look; false: it is in vain. */
static int wait_more(word begin, word *looks)
{
	word waited = test_now_us() - begin;

	if (waited >= WAIT_MOST_US || (waited >= WAIT_LEAST_US && *looks >= WAIT_LOOKS))
		return 0;
	test_sleep_us(200);
	++*looks;
	return 1;
}

int test_wait_state(L4_ThreadId_t tid, word state)
{
	word begin = test_now_us(), looks = 0, now, old;

	do {
		now = L4_Schedule(tid, ~0UL, ~0UL, ~0UL, ~0UL, &old) & 0xff;
		if (now == state)
			return 1;
	} while (wait_more(begin, &looks));
	return EXPECT_EQ(now, state);
}

int test_wait_flag(volatile word *flag, word least)
{
	word begin = test_now_us(), looks = 0;

	while (*flag < least && wait_more(begin, &looks))
		;
	return *flag >= least ? 1 : EXPECT_GE(*flag, least);
}

int test_same(L4_ThreadId_t a, L4_ThreadId_t b)
{
	return L4_GlobalIdOf(a).raw == L4_GlobalIdOf(b).raw;
}

/* ---- Spaces ---------------------------------------------------------------------------------------- */

/* Answer a fault by the same page of the root space. Writing it first makes it ours and writable. */
/* Loads the answer to a page fault; 0: there is none. */
static int load_mapping(void)
{
	word address = test_mr(1);
	volatile unsigned char *byte = (volatile unsigned char *)address;
	L4_Msg_t msg;

	if (address < PROGRAM_BASE || address >= heap) {
		test_bad_address = address;
		test_bad_faults++;
		return 0;
	}
	(void)__atomic_fetch_add(byte, 0, __ATOMIC_RELAXED);
	test_faults++;
	L4_MsgClear(&msg);
	L4_MsgAppendMapItem(&msg, L4_MapItem(L4_FpageAddRights(L4_FpageLog2(address & ~0xfffUL, 12),
	                                                       L4_FullyAccessible), address & ~0xfffUL));
	L4_MsgLoad(&msg);
	return 1;
}

static void pager_loop(void *arg)
{
	L4_ThreadId_t from, starter;
	int answer = 0;
	L4_MsgTag_t tag;
	word target;

	(void)arg;
	for (;;) {
		tag = answer ? L4_ReplyWait(from, &from) : L4_Wait(&from);
		answer = 0;
		if (L4_IpcFailed(tag))
			continue;
		if (L4_Label(tag) == LABEL_START) {
			target = test_mr(1);
			starter = from;
			test_load(0, 2, test_mr(2), test_mr(3));
			EXPECT(!L4_IpcFailed(L4_Send_Timeout((L4_ThreadId_t){ .raw = target }, L4_TimePeriod(1000000))));
			test_load(0, 0, 0, 0);
			(void)L4_Send_Timeout(starter, L4_ZeroTime);
		} else if ((L4_Label(tag) & ~7UL) == ((word)L4_LABEL_PAGEFAULT << 4 & 0xffffffffffffUL)) {
			answer = load_mapping();
		}
	}
}

L4_ThreadId_t test_pager(void)
{
	if (!pager_id.raw)
		pager_id = test_thread(pager_loop, 0);
	return pager_id;
}

static L4_ThreadId_t space_with(word utcbs, int utcbs_log2)
{
	L4_ThreadId_t tid = test_new_id();
	word old;

	REQUIRE_EQ(L4_ThreadControl(tid, tid, L4_Myself(), L4_nilthread, (void *)-1), 1);
	REQUIRE_EQ(L4_SpaceControl(tid, 0, L4_FpageLog2(TEST_KIP, 12), L4_FpageLog2(utcbs, utcbs_log2), L4_nilthread, &old), 1);
	return tid;
}

L4_ThreadId_t test_space(void)
{
	return space_with(TEST_UTCBS, TEST_UTCB_LOG2);
}

L4_ThreadId_t test_space_many(void)
{
	return space_with(TEST_MANY_UTCBS, TEST_MANY_UTCB_LOG2);
}

L4_ThreadId_t test_space_thread(L4_ThreadId_t first, unsigned int slot)
{
	L4_ThreadId_t tid = test_new_id();

	REQUIRE_EQ(L4_ThreadControl(tid, first, L4_Myself(), L4_nilthread, (void *)-1), 1);
	space_slot[L4_ThreadNo(tid) % MAX_NUMBERS] = slot;
	return tid;
}

static void start_under(L4_ThreadId_t pager, L4_ThreadId_t tid, word utcb, word sp)
{
	L4_Msg_t msg;

	REQUIRE_EQ(L4_ThreadControl(tid, tid, L4_nilthread, pager, (void *)utcb), 1);
	L4_MsgClear(&msg);
	L4_Set_MsgLabel(&msg, LABEL_START);
	L4_MsgAppendWord(&msg, tid.raw);
	L4_MsgAppendWord(&msg, (word)test_entry);
	L4_MsgAppendWord(&msg, sp);
	L4_MsgLoad(&msg);
	REQUIRE(L4_IpcSucceeded(L4_Call(pager)));
}

void test_space_start_under(L4_ThreadId_t pager, L4_ThreadId_t tid, void (*fn)(void *), void *arg)
{
	start_under(pager, tid, TEST_UTCBS, test_stack(fn, arg));
}

L4_ThreadId_t test_pager_under(L4_ThreadId_t pager)
{
	L4_ThreadId_t tid = test_space();

	test_space_start_under(pager, tid, pager_loop, 0);
	return tid;
}

void test_space_start_on(L4_ThreadId_t tid, word utcb, word sp)
{
	start_under(test_pager(), tid, utcb, sp);
}

void test_space_start_at(L4_ThreadId_t tid, word utcb, void (*fn)(void *), void *arg)
{
	test_space_start_on(tid, utcb, test_stack(fn, arg));
}

void test_space_start(L4_ThreadId_t tid, void (*fn)(void *), void *arg)
{
	test_space_start_at(tid, TEST_UTCBS + space_slot[L4_ThreadNo(tid) % MAX_NUMBERS] * L4_UTCB_SIZE, fn, arg);
}

/* ---- Time, memory, checkpoints ------------------------------------------------------------------------- */

word test_now_us(void)
{
	return L4_SystemClock().raw;
}

void test_sleep_us(word us)
{
	L4_Sleep(L4_TimePeriod(us));
}

void *test_pages(unsigned int count)
{
	return (void *)__atomic_fetch_add(&heap, (word)count * 4096, __ATOMIC_RELAXED);
}

word test_random(word *state)
{
	word x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return *state = x;
}

/* ---- Messages ------------------------------------------------------------------------------------------- */

static void receive_maps(void *arg)
{
	L4_ThreadId_t from;

	(void)arg;
	L4_LoadBR(0, L4_CompleteAddressSpace.raw);
	(void)L4_Wait(&from);
	for (;;) {
		L4_LoadBR(0, L4_CompleteAddressSpace.raw);
		L4_LoadMR(0, 1UL << 16);
		(void)L4_ReplyWait(from, &from);
	}
}

L4_ThreadId_t test_map_far(word *page, word count, word *taken)
{
	L4_ThreadId_t tid = test_space();

	*page = 77;
	*taken = 0;
	test_space_start(tid, receive_maps, 0);
	for (word i = 0; i < count; i++) {
		L4_MapItem_t item = L4_MapItem(L4_FpageAddRights(L4_FpageLog2((word)page, 12), 7),
		                               0x100000000000 + (i << 30) % 0x400000000000 + (i << 12));

		L4_LoadMR(0, 1UL << 16 | 2 << 6);
		L4_LoadMR(1, item.raw[0]);
		L4_LoadMR(2, item.raw[1]);
		*taken += L4_IpcSucceeded(L4_Call_Timeouts(tid, L4_TimePeriod(2000000), L4_TimePeriod(2000000)));
	}
	return tid;
}

void test_load(word label, unsigned int untyped, word w1, word w2)
{
	L4_LoadMR(0, label << 16 | untyped);
	L4_LoadMR(1, w1);
	L4_LoadMR(2, w2);
}

word test_mr(int i)
{
	word w;

	L4_StoreMR(i, &w);
	return w;
}

L4_MsgTag_t test_call(L4_ThreadId_t to, word label, word w1, word w2)
{
	test_load(label, 2, w1, w2);
	return L4_Call(to);
}

L4_MsgTag_t test_send(L4_ThreadId_t to, word label, word w1, L4_Time_t timeout)
{
	test_load(label, 1, w1, 0);
	return L4_Send_Timeout(to, timeout);
}

/* ---- Checkpoints ------------------------------------------------------------------------------------------ */

word test_checkpoint(void)
{
	unsigned long generation = 0;

	if (L4_CheckpointAndWait(&generation) != L4_CKPT_OK)
		return 0;
	return generation;
}

word test_boot(void)
{
	return L4_CheckpointBoot();
}

void test_wait_boot(const char *request, word boot)
{
	test_print(request);
	/* Killed somewhere in here; a later periodic checkpoint may resume in the middle of it. */
	while (test_boot() == boot)
		test_sleep_us(20000);
}

void test_exit(word status)
{
	/* Comes back only when the machine went back to a checkpoint that was taken during the call. */
	for (;;) {
		if (L4_ExitEmulator(status) == L4_CKPT_NO_SERVER)
			test_sleep_us(100000);
	}
}
