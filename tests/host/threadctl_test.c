/* SPDX-License-Identifier: BSD-2-Clause
 * Properties: whoever waits for an object of a thread that is deleted meanwhile is released, and the object that he asked for is
 * not taken for one of the thread's next life; an area stays where it is as long as a UTCB has its place in it, and no
 * thread is activated outside it. Guards threadctl.c, framectl.c and space.c: ThreadControl and SpaceControl against a checkpoint
 * server that answers late.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/activate.h"
#include "kernel/arch.h"
#include "kernel/chaos.h"
#include "kernel/ipc.h"
#include "kernel/irq.h"
#include "kernel/kernel.h"
#include "kernel/kip.h"
#include "kernel/memory.h"
#include "kernel/sched.h"
#include "kernel/space.h"
#include "kernel/syscall.h"
#include "kernel/mapdb.h"
#include <l4/framecontrol.h>

#define FRAMES          512ul
#define TABLES          256ul                   /* first pfn of the pool of page tables */
#define TABLE_COUNT     32u
#define NODE_COUNT      256u
#define ROOT            L4_ROOT_TNO
#define UTCB_AREA       0x400000ul
#define KIP_AREA        0x800000ul
#define UNPLACED        (~0ul)

/* ---- the rest of the kernel, as far as it is asked for ---- */

struct percpu percpu0;
u64 epoch = 1, ns_mult;
unsigned char *direct_map_base;
struct frame *frame_table;
pfn_t max_pfn = FRAMES;
int sched_ready_top;
static pfn_t next_frame = 1;

void *pool_alloc(size_t bytes) { return calloc(1, bytes); }
paddr_t kernel_page_alloc(void) { return next_frame++ << PAGE_SHIFT; }
bool store_page(pfn_t pfn) { return pfn < FRAMES; }
void printk(const char *fmt, ...) { (void)fmt; }
void residual_crash(const char *fmt, ...) { fail_msg("%s", fmt); abort(); }
void panic_at(const char *file, int line, const char *fmt, ...) { fail_msg("%s:%d: %s", file, line, fmt); abort(); }
void arch_guard(const void *page, bool writable) { (void)page; (void)writable; }
void arch_leave_space(void) { }
void arch_preemption_window(void) { }
void arch_stop(u32 how, u32 status) { fail_msg("stop %u %u", how, status); abort(); }
void fpu_disown(struct thread *t) { (void)t; }
bool fpu_area_valid(const u8 *area) { (void)area; return true; }
u64 clock_us(void) { return 1000; }
void clock_set(u64 us) { (void)us; }
void sched_set_timer(void) { }
void sched_unready(struct thread *t) { t->flags &= ~(u32)TF_READY; }
void sched_ready(struct thread *t) { t->flags |= TF_READY; }
void sched_switch(struct thread *t, bool keep) { (void)keep; sched_ready(t); }
void sched_block_current(void) { }
void ipc_dequeue(struct thread *t) { (void)t; }
void ipc_release_senders(struct thread *t) { (void)t; }
void ipc_partner_gone(void) { }
void ipc_kernel_message(struct thread *t) { (void)t; }
void ipc_wait_start(struct thread *t, tid_t pager) { (void)pager; t->tte->state = TS_RECV_PENDING; }
void irq_attach(u32 irq, struct thread *t) { (void)irq; (void)t; }
void irq_forget(const struct thread *t) { (void)t; }
void kip_set_generation(u64 generation) { (void)generation; }
void kip_set_store(u64 pages) { (void)pages; }
void kip_set_archive(vaddr_t base, u64 bytes) { (void)base; (void)bytes; }
void kip_set_boot(u64 counter, u64 entropy) { (void)counter; (void)entropy; }
long activate_threads(void) { return 0; }
int wakeup_reserve(u32 threads) { (void)threads; return 0; }
bool syscall_privileged(const struct thread *t) { (void)t; return true; }

void syscall_wait(struct thread *t, struct regs *f, const struct wants *w)
{
	(void)f;
	park(t, w);
}

void syscall_fail(struct thread *t, struct regs *f, u32 error)
{
	f->rax = 0;
	t->utcb->error_code = error;
}

bool syscall_refused(struct thread *t)
{
	bool refused = t->flags & TF_OUT_OF_MEMORY;

	t->flags &= ~(u32)TF_OUT_OF_MEMORY;
	return refused;
}

/* ---- a root task of three threads, and the checkpoint server ---- */

#define ALICE           (ROOT + 1)
#define BOB             (ROOT + 2)
#define DAVE            (ROOT + 3)

static pfn_t given[4];                          /* the frame that each object of Dave's was given, by type */

static tid_t id(u32 number)
{
	return tid_make(number, 1);
}

/* One operation of ckptserver. */
static long operation(u64 op, u64 name, u64 argument)
{
	struct thread *server = thread_at(L4_SIGMA0_TNO);
	struct regs f = { .rdi = 1 };

	server->utcb->mr[0] = op << L4_FC_OP_SHIFT | name;
	server->utcb->mr[1] = argument;
	sys_frame_control(server, &f);
	assert_int_equal(f.rax, 1);
	return (long)server->utcb->mr[0];
}

static long supply_fresh(u32 object)
{
	pfn_t f = next_frame++;
	long r;

	assert_true(next_frame < TABLES);
	memset(phys_to_virt(f << PAGE_SHIFT), 0, PAGE_SIZE);
	r = operation(L4_FC_SUPPLY_FRESH, object, f);
	if (r == L4_FC_OK)
		given[L4_OBJ_TYPE(object)] = f;
	return r;
}

/* ckptserver reads one event: its word, 0: there is none. A discard has two, of which this is the first. */
static u64 event(void)
{
	u64 word[2];

	return event_take(word, 1) || event_take(word, 2) ? word[0] : 0;
}

static void forget_events(void)
{
	while (event())
		;
}

static u64 ev(u64 type, u64 name)
{
	return type << L4_EV_SHIFT | name;
}

/* One try of a call by that thread: its result, 0 if it waits. */
static u64 control(u32 caller, tid_t dest, tid_t space, tid_t scheduler, tid_t pager, u64 utcb)
{
	struct regs f = { .rdi = dest, .rsi = pager, .rdx = scheduler, .r8 = space, .r9 = utcb };

	assert_false(thread_at(caller)->flags & TF_PARKED);
	sys_thread_control(thread_at(caller), &f);
	return f.rax;
}

static u64 areas(tid_t space, u64 kip, u64 utcb)
{
	struct regs f = { .rdi = space, .rdx = kip, .r8 = utcb, .r9 = L4_NILTHREAD };

	thread_at(ROOT)->utcb->error_code = 0;
	sys_space_control(thread_at(ROOT), &f);
	return f.rax;
}

static u64 error(u32 caller)
{
	return thread_at(caller)->utcb->error_code;
}

static bool waits(u32 caller)
{
	return thread_at(caller)->flags & TF_PARKED;
}

/* The caller makes its call until it has a result; ckptserver answers at once. */
static u64 complete(u32 caller, tid_t dest, tid_t space, tid_t scheduler, tid_t pager, u64 utcb)
{
	u64 r, word;

	for (;;) {
		r = control(caller, dest, space, scheduler, pager, utcb);
		if (!waits(caller))
			return r;
		while ((word = event()))
			if (word >> L4_EV_SHIFT == L4_EV_FRESH)
				assert_int_equal(supply_fresh((u32)word), L4_FC_OK);
	}
}

static u64 fpage(u64 base, u64 bits)
{
	return base | bits << 4;
}

/* Dave exists in a space of his own, is not active, and has no place. */
static void make_dave(void)
{
	assert_int_equal(complete(ROOT, id(DAVE), id(DAVE), id(ROOT), L4_NILTHREAD, UNPLACED), 1);
	assert_int_equal(areas(id(DAVE), fpage(KIP_AREA, 12), fpage(UTCB_AREA, 16)), 1);
}

static void delete_dave(u32 caller)
{
	assert_int_equal(complete(caller, id(DAVE), L4_NILTHREAD, L4_NILTHREAD, L4_NILTHREAD, UNPLACED), 1);
	while (space_reap())
		;
}

static u64 activate_dave(u32 caller)
{
	return control(caller, id(DAVE), id(DAVE), id(ROOT), id(ROOT), UTCB_AREA);
}

/* ---- deletion and objects that are asked for ---- */

static void who_activates_a_thread_learns_of_its_deletion(void **state)
{
	(void)state;
	make_dave();
	activate_dave(ALICE);
	assert_true(waits(ALICE));
	assert_int_equal(event(), ev(L4_EV_FRESH, L4_OBJ(L4_OBJ_UTCB, DAVE)));  /* no frame for it: the answer must wait */
	delete_dave(BOB);
	assert_false(waits(ALICE));
	forget_events();
}

static void a_question_unread_at_the_deletion_comes_to_nothing(void **state)
{
	(void)state;
	make_dave();
	activate_dave(ALICE);
	delete_dave(BOB);
	/* The discard would take the object away that the question before it brought. */
	assert_int_equal(event(), ev(L4_EV_DISCARD, L4_OBJ(L4_OBJ_TCB, DAVE)));
	forget_events();
	assert_false(waits(ALICE));
}

static void a_late_answer_is_not_for_the_next_life(void **state)
{
	(void)state;
	make_dave();
	activate_dave(ALICE);
	assert_int_equal(event(), ev(L4_EV_FRESH, L4_OBJ(L4_OBJ_UTCB, DAVE)));
	delete_dave(BOB);
	/* Before the discard is read a frame is free, and the object is brought. */
	assert_int_equal(supply_fresh(L4_OBJ(L4_OBJ_UTCB, DAVE)), L4_FC_BAD_STATE);
	assert_int_equal(supply_fresh(L4_OBJ(L4_OBJ_TCB, DAVE)), L4_FC_BAD_STATE);
	assert_null(thread_at(DAVE)->utcb);
	forget_events();
	make_dave();
	activate_dave(ALICE);
	assert_int_equal(event(), ev(L4_EV_FRESH, L4_OBJ(L4_OBJ_UTCB, DAVE)));
	assert_int_equal(supply_fresh(L4_OBJ(L4_OBJ_UTCB, DAVE)), L4_FC_OK);
	assert_false(waits(ALICE));
	assert_int_equal(activate_dave(ALICE), 1);
	assert_int_equal(virt_to_phys(thread_at(DAVE)->utcb) >> PAGE_SHIFT, given[L4_OBJ_UTCB]);
	delete_dave(BOB);
	forget_events();
}

/* ---- areas ---- */

static void areas_stay_below_a_placed_thread(void **state)
{
	(void)state;
	make_dave();
	assert_int_equal(areas(id(DAVE), fpage(KIP_AREA, 12), fpage(UTCB_AREA, 14)), 1);        /* nobody has a place yet */
	assert_int_equal(areas(id(DAVE), fpage(KIP_AREA, 12), fpage(UTCB_AREA, 16)), 1);
	assert_int_equal(complete(ROOT, id(DAVE), id(DAVE), id(ROOT), L4_NILTHREAD, UTCB_AREA + 5 * PAGE_SIZE), 1);
	assert_int_equal(areas(id(DAVE), fpage(KIP_AREA, 12), fpage(UTCB_AREA, 14)), 0);        /* smaller */
	assert_int_equal(error(ROOT), L4_ERR_UTCB_AREA);
	assert_int_equal(areas(id(DAVE), fpage(KIP_AREA, 12), fpage(UTCB_AREA + 0x100000, 16)), 0);     /* elsewhere */
	assert_int_equal(error(ROOT), L4_ERR_UTCB_AREA);
	assert_int_equal(areas(id(DAVE), fpage(UTCB_AREA, 12), fpage(UTCB_AREA, 16)), 0);
	assert_int_equal(error(ROOT), L4_ERR_KIP_AREA);
	assert_int_equal(space_at(thread_at(DAVE)->tte->space)->utcb_base, UTCB_AREA);
	assert_int_equal(space_at(thread_at(DAVE)->tte->space)->utcb_size, 0x10000);
	/* What leaves it where it is may be said again, and it may grow. */
	assert_int_equal(areas(id(DAVE), fpage(KIP_AREA, 12), fpage(UTCB_AREA, 16)), 1);
	assert_int_equal(areas(id(DAVE), fpage(KIP_AREA, 12), fpage(UTCB_AREA, 17)), 1);
	assert_int_equal(complete(ROOT, id(DAVE), id(DAVE), id(ROOT), id(ROOT), UNPLACED), 1);
	assert_int_equal(thread_at(DAVE)->tcb->utcb_mr, UTCB_AREA + 5 * PAGE_SIZE + 512);
	/* With an active thread areas are ignored (X.2). */
	assert_int_equal(areas(id(DAVE), fpage(KIP_AREA, 12), fpage(UTCB_AREA, 14)), 1);
	assert_int_equal(space_at(thread_at(DAVE)->tte->space)->utcb_size, 0x20000);
	delete_dave(BOB);
	forget_events();
}

/* As a damaged disk may have it. */
static void no_thread_is_activated_outside_the_area(void **state)
{
	(void)state;
	make_dave();
	assert_int_equal(complete(ROOT, id(DAVE), id(DAVE), id(ROOT), L4_NILTHREAD, UTCB_AREA), 1);
	thread_at(DAVE)->tte->slot = 900;
	assert_int_equal(complete(ROOT, id(DAVE), id(DAVE), id(ROOT), id(ROOT), UNPLACED), 0);
	assert_int_equal(error(ROOT), L4_ERR_UTCB_AREA);
	thread_at(DAVE)->tte->slot = 0;
	delete_dave(BOB);
	forget_events();
}

/* ---- */

static void *page(void)
{
	return phys_to_virt(kernel_page_alloc());
}

static int set_up(void **state)
{
	size_t meta = mapdb_meta_size(TABLE_COUNT, NODE_COUNT);
	static u64 pml4[512];

	(void)state;
	direct_map_base = aligned_alloc(PAGE_SIZE, FRAMES * PAGE_SIZE);
	memset(direct_map_base, 0, FRAMES * PAGE_SIZE);
	frame_table = calloc(FRAMES, sizeof *frame_table);
	ptab_init(pml4);
	mapdb_init(TABLES << PAGE_SHIFT, TABLE_COUNT, aligned_alloc(16, (meta + 15) & ~15ul), NODE_COUNT);
	assert_int_equal(thread_add_table(0, page(), true), 0);
	sigma0_thread = thread_at(L4_SIGMA0_TNO);
	*sigma0_thread->tte = (struct tte){ .version = 1, .flags = TTE_EXISTS | TTE_ACTIVE, .space = L4_SIGMA0_SPACE };
	sigma0_thread->utcb = page();
	assert_int_equal(supply_fresh(L4_OBJ(L4_OBJ_TABLE, 1)), L4_FC_OK);
	/* As genesis makes it; then the root task makes two more threads. */
	for (u32 i = ROOT; i <= BOB; i++) {
		assert_int_equal(supply_fresh(L4_OBJ(L4_OBJ_TCB, i)), L4_FC_OK);
		assert_int_equal(supply_fresh(L4_OBJ(L4_OBJ_UTCB, i)), L4_FC_OK);
	}
	assert_int_equal(supply_fresh(L4_OBJ(L4_OBJ_SPACE, L4_FIRST_SPACE)), L4_FC_OK);
	assert_int_equal(control(L4_SIGMA0_TNO, id(ROOT), id(ROOT), id(ROOT), L4_NILTHREAD, UNPLACED), 1);
	assert_int_equal(areas(id(ROOT), fpage(KIP_AREA, 12), fpage(UTCB_AREA, 16)), 1);
	assert_int_equal(control(L4_SIGMA0_TNO, id(ROOT), id(ROOT), id(ROOT), id(L4_SIGMA0_TNO), UNPLACED), 1);
	assert_int_equal(control(ROOT, id(ALICE), id(ROOT), id(ROOT), id(ROOT), UNPLACED), 1);
	assert_int_equal(control(ROOT, id(BOB), id(ROOT), id(ROOT), id(ROOT), UNPLACED), 1);
	forget_events();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_activates_a_thread_learns_of_its_deletion),
		cmocka_unit_test(a_question_unread_at_the_deletion_comes_to_nothing),
		cmocka_unit_test(a_late_answer_is_not_for_the_next_life),
		cmocka_unit_test(areas_stay_below_a_placed_thread),
		cmocka_unit_test(no_thread_is_activated_outside_the_area),
	};

	return cmocka_run_group_tests_name("threadctl", tests, set_up, NULL);
}
