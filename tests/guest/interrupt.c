/* SPDX-License-Identifier: BSD-2-Clause
 * Property: interrupts are threads (X.2 7.4) that only the privileged may take, and only for themselves as residual
 * drivers: a persistent program cannot own one, nor be fooled by a false interrupt message. Guards kernel/irq.c.
 */
#include "test.h"

const char test_suite[] = "interrupt";

static volatile word result, error, finished;

static void take_it(void *arg)
{
	(void)arg;
	result = L4_AssociateInterrupt(L4_GlobalId(5, 1), L4_Myself());
	error = L4_ErrorCode();
	finished = 1;
}

static void unprivileged(void)
{
	L4_ThreadId_t tid = test_space();

	finished = 0;
	test_space_start(tid, take_it, 0);
	test_wait_flag(&finished, 1);
	EXPECT_EQ(result, 0);
	EXPECT_EQ(error, L4_ERR_NO_PRIVILEGE);
	test_delete(tid);
}

static void not_an_interrupt(void)
{
	/* Numbers between the last interrupt and SystemBase, and wrong versions. */
	EXPECT_EQ(L4_AssociateInterrupt(L4_GlobalId(63, 1), L4_Myself()), 0);
	EXPECT_EQ(L4_AssociateInterrupt(L4_GlobalId(L4_SYSTEM_BASE, 1), L4_Myself()), 0);
	EXPECT_EQ(L4_DeassociateInterrupt(L4_GlobalId(62, 1)), 0);
	EXPECT(test_boot() != 0);
}

static void in_use_elsewhere(void)
{
	/* The timer and the disk go on, whatever we tried: sleeps end and the server answers. */
	word i;

	for (i = 0; i < 48; i++) {
		if (i != 1 && i != 4)
			(void)L4_DeassociateInterrupt(L4_GlobalId(i, 1));
	}
	test_sleep_us(2000);
	EXPECT(test_boot() != 0);
}

static void send_to_interrupt(void)
{
	test_load(0, 0, 0, 0);
	EXPECT(L4_IpcFailed(L4_Send_Timeout(L4_GlobalId(7, 1), L4_TimePeriod(5000))));
	EXPECT(L4_IpcFailed(L4_Receive_Timeout(L4_GlobalId(7, 1), L4_TimePeriod(5000))));
}

const struct test tests[] = {
	{ .name = "unprivileged caller", .run = unprivileged },
	{ .name = "numbers that are no interrupts", .run = not_an_interrupt },
	{ .name = "IPC with an interrupt that is not ours", .run = send_to_interrupt },
	{ .name = "others' interrupts cannot be taken away", .run = in_use_elsewhere },
	{ 0 }
};
