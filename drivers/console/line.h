/* SPDX-License-Identifier: BSD-2-Clause
 * The unfinished line at the cursor, so that messages can be put above it. It is the bytes printed since the last line
 * end, or since a line was erased (CR ESC [ J or K), which is how the terminal begins to draw its line. Pure logic,
 * tested on the host. */
#ifndef CONSOLE_LINE_H
#define CONSOLE_LINE_H

#define LINE_MAX                1024

/* Zero it to begin. */
struct line {
	unsigned long length;
	int lost;                       /* it was longer than LINE_MAX: not known */
	int status;                     /* right above it stands a status line, which the next one replaces */
	char text[LINE_MAX];
};

typedef void line_print_function(const char *text, unsigned long count);

/* These bytes were printed. */
void line_note(struct line *l, const char *text, unsigned long count);

/* Print whole lines of a message (LF or CR LF) above the unfinished line, and that again below them. Of status
 * lines (`[ckpt] gen=`) that follow each other only the last stays on the screen; a log has them all, each as
 * a line of its own. */
void line_above(struct line *l, const char *text, unsigned long count, line_print_function *print);

#endif
