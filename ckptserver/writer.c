/* SPDX-License-Identifier: BSD-2-Clause
 * The writer thread, and the fault thread's side of it; see writer.h.
 */
#include "writer.h"

#include <l4/ipc.h>
#include <l4/message.h>

#include "commit.h"
#include "cow.h"
#include "log.h"
#include "permit.h"
#include "reclaim.h"
#include "server.h"

#define PRIO_BASE       1u
#define PRIO_TOP        255u
#define BURST           4u              /* units; twice as many after half an interval, four times after a whole one */
#define STACK_BYTES     8192ul

static char stack[STACK_BYTES] __attribute__((aligned(16)));
static bool asleep;
static unsigned prio;
static unsigned burst;                  /* units left at top priority */
static unsigned units;                  /* done since the last tick */
static bool fruitless;                  /* it has found nothing to do since it was last woken, or the last tick */

static void set_prio(unsigned p)
{
	if (p == prio)
		return;
	prio = p;
	server_set_priority(server_writer(), p);
}

static void __attribute__((noreturn)) writer_main(void)
{
	for (;;) {
		L4_LoadMR(0, 0);
		L4_Call(server_self());
	}
}

bool writer_start(void)
{
	L4_Word_t sp = (L4_Word_t)stack + STACK_BYTES - 8;      /* as after a call */

	if (!server_start_thread(server_writer(), server_self(), SERVER_UTCB + L4_UTCB_SIZE,
				 (L4_Word_t)writer_main, sp))
		return false;
	set_prio(PRIO_BASE);
	return true;
}

static void answer(void)
{
	L4_LoadMR(0, 0);
	L4_Reply(server_writer());
}

void writer_called(void)
{
	bool more = commit_unit();

	units++;
	if (burst)
		burst--;
	if (!burst && !permit.waiting && !reclaim_wanted())
		set_prio(PRIO_BASE);
	fc_flush();
	fruitless = !more;
	if (more)
		answer();
	else
		asleep = true;
}

bool writer_busy(void)
{
	return !asleep;
}

void writer_wake(void)
{
	fruitless = false;
	if (!asleep)
		return;
	asleep = false;
	fc_flush();
	answer();
}

void writer_look(void)
{
	if (!fruitless)
		writer_wake();
}

static unsigned quota(uint64_t commit_us)
{
	uint64_t interval = options.interval_us ? options.interval_us : OPTIONS_INTERVAL_US;

	return commit_us < interval / 2 ? BURST : commit_us < interval ? 2 * BURST : 4 * BURST;
}

void writer_tick(uint64_t commit_us)
{
	unsigned want = quota(commit_us), done = units;

	units = 0;
	fruitless = false;
	if (commit_idle() && !reclaim_wanted()) {
		burst = 0;
		set_prio(PRIO_BASE);
	} else if (permit.waiting || reclaim_wanted() || done < want) {
		burst = want;
		set_prio(PRIO_TOP);
	}
}
