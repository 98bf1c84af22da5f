/* SPDX-License-Identifier: BSD-2-Clause
 * Numbers as people write them: decimal or 0x, with a unit.
 */
#include "tool.h"

#include <stdlib.h>
#include <string.h>

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
