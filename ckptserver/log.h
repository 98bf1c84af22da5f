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

/* One line; the line end is added. */
void log_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* "[ckpt] error ..." */
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* From now on lines go to the console driver. */
void log_use_console(void);

/* Tries again to hand lines to the console driver. True if some are left. */
bool log_pump(void);

/* Everything out by the kernel, before the machine stops. */
void log_flush(void);

#endif
