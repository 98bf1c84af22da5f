/* SPDX-License-Identifier: BSD-2-Clause
 * Where the screen's picture is shown: VGA text memory, or a linear framebuffer with an 8x16 font. */
#ifndef CONSOLE_DISPLAY_H
#define CONSOLE_DISPLAY_H

#include "screen.h"

/* Find the display and begin screen s with its size. description is null or the driver's argument
 * "fb=type,width,height,pitch,bpp,red,green,blue,base" (numbers as in struct bootinfo; positions of the colours'
 * lowest bits); without it VGA text memory of 80 by 25 is assumed. Asks sigma0 for the memory;
 * without memory nothing is ever shown. */
void display_init(struct screen *s, const char *description);

/* Show what has changed. */
void display_refresh(struct screen *s);

#endif
