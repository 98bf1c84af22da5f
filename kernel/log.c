/* SPDX-License-Identifier: BSD-2-Clause
 * Printing (to x86/uart.c), and the two ends of the world: the kernel's own mistake (panic_at) and a ckptserver that crashed
 * or hangs (residual_crash), after which the machine reboots and recovers.
 */
#include <stdarg.h>
#include "kernel/kernel.h"
#include "kernel/arch.h"

static void put_number(u64 v, unsigned base, int width, char pad, bool negative)
{
	char buf[24];
	int n = 0;

	do
		buf[n++] = "0123456789abcdef"[v % base];
	while (v /= base);
	if (negative)
		buf[n++] = '-';
	while (n < width && n < (int)sizeof buf)
		buf[n++] = pad;
	while (n)
		uart_putc(buf[--n]);
}

static void vprint(const char *fmt, va_list ap)
{
	for (; *fmt; fmt++) {
		int width = 0, longs = 0;
		char pad = ' ';

		if (*fmt != '%') {
			uart_putc(*fmt);
			continue;
		}
		if (*++fmt == '0')
			pad = *fmt++;
		for (; *fmt >= '0' && *fmt <= '9'; fmt++)
			width = width * 10 + *fmt - '0';
		for (; *fmt == 'l' || *fmt == 'z'; fmt++)
			longs++;
		switch (*fmt) {
		case 's':
			for (const char *s = va_arg(ap, const char *); *s; s++)
				uart_putc(*s);
			break;
		case 'c':
			uart_putc((char)va_arg(ap, int));
			break;
		case 'd': {
			long v = longs ? va_arg(ap, long) : va_arg(ap, int);

			put_number(v < 0 ? 0ul - (u64)v : (u64)v, 10, width, pad, v < 0);
			break;
		}
		case 'u':
			put_number(longs ? va_arg(ap, u64) : va_arg(ap, unsigned), 10, width, pad, false);
			break;
		case 'x':
			put_number(longs ? va_arg(ap, u64) : va_arg(ap, unsigned), 16, width, pad, false);
			break;
		case 'p':
			put_number((u64)va_arg(ap, void *), 16, 16, '0', false);
			break;
		default:
			uart_putc(*fmt);
			break;
		}
	}
}

void printk(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprint(fmt, ap);
	va_end(ap);
}

static bool ending;

static _Noreturn void end(bool reboot)
{
	if (option("panic.exit"))
		arch_stop(2, 0x7f);
	if (reboot)
		arch_stop(1, 0);
	arch_halt();
}

_Noreturn void panic_at(const char *file, int line, const char *fmt, ...)
{
	const char *how = option("panic");
	va_list ap;

	if (ending)
		arch_halt();
	ending = true;
	printk("\n[panic] %s:%d: ", file, line);
	va_start(ap, fmt);
	vprint(fmt, ap);
	va_end(ap);
	printk("\n");
	arch_dump_state();
	end(how && !strncmp(how, "reboot", 6));
}

_Noreturn void residual_crash(const char *fmt, ...)
{
	va_list ap;

	if (ending)
		arch_halt();
	ending = true;
	printk("\n[panic] ");
	va_start(ap, fmt);
	vprint(fmt, ap);
	va_end(ap);
	printk("; rebooting\n");
	end(true);
}
