/* SPDX-License-Identifier: BSD-2-Clause
 * The driver's own prompt. See prompt.h. */
#include "prompt.h"

enum { CTRL_C = 0x03, CTRL_D = 0x04, BACKSPACE = 0x08, CTRL_U = 0x15, ESCAPE = 0x1b, DELETE = 0x7f };

/* ESC, or ESC [ … up to a letter or '~'. 1: the byte belongs to it. */
static int escape(struct prompt *p, char c)
{
	if (c == ESCAPE)
		p->escape = 1;
	else if (p->escape == 1)
		p->escape = c == '[' ? 2 : 0;
	else if (p->escape == 2 && c >= '@' && c <= '~')
		p->escape = 0;
	else
		return p->escape;
	return 1;
}

static enum prompt_event edit(struct prompt *p, char c)
{
	switch (c) {
	case '\r': case '\n':
		p->text[p->length] = 0;
		return PROMPT_LINE;
	case BACKSPACE: case DELETE:
		if (p->length)
			p->length--;
		return PROMPT_CHANGED;
	case CTRL_U:
		p->length = 0;
		return PROMPT_CHANGED;
	default:
		if (c < ' ' || p->length == PROMPT_MAX)
			return PROMPT_NOTHING;
		p->text[p->length++] = c;
		return PROMPT_CHANGED;
	}
}

enum prompt_event prompt_key(struct prompt *p, char c)
{
	if (!p->open) {
		if (c != PROMPT_KEY)
			return PROMPT_PASS;
		*p = (struct prompt){ .open = 1 };
		return PROMPT_OPENED;
	}
	if (c == PROMPT_KEY || c == CTRL_C || c == CTRL_D) {
		p->open = 0;
		return PROMPT_CLOSED;
	}
	return escape(p, c) ? PROMPT_NOTHING : edit(p, c);
}

void prompt_next(struct prompt *p)
{
	p->length = 0;
}

unsigned int prompt_words(char *text, char *word[PROMPT_WORDS])
{
	unsigned int n = 0;

	for (;;) {
		while (*text == ' ')
			text++;
		if (!*text)
			return n;
		if (n == PROMPT_WORDS)
			return n + 1;
		word[n++] = text;
		while (*text && *text != ' ')
			text++;
		if (*text)
			*text++ = 0;
	}
}
