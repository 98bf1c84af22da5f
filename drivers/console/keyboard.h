/* SPDX-License-Identifier: BSD-2-Clause
 * PS/2 keyboard, scan code set 1, US layout: from scan codes to the bytes a serial terminal would send.
 * Arrows and the other editing keys become ANSI escape sequences. Pure logic, tested on the host.
 */
#ifndef CONSOLE_KEYBOARD_H
#define CONSOLE_KEYBOARD_H

#define KEYBOARD_BYTES          8       /* the longest answer to one scan code */

/* Zero it to begin. */
struct keyboard {
	int extended;                   /* 0xe0 came before */
	int skip;                       /* scan codes of a Pause key still to be ignored */
	int shift;                      /* bit 0 left, bit 1 right */
	int control, alt;
	int caps;                       /* caps lock is on */
};

/* Take one scan code; store the bytes it means in out and return their number, 0 for a release or a shift key. */
int keyboard_decode(struct keyboard *k, unsigned char code, char out[KEYBOARD_BYTES]);

#endif
