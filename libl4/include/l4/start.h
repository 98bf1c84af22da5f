/* SPDX-License-Identifier: BSD-2-Clause
 * How a program begins and ends. The entry point and the form of the start block are in libl4/crt0.asm.
 *
 * The program supplies   int main (int argc, char **argv)   (or without parameters). argv has argc entries and then
 * NULL; argc is 0 if nothing was passed. When it returns, l4_exit is called with its result.
 */
#ifndef L4_START_H
#define L4_START_H

#ifdef __cplusplus
extern "C" {
#endif

/* What rdi held when the program began. 0 except in sigma0, where it is the physical address of its struct bootinfo. */
extern unsigned long l4_start_argument;

/* Ends the program as task_exit does (l4/task.h); one that is no task, having nobody to tell, sleeps for ever. Does
 * not return. A program may define its own. */
void l4_exit(int status) __attribute__((noreturn));

#ifdef __cplusplus
}
#endif
#endif
