/* SPDX-License-Identifier: BSD-2-Clause
 *
 * See menu.h.
 */
#include "menu.h"

#define SECONDS_MAX	600u

enum { BACKSPACE = 8, LINE_FEED = 10, RETURN = 13, ESCAPE = 27, DELETE = 127 };

/* What numbers and names are made of: nothing else may get into the command line. */
static int is_choice(unsigned int c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == '-';
}

enum menu_event menu_key(struct menu *m, unsigned int key)
{
	switch (key) {
	case ESCAPE: case RETURN: case LINE_FEED:
		if (key == ESCAPE)
			m->length = 0;
		m->text[m->length] = 0;
		return MENU_DONE;
	case BACKSPACE: case DELETE: case MENU_CTRL_U:
		if (!m->length)
			return MENU_NOTHING;
		m->length--;
		return MENU_ERASED;
	}
	if (!is_choice(key) || m->length == MENU_TEXT - 1)
		return MENU_NOTHING;
	m->text[m->length++] = (char)key;
	return MENU_ADDED;
}

static const char option[] = "uefi.menu=";
#define OPTION_LENGTH	(sizeof option - 1)

static int is_option(const char *at, size_t length)
{
	for (size_t i = 0; i < OPTION_LENGTH; i++)
		if (i == length || at[i] != option[i])
			return 0;
	return 1;
}

unsigned int menu_seconds(const char *cmdline, size_t length)
{
	unsigned int seconds = MENU_SECONDS;

	for (size_t i = 0; i < length; i++) {
		if ((i && cmdline[i - 1] > ' ') || !is_option(cmdline + i, length - i))
			continue;
		seconds = 0;
		for (size_t k = i + OPTION_LENGTH; k < length && cmdline[k] >= '0' && cmdline[k] <= '9' && seconds < SECONDS_MAX; k++)
			seconds = seconds * 10 + (unsigned int)(cmdline[k] - '0');
	}
	return seconds < SECONDS_MAX ? seconds : SECONDS_MAX;
}
