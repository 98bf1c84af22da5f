/* SPDX-License-Identifier: BSD-2-Clause
 * The fixed blocks: superblocks and boot counter. Reading here is synchronous (booting), the boot counter is
 * written asynchronously, superblocks by commit.c.
 *
 * What is found is judged in a fixed order: can it be read, is it all zero, is it ours at all (magic), is it
 * whole (sum), do we know it (version, features), does it belong here (slot, sizes). So a future version is
 * told apart from damage, and somebody else's data from both.
 */
#include <string.h>

#include "store_priv.h"

static void sync_done(struct blkreq *req)
{
	*(bool *)req->owner = true;
}

int sync_io(struct store *st, enum blk_op op, uint64_t block, void *page)
{
	bool done = false;
	void *bufs[1] = { page };
	struct blkreq req = { .op = op, .count = op == BLK_FLUSH ? 0 : 1, .block = block, .bufs = bufs,
			      .done = sync_done, .owner = &done };

	st->dev->submit(st->dev, &req);
	while (!done)
		st->dev->wait(st->dev);
	if (op == BLK_READ)
		st->blocks_read++;
	return req.status == BLK_OK ? STORE_OK : STORE_EIO;
}

static uint64_t sum_without(void *block, uint64_t *sum_field)
{
	uint64_t kept = *sum_field, sum;

	*sum_field = 0;
	sum = store_sum(block);
	*sum_field = kept;
	return sum;
}

void super_seal(struct fmt_super *s)
{
	s->sum = sum_without(s, &s->sum);
}

static const char *super_judge(const struct store *st, struct fmt_super *s, unsigned slot, int *status)
{
	*status = STORE_FOREIGN;
	if (s->magic != FMT_SUPER_MAGIC)
		return "not a superblock of ours";
	*status = STORE_DAMAGED;
	if (sum_without(s, &s->sum) != s->sum)
		return "superblock does not match its checksum";
	*status = STORE_FUTURE;
	if (s->version > FMT_VERSION)
		return "format version is later than this program";
	if (s->features_incompat & ~(uint64_t)FMT_INCOMPAT_KNOWN)
		return "uses features this program does not know";
	*status = STORE_DAMAGED;
	if (s->version == 0 || s->block_size != FMT_BLOCK || s->slot != slot ||
	    s->generation != s->gen.generation || s->blocks < STORE_MIN_BLOCKS)
		return "superblock contradicts itself";
	*status = STORE_TOO_SMALL;
	if (s->blocks > st->dev->blocks)
		return "the partition is smaller than when it was formatted";
	*status = STORE_OK;
	return "valid";
}

bool super_read(struct store *st, struct store_mount *res, unsigned slot, struct fmt_super *s)
{
	int status = STORE_EIO;

	/* To take a passing error for a lost superblock would lose a generation. */
	for (unsigned tries = 0; tries < 3 && status != STORE_OK; tries++)
		status = sync_io(st, BLK_READ, FMT_SUPER_BLOCK(slot), s);
	res->slots[slot].generation = 0;
	res->slots[slot].bad_block = FMT_SUPER_BLOCK(slot);
	if (status != STORE_OK) {
		res->slots[slot].why = "superblock cannot be read";
	} else if (store_is_zero(s)) {
		status = STORE_EMPTY;
		res->slots[slot].why = "never written";
	} else {
		res->slots[slot].why = super_judge(st, s, slot, &status);
		if (s->magic == FMT_SUPER_MAGIC)
			res->version = s->version > res->version ? s->version : res->version;
	}
	res->slots[slot].status = status;
	if (status != STORE_OK)
		return false;
	res->slots[slot].generation = s->generation;
	res->slots[slot].bad_block = 0;
	return true;
}

/* First 128 KiB and last 64 KiB: every common file system, volume manager and RAID has something there. */
int super_probe(struct store *st)
{
	const uint64_t *magic = st->sync_page;

	for (unsigned i = 0; i < 48; i++) {
		uint64_t block = i < 32 ? i : st->dev->blocks - 48 + i;

		if (sync_io(st, BLK_READ, block, st->sync_page) != STORE_OK)
			return STORE_EIO;
		if (store_is_zero(st->sync_page))
			continue;
		return *magic == FMT_SUPER_MAGIC || *magic == FMT_BOOT_MAGIC ? STORE_DEAD : STORE_FOREIGN;
	}
	return STORE_EMPTY;
}

/* ---- Boot counter ---- */

/* A counter that cannot be read may have been higher than what is left: leave a gap that no run of failures
 * without a commit will cross. */
#define BOOT_GAP        1024u

void boot_read(struct store *st)
{
	struct fmt_boot *b = st->sync_page;
	uint64_t count[2] = { 0, 0 };
	bool lost = false;

	for (unsigned copy = 0; copy < 2; copy++) {
		if (sync_io(st, BLK_READ, FMT_BOOT_BLOCK(copy), b) != STORE_OK)
			lost = true;
		else if (b->magic == FMT_BOOT_MAGIC && b->copy == copy && sum_without(b, &b->sum) == b->sum &&
			 !memcmp(b->uuid, st->uuid, sizeof(b->uuid)))
			count[copy] = b->count;
		else if (!store_is_zero(b))
			lost = true;
	}
	st->boot_copy = count[1] < count[0];
	st->boot = count[0] > count[1] ? count[0] : count[1];
	if (st->boot < st->super_boot) {
		st->boot = st->super_boot;
		lost = true;
	}
	st->boot_next = st->boot + 1 + (lost ? BOOT_GAP : 0);
}

static void boot_submit(struct store *st, struct store_op *op);

static void boot_done(struct blkreq *req)
{
	struct store_op *op = req->owner;
	struct store *st = op->st;

	if (req->status != BLK_OK) {
		st->boot_op = NULL;
		if (st->boot_flushing)
			written_doubt(st);
		op_finish(op, STORE_EIO);
	} else if (!st->boot_flushing) {
		st->boot_flushing = true;
		boot_submit(st, op);
	} else if (st->flush_errors != st->boot_errors) {
		st->boot_op = NULL;                     /* another flush has failed meanwhile */
		op_finish(op, STORE_EIO);
	} else {
		st->boot = op->cursor;
		st->boot_next = st->boot + 1;
		st->boot_copy = 1 - st->boot_copy;
		st->boot_op = NULL;
		op_finish(op, STORE_OK);
	}
}

static void boot_submit(struct store *st, struct store_op *op)
{
	op->req_buf[0] = st->boot_page;
	op->req = (struct blkreq){ .op = st->boot_flushing ? BLK_FLUSH : BLK_WRITE, .count = !st->boot_flushing,
				   .block = st->boot_flushing ? 0 : FMT_BOOT_BLOCK(st->boot_copy),
				   .bufs = op->req_buf, .done = boot_done, .owner = op };
	st->dev->submit(st->dev, &op->req);
}

int store_boot(struct store *st, struct store_op *op)
{
	struct fmt_boot *b = st->boot_page;

	op->st = st;
	op->kind = OP_BOOT;
	op->status = STORE_PENDING;
	if (!st->blocks || st->boot_op)
		return op->status = STORE_EINVAL;
	st->boot_op = op;
	st->boot_flushing = false;
	st->boot_errors = st->flush_errors;
	op->cursor = st->boot_next;
	memset(b, 0, sizeof(*b));
	b->magic = FMT_BOOT_MAGIC;
	b->version = FMT_VERSION;
	b->copy = st->boot_copy;
	memcpy(b->uuid, st->uuid, sizeof(b->uuid));
	b->count = op->cursor;
	b->sum = sum_without(b, &b->sum);
	boot_submit(st, op);
	return STORE_PENDING;
}

uint64_t store_boot_number(const struct store *st)
{
	return st->boot;
}
