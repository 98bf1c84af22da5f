/* SPDX-License-Identifier: BSD-2-Clause
 * Framework of the in-guest tests: table runner, checks, TAP output. See test.h.
 *
 * Order of a run: plan line, the tests one after the other, done line, EXIT. In a persistence suite the set-ups,
 * a checkpoint and a kill come first; nothing of the TAP stream is printed before the kill, so no line is
 * printed twice when the machine goes back to its checkpoint.
 */
#include "test.h"
#include <l4/kdebug.h>
#include <l4/ckpt.h>

#define LINE 250                 /* the kernel prints no longer strings */

static void *abort_point[5];
static volatile int may_abort;
static volatile word checks, failures;
static const struct test *current;
/* Lines are built in one page of their own, so that printing touches a single mapping. */
/* Begins with a newline: the console driver may be in the middle of something of its own. */
static char buffer[1 + LINE] __attribute__((aligned(4096))) = "\n";
#define line (buffer + 1)

/* ---- Printing ---------------------------------------------------------------------------------- */

static char *put_text(char *at, const char *text)
{
	while (*text && at < line + LINE - 24)
		*at++ = *text++;
	*at = 0;
	return at;
}

static char *put_number(char *at, word value)
{
	char digits[24];
	int n = 0;

	do {
		digits[n++] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	while (n && at < line + LINE - 2)
		*at++ = digits[--n];
	*at = 0;
	return at;
}

static char *put_hex(char *at, word value)
{
	int shift = 60;

	at = put_text(at, "0x");
	while (shift > 0 && !(value >> shift))
		shift -= 4;
	for (; shift >= 0 && at < line + LINE - 2; shift -= 4)
		*at++ = "0123456789abcdef"[(value >> shift) & 15];
	*at = 0;
	return at;
}

static void flush_line(char *at)
{
	at[0] = '\n';
	at[1] = 0;
	L4_KDB_PrintString(buffer);
}

void test_print(const char *text)
{
	flush_line(put_text(line, text));
}

void test_note(const char *text, word value)
{
	char *at = put_text(line, "T> # ");

	at = put_text(at, text);
	at = put_text(at, " ");
	flush_line(put_number(at, value));
}

void test_bench(const char *name, word value, const char *unit)
{
	char *at = put_text(line, "[bench] name=");

	at = put_text(at, name);
	at = put_text(at, " value=");
	at = put_number(at, value);
	at = put_text(at, " unit=");
	flush_line(put_text(at, unit));
}

static void print_numbered(const char *state, word number, const char *name, const char *detail)
{
	char *at = put_text(line, "T> ");

	at = put_text(at, state);
	at = put_text(at, " ");
	at = put_number(at, number);
	at = put_text(at, " ");
	at = put_text(at, test_suite);
	at = put_text(at, ": ");
	at = put_text(at, name);
	if (detail) {
		at = put_text(at, " # ");
		at = put_text(at, detail);
	}
	flush_line(at);
}

/* ---- Checks ------------------------------------------------------------------------------------- */

int test_check(const char *file, int row, const char *what, int holds, word actual, word expected)
{
	char *at;

	__atomic_fetch_add(&checks, 1, __ATOMIC_RELAXED);
	if (holds)
		return 1;
	__atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);
	at = put_text(line, "T> # ");
	at = put_text(at, file);
	at = put_text(at, ":");
	at = put_number(at, (word)row);
	at = put_text(at, " ");
	at = put_text(at, what);
	at = put_text(at, " actual ");
	at = put_hex(at, actual);
	at = put_text(at, " expected ");
	flush_line(put_hex(at, expected));
	return 0;
}

int test_ipc_failed(const char *file, int row, const char *what, L4_MsgTag_t tag, word phase, word code)
{
	word error = L4_ErrorCode();

	if (!test_check(file, row, what, (int)L4_IpcFailed(tag), 0, 1))
		return 0;
	return test_check(file, row, what, IPC_PHASE(error) == phase && IPC_CODE(error) == code,
	                  error & 0xf, code << 1 | phase);
}

int test_ipc_ok(const char *file, int row, const char *what, L4_MsgTag_t tag)
{
	word error = L4_ErrorCode();

	return test_check(file, row, what, (int)L4_IpcSucceeded(tag), error, 0);
}

int test_refused(const char *file, int row, const char *what, word result, word code)
{
	word error = L4_ErrorCode();

	return test_check(file, row, what, result == 0, result, 0) &&
	       test_check(file, row, what, error == code, error, code);
}

void test_abort(void)
{
	if (may_abort)
		__builtin_longjmp(abort_point, 1);
	for (;;)
		L4_Sleep(L4_Never);
}

/* Run one function of a test; a failed REQUIRE in it comes back here. */
static void guarded(void (*function)(void))
{
	if (__builtin_setjmp(abort_point) == 0) {
		may_abort = 1;
		function();
	}
	may_abort = 0;
}

/* ---- The runner ----------------------------------------------------------------------------------- */

static word run_one(const struct test *test, word number)
{
	word bad;

	if (test->skip) {
		print_numbered("skip", number, test->name, test->skip);
		return 0;
	}
	current = test;
	checks = 0;
	failures = 0;
	guarded(test->run);
	if (!checks) {
		print_numbered("not ok", number, test->name, "made no check");
		return 1;
	}
	bad = failures != 0;
	print_numbered(bad ? "not ok" : "ok", number, test->name, 0);
	return bad;
}

/* Run all set-ups, commit, be killed: returns in the next boot. A failed check of a set-up is fatal. */
static word persist(void)
{
	const struct test *test;
	word boot = test_boot();

	checks = 0;
	failures = 0;
	for (test = tests; test->name; test++) {
		if (test->setup && !test->skip)
			guarded(test->setup);
	}
	if (!test_checkpoint()) {
		test_print("T> # the checkpoint failed");
		failures++;
	}
	if (failures)
		return 0;
	test_wait_boot("[test] kill 1", boot);
	return 1;
}

static int has_setup(void)
{
	const struct test *test;

	for (test = tests; test->name; test++) {
		if (test->setup)
			return 1;
	}
	return 0;
}

int main(void)
{
	const struct test *test;
	word count = 0, number = 0, bad = 0, alive = 1;
	char *at;

	for (test = tests; test->name; test++)
		count++;
	if (has_setup())
		alive = persist();
	at = put_text(line, "T> 1..");
	flush_line(put_number(at, count));
	for (test = tests; test->name && alive; test++)
		bad += run_one(test, ++number);
	test_print("T> done");
	test_exit(bad || !alive ? TEST_EXIT_FAIL : TEST_EXIT_PASS);
}
