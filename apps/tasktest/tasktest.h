/* SPDX-License-Identifier: BSD-2-Clause
 * What the parts of tasktest share.
 */
#ifndef TASKTEST_H
#define TASKTEST_H

#include <l4/types.h>

/* Counts a check; says what is wrong if the two differ. */
#define CHECK(actual, expected) check_at(__LINE__, #actual, (long)(actual), (long)(expected))
void check_at(int line, const char *what, long actual, long expected);
extern int failures;

/* Start this program as a child in the given mode; its id. Its exit status, waiting for it. */
L4_Word_t child(const char *mode, const char *argument, unsigned long flags);
long status_of(L4_Word_t id);

/* children.c: what a child does. */
int child_main(const char *mode, const char *argument);
int child_limits(void);

/* threads.c */
void threads_few(void);
void threads_full(void);
void threads_many(void);
/* Make that many sleeping threads in this task; returns how many there are then. */
long threads_fill(long count);

/* pager.c: be the pager of a child. */
void pager_of_ours(void);

#endif
