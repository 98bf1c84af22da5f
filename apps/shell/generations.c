/* SPDX-License-Identifier: BSD-2-Clause
 * `ckpt list`, `name`, `drop`, `diff`, `keep`: the checkpoints that are kept (l4/ckpt.h). A generation is given by
 * its number or its name. */
#include <l4/types.h>
#include <l4/ckpt.h>
#include <l4/date.h>
#include <l4/framecontrol.h>
#include <l4/term.h>
#include <l4/string.h>
#include "owners.h"
#include "parse.h"
#include "shell.h"

enum { GENERATIONS_MAX = 256, DIFF_LINES = 40 };

static struct L4_CkptGeneration list[GENERATIONS_MAX];
static unsigned long listed;

/* Ask for the list. 0: it has been said why there is none. */
static int list_get(void)
{
	unsigned long status = L4_CheckpointList(list, GENERATIONS_MAX, &listed);

	if (listed > GENERATIONS_MAX)
		listed = GENERATIONS_MAX;
	if (status != L4_CKPT_OK)
		L4_TermPrintf("ckpt: %s\n", ckpt_error(status));
	return status == L4_CKPT_OK;
}

/* The number of a kept generation, given by number or name. 0: there is none, and that has been said. */
static unsigned long find(const char *text)
{
	unsigned long number;

	if (!list_get())
		return 0;
	if (!parse_number(text, &number))
		number = 0;
	for (unsigned long i = 0; i < listed; i++)
		if (number ? list[i].generation == number : !strcmp(list[i].name, text) && *text)
			return list[i].generation;
	L4_TermPrintf("ckpt: no generation '%s' is kept; 'ckpt list' shows them\n", text);
	return 0;
}

/* ---- list ------------------------------------------------------------------------------------------- */

static void print_generation(const struct L4_CkptGeneration *g)
{
	unsigned long s = g->clock_us / 1000000;

	L4_TermPrintf("%10lu %10lu %6lu  ", g->generation, g->parent, g->boot);
	if (g->wall_s) {
		struct L4_Date d = L4_DateOf(g->wall_s);
		L4_TermPrintf("%04lu-%02u-%02u %02u:%02u:%02u", d.year, d.month, d.day, d.hour, d.minute, d.second);
	} else {
		L4_TermPrintf("%-19s", "-");
	}
	L4_TermPrintf(" %4lud %02lu:%02lu:%02lu %9lu", s / 86400, s / 3600 % 24, s / 60 % 60, s % 60, g->blocks * 4);
	L4_TermPrintf("%s%s%s\n", *g->name ? "  " : "", g->name,
		      g->flags & L4_CKPT_PINNED ? "  (pinned)" : g->flags & L4_CKPT_SPARE ? "  (spare)" : "");
}

static void ckpt_list(int count, char **word)
{
	(void)count;
	(void)word;
	if (!list_get())
		return;
	if (!listed)
		return (void)L4_TermPrintf("nothing is committed yet\n");
	L4_TermPrintf("generation     parent   boot  taken (UTC)          clock            KiB  name\n");
	for (unsigned long i = 0; i < listed; i++)
		print_generation(&list[i]);
}

/* ---- name, drop, keep ----------------------------------------------------------------------------------- */

/* ckpt name NAME: of a checkpoint taken now. */
static void ckpt_name(int count, char **word)
{
	const char *name = word[count - 1];
	unsigned long generation = 0, named, status = L4_CKPT_OK;

	if (count == 4 && !(generation = find(word[2])))
		return;
	if (count == 3)
		status = L4_CheckpointAndWait(0);
	if (status == L4_CKPT_OK)
		status = L4_CheckpointName(generation, name, &named);
	if (status == L4_CKPT_BAD_REQUEST)
		L4_TermPrintf("ckpt: '%s' is no name: 1 to 31 letters, digits, '.', '_', '-', and no number\n", name);
	else if (status == L4_CKPT_NAME_TAKEN)
		L4_TermPrintf("ckpt: another generation is named '%s'; 'ckpt list' shows which\n", name);
	else if (status != L4_CKPT_OK)
		L4_TermPrintf("ckpt: %s\n", ckpt_error(status));
	else if (*name)
		L4_TermPrintf("generation %lu is '%s' and stays until it is dropped\n", named, name);
	else
		L4_TermPrintf("generation %lu has no name any more\n", named);
}

static void ckpt_drop(int count, char **word)
{
	unsigned long first, last, dropped = 0, status;
	char *end = parse_range(word[2]);

	(void)count;
	first = last = find(word[2]);
	if (first && end)
		last = find(end);
	if (!first || !last)
		return;
	if (first > last)
		return (void)L4_TermPrintf("ckpt: %lu..%lu is backwards\n", first, last);
	status = L4_CheckpointDrop(first, last, &dropped);
	if (status == L4_CKPT_IN_USE)
		L4_TermPrintf("ckpt: generation %lu is the one this world goes on from; it cannot be dropped\n", first);
	else if (status != L4_CKPT_OK)
		L4_TermPrintf("ckpt: %s\n", ckpt_error(status));
	else
		L4_TermPrintf("%lu generation%s dropped\n", dropped, dropped == 1 ? "" : "s");
}

static void ckpt_keep(int count, char **word)
{
	unsigned long unnamed = 0, before, status;

	if (count == 3 && (!parse_number(word[2], &unnamed) || !unnamed || unnamed > L4_CKPT_KEEP_MAX))
		return (void)L4_TermPrintf("ckpt: '%s' is no number from 1 to %d\n", word[2], L4_CKPT_KEEP_MAX);
	status = L4_CheckpointKeep(unnamed, &before);
	if (status != L4_CKPT_OK)
		L4_TermPrintf("ckpt: %s\n", ckpt_error(status));
	else if (unnamed)
		L4_TermPrintf("%lu unnamed generations are kept, it was %lu\n", unnamed, before);
	else
		L4_TermPrintf("%lu unnamed generations are kept\n", before);
}

/* ---- diff ------------------------------------------------------------------------------------------------- */

static void print_objects(const struct L4_CkptChange *c)
{
	static const char *const type[L4_OBJ_TYPES] = {
		[L4_OBJ_TABLE] = "thread table", [L4_OBJ_TCB] = "tcb", [L4_OBJ_UTCB] = "utcb", [L4_OBJ_SPACE] = "space record",
	};
	unsigned long index = L4_OBJ_INDEX(c->first), t = L4_OBJ_TYPE(c->first);

	L4_TermPrintf("kernel    %s %lu", t < L4_OBJ_TYPES ? type[t] : "object", index);
	if (c->pages > 1)
		L4_TermPrintf("..%lu", index + c->pages - 1);
}

static void print_change(const struct L4_CkptChange *c)
{
	static const char *const kind[] = {
		[L4_CKPT_ADDED] = "added", [L4_CKPT_CHANGED] = "changed", [L4_CKPT_GONE] = "gone",
	};

	if (!c->client)
		print_objects(c);
	else
		L4_TermPrintf("space %-3lu 0x%lx..0x%lx, %lu page%s", c->client, c->first << 12,
			      ((c->first + c->pages) << 12) - 1, c->pages, c->pages == 1 ? "" : "s");
	L4_TermPrintf(" %s\n", c->kind < sizeof kind / sizeof kind[0] && kind[c->kind] ? kind[c->kind] : "?");
}

/* Memory of the root task's store is counted by task; the rest gets a line each, up to so many. */
static void diff_show(const struct L4_CkptChange *c, unsigned long *lines)
{
	if (c->client == L4_FIRST_SPACE)
		owners_count(c->first, c->pages);
	else if ((*lines)++ < DIFF_LINES)
		print_change(c);
}

static void ckpt_diff(int count, char **word)
{
	static struct L4_CkptChange change[L4_CKPT_DIFF_MAX];
	struct L4_CkptDiff diff = { .from = find(word[2]) };
	unsigned long n, lines = 0, pages[L4_CKPT_GONE + 1] = { 0 };

	if (!diff.from)
		return;
	diff.to = count == 4 ? find(word[3]) : list[0].generation;
	if (!diff.to)
		return;
	owners_read();
	while (!diff.done) {
		unsigned long status = L4_CheckpointDiff(&diff, change, &n);

		if (status != L4_CKPT_OK)
			return (void)L4_TermPrintf("ckpt: %s\n", ckpt_error(status));
		for (unsigned long i = 0; i < n; i++) {
			if (change[i].kind <= L4_CKPT_GONE)
				pages[change[i].kind] += change[i].pages;
			diff_show(&change[i], &lines);
		}
	}
	if (lines > DIFF_LINES)
		L4_TermPrintf("... and %lu more objects\n", lines - DIFF_LINES);
	owners_print();
	L4_TermPrintf("generation %lu -> %lu: %lu pages added, %lu changed, %lu gone\n", diff.from, diff.to,
		      pages[L4_CKPT_ADDED], pages[L4_CKPT_CHANGED], pages[L4_CKPT_GONE]);
}

/* ---- The words behind `ckpt` ---------------------------------------------------------------------------------- */

static const struct verb {
	const char *name;
	int least, most;
	command_function *run;
	const char *usage, *help;
} verbs[] = {
	{ "list", 0, 0, ckpt_list, "", "the generations that are kept, newest first" },
	{ "name", 1, 2, ckpt_name, "[GEN] NAME", "keep GEN, or a checkpoint taken now, under a name; \"\" takes it away" },
	{ "drop", 1, 1, ckpt_drop, "GEN | GEN..GEN", "give generations up, by number or name: their blocks become free" },
	{ "diff", 1, 2, ckpt_diff, "GEN [GEN]", "what changed from one to the other, or to the newest" },
	{ "keep", 0, 1, ckpt_keep, "[N]", "how many unnamed generations are kept" },
};

void generations_help(void)
{
	for (unsigned int i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
		L4_TermPrintf("    ckpt %-4s %-14s %s\n", verbs[i].name, verbs[i].usage, verbs[i].help);
}

int generations_command(int count, char **word)
{
	for (unsigned int i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
		const struct verb *v = &verbs[i];

		if (strcmp(word[1], v->name))
			continue;
		if (count - 2 < v->least)
			L4_TermPrintf("ckpt: something is missing; use: ckpt %s %s\n", v->name, v->usage);
		else if (count - 2 > v->most)
			L4_TermPrintf("ckpt: '%s' is too much; use: ckpt %s%s%s\n", word[2 + v->most], v->name,
				      *v->usage ? " " : "", v->usage);
		else
			v->run(count, word);
		return 1;
	}
	return 0;
}
