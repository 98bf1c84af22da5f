/* SPDX-License-Identifier: BSD-2-Clause
 * The shell's reading of a line. See parse.h. */
#include "parse.h"

static int is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Copy the word at *from down to *to, without its quotes. 0 if a quote has no end. */
static int word_take(char **from, char **to)
{
	char quote = 0;

	for (; **from && (quote || !is_blank(**from)); ++*from) {
		char c = **from;
		if (quote ? c == quote : c == '"' || c == '\'')
			quote = quote ? 0 : c;
		else if (c == '\\' && quote != '\'' && (*from)[1])
			*(*to)++ = *++*from;
		else
			*(*to)++ = c;
	}
	return !quote;
}

int parse_words(char *line, char **word)
{
	char *to = line;
	int n = 0;

	for (;;) {
		while (is_blank(*line))
			line++;
		if (!*line || *line == '#')
			break;
		if (n == PARSE_WORDS_MAX)
			return PARSE_TOO_MANY;
		word[n++] = to;
		if (!word_take(&line, &to))
			return PARSE_QUOTE;
		int last = !*line;
		*to++ = 0;              /* never beyond line: at least the blank was skipped */
		if (last)
			break;
		line++;
	}
	word[n] = 0;
	return n;
}

/* The value of a digit in this base, or base itself. */
static unsigned long digit(char c, unsigned long base)
{
	unsigned long d = base;

	if (c >= '0' && c <= '9')
		d = (unsigned long)(c - '0');
	else if (c >= 'a' && c <= 'f')
		d = (unsigned long)(c - 'a') + 10;
	else if (c >= 'A' && c <= 'F')
		d = (unsigned long)(c - 'A') + 10;
	return d < base ? d : base;
}

/* Read digits; returns what follows them, null if there are none or the value is too large. */
static const char *number(const char *text, unsigned long *value)
{
	unsigned long base = 10;
	const char *at;

	if (text[0] == '0' && text[1] == 'x') {
		base = 16;
		text += 2;
	}
	*value = 0;
	for (at = text; digit(*at, base) < base; at++) {
		if (*value > (~0UL / 2 - digit(*at, base)) / base)
			return 0;
		*value = *value * base + digit(*at, base);
	}
	return at > text ? at : 0;
}

int parse_number(const char *text, unsigned long *value)
{
	const char *end = number(text, value);

	return end && !*end;
}

static int equal(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

int parse_time(const char *text, unsigned long *us)
{
	static const struct { char name[4]; unsigned long us; } unit[] = {
		{ "us", 1 }, { "ms", 1000 }, { "s", 1000000 }, { "min", 60000000 }, { "h", 3600000000 },
	};
	const char *end = number(text, us);

	for (unsigned int i = 0; end && *us && i < sizeof unit / sizeof unit[0]; i++) {
		if (!equal(end, unit[i].name))
			continue;
		if (*us > ~0UL / 2 / unit[i].us)
			return 0;
		*us *= unit[i].us;
		return 1;
	}
	return 0;
}

char *parse_range(char *text)
{
	for (; *text; text++) {
		if (text[0] != '.' || text[1] != '.')
			continue;
		*text = 0;
		return text + 2;
	}
	return 0;
}
