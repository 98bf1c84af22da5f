/* SPDX-License-Identifier: BSD-2-Clause
 * The terminal's protocol: lines of text from many programs above one line that is being typed.
 *
 * The terminal is a persistent program, registered under the name "term". Text is printed in whole lines; what
 * a client writes without a line end is held until the rest comes or the same client reads a line. So no
 * output ever cuts another client's line or the input line. Both ends are persistent: each call
 * happens exactly once, whatever happens to the machine.
 *
 * Untyped words only; request and answer have the same label; MR1 of the answer is a status.
 */
#ifndef L4_TERM_H
#define L4_TERM_H

#include <l4/abi.h>

#define L4_TERM_NAME            "term"

/* Labels (bits 63..16 of the tag). */
#define L4_TERM_WRITE           0x5401  /* count, text (MR2 on): status */
#define L4_TERM_READ            0x5402  /* count of the prompt, prompt (MR2 on): status, count, text (MR3 on) */
#define L4_TERM_BREAK           0x5403  /* (nothing): status, 1 if ctrl-C was typed since the last such call */
#define L4_TERM_CLEAR           0x5404  /* (nothing): status */
#define L4_TERM_WIDTH           0x5405  /* (nothing): status, columns */

#define L4_TERM_WRITE_MAX       480     /* bytes of text in one message */
#define L4_TERM_PROMPT_MAX      80
#define L4_TERM_LINE_MAX        480     /* bytes of an input line, without its end */

/* Status. */
#define L4_TERM_OK              0
#define L4_TERM_EOF             1       /* ctrl-D on an empty line */
#define L4_TERM_INTERRUPT       2       /* ctrl-C: the line was given up */
#define L4_TERM_BAD_REQUEST     3       /* unknown label or count out of range */
#define L4_TERM_BUSY            4       /* too many readers */
#define L4_TERM_NO_TERM         5       /* no terminal answers (returned by the functions below) */

#ifndef __ASSEMBLER__

/* L4_TermWrite: print count bytes. Blocks until the terminal has taken them; it is looked up by name at the first
 * use; L4_TERM_NO_TERM if there is none, when the text goes to the kernel debugger's output instead. */
unsigned long L4_TermWrite(const char *text, unsigned long count);

/* L4_TermPrintf: format (libl4's print formats) and write, at most L4_TERM_WRITE_MAX bytes at once. */
unsigned long L4_TermPrintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* L4_TermRead: show the prompt (at most L4_TERM_PROMPT_MAX bytes) and wait for a line. line has room for
 * L4_TERM_LINE_MAX + 1 bytes and is zero-terminated without its line end. Blocks without limit. Readers are
 * served first come, first served. Returns OK, EOF, INTERRUPT, BUSY or NO_TERM. */
unsigned long L4_TermRead(const char *prompt, char *line);

/* L4_TermBreak: was ctrl-C typed, with no line being read, since the last call? 1 or 0; never waits for input. */
unsigned long L4_TermBreak(void);

/* L4_TermClear: clear the screen and draw the input line again. */
unsigned long L4_TermClear(void);

/* L4_TermWidth: columns of the terminal, 80 if there is none. */
unsigned long L4_TermWidth(void);

#endif
#endif
