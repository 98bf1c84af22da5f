/* SPDX-License-Identifier: BSD-2-Clause
 * Property: the seams of recovery. A checkpoint is forced from many threads at every phase of their calls while they
 * work; two crashes come before the next commit; requests with effects are carried out once. After the kill, message
 * counts still agree on both sides (exactly once between persistent threads). Guards two-phase IPC, activation,
 * restart of calls to residual threads.
 */
#include "test.h"
#include <l4/ckpt.h>

const char test_suite[] = "persist_seams";

#define MS 1000UL
#define PAIRS 4

/* ---- Ping-pong under checkpoints ---------------------------------------------------------------------------- */

static volatile word sent[PAIRS], received[PAIRS], mismatch[PAIRS];
static L4_ThreadId_t server[PAIRS], client[PAIRS];

static void serve(void *arg)
{
	word n = (word)arg;
	L4_ThreadId_t from;
	L4_MsgTag_t tag = L4_Wait(&from);

	for (;;) {
		if (L4_IpcFailed(tag) || test_mr(1) != received[n] + 1)
			mismatch[n]++;
		received[n]++;
		test_load(1, 1, received[n], 0);
		tag = L4_ReplyWait(from, &from);
	}
}

static void drive(void *arg)
{
	word n = (word)arg;

	for (;;) {
		L4_MsgTag_t tag;

		sent[n]++;
		tag = test_call(server[n], 1, sent[n], 0);
		if (L4_IpcFailed(tag) || test_mr(1) != sent[n])
			mismatch[n]++;
	}
}

static void ping_setup(void)
{
	word n;

	for (n = 0; n < PAIRS; n++) {
		server[n] = n & 1 ? test_space() : test_thread_inactive(L4_Pager());
		(void)L4_Set_Priority(server[n], 41 + n);
		if (n & 1)
			test_space_start(server[n], serve, (void *)n);
		else
			test_start(server[n], serve, (void *)n);
		client[n] = test_thread_inactive(L4_Pager());
		(void)L4_Set_Priority(client[n], 40);
		test_start(client[n], drive, (void *)n);
	}
	test_sleep_us(50 * MS);
	for (n = 0; n < 10; n++) {
		EXPECT(test_checkpoint() != 0);
		test_sleep_us((n * 777) % 5000);
	}
}

static void ping_check(void)
{
	word n, before[PAIRS];

	for (n = 0; n < PAIRS; n++)
		before[n] = received[n];
	for (n = 0; n < PAIRS; n++) {
		test_wait_flag(&received[n], before[n] + 5);
		EXPECT_EQ(mismatch[n], 0);
		EXPECT(sent[n] - received[n] <= 1);
	}
	for (n = 0; n < PAIRS; n++) {
		test_delete(client[n]);
		test_delete(server[n]);
	}
}

/* ---- Money -------------------------------------------------------------------------------------------------------- */

#define BANKS 3
static volatile word balance[BANKS];
static L4_ThreadId_t bank[BANKS], teller;
static volatile word transfers;

static void bank_body(void *arg)
{
	word n = (word)arg;
	L4_ThreadId_t from;

	(void)L4_Wait(&from);
	for (;;) {
		word amount = test_mr(1), taken = amount;

		if (amount & 1UL << 63) {               /* take */
			taken = amount & 0xff;
			if (taken > balance[n])
				taken = balance[n];
			balance[n] -= taken;
		} else {
			balance[n] += amount;
		}
		test_load(1, 1, taken, 0);
		(void)L4_ReplyWait(from, &from);
	}
}

static void teller_body(void *arg)
{
	word s = 0x777, r;

	(void)arg;
	for (;;) {
		r = test_random(&s);
		if (L4_IpcFailed(test_call(bank[r % BANKS], 1, 1UL << 63 | (r >> 8 & 0xff), 0)))
			EXPECT(0);
		if (L4_IpcFailed(test_call(bank[(r >> 20) % BANKS], 1, test_mr(1), 0)))
			EXPECT(0);
		transfers++;
	}
}

static void bank_setup(void)
{
	word n;

	for (n = 0; n < BANKS; n++) {
		balance[n] = 1000;
		bank[n] = test_thread_inactive(L4_Pager());
		(void)L4_Set_Priority(bank[n], 45);
		test_start(bank[n], bank_body, (void *)n);
	}
	teller = test_thread_inactive(L4_Pager());
	(void)L4_Set_Priority(teller, 40);
	test_start(teller, teller_body, 0);
	test_wait_flag(&transfers, 2);
}

static void halt_teller(word control)
{
	word dummy;
	L4_ThreadId_t none;

	(void)L4_ExchangeRegisters(teller, control | L4_EXREGS_HALTFLAG, 0, 0, 0, 0, L4_nilthread, &dummy, &dummy, &dummy,
	                           &dummy, &dummy, &none);
}

static void bank_check(void)
{
	word before = transfers, n, tries, sum = 0;

	test_wait_flag(&transfers, before + 5);
	/* Halted at a random instant money may be in transit; halted often enough it is not, unless some was lost. */
	for (tries = 0; tries < 1000 && sum != 1000 * BANKS; tries++) {
		halt_teller(0);
		test_sleep_us(300 + 7 * tries);
		halt_teller(L4_EXREGS_HALT);
		test_sleep_us(1 * MS);
		for (n = 0, sum = 0; n < BANKS; n++)
			sum += balance[n];
		EXPECT_LE(sum, 1000 * BANKS);
	}
	EXPECT_EQ(sum, 1000 * BANKS);
	test_delete(teller);
	for (n = 0; n < BANKS; n++)
		test_delete(bank[n]);
}

/* ---- Residual server ------------------------------------------------------------------------------------------------ */

static volatile word asks, ask_errors;
static L4_ThreadId_t asker;

static void ask_for_ever(void *arg)
{
	struct L4_CkptStat stat;

	(void)arg;
	for (;;) {
		if (L4_CheckpointInfo(&stat) != L4_CKPT_OK || !stat.boot)
			ask_errors++;
		asks++;
	}
}

static void residual_setup(void)
{
	asker = test_thread_inactive(L4_Pager());
	(void)L4_Set_Priority(asker, 40);
	test_start(asker, ask_for_ever, 0);
	test_wait_flag(&asks, 2);
}

/* A call to sigma0 that was under way is made again: its caller never sees an error. */
static void residual_check(void)
{
	word before = asks;

	test_wait_flag(&asks, before + 5);
	EXPECT_EQ(ask_errors, 0);
	test_delete(asker);
}

/* ---- Once only ------------------------------------------------------------------------------------------------------- */

static void poweroff_check(void)
{
	word boot = test_boot(), status;

	test_print("[test] poweroff");
	status = L4_PowerOff();
	EXPECT_EQ(status, L4_CKPT_NEW_BOOT);
	EXPECT_EQ(test_boot(), boot + 1);
}

static void crashes_check(void)
{
	word boot = test_boot(), generation = test_checkpoint();

	EXPECT(generation != 0);
	/* Killed, killed again during the next boot, and once more: no new commit in between is needed. */
	test_wait_boot("[test] kill 2 crashes=3", boot);
	/* Longer than such a boot is let live, so that none of them gets any further. */
	test_sleep_us(1500 * MS);
	EXPECT_GE(test_boot(), boot + 1);
	EXPECT_GE(test_checkpoint(), generation + 1);
}

const struct test tests[] = {
	{ .name = "calls and replies, exactly once", .setup = ping_setup, .run = ping_check },
	{ .name = "the sum of money stays", .setup = bank_setup, .run = bank_check },
	{ .name = "calls to a residual server are made again", .setup = residual_setup, .run = residual_check },
	{ .name = "power-off happens once", .run = poweroff_check },
	{ .name = "crashes before the next commit", .run = crashes_check },
	{ 0 }
};
