/* SPDX-License-Identifier: BSD-2-Clause
 * The pager's own lines: `[pager] …` on the kernel's serial port, because the pager must not wait for a
 * console driver that waits for the pager.
 */
#ifndef PAGER_SAY_H
#define PAGER_SAY_H

/* Print one line, without its newline. %s string, %u decimal, %x hexadecimal (both take an unsigned long),
 * %d signed decimal (takes a long). Never blocks. */
void say(const char *format, ...);

#endif
