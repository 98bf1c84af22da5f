/* SPDX-License-Identifier: BSD-2-Clause
 * sleep: timeouts against the clock. Property: a timeout ends neither early nor much too late, and what was left of it before
 * the machine stopped is what is left afterwards. Every thread sleeps random times of its own range; the first also
 * lets sends to a thread that does not receive run out. slack= is how late is too late. */
#include "stress.h"

enum { RANGES = 6, PRECISION = 500 };

/* Upper ends of the threads' ranges, in microseconds. */
static const unsigned long range[RANGES] = { 3000, 30000, 300000, 3000000, 20000000, 60000000 };

static unsigned long slack, naps[RANGES];
static L4_ThreadId_t deaf;

/* The time between the clock values must be wanted, less what a timeout's format cannot express, and not much more. */
static void check(const char *what, L4_Word64_t begin, L4_Word64_t end, unsigned long wanted)
{
	if (end < begin)
		stress_fail("what=%s clock went back from=%lu to=%lu", what, begin, end);
	if (end - begin + wanted / PRECISION + 2 < wanted)
		stress_fail("what=%s early wanted_us=%lu slept_us=%lu", what, wanted, end - begin);
	if (end - begin > wanted + slack)
		stress_fail("what=%s late wanted_us=%lu slept_us=%lu", what, wanted, end - begin);
}

static void nap(unsigned long n, unsigned long *random)
{
	unsigned long us = 1 + stress_random(random) % range[n];
	L4_Word64_t begin = L4_SystemClock().raw;

	L4_Sleep(L4_TimePeriod(us));
	check("sleep", begin, L4_SystemClock().raw, us);
	naps[n]++;
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

void stress_sleep(void)
{
	unsigned long threads = stress_option("threads", 4), random = 0;

	slack = stress_option("slack", 5000000);
	deaf = stress_thread_start(deaf_main, 0, 2);
	for (unsigned long n = 1; n < threads && n < RANGES; n++)
		stress_thread_start(sleeper, (void *)n, 4);
	for (;;) {
		nap(0, &random);
		send_runs_out(&random);
		stress_round();
	}
}
