/* SPDX-License-Identifier: BSD-2-Clause
 * A line is built in a buffer and printed at once, so that lines of others do not cut into it.
 */
#include "say.h"

#include <stdarg.h>
#include <stddef.h>

#include <l4/print.h>

struct line {
	char text[384];
	size_t length;
};

static void put(struct line *line, char c)
{
	if (line->length < sizeof line->text - 2)
		line->text[line->length++] = c;
}

static void put_string(struct line *line, const char *s)
{
	while (*s)
		put(line, *s++);
}

static void put_number(struct line *line, unsigned long value, unsigned base)
{
	char digits[24];
	int n = 0;

	do
		digits[n++] = "0123456789abcdef"[value % base];
	while (value /= base);
	while (n)
		put(line, digits[--n]);
}

static void put_signed(struct line *line, long value)
{
	if (value < 0)
		put(line, '-');
	put_number(line, value < 0 ? -(unsigned long)value : (unsigned long)value, 10);
}

void say(const char *format, ...)
{
	struct line line = { .length = 0 };
	va_list ap;

	va_start(ap, format);
	put_string(&line, "[pager] ");
	for (; *format; format++) {
		if (*format != '%') {
			put(&line, *format);
			continue;
		}
		switch (*++format) {
		case 's': put_string(&line, va_arg(ap, const char *)); break;
		case 'u': put_number(&line, va_arg(ap, unsigned long), 10); break;
		case 'x': put_number(&line, va_arg(ap, unsigned long), 16); break;
		default:  put_signed(&line, va_arg(ap, long)); break;
		}
	}
	va_end(ap);
	line.text[line.length++] = '\n';
	line.text[line.length] = 0;
	l4_output_kdebug(line.text, line.length);
}
