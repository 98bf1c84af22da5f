/* SPDX-License-Identifier: BSD-2-Clause
 * The shell: read a line from the terminal, find the command in the table, run it.
 *
 * An ordinary persistent program without a line for persistence: whatever command it was in when the machine
 * stopped, it is in it again afterwards. Commands about tasks are in tasks.c, about the machine in system.c.
 */
#include <l4/types.h>
#include <l4/ipc.h>
#include <l4/schedule.h>
#include <l4/task.h>
#include <l4/term.h>
#include <l4/string.h>
#include "parse.h"
#include "shell.h"

static void command_help(int count, char **word)
{
	for (const struct command *c = shell_command; c->name; c++) {
		if (count == 1) {
			L4_TermPrintf("%-9s %-24s %s\n", c->name, c->usage, c->help);
		} else if (!strcmp(c->name, word[1])) {
			L4_TermPrintf("%s %s\n    %s\n", c->name, c->usage, c->help);
			if (c->more)
				c->more();
			return;
		}
	}
	if (count > 1)
		L4_TermPrintf("help: there is no command '%s'\n", word[1]);
}

static void command_echo(int count, char **word)
{
	for (int i = 1; i < count; i++)
		L4_TermPrintf("%s%s", i > 1 ? " " : "", word[i]);
	L4_TermPrintf("\n");
}

static void command_sleep(int count, char **word)
{
	unsigned long us;

	(void)count;
	if (!parse_time(word[1], &us))
		L4_TermPrintf("sleep: '%s' is no span of time such as 500ms or 3s\n", word[1]);
	else
		L4_Sleep(L4_TimePeriod(us));
}

static void command_clear(int count, char **word)
{
	(void)count;
	(void)word;
	L4_TermClear();
}

const struct command shell_command[] = {
	{ "help", 0, 1, command_help, "[COMMAND]", "list the commands, or explain one", 0 },
	{ "ps", 0, 1, command_ps, "[TASK]", "tasks and their threads: state, partner, processor time", 0 },
	{ "programs", 0, 0, command_programs, "", "programs that 'run' can start", 0 },
	{ "run", 1, PARSE_WORDS_MAX, command_run, "NAME [ARGS] [&]", "start a program; ctrl-C ends it, & does not wait", 0 },
	{ "stress", 1, PARSE_WORDS_MAX, command_stress, "NAME [key=value ...]", "start a stress program in the background; 'stress list'", 0 },
	{ "bench", 0, PARSE_WORDS_MAX, command_bench, "[NAME ...]", "run the benchmarks", 0 },
	{ "wait", 1, 1, command_wait, "TASK", "wait until a task has ended", 0 },
	{ "kill", 1, PARSE_WORDS_MAX, command_kill, "TASK ...", "end tasks, by number or by name", 0 },
	{ "mem", 0, 0, command_mem, "", "memory: of the store, of the machine, by task", 0 },
	{ "ckpt", 0, PARSE_WORDS_MAX, command_ckpt, "[TIME|off|WORD ...]", "commit a checkpoint now; the interval; list, name, drop, diff, keep",
	  generations_help },
	{ "stat", 0, 0, command_stat, "", "generation, pause, pages and bytes written, boots", 0 },
	{ "uptime", 0, 0, command_uptime, "", "time since genesis, during which the machine ran", 0 },
	{ "echo", 0, PARSE_WORDS_MAX, command_echo, "[TEXT]", "print the text", 0 },
	{ "sleep", 1, 1, command_sleep, "TIME", "do nothing for a while, for instance 500ms", 0 },
	{ "clear", 0, 0, command_clear, "", "clear the screen", 0 },
	{ "reboot", 0, 0, command_reboot, "", "commit a checkpoint and reset the machine", 0 },
	{ "poweroff", 0, 0, command_poweroff, "", "commit a checkpoint and switch the machine off", 0 },
	{ 0, 0, 0, 0, 0, 0, 0 },
};

static void execute(int count, char **word)
{
	const struct command *c = shell_command;

	while (c->name && strcmp(c->name, word[0]))
		c++;
	if (!c->name)
		L4_TermPrintf("%s: unknown command; 'help' lists them\n", word[0]);
	else if (count - 1 < c->least)
		L4_TermPrintf("%s: something is missing; use: %s %s\n", c->name, c->name, c->usage);
	else if (count - 1 > c->most)
		L4_TermPrintf("%s: '%s' is too much; use: %s%s%s\n", c->name, word[c->most + 1], c->name,
			      *c->usage ? " " : "", c->usage);
	else
		c->run(count, word);
}

int main(void)
{
	static char line[L4_TERM_LINE_MAX + 1];
	static char *word[PARSE_WORDS_MAX + 1];

	L4_TermPrintf("Perdure. 'help' lists the commands.\n");
	for (;;) {
		unsigned long status = L4_TermRead("> ", line);
		if (status == L4_TERM_NO_TERM || status == L4_TERM_BUSY)
			L4_Sleep(L4_TimePeriod(1000000));
		if (status != L4_TERM_OK)
			continue;
		int count = parse_words(line, word);
		if (count == PARSE_QUOTE)
			L4_TermPrintf("a quote is not closed\n");
		else if (count == PARSE_TOO_MANY)
			L4_TermPrintf("more than %d words\n", PARSE_WORDS_MAX);
		else if (count > 0)
			execute(count, word);
	}
}
