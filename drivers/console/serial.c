/* SPDX-License-Identifier: BSD-2-Clause
 * COM1. See serial.h. Registers as the 16550 data sheet gives them. */
#include "serial.h"
#include "io.h"

enum { PORT = 0x3f8, DATA = PORT, INTERRUPTS = PORT + 1, FIFO = PORT + 2, LINE = PORT + 3, MODEM = PORT + 4,
       STATUS = PORT + 5 };
enum { STATUS_RECEIVED = 0x01, STATUS_EMPTY = 0x20, NO_DEVICE = 0xff };
enum { INTERRUPT_RECEIVED = 1, INTERRUPT_EMPTY = 2 };
enum { FIFO_BYTES = 16, RING = 16384, SPIN_MAX = 1000000 };

static char ring[RING];
static unsigned long ring_in, ring_out;         /* bytes ever put in and taken out */
static int absent;

void serial_init(void)
{
	absent = io_in(STATUS) == NO_DEVICE;
	if (absent)
		return;
	io_out(INTERRUPTS, 0);
	io_out(LINE, 0x80);             /* divisor latch: 1 = 115200 */
	io_out(DATA, 1);
	io_out(INTERRUPTS, 0);
	io_out(LINE, 0x03);             /* 8N1 */
	io_out(FIFO, 0x01);             /* on; what has arrived already stays */
	io_out(MODEM, 0x0b);            /* DTR, RTS, and OUT2, which lets interrupts through */
	io_out(INTERRUPTS, INTERRUPT_RECEIVED);
}

int serial_pending(void)
{
	return ring_in != ring_out;
}

void serial_pump(void)
{
	if (absent || !serial_pending() || !(io_in(STATUS) & STATUS_EMPTY))
		return;
	for (int i = 0; i < FIFO_BYTES && serial_pending(); i++)
		io_out(DATA, (unsigned char)ring[ring_out++ % RING]);
	io_out(INTERRUPTS, serial_pending() ? INTERRUPT_RECEIVED | INTERRUPT_EMPTY : INTERRUPT_RECEIVED);
}

void serial_write(const char *text, unsigned long count)
{
	if (absent)
		return;
	for (unsigned long i = 0; i < count; i++) {
		/* A device that takes nothing for so long is broken: the oldest byte is dropped. */
		for (long spin = 0; ring_in - ring_out == RING && spin < SPIN_MAX; spin++)
			serial_pump();
		if (ring_in - ring_out == RING)
			ring_out++;
		ring[ring_in++ % RING] = text[i];
	}
	serial_pump();
}

int serial_read(void)
{
	if (absent || !(io_in(STATUS) & STATUS_RECEIVED))
		return -1;
	return io_in(DATA);
}
