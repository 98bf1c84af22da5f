/* SPDX-License-Identifier: BSD-2-Clause
 * Formatting, into memory or piece by piece to the program's output. One formatter, two sinks: a sink
 * takes a run of characters.
 */
#include <stdarg.h>
#include <l4/print.h>
#include <l4/kdebug.h>

#define PIECE	L4_KDB_TEXT_MAX	/* bytes handed to the output at once */
#define TRIES	8		/* at a text whose page vanishes between our touch and the kernel's */

struct sink {
	char	     *to;
	l4_size_t     room;	/* of the buffer at `to` */
	l4_size_t     used;
	l4_size_t     total;	/* characters so far, whether or not there was room */
	l4_output_fn *flush;	/* called when the buffer is full; NULL: the rest is dropped */
};

struct spec {
	unsigned int left : 1, zero : 1, plus : 1, blank : 1, alternate : 1, upper : 1, negative : 1;
	unsigned int base;
	int	     width;
	int	     precision;	/* -1: none given */
	int	     size;	/* bytes of the argument */
};

static void sink_char(struct sink *s, char c)
{
	s->total++;
	if (s->used == s->room && s->flush) {
		s->flush(s->to, s->used);
		s->used = 0;
	}
	if (s->used < s->room)
		s->to[s->used++] = c;
}

static void sink_fill(struct sink *s, char c, int count)
{
	while (count-- > 0)
		sink_char(s, c);
}

/* Text in a field: used for %s and %c. */
static void put_text(struct sink *s, const struct spec *f, const char *text, int length)
{
	if (!f->left)
		sink_fill(s, ' ', f->width - length);
	for (int i = 0; i < length; i++)
		sink_char(s, text[i]);
	if (f->left)
		sink_fill(s, ' ', f->width - length);
}

static void put_number(struct sink *s, const struct spec *f, unsigned long value)
{
	const char *digits = f->upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char text[24], prefix[3];
	int length = 0, prefixes = 0, zeros;

	if (f->negative || f->plus || f->blank)
		prefix[prefixes++] = f->negative ? '-' : f->plus ? '+' : ' ';
	if (f->alternate && f->base == 16 && value) {
		prefix[prefixes++] = '0';
		prefix[prefixes++] = f->upper ? 'X' : 'x';
	}
	for (; value; value /= f->base)
		text[length++] = digits[value % f->base];
	if (!length && f->precision != 0)
		text[length++] = '0';
	zeros = f->precision - length;
	if (f->alternate && f->base == 8 && zeros <= 0 && (!length || text[length - 1] != '0'))
		zeros = 1;
	if (zeros < 0)
		zeros = 0;
	if (f->zero && !f->left && f->precision < 0 && f->width > length + prefixes + zeros)
		zeros = f->width - length - prefixes;
	if (!f->left)
		sink_fill(s, ' ', f->width - length - prefixes - zeros);
	for (int i = 0; i < prefixes; i++)
		sink_char(s, prefix[i]);
	sink_fill(s, '0', zeros);
	for (int i = length; i > 0; i--)
		sink_char(s, text[i - 1]);
	if (f->left)
		sink_fill(s, ' ', f->width - length - prefixes - zeros);
}

static const char *parse_flags(const char *p, struct spec *f)
{
	for (;; p++) {
		switch (*p) {
		case '-': f->left = 1; break;
		case '0': f->zero = 1; break;
		case '+': f->plus = 1; break;
		case ' ': f->blank = 1; break;
		case '#': f->alternate = 1; break;
		default: return p;
		}
	}
}

static const char *parse_digits(const char *p, int *value)
{
	for (*value = 0; *p >= '0' && *p <= '9'; p++)
		if (*value < 1000000)
			*value = *value * 10 + (*p - '0');
	return p;
}

static const char *parse_size(const char *p, struct spec *f)
{
	f->size = sizeof(int);
	switch (*p) {
	case 'h':
		f->size = p[1] == 'h' ? sizeof(char) : sizeof(short);
		return p[1] == 'h' ? p + 2 : p + 1;
	case 'l':
		f->size = sizeof(long);
		return p[1] == 'l' ? p + 2 : p + 1;
	case 'z': case 'j': case 't':
		f->size = sizeof(long);
		return p + 1;
	default:
		return p;
	}
}

/* The argument as 64 bits, extended from the size given. */
static unsigned long take_unsigned(const struct spec *f, unsigned long raw)
{
	return f->size == 8 ? raw : raw & ((1UL << (8 * f->size)) - 1);
}

static long take_signed(const struct spec *f, unsigned long raw)
{
	int shift = 64 - 8 * f->size;

	return (long)(raw << shift) >> shift;
}

static unsigned int base_of(char conversion)
{
	return conversion == 'u' ? 10 : conversion == 'o' ? 8 : 16;
}

/* A struct, so that a pointer to it can be passed on whatever va_list is. */
struct arguments {
	va_list list;
};

static unsigned long take_raw(const struct spec *f, struct arguments *a)
{
	return f->size == 8 ? va_arg(a->list, unsigned long) : va_arg(a->list, unsigned int);
}

/* Carries out one conversion; false if there is no such. */
static int put_conversion(struct sink *s, struct spec *f, char conversion, struct arguments *a)
{
	const char *text;
	long value;
	char c;

	switch (conversion) {
	case 'd': case 'i':
		value = take_signed(f, take_raw(f, a));
		f->negative = value < 0;
		f->base = 10;
		put_number(s, f, value < 0 ? -(unsigned long)value : (unsigned long)value);
		return 1;
	case 'u': case 'x': case 'X': case 'o':
		f->plus = f->blank = 0;
		f->upper = conversion == 'X';
		f->base = base_of(conversion);
		put_number(s, f, take_unsigned(f, take_raw(f, a)));
		return 1;
	case 'p':
		f->alternate = 1;
		f->base = 16;
		put_number(s, f, (unsigned long)va_arg(a->list, void *));
		return 1;
	case 'c':
		c = (char)va_arg(a->list, int);
		put_text(s, f, &c, 1);
		return 1;
	case 's':
		text = va_arg(a->list, const char *);
		if (!text)
			text = "(null)";
		put_text(s, f, text, (int)strnlen(text, f->precision < 0 ? 0x7fffffff : (l4_size_t)f->precision));
		return 1;
	case '%':
		sink_char(s, '%');
		return 1;
	default:
		return 0;
	}
}

static void format_all(struct sink *s, const char *p, struct arguments *a)
{
	while (*p) {
		struct spec f = { .precision = -1 };
		const char *start = p;

		if (*p != '%') {
			sink_char(s, *p++);
			continue;
		}
		p = parse_flags(p + 1, &f);
		if (*p == '*') {
			f.width = va_arg(a->list, int);
			if (f.width < 0) {
				f.left = 1;
				f.width = -f.width;
			}
			p++;
		} else {
			p = parse_digits(p, &f.width);
		}
		if (*p == '.') {
			if (p[1] == '*') {
				f.precision = va_arg(a->list, int);
				p += 2;
			} else {
				p = parse_digits(p + 1, &f.precision);
			}
		}
		p = parse_size(p, &f);
		if (!*p || !put_conversion(s, &f, *p, a)) {
			sink_char(s, '%');
			p = start + 1;
			continue;
		}
		p++;
	}
}

int vsnprintf(char *to, l4_size_t room, const char *format, va_list args)
{
	struct sink s = { .to = to, .room = room ? room - 1 : 0 };
	struct arguments a;

	va_copy(a.list, args);
	format_all(&s, format, &a);
	va_end(a.list);
	if (room)
		to[s.used] = 0;
	return (int)s.total;
}

int snprintf(char *to, l4_size_t room, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(to, room, format, args);
	va_end(args);
	return n;
}

/* As one call, so that nobody's text comes between; the reads bring its pages in. */
static int print_whole(const char *text, l4_size_t bytes)
{
	for (int try = 0; try < TRIES; try++) {
		(void)*(const volatile char *)text;
		(void)*(const volatile char *)(text + bytes - 1);
		if (L4_KDB_PrintText(text, bytes) == bytes)
			return 1;
	}
	return 0;
}

void l4_output_kdebug(const char *text, l4_size_t bytes)
{
	while (bytes) {
		l4_size_t piece = bytes < L4_KDB_TEXT_MAX ? bytes : L4_KDB_TEXT_MAX;

		if (!print_whole(text, piece))
			for (l4_size_t i = 0; i < piece; i++)
				L4_KDB_PrintChar(text[i]);
		text += piece;
		bytes -= piece;
	}
}

static l4_output_fn *current_output = l4_output_kdebug;

void l4_set_output(l4_output_fn *output)
{
	current_output = output ? output : l4_output_kdebug;
}

int l4_vprintf(const char *format, va_list args)
{
	char piece[PIECE];
	struct sink s = { .to = piece, .room = PIECE, .flush = current_output };
	struct arguments a;

	va_copy(a.list, args);
	format_all(&s, format, &a);
	va_end(a.list);
	if (s.used)
		s.flush(piece, s.used);
	return (int)s.total;
}

int l4_printf(const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = l4_vprintf(format, args);
	va_end(args);
	return n;
}

void l4_print(const char *text)
{
	l4_size_t n = strlen(text);

	if (n)
		current_output(text, n);
}
