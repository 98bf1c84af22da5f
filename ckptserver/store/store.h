/* SPDX-License-Identifier: BSD-2-Clause
 * The checkpoint store: pages named (client, virtual page number), in generations, on one partition.
 *
 * Rules of use
 *  - One thread owns a store; there are no locks and nothing here blocks, except store_mount,
 *    store_format and store_sync, which use the device's `wait` and are for booting and host programs.
 *  - Work is done in three places, each of bounded length: inside the call that starts an operation,
 *    inside the device's completions, and in store_work, of which one call does one unit.
 *  - An operation is a struct store_op of the caller's. The call returns STORE_PENDING, and op->done is
 *    called later (never from inside the call), or it returns the final status at once, and op->done is
 *    not called. op->status has the final status in both cases. Until then op and its buffer are the store's.
 *    A struct store_op is zeroed before its first use and may be used again after completion.
 *  - Changes (put, remove, range, drop, commit) take effect in the order of the calls. Reads and
 *    look-ups see the changes that have taken effect, not those that are still queued, and a page must not
 *    be read while its put is pending (it is still in memory then).
 *
 * One commit:
 *      store_begin (user record) ; store_put / store_remove … for the pages of the snapshot ;
 *      store_commit -> done: STORE_OK: the generation is durable.
 * Puts outside begin … commit are allowed (early cleaning): they belong to the next commit. So between
 * begin and commit only pages of the snapshot may be put. Changes asked for after store_commit are queued
 * until it has succeeded, and belong to the generation after it.
 *
 * A commit that failed is not given up but repeated: call store_commit again (any time later); it goes on
 * where it failed, with the same content, number and superblock slot. Nothing durable is harmed meanwhile. Changes
 * asked for between its failure and its repetition belong to it as well, unless it was about to be written: a failed
 * put is repeated, a full disk relieved; those asked for before it failed still come after it (a repeated put does not,
 * whenever it was asked for).
 */
#ifndef STORE_H
#define STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "blkdev.h"

#define STORE_PAGE              4096u
#define STORE_USER_BYTES        256u            /* the caller's record in each generation */
#define STORE_VPN_BITS          36
#define STORE_VPN_END           (1ull << STORE_VPN_BITS)
#define STORE_CLIENTS           65536u
#define STORE_UUID_BYTES        16u
#define STORE_NAME_BYTES        32u             /* of a generation's name, with its zero */
#define STORE_KEEP_DEFAULT      8u              /* unnamed generations kept, the newest included */
#define STORE_KEEP_MAX          64u
#define STORE_KEPT_MAX          71u             /* generations kept, of all kinds, the newest included */
#define STORE_FIXED_MAX         63u             /* … of them named or pinned */
#define STORE_SKIPPED_MAX       8u

/* Results of every function. Numbers never change their meaning. */
enum store_status {
	STORE_PENDING   = 1,    /* op->done will be called */
	STORE_OK        = 0,
	STORE_EIO       = -1,   /* the device failed; the same call may be tried again */
	STORE_DAMAGED   = -2,   /* a block's content does not match its checksum; op->block names it */
	STORE_FULL      = -3,   /* no free block, and no unnamed generation left that could go: drop something */
	STORE_EINVAL    = -4,   /* client, vpn or range out of bounds, or a call in the wrong state */
	STORE_END       = -5,   /* store_next: no page at or after vpn */
	STORE_UNWRITTEN = -6,   /* store_commit: a put failed and has not been repeated, or a failed flush has cost pages */
	STORE_NOMEM     = -7,   /* arena too small */
	/* store_mount and store_format: */
	STORE_EMPTY     = -20,  /* partition holds zeros only where we look: it may be formatted */
	STORE_FOREIGN   = -21,  /* something that is not ours is there: never touched unless forced */
	STORE_FUTURE    = -22,  /* written by a later version, or with features this one does not know */
	STORE_TOO_SMALL = -23,  /* less than STORE_MIN_BLOCKS, or smaller than it was when formatted */
	STORE_DEAD      = -24,  /* ours, but neither superblock leads to an intact generation */
	STORE_NO_GENERATION = -25, /* the wanted generation is not kept */
	STORE_TOO_MANY  = -26,  /* STORE_FIXED_MAX generations are named or pinned: drop some */
};

#define STORE_MIN_BLOCKS        2048u           /* 8 MiB */

/* One short English sentence part per status, never NULL. */
const char *store_strerror(int status);

/* ---- Operations ------------------------------------------------------------------------------- */

struct store_op {
	/* Filled in by the caller. */
	uint32_t  client;               /* 0 = the kernel's object pages, else a space number; < STORE_CLIENTS */
	uint64_t  vpn;                  /* page number; < STORE_VPN_END */
	uint64_t  end;                  /* ranges: one past the last page; <= STORE_VPN_END */
	void     *buf;                  /* one page, 4 KiB-aligned: target of a read, source of a put */
	void    (*done)(struct store_op *);
	void     *owner;                /* the caller's */
	bool      mend;                 /* put: replace a damaged index node on the way, see store_put */
	/* Results. */
	int       status;               /* enum store_status */
	bool      hole;                 /* look-up, read: the page has never been written or is zero */
	uint64_t  block;                /* look-up, read, put: the page's block (0: hole); damage: the bad block */
	uint64_t  sum;                  /* look-up, read, put: XXH3-64 of the page */
	uint64_t  old_block, old_sum;   /* store_diff: of the page in the first generation (0: hole) */
	/* The store's own use. */
	uint8_t   kind, waiting, unwritten, walking;
	uint8_t   trash;                /* the trash client it uses, plus one */
	uint32_t  leaves;               /* cleared so far */
	uint64_t  cursor, from, to;
	struct store *st;
	struct store_op *link;
	struct blkreq req;
	void     *req_buf[1];
};

struct store;

/* ---- Set up ----------------------------------------------------------------------------------- */

/* Bytes of memory for a store on `blocks` blocks with a cache of `nodes` index and map blocks (at least
 * 64; a few thousandths of the pages in use make look-ups of all of them cheap: 1 GiB has 1,024 leaves). */
size_t store_arena_bytes(uint64_t blocks, uint32_t nodes);

/* Build a store in `arena` (4 KiB-aligned, `bytes` long; as many cache nodes as fit) on `dev`. No I/O.
 * Everything the store ever uses is in the arena. STORE_NOMEM if it does not suffice. */
int store_init(void *arena, size_t bytes, struct blkdev *dev, struct store **out);

/* A generation that was there, but could not be mounted. */
struct store_skipped {
	uint64_t generation;
	uint64_t block;                 /* that could not be read, or is damaged */
	int      status;                /* STORE_EIO, STORE_DAMAGED */
	const char *why;                /* a sentence part */
};

/* What store_mount found. Filled in on every return. */
struct store_mount {
	uint64_t generation;            /* mounted; 0: formatted, but nothing committed yet (genesis) */
	uint64_t parent;                /* the generation it was made from; 0 for the first */
	uint64_t newest;                /* highest generation number seen in any superblock */
	uint64_t boot;                  /* number of the last boot (0: none yet); see store_boot */
	uint64_t commit_boot;           /* number of the boot in which `generation` was committed */
	uint8_t  user[STORE_USER_BYTES];/* the caller's record of that generation */
	uint8_t  uuid[STORE_UUID_BYTES];
	uint64_t blocks;                /* blocks the store uses (fixed when formatted) */
	uint32_t version;               /* of the format, as found (also with STORE_FUTURE) */
	uint32_t slot;                  /* superblock slot mounted */
	/* Each superblock slot: STORE_OK used or usable; STORE_EMPTY zeros; STORE_DAMAGED; STORE_FUTURE;
	 * STORE_FOREIGN; STORE_EIO; and why, as a sentence part ("directory root does not match …"). */
	struct { int status; uint64_t generation, bad_block; const char *why; } slots[2];
	bool     fell_back;             /* a newer generation was there, or may have been, but could not be used */
	struct store_skipped skipped[STORE_SKIPPED_MAX];        /* in the order they were tried */
	uint32_t skipped_count;         /* may be more than STORE_SKIPPED_MAX: the rest is not listed */
	/* A block of the newest generation table that is damaged. The other superblock's table stands in for it; if
	 * that is damaged as well (table_lost) generations that nothing names any more are lost. */
	uint64_t table_block;
	const char *table_why;          /* NULL: no table was damaged */
	bool     table_lost;
};

/* Find the newest intact generation and make it current, or `want` (0: newest; it must be one of the
 * kept ones). Reads a bounded number of blocks, whatever the size and content of the partition; writes
 * nothing. Blocks. STORE_OK, or STORE_EMPTY / FOREIGN / FUTURE / TOO_SMALL / DEAD / NO_GENERATION / EIO;
 * with `want` also STORE_DAMAGED (that one cannot be mounted: res->skipped[0] has the reason) and
 * STORE_TOO_MANY (see below).
 *
 * With want 0, if the newest one's directory, map root or the roots of its first 64 clients cannot be read, its
 * ancestors are tried, newest first, then the other superblock's generation, then all others that are kept. If none
 * is whole that far, the first of them whose directory root and map root are whole is taken: res->skipped says what
 * is missing. What lies deeper is verified when it is read.
 *
 * Whichever is mounted: all kept generations that are newer than it are pinned by the next commit. STORE_TOO_MANY if
 * more than STORE_FIXED_MAX would be named or pinned then. */
int store_mount(struct store *st, uint64_t want, struct store_mount *res);
/* The same, for the generation with this name. */
int store_mount_named(struct store *st, const char *name, struct store_mount *res);
/* Was there something that could not be read, so that the same call may find something newer at the next try? A commit
 * after such a mount takes the place of what was not seen. */
bool store_mount_unread(const struct store_mount *res);

/* Make an empty store with the given random identity and mount it (generation 0). Refused unless the
 * partition is empty (status as store_mount would give it), or `force`, which gives up whatever is there;
 * only a partition that is too small is refused even then. A power cut leaves an empty partition or a
 * complete empty store. Blocks. */
int store_format(struct store *st, const uint8_t uuid[STORE_UUID_BYTES], bool force, struct store_mount *res);

/* Count this boot: increments the boot counter, which is kept apart from the generations, and makes it
 * durable. To be called once after mounting, before anything of this boot can be seen. op->cursor has
 * the number of this boot at completion, store_boot_number too. STORE_PENDING always, then OK or EIO
 * (call again: the number may then be higher by more than one than the last, never lower). */
int store_boot(struct store *st, struct store_op *op);
uint64_t store_boot_number(const struct store *st);

/* XXH3-64 of a page: what operations report as op->sum. */
uint64_t store_sum(const void *page);

/* ---- Reading ---------------------------------------------------------------------------------- */

/* Where is (client, vpn)? Sets hole, block and sum. Immediate if the index nodes are cached. OK, DAMAGED
 * (an index node; op->block names it), EIO, EINVAL. */
int store_lookup(struct store *st, struct store_op *op);

/* Read the page into op->buf and verify it. A hole gives zeros, without I/O for the page itself. As
 * store_lookup; with DAMAGED the buffer's content is undefined. */
int store_read(struct store *st, struct store_op *op);

/* First existing page with op->vpn <= vpn < op->end: sets op->vpn, block, sum. STORE_END if none. Loads only
 * the index nodes on the way. To go on, add 1 to vpn and call again. */
int store_next(struct store *st, struct store_op *op);

/* ---- Generations -------------------------------------------------------------------------------
 *
 * Kept are: the newest `keep` unnamed ones (the one last committed included), all named ones, and all pinned ones.
 * A commit that makes an older one superfluous, or finds it dropped, leaves it out of its table; its blocks are free
 * once the commit after that is durable too, because until then the other superblock still names it.
 *
 * When space is short the oldest unnamed ones that are not pinned go, as many as needed: in a commit, and also when a
 * put finds no room in the middle of one. What was dropped by store_drop goes then, too, without a commit. */

struct store_generation {
	uint64_t generation, parent;
	uint64_t boot;                  /* number of the boot it was committed in */
	uint64_t used;                  /* blocks it uses, shared ones included */
	uint64_t freed;                 /* blocks of its parent that it does not use */
	uint32_t flags;                 /* STORE_GEN_* */
	char     name[STORE_NAME_BYTES];/* "" unless named */
	uint8_t  user[STORE_USER_BYTES];
};
#define STORE_GEN_NAMED         1u
#define STORE_GEN_PINNED        2u
#define STORE_GEN_SPARE         4u

/* All kept generations, newest number first, with names as they will be after the next commit and without those that
 * were dropped. Fills in at most `max` of them; returns how many there are. */
uint32_t store_generations(const struct store *st, struct store_generation *out, uint32_t max);
/* The same with the spare ones, of which there are a few: they do not count among the kept ones, and are there only in case
 * a block is lost that the newer ones share. They can be mounted, compared, named and dropped like others. */
uint32_t store_generations_all(const struct store *st, struct store_generation *out, uint32_t max);

/* Keep `unnamed` unnamed generations from the next commit on, 1 .. STORE_KEEP_MAX (else STORE_EINVAL). The number is
 * stored with each commit; mounting takes that of the newest one, whichever generation is mounted. */
int store_keep(struct store *st, uint32_t unnamed);
uint32_t store_kept(const struct store *st);            /* that number */

/* Name a generation (NULL or "": take its name away). A name has 1 to 31 of A-Z a-z 0-9 . _ - and is not a number.
 * STORE_EINVAL: no such name, or another generation has it; STORE_NO_GENERATION (or it is going, for space is short);
 * STORE_TOO_MANY. Durable with the next commit; a generation that is not pinned and loses its name may go with it. */
int store_name(struct store *st, uint64_t generation, const char *name);

/* Do not keep this generation any longer, whatever its name and pins; from the next commit on. STORE_EINVAL: it is the
 * one the current state is made from; STORE_NO_GENERATION. */
int store_drop(struct store *st, uint64_t generation);

/* Something has come up about a kept generation while the store was at work: *out says what. False: nothing (more). Reports
 * that nobody asks for are few.
 *
 * A page of its allocation map is damaged: nobody knows which blocks there are its own, so none of them is used while it is
 * kept. It can be mounted, read and gone back to as before; but when there is no other room, it is dropped, whatever its name and
 * pins (a second report). The current state is made from another one: where its own map is damaged, that part is
 * out of use until the store is mounted again.
 *
 * Falling back to an older generation pins what is newer, even beyond STORE_FIXED_MAX. Should there be more than
 * STORE_KEPT_MAX - 1 after that has happened again, the next commit drops the oldest (status STORE_TOO_MANY, block 0). */
bool store_report(struct store *st, struct store_skipped *out);

/* First page at or after (op->client, op->vpn), in this order, whose content differs between kept generations `a` and
 * `b` (0: a store without pages). Goes on to later clients; equal subtrees are skipped without reading them. Sets
 * op->client, op->vpn; op->old_block and old_sum as in a; op->block, sum and hole as in b. To go on, add 1 to
 * vpn and call again. STORE_END if none; STORE_NO_GENERATION; as store_next. */
int store_diff(struct store *st, struct store_op *op, uint64_t a, uint64_t b);

/* Result of store_state_verify. */
struct store_verified {
	uint64_t pages;                 /* added up */
	uint64_t block;                 /* DAMAGED: the index node that is, or 0: all can be read, and they do not add up */
	bool     known;                 /* there was a hash to compare with; else what was found is the hash from now on */
};

/* Do the pages of the current state add up to its state hash, the sum of all their names and checksums that each generation's
 * record has (docs/on-disk-format.md)? To be called after mounting, before any operation: it blocks, and reads every index
 * node, but no page. OK, DAMAGED, EIO. A hash is not known when an earlier version wrote the store, or damage cost pages. */
int store_state_verify(struct store *st, struct store_verified *v);

/* ---- Changing --------------------------------------------------------------------------------- */

/* Announce the next commit, with the caller's record for it (copied). At most one commit at a time:
 * STORE_EINVAL while one is under way or failed and not repeated; a second begin before store_commit
 * replaces the record. */
int store_begin(struct store *st, const uint8_t user[STORE_USER_BYTES]);

/* Give the page the content of op->buf, which must not change before completion. An all-zero page becomes
 * a hole and takes no disk. The page's old block is not touched. OK (a hole, at once) or PENDING; completes
 * when the write has completed. EIO with op->unwritten set: the write failed; *the same op* must be put again
 * (same page, any content), or store_put_forget be called, before the next commit can succeed. FULL, DAMAGED or
 * EIO (index node), EINVAL: nothing changed.
 *
 * DAMAGED means that op->block, an index node on the way to the page, is damaged: where the page is recorded is not known.
 * All other pages can be put and the next commit can succeed; it carries the damaged reference over as it is. To
 * save this page as well, op->mend must be set: the node is replaced by one in which everything is marked as lost. The
 * pages it led to cannot be read, as before; they can be put and removed again, and kept generations still have
 * the damaged block. (Removing does that unasked.) A damaged page of the client directory is not mended: DAMAGED. */
int store_put(struct store *st, struct store_op *op);

/* Instead of repeating a put that failed: the page was put anew, removed or dropped since, so the content that
 * could not be written is not wanted any more. */
void store_put_forget(struct store *st, struct store_op *op);

/* Make the page a hole. */
int store_remove(struct store *st, struct store_op *op);

/* Make all pages vpn <= p < end holes. In units, and not more than a few hundred of them: large parts are cut off as a
 * whole, and freed later, when store_work has nothing else to do. */
int store_remove_range(struct store *st, struct store_op *op);

/* Remove all pages of the client, and the client itself. */
int store_drop_client(struct store *st, struct store_op *op);

/* Make durable all that was put and removed. OK: the generation store_generation(st) is committed. EIO,
 * FULL, DAMAGED, UNWRITTEN: not known to be committed; call again, see above. EINVAL: no store_begin. PENDING. */
int store_commit(struct store *st, struct store_op *op);

/* A flush that failed leaves open what of all that was written is on the disk. The store writes it again by itself, as long as
 * it can be read back or is in its cache. If a page cannot, store_commit fails with UNWRITTEN and op->block set, the block that the
 * page was in: these pages, 0, 1, … until false, must be put or removed before a commit can succeed. If it is a part of the
 * index that is in no cache, store_commit fails with DAMAGED, op->block 0, from then on: what can be had is the last generation, by mounting. */
bool store_lost_page(const struct store *st, uint32_t i, uint32_t *client, uint64_t *vpn);

/* Number of the last generation known to be durable (0: none). */
uint64_t store_generation(const struct store *st);

/* Whether all commits are to be full ones, with all index nodes they change, from now on and after further mounts. Else
 * small ones write a delta. */
void store_full_commits(struct store *st, bool only);

/* ---- Work and waiting ------------------------------------------------------------------------- */

/* Do one bounded unit of work: run the next queued change, free a block in the map, checksum and
 * submit one index block, advance the commit. Returns whether more can be done now without waiting for
 * the device. */
bool store_work(struct store *st);

/* For booting and host programs: if `status` is STORE_PENDING, run store_work and dev->wait until op is
 * complete. Returns the final status. Use: store_sync(st, &op, store_read(st, &op)). op->done may be NULL. */
int store_sync(struct store *st, struct store_op *op, int status);

/* XXH3-64 of the 4096 bytes: what op->sum is compared with. */
uint64_t store_sum(const void *page);

/* ---- Space ------------------------------------------------------------------------------------ */

/* Promise room for `pages` puts, with the index and map blocks they may cost. Call when pages become
 * dirty. What unnamed generations hold counts as room. STORE_FULL: nothing was promised; puts without a promise
 * still have a reserve (about 64 blocks and a 64th of the disk) then, so that removals can be committed. Each
 * store_put of a page uses up one promised page, if there is one (a put without a promise is possible while there is
 * room nobody was promised). */
int store_reserve(struct store *st, uint64_t pages);
/* Give promised pages back (a dirty page was discarded). */
void store_unreserve(struct store *st, uint64_t pages);
/* Pages promised now. */
uint64_t store_reserved(const struct store *st);

struct store_stats {
	uint64_t blocks;                /* usable for data, index and maps */
	uint64_t used;                  /* in the current state: pages, index, maps, tables */
	uint64_t held;                  /* kept only by earlier generations (an upper bound) */
	uint64_t free;                  /* blocks - used - held */
	uint64_t slush;                 /* of the free ones, so many only commits and removals may take */
	uint64_t reserved;              /* pages promised */
	uint64_t index_blocks;          /* index nodes and directory pages in the current state */
	uint64_t generation, boot;
	uint64_t kept;                  /* generations, the newest included */
	uint64_t commits, commit_errors;
	uint64_t pages_put, pages_zero, pages_read;     /* since mount */
	uint64_t blocks_written, blocks_read, flushes;  /* since mount, all kinds */
	uint64_t last_pages, last_index, last_map, last_bytes;  /* of the last commit */
	uint64_t cache_nodes, cache_hits, cache_misses, leaked;
	uint64_t mended;                /* damaged index nodes replaced since mount */
};
void store_stats(const struct store *st, struct store_stats *out);

#endif
