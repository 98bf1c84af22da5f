/* SPDX-License-Identifier: BSD-2-Clause
 * Formatted text, and where a program's text goes.
 *
 * Formats: %d %i %u %x %X %o %c %s %p %% with the flags - 0 + # and blank, width and precision (also *), and
 * the sizes hh h l ll z j t. No floating point. An unknown conversion is printed as it stands.
 */
#ifndef L4_PRINT_H
#define L4_PRINT_H

#include <l4/string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Writes at most room bytes, the last of which is 0 (nothing if room is 0). Returns the length that the
 * whole text has, so a result of room or more means that it was cut. */
int vsnprintf(char *to, l4_size_t room, const char *format, __builtin_va_list args)
	__attribute__((format(printf, 3, 0)));
int snprintf(char *to, l4_size_t room, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Receives all text of l4_printf and l4_print, in pieces. May block; what it does with the message
 * registers is lost to the caller of l4_printf. */
typedef void l4_output_fn(const char *text, l4_size_t bytes);

/* Prints to the kernel's serial port (l4/kdebug.h); up to 512 bytes come out in one piece. Needs no other thread. */
void l4_output_kdebug(const char *text, l4_size_t bytes);

/* Sets where text goes from now on; NULL: to l4_output_kdebug, as at the start. One
 * setting for the program, not changed by a checkpoint. */
void l4_set_output(l4_output_fn *output);

/* Prints, returns the number of bytes. Threads may print at the same time; their pieces (up to 512 bytes) then
 * mix. */
int l4_vprintf(const char *format, __builtin_va_list args) __attribute__((format(printf, 1, 0)));
int l4_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Prints a string as it is. */
void l4_print(const char *text);

#ifdef __cplusplus
}
#endif
#endif
