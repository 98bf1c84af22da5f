/* SPDX-License-Identifier: BSD-2-Clause
 * Property: a local id is the address of the thread's MR0 and may stand wherever a global id may, within its space;
 * a made-up local id harms only the thread that uses it. Guards kernel/x86/stubs.asm, kernel/thread.c.
 */
#include "test.h"

const char test_suite[] = "localid";

static volatile word finished, value;

static void answer_once(void *arg)
{
	L4_ThreadId_t from;

	(void)arg;
	for (;;) {
		(void)L4_Wait(&from);
		test_load(1, 1, test_mr(1) + 1, 0);
		(void)L4_Reply(from);
	}
}

static void use_bad_id(void *arg)
{
	L4_ThreadId_t id = { .raw = (word)arg };

	test_load(1, 0, 0, 0);
	value = L4_IpcFailed(L4_Send_Timeout(id, L4_TimePeriod(5000))) ? L4_ErrorCode() : 1000;
	finished = 1;
}

static void own_ids(void)
{
	L4_ThreadId_t global = L4_MyGlobalId(), local = L4_MyLocalId();

	EXPECT(L4_IsGlobalId(global));
	EXPECT(L4_IsLocalId(local));
	EXPECT_EQ(L4_LocalIdOf(global).raw, local.raw);
	EXPECT_EQ(L4_GlobalIdOf(local).raw, global.raw);
	EXPECT_EQ(L4_ThreadNo(global), L4_ROOT_TNO);
	EXPECT_EQ(L4_Version(global), 1);
}

static void conversions(void)
{
	L4_ThreadId_t tid = test_thread(answer_once, 0), local = L4_LocalIdOf(tid);

	EXPECT(L4_IsLocalId(local));
	EXPECT_EQ(L4_GlobalIdOf(local).raw, tid.raw);
	EXPECT(test_same(local, tid));
	test_delete(tid);
}

static void ipc_by_local_id(void)
{
	L4_ThreadId_t tid = test_thread(answer_once, 0), local = L4_LocalIdOf(tid), from = L4_nilthread;

	EXPECT_IPC_OK(test_call(local, 1, 4, 0));
	EXPECT_EQ(test_mr(1), 5);
	test_load(1, 1, 6, 0);
	EXPECT_IPC_OK(L4_Ipc(local, tid, L4_Timeouts(L4_Never, L4_TimePeriod(1000000)), &from));
	EXPECT_EQ(test_mr(1), 7);
	EXPECT(test_same(from, tid));
	test_delete(tid);
}

static void made_up(void)
{
	static const word ids[] = { 0x40, 0x1000, 0xffffffff80000040, 0x8000000000000000, 0x7fffffffffc0,
	                            0xffffffffffffff80 };
	unsigned int i;

	for (i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		L4_ThreadId_t tid = test_space();

		finished = 0;
		test_space_start(tid, use_bad_id, (void *)ids[i]);
		test_sleep_us(10000);
		/* It faults reading its partner's UTCB, or gets an error; never a success. */
		EXPECT(!finished || value != 1000);
		test_delete(tid);
	}
	EXPECT(test_boot() != 0);
}

static void free_slot(void)
{
	/* A slot of the UTCB area that no thread has. */
	L4_ThreadId_t tid;
	word address = (word)test_utcb(200) + L4_UTCB_MR_OFFSET;

	finished = 0;
	tid = test_thread(use_bad_id, (void *)address);
	test_sleep_us(20000);
	EXPECT(!finished || value != 1000);
	test_delete(tid);
}

const struct test tests[] = {
	{ .name = "made-up local ids", .run = made_up },
	{ .name = "a slot that no thread has", .run = free_slot },
	{ .name = "own ids", .run = own_ids },
	{ .name = "conversions", .run = conversions },
	{ .name = "IPC by local id", .run = ipc_by_local_id },
	{ 0 }
};
