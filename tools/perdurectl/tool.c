/* SPDX-License-Identifier: BSD-2-Clause
 * Messages and numbers.
 */
#include "tool.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int tool_fail(int status, const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "perdurectl: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return status;
}

bool number_parse(const char *text, uint64_t *value)
{
	static const char units[] = "KMGT";
	char *end;
	const char *unit;

	if (*text < '0' || *text > '9')
		return false;
	*value = strtoull(text, &end, 0);
	unit = *end ? strchr(units, *end) : NULL;
	if (unit && !end[1]) {
		unsigned shift = 10 * (unsigned)(unit - units + 1);

		if (*value >> (64 - shift))
			return false;
		*value <<= shift;
		end++;
	}
	return !*end;
}
