/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Which checkpoint to go on from, as somebody at the keyboard wants it: an option ckpt.resume= for the command line. menu.c is
 * what a key does, and is tested on the host; choose.c asks the firmware.
 */
#pragma once
#include <stddef.h>

#define MENU_TEXT	32	/* a generation's number or name, or -N; with its zero */
#define MENU_SECONDS	1	/* the loader waits for a key, unless uefi.menu= says otherwise */

struct menu {
	unsigned int length;
	char text[MENU_TEXT];
};

#define MENU_CTRL_U	21	/* erases, and is to be repeated until there is nothing left */

enum menu_event { MENU_NOTHING, MENU_ADDED, MENU_ERASED, MENU_DONE };

/* A key, as a character; 0: it is none. MENU_ADDED, MENU_ERASED: by one character, to be shown. Return finishes, Escape does and
 * takes back what was typed: an empty text means that nothing was chosen. */
enum menu_event menu_key(struct menu *m, unsigned int key);

/* How long to wait for a key, by the last uefi.menu= of a command line of that length. */
unsigned int menu_seconds(const char *cmdline, size_t length);

/* Wait so long, and ask if there was a key. */
void menu_choose(struct menu *m, unsigned int seconds);
