/* SPDX-License-Identifier: BSD-2-Clause
 * The picture of a text screen: cells, cursor, and the part of the ANSI sequences that the terminal uses
 * (J K A B C D G H f m; BS HT LF CR BEL). What changed is remembered, so a display redraws that only.
 * Bytes above 127 are UTF-8; code points without a glyph of ours are shown as '?'. Pure logic, tested on the host.
 */
#ifndef CONSOLE_SCREEN_H
#define CONSOLE_SCREEN_H

#define SCREEN_COLUMNS_MAX      240
#define SCREEN_ROWS_MAX         120
#define SCREEN_PLAIN            0x07    /* attribute: light grey on black, as in VGA text memory */

/* A cell: character in bits 0..7, attribute in bits 8..15. */
struct screen {
	unsigned int columns, rows;
	unsigned int column, row;       /* of the cursor; column == columns: the next character wraps first */
	unsigned int attribute;
	unsigned int first_dirty, end_dirty;    /* rows to redraw */
	int escape;
	unsigned int number[4], numbers;
	unsigned int code_point;        /* UTF-8 */
	int continuation;
	unsigned short cell[SCREEN_ROWS_MAX][SCREEN_COLUMNS_MAX];
};

/* Begin with a blank screen; sizes above the maximum are cut. All rows are to be redrawn. */
void screen_init(struct screen *s, unsigned int columns, unsigned int rows);

/* Take output bytes. */
void screen_write(struct screen *s, const char *text, unsigned long count);

/* Everything has been redrawn. */
void screen_clean(struct screen *s);

#endif
