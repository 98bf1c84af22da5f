/* SPDX-License-Identifier: BSD-2-Clause
 * Wakeup queue: a binary heap of threads by deadline. A thread is in it at most once, so room for all
 * threads is reserved with their thread-table pages and insertion cannot fail. Slots come in chunks, because the table
 * grows a page at a time.
 */
#include "kernel/sched.h"
#include "kernel/thread.h"
#include "kernel/kernel.h"
#include <l4/framecontrol.h>

#define CHUNK           L4_TABLE_PER_PAGE

static struct thread **slots[L4_TABLE_PAGES];
static u32 chunks, count;

int wakeup_reserve(u32 threads)
{
	struct thread **c;

	ASSERT(threads == CHUNK && chunks < L4_TABLE_PAGES);
	c = pool_alloc(CHUNK * sizeof *c);
	if (!c)
		return -1;
	slots[chunks++] = c;
	return 0;
}

static struct thread *get(u32 i)
{
	return slots[i / CHUNK][i % CHUNK];
}

static void put(u32 i, struct thread *t)
{
	slots[i / CHUNK][i % CHUNK] = t;
	t->heap_index = i;
}

static void sift_up(u32 i, struct thread *t)
{
	while (i && get((i - 1) / 2)->wake_at > t->wake_at) {
		put(i, get((i - 1) / 2));
		i = (i - 1) / 2;
	}
	put(i, t);
}

static void sift_down(u32 i, struct thread *t)
{
	for (;;) {
		u32 child = 2 * i + 1;

		if (child >= count)
			break;
		if (child + 1 < count && get(child + 1)->wake_at < get(child)->wake_at)
			child++;
		if (get(child)->wake_at >= t->wake_at)
			break;
		put(i, get(child));
		i = child;
	}
	put(i, t);
}

void wakeup_set(struct thread *t, u64 deadline)
{
	wakeup_cancel(t);
	if (deadline == DEADLINE_NEVER)
		return;
	t->wake_at = deadline;
	t->flags |= TF_TIMER;
	sift_up(count++, t);
	sched_set_timer();
}

void wakeup_cancel(struct thread *t)
{
	struct thread *moved;

	if (!(t->flags & TF_TIMER))
		return;
	t->flags &= ~(u32)TF_TIMER;
	moved = get(--count);
	if (moved == t)
		return;
	sift_down(t->heap_index, moved);
	sift_up(moved->heap_index, moved);
}

u64 wakeup_next(void)
{
	return count ? get(0)->wake_at : DEADLINE_NEVER;
}

struct thread *wakeup_expired(u64 now)
{
	struct thread *t;

	if (!count || get(0)->wake_at > now)
		return NULL;
	t = get(0);
	wakeup_cancel(t);
	return t;
}
