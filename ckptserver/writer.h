/* SPDX-License-Identifier: BSD-2-Clause
 * The writer: a thread that lends its time.
 *
 * It has no state and touches none. It calls the fault thread for a unit of work, over and over; the fault
 * thread does one and answers, or keeps the call until there is work. So the time that checkpoints take is
 * scheduled with the writer's priority, while all state has one owner and needs no locks. The priority
 * rises as the interval passes, and to the top while any write fault waits for a buffer.
 */
#ifndef CKPT_WRITER_H
#define CKPT_WRITER_H

#include <stdbool.h>

/* Creates and starts the thread. */
bool writer_start(void);

/* It has called: do a unit of work and answer, or let it sleep. */
void writer_called(void);

/* There is work: wake it if it sleeps. */
void writer_wake(void);

/* Once per tick: its priority. */
void writer_tick(void);

#endif
