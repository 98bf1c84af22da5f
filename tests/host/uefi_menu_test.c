/* SPDX-License-Identifier: BSD-2-Clause
 *
 * boot/uefi/menu.c: whatever is typed, only what may be a generation gets into the command line, and no more than fits.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "boot/uefi/menu.h"

static struct menu m;

/* Type a text; the last key's event. */
static enum menu_event type(const char *text)
{
	enum menu_event e = MENU_NOTHING;

	for (m.length = 0; *text; text++)
		e = menu_key(&m, (unsigned char)*text);
	return e;
}

static void choices(void **state)
{
	(void)state;
	assert_int_equal(type("before-upgrade_2.1\r"), MENU_DONE);
	assert_string_equal(m.text, "before-upgrade_2.1");
	assert_int_equal(type("-1\n"), MENU_DONE);
	assert_string_equal(m.text, "-1");
	assert_int_equal(type("\r"), MENU_DONE);
	assert_int_equal(m.length, 0);
	assert_int_equal(type("12\033"), MENU_DONE);
	assert_int_equal(m.length, 0);
	assert_string_equal(m.text, "");
}

static void corrections(void **state)
{
	(void)state;
	assert_int_equal(type("4x"), MENU_ADDED);
	assert_int_equal(menu_key(&m, 8), MENU_ERASED);
	assert_int_equal(menu_key(&m, 127), MENU_ERASED);
	assert_int_equal(menu_key(&m, 8), MENU_NOTHING);
	assert_int_equal(menu_key(&m, MENU_CTRL_U), MENU_NOTHING);
	assert_int_equal(menu_key(&m, '7'), MENU_ADDED);
	assert_int_equal(menu_key(&m, 13), MENU_DONE);
	assert_string_equal(m.text, "7");
}

static void what_is_refused(void **state)
{
	(void)state;
	m.length = 0;
	for (unsigned int key = 0; key < 0x20000; key++) {
		int good = key < 128 && (strchr("._-", (int)key) ? key != 0 : (key >= '0' && key <= '9') || (key >= 'A' && key <= 'Z') ||
								   (key >= 'a' && key <= 'z'));

		m.length = 3;
		if (key == 13 || key == 10 || key == 27 || key == 8 || key == 127 || key == MENU_CTRL_U)
			continue;
		assert_int_equal(menu_key(&m, key), good ? MENU_ADDED : MENU_NOTHING);
		assert_int_equal(m.length, 3 + good);
	}
	m.length = 0;
	for (unsigned int i = 0; i < 100; i++)
		menu_key(&m, 'a');
	assert_int_equal(m.length, MENU_TEXT - 1);
	assert_int_equal(menu_key(&m, 13), MENU_DONE);
	assert_int_equal(strlen(m.text), MENU_TEXT - 1);
}

static unsigned int seconds(const char *text)
{
	return menu_seconds(text, strlen(text));
}

static void waits(void **state)
{
	(void)state;
	assert_int_equal(seconds(""), MENU_SECONDS);
	assert_int_equal(seconds("root=kip ckpt.interval=1s"), MENU_SECONDS);
	assert_int_equal(seconds("uefi.menu=0"), 0);
	assert_int_equal(seconds("root=kip\nuefi.menu=30 more"), 30);
	assert_int_equal(seconds("uefi.menu=3 uefi.menu=5"), 5);
	assert_int_equal(seconds("notuefi.menu=3"), MENU_SECONDS);
	assert_int_equal(seconds("uefi.menu="), 0);
	assert_int_equal(seconds("uefi.menu=99999999999999999999"), 600);
	assert_int_equal(menu_seconds("uefi.menu=99", 11), 9);
	assert_int_equal(menu_seconds("uefi.menu=99", 8), MENU_SECONDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(choices), cmocka_unit_test(corrections), cmocka_unit_test(what_is_refused), cmocka_unit_test(waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
