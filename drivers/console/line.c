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
	if (c == '\n' || (l->length >= 2 && c == 'H' && end[-2] == '['))        /* H: the screen was cleared */
		l->status = 0;
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

static int is_status(const char *text, unsigned long count)
{
	static const char prefix[] = "[ckpt] gen=";

	for (unsigned long i = 0; i < sizeof prefix - 1; i++)
		if (i == count || text[i] != prefix[i])
			return 0;
	return 1;
}

/* Print one line, without its end. The cursor stands at the start of a row whose text is not needed; up and
 * down again makes the line one of its own in a log, too. */
static void print_line(struct line *l, const char *text, unsigned long count, int fresh, line_print_function *print)
{
	int status = is_status(text, count), replace = l->status && status;

	if (count && text[count - 1] == '\r')
		count--;
	if (replace)
		print("\033[A\r\033[K", 7);
	if (replace || !fresh)
		print("\033[A\n", 4);
	print(text, count);
	print("\r\n", 2);
	l->status = status;
}

void line_above(struct line *l, const char *text, unsigned long count, line_print_function *print)
{
	int fresh = 1;

	if (l->lost) {
		print("\r\n", 2);
		l->status = 0;
	} else if (l->length) {
		print("\r\033[K", 4);
		fresh = 0;
	}
	while (count) {
		unsigned long n = 0;
		while (n < count && text[n] != '\n')
			n++;
		print_line(l, text, n, fresh, print);
		fresh = 1;
		text += n < count ? n + 1 : n;
		count -= n < count ? n + 1 : n;
	}
	if (!l->lost)
		print(l->text, l->length);
}
