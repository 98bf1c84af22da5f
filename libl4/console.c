/* SPDX-License-Identifier: BSD-2-Clause
 * Calls to the console driver (l4/console.h). The driver forgets everything at a boot, we do not: so the requests
 * carry boot number, sequence and position, and a changed boot number is told to the caller. */
#include <l4/types.h>
#include <l4/thread.h>
#include <l4/ipc.h>
#include <l4/message.h>
#include <l4/kip.h>
#include <l4/console.h>

#define WORD sizeof(L4_Word_t)

/* Call the driver with MR1..MRn, loaded already; its answer must have at least `least` words. */
static L4_Word_t console_call(L4_Word_t label, L4_Word_t n, L4_Word_t least)
{
	L4_MsgTag_t tag = { label << 16 | n };
	L4_Word_t status;

	L4_Set_MsgTag(tag);
	tag = L4_Call(L4_GlobalId(L4_CONSOLE_TNO, 1));
	if (L4_IpcFailed(tag) || L4_UntypedWords(tag) < least)
		return L4_CONSOLE_BAD_REQUEST;
	L4_StoreMR(1, &status);
	return status;
}

/* Load bytes into message registers from MR `first` on; returns how many registers they take. */
static L4_Word_t load_bytes(int first, const char *text, unsigned long count)
{
	for (unsigned long i = 0; i < count; i += WORD) {
		L4_Word_t word = 0;
		for (unsigned long j = 0; j < WORD && i + j < count; j++)
			word |= (L4_Word_t)(unsigned char)text[i + j] << 8 * j;
		L4_LoadMR(first + (int)(i / WORD), word);
	}
	return (count + WORD - 1) / WORD;
}

unsigned long L4_ConsoleWrite(struct L4_Console *console, const char *text, unsigned long count)
{
	unsigned long result = L4_CONSOLE_OK;

	while (count) {
		unsigned long piece = count < L4_CONSOLE_WRITE_MAX ? count : L4_CONSOLE_WRITE_MAX;
		L4_LoadMR(1, L4_BootNumber(L4_GetKernelInterface()));
		L4_LoadMR(2, ++console->write_sequence);
		L4_LoadMR(3, piece);
		L4_Word_t status = console_call(L4_CONSOLE_WRITE, 3 + load_bytes(4, text, piece), 3);
		if (status == L4_CONSOLE_BAD_REQUEST)
			return status;
		if (status != L4_CONSOLE_OK)
			result = status;
		text += piece;
		count -= piece;
	}
	return result;
}

/* The boot number is read before the call is made. If the machine stops in between, the driver sees an old number,
 * says so, and the loop below is not fooled into acknowledging input of another boot. */
unsigned long L4_ConsoleRead(struct L4_Console *console, char *text, unsigned long most, unsigned long *count)
{
	L4_Word_t boot = L4_BootNumber(L4_GetKernelInterface()), position, n, status, word = 0;

	*count = 0;
	if (console->read_boot != boot) {
		console->read_boot = boot;
		console->read_position = 0;
		return L4_CONSOLE_NEW_BOOT;
	}
	L4_LoadMR(1, boot);
	L4_LoadMR(2, console->read_position);
	L4_LoadMR(3, most < L4_CONSOLE_READ_MAX ? most : L4_CONSOLE_READ_MAX);
	status = console_call(L4_CONSOLE_READ, 3, 3);
	if (status != L4_CONSOLE_OK) {
		if (status == L4_CONSOLE_NEW_BOOT) {
			L4_StoreMR(2, &console->read_boot);
			console->read_position = 0;
		}
		return status;
	}
	L4_StoreMR(3, &position);
	L4_StoreMR(4, &n);
	if (n > most || n > L4_CONSOLE_READ_MAX)
		return L4_CONSOLE_BAD_REQUEST;
	for (L4_Word_t i = 0; i < n; i++) {
		if (i % WORD == 0)
			L4_StoreMR(5 + (int)(i / WORD), &word);
		text[i] = (char)(word >> 8 * (i % WORD));
	}
	console->read_position = position + n;
	*count = n;
	return L4_CONSOLE_OK;
}

unsigned long L4_ConsoleSize(unsigned long *columns, unsigned long *rows)
{
	*columns = 80;
	*rows = 24;
	L4_LoadMR(1, L4_BootNumber(L4_GetKernelInterface()));
	L4_Word_t status = console_call(L4_CONSOLE_SIZE, 1, 4);
	if (status == L4_CONSOLE_BAD_REQUEST)
		return status;
	L4_StoreMR(3, columns);
	L4_StoreMR(4, rows);
	return status;
}
