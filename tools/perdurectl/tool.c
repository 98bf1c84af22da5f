/* SPDX-License-Identifier: BSD-2-Clause
 * Messages.
 */
#include "tool.h"

#include <stdarg.h>
#include <stdio.h>

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
