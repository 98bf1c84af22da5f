/* SPDX-License-Identifier: BSD-2-Clause
 * sleep: timeouts against the clock. Property: a timeout ends neither early nor much too late, and what was left of it before
 * the machine stopped is what is left afterwards. Every thread sleeps random times of its own range; the first also
 * lets sends to a thread that does not receive run out, and sees that no other one oversleeps. On an emulator that gets no
 * processor the clock goes on, and nobody runs; so what counts is how much the first one gets done after the end of another's
 * timeout: slack= rounds of it, of some 3 ms each on a machine with nothing else to do, are too late. It is itself late after limit=. */
#include "stress.h"

enum { RANGES = 6, PRECISION = 500 };

/* Upper ends of the threads' ranges, in microseconds. */
static const unsigned long range[RANGES] = { 3000, 30000, 300000, 3000000, 20000000, 60000000 };

static const L4_Word64_t not_asleep = ~0ul;
static unsigned long slack, limit, threads;
static L4_ThreadId_t deaf;
static struct {
	volatile L4_Word64_t due;
	volatile unsigned long overdue;         /* rounds of the first thread since then */
} sleeping[RANGES];

/* The time between the clock values must be wanted, less what a timeout's format cannot express, and not much more. */
static void check(const char *what, L4_Word64_t begin, L4_Word64_t end, unsigned long wanted)
{
	if (end < begin)
		stress_fail("what=%s clock went back from=%lu to=%lu", what, begin, end);
	if (end - begin + wanted / PRECISION + 2 < wanted)
		stress_fail("what=%s early wanted_us=%lu slept_us=%lu", what, wanted, end - begin);
	if (end - begin > wanted + limit)
		stress_fail("what=%s late wanted_us=%lu slept_us=%lu", what, wanted, end - begin);
}

static void nap(unsigned long n, unsigned long *random)
{
	unsigned long us = 1 + stress_random(random) % range[n];
	L4_Word64_t begin = L4_SystemClock().raw;

	sleeping[n].overdue = 0;
	sleeping[n].due = begin + us;
	L4_Sleep(L4_TimePeriod(us));
	sleeping[n].due = not_asleep;
	check("sleep", begin, L4_SystemClock().raw, us);
}

static void sleeper(void *argument)
{
	unsigned long n = (unsigned long)argument, random = n << 40;

	for (;;)
		nap(n, &random);
}

/* Never receives a message: it waits for itself. */
static void deaf_main(void *argument)
{
	(void)argument;
	for (;;)
		L4_Receive_Timeout(L4_Myself(), L4_TimePeriod(1000000));
}

static void send_runs_out(unsigned long *random)
{
	unsigned long us = 1 + stress_random(random) % range[0];
	L4_Word64_t begin = L4_SystemClock().raw;

	L4_Set_MsgTag((L4_MsgTag_t){ 0 });
	L4_MsgTag_t tag = L4_Send_Timeout(deaf, L4_TimePeriod(us));
	L4_Word_t error = L4_ErrorCode();
	if (L4_IpcSucceeded(tag) || (error & 15) != L4_IPC_TIMEOUT << 1)
		stress_fail("what=send tag=0x%lx error=0x%lx", tag.raw, error);
	check("send", begin, L4_SystemClock().raw, us);
}

/* Nobody sleeps much longer than he wanted to, or for ever. */
static void look_at_sleepers(void)
{
	L4_Word64_t now = L4_SystemClock().raw;

	for (unsigned long n = 1; n < threads; n++)
		if (now > sleeping[n].due && ++sleeping[n].overdue > slack)
			stress_fail("what=sleep late thread=%lu due_us=%lu now_us=%lu rounds=%lu", n, sleeping[n].due, now, slack);
}

void stress_sleep(void)
{
	unsigned long random = 0;

	threads = stress_option("threads", 4);
	if (threads > RANGES)
		threads = RANGES;
	slack = stress_option("slack", 1000);
	limit = stress_option("limit", 60000000);
	deaf = stress_thread_start(deaf_main, 0, 2);
	for (unsigned long n = 1; n < threads; n++) {
		sleeping[n].due = not_asleep;
		stress_thread_start(sleeper, (void *)n, 4);
	}
	for (;;) {
		nap(0, &random);
		send_runs_out(&random);
		look_at_sleepers();
		stress_round();
	}
}
