/* SPDX-License-Identifier: BSD-2-Clause
 * Files are made under another name and renamed; pipes and devices are written to as they are.
 */
#include "output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tool.h"

int output_fail(const struct output *out)
{
	return tool_fail(TOOL_IO, "%s: %s", out->name, strerror(errno));
}

static bool same(const struct stat *a, const struct stat *b)
{
	if (S_ISBLK(a->st_mode) && S_ISBLK(b->st_mode))
		return a->st_rdev == b->st_rdev;
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

int output_open(struct output *out, const char *name, const struct image *img)
{
	struct stat st, of_image;
	bool exists = stat(name, &st) == 0;

	*out = (struct output){ .name = name };
	if (exists && fstat(img->fd, &of_image) == 0 && same(&st, &of_image))
		return tool_fail(TOOL_REFUSED, "%s: that is the image itself; nothing was written", name);
	if (!exists || S_ISREG(st.st_mode)) {
		out->making = malloc(strlen(name) + sizeof ".part");
		if (!out->making)
			return tool_fail(TOOL_IO, "not enough memory");
		strcat(strcpy(out->making, name), ".part");
	}
	out->f = fopen(out->making ? out->making : name, "wb");
	if (out->f)
		return TOOL_OK;
	output_fail(out);
	free(out->making);
	return TOOL_IO;
}

int output_close(struct output *out, int status)
{
	if (fclose(out->f) && status == TOOL_OK)
		status = output_fail(out);
	if (out->making && status == TOOL_OK && rename(out->making, out->name))
		status = output_fail(out);
	if (out->making && status != TOOL_OK)
		remove(out->making);
	free(out->making);
	return status;
}
