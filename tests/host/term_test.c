/* SPDX-License-Identifier: BSD-2-Clause
 * Property: whatever is typed, the screen shows prompt and line with the cursor in its place, other text
 * between edit_hide and edit_show cuts neither, and a forgotten screen is drawn again in full.
 * Guards apps/term/{edit,history}.c and drivers/console/{screen,keyboard,prompt}.c: the editor prints on the
 * driver's own screen, which is compared with a plain model of the line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../apps/term/edit.h"
#include "../../drivers/console/keyboard.h"
#include "../../drivers/console/line.h"
#include "../../drivers/console/prompt.h"
#include "../../drivers/console/screen.h"

static struct screen screen;
static struct history history;
static struct edit edit;

static void print(void *context, const char *text, unsigned long count)
{
	screen_write(context, text, count);
}

static void begin(unsigned int columns)
{
	memset(&history, 0, sizeof history);
	screen_init(&screen, columns, 24);
	edit_init(&edit, &history, columns, print, &screen);
	edit_start(&edit, "> ", 2);
}

static int type(const char *keys)
{
	int event = EDIT_MORE;

	while (*keys && event == EDIT_MORE)
		event = edit_key(&edit, (unsigned char)*keys++);
	return event;
}

/* The screen's row as a string without trailing blanks. */
static const char *row(unsigned int r)
{
	static char text[SCREEN_COLUMNS_MAX + 1];
	unsigned int n = screen.columns;

	for (unsigned int c = 0; c < n; c++)
		text[c] = (char)(screen.cell[r][c] & 0xff);
	while (n && text[n - 1] == ' ')
		n--;
	text[n] = 0;
	return text;
}

static void plain_typing(void **state)
{
	(void)state;
	begin(80);
	assert_int_equal(type("hello"), EDIT_MORE);
	assert_string_equal(row(0), "> hello");
	assert_int_equal(screen.column, 7);
	assert_int_equal(type("\r"), EDIT_LINE);
	assert_string_equal(edit.text, "hello");
	assert_int_equal(screen.row, 1);
	assert_int_equal(screen.column, 0);
	assert_int_equal(edit_key(&edit, '\n'), EDIT_MORE);     /* CR LF is one line end */
}

static void editing_keys(void **state)
{
	(void)state;
	begin(80);
	type("one two three");
	type("\001X");                          /* ^A */
	assert_string_equal(row(0), "> Xone two three");
	type("\033[C\033[C\033[D\004");         /* right right left delete: 'n' goes */
	assert_string_equal(row(0), "> Xoe two three");
	type("\005\027");                       /* ^E ^W */
	assert_string_equal(row(0), "> Xoe two");
	type("\031!");                          /* ^Y */
	assert_string_equal(row(0), "> Xoe two three!");
	type("\033[H\033[3~\033[F\177");        /* home delete end backspace */
	assert_string_equal(row(0), "> oe two three");
	type("\033[1;5D\013");                  /* word left, ^K */
	assert_string_equal(row(0), "> oe two");
	type("\033b\025");                      /* word left, ^U */
	assert_string_equal(row(0), "> two");
	assert_int_equal(screen.column, 2);
	type("\005\024");                       /* ^T */
	assert_string_equal(row(0), "> tw o");
	assert_int_equal(type("\003"), EDIT_INTERRUPT);
	assert_string_equal(row(0), "> tw o^C");
}

static void end_of_file(void **state)
{
	(void)state;
	begin(80);
	assert_int_equal(type("a\177\004"), EDIT_EOF);
	assert_int_equal(history_count(&history), 0);
}

static void history_walk(void **state)
{
	(void)state;
	begin(80);
	type("first\r");
	edit_start(&edit, "> ", 2);
	type("second\r");
	edit_start(&edit, "> ", 2);
	type("second\r");                       /* the same again is kept once */
	assert_int_equal(history_count(&history), 2);
	edit_start(&edit, "> ", 2);
	type("half\033[A");
	assert_string_equal(row(3), "> second");
	type("\033[A\033[A");                   /* there is nothing before the first */
	assert_string_equal(row(3), "> first");
	type("\033[B\033[B");
	assert_string_equal(row(3), "> half");
	type("\020\020\r");
	assert_string_equal(edit.text, "first");
}

static void history_ring(void **state)
{
	char line[16];

	(void)state;
	memset(&history, 0, sizeof history);
	for (int i = 0; i < 3 * HISTORY_LINES; i++) {
		int n = snprintf(line, sizeof line, "line %d", i);
		history_add(&history, line, (unsigned long)n);
	}
	assert_int_equal(history_count(&history), HISTORY_LINES);
	assert_string_equal(history_get(&history, 0), "line 383");
	assert_string_equal(history_get(&history, HISTORY_LINES - 1), "line 256");
	assert_null(history_get(&history, HISTORY_LINES));
}

static void long_line_in_rows(void **state)
{
	(void)state;
	begin(20);                              /* 19 characters a row, 17 in the first */
	for (int i = 0; i < 40; i++)
		edit_key(&edit, (unsigned char)('a' + i % 26));
	assert_string_equal(row(0), "> abcdefghijklmnopq");
	assert_string_equal(row(1), "rstuvwxyzabcdefghij");
	assert_string_equal(row(2), "klmn");
	type("\001");
	assert_int_equal(screen.row, 0);
	assert_int_equal(screen.column, 2);
	type("_");
	assert_string_equal(row(2), "jklmn");
	type("\033[C\033[C");
	edit_hide(&edit);                       /* at the top of the screen it leaves one row empty */
	for (unsigned int r = 0; r < 3; r++)
		assert_string_equal(row(r), "");
	print(&screen, "a message\r\n", 11);
	edit_show(&edit);
	assert_string_equal(row(1), "a message");
	assert_string_equal(row(2), "> _abcdefghijklmnop");
	edit_hide(&edit);                       /* elsewhere none */
	print(&screen, "another\r\n", 9);
	edit_show(&edit);
	assert_string_equal(row(2), "another");
	assert_string_equal(row(3), "> _abcdefghijklmnop");
	assert_int_equal(screen.row, 3);
	assert_int_equal(screen.column, 5);
	assert_int_equal(type("\r"), EDIT_LINE);
	assert_int_equal(screen.row, 6);
}

static void redrawn_after_reboot(void **state)
{
	(void)state;
	begin(40);
	type("half typed\033[D\033[D");
	screen_init(&screen, 40, 24);           /* the machine starts again */
	print(&screen, "[boot] recovered", 16);
	print(&screen, "\r\n", 2);
	edit_forget(&edit);
	edit_show(&edit);
	assert_string_equal(row(1), "> half typed");
	assert_int_equal(screen.column, 10);
	type("X\r");
	assert_string_equal(edit.text, "half typXed");
}

static void full_line_refused(void **state)
{
	(void)state;
	begin(80);
	for (int i = 0; i < EDIT_TEXT_MAX + 20; i++)
		edit_key(&edit, 'x');
	assert_int_equal(edit.length, EDIT_TEXT_MAX);
	assert_int_equal(type("\r"), EDIT_LINE);
	assert_int_equal(strlen(edit.text), EDIT_TEXT_MAX);
}

static void utf8_moves_by_characters(void **state)
{
	(void)state;
	begin(80);
	type("a\303\244b\033[D\033[D\033[3~");  /* a ä b, two left, delete ä */
	assert_int_equal(type("\r"), EDIT_LINE);
	assert_string_equal(edit.text, "ab");
}

/* Random keys: the line and the screen always agree, and no byte string harms the editor. */
static void random_keys(void **state)
{
	static const char *const keys[] = { "\001", "\005", "\013", "\025", "\027", "\031", "\177", "\004x", "\033[A",
		"\033[B", "\033[C", "\033[D", "\033[1;5D", "\033[3~", "\033[999999999999q", "\033\033[", "\014", "\024" };

	(void)state;
	srand(7);
	for (int round = 0; round < 200; round++) {
		unsigned int columns = 10 + (unsigned int)(rand() % 60);
		begin(columns);
		for (int i = 0; i < 150; i++) {
			int event;
			if (rand() % 2)
				event = edit_key(&edit, (unsigned char)(' ' + rand() % 95));
			else if (rand() % 20 == 0)
				event = edit_key(&edit, '\r');
			else
				event = type(keys[(unsigned int)rand() % (sizeof keys / sizeof keys[0])]);
			if (event != EDIT_MORE)
				edit_start(&edit, "> ", 2);
			assert_true(edit.cursor <= edit.length && edit.length <= EDIT_TEXT_MAX);
			if (edit.length + 2 > 20 * (columns - 1))
				edit_key(&edit, '\r'), edit_start(&edit, "> ", 2);
		}
		unsigned int at = (unsigned int)edit.cursor + 2, width = columns - 1;
		assert_int_equal(screen.column, at % width);
		unsigned int first = screen.row - at / width;
		for (unsigned int i = 0; i < edit.length; i++)
			assert_int_equal(screen.cell[first + (i + 2) / width][(i + 2) % width] & 0xff, edit.text[i]);
	}
}

static struct line line;

static void print_screen(const char *text, unsigned long count)
{
	screen_write(&screen, text, count);
}

static void print_and_note(void *context, const char *text, unsigned long count)
{
	(void)context;
	line_note(&line, text, count);
	print_screen(text, count);
}

static void begin_noted(void)
{
	memset(&line, 0, sizeof line);
	memset(&history, 0, sizeof history);
	screen_init(&screen, 40, 24);
	edit_init(&edit, &history, 40, print_and_note, 0);
	print_and_note(0, "boot\r\n", 6);
	edit_start(&edit, "> ", 2);
}

static void above(const char *text)
{
	line_above(&line, text, strlen(text), print_screen);
}

/* Messages of a server come above the line being typed, wherever its cursor stands. */
static void messages_above_the_line(void **state)
{
	(void)state;
	begin_noted();
	type("ckpt 10ms\033[D\033[D");
	above("[ckpt] error\n[boot] what\r\n");
	assert_string_equal(row(1), "[ckpt] error");
	assert_string_equal(row(2), "[boot] what");
	assert_string_equal(row(3), "> ckpt 10ms");
	assert_int_equal(screen.column, 9);
	type("0");
	assert_string_equal(row(3), "> ckpt 100ms");
	type("\r");
	above("no end");
	assert_string_equal(row(4), "no end");
	assert_int_equal(screen.row, 5);
	for (int i = 0; i < 2 * LINE_MAX; i++)          /* a line that is too long to be put back */
		print_and_note(0, "x", 1);
	above("seen");
	assert_string_equal(row(screen.row - 1), "seen");
	assert_int_equal(screen.column, 0);
}

/* Status lines replace each other as long as nothing else is printed between them. */
static void status_lines_replace_each_other(void **state)
{
	(void)state;
	begin_noted();
	type("half");
	above("[ckpt] gen=1 pages=1234567\n");
	above("[ckpt] gen=2\n[ckpt] gen=3\n");
	assert_string_equal(row(0), "boot");
	assert_string_equal(row(1), "[ckpt] gen=3");
	assert_string_equal(row(2), "> half");
	type(" typed\001");
	above("[ckpt] gen=4\n");
	assert_string_equal(row(1), "[ckpt] gen=4");
	assert_string_equal(row(2), "> half typed");
	above("[pager] says something\n");
	above("[ckpt] gen=5\n");
	assert_string_equal(row(1), "[ckpt] gen=4");
	assert_string_equal(row(2), "[pager] says something");
	assert_string_equal(row(3), "[ckpt] gen=5");
	type("\r");
	print_and_note(0, "output\r\n", 8);
	above("[ckpt] gen=6\n");
	above("[ckpt] gen=7\n");
	assert_string_equal(row(3), "[ckpt] gen=5");
	assert_string_equal(row(4), "> half typed");
	assert_string_equal(row(5), "output");
	assert_string_equal(row(6), "[ckpt] gen=7");
	assert_int_equal(screen.row, 7);
	edit_start(&edit, "> ", 2);
	type("\014");                                   /* ctrl-L: nothing stands above any more */
	above("[ckpt] gen=8\n");
	above("[ckpt] gen=9\n");
	assert_string_equal(row(screen.row), ">");
	assert_string_equal(row(screen.row - 1), "[ckpt] gen=9");
}

static void screen_scrolls_and_survives_noise(void **state)
{
	char noise[64];

	(void)state;
	screen_init(&screen, 80, 25);
	for (int i = 0; i < 30; i++) {
		int n = snprintf(noise, sizeof noise, "line %d\r\n", i);
		print(&screen, noise, (unsigned long)n);
	}
	assert_string_equal(row(0), "line 6");
	assert_string_equal(row(23), "line 29");
	srand(11);
	for (int i = 0; i < 20000; i++) {
		for (size_t j = 0; j < sizeof noise; j++)
			noise[j] = (char)(rand() % 4 ? "\033[;0123456789ABCDHJKmf\n"[rand() % 22] : rand());
		print(&screen, noise, sizeof noise);
		assert_true(screen.row < 25 && screen.column <= 80);
	}
}

static int scan(struct keyboard *k, const char *codes, size_t n, char *out)
{
	int count = 0;

	for (size_t i = 0; i < n; i++)
		count += keyboard_decode(k, (unsigned char)codes[i], out + count);
	out[count] = 0;
	return count;
}

static void keyboard_layout(void **state)
{
	struct keyboard k = { 0 };
	char out[64];

	(void)state;
	scan(&k, "\x23\xa3\x12\x92\x26\xa6\x26\xa6\x18\x98\x39\xb9", 12, out);
	assert_string_equal(out, "hello ");
	scan(&k, "\x2a\x23\xa3\x02\x82\xaa\x02\x82", 8, out);           /* shift: H !, then 1 */
	assert_string_equal(out, "H!1");
	scan(&k, "\x3a\xba\x1e\x02\x2a\x1e\xaa\x3a\xba\x1e", 10, out);  /* caps lock turns letters only */
	assert_string_equal(out, "A1aa");
	scan(&k, "\x1d\x2e\xae\x9d\x2e", 5, out);                       /* ctrl-C, c */
	assert_string_equal(out, "\003c");
	scan(&k, "\xe0\x48\xe0\xc8\xe0\x4b\xe0\x53\x1c\x0e", 10, out);
	assert_string_equal(out, "\033[A\033[D\033[3~\r\177");
	scan(&k, "\xe1\x1d\x45\xe1\x9d\xc5\x1e", 7, out);               /* Pause means nothing */
	assert_string_equal(out, "a");
	scan(&k, "\x38\x30\xb0\xb8", 4, out);
	assert_string_equal(out, "\033b");
}

static void keyboard_takes_any_code(void **state)
{
	struct keyboard k = { 0 };
	char out[KEYBOARD_BYTES];

	(void)state;
	srand(3);
	for (int i = 0; i < 200000; i++)
		assert_in_range(keyboard_decode(&k, (unsigned char)rand(), out), 0, KEYBOARD_BYTES);
}

static int prompt_keys(struct prompt *p, const char *keys)
{
	int event = PROMPT_NOTHING;

	while (*keys)
		event = prompt_key(p, *keys++);
	return event;
}

/* The key is control and ']' on the keyboard, too; until then every byte is the programs'. */
static void driver_prompt(void **state)
{
	struct prompt p = { 0 };
	struct keyboard k = { 0 };
	char out[KEYBOARD_BYTES], text[] = "  drop  oldest ", many[] = "a b c d", *word[PROMPT_WORDS];

	(void)state;
	for (int c = 0; c < 256; c++)
		if (c != PROMPT_KEY)
			assert_int_equal(prompt_key(&p, (char)c), PROMPT_PASS);
	scan(&k, "\x1d\x1b", 2, out);
	assert_int_equal(out[0], PROMPT_KEY);
	assert_int_equal(prompt_key(&p, out[0]), PROMPT_OPENED);
	assert_int_equal(prompt_keys(&p, "\033[A\033[1;5Cstax\177tus\r"), PROMPT_LINE);
	assert_string_equal(p.text, "status");
	prompt_next(&p);
	assert_int_equal(prompt_keys(&p, "garbage\025\r"), PROMPT_LINE);
	assert_string_equal(p.text, "");
	for (int i = 0; i < 2 * PROMPT_MAX; i++)
		prompt_key(&p, 'x');
	assert_int_equal(prompt_key(&p, '\r'), PROMPT_LINE);
	assert_int_equal(strlen(p.text), PROMPT_MAX);
	assert_int_equal(prompt_key(&p, PROMPT_KEY), PROMPT_CLOSED);
	assert_int_equal(prompt_key(&p, 'a'), PROMPT_PASS);
	assert_int_equal(prompt_keys(&p, "\035\003"), PROMPT_CLOSED);
	assert_int_equal(prompt_words(text, word), 2);
	assert_string_equal(word[0], "drop");
	assert_string_equal(word[1], "oldest");
	assert_int_equal(prompt_words(many, word), PROMPT_WORDS + 1);
	assert_int_equal(prompt_words((char[]){ "" }, word), 0);
}

static void prompt_takes_any_byte(void **state)
{
	struct prompt p = { .open = 1 };

	(void)state;
	srand(4);
	for (int i = 0; i < 200000; i++) {
		prompt_key(&p, (char)rand());
		p.open = 1;
		assert_in_range(p.length, 0, PROMPT_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_typing), cmocka_unit_test(editing_keys), cmocka_unit_test(end_of_file),
		cmocka_unit_test(history_walk), cmocka_unit_test(history_ring), cmocka_unit_test(long_line_in_rows),
		cmocka_unit_test(redrawn_after_reboot), cmocka_unit_test(full_line_refused),
		cmocka_unit_test(utf8_moves_by_characters), cmocka_unit_test(random_keys),
		cmocka_unit_test(messages_above_the_line),
		cmocka_unit_test(status_lines_replace_each_other), cmocka_unit_test(screen_scrolls_and_survives_noise),
		cmocka_unit_test(keyboard_layout), cmocka_unit_test(keyboard_takes_any_code),
		cmocka_unit_test(driver_prompt), cmocka_unit_test(prompt_takes_any_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
