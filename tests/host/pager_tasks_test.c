/* SPDX-License-Identifier: BSD-2-Clause
 * Property: whatever tasks ask for, fault on and die of, in whatever order, while workers are still busy with their pages, the
 * pager answers only threads that live, shows each task only its own memory, and gets back all memory, numbers and
 * names in the end. Guards pager/{task,thread,fault,worker,names,share,program,*req}.c.
 *
 * The kernel is a table of threads here; messages of the pager are recorded; workers are played by the test, which finishes
 * their jobs when it likes.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <l4/exception.h>
#include <l4/ipc.h>
#include <l4/task.h>

#include "pager/exception.h"
#include "pager/fault.h"
#include "pager/limits.h"
#include "pager/names.h"
#include "pager/object.h"
#include "pager/program.h"
#include "pager/reply.h"
#include "pager/request.h"
#include "pager/store.h"
#include "pager/task.h"
#include "pager/thread.h"
#include "pager/worker.h"

#define PAGES 8192U

static uint64_t seed = 88172645463325252ULL;

static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* ---- a kernel ---------------------------------------------------------------------------------------- */

static uint64_t kernel_thread[THREAD_NUMBERS];          /* global id, or 0 */
static uint64_t kernel_space[THREAD_NUMBERS];           /* some number per space */
static unsigned kernel_threads;
static uint64_t spaces;
static unsigned refuse_in;                              /* refuse the n-th ThreadControl from now; 0: none */

static L4_Word_t utcb[1024];

L4_Word_t *__L4_X86_Utcb(void)
{
	return utcb + 64;
}

/* Arguments in the stub's registers: rdi dest, rsi pager, rdx scheduler, (rcx), r8 space, r9 utcb. */
static __attribute__((force_align_arg_pointer)) L4_Word_t
thread_control(L4_Word_t dest, L4_Word_t pager, L4_Word_t scheduler, L4_Word_t unused, L4_Word_t space, L4_Word_t where)
{
	L4_Word_t number = dest >> 32;

	(void)pager, (void)scheduler, (void)unused;
	if (refuse_in && !--refuse_in && space) {
		utcb[64 + L4_TCR_ERROR_CODE] = L4_ERR_NO_MEM;
		return 0;
	}
	assert_true(number < THREAD_NUMBERS && dest & 63);
	if (!space) {
		assert_int_equal(kernel_thread[number], dest);
		kernel_thread[number] = 0;
		kernel_threads--;
		return 1;
	}
	if (number < THREAD_FIRST)
		return 1;
	if (!kernel_thread[number]) {
		kernel_thread[number] = dest;
		kernel_threads++;
		kernel_space[number] = space == dest ? ++spaces : kernel_space[space >> 32];
	}
	assert_int_equal(kernel_thread[number], dest);
	assert_int_equal(kernel_thread[space >> 32], space);
	assert_int_equal(kernel_space[number], kernel_space[space >> 32]);
	if (where != (L4_Word_t)-1)
		assert_true(where >= TASK_UTCB_BASE && where < TASK_UTCB_BASE + 960 * 4096UL && !(where & 4095));
	return 1;
}

static __attribute__((force_align_arg_pointer)) L4_Word_t yes(void)
{
	return 1;
}

void ipc_stub(void);
__asm__("ipc_stub: xorl %r9d, %r9d; ret");

__L4_Ipc_t __L4_Ipc = ipc_stub;
__L4_ThreadControl_t __L4_ThreadControl = (__L4_ThreadControl_t)thread_control;
__L4_SpaceControl_t __L4_SpaceControl = (__L4_SpaceControl_t)yes;
__L4_Schedule_t __L4_Schedule = (__L4_Schedule_t)yes;
__L4_ExchangeRegisters_t __L4_ExchangeRegisters = (__L4_ExchangeRegisters_t)yes;
__L4_ThreadInfo_t __L4_ThreadInfo = (__L4_ThreadInfo_t)yes;

/* ---- what the pager's other files do ------------------------------------------------------------------- */

struct mem store_mem;
static uint8_t *arena;
static int quiet = 1;

void say(const char *format, ...);
void say(const char *format, ...)
{
	if (!quiet)
		puts(format);
}

size_t strlcpy(char *to, const char *from, size_t room)
{
	return (size_t)snprintf(to, room, "%s", from);
}

void store_revoke(uint32_t first, uint32_t count)
{
	assert_true(first < PAGES && count <= PAGES - first);
}

void store_clear(uint32_t first, uint32_t count)
{
	store_revoke(first, count);
	memset(mem_pointer(&store_mem, first), 0, count * MEM_PAGE);
}

int store_discard(uint32_t first, uint32_t count)
{
	store_clear(first, count);
	return 1;
}

static struct { L4_Word_t word[8]; int busy; } job[LIMIT_WORKERS];
static int begins_anew;
static unsigned stopped_count;
static struct { uint64_t to; long error; L4_Word_t result, more[31]; uint64_t map_page, map_rights; int map; unsigned count, words; } answer;

static int alive(L4_ThreadId_t id)
{
	return kernel_thread[L4_ThreadNo(id)] == id.raw;
}

void reply_message(L4_ThreadId_t to, L4_Word_t label, const L4_Word_t *words, unsigned count)
{
	unsigned i = (unsigned)L4_ThreadNo(to) - THREAD_WORKER_BASE;

	(void)label;
	assert_true(worker_is(to));
	assert_false(job[i].busy);
	if (count == L4_EXC_RFLAGS) {           /* registers: it begins anew */
		begins_anew = 1;
		return;
	}
	job[i].busy = 1;
	memcpy(job[i].word, words, count * sizeof *words);
}

void reply_words(L4_ThreadId_t to, long error, const L4_Word_t *words, unsigned count)
{
	assert_true(alive(to));
	answer.to = to.raw;
	answer.error = error;
	answer.result = count ? words[0] : 0;
	memcpy(answer.more, words + 1, count > 1 ? (count - 1) * sizeof *words : 0);
	answer.words = count;
	answer.map = 0;
	answer.count++;
}

static int nobody_waits;

int reply_flush(void)
{
	return !nobody_waits;
}

void reply_map(L4_ThreadId_t to, L4_Word_t page, L4_Word_t address, L4_Word_t rights)
{
	assert_true(alive(to));
	assert_true(page && page < PAGES && !(address & 4095) && rights);
	answer.to = to.raw;
	answer.map = 1;
	answer.map_page = page;
	answer.map_rights = rights;
	answer.count++;
}

void reply_damaged(L4_ThreadId_t to)
{
	assert_true(alive(to));
	answer.to = to.raw;
	answer.map = 0;
	answer.count++;
	stopped_count++;
}

/* ---- an archive ------------------------------------------------------------------------------------------- */

static struct { Elf64_Ehdr h; Elf64_Phdr p[2]; uint8_t text[5000], data[3000]; } program_file;
static uint8_t archive[32768];

static void archive_make(void)
{
	unsigned sum = 0;

	memcpy(program_file.h.e_ident, ELFMAG, SELFMAG);
	program_file.h.e_ident[EI_CLASS] = ELFCLASS64;
	program_file.h.e_ident[EI_DATA] = ELFDATA2LSB;
	program_file.h.e_ident[EI_VERSION] = program_file.h.e_version = EV_CURRENT;
	program_file.h.e_type = ET_EXEC;
	program_file.h.e_machine = EM_X86_64;
	program_file.h.e_entry = 0x400000;
	program_file.h.e_phoff = sizeof program_file.h;
	program_file.h.e_phentsize = sizeof(Elf64_Phdr);
	program_file.h.e_phnum = 2;
	program_file.p[0] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = 0x400000, .p_filesz = 5000,
		.p_memsz = 5000, .p_offset = offsetof(typeof(program_file), text) };
	program_file.p[1] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_vaddr = 0x500010, .p_filesz = 3000,
		.p_memsz = 20000, .p_offset = offsetof(typeof(program_file), data) };
	memset(program_file.text, 't', sizeof program_file.text);
	memset(program_file.data, 'd', sizeof program_file.data);
	strcpy((char *)archive, "prog");
	snprintf((char *)archive + 124, 12, "%011o", (unsigned)sizeof program_file);
	memcpy(archive + 257, "ustar", 6);
	archive[156] = '0';
	memset(archive + 148, ' ', 8);
	for (int i = 0; i < 512; i++)
		sum += archive[i];
	snprintf((char *)archive + 148, 8, "%06o", sum);
	memcpy(archive + 512, &program_file, sizeof program_file);
}

/* ---- workers -------------------------------------------------------------------------------------------------- */

static void worker_finish(unsigned i)
{
	struct message m = { .from = L4_GlobalId(THREAD_WORKER_BASE + i, 1) };

	if (job[i].busy) {
		job[i].busy = 0;
		if (job[i].word[0] == 2)        /* copy */
			memcpy((void *)job[i].word[1], (void *)job[i].word[2], job[i].word[3]);
	}
	m.tag.raw = 4;
	worker_message(&m);
}

/* Its job met a page that cannot be read. */
static void worker_fails(unsigned i)
{
	struct message m = { .from = L4_GlobalId(THREAD_WORKER_BASE + i, 1) };

	m.tag.raw = ((L4_Word_t)L4_LABEL_EXCEPTION << 20) | L4_EXC_WORDS;
	m.mr[L4_EXC_NUMBER] = L4_EXC_DAMAGED;
	job[i].busy = 0;
	begins_anew = 0;
	worker_exception(&m);
	assert_true(begins_anew);
	worker_finish(i);
}

static void workers_finish(void)
{
	for (int more = 1; more;) {
		more = 0;
		for (unsigned i = 0; i < LIMIT_WORKERS; i++)
			if (job[i].busy) {
				worker_finish(i);
				more = 1;
			}
	}
}

/* ---- driving it -------------------------------------------------------------------------------------------------- */

static void setup_once(void)
{
	static int done;

	if (done++)
		return;
	arena = aligned_alloc(MEM_PAGE, PAGES * MEM_PAGE);
	memset(arena, 0, PAGES * MEM_PAGE);
	utcb[64 + L4_TCR_MY_GLOBAL_ID] = L4_GlobalId(L4_ROOT_TNO, 1).raw;
	mem_init(&store_mem, calloc(1, mem_metadata_bytes(PAGES)), (uintptr_t)arena, PAGES);
	mem_add(&store_mem, 1, PAGES - 1);
	object_init(&store_mem);
	assert_true(fault_init());
	assert_true(worker_init());
	for (unsigned i = 0; i < LIMIT_WORKERS; i++)
		worker_finish(i);
	archive_make();
	program_init(archive, sizeof archive);
}

static struct task *start_task(void)
{
	struct task_spawn spawn = { .flags = TASK_SPAWN_ADMIN, .strings = "prog", .length = 5, .argc = 1 };
	struct task *task;

	assert_int_equal(task_create(NULL, program_find("prog"), &spawn, &task), 0);
	return task;
}

static L4_ThreadId_t some_thread(const struct task *task)
{
	return thread_id(thread_next(task, 0));
}

static void fault(L4_ThreadId_t from, L4_Word_t address, unsigned access)
{
	struct message m = { .from = from, .mr = { 0, address, 0x1234 } };
	struct thread *t = thread_find(from);

	m.tag.raw = ((L4_Word_t)L4_LABEL_PAGEFAULT << 20) | (L4_Word_t)access << 16 | 2;
	wait_remove(t);
	fault_message(&m, t);
}

static long request(L4_ThreadId_t from, L4_Word_t label, const L4_Word_t *words, unsigned count)
{
	struct message m = { .from = from };
	struct thread *t = thread_find(from);
	unsigned before = answer.count;

	memcpy(m.mr + 1, words, count * sizeof *words);
	m.tag.raw = label << 16 | count;
	wait_remove(t);
	request_message(&m, t);
	return answer.count == before ? 1 : answer.error;
}

#define REQUEST(from, label, ...) request(from, label, (const L4_Word_t[]){ __VA_ARGS__ }, \
		sizeof((const L4_Word_t[]){ __VA_ARGS__ }) / sizeof(L4_Word_t))

static L4_Word_t word_of(const char *s)
{
	char text[8] = { 0 };
	L4_Word_t w;

	strncpy(text, s, 8);
	memcpy(&w, text, 8);
	return w;
}

static uint8_t *mapped(void)
{
	assert_true(answer.map);
	return mem_pointer(&store_mem, (uint32_t)answer.map_page);
}

/* ---- tests --------------------------------------------------------------------------------------------------------- */

static void a_program_is_loaded_page_by_page(void **state)
{
	struct task *a = start_task(), *b = start_task();
	L4_ThreadId_t ta = some_thread(a), tb = some_thread(b);
	uint64_t text, data;

	(void)state;
	fault(ta, 0x400800, L4_RIGHT_X);
	workers_finish();
	text = answer.map_page;
	assert_int_equal(mapped()[0x800], 't');
	assert_int_equal(answer.map_rights, L4_RIGHT_R | L4_RIGHT_X);
	fault(tb, 0x400000, L4_RIGHT_X);
	workers_finish();
	assert_int_equal(answer.map_page, text);                /* shared */
	fault(ta, 0x500010, L4_RIGHT_W);
	fault(tb, 0x500010, L4_RIGHT_W);
	workers_finish();
	data = answer.map_page;
	assert_int_equal(mapped()[0xf], 0);
	assert_int_equal(mapped()[0x10], 'd');
	assert_int_equal(mapped()[0x10 + 3000], 0);
	memset(mapped(), 'w', 4096);
	fault(tb, 0x500010, L4_RIGHT_R);                        /* not filled a second time */
	workers_finish();
	assert_int_equal(answer.map_page, data);
	assert_int_equal(mapped()[0x10], 'w');
	fault(ta, 0x500010, L4_RIGHT_R);
	workers_finish();
	assert_int_not_equal(answer.map_page, data);            /* private */
	assert_int_equal(mapped()[0x10], 'd');
	fault(ta, 0x400800, L4_RIGHT_W);                        /* text is not writable: it ends */
	assert_int_equal(task_count, 1);
	fault(tb, 0x600000, L4_RIGHT_R);
	assert_int_equal(task_count, 0);
	assert_int_equal(kernel_threads, 0);
}

static void a_page_on_its_way_is_filled_once(void **state)
{
	struct task *a = start_task();
	L4_ThreadId_t t[3] = { some_thread(a) };
	unsigned busy = 0, before;

	(void)state;
	for (int i = 1; i < 3; i++) {
		assert_int_equal(REQUEST(t[0], TASK_THREAD_CREATE, 0x400000, 0x1000, 0, 0), 0);
		t[i].raw = answer.result;
	}
	before = answer.count;
	for (int i = 0; i < 3; i++)
		fault(t[i], 0x500000, L4_RIGHT_W);
	for (unsigned i = 0; i < LIMIT_WORKERS; i++)
		busy += (unsigned)job[i].busy;
	assert_int_equal(busy, 1);
	assert_int_equal(answer.count, before);
	thread_delete(a, (uint32_t)L4_ThreadNo(t[1]));
	workers_finish();
	assert_int_equal(answer.count, before + 2);
	task_end(a, 0);
}

static void killed_while_a_worker_is_busy(void **state)
{
	struct task *a = start_task();
	uint32_t free;

	(void)state;
	fault(some_thread(a), 0x500000, L4_RIGHT_W);
	free = store_mem.free;
	task_end(a, 0);
	assert_int_equal(task_count, 0);
	workers_finish();
	assert_true(store_mem.free > free);
}

static unsigned busy_worker(void)
{
	for (unsigned i = 0; i < LIMIT_WORKERS; i++)
		if (job[i].busy)
			return i;
	fail();
	return 0;
}

static void a_damaged_page_concerns_who_needs_it(void **state)
{
	struct task *a = start_task(), *b = start_task();
	unsigned before;

	(void)state;
	workers_finish();
	fault(some_thread(a), 0x500000, L4_RIGHT_W);
	before = stopped_count;
	worker_fails(busy_worker());
	assert_int_equal(stopped_count, before + 1);
	assert_true(answer.to == some_thread(a).raw);
	fault(some_thread(b), 0x500000, L4_RIGHT_W);
	workers_finish();
	assert_true(answer.to == some_thread(b).raw && answer.map);
	fault(some_thread(a), 0x500000, L4_RIGHT_W);            /* not remembered: it is tried again */
	workers_finish();
	assert_true(answer.to == some_thread(a).raw && answer.map);
	task_end(a, 0);
	task_end(b, 0);
	assert_int_equal(task_count, 0);
}

static void exit_status_goes_to_the_parent_once(void **state)
{
	struct task *a = start_task();
	L4_ThreadId_t ta = some_thread(a), tc;
	L4_Word_t child;

	(void)state;
	assert_int_equal(REQUEST(ta, TASK_SPAWN, 0, 0, 0, 0, 0, 0, 1, word_of("prog"), word_of("c1")), 0);
	child = answer.result;
	tc = some_thread(task_find(child));
	assert_int_equal(REQUEST(ta, TASK_WAIT, child), 1);
	REQUEST(tc, TASK_EXIT, 42);
	assert_int_equal(answer.to, ta.raw);
	assert_int_equal(answer.result, 42);
	assert_int_equal(REQUEST(ta, TASK_WAIT, child), TASK_E_NOTFOUND);
	/* Ended before it is asked for: kept. */
	assert_int_equal(REQUEST(ta, TASK_SPAWN, 0, 0, 0, 0, 0, 0, 1, word_of("prog"), word_of("c2")), 0);
	child = answer.result;
	REQUEST(some_thread(task_find(child)), TASK_EXIT, 43);
	assert_int_equal(task_count, 2);
	assert_int_equal(REQUEST(ta, TASK_WAIT, child), 0);
	assert_int_equal(answer.result, 43);
	assert_int_equal(task_count, 1);
	assert_int_equal(a->children, 0);
	/* A wait that was given up is not answered. */
	assert_int_equal(REQUEST(ta, TASK_SPAWN, 0, 0, 0, 0, 0, 0, 1, word_of("prog"), word_of("c3")), 0);
	child = answer.result;
	assert_int_equal(REQUEST(ta, TASK_WAIT, child), 1);
	assert_int_equal(REQUEST(ta, TASK_SELF, 0), 0);
	unsigned before = answer.count;

	REQUEST(some_thread(task_find(child)), TASK_EXIT, 44);
	assert_int_equal(answer.count, before);
	task_end(a, 0);
	assert_int_equal(task_count, 0);
}

/* Its parent's time was over just before the task ended, or before the answer came: asked again, it learns the status. */
static void exit_status_waits_for_a_late_parent(void **state)
{
	struct task *a = start_task();
	L4_ThreadId_t ta = some_thread(a);
	L4_Word_t child;

	(void)state;
	assert_int_equal(REQUEST(ta, TASK_SPAWN, 0, 0, 0, 0, 0, 0, 1, word_of("prog"), word_of("c1")), 0);
	child = answer.result;
	assert_int_equal(REQUEST(ta, TASK_WAIT, child), 1);
	nobody_waits = 1;
	REQUEST(some_thread(task_find(child)), TASK_EXIT, 45);
	assert_int_equal(a->children, 1);
	(void)REQUEST(ta, TASK_WAIT, child);
	assert_int_equal(a->children, 1);
	nobody_waits = 0;
	assert_int_equal(REQUEST(ta, TASK_WAIT, child), 0);
	assert_int_equal(answer.result, 45);
	assert_int_equal(a->children, 0);
	assert_int_equal(REQUEST(ta, TASK_WAIT, child), TASK_E_NOTFOUND);
	task_end(a, 0);
	assert_int_equal(task_count, 0);
}

/* The pages of the store behind a task's regions, in pieces; a mirror has none. */
static void extents_of_a_task(void **state)
{
	struct task *a = start_task(), *b = start_task();
	L4_ThreadId_t ta = some_thread(a);
	unsigned count;

	(void)state;
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(REQUEST(ta, TASK_MAP, 0, (i + 1) * MEM_PAGE, 3), 0);
	assert_int_equal(REQUEST(ta, TASK_MIRROR, b->id, 0, MEM_PAGE, 0, 3), 0);
	count = a->map.count;
	assert_true(count > TASK_EXTENTS_MAX);
	for (unsigned from = 0; from < count + 2; from++) {
		unsigned n = from < count ? count - from : 0;

		n = n < TASK_EXTENTS_MAX ? n : TASK_EXTENTS_MAX;
		assert_int_equal(REQUEST(some_thread(b), TASK_EXTENTS, a->id, from), 0);
		assert_int_equal(answer.result, count);
		assert_int_equal(answer.words, 1 + 2 * n);
		for (unsigned i = 0; i < n; i++) {
			const struct object *o = a->map.list[from + i].object;

			assert_int_equal(answer.more[2 * i], o ? o->first : 0);
			assert_int_equal(answer.more[2 * i + 1], o ? o->pages : 0);
		}
	}
	assert_int_equal(REQUEST(ta, TASK_EXTENTS, a->id, ~0UL), 0);
	assert_int_equal(answer.words, 1);
	assert_int_equal(REQUEST(ta, TASK_EXTENTS, 0, 0), TASK_E_NOTFOUND);
	assert_int_equal(REQUEST(ta, TASK_EXTENTS, b->id + 1, 0), TASK_E_NOTFOUND);
	task_end(a, 0);
	task_end(b, 0);
	assert_int_equal(task_count, 0);
}

static void mirrors_three_deep(void **state)
{
	struct task *a = start_task(), *b, *c;
	L4_ThreadId_t ta = some_thread(a), tb, tc;
	uint64_t page;

	(void)state;
	assert_int_equal(REQUEST(ta, TASK_SPAWN, 0, 0, 0, 0, 0, ta.raw, 1, word_of("prog"), word_of("b")), 0);
	b = task_find(answer.result);
	tb = some_thread(b);
	assert_int_equal(REQUEST(tb, TASK_SPAWN, 0, 0, 0, 0, 0, tb.raw, 1, word_of("prog"), word_of("c")), 0);
	c = task_find(answer.result);
	tc = some_thread(c);
	assert_int_equal(REQUEST(tb, TASK_MIRROR, c->id, 0x400000, 0x200000, 0x10000000, 7), 0);
	assert_int_equal(REQUEST(ta, TASK_MIRROR, b->id, 0x10000000, 0x200000, 0x20000000, 7), 0);
	assert_int_equal(REQUEST(tc, TASK_MIRROR, a->id, 0x400000, 0x1000, 0x30000000, 7), TASK_E_PERM);
	fault(tc, 0x501000, L4_RIGHT_W);
	workers_finish();
	page = answer.map_page;
	fault(tb, 0x10101000, L4_RIGHT_W);
	workers_finish();
	assert_int_equal(answer.map_page, page);
	fault(ta, 0x20101000, L4_RIGHT_W);
	workers_finish();
	assert_int_equal(answer.map_page, page);
	/* A bad access through the mirrors ends the innermost task, not those who pass it on. */
	fault(ta, 0x20180000, L4_RIGHT_W);
	assert_null(task_find(c->id) && c->state == TASK_RUNNING ? c : NULL);
	assert_int_equal(a->state, TASK_RUNNING);
	fault(ta, 0x20101000, L4_RIGHT_W);
	assert_true(answer.map && answer.map_page != page);
	task_end(a, 0);                                         /* b and c have pagers there */
	assert_int_equal(task_count, 0);
}

static void names_and_shares(void **state)
{
	struct task *a = start_task(), *b = start_task();
	L4_ThreadId_t ta = some_thread(a), tb = some_thread(b);
	L4_Word_t at;

	(void)state;
	assert_int_equal(REQUEST(tb, TASK_NAME_LOOKUP, 0, word_of("svc")), TASK_E_NOTFOUND);
	assert_int_equal(REQUEST(tb, TASK_NAME_LOOKUP, 1, word_of("svc")), 1);
	assert_int_equal(REQUEST(ta, TASK_NAME_REGISTER, tb.raw, word_of("svc")), TASK_E_PERM);
	assert_int_equal(REQUEST(ta, TASK_NAME_REGISTER, 0, word_of("svc")), 0);
	assert_int_equal(REQUEST(tb, TASK_NAME_REGISTER, 0, word_of("svc")), TASK_E_EXISTS);
	assert_int_equal(REQUEST(tb, TASK_NAME_LOOKUP, 0, word_of("svc")), 0);
	assert_int_equal(answer.result, ta.raw);
	assert_int_equal(REQUEST(ta, TASK_NAME_REGISTER, 0, ~0UL, ~0UL, ~0UL, ~0UL, ~0UL), TASK_E_INVAL);
	assert_int_equal(REQUEST(ta, TASK_NAME_REGISTER, 0, 0), TASK_E_INVAL);
	assert_int_equal(REQUEST(ta, TASK_NAME_REGISTER, 0), TASK_E_INVAL);

	assert_int_equal(REQUEST(ta, TASK_SHARE_CREATE, 0, 8192, 6, word_of("ring")), 0);
	at = answer.result;
	assert_int_equal(REQUEST(tb, TASK_SHARE_CREATE, 0, 8192, 6, word_of("ring")), TASK_E_EXISTS);
	assert_int_equal(REQUEST(tb, TASK_SHARE_ATTACH, 0x10000000, 7, word_of("ring")), TASK_E_PERM);
	assert_int_equal(REQUEST(tb, TASK_SHARE_ATTACH, 0x10000000, 6, word_of("ring")), 0);
	fault(ta, at + 4096, L4_RIGHT_W);
	workers_finish();
	strcpy((char *)mapped(), "hello");
	fault(tb, 0x10001000, L4_RIGHT_R);
	workers_finish();
	assert_string_equal((char *)mapped(), "hello");
	task_end(a, 0);
	fault(tb, 0x10001000, L4_RIGHT_R);                      /* lives on */
	workers_finish();
	assert_string_equal((char *)mapped(), "hello");
	assert_int_equal(REQUEST(tb, TASK_SHARE_ATTACH, 0, 6, word_of("ring")), TASK_E_NOTFOUND);
	assert_int_equal(REQUEST(tb, TASK_NAME_LOOKUP, 0, word_of("svc")), TASK_E_NOTFOUND);
	task_end(b, 0);
}

static void limits_hold(void **state)
{
	struct task *a = start_task();
	L4_ThreadId_t ta = some_thread(a), tc;
	L4_Word_t child, n = 0;

	(void)state;
	assert_int_equal(REQUEST(ta, TASK_SPAWN, 0, 100, 5, 1, 50, 0, 1, word_of("prog"), word_of("c")), 0);
	child = answer.result;
	tc = some_thread(task_find(child));
	assert_int_equal(REQUEST(tc, TASK_MAP, 0, 100 * 4096, 6), TASK_E_LIMIT);
	assert_int_equal(REQUEST(tc, TASK_MAP, 0, ~0UL, 6), TASK_E_INVAL);
	assert_int_equal(REQUEST(tc, TASK_MAP, 0, 1UL << 45, 6), TASK_E_NOMEM);
	assert_int_equal(REQUEST(tc, TASK_MAP, 0, 4096, 0), TASK_E_INVAL);
	assert_int_equal(REQUEST(tc, TASK_MAP, 0, 4096, 8), TASK_E_INVAL);
	assert_int_equal(REQUEST(tc, TASK_MAP, 1, 4096, 6), TASK_E_INVAL);
	assert_int_equal(REQUEST(tc, TASK_MAP, TASK_RESERVED_BASE, 4096, 6), TASK_E_INVAL);
	assert_int_equal(REQUEST(tc, TASK_MAP, TASK_RESERVED_BASE - 4096, 8192, 6), TASK_E_INVAL);
	assert_int_equal(REQUEST(tc, TASK_MAP, 0x400000, 4096, 6), TASK_E_EXISTS);
	assert_int_equal(REQUEST(tc, TASK_MAP, 0, 4096, 6), 0);
	assert_int_equal(REQUEST(tc, TASK_UNMAP, answer.result, 4096), 0);
	while (REQUEST(tc, TASK_THREAD_CREATE, 0x400000, 0, 0, 0) == 0)
		n++;
	assert_int_equal(answer.error, TASK_E_LIMIT);
	assert_int_equal(n, 4);
	assert_int_equal(REQUEST(tc, TASK_THREAD_PRIORITY, 0, 51), TASK_E_PERM);
	assert_int_equal(REQUEST(tc, TASK_SPAWN, TASK_SPAWN_ADMIN, 0, 0, 0, 0, 0, 0, word_of("prog")), TASK_E_PERM);
	assert_int_equal(REQUEST(tc, TASK_SPAWN, 0, 0, 0, 0, 0, 0, 0, word_of("nope")), TASK_E_NOTFOUND);
	assert_int_equal(REQUEST(tc, TASK_SPAWN, 0, 0, 0, 0, 0, 0, 30, word_of("prog"), word_of("x")), TASK_E_INVAL);
	assert_int_equal(REQUEST(tc, TASK_SPAWN, 0), TASK_E_INVAL);
	assert_int_equal(REQUEST(tc, TASK_KILL, a->id), TASK_E_PERM);
	assert_int_equal(REQUEST(tc, 0x6000, 1), TASK_E_INVAL);
	/* A full space: 960 threads. */
	for (n = 1; REQUEST(ta, TASK_THREAD_CREATE, 0x400000, 0, 0, 0) == 0; n++)
		continue;
	assert_int_equal(n, L4_UTCB_MAX_SLOTS);
	task_end(a, 0);
	assert_int_equal(kernel_threads, 5);
	task_end(task_find(child), 0);
	assert_int_equal(kernel_threads, 0);
}

static void all_numbers(const struct task *task, uint32_t first, uint32_t end)
{
	for (uint32_t n = thread_next(task, 0); n; n = thread_next(task, n + 1))
		assert_true(n >= first && n < end);
}

/* The checkpoint server goes by a thread's number when it is asked to switch the machine off (l4/ckpt.h). */
static void a_right_is_a_number(void **state)
{
	enum { ADMINS = L4_CONTROL_TNO_END / 960 + 1 };
	struct task *admin[ADMINS], *other;

	(void)state;
	for (unsigned i = 0; i < ADMINS; i++) {
		admin[i] = start_task();
		while (REQUEST(some_thread(admin[i]), TASK_THREAD_CREATE, 0x400000, 0, 0, 0) == 0)
			continue;
		assert_int_equal(admin[i]->threads, L4_UTCB_MAX_SLOTS);         /* without such numbers, too */
	}
	all_numbers(admin[0], THREAD_FIRST, L4_CONTROL_TNO_END);
	for (unsigned i = 0; i + 1 < ADMINS; i++)
		task_end(admin[i], 0);
	/* Numbers that are free again are not for everybody. */
	assert_int_equal(REQUEST(some_thread(admin[ADMINS - 1]), TASK_SPAWN, 0, 0, 0, 0, 0, 0, 1, word_of("prog")), 0);
	other = task_find(answer.result);
	while (REQUEST(some_thread(other), TASK_THREAD_CREATE, 0x400000, 0, 0, 0) == 0)
		continue;
	assert_int_equal(other->threads, L4_UTCB_MAX_SLOTS);
	all_numbers(other, L4_CONTROL_TNO_END, THREAD_NUMBERS);
	assert_int_equal(REQUEST(some_thread(admin[ADMINS - 1]), TASK_SPAWN, TASK_SPAWN_ADMIN, 0, 0, 0, 0, 0, 1, word_of("prog")), 0);
	all_numbers(task_find(answer.result), THREAD_FIRST, L4_CONTROL_TNO_END);
	task_end(task_find(answer.result), 0);
	task_end(other, 0);
	task_end(admin[ADMINS - 1], 0);
	assert_int_equal(kernel_threads, 0);
}

/* It comes from its own pages, and all of it comes back. */
static void volatile_memory(void **state)
{
	static struct mem_block metadata[8];
	static struct mem pool;
	struct task *a = start_task();
	L4_ThreadId_t ta = some_thread(a);
	uint32_t first;
	L4_Word_t at;

	(void)state;
	assert_int_equal(REQUEST(ta, TASK_MAP, 0, 4096, 6 | TASK_VOLATILE), TASK_E_NOMEM);
	first = mem_alloc(&store_mem, 8);
	mem_init(&pool, metadata, (uintptr_t)mem_pointer(&store_mem, first), 8);
	mem_add(&pool, 0, 8);
	object_init_volatile(&pool, first);
	assert_int_equal(REQUEST(ta, TASK_MAP, 0, 3 * 4096, 6 | TASK_VOLATILE), 0);
	at = answer.result;
	assert_int_equal(pool.free, 5);
	assert_in_range(region_find(&a->map, at)->object->first, first, first + 5);
	assert_int_equal(REQUEST(ta, TASK_MAP, 0, 8 * 4096, 6 | TASK_VOLATILE), TASK_E_NOMEM);
	assert_int_equal(REQUEST(ta, TASK_MAP, 0, 4096, 6 | 16), TASK_E_INVAL);
	assert_int_equal(REQUEST(ta, TASK_UNMAP, at, 3 * 4096), 0);
	assert_int_equal(pool.free, 8);
	assert_int_equal(REQUEST(ta, TASK_MAP, 0, 8 * 4096, 6 | TASK_VOLATILE), 0);
	task_end(a, 0);
	assert_int_equal(pool.free, 8);
	assert_true(mem_consistent(&pool));
	object_init_volatile(NULL, 0);
	mem_free(&store_mem, first, 8);
}

static void refused_by_the_kernel(void **state)
{
	struct task *a = start_task();
	L4_ThreadId_t ta = some_thread(a);
	uint32_t free = store_mem.free;

	(void)state;
	for (unsigned n = 1; n < 4; n++) {
		refuse_in = n;
		long error = REQUEST(ta, TASK_SPAWN, 0, 0, 0, 0, 0, 0, 1, word_of("prog"), word_of("c"));

		refuse_in = 0;
		if (error) {
			assert_int_equal(error, TASK_E_NOMEM);
			assert_int_equal(task_count, 1);
			assert_int_equal(kernel_threads, 1);
			assert_int_equal(a->children, 0);
			assert_true(free - store_mem.free <= 1);
		} else {
			task_end(task_find(answer.result), 0);
			REQUEST(ta, TASK_WAIT, answer.result);
		}
	}
	task_end(a, 0);
}

/* Everything at once, at random. */
static void random_life(void **state)
{
	uint32_t free_before;

	(void)state;
	workers_finish();
	free_before = store_mem.free;
	for (int step = 0; step < 60000; step++) {
		struct task *task = task_next(rnd() % 64 ? 1 + rnd() % 2000 : 1);
		L4_ThreadId_t from, other;
		L4_Word_t address = rnd() % 4 ? 0x400000 + (rnd() % 0x110) * 4096 : 0x10000000 + (rnd() % 64) * 4096;
		L4_Word_t size = (1 + rnd() % 20) * 4096 * (rnd() % 16 ? 1 : 30), rights = 1 + rnd() % 7;
		char name[8] = { (char)('a' + rnd() % 6) };

		if (!task_next(1) || (task_count < 12 && rnd() % 8 == 0)) {
			start_task();
			continue;
		}
		if (rnd() % 3 == 0) {
			unsigned i = (unsigned)(rnd() % LIMIT_WORKERS);

			if (job[i].busy && rnd() % 16 == 0)
				worker_fails(i);
			else if (job[i].busy)
				worker_finish(i);
			continue;
		}
		if (!task || task->state != TASK_RUNNING)
			continue;
		from = thread_id(thread_next(task, (uint32_t)(rnd() % 3 ? 0 : THREAD_FIRST + rnd() % 200)));
		if (!thread_find(from))
			continue;
		struct task *second = task_next(1 + rnd() % 2000);

		other = second && second->state == TASK_RUNNING ? some_thread(second) : from;
		refuse_in = rnd() % 16 ? 0 : 1 + (unsigned)(rnd() % 4);
		switch (rnd() % 18) {
		case 0 ... 4: fault(from, address + rnd() % 4096, 1U << rnd() % 3); break;
		case 5: REQUEST(from, TASK_SPAWN, rnd() % 8, 0, 0, 0, 0, rnd() % 2 ? from.raw : 0, 1, word_of("prog"), word_of("x")); break;
		case 6: if (rnd() % 4 == 0) REQUEST(from, TASK_EXIT, 1); break;
		case 7: if (rnd() % 4 == 0) REQUEST(from, TASK_KILL, second ? second->id : 0); break;
		case 8: REQUEST(from, TASK_WAIT, second ? second->id : 0); break;
		case 9: REQUEST(from, TASK_INFO, rnd() % 2000); break;
		case 10: REQUEST(from, TASK_THREAD_INFO, second ? second->id : 0, rnd() % 300); break;
		case 11: REQUEST(from, TASK_THREAD_CREATE, 0x400000, 0, rnd() % 4 ? 0 : other.raw, 0); break;
		case 12: REQUEST(from, TASK_THREAD_DELETE, rnd() % 3 ? 0 : other.raw); break;
		case 13: REQUEST(from, TASK_MAP, rnd() % 2 ? address : 0, size, rights); break;
		case 14: REQUEST(from, TASK_UNMAP, address, size); break;
		case 15: REQUEST(from, TASK_SHARE_CREATE, rnd() % 2 ? address : 0, size, rights, word_of(name)); break;
		case 16: REQUEST(from, TASK_SHARE_ATTACH, rnd() % 2 ? address : 0, rights, word_of(name));
			REQUEST(from, rnd() % 2 ? TASK_NAME_REGISTER : TASK_NAME_LOOKUP, 0, word_of(name)); break;
		case 17: REQUEST(from, TASK_MIRROR, second ? second->id : 0, address, size, 0x20000000 + rnd() % 8 * 0x100000, rights); break;
		}
		refuse_in = 0;
		if (step % 512 == 0)
			assert_true(mem_consistent(&store_mem));
	}
	for (struct task *task; (task = task_next(1));)
		task_end(task, 0);
	workers_finish();
	assert_int_equal(task_count, 0);
	assert_int_equal(thread_count, 0);
	assert_int_equal(kernel_threads, 0);
	assert_true(mem_consistent(&store_mem));
	/* Pools keep pages, nothing else does. */
	assert_true(free_before - store_mem.free < 64);
	for (uint32_t i = 0; i < MEM_ORDERS; i++)
		for (uint32_t p = store_mem.head[i]; p != MEM_NONE; p = store_mem.block[p].next)
			for (uint64_t k = 0; k < (1UL << i) * MEM_PAGE; k += 8)
				assert_int_equal(*(uint64_t *)((char *)mem_pointer(&store_mem, p) + k), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_program_is_loaded_page_by_page),
		cmocka_unit_test(a_page_on_its_way_is_filled_once),
		cmocka_unit_test(killed_while_a_worker_is_busy),
		cmocka_unit_test(a_damaged_page_concerns_who_needs_it),
		cmocka_unit_test(exit_status_goes_to_the_parent_once),
		cmocka_unit_test(exit_status_waits_for_a_late_parent),
		cmocka_unit_test(extents_of_a_task),
		cmocka_unit_test(mirrors_three_deep),
		cmocka_unit_test(names_and_shares),
		cmocka_unit_test(limits_hold), cmocka_unit_test(a_right_is_a_number),
		cmocka_unit_test(volatile_memory), cmocka_unit_test(refused_by_the_kernel),
		cmocka_unit_test(random_life),
	};

	setup_once();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
