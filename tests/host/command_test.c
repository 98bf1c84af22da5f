/* SPDX-License-Identifier: BSD-2-Clause
 * Properties: the console driver's own prompt drops the generation that was named and no other, whatever the checkpoint server
 * answers, or does not; lines of the log that come instead of an answer are printed whole. Guards drivers/console/command.c, which is included: its calls are answered here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define L4_HOST_UTCB
#include <l4/types.h>
#include <l4/ipc.h>
#include <l4/kip.h>
#include <l4/message.h>
#include <l4/schedule.h>
#include <l4/ckpt.h>
#include <l4/console.h>

#define GENERATIONS     10u

static L4_Word_t utcb[512];
static unsigned lists, list_fails;              /* so many LIST requests were made; the one that fails */
static L4_Word_t dropped;
static L4_Word_t failure;                       /* its status, NO_SERVER: no answer at all */
static char printed[4096];

L4_Word_t *__L4_X86_Utcb(void)
{
	return utcb + 64;
}

static const char *log_line;                    /* comes before the answer */
static L4_Word_t asked_label, asked_below;

static L4_MsgTag_t fake_answer(void)
{
	L4_Word_t *mr = __L4_X86_Utcb(), label = asked_label, below = asked_below;
	L4_MsgTag_t tag = { .raw = label << 16 | 40 };
	struct L4_CkptGeneration *g = (struct L4_CkptGeneration *)&mr[4];

	mr[2] = below;
	if (label == L4_CKPT_DROP) {
		assert_int_equal(mr[2], mr[3]);
		dropped = mr[2];
		mr[1] = L4_CKPT_OK;
		return tag;
	}
	assert_int_equal(label, L4_CKPT_LIST);
	mr[1] = L4_CKPT_OK;
	if (++lists == list_fails) {
		mr[1] = failure;
		return failure == L4_CKPT_NO_SERVER ? (L4_MsgTag_t){ .raw = 1 << 15 } : tag;
	}
	/* 10, 9, … 1, of which 2 has a name. */
	mr[3] = below ? below - 1 : GENERATIONS;
	for (unsigned i = 0; i < L4_CKPT_LIST_MAX && i < mr[3]; i++) {
		g[i] = (struct L4_CkptGeneration){ .generation = mr[3] - i };
		if (g[i].generation == 2)
			strcpy(g[i].name, "good");
	}
	return tag;
}

static L4_MsgTag_t fake_call(void)
{
	L4_Word_t *mr = __L4_X86_Utcb();
	size_t n;

	asked_label = mr[0] >> 16;
	asked_below = mr[2];
	if (!log_line)
		return fake_answer();
	n = strlen(log_line);
	mr[1] = n;
	memcpy(&mr[2], log_line, n);
	return (L4_MsgTag_t){ .raw = (L4_Word_t)L4_CONSOLE_LOG << 16 | (1 + (n + 7) / 8) };
}

static L4_MsgTag_t fake_receive(void)
{
	log_line = NULL;
	return fake_answer();
}

#define L4_Call_Timeouts(to, send, receive)     ((void)(to), (void)(send), (void)(receive), fake_call())
#define L4_Receive_Timeout(from, timeout)       ((void)(from), (void)(timeout), fake_receive())
#define L4_GetKernelInterface()                 NULL
#define L4_BootNumber(kip)                      7ul
#define L4_SystemClock()                        ((L4_Clock_t){ .raw = 0 })
#include "drivers/console/command.c"

static void out(const char *text, unsigned long count)
{
	strncat(printed, text, count);
}

/* Carries out "drop WHICH"; the fails'th LIST request has that status. */
static void drop(const char *which, unsigned fails, L4_Word_t status)
{
	char line[64];

	lists = 0;
	list_fails = fails;
	failure = status;
	dropped = 0;
	printed[0] = 0;
	snprintf(line, sizeof line, "drop %s", which);
	assert_int_equal(command_execute(line, out), COMMAND_DONE);
	assert_true(strlen(printed) > 0);
}

static void what_is_named_is_dropped(void **state)
{
	(void)state;
	drop("oldest", 0, 0);
	assert_int_equal(dropped, 1);
	drop("7", 0, 0);
	assert_int_equal(dropped, 7);
	drop("0x3", 0, 0);
	assert_int_equal(dropped, 3);
	drop("good", 0, 0);
	assert_int_equal(dropped, 2);
	drop("11", 0, 0);
	assert_int_equal(dropped, 0);
	drop("7x", 0, 0);
	assert_int_equal(dropped, 0);
}

/* What has come of the list by then is its newest end. */
static void nothing_is_dropped_by_half_a_list(void **state)
{
	(void)state;
	for (unsigned fails = 1; fails <= 3; fails++) {
		drop("oldest", fails, L4_CKPT_BUSY);
		assert_int_equal(dropped, 0);
		drop("oldest", fails, L4_CKPT_NO_SERVER);
		assert_int_equal(dropped, 0);
	}
}

static void log_lines_are_printed_whole(void **state)
{
	static const char text[] = "[ckpt] error damaged page client=16 page=0x0000000000123456 block=0x0000000000654321 status=-5, of "
		"which the generations 1234567 and 1234568 have nothing\n[ckpt] second\n[ckpt] third, and no end";
	char line[] = "list";

	(void)state;
	log_line = text;
	lists = list_fails = 0;
	printed[0] = 0;
	assert_int_equal(command_execute(line, out), COMMAND_DONE);
	assert_non_null(strstr(printed, "have nothing\r\n[ckpt] second\r\n[ckpt] third, and no end\r\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_named_is_dropped),
		cmocka_unit_test(nothing_is_dropped_by_half_a_list),
		cmocka_unit_test(log_lines_are_printed_whole),
	};

	return cmocka_run_group_tests_name("command", tests, NULL, NULL);
}
