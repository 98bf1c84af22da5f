/* SPDX-License-Identifier: BSD-2-Clause
 * What all of perdurectl shares: exit statuses, options, error messages.
 *
 * A subcommand is a function that gets the options and returns an exit status. It opens the image itself, read-only unless
 * its purpose is to write. Whatever goes wrong is said once, by tool_fail, where it is found; its result is
 * the exit status, handed up.
 */
#ifndef TOOL_H
#define TOOL_H

#include <stdbool.h>
#include <stdint.h>

/* Documented in perdurectl.1; numbers never change their meaning. */
enum tool_status {
	TOOL_OK = 0,
	TOOL_PROBLEM = 1,       /* verify found damage; diff found differences */
	TOOL_USAGE = 2,
	TOOL_IO = 3,            /* a file cannot be opened, read or written */
	TOOL_NO_STORE = 4,      /* no store that can be used: empty, foreign, later version, cut off, dead */
	TOOL_NOT_FOUND = 5,     /* no such generation, task, thread, object or address */
	TOOL_REFUSED = 6,       /* it would have destroyed something, or the image is in use */
	TOOL_STREAM = 7,        /* a stream is damaged, cut off, or does not fit the store */
	TOOL_DAMAGED = 8,       /* what was asked for cannot be read: its block is damaged */
};

struct tool_options {
	const char *command, *image;
	char      **args;               /* after the image */
	int         argc;
	bool        json, force, binary, registers;
	const char *generation, *since; /* number or name; NULL: the newest; none */
	uint64_t    keep;               /* prune: unnamed generations that stay; 0: one */
	uint64_t    create_bytes;       /* mkfs: make a file of that size */
	const char *task, *thread, *object, *output;
	bool        store;              /* the root task's store */
};

/* The whole of perdurectl: parses the words and runs the subcommand. */
int tool_main(int argc, char **argv);

/* Print "perdurectl: ..." on the standard error and return the status. */
int tool_fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A number in decimal, or hexadecimal with 0x; sizes may end in K, M, G, T. False: it is none, or too large. */
bool number_parse(const char *text, uint64_t *value);
/* The number of a generation or a task: without a unit, so that 4K may be a name. False: it is none. */
bool number_plain(const char *text, uint64_t *value);

int cmd_info(const struct tool_options *o);
int cmd_list(const struct tool_options *o);
int cmd_verify(const struct tool_options *o);
int cmd_ls(const struct tool_options *o);
int cmd_dump(const struct tool_options *o);
int cmd_core(const struct tool_options *o);
int cmd_diff(const struct tool_options *o);
int cmd_rollback(const struct tool_options *o);
int cmd_prune(const struct tool_options *o);
int cmd_name(const struct tool_options *o);
int cmd_drop(const struct tool_options *o);
int cmd_mkfs(const struct tool_options *o);
int cmd_export(const struct tool_options *o);
int cmd_import(const struct tool_options *o);

#endif
