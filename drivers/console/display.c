/* SPDX-License-Identifier: BSD-2-Clause
 * VGA text memory or a framebuffer. See display.h. A shadow holds what is shown, so that only cells that differ
 * are written: device memory is slow. */
#include <l4/types.h>
#include <l4/thread.h>
#include <l4/ipc.h>
#include <l4/sigma0.h>
#include <l4/bootinfo.h>
#include "display.h"
#include "font.h"
#include "io.h"

enum { VGA_TEXT = 0xb8000, CRTC_INDEX = 0x3d4, CRTC_DATA = 0x3d5, CURSOR_HIGH = 0x0e, CURSOR_LOW = 0x0f };
enum { TEXT_COLUMNS = 80, TEXT_ROWS = 25, PAGE = 4096, REVERSE = 0x10000 };

/* Virtual addresses of the memory: its offset within 4 GiB is kept, so that large pages fit. */
#define WINDOW                  0x1000000000UL
#define WINDOW_MASK             0xffffffffUL

static struct {
	unsigned long type, width, height, pitch, bpp, red, green, blue, base;  /* in the argument's order */
} fb;

static volatile unsigned char *memory;
static unsigned int shadow[SCREEN_ROWS_MAX][SCREEN_COLUMNS_MAX];
static unsigned int palette[16];

/* "12,0x34,…" into words; returns how many there were. */
static int numbers(const char *text, unsigned long *word, int most)
{
	int n = 0;

	while (n < most && *text >= '0' && *text <= '9') {
		unsigned long base = 10, value = 0;
		if (text[0] == '0' && text[1] == 'x') {
			base = 16;
			text += 2;
		}
		for (;; text++) {
			unsigned long digit = *text >= '0' && *text <= '9' ? (unsigned long)(*text - '0')
					    : *text >= 'a' && *text <= 'f' ? (unsigned long)(*text - 'a') + 10 : 16;
			if (digit >= base)
				break;
			value = value * base + digit;
		}
		word[n++] = value;
		if (*text++ != ',')
			break;
	}
	return n;
}

/* Have sigma0 map [base, base + size) of device memory; null if it does not. */
static volatile unsigned char *map_device(unsigned long base, unsigned long size)
{
	unsigned long at = base & ~(unsigned long)(PAGE - 1), end = base + size;
	unsigned long window = WINDOW - (at & ~WINDOW_MASK);    /* virtual minus physical */

	while (at < end) {
		int bits = 12;
		while (bits < 21 && !(at & (1UL << bits)) && at + (2UL << bits) <= end)
			bits++;
		L4_Fpage_t got = L4_Sigma0_GetPage_RcvWindow(L4_nilthread, L4_FpageLog2(at, bits),
							     L4_FpageLog2(at + window, bits));
		if (L4_IsNilFpage(got))
			return 0;
		at += 1UL << bits;
	}
	return (volatile unsigned char *)(base + window);
}

static void framebuffer_init(struct screen *s)
{
	static const unsigned int vga[16] = { 0x000000, 0x0000aa, 0x00aa00, 0x00aaaa, 0xaa0000, 0xaa00aa, 0xaa5500,
		0xaaaaaa, 0x555555, 0x5555ff, 0x55ff55, 0x55ffff, 0xff5555, 0xff55ff, 0xffff55, 0xffffff };

	for (int i = 0; i < 16; i++)
		palette[i] = (vga[i] >> 16 & 255) << fb.red | (vga[i] >> 8 & 255) << fb.green | (vga[i] & 255) << fb.blue;
	memory = map_device(fb.base, fb.pitch * fb.height);
	screen_init(s, (unsigned int)fb.width / FONT_WIDTH, (unsigned int)fb.height / FONT_HEIGHT);
}

void display_init(struct screen *s, const char *description)
{
	int n = description ? numbers(description + 3, &fb.type, 9) : 0;

	for (unsigned int r = 0; r < SCREEN_ROWS_MAX; r++)
		for (unsigned int c = 0; c < SCREEN_COLUMNS_MAX; c++)
			shadow[r][c] = ~0u;
	if (n == 9 && fb.type == BOOTFB_RGB && fb.bpp == 32 && fb.red < 25 && fb.green < 25 && fb.blue < 25) {
		framebuffer_init(s);
		return;
	}
	fb.type = BOOTFB_TEXT;
	screen_init(s, TEXT_COLUMNS, TEXT_ROWS);
	memory = map_device(VGA_TEXT, PAGE);
}

static void draw_glyph(unsigned int row, unsigned int column, unsigned int cell)
{
	unsigned int code = cell & 255, front = palette[cell >> 8 & 15], back = palette[cell >> 12 & 7];

	if (cell & REVERSE) {
		unsigned int other = front;
		front = back;
		back = other;
	}
	for (unsigned int y = 0; y < FONT_HEIGHT; y++) {
		volatile unsigned char *line = memory + (row * FONT_HEIGHT + y) * fb.pitch + column * FONT_WIDTH * 4;
		volatile unsigned int *pixel = (volatile unsigned int *)(volatile void *)line;
		for (unsigned int x = 0; x < FONT_WIDTH; x++)
			pixel[x] = font_glyph[code][y] & (0x80 >> x) ? front : back;
	}
}

static void draw_cell(const struct screen *s, unsigned int row, unsigned int column, unsigned int cell)
{
	if (fb.type == BOOTFB_RGB)
		draw_glyph(row, column, cell);
	else
		((volatile unsigned short *)(volatile void *)memory)[row * s->columns + column] = (unsigned short)cell;
	shadow[row][column] = cell;
}

static void hardware_cursor(const struct screen *s, unsigned int column)
{
	unsigned int at = s->row * s->columns + column;

	io_out(CRTC_INDEX, CURSOR_HIGH);
	io_out(CRTC_DATA, (unsigned char)(at >> 8));
	io_out(CRTC_INDEX, CURSOR_LOW);
	io_out(CRTC_DATA, (unsigned char)at);
}

void display_refresh(struct screen *s)
{
	unsigned int cursor = s->column < s->columns ? s->column : s->columns - 1;

	for (unsigned int r = s->first_dirty; memory && r < s->end_dirty && r < s->rows; r++) {
		for (unsigned int c = 0; c < s->columns; c++) {
			unsigned int cell = s->cell[r][c];
			if (fb.type == BOOTFB_RGB && r == s->row && c == cursor)
				cell |= REVERSE;
			if (shadow[r][c] != cell)
				draw_cell(s, r, c, cell);
		}
	}
	if (memory && fb.type == BOOTFB_TEXT)
		hardware_cursor(s, cursor);
	screen_clean(s);
}
