/* SPDX-License-Identifier: BSD-2-Clause
 * thread: threads made and deleted. Property: an id names one thread and no other, ever: numbers are used again with a new
 * version, messages to an id that is gone fail, and each new thread gets its own argument and stack. Some threads end
 * by themselves, some are deleted while they wait for a message that never comes. */
#include "stress.h"

enum { BATCH_MAX = 32, KEPT = 256, STACK = 8192, END_BY_ITSELF = 1, STAY = 2 };

static char *stacks;
static L4_ThreadId_t parent, kept[KEPT];        /* ids that are gone, to be tried again */
static unsigned long kept_next;
static unsigned long salt[BATCH_MAX];

/* Tell the parent who we are, then end or stay, as it answers. */
static void child(void *argument)
{
	unsigned long n = (unsigned long)argument;
	volatile unsigned long on_stack = stress_mix(salt[n], n);
	L4_Word_t order;

	L4_LoadMR(1, n);
	L4_LoadMR(2, on_stack);
	L4_LoadMR(3, L4_Myself().raw);
	L4_Set_MsgTag((L4_MsgTag_t){ 3 });
	L4_MsgTag_t tag = L4_Call(parent);
	L4_StoreMR(1, &order);
	if (L4_IpcFailed(tag) || on_stack != stress_mix(salt[n], n))
		stress_fail("thread=%lu answer tag=0x%lx stack=0x%lx", n, tag.raw, on_stack);
	while (order == STAY)
		L4_Receive(parent);
}

static void gone(L4_ThreadId_t id)
{
	L4_Set_MsgTag((L4_MsgTag_t){ 0 });
	L4_MsgTag_t tag = L4_Send_Timeout(id, L4_TimePeriod(1000));
	if (L4_IpcSucceeded(tag) || (L4_ErrorCode() & 15) != L4_IPC_NON_EXISTING << 1)
		stress_fail("message to deleted thread=0x%lx tag=0x%lx error=0x%lx", id.raw, tag.raw, L4_ErrorCode());
}

static void never_seen(L4_ThreadId_t id)
{
	for (unsigned long i = 0; i < KEPT; i++)
		if (L4_IsThreadEqual(kept[i], id))
			stress_fail("id came back thread=0x%lx", id.raw);
}

/* Receive the report of each of the n threads, and answer it with its order. */
static void hear(unsigned long n, const L4_ThreadId_t *id, unsigned long orders)
{
	unsigned long heard = 0;

	for (unsigned long i = 0; i < n; i++) {
		L4_ThreadId_t from;
		L4_Word_t mr[3] = { 0 };
		L4_MsgTag_t tag = L4_Wait(&from);
		L4_StoreMRs(1, 3, mr);
		if (L4_IpcFailed(tag) || mr[0] >= n || heard >> mr[0] & 1)
			stress_fail("report tag=0x%lx thread=%lu heard=0x%lx", tag.raw, mr[0], heard);
		if (mr[2] != id[mr[0]].raw || mr[1] != stress_mix(salt[mr[0]], mr[0]))
			stress_fail("thread=%lu id=0x%lx expected=0x%lx value=0x%lx", mr[0], mr[2], id[mr[0]].raw, mr[1]);
		heard |= 1UL << mr[0];
		L4_LoadMR(1, orders >> mr[0] & 1 ? END_BY_ITSELF : STAY);
		L4_Set_MsgTag((L4_MsgTag_t){ 1 });
		if (L4_IpcFailed(L4_Reply(from)))
			stress_fail("no answer to thread=%lu error=0x%lx", mr[0], L4_ErrorCode());
	}
}

static void end(const L4_ThreadId_t *id, unsigned long n, unsigned long orders)
{
	for (unsigned long i = 0; i < n; i++) {
		/* One that ends by itself may be on its way still: to delete it as well is right, or too late. */
		long error = task_thread_delete(id[i]);
		if (error != TASK_OK && !(error == TASK_E_NOTFOUND && (orders >> i & 1)))
			stress_fail("thread=0x%lx could not be deleted, error=%ld", id[i].raw, error);
		gone(id[i]);
		kept[kept_next++ % KEPT] = id[i];
	}
}

void stress_thread(void)
{
	unsigned long random = 0, batch = stress_option("threads", 8);
	L4_ThreadId_t id[BATCH_MAX];

	batch = batch < 1 ? 1 : batch > BATCH_MAX ? BATCH_MAX : batch;
	parent = L4_Myself();
	stacks = stress_pages(batch * STACK / 4096);
	for (;;) {
		unsigned long n = 1 + stress_random(&random) % batch, orders = stress_random(&random);
		for (unsigned long i = 0; i < n; i++) {
			salt[i] = stress_random(&random);
			long error = task_thread_create(child, (void *)i, stacks + (i + 1) * STACK, &id[i]);
			if (error != TASK_OK)
				stress_fail("thread=%lu could not be made, error=%ld", i, error);
			never_seen(id[i]);
		}
		hear(n, id, orders);
		end(id, n, orders);
		gone(kept[stress_random(&random) % (kept_next < KEPT ? kept_next : KEPT)]);
		stress_round();
		L4_Sleep(L4_TimePeriod(5000));
	}
}
