/* SPDX-License-Identifier: BSD-2-Clause
 * I/O ports. Residual programs may use all of them; the driver is the only one that uses these. */
#ifndef CONSOLE_IO_H
#define CONSOLE_IO_H

static inline void io_out(unsigned short port, unsigned char value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline unsigned char io_in(unsigned short port)
{
	unsigned char value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

#endif
