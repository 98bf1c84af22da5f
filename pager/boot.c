/* SPDX-License-Identifier: BSD-2-Clause
 * boot.cfg is text: `start PROGRAM ARGUMENT…` starts a task, in the order of the lines; `#` begins a comment.
 * Words are separated by blanks (and zeros, which would end a word early). A task started here is an administrator without a parent.
 */
#include "boot.h"

#include <l4/string.h>

#include <l4/task.h>

#include "archive.h"
#include "program.h"
#include "say.h"
#include "task.h"

#define LINE_MAX 256

struct words {
	char text[LINE_MAX];    /* each with its NUL, one after the other */
	size_t length;
	unsigned count;
};

static void words_split(const char *line, size_t length, struct words *words)
{
	int inside = 0;

	memset(words, 0, sizeof *words);
	for (size_t i = 0; i <= length && words->length < LINE_MAX - 1; i++) {
		char c = i < length ? line[i] : ' ';

		if (c == '#')
			length = i--;           /* the rest is a comment: end the word, if any */
		else if (c == ' ' || c == '\t' || c == '\r' || !c) {
			words->length += (size_t)inside;        /* its NUL stands there already */
			inside = 0;
		} else {
			words->count += !inside;
			inside = 1;
			words->text[words->length++] = c;
		}
	}
	words->length += (size_t)inside;
}

static void line_do(const char *line, size_t length, unsigned long number)
{
	struct words words;
	struct task_spawn spawn = { .flags = TASK_SPAWN_ADMIN };
	struct program *program;
	struct task *task;
	long error;

	words_split(line, length, &words);
	if (!words.count)
		return;
	if (length >= LINE_MAX || words.count < 2 || strcmp(words.text, "start")) {
		say("boot.cfg line %u: not understood", number);
		return;
	}
	spawn.strings = words.text + sizeof "start";
	spawn.length = words.length - sizeof "start";
	spawn.argc = words.count - 1;
	program = program_find(spawn.strings);
	error = program ? task_create(NULL, program, &spawn, &task) : TASK_E_NOTFOUND;
	if (error)
		say("boot.cfg line %u: %s cannot be started, error %d", number, spawn.strings, error);
	else
		say("task %u %s", task->id, task->name);
}

void boot_start(const uint8_t *archive, size_t size)
{
	struct archive_file file;
	const char *text;
	size_t at = 0;

	if (!archive_find(archive, size, "boot.cfg", &file)) {
		say("no boot.cfg in the archive: nothing to start");
		return;
	}
	text = (const char *)file.data;
	for (unsigned long number = 1; at < file.size; number++) {
		const char *end = memchr(text + at, '\n', file.size - at);
		size_t length = end ? (size_t)(end - text) - at : file.size - at;

		line_do(text + at, length, number);
		at += length + 1;
	}
}
