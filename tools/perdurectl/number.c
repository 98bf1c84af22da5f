/* SPDX-License-Identifier: BSD-2-Clause
 * Numbers as people write them: decimal or 0x, with a unit.
 */
#include "tool.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool number_parse(const char *text, uint64_t *value)
{
	static const char units[] = "KMGT";
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	char *end;
	const char *unit;

	if (hex ? !isxdigit((unsigned char)text[2]) : !isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	*value = strtoull(text, &end, hex ? 16 : 10);
	unit = *end ? strchr(units, *end) : NULL;
	if (unit && !end[1]) {
		unsigned shift = 10 * (unsigned)(unit - units + 1);

		if (*value >> (64 - shift))
			return false;
		*value <<= shift;
		end++;
	}
	return !*end && !errno;
}

bool number_plain(const char *text, uint64_t *value)
{
	return number_parse(text, value) && !strchr("KMGT", text[strlen(text) - 1]);
}
