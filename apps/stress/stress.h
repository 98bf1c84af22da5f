/* SPDX-License-Identifier: BSD-2-Clause
 * What the stress programs share: arguments, seed, report lines. One ELF, `stress`; argv[0] says which of them it is, and
 * role=… which part of it, where one consists of several tasks.
 *
 * Every program checks itself all the time. Its lines, which tests read:
 *   [stress] start name=… seed=…        once
 *   [stress] ok name=… rounds=N         every few seconds
 *   [stress] done name=… rounds=N       at the end of time=…
 *   [stress] FAIL name=… …              once, when a check fails; the program ends then
 * None of them knows that the machine may stop and go on.
 */
#ifndef STRESS_STRESS_H
#define STRESS_STRESS_H

#include <l4/types.h>
#include <l4/thread.h>
#include <l4/ipc.h>
#include <l4/message.h>
#include <l4/schedule.h>
#include <l4/task.h>

typedef void stress_function(void);

stress_function stress_counter, stress_mem, stress_ipc, stress_sleep, stress_fpu, stress_thread, stress_pagers, stress_bank,
	stress_ring, stress_queue, stress_holes, stress_output, stress_all;

/* The number after key= among the arguments, or otherwise. Suffixes: s and ms (microseconds result), K, M, G. */
unsigned long stress_option(const char *key, unsigned long otherwise);

/* The text after role=, or "". */
const char *stress_role(void);

/* The name of this program. */
const char *stress_name(void);

/* The seed, from seed=, or made from the clock. Always printed. */
unsigned long stress_seed(void);

/* The next number of a generator whose state is *state; 0 is a valid state. */
unsigned long stress_random(unsigned long *state);

/* A number that follows from both, and looks random. */
unsigned long stress_mix(unsigned long a, unsigned long b);

/* One round was good. Prints the ok line when it is time; ends the task when time=… is over. One thread only. */
void stress_round(void);

/* A check failed: print the line and end the task. */
void stress_fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Start another part of this program: `role`, with arguments a=… and b=…. It ends with this task. Returns its first
 * thread; fails the program if it cannot be started. */
L4_ThreadId_t stress_part(const char *role, unsigned long a, unsigned long b);

/* A thread of this task with a stack of `pages` pages; fails the program if it cannot be made. */
L4_ThreadId_t stress_thread_start(void (*entry)(void *), void *argument, unsigned long pages);

/* Memory of that many pages, zeroed; fails the program if there is none. */
void *stress_pages(unsigned long pages);

#endif
