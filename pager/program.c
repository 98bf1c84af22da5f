/* SPDX-License-Identifier: BSD-2-Clause
 * A program's shared text object is made when it is first run, and stays: the next run finds its pages in memory, or in
 * the store.
 */
#include "program.h"

#include <l4/string.h>

#include <l4/task.h>

#include "archive.h"
#include "say.h"

static struct program table[LIMIT_PROGRAMS];
static unsigned count;

static void program_add(const struct archive_file *file)
{
	struct program *p = &table[count];

	if (file->size < 4 || memcmp(file->data, "\177ELF", 4))
		return;
	if (count == LIMIT_PROGRAMS || strlen(file->name) >= sizeof p->name) {
		say("archive: no room for program %s", file->name);
		return;
	}
	strlcpy(p->name, file->name, sizeof p->name);
	p->file = file->data;
	p->size = file->size;
	p->error = elf_parse(file->data, file->size, MEM_PAGE, TASK_STACK_TOP - (TASK_STACK_PAGES + 1) * MEM_PAGE,
			     &p->image);
	if (p->error)
		say("archive: %s: %s", p->name, elf_reason(p->error));
	count++;
}

void program_init(const uint8_t *archive, size_t size)
{
	struct archive_file file;
	size_t offset = 0;
	int more;

	while ((more = archive_next(archive, size, &offset, &file)) == 1)
		program_add(&file);
	if (more < 0)
		say("archive: malformed at offset %u; what stands behind is ignored", offset);
}

struct program *program_find(const char *name)
{
	for (unsigned i = 0; i < count; i++)
		if (!strcmp(table[i].name, name))
			return &table[i];
	return NULL;
}

struct program *program_at(unsigned index)
{
	return index < count ? &table[index] : NULL;
}

void program_source(const struct program *program, unsigned segment, struct object *object)
{
	const struct elf_segment *s = &program->image.segment[segment];

	object->bytes = program->file + s->offset;
	object->skew = s->skew;
	object->length = s->bytes;
}

struct object *program_text(struct program *program, unsigned segment)
{
	struct object *object = program->text[segment];

	if (!object) {
		object = object_create((uint32_t)program->image.segment[segment].pages, 0,
				       OBJECT_PERSISTENT);
		if (!object)
			return NULL;
		program_source(program, segment, object);
		object->shared = 1;
		program->text[segment] = object;
	}
	object_get(object);
	return object;
}
