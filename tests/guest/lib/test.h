/* SPDX-License-Identifier: BSD-2-Clause
 * Framework of the in-guest tests.
 *
 * A suite is a root task: it is started in place of the pager, is privileged, and has the whole store below it
 * with sigma0 as its pager. It prints TAP with the prefix "T> " through the kernel's debug services, so it needs
 * no console, and ends the emulator by EXIT (TEST_EXIT_PASS or TEST_EXIT_FAIL).
 *
 * A suite defines `const char test_suite[]` and the table `const struct test tests[]`, closed by an entry
 * without a name. A test that makes no check fails. EXPECT notes a failure and goes on, REQUIRE ends the test;
 * both print expected and actual value. EXPECT may be used by any thread of the root's space and of the test
 * spaces (which share all memory of the root one to one); REQUIRE only by the thread that runs the test.
 *
 * Persistence tests give a `setup` as well: all set-ups run first, a checkpoint is committed, the harness kills
 * the machine and boots it again, and then the `run` functions judge what came back.
 */
#ifndef TEST_H
#define TEST_H

#include <l4/types.h>
#include <l4/thread.h>
#include <l4/ipc.h>
#include <l4/message.h>
#include <l4/space.h>
#include <l4/schedule.h>
#include <l4/kip.h>
#include <l4/abi.h>

#define TEST_EXIT_PASS          0x10
#define TEST_EXIT_FAIL          0x11
#define TEST_STACK              16384

typedef L4_Word_t word;

struct test {
	const char *name;
	void (*run)(void);
	const char *skip;               /* reason why it is not run, or 0 */
	void (*setup)(void);            /* persistence suites only */
};

extern const char test_suite[];
extern const struct test tests[];

/* ---- Checks ------------------------------------------------------------------------------------ */
/* Count a check; on failure print expression, actual and expected value. True if it holds. */
int test_check(const char *file, int line, const char *what, int holds, word actual, word expected);
/* End the running test (after a failed REQUIRE). Does not return. */
void test_abort(void) __attribute__((noreturn));

#define EXPECT(cond)            test_check(__FILE__, __LINE__, #cond, !!(cond), 0, 1)
#define EXPECT_EQ(actual, expected) \
	({ word a_ = (word)(actual), e_ = (word)(expected); \
	   test_check(__FILE__, __LINE__, #actual " == " #expected, a_ == e_, a_, e_); })
#define EXPECT_GE(actual, least) \
	({ word a_ = (word)(actual), e_ = (word)(least); \
	   test_check(__FILE__, __LINE__, #actual " >= " #least, a_ >= e_, a_, e_); })
#define EXPECT_LE(actual, most) \
	({ word a_ = (word)(actual), e_ = (word)(most); \
	   test_check(__FILE__, __LINE__, #actual " <= " #most, a_ <= e_, a_, e_); })
#define REQUIRE(cond)           do { if (!EXPECT(cond)) test_abort(); } while (0)
#define REQUIRE_EQ(a, e)        do { if (!EXPECT_EQ(a, e)) test_abort(); } while (0)

/* Print a remark ("T> # text value"). */
void test_note(const char *text, word value);
/* Print a line as it is; one call of the kernel's debug services, so that no other line gets into it. */
void test_print(const char *line);
/* "name=value" of a benchmark: [bench] name=… value=… unit=… */
void test_bench(const char *name, word value, const char *unit);

/* ---- Threads -------------------------------------------------------------------------------------- */
/* A thread number that was not used before in this run, as an id of version 1. */
L4_ThreadId_t test_new_id(void);
/* Address of a UTCB slot in the area of the running space; slot 0 is the first thread's. */
void *test_utcb(unsigned int slot);
/* A free UTCB slot of the root space; it stays free until it is claimed (by test_thread too). */
unsigned int test_new_slot(void);
void test_claim_slot(unsigned int slot, L4_ThreadId_t tid);
/* Start fn(arg) as a thread of the root space; when fn returns it sleeps for ever. Never fails: a refusal ends
 * the test. The pager is sigma0, the scheduler this thread. */
L4_ThreadId_t test_thread(void (*fn)(void *), void *arg);
/* The same, but created only: inactive until ExchangeRegisters or a start message from `pager` (nilthread:
 * stays inactive). */
L4_ThreadId_t test_thread_inactive(L4_ThreadId_t pager);
/* Top of a fresh stack, ready for test_entry (fn and arg stored). */
word test_stack(void (*fn)(void *), void *arg);
/* Start an existing thread of the root space at fn(arg) by ExchangeRegisters. */
void test_start(L4_ThreadId_t tid, void (*fn)(void *), void *arg);
/* Delete; EXPECTs success. */
void test_delete(L4_ThreadId_t tid);
/* Wait until Schedule reports this state (L4_SCHEDRESULT_*) for a thread, five seconds, or up to a minute where little gets done
 * in that time: 1, or 0 and a failed check. So no test depends on who runs first. */
int test_wait_state(L4_ThreadId_t tid, word state);
/* Wait until *flag reaches at least this value: as above. */
int test_wait_flag(volatile word *flag, word least);
/* Whether two ids name the same thread of this space, whichever kind of id each is. */
int test_same(L4_ThreadId_t a, L4_ThreadId_t b);

/* ---- Spaces --------------------------------------------------------------------------------------- */
/* A test space: all memory of the root is demand-mapped into it one to one by test_pager(). */
#define TEST_KIP                0xbff00000UL
#define TEST_UTCBS              0xbf000000UL
#define TEST_UTCB_LOG2          16          /* 16 threads */

/* Create a thread in a new space (SpaceControl done), inactive until test_space_start. */
L4_ThreadId_t test_space(void);
/* The same with a UTCB area for as many threads as a space may have; slot n at TEST_MANY_UTCBS + n * L4_UTCB_SIZE. */
#define TEST_MANY               960
#define TEST_MANY_UTCBS         0x80000000UL
#define TEST_MANY_UTCB_LOG2     22
L4_ThreadId_t test_space_many(void);
/* One more thread in the space of `first`; slot 1..15. */
L4_ThreadId_t test_space_thread(L4_ThreadId_t first, unsigned int slot);
/* Activate with test_pager() as pager and start fn(arg). */
void test_space_start(L4_ThreadId_t tid, void (*fn)(void *), void *arg);
/* The same with its UTCB at any place of the space's area. */
void test_space_start_at(L4_ThreadId_t tid, word utcb, void (*fn)(void *), void *arg);
/* The same on a stack of the caller's: at sp stand fn and arg. */
void test_space_start_on(L4_ThreadId_t tid, word utcb, word sp);
/* Map the page to a new test space, at one place each in as many regions of 1 GiB as there are, and so on: the kernel's page tables run
 * out, and mappings go to make room. *taken: how many map items were. The space's thread waits for more. */
L4_ThreadId_t test_map_far(word *page, word count, word *taken);
/* The thread that answers the faults of test spaces. */
L4_ThreadId_t test_pager(void);
/* Another one, in a space of its own whose faults `pager` answers: what it maps on it has from there. */
L4_ThreadId_t test_pager_under(L4_ThreadId_t pager);
/* As test_space_start, with the first UTCB, but with such a pager. */
void test_space_start_under(L4_ThreadId_t pager, L4_ThreadId_t tid, void (*fn)(void *), void *arg);
/* Faults it has answered so far; faults at addresses that are not the root's memory (those threads stay
 * in their fault for ever), and the last such address. */
extern volatile word test_faults, test_bad_faults, test_bad_address;

/* ---- Time, memory, checkpoints ----------------------------------------------------------------------- */
word test_now_us(void);
void test_sleep_us(word us);
/* Fresh, page-aligned, never touched memory of the root's store. */
void *test_pages(unsigned int count);
/* Force a checkpoint and wait until it is committed: its generation, 0 on error. */
word test_checkpoint(void);
/* Number of this boot. */
word test_boot(void);
/* Ask the harness by a line ("[test] kill N", "[test] kill N crashes=K") to kill the machine; returns in a boot
 * other than `boot`. */
void test_wait_boot(const char *request, word boot);
/* End of the run. */
void test_exit(word status) __attribute__((noreturn));

/* A deterministic random stream. */
word test_random(word *state);

/* Messages: load tag (label, untyped words) and up to three words, and send/call without time limit. */
L4_MsgTag_t test_call(L4_ThreadId_t to, word label, word w1, word w2);
L4_MsgTag_t test_send(L4_ThreadId_t to, word label, word w1, L4_Time_t timeout);
void test_load(word label, unsigned int untyped, word w1, word w2);
word test_mr(int i);

/* Error word of an IPC: phase (0 send, 1 receive) and code of the last failed IPC of this thread. */
#define IPC_PHASE(ec)           ((ec) & 1)
#define IPC_CODE(ec)            (((ec) >> 1) & 7)
/* EXPECT that an IPC failed in this phase with this code; that it succeeded. */
#define EXPECT_IPC_ERROR(tag, phase, code) \
	test_ipc_failed(__FILE__, __LINE__, #tag, tag, phase, code)
#define EXPECT_IPC_OK(tag) \
	test_ipc_ok(__FILE__, __LINE__, #tag, tag)
/* EXPECT that a system call returned 0 with this error code. */
#define EXPECT_REFUSED(result, code) \
	test_refused(__FILE__, __LINE__, #result, result, code)
int test_ipc_failed(const char *file, int line, const char *what, L4_MsgTag_t tag, word phase, word code);
int test_ipc_ok(const char *file, int line, const char *what, L4_MsgTag_t tag);
int test_refused(const char *file, int line, const char *what, word result, word code);

#endif
