/* SPDX-License-Identifier: BSD-2-Clause
 * The PS/2 keyboard controller: scan codes of set 1. */
#ifndef CONSOLE_PS2_H
#define CONSOLE_PS2_H

#define PS2_IRQ                 1

/* Enable the keyboard, its interrupt and the translation to set 1. Safe when there is no controller. */
void ps2_init(void);

/* The next scan code, or -1. */
int ps2_read(void);

#endif
