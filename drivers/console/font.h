/* SPDX-License-Identifier: BSD-2-Clause
 * The 8x16 font of framebuffers: one byte per row, leftmost pixel in bit 7. font.c is made by mkfont from
 * GNU Unifont as the package grub-common brings it (/usr/share/grub/unicode.pf2). */
#ifndef CONSOLE_FONT_H
#define CONSOLE_FONT_H

#define FONT_WIDTH              8
#define FONT_HEIGHT             16

extern const unsigned char font_glyph[256][FONT_HEIGHT];

#endif
