/* SPDX-License-Identifier: BSD-2-Clause
 * The line being typed. See edit.h.
 *
 * Every change redraws the whole line, except the common one, a character typed at its end within a row. Characters
 * are UTF-8; each is taken to be one column wide. Escape sequences understood are those of ANSI terminals and of
 * the console's own keyboard.
 */
#include "edit.h"

enum { CTRL_A = 1, CTRL_B, CTRL_C, CTRL_D, CTRL_E, CTRL_F, CTRL_H = 8, TAB, NEWLINE, CTRL_K, CTRL_L, RETURN,
       CTRL_N, CTRL_P = 16, CTRL_T = 20, CTRL_U, CTRL_W = 23, CTRL_Y = 25, ESCAPE = 27, RUBOUT = 127 };

/* States of the escape-sequence reader. */
enum { ESC_NONE, ESC_SEEN, ESC_CSI, ESC_SS3 };

static void copy(char *to, const char *from, unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		to[i] = from[i];
}

/* ---- Characters --------------------------------------------------------------------------------- */

static int continues(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

static unsigned long character_before(const struct edit *e, unsigned long at)
{
	while (at && continues(e->text[--at]))
		;
	return at;
}

static unsigned long character_after(const struct edit *e, unsigned long at)
{
	if (at < e->length)
		at++;
	while (at < e->length && continues(e->text[at]))
		at++;
	return at;
}

static unsigned long word_before(const struct edit *e)
{
	unsigned long at = e->cursor;

	while (at && e->text[at - 1] == ' ')
		at--;
	while (at && e->text[at - 1] != ' ')
		at--;
	return at;
}

static unsigned long word_after(const struct edit *e)
{
	unsigned long at = e->cursor;

	while (at < e->length && e->text[at] == ' ')
		at++;
	while (at < e->length && e->text[at] != ' ')
		at++;
	return at;
}

static unsigned long characters(const char *text, unsigned long count)
{
	unsigned long n = 0;

	for (unsigned long i = 0; i < count; i++)
		n += !continues(text[i]);
	return n;
}

/* ---- Drawing ------------------------------------------------------------------------------------ */

static void put(struct edit *e, const char *text)
{
	unsigned long n = 0;

	while (text[n])
		n++;
	e->print(e->context, text, n);
}

static unsigned long row_width(const struct edit *e)
{
	return e->columns > 2 ? e->columns - 1 : 1;
}

/* Move the screen cursor: n rows up, or n columns right. */
static void move(struct edit *e, unsigned long n, char direction)
{
	char text[12];
	unsigned long at = sizeof text;

	if (!n)
		return;
	text[--at] = direction;
	for (; n; n /= 10)
		text[--at] = (char)('0' + n % 10);
	text[--at] = '[';
	text[--at] = ESCAPE;
	e->print(e->context, text + at, sizeof text - at);
}

/* Print characters into the picture, beginning new rows; *column is the screen cursor's. */
static void draw_text(struct edit *e, const char *text, unsigned long count, unsigned long *column)
{
	unsigned long from = 0, at = 0;

	while (at < count) {
		at++;
		while (at < count && continues(text[at]))
			at++;
		if (++*column < row_width(e))
			continue;
		e->print(e->context, text + from, at - from);
		put(e, "\r\n");
		from = at;
		*column = 0;
	}
	if (at > from)
		e->print(e->context, text + from, at - from);
}

void edit_show(struct edit *e)
{
	unsigned long column = 0;

	if (e->shown)
		return;
	put(e, "\r\033[J");
	draw_text(e, e->prompt, e->prompt_length, &column);
	draw_text(e, e->text, e->length, &column);
	unsigned long before = characters(e->prompt, e->prompt_length) + characters(e->text, e->cursor);
	unsigned long all = characters(e->prompt, e->prompt_length) + characters(e->text, e->length);
	if (before != all) {
		move(e, all / row_width(e) - before / row_width(e), 'A');
		put(e, "\r");
		move(e, before % row_width(e), 'C');
	}
	e->cursor_row = before / row_width(e);
	e->shown = 1;
}

void edit_hide(struct edit *e)
{
	if (!e->shown)
		return;
	move(e, e->cursor_row, 'A');
	put(e, "\r\033[J\033[A\n");     /* up and down again: what follows is a line of its own in a log, too */
	e->shown = 0;
}

void edit_forget(struct edit *e)
{
	e->shown = 0;
	e->cursor_row = 0;
}

static void redraw(struct edit *e)
{
	if (!e->shown)
		return;
	move(e, e->cursor_row, 'A');
	e->shown = 0;
	edit_show(e);
}

/* ---- Changes ------------------------------------------------------------------------------------ */

static void insert(struct edit *e, const char *text, unsigned long count)
{
	if (count > EDIT_TEXT_MAX - e->length) {
		put(e, "\a");
		return;
	}
	for (unsigned long i = e->length; i > e->cursor; i--)
		e->text[i - 1 + count] = e->text[i - 1];
	copy(e->text + e->cursor, text, count);
	e->length += count;
	e->cursor += count;
	unsigned long end = characters(e->prompt, e->prompt_length) + characters(e->text, e->length);
	if (e->shown && e->cursor == e->length && count == 1 && !continues(*text) && end % row_width(e))
		e->print(e->context, text, 1);
	else
		redraw(e);
}

static void remove_range(struct edit *e, unsigned long from, unsigned long to, int keep)
{
	if (keep && to > from) {
		e->killed_length = to - from;
		copy(e->killed, e->text + from, to - from);
	}
	copy(e->text + from, e->text + to, e->length - to);
	e->length -= to - from;
	e->cursor = from;
	redraw(e);
}

static void set_cursor(struct edit *e, unsigned long to)
{
	e->cursor = to;
	redraw(e);
}

/* Exchange the characters around the cursor; both are single bytes or nothing is done. */
static void transpose(struct edit *e)
{
	unsigned long at = e->cursor == e->length && e->cursor ? e->cursor - 1 : e->cursor;

	if (!at || at >= e->length || (e->text[at] & 0x80) || (e->text[at - 1] & 0x80))
		return;
	char c = e->text[at];
	e->text[at] = e->text[at - 1];
	e->text[at - 1] = c;
	set_cursor(e, at + 1);
}

/* Show the line back lines old; 0 is the new one. */
static void recall(struct edit *e, unsigned long back)
{
	const char *line = back ? history_get(e->history, back - 1) : 0;

	if (back && !line)
		return;
	if (!e->back) {
		copy(e->saved, e->text, e->length);
		e->saved_length = e->length;
	}
	if (back) {
		for (e->length = 0; e->length < EDIT_TEXT_MAX && line[e->length]; e->length++)
			e->text[e->length] = line[e->length];
	} else {
		copy(e->text, e->saved, e->saved_length);
		e->length = e->saved_length;
	}
	e->back = back;
	set_cursor(e, e->length);
}

/* ---- Keys --------------------------------------------------------------------------------------- */

static int finish(struct edit *e, int event)
{
	if (e->cursor != e->length)
		set_cursor(e, e->length);
	if (event == EDIT_INTERRUPT)
		put(e, "^C");
	put(e, "\r\n");
	edit_forget(e);
	e->text[e->length] = 0;
	if (event == EDIT_LINE)
		history_add(e->history, e->text, e->length);
	return event;
}

static void delete_forward(struct edit *e)
{
	if (e->cursor < e->length)
		remove_range(e, e->cursor, character_after(e, e->cursor), 0);
}

static void delete_backward(struct edit *e)
{
	if (e->cursor)
		remove_range(e, character_before(e, e->cursor), e->cursor, 0);
}

/* The last byte of ESC [ or ESC O. */
static void escape_final(struct edit *e, unsigned char key)
{
	int word = e->number[1] >= 3;   /* alt, ctrl and their combinations */

	switch (key) {
	case 'A': recall(e, e->back + 1); break;
	case 'B': if (e->back) recall(e, e->back - 1); break;
	case 'C': set_cursor(e, word ? word_after(e) : character_after(e, e->cursor)); break;
	case 'D': set_cursor(e, word ? word_before(e) : character_before(e, e->cursor)); break;
	case 'H': set_cursor(e, 0); break;
	case 'F': set_cursor(e, e->length); break;
	case '~':
		if (e->number[0] == 1 || e->number[0] == 7)
			set_cursor(e, 0);
		else if (e->number[0] == 4 || e->number[0] == 8)
			set_cursor(e, e->length);
		else if (e->number[0] == 3)
			delete_forward(e);
		break;
	default:
		break;
	}
}

static void escape_key(struct edit *e, unsigned char key)
{
	int state = e->escape;

	if (key == ESCAPE) {
		e->escape = ESC_SEEN;
		return;
	}
	e->escape = ESC_NONE;
	if (state == ESC_SEEN) {
		e->number[0] = e->number[1] = e->field = 0;
		switch (key) {
		case '[': e->escape = ESC_CSI; break;
		case 'O': e->escape = ESC_SS3; break;
		case 'b': set_cursor(e, word_before(e)); break;
		case 'f': set_cursor(e, word_after(e)); break;
		case 'd': remove_range(e, e->cursor, word_after(e), 1); break;
		case RUBOUT: remove_range(e, word_before(e), e->cursor, 1); break;
		default: break;
		}
	} else if (state == ESC_CSI && key < 0x40 && key >= 0x20) {
		unsigned int *n = &e->number[e->field];
		e->escape = ESC_CSI;
		if (key == ';')
			e->field = 1;
		else if (key >= '0' && key <= '9' && *n < 1000)
			*n = *n * 10 + key - '0';
	} else {
		escape_final(e, key);
	}
}

static int control_key(struct edit *e, unsigned char key)
{
	switch (key) {
	case CTRL_A: set_cursor(e, 0); break;
	case CTRL_B: set_cursor(e, character_before(e, e->cursor)); break;
	case CTRL_C: return finish(e, EDIT_INTERRUPT);
	case CTRL_D:
		if (!e->length)
			return finish(e, EDIT_EOF);
		delete_forward(e);
		break;
	case CTRL_E: set_cursor(e, e->length); break;
	case CTRL_F: set_cursor(e, character_after(e, e->cursor)); break;
	case CTRL_H: case RUBOUT: delete_backward(e); break;
	case CTRL_K: remove_range(e, e->cursor, e->length, 1); break;
	case CTRL_L:
		put(e, "\033[2J\033[H");
		edit_forget(e);
		edit_show(e);
		break;
	case NEWLINE: case RETURN: return finish(e, EDIT_LINE);
	case CTRL_N: if (e->back) recall(e, e->back - 1); break;
	case CTRL_P: recall(e, e->back + 1); break;
	case CTRL_T: transpose(e); break;
	case CTRL_U: remove_range(e, 0, e->cursor, 1); break;
	case CTRL_W: remove_range(e, word_before(e), e->cursor, 1); break;
	case CTRL_Y: insert(e, e->killed, e->killed_length); break;
	case ESCAPE: e->escape = ESC_SEEN; break;
	default: break;
	}
	return EDIT_MORE;
}

int edit_key(struct edit *e, unsigned char key)
{
	char c = (char)key;
	int again = key == NEWLINE && e->after_return;

	e->after_return = key == RETURN;
	if (again)              /* CR LF is one line end */
		return EDIT_MORE;
	if (e->escape) {
		escape_key(e, key);
		return EDIT_MORE;
	}
	if (key < 32 || key == RUBOUT)
		return control_key(e, key);
	insert(e, &c, 1);
	return EDIT_MORE;
}

void edit_start(struct edit *e, const char *prompt, unsigned long length)
{
	if (length > EDIT_PROMPT_MAX)
		length = EDIT_PROMPT_MAX;
	copy(e->prompt, prompt, length);
	e->prompt_length = length;
	e->length = e->cursor = e->back = 0;
	e->escape = ESC_NONE;
	e->shown = 0;
	edit_show(e);
}

void edit_init(struct edit *e, struct history *history, unsigned long columns,
	       void (*print)(void *context, const char *text, unsigned long count), void *context)
{
	e->print = print;
	e->context = context;
	e->history = history;
	e->columns = columns;
	e->prompt_length = e->length = e->cursor = e->killed_length = e->back = 0;
	e->escape = ESC_NONE;
	e->after_return = 0;
	edit_forget(e);
}
