/* SPDX-License-Identifier: BSD-2-Clause
 * The unfinished line at the cursor. See line.h. */
#include "line.h"

static void note(struct line *l, char c)
{
	if (l->length == LINE_MAX) {
		l->lost = 1;
		l->length = 0;
	}
	l->text[l->length++] = c;
	const char *end = l->text + l->length;
	int erased = l->length >= 4 && (c == 'J' || c == 'K') && end[-2] == '[' && end[-3] == '\033' && end[-4] == '\r';
	if (c == '\n' || erased) {
		l->length = 0;
		l->lost = 0;
	}
}

void line_note(struct line *l, const char *text, unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		note(l, text[i]);
}

void line_above(const struct line *l, const char *text, unsigned long count, line_print_function *print)
{
	char last = '\n';

	if (l->lost)
		print("\r\n", 2);
	else if (l->length)
		print("\r\033[K\033[A\n", 8);       /* up and down: also in a log it is a line of its own */
	for (unsigned long i = 0; i < count; i++) {
		if (text[i] == '\n' && last != '\r')
			print("\r", 1);
		print(text + i, 1);
		last = text[i];
	}
	if (last != '\n')
		print("\r\n", 2);
	if (!l->lost)
		print(l->text, l->length);
}
