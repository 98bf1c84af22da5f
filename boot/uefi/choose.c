/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The dialogue of menu.h, on the firmware's console.
 */
#include <efi.h>
#include <efilib.h>
#include "menu.h"

#define TICKS_PER_SECOND	10000000ull	/* of 100 ns */
#define SCAN_ESCAPE		0x17

/* The next key as a character, 0 if it has none. */
static unsigned int key_read(void)
{
	EFI_INPUT_KEY key;

	WaitForSingleEvent(ST->ConIn->WaitForKey, 0);
	if (EFI_ERROR(ST->ConIn->ReadKeyStroke(ST->ConIn, &key)))
		return 0;
	return key.ScanCode == SCAN_ESCAPE ? 27 : key.UnicodeChar;
}

void menu_choose(struct menu *m, unsigned int seconds)
{
	EFI_INPUT_KEY key;

	m->length = 0;
	m->text[0] = 0;
	if (!seconds)
		return;
	Print(L"Perdure goes on where it was; for another checkpoint press a key (%d s)\n", seconds);
	if (EFI_ERROR(WaitForSingleEvent(ST->ConIn->WaitForKey, seconds * TICKS_PER_SECOND)))
		return;
	while (!EFI_ERROR(ST->ConIn->ReadKeyStroke(ST->ConIn, &key)))
		;
	Print(L"Go on from which checkpoint? Nothing newer is lost.\n"
	      L"  -N  so many before the newest, for instance -1\n"
	      L"  a number, or a name, as 'ckpt list' shows them\n"
	      L"  Return alone: where it was\n"
	      L"checkpoint: ");
	for (;;) {
		unsigned int c = key_read();

		switch (menu_key(m, c)) {
		case MENU_ADDED:
			Print(L"%c", m->text[m->length - 1]);
			break;
		case MENU_ERASED:
			do
				Print(L"\b \b");
			while (c == MENU_CTRL_U && menu_key(m, c) == MENU_ERASED);
			break;
		case MENU_DONE:
			Print(L"\n");
			return;
		default:
			break;
		}
	}
}
