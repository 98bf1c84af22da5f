/* SPDX-License-Identifier: BSD-2-Clause
 * PS/2 scan codes to bytes. See keyboard.h. */
#include "keyboard.h"

enum { CODE_EXTENDED = 0xe0, CODE_PAUSE = 0xe1, CODE_RELEASE = 0x80,
       CODE_CONTROL = 0x1d, CODE_SHIFT_LEFT = 0x2a, CODE_SHIFT_RIGHT = 0x36, CODE_ALT = 0x38, CODE_CAPS = 0x3a,
       CODE_KEYPAD_SLASH = 0x35, CODE_KEYPAD_ENTER = 0x1c };

#define LAST_PLAIN 0x58

static const char plain[] =
	"\0\0331234567890-=\177\tqwertyuiop[]\r\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 "
	"\0\0\0\0\0\0\0\0\0\0\0\0\0" "789-456+1230.\0\0\\\0\0";
static const char shifted[] =
	"\0\033!@#$%^&*()_+\177\tQWERTYUIOP{}\r\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 "
	"\0\0\0\0\0\0\0\0\0\0\0\0\0" "789-456+1230.\0\0|\0\0";
_Static_assert(sizeof plain == LAST_PLAIN + 2 && sizeof shifted == sizeof plain, "one character per scan code");

/* Keys behind 0xe0, as the end of an ESC [ sequence. */
static const struct { unsigned char code; char end[3]; } editing[] = {
	{ 0x47, "H" }, { 0x48, "A" }, { 0x49, "5~" }, { 0x4b, "D" }, { 0x4d, "C" }, { 0x4f, "F" },
	{ 0x50, "B" }, { 0x51, "6~" }, { 0x52, "2~" }, { 0x53, "3~" },
};

static int modifier_key(struct keyboard *k, unsigned char key, int down, int extended)
{
	switch (key) {
	case CODE_SHIFT_LEFT: case CODE_SHIFT_RIGHT: {
		int bit = key == CODE_SHIFT_LEFT ? 1 : 2;
		if (!extended)          /* 0xe0 0x2a is a fake shift around editing keys */
			k->shift = down ? k->shift | bit : k->shift & ~bit;
		return 1;
	}
	case CODE_CONTROL: k->control = down; return 1;
	case CODE_ALT: k->alt = down; return 1;
	case CODE_CAPS:
		if (down)
			k->caps = !k->caps;
		return 1;
	default:
		return 0;
	}
}

static int extended_key(struct keyboard *k, unsigned char key, char *out)
{
	int n = 0;

	if (key == CODE_KEYPAD_ENTER || key == CODE_KEYPAD_SLASH) {
		out[0] = key == CODE_KEYPAD_ENTER ? '\r' : '/';
		return 1;
	}
	for (unsigned int i = 0; i < sizeof editing / sizeof editing[0]; i++) {
		if (editing[i].code != key)
			continue;
		out[n++] = '\033';
		out[n++] = '[';
		if (k->control && !editing[i].end[1]) {
			out[n++] = '1';
			out[n++] = ';';
			out[n++] = '5';
		}
		for (int j = 0; j < 2 && editing[i].end[j]; j++)
			out[n++] = editing[i].end[j];
		return n;
	}
	return 0;
}

static int plain_key(struct keyboard *k, unsigned char key, char *out)
{
	int n = 0;

	if (key > LAST_PLAIN || !plain[key])
		return 0;
	char c = k->shift ? shifted[key] : plain[key];
	if (k->caps && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')))
		c ^= 0x20;
	if (k->control && c == ' ')
		return 0;
	if (k->control && ((c >= '@' && c <= '_') || (c >= 'a' && c <= 'z')))
		c &= 0x1f;
	if (k->alt)
		out[n++] = '\033';
	out[n++] = c;
	return n;
}

int keyboard_decode(struct keyboard *k, unsigned char code, char out[KEYBOARD_BYTES])
{
	int extended = k->extended;
	unsigned char key = code & (CODE_RELEASE - 1);

	if (k->skip) {
		k->skip--;
		return 0;
	}
	if (code == CODE_EXTENDED || code == CODE_PAUSE) {
		k->extended = code == CODE_EXTENDED;
		k->skip = code == CODE_PAUSE ? 2 : 0;
		return 0;
	}
	k->extended = 0;
	if (modifier_key(k, key, !(code & CODE_RELEASE), extended) || (code & CODE_RELEASE))
		return 0;
	return extended ? extended_key(k, key, out) : plain_key(k, key, out);
}
