/* SPDX-License-Identifier: BSD-2-Clause
 * System calls of the fault thread; see server.h.
 */
#include "server.h"

#include <stdarg.h>

#include <l4/bootinfo.h>
#include <l4/ipc.h>
#include <l4/message.h>
#include <l4/print.h>
#include <l4/schedule.h>
#include <l4/space.h>
#include <l4/thread.h>

#include "kobj.h"
#include "log.h"

#define FC_BATCH        31u
#define CALL_TRIES      16u             /* a call needs fewer objects than that */

struct options options;
struct bootinfo *boot;

static struct {
	uint64_t word[FC_BATCH], arg[FC_BATCH];
	unsigned n;
	uint64_t us_mult, ns_mult;      /* per tick, 2^-32 */
	uint64_t ticks_per_ms;
} srv;

/* ---- Time ---------------------------------------------------------------------------------- */

void time_init(uint64_t tsc_hz)
{
	if (tsc_hz < 1000000)
		tsc_hz = 1000000000;
	srv.us_mult = (uint64_t)(((unsigned __int128)1000000 << 32) / tsc_hz);
	srv.ns_mult = (uint64_t)(((unsigned __int128)1000000000 << 32) / tsc_hz);
	srv.ticks_per_ms = tsc_hz / 1000;
}

uint64_t time_us(uint64_t tsc)
{
	return (uint64_t)((unsigned __int128)tsc * srv.us_mult >> 32);
}

uint64_t time_ns(uint64_t tsc)
{
	return (uint64_t)((unsigned __int128)tsc * srv.ns_mult >> 32);
}

uint64_t time_ticks(uint64_t us)
{
	return us / 1000 * srv.ticks_per_ms + us % 1000 * srv.ticks_per_ms / 1000;
}

/* ---- FrameControl ---------------------------------------------------------------------------- */

void fc_flush(void)
{
	unsigned n = srv.n;

	if (!n)
		return;
	srv.n = 0;
	for (unsigned i = 0; i < n; i++) {
		L4_LoadMR((int)(2 * i), srv.word[i]);
		L4_LoadMR((int)(2 * i + 1), srv.arg[i]);
	}
	if (L4_FrameControl(n) != n)
		log_error("FrameControl failed, error %lu", L4_ErrorCode());
	for (unsigned i = 0; i < n; i++) {
		L4_Word_t r;

		L4_StoreMR((int)(2 * i), &r);
		if ((long)r == L4_FC_INVALID || (long)r == L4_FC_NO_POOL)
			kobj_not_taken((uint32_t)(srv.word[i] & L4_FC_NAME_MASK));
		else if ((long)r < 0 && (long)r != L4_FC_BAD_STATE)
			log_error("FrameControl op=%lu name=0x%lx result=%ld", srv.word[i] >> L4_FC_OP_SHIFT,
				  srv.word[i] & L4_FC_NAME_MASK, (long)r);
	}
}

void fc_push(unsigned op, uint64_t name, uint64_t arg)
{
	if (srv.n == FC_BATCH)
		fc_flush();
	srv.word[srv.n] = (uint64_t)op << L4_FC_OP_SHIFT | name;
	srv.arg[srv.n++] = arg;
}

long fc_now(unsigned op, uint64_t name, uint64_t arg)
{
	L4_Word_t r;

	fc_flush();
	L4_LoadMR(0, (uint64_t)op << L4_FC_OP_SHIFT | name);
	L4_LoadMR(1, arg);
	if (L4_FrameControl(1) != 1)
		return L4_FC_BAD_OP;
	L4_StoreMR(0, &r);
	return (long)r;
}

/* ---- System calls ------------------------------------------------------------------------------ */

/* The names stand in BR1.. in the form of event words. */
static void ask_for_objects(void)
{
	L4_Word_t word[L4_NUM_BRS], n;

	L4_StoreBR(0, &n);
	if (n > L4_NUM_BRS - 1)
		n = L4_NUM_BRS - 1;
	L4_StoreBRs(1, (int)n, word);
	L4_LoadBR(0, 0);
	for (L4_Word_t i = 0; i < n; i++)
		kobj_event(word[i]);
	fc_flush();
}

bool server_objects_missing(L4_Word_t error)
{
	if (error != L4_ERR_OBJECTS_MISSING)
		return false;
	ask_for_objects();
	return true;
}

bool server_thread_control(L4_ThreadId_t dest, L4_ThreadId_t space, L4_ThreadId_t scheduler,
			   L4_ThreadId_t pager, L4_Word_t utcb)
{
	fc_flush();
	for (unsigned i = 0; i < CALL_TRIES; i++) {
		if (L4_ThreadControl(dest, space, scheduler, pager, (void *)utcb))
			return true;
		if (!server_objects_missing(L4_ErrorCode()))
			break;
	}
	return false;
}

bool server_space_control(L4_ThreadId_t space, L4_Fpage_t kip, L4_Fpage_t utcb)
{
	L4_Word_t old;

	fc_flush();
	for (unsigned i = 0; i < CALL_TRIES; i++) {
		if (L4_SpaceControl(space, 0, kip, utcb, L4_anythread, &old))
			return true;
		if (!server_objects_missing(L4_ErrorCode()))
			break;
	}
	return false;
}

bool server_give_irq(unsigned irq, L4_ThreadId_t handler)
{
	L4_ThreadId_t id = L4_GlobalId(irq, 1);

	return server_thread_control(id, id, L4_nilthread, handler, ~0ul);
}

bool server_take_irq(unsigned irq)
{
	return server_give_irq(irq, server_self());
}

void server_wait_irq(unsigned irq)
{
	L4_ThreadId_t id = L4_GlobalId(irq, 1), from;
	L4_MsgTag_t tag = L4_Ipc(L4_nilthread, id, L4_Timeouts(L4_ZeroTime, L4_TimePeriod(1000000)), &from);

	if (L4_IpcFailed(tag))
		return;
	L4_LoadMR(0, 0);
	L4_Ipc(id, L4_nilthread, L4_Timeouts(L4_ZeroTime, L4_ZeroTime), NULL);
}

enum send_result server_send(L4_ThreadId_t to)
{
	L4_Word_t save[L4_NUM_MRS];
	L4_MsgTag_t tag;
	unsigned words;

	L4_StoreMR(0, &save[0]);
	tag.raw = save[0];
	words = (unsigned)(L4_UntypedWords(tag) + L4_TypedWords(tag));
	L4_StoreMRs(1, (int)words, save + 1);
	fc_flush();                             /* uses the MRs */
	L4_LoadMRs(0, (int)words + 1, save);
	for (unsigned i = 0; i < 4; i++) {
		L4_Word_t error;

		tag = L4_Ipc(to, L4_nilthread, L4_Timeouts(L4_ZeroTime, L4_ZeroTime), NULL);
		if (L4_IpcSucceeded(tag))
			return SEND_OK;
		error = L4_ErrorCode();
		if ((error >> 1 & 7) != L4_IPC_OBJECTS_MISSING)
			return SEND_GONE;
		ask_for_objects();
		L4_LoadMRs(0, (int)words + 1, save);
	}
	return SEND_LATER;
}

bool server_start_thread(L4_ThreadId_t id, L4_ThreadId_t space, L4_Word_t utcb, L4_Word_t ip, L4_Word_t sp)
{
	if (L4_IsThreadEqual(id, space)) {
		if (!server_thread_control(id, id, server_self(), L4_nilthread, ~0ul) ||
		    !server_space_control(id, L4_FpageLog2(SERVER_KIP, 12), L4_FpageLog2(SERVER_UTCB, 22)))
			return false;
		/* The root task hands priorities out: it needs the highest, and nobody can give it to itself. */
		if (L4_ThreadNo(id) == L4_ROOT_TNO)
			server_set_priority(id, 255);
	}
	/* A persistent thread is its own scheduler: it must not depend on one that forgets. */
	if (!server_thread_control(id, space, L4_ThreadNo(id) < L4_ROOT_TNO ? server_self() : id, server_self(), utcb))
		return false;
	for (unsigned i = 0; i < CALL_TRIES; i++) {
		enum send_result r;

		L4_LoadMR(0, 2);
		L4_LoadMR(1, ip);
		L4_LoadMR(2, sp);
		r = server_send(id);
		if (r != SEND_LATER)
			return r == SEND_OK;
	}
	return false;
}

void server_set_priority(L4_ThreadId_t id, unsigned prio)
{
	if (!L4_Set_Priority(id, prio))
		log_error("priority of thread %lu: error %lu", L4_ThreadNo(id), L4_ErrorCode());
}

void server_stop(unsigned reason, uint64_t status)
{
	log_flush();
	for (;;)
		fc_now(L4_FC_STOP, reason, status);
}

void server_crash(const char *fmt, ...)
{
	char text[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	log_use_kernel();
	log_line("[panic] %s; rebooting", text);
	server_stop(options.panic_exit ? 2 : 1, 0x7f);
}
