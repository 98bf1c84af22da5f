/* SPDX-License-Identifier: BSD-2-Clause
 * The commands of the driver's own prompt. See command.h.
 *
 * Nothing here waits for a disk or for a persistent thread: the requests are those that the checkpoint server answers
 * from its own memory, and a drop is not waited for until it is committed. */
#include "command.h"

#include <stdarg.h>

#include <l4/types.h>
#include <l4/ipc.h>
#include <l4/kip.h>
#include <l4/message.h>
#include <l4/schedule.h>
#include <l4/ckpt.h>
#include <l4/console.h>
#include <l4/date.h>
#include <l4/print.h>
#include <l4/string.h>
#include "prompt.h"

enum { PATIENCE_US = 1000000, LINE_BYTES = 128, MESSAGES = 8 };

#define WORDS(type)     ((int)(sizeof(type) / sizeof(L4_Word_t)))

static command_print_function *print_text;

__attribute__((format(printf, 1, 2)))
static void print(const char *format, ...)
{
	char text[LINE_BYTES];
	va_list args;
	unsigned long n;

	va_start(args, format);
	n = (unsigned long)vsnprintf(text, sizeof text - 2, format, args);
	va_end(args);
	if (n > sizeof text - 3)
		n = sizeof text - 3;
	text[n++] = '\r';
	text[n++] = '\n';
	print_text(text, n);
}

/* ---- Asking ------------------------------------------------------------------------------------------ */

/* Lines of the log that were just on their way to us: whole, however long. */
static void print_log(L4_MsgTag_t tag)
{
	L4_Word_t mr[L4_NUM_MRS], n = L4_UntypedWords(tag), end;
	const char *text = (const char *)(mr + 1);

	L4_StoreMRs(1, (int)n, mr);
	if (!n || mr[0] > (n - 1) * sizeof *mr)
		return;
	for (L4_Word_t begin = 0; begin < mr[0]; begin = end + 1) {
		for (end = begin; end < mr[0] && text[end] != '\n'; end++)
			;
		print_text(text + begin, end - begin);
		print_text("\r\n", 2);
	}
}

/* A request to the checkpoint server; arguments stand in MR2… Returns the status; results stand in MR3… */
static unsigned long ask(unsigned long label, unsigned long arguments)
{
	L4_Time_t patience = L4_TimePeriod(PATIENCE_US);
	L4_ThreadId_t server = L4_GlobalId(L4_SIGMA0_TNO, 1);
	L4_MsgTag_t tag = { .raw = label << 16 | (1 + arguments) };
	L4_Word_t status;

	L4_LoadMR(1, L4_BootNumber(L4_GetKernelInterface()));
	L4_LoadMR(0, tag.raw);
	tag = L4_Call_Timeouts(server, patience, patience);
	for (int i = 0; i < MESSAGES && L4_IpcSucceeded(tag) && L4_Label(tag) != label; i++) {
		if (L4_Label(tag) == L4_CONSOLE_LOG)
			print_log(tag);
		tag = L4_Receive_Timeout(server, patience);
	}
	if (L4_IpcFailed(tag) || L4_Label(tag) != label || !L4_UntypedWords(tag))
		return L4_CKPT_NO_SERVER;
	L4_StoreMR(1, &status);
	return status;
}

/* Say what a status means, unless it is L4_CKPT_OK. */
static int good(unsigned long status)
{
	static const char *const text[] = {
		[L4_CKPT_NOT_PERSISTENT] = "no checkpoint partition: nothing is kept",
		[L4_CKPT_BUSY] = "too many wait already; try again",
		[L4_CKPT_NO_SERVER] = "the checkpoint server does not answer",
		[L4_CKPT_NOT_KEPT] = "no such generation is kept; 'list' shows them",
		[L4_CKPT_IN_USE] = "the world goes on from this one: it cannot be dropped",
	};

	if (status == L4_CKPT_OK)
		return 1;
	if (status < sizeof text / sizeof text[0] && text[status])
		print("%s", text[status]);
	else
		print("refused, status %lu", status);
	return 0;
}

static int stat_get(struct L4_CkptStat *s)
{
	if (!good(ask(L4_CKPT_STAT, 0)))
		return 0;
	L4_StoreMRs(3, WORDS(*s), (L4_Word_t *)s);
	return 1;
}

/* The next records below a generation (0: from the newest); how many came, -1: an error, which has been said. */
static int list_get(unsigned long below, struct L4_CkptGeneration g[L4_CKPT_LIST_MAX])
{
	L4_Word_t left;

	L4_LoadMR(2, below);
	if (!good(ask(L4_CKPT_LIST, 1)))
		return -1;
	L4_StoreMR(3, &left);
	if (left > L4_CKPT_LIST_MAX)
		left = L4_CKPT_LIST_MAX;
	L4_StoreMRs(4, (int)left * WORDS(*g), (L4_Word_t *)g);
	return (int)left;
}

/* ---- Commands ------------------------------------------------------------------------------------------ */

static void command_help(char *argument)
{
	(void)argument;
	print("status           when was the last checkpoint, what is free");
	print("list             the generations that are kept");
	print("drop GEN|oldest  give a generation up, by number or name; oldest: that has no name");
	print("reboot           at once, without a checkpoint");
	print("exit             back to the programs; so does ctrl-]");
}

static void command_status(char *argument)
{
	struct L4_CkptStat s;
	unsigned long now = L4_SystemClock().raw;

	(void)argument;
	if (!stat_get(&s))
		return;
	if (!s.store_blocks)
		return print("boot %lu, without a checkpoint partition: nothing is kept", s.boot);
	if (!s.generation)
		print("boot %lu, nothing is committed yet", s.boot);
	else if (s.committed_us && s.committed_us <= now)
		print("boot %lu, generation %lu, nothing newer for %lu.%03lu s", s.boot, s.generation,
		      (now - s.committed_us) / 1000000, (now - s.committed_us) / 1000 % 1000);
	else
		print("boot %lu, generation %lu, nothing newer in this boot", s.boot, s.generation);
	print("%lu checkpoints in this boot, %lu failures; %lu generations kept, %lu until they are dropped", s.checkpoints,
	      s.failures, s.kept, s.kept_held);
	print("%lu of %lu blocks free; %lu of %lu frames free, %lu dirty", s.store_free, s.store_blocks, s.frames_free,
	      s.frames, s.frames_dirty);
}

static void print_generation(const struct L4_CkptGeneration *g)
{
	struct L4_Date d = L4_DateOf(g->wall_s);
	char date[24] = "-";

	if (g->wall_s)
		snprintf(date, sizeof date, "%04lu-%02u-%02u %02u:%02u:%02u", d.year, d.month, d.day, d.hour, d.minute, d.second);
	print("%10lu  %-19s %8lu blocks%s%s%s", g->generation, date, g->blocks, *g->name ? "  " : "", g->name,
	      g->flags & L4_CKPT_PINNED ? "  (pinned)" : g->flags & L4_CKPT_SPARE ? "  (spare)" : "");
}

static void command_list(char *argument)
{
	struct L4_CkptGeneration g[L4_CKPT_LIST_MAX];
	unsigned long below = 0;
	int n;

	(void)argument;
	do {
		n = list_get(below, g);
		for (int i = 0; i < n; i++)
			print_generation(&g[i]);
		if (n > 0)
			below = g[n - 1].generation;
	} while (n == L4_CKPT_LIST_MAX);
}

/* The generation that a word names, 0: none, or the list does not come whole, so that it is not known which is the oldest. */
static unsigned long find(const char *text)
{
	int oldest = !strcmp(text, "oldest"), n;
	unsigned long number, found = 0, below = 0;
	char *end;

	number = strtoul(text, &end, text[0] == '0' && text[1] == 'x' ? 16 : 10);
	if (*end || end == text)
		number = 0;
	do {
		struct L4_CkptGeneration g[L4_CKPT_LIST_MAX];

		n = list_get(below, g);
		for (int i = 0; i < n; i++) {
			below = g[i].generation;
			if (oldest ? !*g[i].name && !(g[i].flags & L4_CKPT_SPARE) : number ? g[i].generation == number : !strcmp(g[i].name, text))
				found = below;
		}
	} while (n == L4_CKPT_LIST_MAX);
	if (n < 0)
		return 0;
	if (!found)
		print("no generation '%s' is kept; 'list' shows them", text);
	return found;
}

static void command_drop(char *argument)
{
	unsigned long generation = find(argument);

	if (!generation)
		return;
	L4_LoadMR(2, generation);
	L4_LoadMR(3, generation);
	L4_LoadMR(4, L4_CKPT_DROP_NOW);
	if (good(ask(L4_CKPT_DROP, 3)))
		print("generation %lu goes with the next checkpoint, and its blocks are free after the one after that", generation);
}

void command_reset(command_print_function *out)
{
	print_text = out;
	good(ask(L4_CKPT_RESET, 0));
}

enum command_result command_execute(char *text, command_print_function *out)
{
	static const struct { const char *name; unsigned int words; void (*run)(char *); } command[] = {
		{ "help", 1, command_help }, { "status", 1, command_status }, { "list", 1, command_list },
		{ "drop", 2, command_drop },
	};
	char *word[PROMPT_WORDS];
	unsigned int n = prompt_words(text, word);

	print_text = out;
	if (!n)
		return COMMAND_DONE;
	if (n == 1 && (!strcmp(word[0], "exit") || !strcmp(word[0], "quit")))
		return COMMAND_LEAVE;
	if (n == 1 && !strcmp(word[0], "reboot")) {
		print("the machine is reset; it goes on from the last checkpoint");
		return COMMAND_RESET;
	}
	for (unsigned int i = 0; i < sizeof command / sizeof command[0]; i++) {
		if (strcmp(word[0], command[i].name))
			continue;
		if (n != command[i].words)
			print("%s: wants %s; see 'help'", word[0], command[i].words == 1 ? "no argument" : "one argument");
		else
			command[i].run(word[n - 1]);
		return COMMAND_DONE;
	}
	print("%s: unknown; 'help' lists the commands", word[0]);
	return COMMAND_DONE;
}
