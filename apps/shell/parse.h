/* SPDX-License-Identifier: BSD-2-Clause
 * The shell's reading of a line: words, numbers, spans of time. Pure logic, tested on the host. */
#ifndef SHELL_PARSE_H
#define SHELL_PARSE_H

enum { PARSE_WORDS_MAX = 32 };

/* Errors of parse_words. */
enum { PARSE_QUOTE = -1, PARSE_TOO_MANY = -2 };

/* Split line, in place, into words separated by blanks; "…" and '…' keep blanks, \c means c outside '…', a word that
 * begins with # begins a comment. word[] has room for PARSE_WORDS_MAX + 1 and ends with a null. Returns the number
 * of words, PARSE_QUOTE (a quote without its end) or PARSE_TOO_MANY. */
int parse_words(char *line, char **word);

/* A decimal or 0x-number below 2^63. 0 if text is anything else. */
int parse_number(const char *text, unsigned long *value);

/* A number with a unit, us, ms, s, min or h, in microseconds: at least 1. 0 if text is anything else. */
int parse_time(const char *text, unsigned long *us);

/* Cut "A..B" in two, in place: returns B, or null if there is no ".." in text. */
char *parse_range(char *text);

#endif
