/* SPDX-License-Identifier: BSD-2-Clause
 * The string functions that programs without a C library need. They have their standard names and meanings
 * (the compiler calls some of them by itself) and never block.
 */
#ifndef L4_STRING_H
#define L4_STRING_H

#ifdef __cplusplus
extern "C" {
#endif

typedef __SIZE_TYPE__ l4_size_t;

void *memcpy(void *to, const void *from, l4_size_t bytes);
void *memmove(void *to, const void *from, l4_size_t bytes);
void *memset(void *to, int byte, l4_size_t bytes);
int memcmp(const void *a, const void *b, l4_size_t bytes);
void *memchr(const void *memory, int byte, l4_size_t bytes);
l4_size_t strlen(const char *s);
l4_size_t strnlen(const char *s, l4_size_t most);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, l4_size_t most);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *s, const char *part);

/* Copies as much of s as fits, always with a zero byte at the end if room is not 0. Returns the length of s: the copy is
 * complete if that is less than room. */
l4_size_t strlcpy(char *to, const char *s, l4_size_t room);

/* A number in base 2..36, or 0: 0x means 16, a leading 0 means 8, else 10. Leading blanks and a sign are skipped. *end (if
 * not NULL) is the first character not used, s if there was no number; too large a number gives the largest value
 * (smallest, for strtol). */
unsigned long strtoul(const char *s, char **end, int base);
long strtol(const char *s, char **end, int base);

#ifdef __cplusplus
}
#endif
#endif
