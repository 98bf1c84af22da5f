/* SPDX-License-Identifier: BSD-2-Clause
 * Property: untyped IPC (X.2 5): every word arrives, once, at the thread it was meant for and at no other; time-outs
 * and errors have the right code and phase; a caller can always be answered. Guards kernel/ipc.c.
 * Map and grant items: mapping.c.
 */
#include "test.h"

const char test_suite[] = "ipc";

#define MS 1000
static volatile word result, error, finished, started;
static L4_ThreadId_t main_id;

/* ---- Partners ------------------------------------------------------------------------------------- */

/* Answers every message by the same words, each plus one, until the label is 0x666. */
static void echo(void *arg)
{
	L4_ThreadId_t from;
	L4_MsgTag_t tag = L4_Wait(&from);
	word u;

	(void)arg;
	while (L4_IpcSucceeded(tag) && L4_Label(tag) != 0x666) {
		for (u = 1; u <= L4_UntypedWords(tag); u++)
			L4_LoadMR((int)u, test_mr((int)u) + 1);
		L4_LoadMR(0, L4_Label(tag) << 16 | L4_UntypedWords(tag));
		tag = L4_ReplyWait(from, &from);
	}
	finished = 1;
}

static void receive_from(void *arg)
{
	L4_MsgTag_t tag = L4_Receive(*(L4_ThreadId_t *)arg);

	error = L4_ErrorCode();
	result = L4_IpcFailed(tag) ? ~0UL : test_mr(1);
	finished = 1;
}

static void send_word(void *arg)
{
	L4_MsgTag_t tag;

	started = 1;
	tag = test_send(main_id, 3, (word)arg, L4_Never);
	error = L4_ErrorCode();
	result = L4_IpcFailed(tag);
	__atomic_fetch_add(&finished, 1, __ATOMIC_RELAXED);
}

/* Calls the main thread with its argument, notes the answer. */
static void call_main(void *arg)
{
	L4_MsgTag_t tag = test_call(main_id, 4, (word)arg, 0);

	error = L4_ErrorCode();
	result = L4_IpcFailed(tag) ? ~0UL : test_mr(1);
	__atomic_fetch_add(&finished, 1, __ATOMIC_RELAXED);
}

static L4_ThreadId_t partner(void (*fn)(void *), void *arg, word state)
{
	L4_ThreadId_t tid;

	main_id = L4_MyGlobalId();
	finished = 0;
	started = 0;
	tid = test_thread(fn, arg);
	test_wait_state(tid, state);
	return tid;
}

/* ---- Words ------------------------------------------------------------------------------------------ */

static void exchange_words(L4_ThreadId_t tid)
{
	static const unsigned int counts[] = { 0, 1, 2, 6, 7, 8, 9, 31, 62, 63 };
	unsigned int i, u;

	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		L4_MsgTag_t tag;

		for (u = 1; u < 64; u++)
			L4_LoadMR((int)u, 0xabcd000000000000 + 1000 * i + u);
		L4_LoadMR(0, (0xfeed0 + (word)i) << 16 | counts[i]);
		tag = L4_Call(tid);
		if (!EXPECT_IPC_OK(tag))
			return;
		EXPECT_EQ(tag.raw, (0xfeed0 + (word)i) << 16 | counts[i]);
		EXPECT_EQ(test_mr(0), tag.raw);
		for (u = 1; u <= counts[i]; u++)
			EXPECT_EQ(test_mr((int)u), 0xabcd000000000000 + 1000 * i + u + 1);
	}
}

static void words_within_space(void)
{
	L4_ThreadId_t tid = partner(echo, 0, L4_SCHEDRESULT_WAITING);

	exchange_words(tid);
	test_delete(tid);
}

static void words_between_spaces(void)
{
	L4_ThreadId_t tid = test_space();

	test_space_start(tid, echo, 0);
	test_wait_state(tid, L4_SCHEDRESULT_WAITING);
	exchange_words(tid);
	exchange_words(tid);
	test_delete(tid);
}

static void many_round_trips(void)
{
	L4_ThreadId_t tid = test_space();
	word i;

	test_space_start(tid, echo, 0);
	for (i = 0; i < 20000; i++) {
		if (L4_IpcFailed(test_call(tid, 1, i, ~i)) || test_mr(1) != i + 1 || test_mr(2) != ~i + 1)
			break;
	}
	EXPECT_EQ(i, 20000);
	test_delete(tid);
}

static void full_label(void)
{
	L4_ThreadId_t tid = partner(echo, 0, L4_SCHEDRESULT_WAITING);
	L4_MsgTag_t tag = test_call(tid, 0xffffffffffff, 0, 0);

	EXPECT_EQ(L4_Label(tag), 0xffffffffffff);
	test_delete(tid);
}

static void registers_survive(void)
{
	L4_ThreadId_t tid = partner(echo, 0, L4_SCHEDRESULT_WAITING);
	word volatile before = 0x5555, after;
	register word kept __asm__("rbp");

	(void)kept;
	test_load(1, 0, 0, 0);
	after = before;
	EXPECT_IPC_OK(L4_Call(tid));
	EXPECT_EQ(after, before);
	test_delete(tid);
}

/* ---- Who gets it --------------------------------------------------------------------------------------- */

static void closed_receive(void)
{
	static L4_ThreadId_t wanted;
	L4_ThreadId_t tid, other;

	wanted = L4_MyGlobalId();
	tid = partner(receive_from, &wanted, L4_SCHEDRESULT_WAITING);
	other = test_thread(send_word, (void *)99);
	(void)other;
	EXPECT_IPC_OK(test_send(tid, 1, 42, L4_TimePeriod(1000 * MS)));
	test_wait_flag(&finished, 1);
	EXPECT_EQ(result, 42);
	test_delete(tid);
	test_delete(other);
}

static volatile word stray;

static void send_to(void *arg)
{
	L4_MsgTag_t tag = test_send(*(L4_ThreadId_t *)arg, 3, 99, L4_TimePeriod(20 * MS));

	stray = L4_IpcFailed(tag) ? L4_ErrorCode() + 1000 : 1;
}

/* A thread that waits for somebody else must not get our message, be it sent at once or queued. */
static void waits_for_another(void)
{
	static L4_ThreadId_t friend, target;
	L4_ThreadId_t stranger;

	friend = L4_MyGlobalId();
	target = partner(receive_from, &friend, L4_SCHEDRESULT_WAITING);
	stray = 0;
	stranger = test_thread(send_to, &target);
	test_wait_flag(&stray, 1);
	EXPECT_EQ(stray, 1000 + (L4_IPC_TIMEOUT << 1 | 0));
	EXPECT_EQ(finished, 0);
	EXPECT_IPC_OK(test_send(target, 1, 7, L4_TimePeriod(1000 * MS)));
	test_wait_flag(&finished, 1);
	EXPECT_EQ(result, 7);
	test_delete(stranger);
	test_delete(target);
}

static void waits_for_another_zero(void)
{
	static L4_ThreadId_t friend;
	L4_ThreadId_t other = test_thread_inactive(L4_nilthread), target;

	friend = other;
	target = partner(receive_from, &friend, L4_SCHEDRESULT_WAITING);
	EXPECT_IPC_ERROR(test_send(target, 1, 5, L4_ZeroTime), 0, L4_IPC_TIMEOUT);
	/* A call as well: its receive phase is not entered. */
	test_load(1, 1, 5, 0);
	EXPECT_IPC_ERROR(L4_Call_Timeouts(target, L4_ZeroTime, L4_Never), 0, L4_IPC_TIMEOUT);
	EXPECT_EQ(finished, 0);
	test_delete(target);
	test_delete(other);
}

static void closed_receive_passes_over_queue(void)
{
	L4_ThreadId_t a = partner(send_word, (void *)11, L4_SCHEDRESULT_PENDING_SEND);
	L4_ThreadId_t b = test_thread(send_word, (void *)22);

	test_wait_state(b, L4_SCHEDRESULT_PENDING_SEND);
	EXPECT_IPC_OK(L4_Receive_Timeout(b, L4_TimePeriod(1000 * MS)));
	EXPECT_EQ(test_mr(1), 22);
	EXPECT_IPC_OK(L4_Receive_Timeout(a, L4_TimePeriod(1000 * MS)));
	EXPECT_EQ(test_mr(1), 11);
	test_delete(a);
	test_delete(b);
}

static void queue_is_complete(void)
{
	enum { N = 20 };
	L4_ThreadId_t tid[N], from;
	word i, seen = 0;

	main_id = L4_MyGlobalId();
	finished = 0;
	for (i = 0; i < N; i++)
		tid[i] = test_thread(send_word, (void *)i);
	for (i = 0; i < N; i++)
		test_wait_state(tid[i], L4_SCHEDRESULT_PENDING_SEND);
	for (i = 0; i < N; i++) {
		if (!EXPECT_IPC_OK(L4_Wait_Timeout(L4_TimePeriod(1000 * MS), &from)))
			break;
		EXPECT(test_same(from, tid[test_mr(1) % N]));
		seen |= 1UL << test_mr(1);
	}
	EXPECT_EQ(seen, (1UL << N) - 1);
	EXPECT_IPC_ERROR(L4_Wait_Timeout(L4_ZeroTime, &from), 1, L4_IPC_TIMEOUT);
	for (i = 0; i < N; i++)
		test_delete(tid[i]);
}

static void any_local(void)
{
	L4_ThreadId_t outside = test_space(), inside, from;

	main_id = L4_MyGlobalId();
	finished = 0;
	test_space_start(outside, send_word, (void *)1);
	test_wait_state(outside, L4_SCHEDRESULT_PENDING_SEND);
	EXPECT_IPC_ERROR(L4_Ipc(L4_nilthread, L4_anylocalthread, L4_ZeroTime.raw, &from), 1, L4_IPC_TIMEOUT);
	inside = test_thread(send_word, (void *)2);
	EXPECT_IPC_OK(L4_Ipc(L4_nilthread, L4_anylocalthread, L4_TimePeriod(1000 * MS).raw, &from));
	EXPECT_EQ(test_mr(1), 2);
	EXPECT_IPC_OK(L4_Wait_Timeout(L4_ZeroTime, &from));
	EXPECT_EQ(test_mr(1), 1);
	EXPECT_EQ(from.raw, outside.raw);
	test_delete(inside);
	test_delete(outside);
}

static void local_ids(void)
{
	L4_ThreadId_t tid = partner(echo, 0, L4_SCHEDRESULT_WAITING), local = L4_LocalIdOf(tid);

	EXPECT(L4_IsLocalId(local));
	EXPECT_IPC_OK(test_call(local, 1, 10, 0));
	EXPECT_EQ(test_mr(1), 11);
	test_delete(tid);
}

/* ---- Call and reply ---------------------------------------------------------------------------------------- */

static void reply_with_zero_timeout(void)
{
	L4_ThreadId_t tid = partner(call_main, (void *)5, L4_SCHEDRESULT_PENDING_SEND), from;

	EXPECT_IPC_OK(L4_Wait_Timeout(L4_TimePeriod(1000 * MS), &from));
	EXPECT_EQ(test_mr(1), 5);
	/* Its send was taken: it counts as waiting, though it has not run since. */
	EXPECT_IPC_OK(test_send(from, 1, 6, L4_ZeroTime));
	test_wait_flag(&finished, 1);
	EXPECT_EQ(result, 6);
	test_delete(tid);
}

static void reply_wait_serves_all(void)
{
	enum { N = 8 };
	L4_ThreadId_t tid[N], from;
	word i;
	L4_MsgTag_t tag;

	main_id = L4_MyGlobalId();
	finished = 0;
	for (i = 0; i < N; i++)
		tid[i] = test_thread(call_main, (void *)(100 + i));
	tag = L4_Wait_Timeout(L4_TimePeriod(1000 * MS), &from);
	for (i = 0; i + 1 < N && EXPECT_IPC_OK(tag); i++) {
		test_load(1, 1, test_mr(1) + 1, 0);
		tag = L4_ReplyWait_Timeout(from, L4_TimePeriod(1000 * MS), &from);
	}
	test_load(1, 1, 0, 0);
	EXPECT_IPC_OK(L4_Reply(from));
	test_wait_flag(&finished, N);
	for (i = 0; i < N; i++)
		test_delete(tid[i]);
}

static void reply_to_nobody(void)
{
	static L4_ThreadId_t never;
	L4_ThreadId_t tid, from;

	never = test_thread_inactive(L4_nilthread);
	tid = partner(receive_from, &never, L4_SCHEDRESULT_WAITING);
	test_load(1, 1, 0, 0);
	EXPECT_IPC_ERROR(L4_ReplyWait_Timeout(tid, L4_TimePeriod(1000 * MS), &from), 0, L4_IPC_TIMEOUT);
	test_delete(tid);
	test_delete(never);
}

static void caller_gets_only_the_reply(void)
{
	/* While it waits for our answer, another's message must not end its call. */
	static L4_ThreadId_t target;
	L4_ThreadId_t stranger, from;

	target = partner(call_main, (void *)1, L4_SCHEDRESULT_PENDING_SEND);
	EXPECT_IPC_OK(L4_Wait_Timeout(L4_TimePeriod(1000 * MS), &from));
	stray = 0;
	stranger = test_thread(send_to, &target);
	test_wait_flag(&stray, 1);
	EXPECT_EQ(stray, 1000 + (L4_IPC_TIMEOUT << 1));
	EXPECT_EQ(finished, 0);
	EXPECT_IPC_OK(test_send(target, 1, 77, L4_ZeroTime));
	test_wait_flag(&finished, 1);
	EXPECT_EQ(result, 77);
	test_delete(stranger);
	test_delete(target);
}

/* ---- Time-outs ---------------------------------------------------------------------------------------------- */

static void receive_timeouts(void)
{
	static const word times[] = { 1, 100, 1000, 5000, 30000 };
	L4_ThreadId_t from;
	unsigned int i;
	word begin, took;

	EXPECT_IPC_ERROR(L4_Wait_Timeout(L4_ZeroTime, &from), 1, L4_IPC_TIMEOUT);
	for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		begin = test_now_us();
		EXPECT_IPC_ERROR(L4_Wait_Timeout(L4_TimePeriod(times[i]), &from), 1, L4_IPC_TIMEOUT);
		took = test_now_us() - begin;
		EXPECT_GE(took, L4_TimePeriod(times[i]).raw ? times[i] * 998 / 1000 : 0);
		EXPECT_LE(took, times[i] + 1000 * MS);
	}
}

static void absolute_timeouts(void)
{
	L4_ThreadId_t from;
	word begin = test_now_us(), at = begin + 12 * MS, now;

	EXPECT_IPC_ERROR(L4_Wait_Timeout(L4_TimePoint((L4_Clock_t){ .raw = at }), &from), 1, L4_IPC_TIMEOUT);
	now = test_now_us();
	EXPECT_GE(now, at);
	EXPECT_LE(now, at + 1000 * MS);
}

static void send_timeouts(void)
{
	static L4_ThreadId_t never;
	L4_ThreadId_t tid;
	word begin, took;

	never = test_thread_inactive(L4_nilthread);
	tid = partner(receive_from, &never, L4_SCHEDRESULT_WAITING);
	begin = test_now_us();
	EXPECT_IPC_ERROR(test_send(tid, 1, 1, L4_TimePeriod(10 * MS)), 0, L4_IPC_TIMEOUT);
	took = test_now_us() - begin;
	EXPECT_GE(took, 9980);
	EXPECT_LE(took, 1000 * MS);
	test_delete(tid);
	test_delete(never);
}

static void call_times_out_in_its_receive(void)
{
	L4_ThreadId_t tid = partner(receive_from, &main_id, L4_SCHEDRESULT_WAITING);

	test_load(1, 1, 55, 0);
	EXPECT_IPC_ERROR(L4_Call_Timeouts(tid, L4_Never, L4_TimePeriod(5 * MS)), 1, L4_IPC_TIMEOUT);
	test_wait_flag(&finished, 1);
	EXPECT_EQ(result, 55);          /* the send phase had happened */
	test_delete(tid);
}

static void infinite_send_is_taken_later(void)
{
	L4_ThreadId_t tid = partner(send_word, (void *)31, L4_SCHEDRESULT_PENDING_SEND), from;

	test_sleep_us(10 * MS);
	EXPECT_EQ(finished, 0);
	EXPECT_IPC_OK(L4_Wait_Timeout(L4_ZeroTime, &from));
	EXPECT_EQ(test_mr(1), 31);
	test_wait_flag(&finished, 1);
	EXPECT_EQ(result, 0);
	test_delete(tid);
}

static void sleep_from_self(void)
{
	word begin = test_now_us();

	test_sleep_us(3 * MS);
	EXPECT_GE(test_now_us() - begin, 2990);
}

/* ---- Errors ------------------------------------------------------------------------------------------------- */

static void not_existing(void)
{
	static const word numbers[] = { 190, 200000, 1UL << L4_THREAD_BITS, 0xffffffff };
	/* It would be forgiven to wait; but not for ever, or the suite ends here. */
	L4_Time_t long_time = L4_TimePeriod(2000 * MS);
	unsigned int i;

	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		L4_ThreadId_t tid = L4_GlobalId(numbers[i], 1);

		EXPECT_IPC_ERROR(test_send(tid, 1, 0, long_time), 0, L4_IPC_NON_EXISTING);
		EXPECT_IPC_ERROR(L4_Receive_Timeout(tid, long_time), 1, L4_IPC_NON_EXISTING);
		test_load(1, 0, 0, 0);
		EXPECT_IPC_ERROR(L4_Call_Timeouts(tid, long_time, long_time), 0, L4_IPC_NON_EXISTING);
	}
	/* The wrong version of a thread that is there. */
	EXPECT_IPC_ERROR(test_send(L4_GlobalId(L4_ThreadNo(L4_MyGlobalId()), 99), 1, 0, long_time), 0,
	                 L4_IPC_NON_EXISTING);
	EXPECT_IPC_ERROR(test_send(L4_anythread, 1, 0, L4_ZeroTime), 0, L4_IPC_NON_EXISTING);
}

static void nothing_at_all(void)
{
	L4_ThreadId_t from = L4_anythread;

	EXPECT_IPC_OK(L4_Ipc(L4_nilthread, L4_nilthread, 0, &from));
}

static void impossible_tags(void)
{
	L4_ThreadId_t tid = partner(echo, 0, L4_SCHEDRESULT_WAITING);
	static const word tags[] = { 63 | 63 << 6, 1 | 63 << 6, 62 | 2 << 6, 1 << 6, 3 << 6, 0xffff, 0x7000 | 5 };
	unsigned int i;

	/* Too many words, typed items cut off, unknown item types, all flags: no panic, and the partner lives. */
	for (i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
		unsigned int n;

		for (n = 1; n < 64; n++)
			L4_LoadMR((int)n, 0xffffffffffffffff);
		L4_LoadMR(0, tags[i]);
		(void)L4_Call_Timeouts(tid, L4_TimePeriod(20 * MS), L4_TimePeriod(20 * MS));
	}
	test_delete(tid);
	tid = partner(echo, 0, L4_SCHEDRESULT_WAITING);
	EXPECT_IPC_OK(test_call(tid, 1, 1, 1));
	test_delete(tid);
}

static void impossible_timeouts(void)
{
	static const word times[] = { 0xffff, 0x8000, 0x7fff, 0xfc00, 0x0001, 0x7c01, 0xf801 };
	L4_ThreadId_t tid = partner(echo, 0, L4_SCHEDRESULT_WAITING);
	unsigned int i;

	for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		L4_ThreadId_t from;

		test_load(1, 1, i, 0);
		EXPECT_IPC_OK(L4_Ipc(tid, tid, times[i] << 16, &from));
	}
	test_delete(tid);
}

/* Propagation on behalf of a thread it has no right to: the receiver must see the true sender. */
static void false_propagation(void)
{
	L4_ThreadId_t outside = test_space(), from;
	static L4_ThreadId_t pretend;

	pretend = L4_GlobalId(L4_SIGMA0_TNO, 1);
	main_id = L4_MyGlobalId();
	started = 0;
	test_space_start(outside, echo, 0);
	test_wait_state(outside, L4_SCHEDRESULT_WAITING);
	L4_Set_VirtualSender(pretend);
	L4_LoadMR(0, 5UL << 16 | L4_TAG_PROPAGATED | 1);
	L4_LoadMR(1, 1);
	EXPECT_IPC_OK(L4_Ipc(outside, L4_anythread, L4_TimePeriod(500 * MS).raw, &from));
	EXPECT_EQ(from.raw, outside.raw);
	EXPECT_EQ(test_mr(1), 2);
	test_delete(outside);
}

static void receive_from_deleted(void)
{
	L4_ThreadId_t tid = test_thread_inactive(L4_nilthread);

	test_delete(tid);
	EXPECT_IPC_ERROR(L4_Receive_Timeout(tid, L4_TimePeriod(10 * MS)), 1, L4_IPC_NON_EXISTING);
}

static void error_tag(void)
{
	L4_ThreadId_t from;
	L4_MsgTag_t tag = L4_Wait_Timeout(L4_ZeroTime, &from);

	EXPECT(L4_IpcFailed(tag));
	EXPECT_EQ(L4_UntypedWords(tag), 0);
	EXPECT_EQ(L4_TypedWords(tag), 0);
}

/* Who waits to send to a thread that is deleted gets the error, and no message of theirs reaches the next thread of that number. */
static volatile word refused, strays;
static L4_ThreadId_t doomed;

static void send_to_doomed(void *arg)
{
	L4_MsgTag_t tag;

	(void)arg;
	tag = test_send(doomed, 5, 5, L4_Never);
	if (L4_IpcFailed(tag) && IPC_CODE(L4_ErrorCode()) == L4_IPC_NON_EXISTING)
		(void)__atomic_fetch_add(&refused, 1, __ATOMIC_RELAXED);
}

static void receive_strays(void *arg)
{
	L4_ThreadId_t from;

	(void)arg;
	while (L4_IpcSucceeded(L4_Wait_Timeout(L4_TimePeriod(20 * MS), &from)))
		strays++;
	finished = 1;
}

static void senders_of_the_dead(void)
{
	enum { N = 100 };
	static L4_ThreadId_t tid[N];
	L4_ThreadId_t next;
	unsigned int slot = test_new_slot();

	refused = strays = finished = 0;
	doomed = test_thread_inactive(L4_Myself());
	for (word i = 0; i < N; i++)
		tid[i] = test_thread(send_to_doomed, 0);
	for (word i = 0; i < N; i++)
		test_wait_state(tid[i], L4_SCHEDRESULT_PENDING_SEND);
	test_delete(doomed);
	next = L4_GlobalId(L4_ThreadNo(doomed), L4_Version(doomed) + 1);
	EXPECT_EQ(L4_ThreadControl(next, L4_Myself(), L4_Myself(), L4_Pager(), test_utcb(slot)), 1);
	test_start(next, receive_strays, 0);
	test_wait_flag(&finished, 1);
	test_wait_flag(&refused, N);
	EXPECT_EQ(strays, 0);
	test_delete(next);
	for (word i = 0; i < N; i++)
		test_delete(tid[i]);
}

const struct test tests[] = {
	{ .name = "impossible tags", .run = impossible_tags },
	{ .name = "impossible time-outs", .run = impossible_timeouts },
	{ .name = "partners that do not exist", .run = not_existing },
	{ .name = "no send and no receive", .run = nothing_at_all },
	{ .name = "propagation without the right to it", .run = false_propagation },
	{ .name = "receive from a deleted thread", .run = receive_from_deleted },
	{ .name = "senders to a deleted thread, and its number's next owner", .run = senders_of_the_dead },
	{ .name = "tag of an error", .run = error_tag },
	{ .name = "0 to 63 words within a space", .run = words_within_space },
	{ .name = "0 to 63 words between spaces", .run = words_between_spaces },
	{ .name = "20000 round trips", .run = many_round_trips },
	{ .name = "label of 48 bits", .run = full_label },
	{ .name = "registers survive", .run = registers_survive },
	{ .name = "closed receive takes its partner only", .run = closed_receive },
	{ .name = "no delivery to one that waits for another", .run = waits_for_another },
	{ .name = "nor with a zero time-out", .run = waits_for_another_zero },
	{ .name = "closed receive passes over the queue", .run = closed_receive_passes_over_queue },
	{ .name = "20 queued senders all arrive once", .run = queue_is_complete },
	{ .name = "anylocalthread", .run = any_local },
	{ .name = "destination by local id", .run = local_ids },
	{ .name = "a caller is answered with zero time-out", .run = reply_with_zero_timeout },
	{ .name = "reply-and-wait serves all", .run = reply_wait_serves_all },
	{ .name = "reply to one that does not wait", .run = reply_to_nobody },
	{ .name = "a caller gets only the reply", .run = caller_gets_only_the_reply },
	{ .name = "receive time-outs", .run = receive_timeouts },
	{ .name = "absolute time-outs", .run = absolute_timeouts },
	{ .name = "send time-outs", .run = send_timeouts },
	{ .name = "a call that times out in its receive", .run = call_times_out_in_its_receive },
	{ .name = "infinite send", .run = infinite_send_is_taken_later },
	{ .name = "sleep", .run = sleep_from_self },
	{ 0 }
};
