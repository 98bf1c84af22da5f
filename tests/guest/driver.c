/* SPDX-License-Identifier: BSD-2-Clause
 * Property: the console driver answers every request, whatever is in it, serves each write once, tells requests of
 * another boot, and never makes anybody wait for a reader that is gone (l4/console.h). Guards drivers/console/main.c and
 * libl4/console.c. What is typed cannot be tested here: nobody types.
 */
#include <l4/console.h>
#include "test.h"

const char test_suite[] = "driver";

#define SOON L4_TimePeriod(2000000)

static L4_ThreadId_t driver(void)
{
	return L4_GlobalId(L4_CONSOLE_TNO, 1);
}

static word boot(void)
{
	return L4_BootNumber(L4_GetKernelInterface());
}

/* A request of three words and `more` words of zero bytes; returns the status, MR1 of the answer. */
static word ask(word label, word a, word b, word c, word more, L4_Time_t patience)
{
	L4_MsgTag_t tag = { label << 16 | (3 + more) };
	word status = ~0UL;

	L4_LoadMR(1, a);
	L4_LoadMR(2, b);
	L4_LoadMR(3, c);
	for (word i = 0; i < more; i++)
		L4_LoadMR((int)(4 + i), 0);
	L4_Set_MsgTag(tag);
	tag = L4_Call_Timeouts(driver(), SOON, patience);
	if (L4_IpcSucceeded(tag))
		L4_StoreMR(1, &status);
	return status;
}

static void bad_requests(void)
{
	EXPECT_EQ(ask(L4_CONSOLE_WRITE, boot(), 1, L4_CONSOLE_WRITE_MAX + 1, 60, SOON), L4_CONSOLE_BAD_REQUEST);
	EXPECT_EQ(ask(L4_CONSOLE_WRITE, boot(), 1, ~0UL, 60, SOON), L4_CONSOLE_BAD_REQUEST);
	EXPECT_EQ(ask(L4_CONSOLE_WRITE, boot(), 1, 9, 1, SOON), L4_CONSOLE_BAD_REQUEST);
	EXPECT_EQ(ask(L4_CONSOLE_READ, boot(), 0, 0, 0, SOON), L4_CONSOLE_BAD_REQUEST);
	EXPECT_EQ(ask(L4_CONSOLE_READ, boot(), 0, L4_CONSOLE_READ_MAX + 1, 0, SOON), L4_CONSOLE_BAD_REQUEST);
	EXPECT_EQ(ask(0x1234, 0, 0, 0, 0, SOON), L4_CONSOLE_BAD_REQUEST);
}

static void write_is_taken(void)
{
	struct L4_Console console = { 0 };
	word status = ~0UL;

	EXPECT_EQ(L4_ConsoleWrite(&console, "driver test\r\n", 13), L4_CONSOLE_OK);
	L4_StoreMR(1, &status);
	EXPECT_EQ(status, L4_CONSOLE_OK);
	EXPECT_EQ(ask(L4_CONSOLE_WRITE, boot(), 77, 0, 0, SOON), L4_CONSOLE_OK);
	EXPECT_EQ(ask(L4_CONSOLE_WRITE, boot(), 77, 0, 0, SOON), L4_CONSOLE_OK);
}

static void other_boots(void)
{
	EXPECT_EQ(ask(L4_CONSOLE_WRITE, boot() - 1, 78, 0, 0, SOON), L4_CONSOLE_NEW_BOOT);
	EXPECT_EQ(ask(L4_CONSOLE_READ, boot() - 1, 0, 1, 0, SOON), L4_CONSOLE_NEW_BOOT);
	EXPECT_EQ(ask(L4_CONSOLE_SIZE, boot() - 1, 0, 0, 0, SOON), L4_CONSOLE_NEW_BOOT);
}

static void first_read_learns_the_boot(void)
{
	struct L4_Console console = { 0 };
	word count = 1;
	char c;

	EXPECT_EQ(L4_ConsoleRead(&console, &c, 1, &count), L4_CONSOLE_NEW_BOOT);
	EXPECT_EQ(count, 0);
	EXPECT_EQ(console.read_boot, boot());
}

static volatile word first_status = ~0UL, first_asks, first_done;

static void first_reader(void *arg)
{
	(void)arg;
	first_asks = 1;
	first_status = ask(L4_CONSOLE_READ, boot(), 0, 1, 0, L4_Never);
	first_done = 1;
}

/* The second reader takes the place of the first, which is told so; its own time runs out, for nobody types. */
static void readers_take_turns(void)
{
	L4_ThreadId_t first = test_thread(first_reader, 0);

	test_wait_flag(&first_asks, 1);
	test_wait_state(first, L4_SCHEDRESULT_WAITING);         /* the driver has its question */
	EXPECT_EQ(first_done, 0);
	EXPECT_EQ(ask(L4_CONSOLE_READ, boot(), 0, 1, 0, L4_TimePeriod(100000)), ~0UL);
	EXPECT_EQ(L4_ErrorCode(), L4_IPC_TIMEOUT << 1 | 1);
	test_wait_flag(&first_done, 1);
	EXPECT_EQ(first_status, L4_CONSOLE_BUSY);
	EXPECT_EQ(ask(L4_CONSOLE_WRITE, boot(), 79, 0, 0, SOON), L4_CONSOLE_OK);        /* it serves on */
}

/* Only residual servers may print above the line; anybody else is not answered, and harms nothing. */
static void log_is_not_ours(void)
{
	L4_LoadMR(1, ~0UL);
	L4_Set_MsgTag((L4_MsgTag_t){ (word)L4_CONSOLE_LOG << 16 | 1 });
	EXPECT(L4_IpcSucceeded(L4_Send_Timeout(driver(), SOON)));
	EXPECT_EQ(ask(L4_CONSOLE_WRITE, boot(), 80, 0, 0, SOON), L4_CONSOLE_OK);
}

static void size(void)
{
	word columns = 0, rows = 0;

	EXPECT_EQ(L4_ConsoleSize(&columns, &rows), L4_CONSOLE_OK);
	EXPECT(columns >= 40 && columns <= 80);
	EXPECT(rows >= 20 && rows <= 25);
}

const struct test tests[] = {
	{ "bad requests are answered", bad_requests, 0, 0 },
	{ "text is taken, and once", write_is_taken, 0, 0 },
	{ "requests of another boot are told", other_boots, 0, 0 },
	{ "the first read learns the boot", first_read_learns_the_boot, 0, 0 },
	{ "readers take turns", readers_take_turns, 0, 0 },
	{ "log lines are for residual servers", log_is_not_ours, 0, 0 },
	{ "size", size, 0, 0 },
	{ 0, 0, 0, 0 },
};
