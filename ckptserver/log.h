/* SPDX-License-Identifier: BSD-2-Clause
 * Console lines. Tests and scripts read them (docs/console-lines.md), so each is one line, begun with
 * its area in brackets.
 *
 * Lines go to the console driver, if it runs and takes them, so that they do not tear the line that
 * is being typed; else through the kernel's debug output. None of these functions blocks.
 * Formats as in l4/print.h.
 */
#ifndef CKPT_LOG_H
#define CKPT_LOG_H

#include <stdbool.h>
#include <stdint.h>

/* One line; the line end is added. */
void log_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* "[ckpt] error ..." */
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* For what would be said again and again: may this kind of line be made now? At most one in five seconds; *repeated
 * = how many were not made since the last. A limit is zero before its first use. */
struct log_limit {
	uint64_t until_tsc;
	unsigned repeated;
};
bool log_limited(struct log_limit *limit, unsigned *repeated);

/* From now on lines go to the console driver. */
void log_use_console(void);

/* From now on they do not: the machine is about to stop. */
void log_use_kernel(void);

/* Tries again to hand lines to the console driver. True if some are left. */
bool log_pump(void);

/* Everything out by the kernel, before the machine stops. */
void log_flush(void);

#endif
