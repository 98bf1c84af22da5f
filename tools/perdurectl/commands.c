/* SPDX-License-Identifier: BSD-2-Clause
 * The command line: which subcommands there are, and what may be said to each. A word or an option that a subcommand would not
 * look at is refused. Each subcommand is in cmd_*.c.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "tool.h"

struct command {
	const char *name, *arguments, *help;
	const char *options;            /* letters of those it knows; all know -j */
	int         least, most;        /* words behind the image */
	int       (*run)(const struct tool_options *);
};

#define ANY     1000                    /* words */

static const struct command commands[] = {
	{ "info", "IMAGE [-g GEN]", "what the partition is: identity, size, superblocks, space", "g", 0, 0, cmd_info },
	{ "list", "IMAGE", "the generations kept", "", 0, 0, cmd_list },
	{ "verify", "IMAGE [-g GEN]", "read and check every block of every generation kept", "g", 0, 0, cmd_verify },
	{ "ls", "IMAGE [-g GEN] [-r | --task T]", "tasks and threads; -r: registers; a task's address space", "grt", 0, 0, cmd_ls },
	{ "dump", "IMAGE [-g GEN] (--task T | --store | --object O) [ADDRESS [BYTES]]", "memory, or a kernel object", "gtSOb", 0, 2,
	  cmd_dump },
	{ "core", "IMAGE [-g GEN] (--task T | --thread N | --store) [-o FILE]", "a core file for gdb", "gtTSo", 0, 0, cmd_core },
	{ "diff", "IMAGE [OLD [NEW]]", "what changed between two generations", "", 0, 2, cmd_diff },
	{ "rollback", "IMAGE GEN", "make the content of GEN the newest generation", "", 1, 1, cmd_rollback },
	{ "name", "IMAGE GEN [NAME]", "give a generation a name, or take it away", "", 1, 2, cmd_name },
	{ "drop", "IMAGE GEN|GEN..GEN ...", "give generations up, whatever their names", "", 1, ANY, cmd_drop },
	{ "prune", "IMAGE [--keep N]", "let go of what only older, unnamed generations hold", "k", 0, 0, cmd_prune },
	{ "export", "IMAGE [-g GEN] [--since GEN] [-o FILE]", "a generation as a stream", "gso", 0, 0, cmd_export },
	{ "import", "IMAGE [--force] [FILE]", "a store, or its next generation, from a stream", "f", 0, 1, cmd_import },
	{ "mkfs", "IMAGE [--force] [--create SIZE]", "an empty store", "fc", 0, 0, cmd_mkfs },
};
#define COMMANDS (sizeof commands / sizeof commands[0])

static const struct option longs[] = {
	{ "json", 0, 0, 'j' }, { "gen", 1, 0, 'g' }, { "since", 1, 0, 's' }, { "force", 0, 0, 'f' },
	{ "task", 1, 0, 't' }, { "thread", 1, 0, 'T' }, { "object", 1, 0, 'O' }, { "store", 0, 0, 'S' },
	{ "keep", 1, 0, 'k' }, { "output", 1, 0, 'o' }, { "binary", 0, 0, 'b' }, { "registers", 0, 0, 'r' }, { "create", 1, 0, 'c' },
	{ "help", 0, 0, 'h' }, { 0, 0, 0, 0 },
};

static int usage(FILE *f, int status)
{
	fprintf(f, "usage: perdurectl COMMAND IMAGE [OPTIONS]    IMAGE: a partition, a disk, or a file with either\n"
		   "                                           GEN: a generation, by number or name\n\n");
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(f, "  %-9s%s\n           %s\n", commands[i].name, commands[i].arguments, commands[i].help);
	fprintf(f, "\n  -j, --json    for scripts\n"
		   "  -b, --binary  dump: the bytes themselves\n\n"
		   "exit status: 0 fine, 1 damage or differences found, 2 usage, 3 input/output, 4 no usable store, 5 not found,\n"
		   "6 refused, 7 bad stream, 8 damaged block in the way. See perdurectl(1).\n");
	return status;
}

static int number_option(const char *name, const char *text, uint64_t *value)
{
	if (number_parse(text, value) && *value)
		return TOOL_OK;
	return tool_fail(TOOL_USAGE, "--%s: not a number above 0: %s", name, text);
}

/* What was given, in given[]: letters of options. */
static int options_parse(int argc, char **argv, struct tool_options *o, bool given[128])
{
	int c, status = TOOL_OK;

	optind = 0;                     /* from the start, also when called again */
	while (status == TOOL_OK && (c = getopt_long(argc, argv, "jg:s:ft:T:O:Sk:o:brc:h", longs, NULL)) != -1) {
		given[c & 127] = true;
		switch (c) {
		case 'j': o->json = true; break;
		case 'g': o->generation = optarg; break;
		case 's': o->since = optarg; break;
		case 'f': o->force = true; break;
		case 't': o->task = optarg; break;
		case 'T': o->thread = optarg; break;
		case 'O': o->object = optarg; break;
		case 'k': status = number_option("keep", optarg, &o->keep); break;
		case 'S': o->store = true; break;
		case 'o': o->output = optarg; break;
		case 'b': o->binary = true; break;
		case 'r': o->registers = true; break;
		case 'c': status = number_option("create", optarg, &o->create_bytes); break;
		case 'h': break;
		default: return TOOL_USAGE;     /* getopt has said it */
		}
	}
	return status;
}

static const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

/* Is everything that was said something this command looks at? */
static int command_check(const struct command *c, const struct tool_options *o, const bool given[128])
{
	for (const struct option *l = longs; l->name; l++)
		if (given[l->val] && l->val != 'j' && !strchr(c->options, l->val))
			return tool_fail(TOOL_USAGE, "%s: has no option --%s; use: perdurectl %s %s", c->name, l->name, c->name, c->arguments);
	if (o->argc < c->least)
		return tool_fail(TOOL_USAGE, "%s: something is missing; use: perdurectl %s %s", c->name, c->name, c->arguments);
	if (o->argc > c->most)
		return tool_fail(TOOL_USAGE, "%s: '%s' is too much; use: perdurectl %s %s", c->name, o->args[c->most], c->name,
				 c->arguments);
	return TOOL_OK;
}

int tool_main(int argc, char **argv)
{
	struct tool_options o = { 0 };
	const struct command *command;
	bool given[128] = { false };
	int status = options_parse(argc, argv, &o, given);

	if (status != TOOL_OK)
		return status;
	if (given['h'])
		return usage(stdout, TOOL_OK);
	if (argc - optind < 1)
		return usage(stderr, TOOL_USAGE);
	o.command = argv[optind];
	command = command_find(o.command);
	if (!command)
		return tool_fail(TOOL_USAGE, "unknown command '%s'; perdurectl --help lists them", o.command);
	if (argc - optind < 2)
		return tool_fail(TOOL_USAGE, "%s: which image? use: perdurectl %s %s", o.command, o.command, command->arguments);
	o.image = argv[optind + 1];
	o.args = argv + optind + 2;
	o.argc = argc - optind - 2;
	status = command_check(command, &o, given);
	if (status == TOOL_OK)
		status = command->run(&o);
	if (fflush(stdout) || ferror(stdout))
		return tool_fail(TOOL_IO, "the standard output cannot be written");
	return status;
}
