/* SPDX-License-Identifier: BSD-2-Clause
 * Recovery. Order of the last steps (the kernel demands it): clock, thread table, ACTIVATE; and before anything of
 * this boot can be seen by a program, the boot counter is durable on disk.
 *
 * Nothing that is not ours is overwritten, and nothing of ours that cannot be understood: the machine then
 * runs without persistence, after saying so, or stops if ckpt.require=yes.
 */
#include "recover.h"

#include <l4/bootinfo.h>
#include <l4/framecontrol.h>
#include <l4/ipc.h>

#include "commit.h"
#include "cow.h"
#include "discard.h"
#include "disk.h"
#include "genesis.h"
#include "gpt.h"
#include "io.h"
#include "kobj.h"
#include "log.h"
#include "pagefault.h"
#include "pages.h"
#include "server.h"
#include "snapshot.h"
#include "volatile.h"
#include "wall.h"

#define NODES_PER_FRAME 64u             /* one index node cached per so many frames */
#define NODES_MIN       128u
#define NODES_MAX       16384u
#define READ_TRIES      3u              /* a passing disorder of the disk must not cost a boot its memory */

struct recover_result recover_result;

static struct store_mount mount;

/* ---- The partition ---------------------------------------------------------------------------- */

static int read_sector(void *ctx, uint64_t sector, void *buf)
{
	unsigned tries = READ_TRIES;
	int r;

	(void)ctx;
	do
		r = disk_read_sector(sector, buf);
	while (r && tries--);
	return r;
}

static bool find_partition(void)
{
	static const char *const why[] = {
		[-GPT_NONE] = "no partition table (GPT)",
		[-GPT_DAMAGED] = "the partition table is damaged",
		[-GPT_NO_PARTITION] = "no checkpoint partition (type 50455244-5552-4500-8c4b-3a0e5f1d7c21)",
		[-GPT_IO] = "cannot be read",
	};
	struct gpt_source src = { .read = read_sector, .sectors = disk_sectors() };
	struct gpt_partition part;
	int r = gpt_find(&src, gpt_checkpoint_type, &part);

	if (r != GPT_OK) {
		log_error("disk %s: %s", disk_name(), why[-r]);
		return false;
	}
	if (part.from_backup)
		log_error("disk %s: primary partition table damaged, the backup is used", disk_name());
	if (part.first % 8)
		log_error("disk %s: the checkpoint partition is not aligned to 4 KiB", disk_name());
	disk_set_partition(part.first, part.last);
	return true;
}

/* ---- The store ----------------------------------------------------------------------------------- */

static uint64_t entropy(void)
{
	uint32_t a = 1, b, c = 0, d;
	uint64_t v = 0;
	uint8_t ok = 0;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	if (c & 1u << 30)
		for (unsigned i = 0; i < 16 && !ok; i++)
			__asm__ volatile("rdrand %0; setc %1" : "=r"(v), "=q"(ok) : : "cc");
	if (!ok)
		v = rdtsc() * 0x9e3779b97f4a7c15ul;
	return v ^ rdtsc() << 17;
}

static struct store *make_store(void)
{
	uint64_t nodes = frames_total() / NODES_PER_FRAME;
	struct store *st;
	size_t bytes;
	void *arena;

	if (nodes < NODES_MIN)
		nodes = NODES_MIN;
	if (nodes > NODES_MAX)
		nodes = NODES_MAX;
	bytes = store_arena_bytes(disk_dev.blocks, (uint32_t)nodes);
	arena = server_alloc_dirty(bytes);
	if (!arena || store_init(arena, bytes, &disk_dev, &st) != STORE_OK) {
		log_error("not enough memory for the checkpoint store");
		return NULL;
	}
	return st;
}

static int format(struct store *st)
{
	uint64_t uuid[2] = { entropy(), entropy() };
	int status = store_format(st, (const uint8_t *)uuid, options.format == FORMAT_FORCE, &mount);

	if (status != STORE_OK)
		log_error("checkpoint partition cannot be formatted: %s", store_strerror(status));
	return status;
}

static const char *advice(int status)
{
	switch (status) {
	case STORE_EMPTY:
		return "; it is not touched (ckpt.format=no)";
	case STORE_FOREIGN:
		return "; it is not touched (ckpt.format=force gives it up)";
	case STORE_FUTURE:
		return "; it is not touched (run a newer system)";
	case STORE_DEAD:
		return "; it is not touched (ckpt.format=force begins anew)";
	default:
		return "";
	}
}

static void report_slots(void)
{
	for (unsigned i = 0; i < 2; i++)
		if (mount.slots[i].status != STORE_OK && mount.slots[i].status != STORE_EMPTY)
			log_error("superblock %u: %s%s%s", i, store_strerror(mount.slots[i].status),
				  mount.slots[i].why ? ", " : "", mount.slots[i].why ? mount.slots[i].why : "");
}

/* Mounts, formatting an empty partition. */
static int mount_store(struct store *st)
{
	uint64_t want = options.resume == RESUME_GENERATION ? options.resume_gen : 0;
	unsigned tries = READ_TRIES;
	int status;

	if (options.resume == RESUME_NONE && options.format == FORMAT_FORCE)
		return format(st);
	do
		status = store_mount(st, want, &mount);
	while (status == STORE_EIO && tries--);
	if ((status == STORE_EMPTY && options.format != FORMAT_NO) ||
	    (status != STORE_OK && options.format == FORMAT_FORCE))
		return format(st);
	if (status != STORE_OK)
		log_error("checkpoint partition: %s%s", store_strerror(status), advice(status));
	if (status == STORE_OK ? mount.fell_back : status != STORE_EIO)
		report_slots();
	return status;
}

/* The mounted store, with this boot counted; NULL: none can be used. */
static struct store *open_store(void)
{
	static struct store_op op;
	struct store *st;
	int status;

	if (!disk_init()) {
		log_error("no disk");
		return NULL;
	}
	if (!find_partition())
		return NULL;
	st = make_store();
	if (!st || mount_store(st) != STORE_OK)
		return NULL;
	status = store_sync(st, &op, store_boot(st, &op));
	if (status != STORE_OK) {
		log_error("boot counter: %s", store_strerror(status));
		return NULL;
	}
	return st;
}

/* ---- The world ----------------------------------------------------------------------------------- */

static void tell_kernel(void)
{
	fc_push(L4_FC_BOOT, record.boot & L4_FC_NAME_MASK, entropy());
	fc_push(L4_FC_STORE_SIZE, record.store_pages, 0);
	fc_push(L4_FC_ARCHIVE, record.archive_first, record.archive_bytes);
	fc_push(L4_FC_SET_CLOCK, 0, record.clock_us);
	fc_flush();
	wall_init(record.clock_us);
	pagefault_set_limit(record.store_pages);
}

static void halt(const char *why)
{
	log_line("[boot] halted: %s", why);
	log_flush();
	for (;;)
		L4_Sleep(L4_Never);
}

/* ckpt.resume=none: the old world goes with the first checkpoint of the new one. */
static void give_up_world(void)
{
	discard_client(CLIENT_KERNEL);
	discard_client(((const struct record *)mount.user)->root_space);
}

static void begin_new(const void *archive, uint64_t bytes)
{
	record.magic = RECORD_MAGIC;
	record.version = RECORD_VERSION;
	record.store_pages = options.store_pages;
	record.archive_first = archive ? GENESIS_ARCHIVE : 0;
	record.archive_bytes = archive ? bytes : 0;
	record.clock_us = 0;
	tell_kernel();
	fc_now(L4_FC_ACTIVATE, 0, 0);
	log_line("[boot] genesis disk=%s store_pages=%lu boot=%lu persistent=%s", commit_persistent() ? disk_name() : "none",
		 record.store_pages, record.boot, commit_persistent() ? "yes" : "no");
	if (!genesis(archive, bytes, options.root))
		halt("there is nothing to run");
}

/* Every page of the thread table goes to the kernel before ACTIVATE. */
static bool supply_table(struct store *st)
{
	static struct store_op next, read;

	next.client = read.client = CLIENT_KERNEL;
	next.vpn = L4_OBJ(L4_OBJ_TABLE, 0);
	next.end = L4_OBJ(L4_OBJ_TABLE, L4_TABLE_PAGES);
	for (;; next.vpn++) {
		int status = store_sync(st, &next, store_next(st, &next));
		pfn_t f;

		if (status == STORE_END)
			return true;
		if (status == STORE_OK) {
			f = page_new(KEY(CLIENT_KERNEL, next.vpn), false, 0);
			if (!f)
				return false;
			read.vpn = next.vpn;
			read.buf = page_data(f);
			for (unsigned tries = 0; tries <= READ_TRIES; tries++) {
				status = store_sync(st, &read, store_read(st, &read));
				if (status != STORE_EIO)
					break;
			}
			page_of(f)->flags |= PG_SUPPLIED | PG_USED;
			fc_push(L4_FC_SUPPLY, next.vpn, f);
		}
		if (status != STORE_OK) {
			log_error("thread table page %lu: %s", next.vpn, store_strerror(status));
			return false;
		}
	}
}

static bool record_good(const struct record *r)
{
	return r->magic == RECORD_MAGIC && r->version == RECORD_VERSION && r->root_space >= L4_FIRST_SPACE &&
	       r->root_space < L4_MAX_SPACES && r->store_pages && r->store_pages < 1ul << 35;
}

static void resume(struct store *st)
{
	uint64_t boot_number = store_boot_number(st);
	long threads;

	__builtin_memcpy(&record, mount.user, sizeof record);
	if (!record_good(&record))
		halt("the checkpoint's record makes no sense");
	record.boot = boot_number;
	volatile_recovered();
	tell_kernel();
	if (!supply_table(st))
		halt("the thread table cannot be read");
	threads = fc_now(L4_FC_ACTIVATE, 0, mount.generation);
	recover_result.generation = mount.generation;
	recover_result.threads = threads > 0 ? (uint64_t)threads : 0;
	log_line("[boot] recovered gen=%lu boot=%lu clock_us=%lu threads=%lu skipped=%u", mount.generation, record.boot,
		 record.clock_us, recover_result.threads, mount.fell_back);
}

void recover(const void *archive, uint64_t bytes)
{
	struct store *st = open_store();

	if (options.frames)
		pages_limit(options.frames);
	if (!st) {
		if (options.require)
			halt("ckpt.require=yes, and no checkpoint partition can be used");
		log_error("running without persistence: nothing survives the next boot");
		record.boot = 1;
		begin_new(archive, bytes);
		return;
	}
	commit_use(st, mount.generation ? mount.user : NULL);
	record.boot = store_boot_number(st);
	if (mount.generation != 0 && options.resume != RESUME_NONE) {
		resume(st);
	} else {
		if (mount.generation != 0)
			give_up_world();
		begin_new(archive, bytes);
	}
	snapshot_begin();
}
