/* SPDX-License-Identifier: BSD-2-Clause
 * Console lines: a ring of lines that the console driver has not taken yet.
 *
 * The driver is told with a zero timeout, so ckptserver never waits for it. A driver that takes nothing for
 * LOG_PATIENCE attempts is given up, and the kernel's debug output is used from then on.
 */
#include "log.h"

#include <stdarg.h>
#include <stddef.h>

#include <l4/console.h>
#include <l4/ipc.h>
#include <l4/kdebug.h>
#include <l4/message.h>
#include <l4/print.h>

#define RING_BYTES      8192u
#define LINE_BYTES      320u
#define LOG_PATIENCE    1000u

static struct {
	char ring[RING_BYTES];          /* whole lines, each with its newline */
	unsigned in, out;
	bool console;
	unsigned refused;
} out;

static void kernel_print(const char *s, size_t n)
{
	while (n--)
		L4_KDB_PrintChar(*s++);
}

static unsigned ring_used(void)
{
	return out.in - out.out;
}

void log_flush(void)
{
	while (ring_used())
		L4_KDB_PrintChar(out.ring[out.out++ % RING_BYTES]);
}

/* Hands the first lines of the ring to the driver. */
static bool send_some(void)
{
	L4_Word_t words[L4_CONSOLE_LOG_MAX / sizeof(L4_Word_t) + 1];
	char *text = (char *)words;
	unsigned n = 0, whole = 0;
	L4_MsgTag_t tag;

	while (n < ring_used() && n < L4_CONSOLE_LOG_MAX) {
		text[n] = out.ring[(out.out + n) % RING_BYTES];
		if (text[n++] == '\n')
			whole = n;
	}
	L4_LoadMR(1, whole);
	L4_LoadMRs(2, (int)((whole + 7) / 8), words);
	tag.raw = (L4_Word_t)L4_CONSOLE_LOG << 16 | (1 + (whole + 7) / 8);
	L4_LoadMR(0, tag.raw);
	tag = L4_Ipc(L4_GlobalId(L4_CONSOLE_TNO, 1), L4_nilthread, L4_Timeouts(L4_ZeroTime, L4_ZeroTime), NULL);
	if (L4_IpcFailed(tag))
		return false;
	out.out += whole;
	out.refused = 0;
	return true;
}

bool log_pump(void)
{
	if (!ring_used())
		return false;
	if (out.console && send_some())
		return ring_used();
	if (!out.console || ++out.refused > LOG_PATIENCE) {
		out.console = false;
		log_flush();
	}
	return ring_used();
}

void log_use_console(void)
{
	out.console = true;
}

static void emit(const char *line, size_t n)
{
	if (!out.console) {
		kernel_print(line, n);
		return;
	}
	if (ring_used() + n > RING_BYTES)
		log_flush();                    /* nothing is lost, at worst it is out of place */
	for (size_t i = 0; i < n; i++)
		out.ring[out.in++ % RING_BYTES] = line[i];
}

__attribute__((format(printf, 2, 0)))
static void line_v(const char *prefix, const char *fmt, va_list ap)
{
	char line[LINE_BYTES];
	size_t n = strlcpy(line, prefix, sizeof line);

	n += (size_t)vsnprintf(line + n, sizeof line - 1 - n, fmt, ap);
	if (n > sizeof line - 2)
		n = sizeof line - 2;            /* cut */
	line[n++] = '\n';
	emit(line, n);
}

void log_line(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	line_v("", fmt, ap);
	va_end(ap);
}

void log_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	line_v("[ckpt] error ", fmt, ap);
	va_end(ap);
}
