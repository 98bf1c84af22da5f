/* SPDX-License-Identifier: BSD-2-Clause
 * The picture of a text screen. See screen.h.
 * States of the reader: plain --ESC--> ESC_SEEN --[--> ESC_CSI --final byte--> plain. */
#include "screen.h"

enum { ESC_NONE, ESC_SEEN, ESC_CSI };

static void dirty(struct screen *s, unsigned int first, unsigned int end)
{
	if (first < s->first_dirty)
		s->first_dirty = first;
	if (end > s->end_dirty)
		s->end_dirty = end;
}

static void blank(struct screen *s, unsigned int row, unsigned int from, unsigned int to)
{
	for (unsigned int i = from; i < to && i < s->columns; i++)
		s->cell[row][i] = (unsigned short)(s->attribute << 8 | ' ');
	dirty(s, row, row + 1);
}

static void line_feed(struct screen *s)
{
	if (s->row + 1 < s->rows) {
		s->row++;
		return;
	}
	for (unsigned int r = 1; r < s->rows; r++)
		for (unsigned int c = 0; c < s->columns; c++)
			s->cell[r - 1][c] = s->cell[r][c];
	blank(s, s->rows - 1, 0, s->columns);
	dirty(s, 0, s->rows);
}

static void put_character(struct screen *s, unsigned int code)
{
	if (s->column >= s->columns) {
		s->column = 0;
		line_feed(s);
	}
	if (code > 126 || code < 32)
		code = '?';
	s->cell[s->row][s->column++] = (unsigned short)(s->attribute << 8 | code);
	dirty(s, s->row, s->row + 1);
}

static void erase_screen(struct screen *s, unsigned int what)
{
	unsigned int column = s->column < s->columns ? s->column : s->columns - 1;

	if (what == 0)
		blank(s, s->row, column, s->columns);
	else if (what == 1)
		blank(s, s->row, 0, column + 1);
	for (unsigned int r = 0; r < s->rows; r++)
		if (what >= 2 || (what == 0 && r > s->row) || (what == 1 && r < s->row))
			blank(s, r, 0, s->columns);
}

static void erase_line(struct screen *s, unsigned int what)
{
	unsigned int column = s->column < s->columns ? s->column : s->columns - 1;

	blank(s, s->row, what == 0 ? column : 0, what == 1 ? column + 1 : s->columns);
}

/* One number of a "select graphic rendition". ANSI counts colours red first, VGA blue first. */
static void rendition(struct screen *s, unsigned int n)
{
	static const unsigned char colour[8] = { 0, 4, 2, 6, 1, 5, 3, 7 };

	if (n == 0)
		s->attribute = SCREEN_PLAIN;
	else if (n == 1)
		s->attribute |= 8;
	else if (n == 7)
		s->attribute = (s->attribute & 7) << 4 | (s->attribute >> 4 & 7);
	else if (n >= 30 && n <= 37)
		s->attribute = (s->attribute & 0xf8) | colour[n - 30];
	else if (n >= 40 && n <= 47)
		s->attribute = (s->attribute & 0x0f) | (unsigned int)colour[n - 40] << 4;
	else if (n >= 90 && n <= 97)
		s->attribute = (s->attribute & 0xf0) | 8 | colour[n - 90];
}

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

static void command(struct screen *s, char final)
{
	unsigned int n = s->number[0], count = n ? n : 1;

	if (s->column >= s->columns && final != 'm')
		s->column = s->columns - 1;
	switch (final) {
	case 'A': s->row -= least(count, s->row); break;
	case 'B': s->row = least(s->row + count, s->rows - 1); break;
	case 'C': s->column = least(s->column + count, s->columns - 1); break;
	case 'D': s->column -= least(count, s->column); break;
	case 'G': s->column = least(count, s->columns) - 1; break;
	case 'H': case 'f':
		s->row = least(count, s->rows) - 1;
		s->column = least(s->number[1] ? s->number[1] : 1, s->columns) - 1;
		break;
	case 'J': erase_screen(s, n); break;
	case 'K': erase_line(s, n); break;
	case 'm':
		for (unsigned int i = 0; i <= s->numbers; i++)
			rendition(s, s->number[i]);
		break;
	default: break;
	}
}

static void escape_byte(struct screen *s, char c)
{
	if (s->escape == ESC_SEEN) {
		s->escape = c == '[' ? ESC_CSI : ESC_NONE;
		s->numbers = 0;
		for (int i = 0; i < 4; i++)
			s->number[i] = 0;
	} else if (c >= '0' && c <= '9') {
		unsigned int *n = &s->number[s->numbers];
		if (*n < 1000)
			*n = *n * 10 + (unsigned int)(c - '0');
	} else if (c == ';') {
		if (s->numbers < 3)
			s->numbers++;
	} else if (c >= 0x40) {
		s->escape = ESC_NONE;
		command(s, c);
	}
}

static void control(struct screen *s, char c)
{
	switch (c) {
	case '\r': s->column = 0; break;
	case '\n': line_feed(s); break;
	case '\b': if (s->column) s->column--; break;
	case '\t': s->column = least((s->column | 7) + 1, s->columns - 1); break;
	case 27: s->escape = ESC_SEEN; break;
	default: break;
	}
}

/* A byte of a UTF-8 character. */
static void multibyte(struct screen *s, unsigned char c)
{
	if (c >= 0xc0) {
		s->continuation = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
		s->code_point = c & (0x3fu >> s->continuation);
	} else if (s->continuation) {
		s->code_point = s->code_point << 6 | (c & 0x3f);
		if (!--s->continuation)
			put_character(s, s->code_point);
	}
}

void screen_write(struct screen *s, const char *text, unsigned long count)
{
	dirty(s, s->row, s->row + 1);           /* the cursor leaves */
	for (unsigned long i = 0; i < count; i++) {
		if (s->escape)
			escape_byte(s, text[i]);
		else if ((unsigned char)text[i] >= 128)
			multibyte(s, (unsigned char)text[i]);
		else if (text[i] >= 32)
			put_character(s, (unsigned int)text[i]);
		else
			control(s, text[i]);
	}
	dirty(s, s->row, s->row + 1);
}

void screen_clean(struct screen *s)
{
	s->first_dirty = s->rows;
	s->end_dirty = 0;
}

void screen_init(struct screen *s, unsigned int columns, unsigned int rows)
{
	s->columns = least(columns ? columns : 1, SCREEN_COLUMNS_MAX);
	s->rows = least(rows ? rows : 1, SCREEN_ROWS_MAX);
	s->column = s->row = 0;
	s->attribute = SCREEN_PLAIN;
	s->escape = ESC_NONE;
	s->continuation = 0;
	screen_clean(s);
	for (unsigned int r = 0; r < s->rows; r++)
		blank(s, r, 0, s->columns);
}
