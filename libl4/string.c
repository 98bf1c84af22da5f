/* SPDX-License-Identifier: BSD-2-Clause
 * String functions. Copying and filling use the string instructions in words: short code, and fast enough on
 * processors and emulators alike. The direction flag is clear by convention.
 */
#include <l4/string.h>

#define WORD	sizeof(unsigned long)

void *memcpy(void *to, const void *from, l4_size_t bytes)
{
	void *d = to;
	l4_size_t words = bytes / WORD;

	__asm__ __volatile__("rep movsq" : "+D"(d), "+S"(from), "+c"(words) : : "memory");
	bytes %= WORD;
	__asm__ __volatile__("rep movsb" : "+D"(d), "+S"(from), "+c"(bytes) : : "memory");
	return to;
}

void *memmove(void *to, const void *from, l4_size_t bytes)
{
	char *d = (char *)to + bytes;
	const char *s = (const char *)from + bytes;
	l4_size_t tail = bytes % WORD, words = bytes / WORD;

	if ((unsigned long)to - (unsigned long)from >= bytes)
		return memcpy(to, from, bytes);
	/* The areas overlap and the target is higher: from the end downwards, odd bytes first. */
	d--;
	s--;
	__asm__ __volatile__("std\n\trep movsb\n\tcld" : "+D"(d), "+S"(s), "+c"(tail) : : "cc", "memory");
	d -= WORD - 1;
	s -= WORD - 1;
	__asm__ __volatile__("std\n\trep movsq\n\tcld" : "+D"(d), "+S"(s), "+c"(words) : : "cc", "memory");
	return to;
}

void *memset(void *to, int byte, l4_size_t bytes)
{
	void *d = to;
	unsigned long pattern = 0x0101010101010101UL * (unsigned char)byte;
	l4_size_t words = bytes / WORD;

	__asm__ __volatile__("rep stosq" : "+D"(d), "+c"(words) : "a"(pattern) : "memory");
	bytes %= WORD;
	__asm__ __volatile__("rep stosb" : "+D"(d), "+c"(bytes) : "a"(pattern) : "memory");
	return to;
}

int memcmp(const void *a, const void *b, l4_size_t bytes)
{
	const unsigned char *p = a, *q = b;

	for (; bytes; bytes--, p++, q++)
		if (*p != *q)
			return *p < *q ? -1 : 1;
	return 0;
}

void *memchr(const void *memory, int byte, l4_size_t bytes)
{
	const unsigned char *p = memory;

	for (; bytes; bytes--, p++)
		if (*p == (unsigned char)byte)
			return (void *)(unsigned long)p;
	return 0;
}

l4_size_t strnlen(const char *s, l4_size_t most)
{
	l4_size_t n = 0;

	while (n < most && s[n])
		n++;
	return n;
}

l4_size_t strlen(const char *s)
{
	const char *end = s;

	while (*end) {
		end++;
		__asm__ volatile("" : "+r"(end));	/* or the compiler makes this loop a call of strlen */
	}
	return (l4_size_t)(end - s);
}

int strncmp(const char *a, const char *b, l4_size_t most)
{
	for (; most; most--, a++, b++) {
		if (*a != *b)
			return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
		if (!*a)
			break;
	}
	return 0;
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, ~(l4_size_t)0);
}

char *strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)(unsigned long)s;
		if (!*s)
			return 0;
	}
}

char *strrchr(const char *s, int c)
{
	const char *last = 0;

	for (;; s++) {
		if (*s == (char)c)
			last = s;
		if (!*s)
			return (char *)(unsigned long)last;
	}
}

char *strstr(const char *s, const char *part)
{
	l4_size_t n = strlen(part);

	for (;; s++) {
		if (!strncmp(s, part, n))
			return (char *)(unsigned long)s;
		if (!*s)
			return 0;
	}
}

l4_size_t strlcpy(char *to, const char *s, l4_size_t room)
{
	l4_size_t n = strlen(s), fit;

	if (room) {
		fit = n < room ? n : room - 1;
		memcpy(to, s, fit);
		to[fit] = 0;
	}
	return n;
}

/* Value of a digit in bases up to 36; 36 if it is none. */
static unsigned int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned int)(c - '0');
	if (c >= 'a' && c <= 'z')
		return (unsigned int)(c - 'a') + 10;
	if (c >= 'A' && c <= 'Z')
		return (unsigned int)(c - 'A') + 10;
	return 36;
}

/* Magnitude and sign of the number at s; *overflow if it does not fit. */
static unsigned long parse_number(const char *s, char **end, int base, int *negative, int *overflow)
{
	const char *start = s;
	unsigned long value = 0;
	unsigned int digit, radix;
	int digits = 0;

	while (*s == ' ' || (*s >= '\t' && *s <= '\r'))
		s++;
	*negative = *s == '-';
	*overflow = 0;
	if (*s == '-' || *s == '+')
		s++;
	if ((base == 0 || base == 16) && s[0] == '0' && (s[1] | 0x20) == 'x' && digit_value(s[2]) < 16) {
		s += 2;
		base = 16;
	}
	if (base == 0)
		base = *s == '0' ? 8 : 10;
	radix = (unsigned int)base;
	for (; (digit = digit_value(*s)) < radix; s++, digits++) {
		if (__builtin_mul_overflow(value, (unsigned long)radix, &value)
		    || __builtin_add_overflow(value, (unsigned long)digit, &value))
			*overflow = 1;
	}
	if (end)
		*end = (char *)(unsigned long)(digits ? s : start);
	return value;
}

unsigned long strtoul(const char *s, char **end, int base)
{
	int negative, overflow;
	unsigned long value = parse_number(s, end, base, &negative, &overflow);

	if (overflow)
		return ~0UL;
	return negative ? -value : value;
}

long strtol(const char *s, char **end, int base)
{
	int negative, overflow;
	unsigned long value = parse_number(s, end, base, &negative, &overflow);
	unsigned long limit = ~0UL >> 1;

	if (negative)
		return overflow || value > limit ? (long)(limit + 1) : -(long)value;
	return overflow || value > limit ? (long)limit : (long)value;
}
