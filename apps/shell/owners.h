/* SPDX-License-Identifier: BSD-2-Clause
 * Whose memory pages of the store are, by the pager's tables as they are now: a task that has ended has none. */
#ifndef SHELL_OWNERS_H
#define SHELL_OWNERS_H

/* Ask the pager anew, and count from zero. */
void owners_read(void);

/* Count a run of pages of the store to the tasks they belong to. */
void owners_count(unsigned long first, unsigned long pages);

/* A line for each task that got some, and one for the rest. */
void owners_print(void);

#endif
