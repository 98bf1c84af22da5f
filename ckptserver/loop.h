/* SPDX-License-Identifier: BSD-2-Clause
 * The fault thread's message loop (main.c).
 */
#ifndef CKPT_LOOP_H
#define CKPT_LOOP_H

/* Reads and answers every event that the kernel has queued; returns when there is none. */
void loop_drain(void);

/* Serves for ever. */
void loop_run(void) __attribute__((noreturn));

#endif
