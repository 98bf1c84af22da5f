/* SPDX-License-Identifier: BSD-2-Clause
 * The residual console driver: serial line, screen and keyboard as one byte stream each way (l4/console.h).
 *
 * One thread, one loop: receive a request or an interrupt, do it, answer with a zero timeout. It calls nobody but
 * sigma0, before the loop and from its own prompt (command.c), with finite timeouts. Input stays in a ring until a reader acknowledges it; a reader without
 * input waits here, its id is kept, and it is answered when input arrives. Interrupts wake the loop; without
 * them the same work is done at a slow poll. Lines of residual servers are put above the line that is being typed,
 * which is remembered byte for byte.
 */
#include <l4/types.h>
#include <l4/thread.h>
#include <l4/ipc.h>
#include <l4/message.h>
#include <l4/schedule.h>
#include <l4/kip.h>
#include <l4/console.h>
#include "command.h"
#include "display.h"
#include "keyboard.h"
#include "line.h"
#include "prompt.h"
#include "ps2.h"
#include "screen.h"
#include "serial.h"

enum { INPUT_RING = 4096, WRITERS = 32 };
enum { REFRESH_US = 20000, OUTPUT_POLL_US = 2000, INPUT_POLL_US = 20000, IDLE_US = 1000000, DRAIN_US = 200000 };

#define CONSOLE_COLUMNS         80      /* what the serial terminal is taken to have */
#define CONSOLE_ROWS            24
#define WORD                    sizeof(L4_Word_t)

static void *kip;                       /* the kernel interface page: boot number */
static struct screen screen;
static struct keyboard keyboard;

static char input[INPUT_RING];
static L4_Word_t input_in;              /* bytes ever received in this boot */
static L4_Word_t input_acked;           /* of these, those that a reader has for certain */

static struct {                         /* the reader without input; tid nil: none */
	L4_ThreadId_t tid;
	L4_Word_t position, most;
} reader;

static struct { L4_ThreadId_t tid; L4_Word_t sequence; } writer[WRITERS];
static unsigned int writer_next;

static struct line line;                /* of the programs */
static struct prompt prompt;            /* the driver's own, below it when it is open … */
static struct line prompt_line;         /* … and what stands there of it */

static int interrupts_work;
static L4_Word64_t refresh_at;          /* clock; 0: nothing to refresh */

/* ---- Output ------------------------------------------------------------------------------------------ */

static void output_raw(const char *text, unsigned long count)
{
	serial_write(text, count);
	screen_write(&screen, text, count);
	if (!refresh_at)
		refresh_at = L4_SystemClock().raw + REFRESH_US;
}

static void output(const char *text, unsigned long count)
{
	line_note(&line, text, count);
	output_raw(text, count);
}

/* ---- The driver's own prompt --------------------------------------------------------------------------- */

static void prompt_output(const char *text, unsigned long count)
{
	line_note(&prompt_line, text, count);
	output_raw(text, count);
}

static void prompt_draw(void)
{
	static const char begin[] = "\r\033[Kconsole> ";

	prompt_output(begin, sizeof begin - 1);
	prompt_output(prompt.text, prompt.length);
}

static void prompt_erase(void)
{
	output_raw("\r\033[K", 4);
}

/* Below the unfinished line of the programs. */
static void prompt_begin(void)
{
	if (line.length || line.lost)
		output_raw("\r\n", 2);
	prompt_line = (struct line){ .length = 0 };
	prompt_draw();
}

/* What programs print meanwhile goes above the prompt, behind a copy of what stands unfinished there. */
static void prompt_aside(const char *text, unsigned long count)
{
	prompt_erase();
	if (!line.lost)
		output_raw(line.text, line.length);
	output(text, count);
	prompt_begin();
}

static void prompt_end(void)
{
	prompt_erase();
	if (line.lost)
		output_raw("\r\n", 2);
	else
		output_raw(line.text, line.length);
}

/* Everything out, or a while has passed. */
static void serial_drain(void)
{
	L4_Word64_t end = L4_SystemClock().raw + DRAIN_US;

	while (serial_pending() && L4_SystemClock().raw < end)
		serial_pump();
}

static void prompt_execute(void)
{
	prompt_output("\r\n", 2);
	switch (command_execute(prompt.text, prompt_output)) {
	case COMMAND_LEAVE:
		prompt.open = 0;
		prompt_end();
		return;
	case COMMAND_RESET:
		serial_drain();
		command_reset(prompt_output);
		break;
	case COMMAND_DONE:
		break;
	}
	prompt_next(&prompt);
	prompt_draw();
}

/* One byte of input: 1 if the prompt took it. */
static int prompt_take(char c)
{
	static const char greeting[] = "The console driver's own prompt; 'help' lists its commands, ctrl-] leaves it.\r\n";

	switch (prompt_key(&prompt, c)) {
	case PROMPT_PASS:
		return 0;
	case PROMPT_OPENED:
		if (line.length || line.lost)
			output_raw("\r\n", 2);
		output_raw(greeting, sizeof greeting - 1);
		prompt_line = (struct line){ .length = 0 };
		prompt_draw();
		break;
	case PROMPT_CHANGED:
		prompt_draw();
		break;
	case PROMPT_LINE:
		prompt_execute();
		break;
	case PROMPT_CLOSED:
		prompt_end();
		break;
	case PROMPT_NOTHING:
		break;
	}
	return 1;
}

/* ---- Input ------------------------------------------------------------------------------------------- */

static void input_put(char c)
{
	if (prompt_take(c))
		return;
	if (input_in - input_acked < INPUT_RING)
		input[input_in++ % INPUT_RING] = c;
	else
		output("\a", 1);
}

static void input_poll(void)
{
	char bytes[KEYBOARD_BYTES];
	int c;

	while ((c = serial_read()) >= 0)
		input_put((char)c);
	while ((c = ps2_read()) >= 0) {
		int n = keyboard_decode(&keyboard, (unsigned char)c, bytes);
		for (int i = 0; i < n; i++)
			input_put(bytes[i]);
	}
}

/* ---- Requests ---------------------------------------------------------------------------------------- */

/* Send an answer of MR1..MRn, loaded already. Nobody waits for it any more: it is lost, which does no harm. */
static void answer(L4_ThreadId_t to, L4_Word_t label, L4_Word_t n)
{
	L4_MsgTag_t tag = { label << 16 | n };

	L4_Set_MsgTag(tag);
	L4_Reply(to);
}

static void answer_status(L4_ThreadId_t to, L4_Word_t label, L4_Word_t status, L4_Word_t third)
{
	L4_LoadMR(1, status);
	L4_LoadMR(2, L4_BootNumber(kip));
	L4_LoadMR(3, third);
	answer(to, label, 3);
}

/* Answer the reader if there is input behind its position. */
static void reader_answer(void)
{
	L4_Word_t words[L4_CONSOLE_READ_MAX / WORD];
	char *text = (char *)words;
	L4_Word_t count = 0;

	if (L4_IsNilThread(reader.tid) || reader.position >= input_in)
		return;
	while (count < reader.most && reader.position + count < input_in) {
		text[count] = input[(reader.position + count) % INPUT_RING];
		count++;
	}
	L4_LoadMR(1, L4_CONSOLE_OK);
	L4_LoadMR(2, L4_BootNumber(kip));
	L4_LoadMR(3, reader.position);
	L4_LoadMR(4, count);
	L4_LoadMRs(5, (int)((count + WORD - 1) / WORD), words);
	answer(reader.tid, L4_CONSOLE_READ, 4 + (count + WORD - 1) / WORD);
	reader.tid = L4_nilthread;
}

/* boot, position, most. The position acknowledges everything before it. */
static void serve_read(L4_ThreadId_t from, const L4_Word_t *mr, L4_Word_t n)
{
	if (n < 3 || !mr[2] || mr[2] > L4_CONSOLE_READ_MAX) {
		answer_status(from, L4_CONSOLE_READ, L4_CONSOLE_BAD_REQUEST, 0);
		return;
	}
	if (mr[0] != L4_BootNumber(kip)) {
		answer_status(from, L4_CONSOLE_READ, L4_CONSOLE_NEW_BOOT, 0);
		return;
	}
	if (!L4_IsNilThread(reader.tid) && !L4_IsThreadEqual(reader.tid, from))
		answer_status(reader.tid, L4_CONSOLE_READ, L4_CONSOLE_BUSY, 0);
	if (mr[1] > input_acked && mr[1] <= input_in)
		input_acked = mr[1];
	reader.tid = from;
	reader.position = input_acked;
	reader.most = mr[2];
	reader_answer();
}

/* Has this write of this client been printed already? If not, it is noted as printed. */
static int write_repeated(L4_ThreadId_t from, L4_Word_t sequence)
{
	for (unsigned int i = 0; i < WRITERS; i++) {
		if (!L4_IsThreadEqual(writer[i].tid, from))
			continue;
		int repeated = writer[i].sequence == sequence;
		writer[i].sequence = sequence;
		return repeated;
	}
	writer[writer_next].tid = from;
	writer[writer_next].sequence = sequence;
	writer_next = (writer_next + 1) % WRITERS;
	return 0;
}

/* boot, sequence, count, text. */
static void serve_write(L4_ThreadId_t from, const L4_Word_t *mr, L4_Word_t n)
{
	if (n < 3 || mr[2] > L4_CONSOLE_WRITE_MAX || n < 3 + (mr[2] + WORD - 1) / WORD) {
		answer_status(from, L4_CONSOLE_WRITE, L4_CONSOLE_BAD_REQUEST, 0);
		return;
	}
	int stale = mr[0] != L4_BootNumber(kip);
	if (!write_repeated(from, mr[1]))
		(prompt.open ? prompt_aside : output)((const char *)(mr + 3), mr[2]);
	answer_status(from, L4_CONSOLE_WRITE, stale ? L4_CONSOLE_NEW_BOOT : L4_CONSOLE_OK, mr[2]);
}

static void serve_size(L4_ThreadId_t from, const L4_Word_t *mr, L4_Word_t n)
{
	int stale = n < 1 || mr[0] != L4_BootNumber(kip);

	L4_LoadMR(1, stale ? L4_CONSOLE_NEW_BOOT : L4_CONSOLE_OK);
	L4_LoadMR(2, L4_BootNumber(kip));
	L4_LoadMR(3, screen.columns < CONSOLE_COLUMNS ? screen.columns : CONSOLE_COLUMNS);
	L4_LoadMR(4, screen.rows < CONSOLE_ROWS ? screen.rows : CONSOLE_ROWS);
	answer(from, L4_CONSOLE_SIZE, 4);
}

static void serve(L4_ThreadId_t from, L4_MsgTag_t tag)
{
	L4_Word_t mr[L4_NUM_MRS], n = L4_UntypedWords(tag);

	if (L4_ThreadNo(from) < L4_SYSTEM_BASE) {       /* an interrupt: input_poll and serial_pump do the work */
		interrupts_work = 1;
		input_poll();
		serial_pump();
		answer(from, 0, 0);                     /* enables it again */
		return;
	}
	L4_StoreMRs(1, (int)n, mr);
	switch (L4_Label(tag)) {
	case L4_CONSOLE_WRITE: serve_write(from, mr, n); break;
	case L4_CONSOLE_READ: serve_read(from, mr, n); break;
	case L4_CONSOLE_SIZE: serve_size(from, mr, n); break;
	case L4_CONSOLE_LOG:
		if (n && mr[0] && L4_ThreadNo(from) < L4_ROOT_TNO && mr[0] <= (n - 1) * WORD)
			line_above(prompt.open ? &prompt_line : &line, (const char *)(mr + 1), mr[0], output_raw);
		break;
	default:                /* not to a residual server: that would be a late answer to a question of ours */
		if (L4_ThreadNo(from) >= L4_ROOT_TNO)
			answer_status(from, L4_Label(tag), L4_CONSOLE_BAD_REQUEST, 0);
		break;
	}
}

/* How long the loop may sleep: until something must be polled. */
static L4_Time_t patience(void)
{
	if (serial_pending())
		return L4_TimePeriod(OUTPUT_POLL_US);
	if (refresh_at || !interrupts_work)
		return L4_TimePeriod(INPUT_POLL_US);
	return L4_TimePeriod(IDLE_US);
}

static void loop(void)
{
	for (;;) {
		L4_ThreadId_t from;
		L4_MsgTag_t tag = L4_Wait_Timeout(patience(), &from);

		if (L4_IpcSucceeded(tag))
			serve(from, tag);
		else
			input_poll();
		serial_pump();
		reader_answer();
		if (refresh_at && L4_SystemClock().raw >= refresh_at) {
			display_refresh(&screen);
			refresh_at = 0;
		}
	}
}

int main(int argc, char **argv)
{
	const char *framebuffer = 0;

	for (int i = 1; i < argc; i++)
		if (argv[i][0] == 'f' && argv[i][1] == 'b' && argv[i][2] == '=')
			framebuffer = argv[i];
	kip = L4_GetKernelInterface();
	serial_init();
	ps2_init();
	display_init(&screen, framebuffer);
	loop();
	return 0;
}
