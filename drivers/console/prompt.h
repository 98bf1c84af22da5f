/* SPDX-License-Identifier: BSD-2-Clause
 * The driver's own prompt: a key opens it, and then input is lines for the driver and for nobody else. It needs nothing
 * that could be paged out, so it answers when no program can. Here the key and the editing; pure logic, tested on the host.
 */
#ifndef CONSOLE_PROMPT_H
#define CONSOLE_PROMPT_H

#define PROMPT_KEY      0x1d            /* ctrl-] */
#define PROMPT_MAX      72              /* bytes of a line */
#define PROMPT_WORDS    3

/* Zero it to begin. */
struct prompt {
	int open;
	int escape;                     /* inside an escape sequence, which is ignored */
	unsigned long length;
	char text[PROMPT_MAX + 1];
};

enum prompt_event {
	PROMPT_PASS,                    /* closed: the byte is for the programs */
	PROMPT_OPENED,
	PROMPT_NOTHING,                 /* taken, and nothing is to be done */
	PROMPT_CHANGED,                 /* the line is to be drawn anew */
	PROMPT_LINE,                    /* a line is complete: it is in text, and to be forgotten by prompt_next */
	PROMPT_CLOSED,
};

/* Take one byte of input. */
enum prompt_event prompt_key(struct prompt *p, char c);

/* Begin the next line. */
void prompt_next(struct prompt *p);

/* Split text, in place, into words at blanks: at most PROMPT_WORDS; returns how many there are, PROMPT_WORDS + 1 for
 * more. */
unsigned int prompt_words(char *text, char *word[PROMPT_WORDS]);

#endif
