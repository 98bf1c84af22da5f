/* SPDX-License-Identifier: BSD-2-Clause
 * JSON: a stack of closing brackets, and whether a comma is due.
 */
#include "json.h"

#include <inttypes.h>

#define DEPTH   16

static char closing[DEPTH];
static unsigned depth;
static bool comma;
static FILE *to;                        /* NULL: the standard output */

void json_to(FILE *f)
{
	to = f;
}

static FILE *out(void)
{
	return to ? to : stdout;
}

static void quote(const char *s)
{
	putc('"', out());
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fprintf(out(), "\\%c", *s);
		else if ((unsigned char)*s < ' ' || (unsigned char)*s >= 0x7f)
			fprintf(out(), "\\u%04x", (unsigned char)*s);
		else
			putc(*s, out());
	}
	putc('"', out());
}

static void begin(const char *key)
{
	if (comma)
		putc(',', out());
	if (depth)
		fprintf(out(), "\n%*s", (int)(2 * depth), "");
	comma = true;
	if (key) {
		quote(key);
		fprintf(out(), ": ");
	}
}

static void open_with(const char *key, char bracket, char end)
{
	begin(key);
	putc(bracket, out());
	closing[depth++ % DEPTH] = end;
	comma = false;
}

void json_object(const char *key)
{
	open_with(key, '{', '}');
}

void json_list(const char *key)
{
	open_with(key, '[', ']');
}

void json_end(void)
{
	depth--;
	fprintf(out(), "\n%*s%c", (int)(2 * depth), "", closing[depth % DEPTH]);
	comma = depth > 0;
	if (!depth)
		putc('\n', out());
}

void json_number(const char *key, uint64_t value)
{
	begin(key);
	fprintf(out(), "%" PRIu64, value);
}

void json_signed(const char *key, int64_t value)
{
	begin(key);
	fprintf(out(), "%" PRId64, value);
}

void json_hex(const char *key, uint64_t value)
{
	begin(key);
	fprintf(out(), "\"0x%" PRIx64 "\"", value);
}

void json_bool(const char *key, bool value)
{
	begin(key);
	fprintf(out(), value ? "true" : "false");
}

void json_string(const char *key, const char *value)
{
	begin(key);
	if (value)
		quote(value);
	else
		fprintf(out(), "null");
}
