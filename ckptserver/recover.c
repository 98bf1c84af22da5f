/* SPDX-License-Identifier: BSD-2-Clause
 * Recovery. Order of the last steps (the kernel demands it): clock, thread table, ACTIVATE; and before anything of
 * this boot can be seen by a program, the boot counter is durable on disk.
 *
 * Nothing that is not ours is overwritten, and nothing of ours that cannot be understood. Where nothing of ours is, the machine
 * runs without persistence, after saying so. Where something of ours is or may be, it waits until the disk can be read, or stops.
 * ckpt.require= changes either.
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
#include "travel.h"
#include "statehash.h"
#include "volatile.h"
#include "wall.h"

#define NODES_PER_FRAME 64u             /* one index node cached per so many frames */
#define NODES_MIN       128u
#define NODES_MAX       16384u
#define PAUSE_US        100000ul        /* before a disk that fails is tried again: from … */
#define PAUSE_MAX_US    10000000ul      /* … to */
#define UNREAD_PAUSES   5u              /* 3 seconds in all */
#define READ_TRIES      3u              /* a passing disorder of the disk must not cost a boot its memory */

struct recover_result recover_result;

/* Nobody is left out: on a larger machine all of them go on. */
static const char little_memory[] = "not enough memory for the threads of this checkpoint";

static struct store_mount mount;
static unsigned skipped;                /* generations newer than the one that is resumed */

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

/* STORE_OK; STORE_EIO; STORE_DAMAGED: one of ours may be there; STORE_EMPTY: none is. */
static int find_partition(void)
{
	static const char *const why[] = {
		[-GPT_NONE] = "no partition table (GPT)",
		[-GPT_DAMAGED] = "the partition table is damaged, or reaches beyond the end of the disk",
		[-GPT_NO_PARTITION] = "no checkpoint partition (type 50455244-5552-4500-8c4b-3a0e5f1d7c21)",
		[-GPT_IO] = "cannot be read",
	};
	struct gpt_source src = { .read = read_sector, .sectors = disk_sectors() };
	struct gpt_partition part;
	int r = gpt_find(&src, gpt_checkpoint_type, &part);

	if (r != GPT_OK) {
		log_error("disk %s: %s", disk_name(), why[-r]);
		return r == GPT_IO ? STORE_EIO : r == GPT_DAMAGED ? STORE_DAMAGED : STORE_EMPTY;
	}
	if (part.from_backup)
		log_error("disk %s: primary partition table damaged, the backup is used", disk_name());
	if (part.first % 8)
		log_error("disk %s: the checkpoint partition is not aligned to 4 KiB", disk_name());
	disk_set_partition(part.first, part.last);
	return STORE_OK;
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
	case STORE_TOO_SMALL:
		return "; it is not touched (give it its size back)";
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

static void say_skipped(uint64_t generation, uint64_t block, const char *why)
{
	skipped++;
	log_error("generation %lu is skipped, block=%lu: %s", generation, block, why);
}

static void report_skipped(void)
{
	for (uint32_t i = 0; i < mount.skipped_count && i < STORE_SKIPPED_MAX; i++)
		say_skipped(mount.skipped[i].generation, mount.skipped[i].block, mount.skipped[i].why);
	if (!skipped)
		skipped = mount.fell_back;
	if (mount.table_why)
		log_error("generation table, block=%lu: %s%s", mount.table_block, mount.table_why,
			  mount.table_lost ? "; generations are lost" : "; its older copy stands in");
}

/* What is wrong may pass: say so, and let that time pass. It doubles. */
static void wait_for_disk(const char *what)
{
	static uint64_t pause_us = PAUSE_US;
	uint64_t end = rdtsc() + time_ticks(pause_us);

	log_error("disk %s: %s; trying again in %lu ms", disk_name(), what, pause_us / 1000);
	while (rdtsc() < end) {
		disk_tick(rdtsc());
		L4_Sleep(L4_TimePeriod(PAUSE_US));
	}
	pause_us = pause_us < PAUSE_MAX_US / 2 ? pause_us * 2 : PAUSE_MAX_US;
}

/* Once more, and a few times more while something that may be newer cannot be read: the first commit takes its place. */
static int mount_patiently(struct store *st)
{
	unsigned tries = READ_TRIES, pauses = UNREAD_PAUSES;
	int status;

	for (;;) {
		status = travel_mount(st, &mount);
		if (status == STORE_EIO && tries--)
			continue;
		if (status != STORE_OK || !store_mount_unread(&mount) || !pauses--)
			return status;
		wait_for_disk("something newer cannot be read");
	}
}

/* Mounts, formatting an empty partition. */
static int mount_store(struct store *st)
{
	int status;

	if (options.resume_kind == RESUME_NONE && options.format == FORMAT_FORCE)
		return format(st);
	status = mount_patiently(st);
	if (status == STORE_NO_GENERATION)      /* it has been said, and force does not mean a misspelt wish */
		return status;
	if ((status == STORE_EMPTY && options.format != FORMAT_NO) ||
	    (status != STORE_OK && options.format == FORMAT_FORCE))
		return format(st);
	if (status != STORE_OK)
		log_error("checkpoint partition: %s%s", store_strerror(status), advice(status));
	if (status == STORE_OK ? mount.fell_back : status != STORE_EIO)
		report_slots();
	if (status == STORE_OK)
		report_skipped();
	return status;
}

static void __attribute__((noreturn)) halt(const char *why)
{
	log_line("[boot] halted: %s", why);
	log_flush();
	for (;;)
		L4_Sleep(L4_Never);
}

/* ---- A world of ours that cannot be reached ------------------------------------------------------ */

/* A store of ours is there, or may be, and cannot be used. To begin anew beside it would not be what anybody wants. */
static void unusable(const char *why)
{
	if (options.require != REQUIRE_NO)
		halt(why);
}

static bool ours(int status)
{
	return status == STORE_FUTURE || status == STORE_DEAD || status == STORE_DAMAGED || status == STORE_TOO_MANY ||
	       (status == STORE_TOO_SMALL && disk_dev.blocks >= STORE_MIN_BLOCKS);
}

static int find_and_mount(struct store **st)
{
	int status = find_partition();

	if (status != STORE_OK)
		return status;
	if (!*st)
		*st = make_store();
	return *st ? mount_store(*st) : STORE_NOMEM;
}

/* The mounted store, with this boot counted; NULL: none can be used, and none of ours is given up by that. */
static struct store *open_store(void)
{
	static struct store_op op;
	struct store *st = NULL;
	int status;

	if (!disk_init()) {
		log_error("no disk");
		if (disk_name()[0])
			unusable("the disk cannot be used");
		return NULL;
	}
	while ((status = find_and_mount(&st)) == STORE_EIO && options.require != REQUIRE_NO)
		wait_for_disk("cannot be read");
	if (status == STORE_NO_GENERATION)
		halt("what ckpt.resume= asks for cannot be had; nothing was changed");
	if (status != STORE_OK) {
		if (ours(status))
			unusable("the checkpoint partition cannot be used");
		return NULL;
	}
	while ((status = store_sync(st, &op, store_boot(st, &op))) == STORE_EIO && options.require != REQUIRE_NO)
		wait_for_disk("the boot counter cannot be written");
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

/* As long as it is not known whether it can be read at all. */
static int read_patiently(struct store *st, struct store_op *op, int (*start)(struct store *, struct store_op *))
{
	for (unsigned tries = 0;; tries++) {
		int status = store_sync(st, op, start(st, op));

		if (status != STORE_EIO)
			return status;
		if (tries >= READ_TRIES)
			wait_for_disk("the thread table cannot be read");
	}
}

/* Reads the thread table into memory. False: it is damaged; op->vpn and op->block say where. */
static bool read_table(struct store *st, struct store_op *op)
{
	static struct store_op next;

	next.client = op->client = CLIENT_KERNEL;
	next.vpn = L4_OBJ(L4_OBJ_TABLE, 0);
	next.end = L4_OBJ(L4_OBJ_TABLE, L4_TABLE_PAGES);
	for (;; next.vpn++) {
		int status = read_patiently(st, &next, store_next);
		pfn_t f;

		if (status == STORE_END)
			return true;
		op->vpn = next.vpn;
		op->block = next.block;
		if (status != STORE_OK)
			return false;
		f = page_new(KEY(CLIENT_KERNEL, next.vpn), false, 0);
		if (!f)
			halt(little_memory);
		op->buf = page_data(f);
		if (read_patiently(st, op, store_read) != STORE_OK)
			return false;
		statehash_loaded(f, page_data(f));
	}
}

/* Every page of it goes to the kernel before ACTIVATE; or from memory again. */
static void pass_table_on(bool supply)
{
	for (uint32_t i = 0; i < L4_TABLE_PAGES; i++) {
		uint32_t obj = L4_OBJ(L4_OBJ_TABLE, i);
		pfn_t f = page_find(KEY(CLIENT_KERNEL, obj));

		if (f && supply) {
			page_of(f)->flags |= PG_SUPPLIED | PG_USED;
			if (fc_now(L4_FC_SUPPLY, obj, f) == L4_FC_NO_POOL)
				halt(little_memory);
		} else if (f) {
			page_drop(f);
		}
	}
}

static bool record_good(const struct record *r)
{
	return r->magic == RECORD_MAGIC && r->version == RECORD_VERSION && r->root_space >= L4_FIRST_SPACE &&
	       r->root_space < L4_MAX_SPACES && r->store_pages && r->store_pages < 1ul << 35;
}

/* The newest kept generation that is older than the mounted one. False: there is none. */
static bool mount_older(struct store *st)
{
	static struct store_generation kept[STORE_KEPT_MAX];
	uint32_t n = store_generations(st, kept, STORE_KEPT_MAX);
	uint64_t than = mount.generation;

	for (uint32_t i = 0; i < n && i < STORE_KEPT_MAX; i++) {
		int status;

		if (kept[i].generation >= than)
			continue;
		while ((status = store_mount(st, kept[i].generation, &mount)) == STORE_EIO)
			wait_for_disk("an older generation cannot be read");
		if (status == STORE_OK)
			return true;
		say_skipped(kept[i].generation, mount.skipped[0].block, store_strerror(status));
	}
	return false;
}

/* The newest generation whose record makes sense and whose thread table is whole: with it the kernel can begin. */
static void choose(struct store *st)
{
	static struct store_op op;

	for (;;) {
		__builtin_memcpy(&record, mount.user, sizeof record);
		if (record_good(&record)) {
			if (read_table(st, &op))
				return;
			say_skipped(mount.generation, op.block, "the thread table is damaged");
			pass_table_on(false);
		} else {
			say_skipped(mount.generation, 0, "its record makes no sense");
		}
		if (options.resume_kind != RESUME_LATEST || !mount_older(st))
			halt("no checkpoint can be resumed");
	}
}

static void resume(struct store *st)
{
	uint64_t boot_number = store_boot_number(st);
	long threads;

	choose(st);
	statehash_recovered(st);
	record.boot = boot_number;
	tell_kernel();
	pass_table_on(true);
	threads = fc_now(L4_FC_ACTIVATE, 0, mount.generation);
	if (threads == L4_FC_NO_POOL)
		halt(little_memory);
	recover_result.generation = mount.generation;
	recover_result.threads = threads > 0 ? (uint64_t)threads : 0;
	log_line("[boot] recovered gen=%lu boot=%lu clock_us=%lu threads=%lu skipped=%u", mount.generation, record.boot,
		 record.clock_us, recover_result.threads, skipped);
}

void recover(const void *archive, uint64_t bytes)
{
	struct store *st = open_store();

	if (options.frames)
		pages_limit(options.frames);
	if (!st) {
		if (options.require == REQUIRE_YES)
			halt("ckpt.require=yes, and no checkpoint partition can be used");
		log_error("running without persistence: nothing survives the next boot");
		record.boot = 1;
		begin_new(archive, bytes);
		return;
	}
	record.boot = store_boot_number(st);
	if (mount.generation != 0 && options.resume_kind != RESUME_NONE) {
		resume(st);
		commit_use(st, mount.user);
		volatile_recovered();
	} else {
		commit_use(st, mount.generation ? mount.user : NULL);
		if (mount.generation != 0)
			give_up_world();
		begin_new(archive, bytes);
	}
	travel_begin(&mount);
	snapshot_begin();
}
