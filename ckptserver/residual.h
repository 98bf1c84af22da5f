/* SPDX-License-Identifier: BSD-2-Clause
 * Residual programs: drivers that start anew at every boot. Today that is the console.
 */
#ifndef CKPT_RESIDUAL_H
#define CKPT_RESIDUAL_H

#include <stdbool.h>
#include <stdint.h>

/* Starts the console driver from the boot archive, if it is there, and gives it its interrupts. */
void residual_start_console(const void *archive, uint64_t bytes);

/* A page fault of residual thread `number` at this address: where (in our window) is the page? False: none of its
 * memory. */
bool residual_page(uint64_t number, uint64_t address, uint64_t *from);

/* For tests: the console driver has no memory any more, so it crashes; it runs in a loop. */
void residual_take_memory(void);
void residual_hang(void);

#endif
