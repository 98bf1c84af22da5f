/* SPDX-License-Identifier: BSD-2-Clause
 * The commands of the driver's own prompt. They ask the checkpoint server, which is residual and blocks on
 * nobody: it answers at once, and is waited for a second at most.
 */
#ifndef CONSOLE_COMMAND_H
#define CONSOLE_COMMAND_H

enum command_result { COMMAND_DONE, COMMAND_LEAVE, COMMAND_RESET };

/* Lines come out by this function, each with its line end. */
typedef void command_print_function(const char *text, unsigned long count);

/* Carry out a line. COMMAND_LEAVE: the prompt is to be closed; COMMAND_RESET: command_reset is to be called when all
 * output is out. */
enum command_result command_execute(char *text, command_print_function *print);

/* Reset the machine, without a checkpoint. Returns only if that is refused. */
void command_reset(command_print_function *print);

#endif
