/* SPDX-License-Identifier: BSD-2-Clause
 * JSON: a stack of closing brackets, and whether a comma is due.
 */
#include "json.h"

#include <inttypes.h>
#include <stdio.h>

#define DEPTH   16

static char closing[DEPTH];
static unsigned depth;
static bool comma;

static void quote(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			printf("\\%c", *s);
		else if ((unsigned char)*s < ' ' || (unsigned char)*s >= 0x7f)
			printf("\\u%04x", (unsigned char)*s);
		else
			putchar(*s);
	}
	putchar('"');
}

static void begin(const char *key)
{
	if (comma)
		putchar(',');
	if (depth)
		printf("\n%*s", (int)(2 * depth), "");
	comma = true;
	if (key) {
		quote(key);
		printf(": ");
	}
}

static void open_with(const char *key, char bracket, char end)
{
	begin(key);
	putchar(bracket);
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
	printf("\n%*s%c", (int)(2 * depth), "", closing[depth % DEPTH]);
	comma = depth > 0;
	if (!depth)
		putchar('\n');
}

void json_number(const char *key, uint64_t value)
{
	begin(key);
	printf("%" PRIu64, value);
}

void json_signed(const char *key, int64_t value)
{
	begin(key);
	printf("%" PRId64, value);
}

void json_hex(const char *key, uint64_t value)
{
	begin(key);
	printf("\"0x%" PRIx64 "\"", value);
}

void json_bool(const char *key, bool value)
{
	begin(key);
	printf(value ? "true" : "false");
}

void json_string(const char *key, const char *value)
{
	begin(key);
	if (value)
		quote(value);
	else
		printf("null");
}
