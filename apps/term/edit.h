/* SPDX-License-Identifier: BSD-2-Clause
 * The line being typed: text, cursor, history, and what of it stands on the screen.
 *
 * edit_key takes the terminal's input byte by byte and says when a line is finished; all output goes through
 * one function. The picture on the screen is prompt and text in rows of columns - 1 characters, each ended by an
 * explicit line end, so it does not depend on how the real terminal wraps. Between edit_hide and
 * edit_show other text may be printed. Nothing here knows of reboots: edit_forget says that the screen
 * no longer shows what was drawn. Pure logic, tested on the host.
 */
#ifndef TERM_EDIT_H
#define TERM_EDIT_H

#include "history.h"

#define EDIT_TEXT_MAX           480     /* bytes of a line */
#define EDIT_PROMPT_MAX         80

/* What edit_key reports. */
enum { EDIT_MORE = 0, EDIT_LINE, EDIT_EOF, EDIT_INTERRUPT };

struct edit {
	void (*print)(void *context, const char *text, unsigned long count);
	void *context;
	struct history *history;
	unsigned long columns;          /* of the terminal; a row holds one less */

	char prompt[EDIT_PROMPT_MAX + 1];
	unsigned long prompt_length;
	char text[EDIT_TEXT_MAX + 1];
	unsigned long length, cursor;   /* bytes; the cursor stands at the start of a character */

	char killed[EDIT_TEXT_MAX];     /* by ^K, ^U, ^W; ^Y brings it back */
	unsigned long killed_length;
	char saved[EDIT_TEXT_MAX];      /* the new line, while an old one is looked at */
	unsigned long saved_length;
	unsigned long back;             /* 0: the new line; n: history line n - 1 */

	int shown;                      /* prompt and text stand on the screen */
	unsigned long cursor_row;       /* of the screen cursor, counted from the first row drawn */
	int escape;                     /* progress in an escape sequence */
	unsigned int number[2], field;  /* its parameters: ESC [ number ; number */
	int after_return;               /* the last key was a carriage return */
};

/* Begin: print receives all output. */
void edit_init(struct edit *e, struct history *history, unsigned long columns,
	       void (*print)(void *context, const char *text, unsigned long count), void *context);

/* Start a new, empty line behind prompt (cut to fit) and show it. */
void edit_start(struct edit *e, const char *prompt, unsigned long length);

/* Take one input byte. EDIT_LINE: the line is in text[0..length), zero-terminated, added to the history, and the screen
 * cursor stands below it. EDIT_EOF: ^D on an empty line. EDIT_INTERRUPT: ^C, the line was given up. After these
 * three nothing is shown until edit_start. */
int edit_key(struct edit *e, unsigned char key);

/* Take the line off the screen; the cursor stands where it began. Nothing if it is not shown. */
void edit_hide(struct edit *e);

/* Draw it again where the cursor stands (at the start of a row). Nothing if it is shown. */
void edit_show(struct edit *e);

/* The screen's content is lost or unknown: it is not shown, whatever was drawn before. */
void edit_forget(struct edit *e);

#endif
