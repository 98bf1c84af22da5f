/* SPDX-License-Identifier: BSD-2-Clause
 * Fuzzer: the command line, as the checkpoint server reads it.
 */
#include <stdlib.h>
#include <string.h>

#include "ckptserver/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct options o;
	uint64_t us;

	memcpy(text, data, size);
	text[size] = 0;
	memset(&o, 0xa5, sizeof(o));
	options_parse(&o, text);
	if (!memchr(o.root, 0, sizeof(o.root)) || !memchr(o.bad, 0, sizeof(o.bad)) || o.resume < RESUME_LATEST ||
	    o.format < FORMAT_EMPTY || o.format > FORMAT_FORCE)
		abort();
	if (options_duration(text, strlen(text), &us) && us > 86400000000ull)
		abort();
	free(text);
	return 0;
}
