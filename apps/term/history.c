/* SPDX-License-Identifier: BSD-2-Clause
 * The lines typed before: a ring in the terminal's memory. See history.h. */
#include "history.h"

unsigned long history_count(const struct history *h)
{
	return h->added < HISTORY_LINES ? h->added : HISTORY_LINES;
}

const char *history_get(const struct history *h, unsigned long back)
{
	if (back >= history_count(h))
		return 0;
	return h->line[(h->added - 1 - back) % HISTORY_LINES];
}

static int line_equal(const char *kept, const char *line, unsigned long length)
{
	for (unsigned long i = 0; i < length; i++)
		if (kept[i] != line[i])
			return 0;
	return kept[length] == 0;
}

void history_add(struct history *h, const char *line, unsigned long length)
{
	const char *newest = history_get(h, 0);

	if (length > HISTORY_BYTES - 1)
		length = HISTORY_BYTES - 1;
	if (!length || (newest && line_equal(newest, line, length)))
		return;
	char *slot = h->line[h->added % HISTORY_LINES];
	for (unsigned long i = 0; i < length; i++)
		slot[i] = line[i];
	slot[length] = 0;
	h->added++;
}
