/* SPDX-License-Identifier: BSD-2-Clause
 * Property: SpaceControl (X.2 4.3) places KIP and UTCB area of an empty space, only for the privileged; bad areas
 * give their error codes and leave the space usable; so do areas that would move a UTCB. Guards kernel/space.c, threadctl.c.
 */
#include "test.h"

const char test_suite[] = "spacecontrol";

static L4_ThreadId_t bare_space(void)
{
	L4_ThreadId_t tid = test_new_id();

	REQUIRE_EQ(L4_ThreadControl(tid, tid, L4_Myself(), L4_nilthread, (void *)-1), 1);
	return tid;
}

static word control(L4_ThreadId_t space, L4_Fpage_t kip, L4_Fpage_t utcbs)
{
	word old;

	return L4_SpaceControl(space, 0, kip, utcbs, L4_nilthread, &old);
}

static volatile word result, error, finished;

static void unprivileged(void *arg)
{
	result = control(*(L4_ThreadId_t *)arg, L4_FpageLog2(TEST_KIP, 12), L4_FpageLog2(TEST_UTCBS, 16));
	error = L4_ErrorCode();
	finished = 1;
}

static void no_privilege(void)
{
	static L4_ThreadId_t victim;
	L4_ThreadId_t space = test_space();

	victim = bare_space();
	finished = 0;
	test_space_start(space, unprivileged, &victim);
	test_wait_flag(&finished, 1);
	EXPECT_EQ(result, 0);
	EXPECT_EQ(error, L4_ERR_NO_PRIVILEGE);
	test_delete(space);
	test_delete(victim);
}

static void unknown_space(void)
{
	L4_Fpage_t kip = L4_FpageLog2(TEST_KIP, 12), utcbs = L4_FpageLog2(TEST_UTCBS, 16);

	EXPECT_REFUSED(control(L4_nilthread, kip, utcbs), L4_ERR_INVALID_SPACE);
	EXPECT_REFUSED(control(L4_anythread, kip, utcbs), L4_ERR_INVALID_SPACE);
	EXPECT_REFUSED(control(L4_GlobalId(190, 1), kip, utcbs), L4_ERR_INVALID_SPACE);
	EXPECT_REFUSED(control(L4_GlobalId(1UL << L4_THREAD_BITS, 1), kip, utcbs), L4_ERR_INVALID_SPACE);
}

static void residual_space(void)
{
	L4_Fpage_t kip = L4_FpageLog2(TEST_KIP, 12), utcbs = L4_FpageLog2(TEST_UTCBS, 16);

	EXPECT_EQ(control(L4_GlobalId(L4_SIGMA0_TNO, 1), kip, utcbs), 0);
	EXPECT(test_boot() != 0);
}

static void bad_areas(void)
{
	L4_ThreadId_t tid = bare_space();
	L4_Fpage_t kip = L4_FpageLog2(TEST_KIP, 12), utcbs = L4_FpageLog2(TEST_UTCBS, 16);

	EXPECT_REFUSED(control(tid, kip, L4_Nilpage), L4_ERR_UTCB_AREA);
	EXPECT_REFUSED(control(tid, kip, L4_FpageLog2(TEST_UTCBS, 11)), L4_ERR_UTCB_AREA);
	EXPECT_REFUSED(control(tid, kip, L4_FpageLog2(0xffffffff80000000, 16)), L4_ERR_UTCB_AREA);
	EXPECT_REFUSED(control(tid, kip, L4_FpageLog2(0, 48)), L4_ERR_UTCB_AREA);
	EXPECT_REFUSED(control(tid, L4_Nilpage, utcbs), L4_ERR_KIP_AREA);
	EXPECT_REFUSED(control(tid, L4_FpageLog2(TEST_KIP, 11), utcbs), L4_ERR_KIP_AREA);
	EXPECT_REFUSED(control(tid, L4_FpageLog2(0xfffffffffff00000, 12), utcbs), L4_ERR_KIP_AREA);
	/* One inside the other. */
	EXPECT_EQ(control(tid, L4_FpageLog2(TEST_UTCBS, 12), utcbs), 0);
	/* And still it can be used. */
	EXPECT_EQ(control(tid, kip, utcbs), 1);
	test_delete(tid);
}

/* Its place was given, so there it stays, though it is not active yet. */
static void placed_thread_keeps_its_place(void)
{
	L4_ThreadId_t tid = bare_space();
	L4_Fpage_t kip = L4_FpageLog2(TEST_KIP, 12);

	REQUIRE_EQ(control(tid, kip, L4_FpageLog2(TEST_UTCBS, 16)), 1);
	REQUIRE_EQ(L4_ThreadControl(tid, tid, L4_Myself(), L4_nilthread, (void *)(TEST_UTCBS + 9 * L4_UTCB_SIZE)), 1);
	EXPECT_REFUSED(control(tid, kip, L4_FpageLog2(TEST_UTCBS, 15)), L4_ERR_UTCB_AREA);
	EXPECT_REFUSED(control(tid, kip, L4_FpageLog2(TEST_UTCBS - 0x100000, 16)), L4_ERR_UTCB_AREA);
	/* The last page there is: nothing but the first slot would be an address of a user. */
	EXPECT_REFUSED(control(tid, kip, L4_FpageLog2(0x7ffffffff000, 12)), L4_ERR_UTCB_AREA);
	EXPECT_EQ(control(tid, kip, L4_FpageLog2(TEST_UTCBS, 16)), 1);
	EXPECT_EQ(control(tid, kip, L4_FpageLog2(TEST_UTCBS, 17)), 1);
	EXPECT_EQ(L4_ThreadControl(tid, tid, L4_Myself(), test_pager(), (void *)-1), 1);
	test_delete(tid);
}

static volatile word seen_kip, seen_utcb;

static void look(void *arg)
{
	(void)arg;
	seen_kip = (word)L4_GetKernelInterface();
	seen_utcb = L4_MyLocalId().raw;
	finished = 1;
}

static void areas_elsewhere(void)
{
	L4_ThreadId_t tid = bare_space();

	REQUIRE_EQ(control(tid, L4_FpageLog2(0x7ff000000000, 12), L4_FpageLog2(0x123456000, 13)), 1);
	finished = 0;
	test_space_start_at(tid, 0x123457000, look, 0);
	test_wait_flag(&finished, 1);
	EXPECT_EQ(seen_kip, 0x7ff000000000);
	EXPECT_EQ(seen_utcb, 0x123457000 + L4_UTCB_MR_OFFSET);
	test_delete(tid);
}

static void active_space_keeps_areas(void)
{
	L4_ThreadId_t tid = test_space();

	finished = 0;
	test_space_start(tid, look, 0);
	test_wait_flag(&finished, 1);
	(void)control(tid, L4_FpageLog2(0x50000000, 12), L4_FpageLog2(0x51000000, 16));
	finished = 0;
	/* Whatever it answered: a second thread of the space still finds everything in its place. */
	tid = test_space_thread(tid, 2);
	test_space_start(tid, look, 0);
	test_wait_flag(&finished, 1);
	EXPECT_EQ(seen_kip, TEST_KIP);
	EXPECT_EQ(seen_utcb, TEST_UTCBS + 2 * L4_UTCB_SIZE + L4_UTCB_MR_OFFSET);
}

const struct test tests[] = {
	{ .name = "unprivileged caller", .run = no_privilege },
	{ .name = "unknown space", .run = unknown_space },
	{ .name = "a residual space cannot be touched", .run = residual_space },
	{ .name = "bad areas", .run = bad_areas },
	{ .name = "a thread that has its place keeps it", .run = placed_thread_keeps_its_place },
	{ .name = "areas at unusual addresses", .run = areas_elsewhere },
	{ .name = "an active space keeps its areas", .run = active_space_keeps_areas },
	{ 0 }
};
