/* SPDX-License-Identifier: BSD-2-Clause
 * Programs: the ELF files of the boot archive, judged once at genesis. Text and other read-only segments are loaded once and
 * shared by all tasks that run the program.
 */
#ifndef PAGER_PROGRAM_H
#define PAGER_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "elfimage.h"
#include "object.h"

struct program {
	char name[32];
	const uint8_t *file;            /* in the archive */
	size_t size;
	enum elf_error error;           /* why it cannot be run, or ELF_OK */
	struct elf_image image;
	struct object *text[LIMIT_SEGMENTS];    /* of segments that are not writable, once used */
};

/* Read the archive. Once. */
void program_init(const uint8_t *archive, size_t size);

struct program *program_find(const char *name);
/* By index, in the archive's order; NULL behind the last. */
struct program *program_at(unsigned index);

/* A reference to the shared object of a read-only segment, or NULL (no room). */
struct object *program_text(struct program *program, unsigned segment);

/* Say where the first content of an object for this segment comes from. */
void program_source(const struct program *program, unsigned segment, struct object *object);

#endif
