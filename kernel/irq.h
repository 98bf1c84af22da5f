/* SPDX-License-Identifier: BSD-2-Clause
 * Device interrupts as IPC (X.2 interrupt protocol) and the timer's end.
 * An interrupt thread i (number i, version 1) sends an empty message with label -1 to its handler each time
 * the line is raised; the handler's (empty) answer to the interrupt thread enables it again.
 */
#ifndef KERNEL_IRQ_H
#define KERNEL_IRQ_H

#include "kernel/types.h"

struct thread;

/* From interrupt code. */
void irq_raised(u32 irq);
void timer_expired(void);

/* Is one pending for this handler, which receives from `partner`? Returns its number or -1, and takes it. */
int irq_take(struct thread *handler, tid_t partner);
bool irq_pending_for(const struct thread *handler, tid_t partner);
/* The handler answered: enable again. false: t is not the handler. */
bool irq_ack(u32 irq, const struct thread *t);
/* handler NULL: nobody. */
void irq_attach(u32 irq, struct thread *handler);
struct thread *irq_handler(u32 irq);
/* A thread is being deleted: its interrupts are masked. */
void irq_forget(const struct thread *t);

#endif
