/* SPDX-License-Identifier: BSD-2-Clause
 * The writer thread, and the fault thread's side of it; see writer.h.
 */
#include "writer.h"

#include <l4/ipc.h>
#include <l4/message.h>

#include "commit.h"
#include "cow.h"
#include "log.h"
#include "server.h"

#define PRIO_BASE       100u
#define PRIO_STEP       50u
#define PRIO_TOP        255u
#define STACK_BYTES     8192ul

static char stack[STACK_BYTES] __attribute__((aligned(16)));
static bool asleep;
static unsigned prio;

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

	fc_flush();
	if (more)
		answer();
	else
		asleep = true;
}

void writer_wake(void)
{
	if (!asleep)
		return;
	asleep = false;
	fc_flush();
	answer();
}

void writer_tick(void)
{
	if (cow.waiting)
		set_prio(PRIO_TOP);
	else if (commit_idle())
		set_prio(PRIO_BASE);
	else
		set_prio(prio + PRIO_STEP < PRIO_TOP ? prio + PRIO_STEP : PRIO_TOP);
}
