/* SPDX-License-Identifier: BSD-2-Clause
 * The shell's commands: one table (main.c), one function each. */
#ifndef SHELL_SHELL_H
#define SHELL_SHELL_H

/* word[0] is the command's name, word[count] is null. A function prints its own errors: one line that
 * begins with the name and says what was wrong. */
typedef void command_function(int count, char **word);

struct command {
	const char *name;
	int least, most;                /* arguments, without the name */
	command_function *run;
	const char *usage, *help;
	void (*more)(void);             /* prints the rest of the help; null: there is none */
};

/* main.c: the table, ended by an entry without name. */
extern const struct command shell_command[];

/* tasks.c */
command_function command_ps, command_programs, command_run, command_stress, command_bench, command_wait, command_kill,
	command_mem;

/* system.c */
command_function command_ckpt, command_stat, command_uptime, command_reboot, command_poweroff;

/* generations.c: `ckpt` with the words list, name, drop, diff, keep. 0: word[1] is none of them. */
int generations_command(int count, char **word);
void generations_help(void);

/* The text of a status that is not L4_CKPT_OK (system.c). */
const char *ckpt_error(unsigned long status);

struct L4_CkptStat;

/* L4_CheckpointInfo, asked again for a while when the server is busy (system.c). */
unsigned long checkpoint_info(struct L4_CkptStat *stat);

/* The text of a negative TASK_E_* (tasks.c). */
const char *task_error(long error);

#endif
