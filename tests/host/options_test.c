/* SPDX-License-Identifier: BSD-2-Clause
 * Properties: ckptserver's command-line parser sets what the documentation says, the last of two equal options
 * counts, and no text, however malformed, does anything worse than being reported in `bad`.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ckptserver/options.h"
#include "seed.h"

static struct options parse(const char *text)
{
	struct options o;

	memset(&o, 0xa5, sizeof o);
	options_parse(&o, text);
	return o;
}

static void defaults(void **state)
{
	struct options o = parse("");

	(void)state;
	assert_int_equal(o.interval_us, 100000);
	assert_int_equal(o.resume_kind, RESUME_LATEST);
	assert_int_equal(o.keep, 0);
	assert_int_equal(o.format, FORMAT_EMPTY);
	assert_int_equal(o.require, REQUIRE_OURS);
	assert_int_equal(o.chaos, 0);
	assert_int_equal(o.disk_timeout_us, 30000000);
	assert_int_equal(o.fault, FAULT_NONE);
	assert_int_equal(o.scrub_pages, 256);
	assert_int_equal(o.scrub_rest_us, 60000000);
	assert_false(o.panic_exit);
	assert_string_equal(o.root, "pager");
	assert_string_equal(o.bad, "");
}

static void each_option(void **state)
{
	struct options o = parse(" ckpt.interval=500us\tckpt.resume=17 ckpt.format=force ckpt.require=yes "
				 "ckpt.store=1G ckpt.buffers=64 ckpt.keep=32 ckpt.frames=3000 ckpt.timeout=2s ckpt.fault=console-hang@70ms "
				 "panic.exit=yes ckpt.scrub=2M,1s chaos=0x2a root=tests/ipc log=ipc mem=64M");

	(void)state;
	assert_int_equal(o.interval_us, 500);
	assert_int_equal(o.resume_kind, RESUME_GENERATION);
	assert_int_equal(o.resume_gen, 17);
	assert_int_equal(o.keep, 32);
	assert_int_equal(o.format, FORMAT_FORCE);
	assert_int_equal(o.require, REQUIRE_YES);
	assert_int_equal(o.store_pages, 262144);
	assert_int_equal(o.buffers, 64);
	assert_int_equal(o.frames, 3000);
	assert_int_equal(o.chaos, 42);
	assert_int_equal(o.disk_timeout_us, 2000000);
	assert_int_equal(o.fault, FAULT_CONSOLE_HANG);
	assert_int_equal(o.fault_us, 70000);
	assert_int_equal(o.scrub_pages, 512);
	assert_int_equal(o.scrub_rest_us, 1000000);
	assert_true(o.panic_exit);
	assert_string_equal(o.root, "tests/ipc");
	assert_string_equal(o.bad, "");
}

static void last_counts(void **state)
{
	struct options o = parse("ckpt.resume=none ckpt.interval=1s ckpt.interval=off ckpt.resume=latest");

	(void)state;
	assert_int_equal(o.interval_us, 0);
	assert_int_equal(o.resume_kind, RESUME_LATEST);
}

/* A number, so many before the newest, or a name: what is not a number is looked for as a name, and never ignored. */
static void resume_words(void **state)
{
	static const struct { const char *text, *word; int kind; uint64_t number; } cases[] = {
		{ "ckpt.resume=0x11", "0x11", RESUME_GENERATION, 17 }, { "ckpt.resume=-1", "-1", RESUME_BACK, 1 },
		{ "ckpt.resume=-12", "-12", RESUME_BACK, 12 }, { "ckpt.resume=before-upgrade", "before-upgrade", RESUME_NAME, 0 },
		{ "ckpt.resume=3x", "3x", RESUME_NAME, 3 }, { "ckpt.resume=-", "-", RESUME_NAME, 0 },
		{ "ckpt.resume=18446744073709551616", "18446744073709551616", RESUME_NAME, 0 },
		{ "ckpt.resume=none", "none", RESUME_NONE, 0 }, { "ckpt.resume=latest", "latest", RESUME_LATEST, 0 },
		{ "ckpt.resume=0123456789012345678901234567890123456789012345", "012345678901234567890123456789012345678",
		  RESUME_NAME, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct options o = parse(cases[i].text);

		assert_string_equal(o.bad, "");
		assert_string_equal(o.resume, cases[i].word);
		assert_int_equal(o.resume_kind, cases[i].kind);
		if (cases[i].kind == RESUME_GENERATION || cases[i].kind == RESUME_BACK)
			assert_int_equal(o.resume_gen, cases[i].number);
	}
}

static void names(void **state)
{
	static const char *const good[] = { "a", "before-upgrade", "3x", "v1.2_final", "a123456789012345678901234567890",
					    "0x", "latest2", "0xfg" };
	static const char *const bad[] = { "", "-1", "-a", "12", "0x1f", "latest", "none", "a b", "a/b", "a..b", "..", "\xc3\xa4",
					   "01234567890123456789012345678901x" };

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_true(options_name(good[i]));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(options_name(bad[i]));
}

static void nonsense_is_named(void **state)
{
	static const char *const bad[] = {
		"ckpt.interval=", "ckpt.interval=ms", "ckpt.interval=10min", "ckpt.interval=99999999999999999999",
		"ckpt.interval=2000000s", "ckpt.resume=", "ckpt.keep=0", "ckpt.keep=33", "ckpt.keep=all", "ckpt.format=maybe",
		"ckpt.require=1", "ckpt.store=1P", "ckpt.store=4K", "ckpt.store=999999999999T", "ckpt.buffers=1",
		"ckpt.buffers=70000", "ckpt.frames=255", "ckpt.frames=4K", "ckpt.timeout=99ms", "ckpt.timeout=off", "ckpt.timeout=soon", "ckpt.fault=crash",
		"ckpt.scrub=", "ckpt.scrub=1", "ckpt.scrub=4M,", "ckpt.scrub=4M,off", "ckpt.scrub=fast", "ckpt.scrub=1T",
		"ckpt.fault=crash@off", "ckpt.fault=flood@1s", "ckpt.nosuch=1", "ckpt.",
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct options o = parse(bad[i]);

		assert_true(o.bad[0] != 0);
		assert_int_equal(strncmp(o.bad, bad[i], strlen(o.bad)), 0);
		assert_int_equal(o.interval_us, OPTIONS_INTERVAL_US);
	}
}

static void durations(void **state)
{
	static const struct { const char *text; uint64_t us; } good[] = {
		{ "off", 0 }, { "0", 0 }, { "5", 5000 }, { "250us", 250 }, { "10ms", 10000 }, { "2s", 2000000 },
	};
	uint64_t us;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		assert_true(options_duration(good[i].text, strlen(good[i].text), &us));
		assert_int_equal(us, good[i].us);
	}
	assert_false(options_duration("", 0, &us));
	assert_false(options_duration("10msx", 5, &us));
}

/* Every text of random characters out of those that mean something; a long root name is not taken. */
static void random_text(void **state)
{
	static const char some[] = "ckpt.interval=resumfo0123456789 xsKMG\t\n";

	(void)state;
	seed_random(1);
	for (int i = 0; i < 20000; i++) {
		size_t n = (size_t)random() % 200;
		char *text = malloc(n + 1);
		struct options o;

		for (size_t k = 0; k < n; k++)
			text[k] = some[(size_t)random() % (sizeof some - 1)];
		text[n] = 0;
		o = parse(text);
		assert_true(o.store_pages >= 4096);
		assert_true(strlen(o.root) < sizeof o.root && strlen(o.bad) < sizeof o.bad);
		free(text);
	}
	assert_string_equal(parse("root=0123456789012345678901234567890123456789012345").root, "pager");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults), cmocka_unit_test(each_option), cmocka_unit_test(last_counts),
		cmocka_unit_test(resume_words), cmocka_unit_test(names),
		cmocka_unit_test(nonsense_is_named), cmocka_unit_test(durations), cmocka_unit_test(random_text),
	};

	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
