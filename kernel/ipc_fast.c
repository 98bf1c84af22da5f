/* SPDX-License-Identifier: BSD-2-Clause
 * The short way through IPC: a call, or a reply followed by a wait, of untyped words, whose partner is
 * waiting and can run at once. It does what start_send, settle and schedule() (ipc.c, sched.c: the
 * specification) would do for that case, after read-only checks that can all bail out; a measurement stands in
 * docs/performance.md. Anything else takes the general path, which repeats the checks. Called by entry.asm; percpu.resched
 * is always set under chaos, which therefore sees the general path only.
 */
#include "kernel/ipc.h"
#include "kernel/thread.h"
#include "kernel/sched.h"
#include "kernel/space.h"
#include "kernel/kernel.h"
#include "kernel/arch_switch.h"
#include <l4/framecontrol.h>

#define TAG_NOT_WORDS   0xffc0ul        /* typed items, flags */

/* flags, prio, state, kind of a thread-table entry as one word. */
#define ENTRY_WORD(flags, state, kind) ((u32)(flags) | (u32)(state) << 16 | (u32)(kind) << 24)
_Static_assert(offsetof(struct tte, flags) == 4 && offsetof(struct tte, state) == 6 && offsetof(struct tte, kind) == 7,
	"ENTRY_WORD");

/* d waits, without a deadline, for a message from `me`, nobody has other plans for it and nothing more urgent is ready. */
static inline bool waits_for(const struct thread *d, tid_t to, tid_t me)
{
	const struct tte *e = d->tte;
	u32 word;

	__builtin_memcpy(&word, &e->flags, sizeof word);
	return d->current_in == epoch && e->version == tid_version(to) && !e->pending && !d->flags &&
		(word & ENTRY_WORD(TTE_HALTED | TTE_STOPPED, 0xff, 0xff)) == ENTRY_WORD(0, TS_RECV, IPC_NORMAL) &&
		(int)e->prio >= sched_ready_top && !(e->partner != me && e->partner != L4_ANYTHREAD);
}

static inline void copy_words(u64 *to, const u64 *from, u64 tag)
{
	u64 n = tag & 0x3f;

	to[0] = tag;
	if (!n)
		return;
	to[1] = from[1];
	to[2] = from[2];
	to[3] = from[3];
	to[4] = from[4];
	to[5] = from[5];
	to[6] = from[6];
	to[7] = from[7];
	if (n > 7)
		memcpy(to + 8, from + 8, (n - 7) * sizeof *to);
}

bool ipc_fast(tid_t to, tid_t from, word_t timeouts, word_t tag)
{
	struct thread *t = cpu->current, *d;
	u64 now, no = (to >> 32) - L4_ROOT_TNO;
	tid_t me = t->tcb->myself;
	struct tte *e;

	if (unlikely((tag & TAG_NOT_WORDS) | (timeouts & 0xffff) | cpu->resched ||
	    no >= (1ul << L4_THREAD_BITS) - L4_ROOT_TNO))
		return false;
	d = thread_chunk[(to >> 32) / L4_TABLE_PER_PAGE];
	if (unlikely(!d))
		return false;
	d += (to >> 32) % L4_TABLE_PER_PAGE;
	if (!waits_for(d, to, me) || t->flags)
		return false;
	if (from != to && (from != L4_ANYTHREAD || t->senders))
		return false;
	if (ptab_prepare(&d->space->pt))
		return false;
	/* Point of no return: stores only. */
	e = t->tte;
	e->state = TS_RECV;
	e->kind = IPC_NORMAL;
	e->partner = from;
	e->deadline = DEADLINE_NEVER;
	d->tte->state = TS_READY;
	d->tcb->ipc_from = me;
	copy_words(d->utcb->mr, t->utcb->mr, tag);
	now = rdtsc();
	t->tcb->cpu_time_ns += ns_from_tsc(now - cpu->switched_in);
	cpu->switched_in = now;
	cpu->current = d;               /* for the rest of t's time slice */
	arch_switch_to(d, true);
	return true;
}
