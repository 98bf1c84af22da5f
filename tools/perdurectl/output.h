/* SPDX-License-Identifier: BSD-2-Clause
 * A file that a subcommand makes: it has its name once it is complete, and whatever had that name before stays until then.
 */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stdio.h>

#include "image.h"

struct output {
	FILE       *f;
	const char *name;
	char       *making;             /* what it is called meanwhile; NULL: it is no plain file */
};

/* TOOL_REFUSED: it is the image itself; TOOL_IO. */
int output_open(struct output *out, const char *name, const struct image *img);

/* Close it; it is kept if `status` is TOOL_OK, and removed otherwise. The status, or TOOL_IO. */
int output_close(struct output *out, int status);

/* What could not be written, from errno: TOOL_IO. */
int output_fail(const struct output *out);

#endif
