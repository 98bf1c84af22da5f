/* SPDX-License-Identifier: BSD-2-Clause
 * Property: the shell reads any line, well-formed or not, without going beyond it, and takes exactly the numbers and
 * spans of time that its help names. Guards apps/shell/parse.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../apps/shell/parse.h"

static char *word[PARSE_WORDS_MAX + 1];
static char line[512];

static int words(const char *text)
{
	strcpy(line, text);
	return parse_words(line, word);
}

static void plain_words(void **state)
{
	(void)state;
	assert_int_equal(words("  run  counter\t7 &"), 4);
	assert_string_equal(word[0], "run");
	assert_string_equal(word[2], "7");
	assert_string_equal(word[3], "&");
	assert_null(word[4]);
	assert_int_equal(words(""), 0);
	assert_int_equal(words("   "), 0);
	assert_int_equal(words("# all of it"), 0);
	assert_int_equal(words("ps # the rest"), 1);
	assert_int_equal(words("a#b"), 1);
}

static void quoted_words(void **state)
{
	(void)state;
	assert_int_equal(words("echo \"a b\" 'c \"d' e\\ f \"\" x\"y\"z"), 6);
	assert_string_equal(word[1], "a b");
	assert_string_equal(word[2], "c \"d");
	assert_string_equal(word[3], "e f");
	assert_string_equal(word[4], "");
	assert_string_equal(word[5], "xyz");
	assert_int_equal(words("echo \"a"), PARSE_QUOTE);
	assert_int_equal(words("echo \\"), 2);
	assert_string_equal(word[1], "\\");
}

static void too_many_words(void **state)
{
	char text[512] = "";

	(void)state;
	for (int i = 0; i < PARSE_WORDS_MAX; i++)
		strcat(text, "a ");
	assert_int_equal(words(text), PARSE_WORDS_MAX);
	strcat(text, "a");
	assert_int_equal(words(text), PARSE_TOO_MANY);
}

static void random_lines(void **state)
{
	(void)state;
	srand(5);
	for (int i = 0; i < 100000; i++) {
		size_t n = (size_t)(rand() % 60);
		char *exact = malloc(n + 1);    /* the sanitizer sees a byte too many */
		for (size_t j = 0; j < n; j++)
			exact[j] = "ab \t\"'\\#&"[rand() % 9];
		exact[n] = 0;
		int count = parse_words(exact, word);
		for (int j = 0; j < count; j++)
			assert_true(word[j] >= exact && word[j] + strlen(word[j]) <= exact + n);
		free(exact);
	}
}

static void numbers(void **state)
{
	unsigned long n;

	(void)state;
	assert_true(parse_number("0", &n) && n == 0);
	assert_true(parse_number("0x1F", &n) && n == 31);
	assert_true(parse_number("9223372036854775807", &n) && n == INT64_MAX);
	assert_false(parse_number("9223372036854775808", &n));
	assert_false(parse_number("99999999999999999999999", &n));
	assert_false(parse_number("", &n));
	assert_false(parse_number("0x", &n));
	assert_false(parse_number("12a", &n));
	assert_false(parse_number("-1", &n));
}

static void times(void **state)
{
	unsigned long us;

	(void)state;
	assert_true(parse_time("10ms", &us) && us == 10000);
	assert_true(parse_time("250us", &us) && us == 250);
	assert_true(parse_time("2s", &us) && us == 2000000);
	assert_true(parse_time("1min", &us) && us == 60000000);
	assert_true(parse_time("1h", &us) && us == 3600000000);
	assert_false(parse_time("10", &us));
	assert_false(parse_time("0ms", &us));
	assert_false(parse_time("10 ms", &us));
	assert_false(parse_time("ms", &us));
	assert_false(parse_time("10msx", &us));
	assert_false(parse_time("9000000000000000000h", &us));
}

static void ranges(void **state)
{
	char one[] = "41", two[] = "41..nightly", open_end[] = "41..", odd[] = "a...b";

	(void)state;
	assert_null(parse_range(one));
	assert_string_equal(parse_range(two), "nightly");
	assert_string_equal(two, "41");
	assert_string_equal(parse_range(open_end), "");
	assert_string_equal(parse_range(odd), ".b");
	assert_string_equal(odd, "a");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_words), cmocka_unit_test(quoted_words), cmocka_unit_test(too_many_words),
		cmocka_unit_test(random_lines), cmocka_unit_test(numbers), cmocka_unit_test(times),
		cmocka_unit_test(ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
