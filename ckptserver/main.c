/* SPDX-License-Identifier: BSD-2-Clause
 * ckptserver: sigma0, root pager and checkpoint server. This file is the fault thread: start-up, and the message
 * loop from which everything else is called.
 *
 * The fault thread owns all state and blocks on nobody. Each message is served in bounded time:
 *   the kernel's events           kobj.c     (which calls permit.c, cow.c, reclaim.c)
 *   page faults, sigma0 protocol  pagefault.c
 *   requests of programs          requests.c
 *   the writer's call for work    writer.c   (which calls commit.c: one unit)
 *   the disk's interrupt          virtio_blk.c (completions run the callbacks of store, cow.c, reclaim.c)
 *   nothing until the timeout     snapshot.c: is it time? and retries
 */
#include <l4/bootinfo.h>
#include <l4/ckpt.h>
#include <l4/framecontrol.h>
#include <l4/ipc.h>
#include <l4/message.h>
#include <l4/start.h>
#include <l4/string.h>

#include "badread.h"
#include "chaos.h"
#include "commit.h"
#include "cow.h"
#include "disk.h"
#include "fault.h"
#include "io.h"
#include "kobj.h"
#include "log.h"
#include "loop.h"
#include "pagefault.h"
#include "pages.h"
#include "pending.h"
#include "permit.h"
#include "reclaim.h"
#include "recover.h"
#include "requests.h"
#include "residual.h"
#include "scrub.h"
#include "server.h"
#include "snapshot.h"
#include "statehash.h"
#include "writer.h"

#define BUFFERS_PER_FRAMES      64u
#define BUFFERS_MIN             128u
#define BUFFERS_MAX             4096u
#define TICK_US                 10000ul
#define LOG_RETRY_US            1000ul

int main(void);

static uint64_t tick_tsc, writer_tsc;

/* Label as the kernel's own protocols use it: negative numbers above bit 20. */
static long protocol(L4_MsgTag_t tag)
{
	return (long)tag.raw >> 20;
}

static void serve_events(unsigned n)
{
	L4_Word_t word[L4_NUM_MRS];

	L4_StoreMRs(1, (int)n, word);
	for (unsigned i = 0; i < n; i++)
		kobj_event(word[i]);
	fc_flush();
}

static void serve_interrupt(L4_ThreadId_t from)
{
	/* Enable it first: what completes after disk_interrupt has looked interrupts again. */
	L4_LoadMR(0, 0);
	L4_Reply(from);
	disk_interrupt();
	pending_retry();
	if (kobj_deferred())
		kobj_retry();
	fc_flush();
	writer_wake();
}

static void serve_client(L4_ThreadId_t from, L4_MsgTag_t tag)
{
	unsigned n = (unsigned)L4_UntypedWords(tag);
	L4_Word_t mr[L4_NUM_MRS];

	L4_StoreMRs(1, (int)n, mr);
	if (protocol(tag) == L4_LABEL_PAGEFAULT && n == 2)
		pagefault_message(from, tag.raw >> 16 & 7, mr[0], mr[1]);
	else if (protocol(tag) == L4_LABEL_SIGMA0 && n >= 1)
		pagefault_sigma0(from, (L4_Fpage_t){ .raw = mr[0] });
	else if (!request_message(from, L4_Label(tag), n, mr))
		pending_reply(from, L4_Label(tag), 1, &(uint64_t){ L4_CKPT_BAD_REQUEST });
}

static void serve(L4_ThreadId_t from, L4_MsgTag_t tag)
{
	L4_Word_t number = L4_ThreadNo(from);

	if (number == L4_KERNEL_TNO)
		serve_events((unsigned)L4_UntypedWords(tag));
	else if (number == DISK_IRQ)
		serve_interrupt(from);
	else if (number == L4_WRITER_TNO)
		writer_called();
	else
		serve_client(from, tag);
}

void loop_drain(void)
{
	for (;;) {
		L4_ThreadId_t from;
		L4_MsgTag_t tag;

		fc_flush();
		tag = L4_Ipc(L4_nilthread, L4_GlobalId(L4_KERNEL_TNO, 1), L4_Timeouts(L4_ZeroTime, L4_ZeroTime), &from);
		if (L4_IpcFailed(tag))
			return;
		serve_events((unsigned)L4_UntypedWords(tag));
	}
}

static void tick(uint64_t now)
{
	tick_tsc = now + time_ticks(TICK_US);
	if (disk_tick(now))
		writer_wake();
	commit_tick();
	fault_tick(now);
	scrub_tick(now);
	load_retry();
	if (kobj_deferred())
		kobj_retry();
	pending_retry();
}

/* Not in the aftermath of a snapshot: a burst of the writer would prolong the pause. */
static void tick_writer(uint64_t now)
{
	uint64_t age = commit_age_us(now);

	if (!reclaim_wanted() && (commit_idle() || age < WRITER_TICK_US))
		return;
	writer_tsc = now + time_ticks(WRITER_TICK_US);
	writer_tick(age);
}

static L4_Time_t patience(uint64_t now, bool log_waits)
{
	uint64_t us = snapshot_patience(now);

	if (log_waits && us > LOG_RETRY_US)
		us = LOG_RETRY_US;
	/* While a commit is under way the writer's priority rises with every tick, whoever else runs. */
	if (us > TICK_US &&
	    (scrub_active() || load_retry_wanted() || permit.throttled || kobj_deferred() || !commit_idle() || disk_wants_tick()))
		us = TICK_US;
	return us ? L4_TimePeriod(us) : L4_ZeroTime;
}

void loop_run(void)
{
	for (;;) {
		bool log_waits = log_pump();
		L4_ThreadId_t from;
		L4_MsgTag_t tag;
		uint64_t now;
		bool more;

		fc_flush();
		tag = L4_Ipc(L4_nilthread, L4_anythread,
			     L4_Timeouts(L4_ZeroTime, patience(rdtsc(), log_waits)), &from);
		now = rdtsc();
		if (L4_IpcSucceeded(tag))
			serve(from, tag);
		/* Before anybody wakes it: one that found nothing to do has no more requests to come. */
		more = L4_IpcSucceeded(tag) && L4_ThreadNo(from) == L4_WRITER_TNO && writer_busy();
		if (L4_IpcFailed(tag) || L4_ThreadNo(from) != L4_KERNEL_TNO)
			snapshot_over();
		if (snapshot_due(now))
			snapshot_take(now);
		else if (now >= tick_tsc)
			tick(now);
		if (now >= writer_tsc)
			tick_writer(now);
		if (disk_needs_poll())
			disk_interrupt();
		reclaim_some();
		chaos_act();
		disk_announce(more);
	}
}

static const struct bootinfo_module *find_module(const char *name)
{
	for (unsigned i = 0; i < boot->module_count && i < BOOTINFO_MAX_MODULES; i++)
		if (!strcmp(boot->module[i].name, name))
			return &boot->module[i];
	return NULL;
}

static unsigned buffer_count(void)
{
	uint64_t n = frames_total() / BUFFERS_PER_FRAMES;

	if (options.buffers)
		return options.buffers;
	return n < BUFFERS_MIN ? BUFFERS_MIN : n > BUFFERS_MAX ? BUFFERS_MAX : (unsigned)n;
}

int main(void)
{
	const struct bootinfo_module *module;
	const void *archive = NULL;
	uint64_t bytes = 0;

	boot = phys_to_virt(l4_start_argument);
	boot->cmdline[BOOTINFO_CMDLINE - 1] = 0;
	options_parse(&options, boot->cmdline);
	time_init(boot->tsc_hz);
	if (options.bad[0])
		log_error("option %s is not understood", options.bad);
	if (!pages_init(boot) || !statehash_init() || !kobj_init() || !pending_init() || !scrub_init() || !badread_init() ||
	    !cow_init(buffer_count())) {
		log_error("not enough memory");
		return 1;
	}
	module = find_module("archive");
	if (module) {
		archive = phys_to_virt(module->base);
		bytes = module->size;
	}
	if (!writer_start())
		log_error("the writer cannot be started");
	recover(archive, bytes);
	residual_start_console(archive, bytes);
	chaos_init(options.chaos);
	loop_run();
}
