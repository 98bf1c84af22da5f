/* SPDX-License-Identifier: BSD-2-Clause
 * Console lines: a ring of lines that the console driver has not taken yet.
 *
 * The driver is told with a zero timeout, so ckptserver never waits for it. One that takes no message, not even the
 * empty one it gets when there is no line, hangs: the machine reboots, and recovers.
 */
#include "log.h"

#include <stdarg.h>
#include <stddef.h>

#include <l4/console.h>
#include <l4/ipc.h>
#include <l4/message.h>
#include <l4/print.h>

#include "io.h"
#include "server.h"

#define RING_BYTES      8192u
#define LINE_BYTES      320u
#define BEAT_US         1000000ul       /* between two empty messages */
#define HANG_US         10000000ul      /* without one taken, and … */
#define HANG_TRIES      1000u           /* … as many tries: the driver hangs. Time alone may have passed without us. */
#define LIMIT_US        5000000ul

static struct {
	char ring[RING_BYTES];          /* whole lines, each with its newline */
	unsigned in, out;
	bool console;
	unsigned refused;               /* tries since the driver last took something */
	uint64_t taken_tsc, beat_tsc;   /* when the driver took something last; when it gets an empty message if there is no other */
} out;

static unsigned ring_used(void)
{
	return out.in - out.out;
}

void log_flush(void)
{
	while (ring_used()) {
		unsigned at = out.out % RING_BYTES, n = ring_used();

		if (n > RING_BYTES - at)
			n = RING_BYTES - at;
		l4_output_kdebug(out.ring + at, n);
		out.out += n;
	}
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

static void taken(uint64_t now)
{
	out.taken_tsc = now;
	out.beat_tsc = now + time_ticks(BEAT_US);
}

bool log_pump(void)
{
	uint64_t now = rdtsc();

	if (!out.console || (now < out.beat_tsc && !ring_used()))
		return false;
	if (send_some()) {
		taken(now);
		return ring_used();
	}
	if (++out.refused > HANG_TRIES && now > out.taken_tsc + time_ticks(HANG_US))
		server_crash("console driver: takes no message");
	return true;
}

void log_use_console(void)
{
	out.console = true;
	taken(rdtsc());
}

void log_use_kernel(void)
{
	log_flush();
	out.console = false;
}

static void emit(const char *line, size_t n)
{
	if (!out.console) {
		l4_output_kdebug(line, n);      /* nobody's text comes between */
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

bool log_limited(struct log_limit *limit, unsigned *repeated)
{
	uint64_t now = rdtsc();

	if (now < limit->until_tsc) {
		limit->repeated++;
		return false;
	}
	*repeated = limit->repeated;
	*limit = (struct log_limit){ now + time_ticks(LIMIT_US), 0 };
	return true;
}
