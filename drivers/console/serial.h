/* SPDX-License-Identifier: BSD-2-Clause
 * COM1, a 16550: bytes out through a ring, bytes in as they come.
 * Driven by interrupts; everything also works when it is only polled, more slowly. */
#ifndef CONSOLE_SERIAL_H
#define CONSOLE_SERIAL_H

#define SERIAL_IRQ              4

/* Set the line to 115200 8N1 and enable interrupts. Safe when there is no such device. */
void serial_init(void);

/* Queue bytes for output. Waits (polling) only while the ring is full. */
void serial_write(const char *text, unsigned long count);

/* Give the device what it takes now; ask for an interrupt if more is left. Call it at each interrupt. */
void serial_pump(void);

/* Bytes are left in the ring. */
int serial_pending(void);

/* The next byte received, or -1. */
int serial_read(void);

#endif
