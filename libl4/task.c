/* SPDX-License-Identifier: BSD-2-Clause
 * The task protocol's client side: one call of the pager per function. l4/task.h says what they do.
 */
#include <l4/task.h>

#include <l4/ipc.h>
#include <l4/start.h>
#include <l4/string.h>
#include <l4/thread.h>

#define PAGE            4096UL
#define MAX_WORDS       63
#define SPAWN_STRINGS   8       /* message register in which the strings begin */

/* A request is built here, and the answer read from here: w[1] is the first message register behind the tag. */
struct call {
	L4_Word_t w[MAX_WORDS + 1];
	unsigned words;
};

_Static_assert((MAX_WORDS - SPAWN_STRINGS + 1) * sizeof(L4_Word_t) >= TASK_ARG_BYTES, "arguments fit a message");
_Static_assert(sizeof(struct task_info) <= (MAX_WORDS - 1) * sizeof(L4_Word_t), "task_info fits an answer");

static L4_ThreadId_t task_pager(void)
{
	return L4_GlobalId(L4_ROOT_TNO, 1);
}

static long call_timeout(struct call *c, L4_Word_t label, L4_Time_t timeout)
{
	L4_MsgTag_t tag = L4_Niltag;

	L4_Set_Label(&tag, label);
	L4_LoadBR(0, 0);                /* nothing but words is accepted */
	L4_LoadMR(0, tag.raw | c->words);
	L4_LoadMRs(1, (int)c->words, c->w + 1);
	tag = L4_Call_Timeouts(task_pager(), L4_Never, timeout);
	if (L4_IpcFailed(tag))
		return (L4_ErrorCode() >> 1 & 7) == L4_IPC_TIMEOUT ? TASK_E_TIMEOUT : TASK_E_IPC;
	c->words = (unsigned)L4_UntypedWords(tag);
	L4_StoreMRs(1, (int)c->words, c->w + 1);
	return c->words ? (long)c->w[1] : TASK_E_IPC;
}

static long call(struct call *c, L4_Word_t label)
{
	return call_timeout(c, label, L4_Never);
}

/* Append a string with its NUL at a byte offset behind message register `first`. Returns the offset behind it, or 0: too long. */
static unsigned long string_add(struct call *c, unsigned first, unsigned long at, unsigned long room, const char *s)
{
	unsigned long bytes = strlen(s) + 1;

	if (bytes > room - at)
		return 0;
	memcpy((char *)&c->w[first] + at, s, bytes);
	c->words = first - 1 + (unsigned)((at + bytes + sizeof(L4_Word_t) - 1) / sizeof(L4_Word_t));
	return at + bytes;
}

static int name_add(struct call *c, unsigned first, const char *name)
{
	return *name && string_add(c, first, 0, TASK_NAME_MAX, name) != 0;
}

/* ---- tasks ---- */

long task_spawn_paged(const char *program, const char *const argv[], unsigned long flags,
		      const struct task_limits *limits, L4_ThreadId_t pager, L4_Word_t *task)
{
	const char *const just_program[] = { program, 0 };
	struct call c = { .words = 7 };
	unsigned long at, argc = 0;
	long error;

	if (!argv)
		argv = just_program;
	c.w[1] = flags;
	if (limits)
		memcpy(&c.w[2], limits, sizeof *limits);
	c.w[6] = pager.raw;
	at = string_add(&c, SPAWN_STRINGS, 0, TASK_ARG_BYTES, program);
	for (; at && argv[argc]; argc++) {
		if (argc == TASK_ARGC_MAX)
			return TASK_E_INVAL;
		at = string_add(&c, SPAWN_STRINGS, at, TASK_ARG_BYTES, argv[argc]);
	}
	if (!at)
		return TASK_E_INVAL;
	c.w[7] = argc;
	error = call(&c, TASK_SPAWN);
	if (!error)
		*task = c.w[2];
	return error;
}

long task_spawn(const char *program, const char *const argv[], unsigned long flags,
		const struct task_limits *limits, L4_Word_t *task)
{
	return task_spawn_paged(program, argv, flags, limits, L4_nilthread, task);
}

void task_exit(long status)
{
	struct call c = { .w = { [1] = (L4_Word_t)status }, .words = 1 };

	for (;;) {
		(void)call(&c, TASK_EXIT);
		/* Nobody took it: a root task of another kind, or a residual one. */
		L4_Sleep(L4_Never);
	}
}

void l4_exit(int status)
{
	task_exit(status);
}

long task_kill(L4_Word_t task)
{
	struct call c = { .w = { [1] = task }, .words = 1 };

	return call(&c, TASK_KILL);
}

long task_wait(L4_Word_t task, L4_Time_t timeout, long *status)
{
	L4_Bool_t poll = timeout.raw == L4_ZeroTime.raw;
	struct call c = { .w = { [1] = task, [2] = poll }, .words = 2 };
	/* A zero receive timeout would ask whether the pager has answered yet, not whether the task has ended. */
	long error = call_timeout(&c, TASK_WAIT, poll ? L4_Never : timeout);

	if (!error && status)
		*status = (long)c.w[2];
	return error;
}

long task_self(void)
{
	struct call c = { .words = 0 };
	long error = call(&c, TASK_SELF);

	return error ? error : (long)c.w[2];
}

long task_info(L4_Word_t from, struct task_info *info)
{
	struct call c = { .w = { [1] = from }, .words = 1 };
	long error = call(&c, TASK_INFO);

	if (!error)
		memcpy(info, &c.w[2], sizeof *info);
	return error;
}

long task_thread_info(L4_Word_t task, L4_Word_t from, struct task_thread_info *info)
{
	struct call c = { .w = { [1] = task, [2] = from }, .words = 2 };
	long error = call(&c, TASK_THREAD_INFO);

	if (!error)
		memcpy(info, &c.w[2], sizeof *info);
	return error;
}

/* ---- threads ---- */

/* A thread's first instructions: its function and argument stand at the stack pointer. */
static void thread_begin(void (*entry)(void *), void *arg) __attribute__((noreturn, used));

static void thread_begin(void (*entry)(void *), void *arg)
{
	L4_Set_ExceptionHandler(task_pager());
	entry(arg);
	task_thread_exit();
}

void __l4_thread_entry(void);
__asm__(
	".pushsection .text\n"
	".type __l4_thread_entry, @function\n"
	"__l4_thread_entry:\n\t"
	"movq (%rsp), %rdi\n\t"
	"movq 8(%rsp), %rsi\n\t"
	"xorl %ebp, %ebp\n\t"
	"call thread_begin\n\t"
	"ud2\n"
	".size __l4_thread_entry, . - __l4_thread_entry\n"
	".popsection");

long task_thread_create_raw(L4_Word_t ip, L4_Word_t sp, L4_ThreadId_t pager, unsigned long flags,
			    L4_ThreadId_t *thread)
{
	struct call c = { .w = { [1] = ip, [2] = sp, [3] = pager.raw, [4] = flags }, .words = 4 };
	long error = call(&c, TASK_THREAD_CREATE);

	if (!error && thread)
		thread->raw = c.w[2];
	return error;
}

long task_thread_create(void (*entry)(void *), void *arg, void *stack_top, L4_ThreadId_t *thread)
{
	L4_Word_t *top = stack_top;

	if ((L4_Word_t)top % 16)
		return TASK_E_INVAL;
	top -= 8;
	memset(top, 0, 64);
	top[0] = (L4_Word_t)entry;
	top[1] = (L4_Word_t)arg;
	return task_thread_create_raw((L4_Word_t)__l4_thread_entry, (L4_Word_t)top, L4_nilthread, 0, thread);
}

long task_thread_delete(L4_ThreadId_t thread)
{
	struct call c = { .w = { [1] = thread.raw }, .words = 1 };

	return L4_IsNilThread(thread) ? TASK_E_NOTFOUND : call(&c, TASK_THREAD_DELETE);
}

void task_thread_exit(void)
{
	struct call c = { .words = 1 };

	for (;;)
		(void)call(&c, TASK_THREAD_DELETE);
}

long task_thread_priority(L4_ThreadId_t thread, L4_Word_t priority)
{
	struct call c = { .w = { [1] = thread.raw, [2] = priority }, .words = 2 };

	return call(&c, TASK_THREAD_PRIORITY);
}

/* ---- memory ---- */

/* A request whose answer is an address. */
static long call_address(struct call *c, L4_Word_t label, L4_Word_t *address)
{
	long error = call(c, label);

	if (!error && address)
		*address = c->w[2];
	return error;
}

long task_map(L4_Word_t size, L4_Word_t rights, L4_Word_t *address)
{
	struct call c = { .w = { [1] = address ? *address : 0, [2] = size, [3] = rights }, .words = 3 };

	return call_address(&c, TASK_MAP, address);
}

long task_unmap(L4_Word_t address, L4_Word_t size)
{
	struct call c = { .w = { [1] = address, [2] = size }, .words = 2 };

	return call(&c, TASK_UNMAP);
}

long task_stack(L4_Word_t pages, void **top)
{
	L4_Word_t base = 0;     /* regions in the arena have unmapped pages around them */
	long error = task_map(pages * PAGE, L4_RIGHT_R | L4_RIGHT_W, &base);

	if (!error)
		*top = (void *)(base + pages * PAGE);
	return error;
}

long task_share_create(const char *name, L4_Word_t size, L4_Word_t rights, L4_Word_t *address)
{
	struct call c = { .w = { [1] = address ? *address : 0, [2] = size, [3] = rights } };

	if (!name_add(&c, 4, name))
		return TASK_E_INVAL;
	return call_address(&c, TASK_SHARE_CREATE, address);
}

long task_share_attach(const char *name, L4_Word_t rights, L4_Word_t *address, L4_Word_t *size)
{
	struct call c = { .w = { [1] = address ? *address : 0, [2] = rights } };
	long error;

	if (!name_add(&c, 3, name))
		return TASK_E_INVAL;
	error = call_address(&c, TASK_SHARE_ATTACH, address);
	if (!error && size)
		*size = c.w[3];
	return error;
}

long task_mirror(L4_Word_t task, L4_Word_t base, L4_Word_t size, L4_Word_t rights, L4_Word_t *address)
{
	struct call c = {
		.w = { [1] = task, [2] = base, [3] = size, [4] = address ? *address : 0, [5] = rights }, .words = 5,
	};

	return call_address(&c, TASK_MIRROR, address);
}

/* ---- names ---- */

long task_name_register(const char *name, L4_ThreadId_t thread)
{
	struct call c = { .w = { [1] = thread.raw } };

	return name_add(&c, 2, name) ? call(&c, TASK_NAME_REGISTER) : TASK_E_INVAL;
}

long task_name_lookup(const char *name, L4_Time_t timeout, L4_ThreadId_t *thread)
{
	int wait = timeout.raw != L4_ZeroTime.raw;
	struct call c = { .w = { [1] = (L4_Word_t)wait } };
	long error;

	if (!name_add(&c, 2, name))
		return TASK_E_INVAL;
	error = call_timeout(&c, TASK_NAME_LOOKUP, wait ? timeout : L4_Never);
	if (!error)
		thread->raw = c.w[2];
	return error;
}

/* ---- the machine ---- */

long task_program(L4_Word_t index, char *name, L4_Word_t *size)
{
	struct call c = { .w = { [1] = index }, .words = 1 };
	long error = call(&c, TASK_PROGRAM);

	if (error)
		return error;
	if (size)
		*size = c.w[2];
	memcpy(name, &c.w[3], TASK_NAME_MAX);
	return TASK_OK;
}

long task_extents(L4_Word_t task, L4_Word_t from, struct task_extent extent[TASK_EXTENTS_MAX])
{
	struct call c = { .w = { [1] = task, [2] = from }, .words = 2 };
	long error = call(&c, TASK_EXTENTS);
	unsigned long count = error || c.words < 2 ? 0 : (c.words - 2) / 2;

	if (error)
		return error;
	if (count > TASK_EXTENTS_MAX)
		count = TASK_EXTENTS_MAX;
	memcpy(extent, &c.w[3], count * sizeof *extent);
	return (long)count;
}

long task_memory(struct task_memory *memory)
{
	struct call c = { .words = 0 };
	long error = call(&c, TASK_MEMORY);

	if (!error)
		memcpy(memory, &c.w[2], sizeof *memory);
	return error;
}
