/* SPDX-License-Identifier: BSD-2-Clause
 * Calls to the terminal (l4/term.h). It is found by name once; without one, text goes to the kernel debugger's output, so that
 * programs can be heard when they run as root task or before the terminal does. */
#include <l4/types.h>
#include <l4/thread.h>
#include <l4/ipc.h>
#include <l4/message.h>
#include <l4/task.h>
#include <l4/term.h>
#include <stdarg.h>
#include <l4/print.h>
#include <l4/string.h>

#define WORD            sizeof(L4_Word_t)
#define PATIENCE_US     3000000         /* at the first call: both may just be starting */

static L4_ThreadId_t term;
static int looked;

static int term_find(void)
{
	L4_ThreadId_t found = L4_nilthread;

	if (!L4_IsNilThread(term))
		return 1;
	if (task_name_lookup(L4_TERM_NAME, looked ? L4_ZeroTime : L4_TimePeriod(PATIENCE_US), &found) == TASK_OK)
		term = found;
	looked = 1;
	return !L4_IsNilThread(term);
}

/* Call the terminal with a count, bytes, or nothing (text null); value receives MR2. */
static L4_Word_t term_call(L4_Word_t label, const char *text, unsigned long count, L4_Word_t *value)
{
	L4_MsgTag_t tag = { label << 16 | (text ? 1 + (count + WORD - 1) / WORD : 0) };
	L4_Word_t status;

	L4_LoadMR(1, count);
	for (unsigned long i = 0; text && i < count; i += WORD) {
		L4_Word_t word = 0;
		memcpy(&word, text + i, count - i < WORD ? count - i : WORD);
		L4_LoadMR(2 + (int)(i / WORD), word);
	}
	L4_Set_MsgTag(tag);
	tag = L4_Call(term);
	if (L4_IpcFailed(tag) || L4_UntypedWords(tag) < 2) {
		term = L4_nilthread;            /* it is gone: look for another one next time */
		return L4_TERM_NO_TERM;
	}
	L4_StoreMR(1, &status);
	L4_StoreMR(2, value);
	return status;
}

unsigned long L4_TermWrite(const char *text, unsigned long count)
{
	L4_Word_t status = L4_TERM_OK, value;

	if (!term_find()) {
		l4_output_kdebug(text, count);
		return L4_TERM_NO_TERM;
	}
	while (count && status == L4_TERM_OK) {
		unsigned long piece = count < L4_TERM_WRITE_MAX ? count : L4_TERM_WRITE_MAX;
		status = term_call(L4_TERM_WRITE, text, piece, &value);
		text += piece;
		count -= piece;
	}
	return status;
}

unsigned long L4_TermPrintf(const char *format, ...)
{
	char text[L4_TERM_WRITE_MAX + 1];
	va_list list;

	va_start(list, format);
	int n = vsnprintf(text, sizeof text, format, list);
	va_end(list);
	if (n < 0)
		return L4_TERM_BAD_REQUEST;
	return L4_TermWrite(text, (unsigned long)n < sizeof text ? (unsigned long)n : sizeof text - 1);
}

unsigned long L4_TermRead(const char *prompt, char *line)
{
	L4_Word_t count = 0, word = 0, status;
	unsigned long length = strlen(prompt);

	*line = 0;
	if (!term_find())
		return L4_TERM_NO_TERM;
	status = term_call(L4_TERM_READ, prompt, length < L4_TERM_PROMPT_MAX ? length : L4_TERM_PROMPT_MAX, &count);
	if (status != L4_TERM_OK || count > L4_TERM_LINE_MAX)
		return status;
	for (L4_Word_t i = 0; i < count; i++) {
		if (i % WORD == 0)
			L4_StoreMR(3 + (int)(i / WORD), &word);
		line[i] = (char)(word >> 8 * (i % WORD));
	}
	line[count] = 0;
	return L4_TERM_OK;
}

unsigned long L4_TermBreak(void)
{
	L4_Word_t typed = 0;

	if (!term_find() || term_call(L4_TERM_BREAK, 0, 0, &typed) != L4_TERM_OK)
		return 0;
	return typed;
}

unsigned long L4_TermClear(void)
{
	L4_Word_t value;

	return term_find() ? term_call(L4_TERM_CLEAR, 0, 0, &value) : L4_TERM_NO_TERM;
}

unsigned long L4_TermWidth(void)
{
	L4_Word_t columns = 80;

	if (term_find())
		term_call(L4_TERM_WIDTH, 0, 0, &columns);
	return columns;
}
