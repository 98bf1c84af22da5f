/* SPDX-License-Identifier: BSD-2-Clause
 * The terminal: lines of text from many programs above the one line that is being typed (l4/term.h).
 *
 * A persistent program with two threads. The input thread calls the console driver for input and hands what it gets
 * to the main thread; the main thread alone owns all state and calls the driver to print. The line editor is
 * edit.c; text of clients is held until its line is complete, then printed with the input line taken off the
 * screen. After a recovery both threads find themselves in a call to a driver of a new boot, which says so: the
 * terminal then draws the input line again, on a screen of which it knows nothing.
 */
#include <l4/types.h>
#include <l4/thread.h>
#include <l4/ipc.h>
#include <l4/message.h>
#include <l4/kip.h>
#include <l4/console.h>
#include <l4/task.h>
#include <l4/term.h>
#include <l4/string.h>
#include "edit.h"

enum { CLIENTS = 64, PARTIAL_MAX = 512, READERS = 8, OUT_MAX = 1920, AHEAD_MAX = 1024, STACK_PAGES = 4 };

#define WORD            sizeof(L4_Word_t)
#define TERM_INPUT      0x54f0  /* input thread to main thread: status, count, text (MR3 on) */
#define CTRL_C          3

static struct L4_Console console;
static struct history history;
static struct edit edit;
static L4_ThreadId_t main_thread;
static L4_ThreadId_t input_thread, input_local;        /* its global and its local id */

static char out[OUT_MAX];               /* output not yet given to the driver */
static unsigned long out_length;
static L4_Word_t drawn_boot;            /* boot for which the screen was drawn */
static int console_changed;             /* a write ended in a new boot */

struct client {                         /* text without a line end */
	L4_ThreadId_t tid;
	unsigned long length;
	char text[PARTIAL_MAX];
};
static struct client client[CLIENTS];
static unsigned int client_next;        /* the slot to be used for the next new client */

struct reader {
	L4_ThreadId_t tid;
	unsigned long length;
	char prompt[EDIT_PROMPT_MAX];
};
static struct reader reader[READERS];   /* reader[0] is served; first come, first served */
static unsigned int readers;
static int reading;                     /* the editor has a line of reader[0] */

static char ahead[AHEAD_MAX];           /* typed while nobody read */
static unsigned long ahead_length;
static int break_typed;

/* ---- Output --------------------------------------------------------------------------------------- */

static void out_flush(void)
{
	unsigned long n = out_length;

	out_length = 0;
	if (n && L4_ConsoleWrite(&console, out, n) == L4_CONSOLE_NEW_BOOT)
		console_changed = 1;
}

static void out_put(void *context, const char *text, unsigned long count)
{
	(void)context;
	for (unsigned long i = 0; i < count; i++) {
		if (out_length == OUT_MAX)
			out_flush();
		out[out_length++] = text[i];
	}
}

/* After a reboot: the screen shows messages of the boot and no line of ours. */
static void draw_again(void)
{
	unsigned long columns, rows;

	if (drawn_boot == L4_BootNumber(L4_GetKernelInterface()))
		return;
	drawn_boot = L4_BootNumber(L4_GetKernelInterface());
	L4_ConsoleSize(&columns, &rows);
	edit.columns = columns;
	edit_forget(&edit);
	if (reading)
		edit_show(&edit);
}

/* Print one line of a client; the input line is off the screen. */
static void line_print(const char *text, unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c >= ' ' || c == '\t' || c == '\033' || c == '\a')
			out_put(0, text + i, 1);
	}
	out_put(0, "\r\n", 2);
}

static struct client *client_find(L4_ThreadId_t tid)
{
	for (unsigned int i = 0; i < CLIENTS; i++)
		if (L4_IsThreadEqual(client[i].tid, tid))
			return &client[i];
	struct client *c = &client[client_next];
	client_next = (client_next + 1) % CLIENTS;
	if (c->length) {
		edit_hide(&edit);
		line_print(c->text, c->length);
	}
	c->tid = tid;
	c->length = 0;
	return c;
}

static void client_write(struct client *c, const char *text, unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		if (text[i] != '\n')
			c->text[c->length++] = text[i];
		if (text[i] != '\n' && c->length < PARTIAL_MAX)
			continue;
		edit_hide(&edit);
		line_print(c->text, c->length);
		c->length = 0;
	}
	if (reading)
		edit_show(&edit);
}

/* ---- Reading a line ------------------------------------------------------------------------------- */

/* Send an answer of MR1..MRn, loaded already. 0 if the client is no longer waiting. */
static int answer(L4_ThreadId_t to, L4_Word_t label, L4_Word_t n)
{
	L4_MsgTag_t tag = { label << 16 | n };

	L4_Set_MsgTag(tag);
	return L4_IpcSucceeded(L4_Reply(to)) != 0;
}

static int answer_status(L4_ThreadId_t to, L4_Word_t label, L4_Word_t status, L4_Word_t value)
{
	L4_LoadMR(1, status);
	L4_LoadMR(2, value);
	return answer(to, label, 2);
}

static int answer_line(L4_ThreadId_t to, L4_Word_t status)
{
	L4_Word_t words[EDIT_TEXT_MAX / WORD] = { 0 };
	L4_Word_t count = status == L4_TERM_OK ? edit.length : 0, n = (count + WORD - 1) / WORD;

	memcpy(words, edit.text, count);
	L4_LoadMR(1, status);
	L4_LoadMR(2, count);
	L4_LoadMRs(3, (int)n, words);
	return answer(to, L4_TERM_READ, 2 + n);
}

/* The line is finished: give it to the first reader that still lives. */
static void line_done(int event)
{
	static const L4_Word_t status[] = {
		[EDIT_LINE] = L4_TERM_OK, [EDIT_EOF] = L4_TERM_EOF, [EDIT_INTERRUPT] = L4_TERM_INTERRUPT,
	};
	int taken = 0;

	reading = 0;
	out_flush();            /* what was typed is on the screen before the reader answers it */
	while (readers && !taken) {
		taken = answer_line(reader[0].tid, status[event]);
		memmove(&reader[0], &reader[1], (READERS - 1) * sizeof reader[0]);
		readers--;
	}
}

/* Begin the line of the first reader, if there is one, with what was typed ahead. */
static void line_begin(void)
{
	while (readers && !reading) {
		unsigned long used = 0;
		int event = EDIT_MORE;
		reading = 1;
		edit_start(&edit, reader[0].prompt, reader[0].length);
		while (used < ahead_length && event == EDIT_MORE)
			event = edit_key(&edit, (unsigned char)ahead[used++]);
		ahead_length -= used;
		memmove(ahead, ahead + used, ahead_length);
		if (event != EDIT_MORE)
			line_done(event);
	}
}

static void key(char c)
{
	if (reading) {
		int event = edit_key(&edit, (unsigned char)c);
		if (event != EDIT_MORE) {
			line_done(event);
			line_begin();
		}
	} else if (c == CTRL_C) {
		break_typed = 1;
		ahead_length = 0;
		out_put(0, "^C\r\n", 4);
	} else if (ahead_length < AHEAD_MAX) {
		ahead[ahead_length++] = c;
	}
}

/* ---- Requests ------------------------------------------------------------------------------------- */

static void serve_write(L4_ThreadId_t from, const L4_Word_t *mr, L4_Word_t n)
{
	if (n < 1 || mr[0] > L4_TERM_WRITE_MAX || n < 1 + (mr[0] + WORD - 1) / WORD) {
		answer_status(from, L4_TERM_WRITE, L4_TERM_BAD_REQUEST, 0);
		return;
	}
	client_write(client_find(from), (const char *)(mr + 1), mr[0]);
	out_flush();
	answer_status(from, L4_TERM_WRITE, L4_TERM_OK, mr[0]);
}

/* The prompt is the client's unfinished line, then what it asks for. */
static void serve_read(L4_ThreadId_t from, const L4_Word_t *mr, L4_Word_t n)
{
	if (n < 1 || mr[0] > L4_TERM_PROMPT_MAX || n < 1 + (mr[0] + WORD - 1) / WORD) {
		answer_status(from, L4_TERM_READ, L4_TERM_BAD_REQUEST, 0);
		return;
	}
	if (readers == READERS) {
		answer_status(from, L4_TERM_READ, L4_TERM_BUSY, 0);
		return;
	}
	struct reader *r = &reader[readers++];
	struct client *c = client_find(from);
	r->tid = from;
	r->length = c->length < EDIT_PROMPT_MAX - mr[0] ? c->length : EDIT_PROMPT_MAX - mr[0];
	memcpy(r->prompt, c->text, r->length);
	memcpy(r->prompt + r->length, mr + 1, mr[0]);
	r->length += mr[0];
	c->length = 0;
	line_begin();
}

static void serve_input(L4_ThreadId_t from, const L4_Word_t *mr, L4_Word_t n)
{
	const char *text = (const char *)(mr + 2);

	answer_status(from, TERM_INPUT, L4_TERM_OK, 0);
	if (n < 2)
		return;
	if (mr[0] == L4_CONSOLE_NEW_BOOT)
		draw_again();
	for (L4_Word_t i = 0; i < mr[1]; i++)
		key(text[i]);
}

static void serve_clear(L4_ThreadId_t from)
{
	out_put(0, "\033[2J\033[H", 7);
	edit_forget(&edit);
	if (reading)
		edit_show(&edit);
	out_flush();
	answer_status(from, L4_TERM_CLEAR, L4_TERM_OK, 0);
}

static void serve(L4_ThreadId_t from, L4_MsgTag_t tag)
{
	L4_Word_t mr[L4_NUM_MRS], n = L4_UntypedWords(tag);

	L4_StoreMRs(1, (int)n, mr);
	switch (L4_Label(tag)) {
	case L4_TERM_WRITE: serve_write(from, mr, n); break;
	case L4_TERM_READ: serve_read(from, mr, n); break;
	case L4_TERM_BREAK:
		answer_status(from, L4_TERM_BREAK, L4_TERM_OK, (L4_Word_t)break_typed);
		break_typed = 0;
		break;
	case L4_TERM_CLEAR: serve_clear(from); break;
	case L4_TERM_WIDTH: answer_status(from, L4_TERM_WIDTH, L4_TERM_OK, edit.columns); break;
	case TERM_INPUT:
		if (L4_IsThreadEqual(from, input_thread) || L4_IsThreadEqual(from, input_local)) {
			serve_input(from, mr, n);
			break;
		}
		__attribute__((fallthrough));
	default: answer_status(from, L4_Label(tag), L4_TERM_BAD_REQUEST, 0); break;
	}
	out_flush();
	while (console_changed) {
		console_changed = 0;
		draw_again();
		out_flush();
	}
}

static void serve_forever(void)
{
	for (;;) {
		L4_ThreadId_t from;
		L4_MsgTag_t tag = L4_Wait(&from);

		if (L4_IpcSucceeded(tag))
			serve(from, tag);
	}
}

/* ---- The input thread ----------------------------------------------------------------------------- */

static void input_main(void *argument)
{
	(void)argument;
	input_local = L4_MyLocalId();
	for (;;) {
		L4_Word_t words[L4_CONSOLE_READ_MAX / WORD] = { 0 };
		unsigned long count = 0;
		L4_Word_t status = L4_ConsoleRead(&console, (char *)words, sizeof words, &count);
		L4_Word_t n = (count + WORD - 1) / WORD;
		L4_MsgTag_t tag = { (L4_Word_t)TERM_INPUT << 16 | (2 + n) };

		if (status != L4_CONSOLE_OK && status != L4_CONSOLE_NEW_BOOT)
			L4_Sleep(L4_TimePeriod(1000000));       /* no driver: ask again later */
		L4_LoadMR(1, status);
		L4_LoadMR(2, count);
		L4_LoadMRs(3, (int)n, words);
		L4_Set_MsgTag(tag);
		L4_Call(main_thread);
	}
}

int main(void)
{
	unsigned long columns, rows;
	void *stack;

	main_thread = L4_Myself();
	L4_ConsoleSize(&columns, &rows);
	drawn_boot = L4_BootNumber(L4_GetKernelInterface());
	edit_init(&edit, &history, columns, out_put, 0);
	/* The name last: who finds it finds a terminal that is complete. */
	if (task_stack(STACK_PAGES, &stack) != TASK_OK
	 || task_thread_create(input_main, 0, stack, &input_thread) != TASK_OK
	 || task_name_register(L4_TERM_NAME, L4_nilthread) != TASK_OK)
		return 1;
	serve_forever();
	return 0;
}
