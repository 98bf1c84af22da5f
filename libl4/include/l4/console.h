/* SPDX-License-Identifier: BSD-2-Clause
 * The console driver's protocol: serial line, screen and keyboard as one byte stream each way.
 *
 * The driver is residual: it starts empty at every boot and knows nothing of the last one. Its clients are
 * persistent, so a call to it may be repeated by the kernel after a recovery (at-least-once). Hence every
 * request carries the boot number at which it was made, writes carry a sequence number and reads a position:
 *  - a write repeated within one boot is not printed twice; one repeated in the next boot is printed;
 *  - input stays in the driver until a later read acknowledges it, so within one boot none is lost;
 *  - a read made in an earlier boot is answered at once with L4_CONSOLE_NEW_BOOT and no input: that is how
 *    a waiting terminal learns that it must draw its screen again.
 * The driver calls nobody but sigma0; it answers with zero timeouts.
 *
 * All messages are untyped words. Request and answer have the same label; byte counts are in bytes, text
 * is packed into words, first byte lowest.
 */
#ifndef L4_CONSOLE_H
#define L4_CONSOLE_H

#include <l4/abi.h>

/* Labels (bits 63..16 of the tag). */
#define L4_CONSOLE_WRITE        0x4301  /* boot, sequence, count, text (MR4 on): status, boot, count */
#define L4_CONSOLE_READ         0x4302  /* boot, position, most: status, boot, position, count, text (MR5 on) */
#define L4_CONSOLE_SIZE         0x4303  /* boot: status, boot, columns, rows */
/* One or more whole lines from a residual server (thread number below L4_ROOT_TNO; others are ignored):
 * count in MR1, text from MR2 on, at most L4_CONSOLE_LOG_MAX bytes. A send without an answer: use a zero send
 * timeout, keep the line and try again when it fails. The driver prints it on lines of its own, above the line
 * that is being typed. A count of 0 prints nothing: it asks whether the driver still takes messages. */
#define L4_CONSOLE_LOG          0x4304

#define L4_CONSOLE_WRITE_MAX    480     /* bytes of text in one message */
#define L4_CONSOLE_READ_MAX     464
#define L4_CONSOLE_LOG_MAX      488

/* Status, MR1 of every answer. */
#define L4_CONSOLE_OK           0
#define L4_CONSOLE_NEW_BOOT     1       /* the request was made in an earlier boot; see above */
#define L4_CONSOLE_BAD_REQUEST  2       /* unknown label, or a count out of range */
#define L4_CONSOLE_BUSY         3       /* another thread has begun to wait for input instead */

#ifndef __ASSEMBLER__

/* A client's end of the two streams. Zero it to begin; one thread for writing and one for reading may
 * share it. It may be kept across boots like any other memory. */
struct L4_Console {
	unsigned long write_sequence;   /* of the last write */
	unsigned long read_boot;        /* boot in which read_position counts */
	unsigned long read_position;    /* bytes of this boot's input received so far */
};

/* L4_ConsoleWrite: print count bytes of text (any length; sent in pieces). Blocks until the driver has taken
 * them. Returns L4_CONSOLE_OK; L4_CONSOLE_NEW_BOOT if the machine was rebooted meanwhile (the text was
 * printed in the new boot, and the screen should be drawn again); L4_CONSOLE_BAD_REQUEST if there is no driver. */
unsigned long L4_ConsoleWrite(struct L4_Console *console, const char *text, unsigned long count);

/* L4_ConsoleRead: wait for input and store 1 to most bytes of it (at most L4_CONSOLE_READ_MAX) in text; their
 * number in *count. Blocks without limit. Returns L4_CONSOLE_OK; L4_CONSOLE_NEW_BOOT with *count = 0 when the
 * machine was rebooted during the call or since the last one; L4_CONSOLE_BUSY if another thread began to wait for input during the call;
 * L4_CONSOLE_BAD_REQUEST if there is no driver. */
unsigned long L4_ConsoleRead(struct L4_Console *console, char *text, unsigned long most, unsigned long *count);

/* L4_ConsoleSize: columns and rows that a full-screen program may use. Returns as L4_ConsoleWrite; on an error
 * they are 80 and 24. */
unsigned long L4_ConsoleSize(unsigned long *columns, unsigned long *rows);

#endif
#endif
