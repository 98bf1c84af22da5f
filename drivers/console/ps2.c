/* SPDX-License-Identifier: BSD-2-Clause
 * The PS/2 keyboard controller (8042). See ps2.h. */
#include "ps2.h"
#include "io.h"

enum { DATA = 0x60, COMMAND = 0x64, STATUS = 0x64 };
enum { STATUS_OUTPUT = 0x01, STATUS_INPUT = 0x02, STATUS_MOUSE = 0x20, NO_DEVICE = 0xff };
enum { READ_CONFIG = 0x20, WRITE_CONFIG = 0x60, ENABLE_KEYBOARD = 0xae };
enum { CONFIG_INTERRUPT = 0x01, CONFIG_DISABLED = 0x10, CONFIG_TRANSLATE = 0x40 };
enum { SPIN_MAX = 10000 };

static int absent;

/* Wait until the status bits in mask have this value; 0 if they never do. */
static int wait_status(unsigned char mask, unsigned char value)
{
	for (int i = 0; i < SPIN_MAX; i++)
		if ((io_in(STATUS) & mask) == value)
			return 1;
	return 0;
}

static void drain(void)
{
	for (int i = 0; i < 32 && (io_in(STATUS) & STATUS_OUTPUT); i++)
		io_in(DATA);
}

void ps2_init(void)
{
	absent = io_in(STATUS) == NO_DEVICE;
	if (absent)
		return;
	drain();
	wait_status(STATUS_INPUT, 0);
	io_out(COMMAND, READ_CONFIG);
	if (!wait_status(STATUS_OUTPUT, STATUS_OUTPUT))
		return;
	unsigned char config = io_in(DATA);
	config = (unsigned char)((config | CONFIG_INTERRUPT | CONFIG_TRANSLATE) & ~CONFIG_DISABLED);
	wait_status(STATUS_INPUT, 0);
	io_out(COMMAND, WRITE_CONFIG);
	wait_status(STATUS_INPUT, 0);
	io_out(DATA, config);
	wait_status(STATUS_INPUT, 0);
	io_out(COMMAND, ENABLE_KEYBOARD);
	drain();
}

int ps2_read(void)
{
	if (absent)
		return -1;
	unsigned char status = io_in(STATUS);
	if (status == NO_DEVICE || !(status & STATUS_OUTPUT))
		return -1;
	int code = io_in(DATA);
	return status & STATUS_MOUSE ? -1 : code;
}
