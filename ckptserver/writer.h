/* SPDX-License-Identifier: BSD-2-Clause
 * The writer: a thread that lends its time.
 *
 * It has no state and touches none. It calls the fault thread for a unit of work, over and over; the fault
 * thread does one and answers, or keeps the call until there is work. So the time that checkpoints take is
 * scheduled with the writer's priority, while all state has one owner and needs no locks.
 *
 * That priority is the lowest there is: the writer takes the time nobody wants. If that is too little, it gets
 * bursts of a few units at the highest priority, one every WRITER_TICK_US, longer as the interval passes: it does
 * not starve under a busy program, and nobody is kept from the processor for longer than a burst. While a write
 * fault waits for a buffer it runs at the top until it has freed one.
 */
#ifndef CKPT_WRITER_H
#define CKPT_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#define WRITER_TICK_US  500ul

/* Creates and starts the thread. */
bool writer_start(void);

/* It has called: do a unit of work and answer, or let it sleep. */
void writer_called(void);

/* It has been answered, and will call again. */
bool writer_busy(void);

/* There is work: wake it if it sleeps. */
void writer_wake(void);
/* There may be: wake it, unless it has just found nothing to do. For what is asked in every turn of the loop. */
void writer_look(void);

/* Every WRITER_TICK_US while a commit is under way, and when it has ended. commit_us: since its snapshot. */
void writer_tick(uint64_t commit_us);

#endif
