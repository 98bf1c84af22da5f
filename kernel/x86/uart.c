/* SPDX-License-Identifier: BSD-2-Clause
 * COM1, polled, for the kernel's own lines and the KDB print services. The console driver uses the same
 * port by interrupts; both only append to the transmitter, so they can share it.
 */
#include "kernel/arch.h"
#include "kernel/x86/cpu.h"

#define COM1            0x3f8
#define LSR_THR_EMPTY   0x20
#define POLL_LIMIT      100000

static bool uart_present;

void uart_init(void)
{
	outb(COM1 + 1, 0);
	outb(COM1 + 3, 0x80);
	outb(COM1 + 0, 1);              /* 115200 baud */
	outb(COM1 + 1, 0);
	outb(COM1 + 3, 3);              /* 8n1 */
	outb(COM1 + 2, 0xc7);
	outb(COM1 + 4, 0x0b);
	uart_present = inb(COM1 + 5) != 0xff;
}

void uart_putc(char c)
{
	unsigned n = POLL_LIMIT;

	if (!uart_present)
		return;
	if (c == '\n')
		uart_putc('\r');
	while (!(inb(COM1 + 5) & LSR_THR_EMPTY) && --n)
		cpu_pause();
	outb(COM1, (uint8_t)c);
}
