/* SPDX-License-Identifier: BSD-2-Clause
 * The lines typed before, newest first. It lives in the terminal's memory and is therefore kept for ever.
 * A ring of fixed lines: the oldest is overwritten. Pure logic, tested on the host.
 */
#ifndef TERM_HISTORY_H
#define TERM_HISTORY_H

#define HISTORY_LINES           128     /* lines kept */
#define HISTORY_BYTES           481     /* longest line with its zero */

struct history {
	unsigned long added;            /* lines ever added; line i stands in slot i % HISTORY_LINES */
	char line[HISTORY_LINES][HISTORY_BYTES];
};

/* Add a line of length bytes, cut to fit. Empty lines, and one equal to the newest, are not added. */
void history_add(struct history *h, const char *line, unsigned long length);

/* Number of lines kept now. */
unsigned long history_count(const struct history *h);

/* The line added back lines before the newest (0: the newest); null if it is not kept. */
const char *history_get(const struct history *h, unsigned long back);

#endif
