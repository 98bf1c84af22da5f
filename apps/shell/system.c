/* SPDX-License-Identifier: BSD-2-Clause
 * Commands about the machine: checkpoints, statistics, time, switching off (l4/ckpt.h). */
#include <l4/types.h>
#include <l4/ipc.h>
#include <l4/schedule.h>
#include <l4/ckpt.h>
#include <l4/term.h>
#include <l4/string.h>
#include "parse.h"
#include "shell.h"

const char *ckpt_error(unsigned long status)
{
	switch (status) {
	case L4_CKPT_NEW_BOOT: return "the machine was rebooted meanwhile; look whether it was done";
	case L4_CKPT_BAD_REQUEST: return "out of range";
	case L4_CKPT_NOT_PERSISTENT: return "this machine runs without a checkpoint partition";
	case L4_CKPT_FAILED: return "the checkpoint could not be written; see the console";
	case L4_CKPT_DENIED: return "this shell may not control the machine, for it was not started by an administrator";
	case L4_CKPT_BUSY: return "too many callers wait already";
	case L4_CKPT_NOT_KEPT: return "there is no such generation any more";
	case L4_CKPT_TABLE_FULL: return "as many generations are kept as there can be; drop some";
	default: return "the checkpoint server does not answer";
	}
}

unsigned long checkpoint_info(struct L4_CkptStat *stat)
{
	unsigned long status = L4_CKPT_BUSY;

	for (int i = 0; i < 20 && status == L4_CKPT_BUSY; i++) {
		if (i)
			L4_Sleep(L4_TimePeriod(10000));
		status = L4_CheckpointInfo(stat);
	}
	return status;
}

/* The unit in which a time reads best. */
static void print_time(const char *before, unsigned long us, const char *after)
{
	if (us >= 10000000)
		L4_TermPrintf("%s%lu.%lu s%s", before, us / 1000000, us / 100000 % 10, after);
	else if (us >= 10000)
		L4_TermPrintf("%s%lu.%lu ms%s", before, us / 1000, us / 100 % 10, after);
	else
		L4_TermPrintf("%s%lu us%s", before, us, after);
}

static void checkpoint_now(void)
{
	unsigned long generation = 0;
	L4_Word64_t begin = L4_SystemClock().raw;
	unsigned long status = L4_CheckpointAndWait(&generation);

	if (status != L4_CKPT_OK)
		return (void)L4_TermPrintf("ckpt: %s\n", ckpt_error(status));
	L4_TermPrintf("generation %lu is committed", generation);
	print_time(", after ", L4_SystemClock().raw - begin, "\n");
}

void command_ckpt(int count, char **word)
{
	unsigned long us = 0, before = 0;

	if (count == 1)
		return checkpoint_now();
	if (generations_command(count, word))
		return;
	if (count > 2)
		return (void)L4_TermPrintf("ckpt: '%s' is too much; see 'help ckpt'\n", word[2]);
	if (strcmp(word[1], "off") && !parse_time(word[1], &us))
		return (void)L4_TermPrintf("ckpt: '%s' is neither a time such as 10ms nor 'off'; see 'help ckpt'\n", word[1]);
	unsigned long status = L4_SetCheckpointInterval(us, &before);
	if (status == L4_CKPT_BAD_REQUEST)
		return (void)L4_TermPrintf("ckpt: '%s' is out of range, 100us to 24h\n", word[1]);
	if (status != L4_CKPT_OK)
		return (void)L4_TermPrintf("ckpt: %s\n", ckpt_error(status));
	if (before)
		print_time("the interval was ", before, "\n");
	else
		L4_TermPrintf("the interval was off\n");
}

static void print_commits(const struct L4_CkptStat *s)
{
	if (s->interval_us)
		print_time("interval    ", s->interval_us, "\n");
	else
		L4_TermPrintf("interval    off\n");
	L4_TermPrintf("checkpoints %lu in this boot, %lu failed\n", s->checkpoints, s->failures);
	if (s->generation && s->committed_us <= L4_SystemClock().raw)
		print_time("committed   ", L4_SystemClock().raw - s->committed_us, " ago: nothing newer is safe yet\n");
	else
		L4_TermPrintf("committed   nothing yet\n");
}

static void print_waits(unsigned long count, unsigned long us, const char *what)
{
	if (!count)
		return (void)L4_TermPrintf("nobody had to wait for %s\n", what);
	L4_TermPrintf("%lu had to wait for %s, ", count, what);
	print_time("", us, "\n");
}

void command_stat(int count, char **word)
{
	struct L4_CkptStat s;
	unsigned long status = checkpoint_info(&s);

	(void)count;
	(void)word;
	if (status != L4_CKPT_OK)
		return (void)L4_TermPrintf("stat: %s\n", ckpt_error(status));
	L4_TermPrintf("generation  %lu\n", s.generation);
	if (s.recovered)
		L4_TermPrintf("boot        %lu, recovered generation %lu with %lu threads\n", s.boot, s.recovered, s.threads);
	else
		L4_TermPrintf("boot        %lu, genesis\n", s.boot);
	if (!s.store_blocks)
		L4_TermPrintf("            without a checkpoint partition: nothing is kept\n");
	print_commits(&s);
	L4_TermPrintf("pause       %lu ns last, %lu ns max, %lu ns mean\n", s.pause_last_ns, s.pause_max_ns, s.pause_mean_ns);
	print_time("written     ", s.write_last_us, " for the last checkpoint: ");
	L4_TermPrintf("%lu pages, %lu KiB\n", s.pages_last, s.bytes_last / 1024);
	L4_TermPrintf("            %lu KiB in this boot, %lu pages a checkpoint on average\n", s.bytes_total / 1024,
		      s.checkpoints ? s.bytes_total / 4096 / s.checkpoints : 0);
	L4_TermPrintf("copies      %lu pages were written to while being saved; ", s.copies);
	print_waits(s.postponed, s.postponed_us, "a buffer");
	L4_TermPrintf("memory      %lu of %lu KiB free, %lu KiB written since the last snapshot; ", s.frames_free * 4, s.frames * 4,
		      s.frames_dirty * 4);
	print_waits(s.frame_waits, s.frame_wait_us, "memory");
	L4_TermPrintf("paging      %lu pages dropped, %lu objects of threads paged out, %lu pages written early, %lu read ahead\n",
		      s.dropped, s.evicted, s.early, s.ahead);
	L4_TermPrintf("disk        %lu of %lu KiB free, %lu pages read back\n", s.store_free * 4, s.store_blocks * 4, s.reads);
	if (s.scrub_pages)
		L4_TermPrintf("scrub       %lu pages compared with their checksums, %lu rounds, %lu pages in this one; %lu blocks damaged\n",
			      s.scrub_pages, s.scrub_rounds, s.scrub_round, s.scrub_damaged);
	if (s.failing_us)
		print_time("failing     for ", s.failing_us, "\n");
	if (s.unpromised || s.throttles)
		L4_TermPrintf("room        for %lu dirty pages there is none on the partition; writers to %lu wait, to %lu had to\n",
			      s.unpromised, s.throttled, s.throttles);
	L4_TermPrintf("kept        %lu generations, %lu of them until they are dropped; 'ckpt list'\n", s.kept, s.kept_held);
	if (s.stopped)
		L4_TermPrintf("stopped     %lu threads, because their saved state was damaged\n", s.stopped);
}

void command_uptime(int count, char **word)
{
	unsigned long s = L4_SystemClock().raw / 1000000;

	(void)count;
	(void)word;
	L4_TermPrintf("%lu days %02lu:%02lu:%02lu of running since genesis, boot %lu\n", s / 86400, s / 3600 % 24, s / 60 % 60,
		      s % 60, L4_CheckpointBoot());
}

/* Both calls return in the next boot, when there is nothing to be said. */
void command_reboot(int count, char **word)
{
	unsigned long status = L4_Reboot();

	(void)count;
	(void)word;
	if (status != L4_CKPT_NEW_BOOT)
		L4_TermPrintf("reboot: %s\n", ckpt_error(status));
}

void command_poweroff(int count, char **word)
{
	unsigned long status = L4_PowerOff();

	(void)count;
	(void)word;
	if (status != L4_CKPT_NEW_BOOT)
		L4_TermPrintf("poweroff: %s\n", ckpt_error(status));
}
