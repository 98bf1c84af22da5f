/* SPDX-License-Identifier: BSD-2-Clause
 * Checkpoints: what a program may ask of the checkpoint server. No program has to.
 *
 * The checkpoint server is sigma0, thread (L4_SIGMA0_TNO, 1), and residual: it starts anew at every boot.
 * A call to it that was under way at the snapshot is made again by the kernel after recovery
 * (at-least-once). Therefore every request carries the boot number at which it was made. A request of an
 * earlier boot that would have an effect is answered L4_CKPT_NEW_BOOT and not carried out; so a power-off
 * switches off once, and the caller finds itself returning from it in the next boot.
 *
 * All messages are untyped words. Request and answer have the same label. MR1 of a request is the boot
 * number; MR1 of an answer is a status, MR2 the present boot number. Each function below is one such
 * call: it uses message registers (contents are lost), blocks until the server answers, and returns the
 * status, or L4_CKPT_NO_SERVER if the call failed.
 *
 * Who may ask what: to take part in persistence (SAVE, ORDER, AWAIT) and to read (STAT, LIST, DIFF, KEEP that only asks) is everybody's.
 * To *control the machine* (INTERVAL, POWEROFF, REBOOT, EXIT, NAME, DROP, KEEP) is for the root task, and for threads with numbers below
 * L4_CONTROL_TNO_END; anybody else is answered L4_CKPT_DENIED. Who creates threads decides which numbers they get: the
 * pager gives these to administrators only (TASK_SPAWN_ADMIN of l4/task.h). So the right needs no record, and outlives the machine.
 */
#ifndef L4_CKPT_H
#define L4_CKPT_H

#include <l4/abi.h>

/* Labels (bits 63..16 of the tag); arguments from MR2, results from MR3. */
#define L4_CKPT_SAVE            0x4b01  /* → generation: answered when the checkpoint is committed */
#define L4_CKPT_STAT            0x4b02  /* → struct L4_CkptStat */
#define L4_CKPT_INTERVAL        0x4b03  /* µs, 0 = only on demand → the interval before */
#define L4_CKPT_POWEROFF        0x4b04  /* commits a checkpoint, then switches off */
#define L4_CKPT_REBOOT          0x4b05  /* commits a checkpoint, then resets */
#define L4_CKPT_EXIT            0x4b06  /* status: ends the emulator at once, without a checkpoint */
#define L4_CKPT_DISCARD         0x4b07  /* first address, bytes: of the caller's store */
#define L4_CKPT_VOLATILE        0x4b08  /* first address, bytes: of the caller's store */
#define L4_CKPT_IRQ             0x4b09  /* residual drivers: number, thread id of the handler */
#define L4_CKPT_LIST            0x4b0a  /* generation, 0: from the newest → kept before it, then records, see below */
#define L4_CKPT_NAME            0x4b0b  /* generation, name (4 words) → generation: answered when committed */
#define L4_CKPT_DROP            0x4b0c  /* first, last generation, flags → dropped: answered when committed */
#define L4_CKPT_KEEP            0x4b0d  /* unnamed generations to keep, 0: only ask → the number before */
#define L4_CKPT_DIFF            0x4b0e  /* from, to, client, page → client, page, then changes, see below */
#define L4_CKPT_ORDER           0x4b0f  /* first address, bytes → snapshot number, 0: is saved already */
#define L4_CKPT_AWAIT           0x4b10  /* boot and snapshot number from ORDER → generation */
#define L4_CKPT_RESET           0x4b11  /* residual drivers: reset at once, without a checkpoint */
#define L4_CKPT_LIST_MAX        4       /* records in one answer */
#define L4_CKPT_DIFF_MAX        12      /* changes in one answer */
#define L4_CKPT_DROP_NOW        1       /* flag: the answer does not wait for the commit */
#define L4_CKPT_NAME_BYTES      32      /* a generation's name, with its zero */
#define L4_CKPT_KEEP_MAX        32
#define L4_CKPT_RANGE_MAX       (16ul << 20)    /* bytes in one DISCARD request */

/* Status. */
#define L4_CKPT_OK              0
#define L4_CKPT_NEW_BOOT        1       /* asked in an earlier boot; not carried out */
#define L4_CKPT_BAD_REQUEST     2       /* unknown label, or an argument out of range */
#define L4_CKPT_NOT_PERSISTENT  3       /* the machine runs without a checkpoint partition */
#define L4_CKPT_FAILED          4       /* the checkpoint could not be written; it will be tried again */
#define L4_CKPT_DENIED          5       /* not for this caller: see "who may ask what" above */
#define L4_CKPT_BUSY            6       /* too many callers wait already; ask again */
#define L4_CKPT_NO_SERVER       7       /* the call itself failed (made by the library) */
#define L4_CKPT_NOT_KEPT        8       /* there is no such generation */
#define L4_CKPT_IN_USE          9       /* the generation this world goes on from cannot be dropped */
#define L4_CKPT_NAME_TAKEN      10      /* another generation has that name */
#define L4_CKPT_TABLE_FULL      11      /* as many generations are kept as there can be */

#ifndef __ASSEMBLER__

#ifdef __cplusplus
extern "C" {
#endif

/* Figures count since this boot unless they say otherwise. Times of "clock" are the persistent clock. */
struct L4_CkptStat {
	unsigned long generation;       /* last committed; 0: none */
	unsigned long boot;             /* boot number */
	unsigned long interval_us;      /* 0: only on demand */
	unsigned long pause_last_ns;    /* work of the checkpoint server while nothing else could run */
	unsigned long pause_max_ns;
	unsigned long pause_mean_ns;
	unsigned long checkpoints;      /* committed */
	unsigned long failures;         /* checkpoints that could not be written */
	unsigned long pages_last;       /* pages written by the last checkpoint, zero pages not counted */
	unsigned long bytes_last;       /* bytes written by it, index and superblock included */
	unsigned long bytes_total;
	unsigned long write_last_us;    /* from its snapshot to its commit */
	unsigned long committed_us;     /* clock at the snapshot of the last committed checkpoint */
	unsigned long copies;           /* pages copied out because somebody wrote to them meanwhile */
	unsigned long postponed;        /* write faults that had to wait for a free buffer */
	unsigned long faults;           /* page faults of the root task answered */
	unsigned long reads;            /* pages read from disk */
	unsigned long frames;           /* 4 KiB frames of memory for pages */
	unsigned long frames_free;
	unsigned long frames_dirty;     /* written since the last snapshot */
	unsigned long store_blocks;     /* 4 KiB blocks of the partition; 0: not persistent */
	unsigned long store_free;
	unsigned long threads;          /* threads recovered at this boot */
	unsigned long recovered;        /* generation recovered at this boot; 0: genesis */
	unsigned long stopped;          /* threads stopped because their saved state was damaged */
	unsigned long failing_us;       /* since a checkpoint first could not be written, with none good after it; 0: all is well */
	unsigned long unpromised;       /* dirty pages that the partition has no room for */
	unsigned long throttled;        /* pages whose writers wait for room on the partition */
	unsigned long throttles;        /* how many have had to */
	unsigned long scrub_pages;      /* read and compared with their checksums, before anybody needed them */
	unsigned long scrub_round;      /* the same, in the round under way or the last one */
	unsigned long scrub_rounds;     /* rounds completed */
	unsigned long scrub_damaged;    /* blocks found damaged */
	unsigned long postponed_us;     /* what the `postponed` have waited, all together */
	unsigned long frame_waits;      /* times that a fault, or the kernel for an object, found no free frame */
	unsigned long frame_wait_us;    /* time in which somebody waited for one */
	unsigned long dropped;          /* clean pages dropped for others */
	unsigned long evicted;          /* objects taken back from the kernel */
	unsigned long early;            /* pages written before the snapshot that they are in */
	unsigned long ahead;            /* pages read because their neighbours were */
	unsigned long kept;             /* generations kept, the newest included */
	unsigned long kept_held;        /* of these, named or pinned: they stay until they are dropped */
	unsigned long wall_s;           /* seconds since 1970, UTC, by the machine's clock at boot; 0: not known */
};

/* ---- Generations: the checkpoints that are kept ---- */
#define L4_CKPT_NAMED           1ul     /* flags: kept until dropped */
#define L4_CKPT_PINNED          2ul     /* newer than one that was gone back to: kept until dropped */
#define L4_CKPT_SPARE           4ul     /* not one of those kept: there only in case a block is lost that newer ones share */

struct L4_CkptGeneration {
	unsigned long generation;
	unsigned long parent;           /* the generation it continues; 0: none */
	unsigned long boot;             /* boot in which it was committed */
	unsigned long clock_us;         /* persistent clock at its snapshot */
	unsigned long wall_s;           /* seconds since 1970, UTC, at its snapshot, by the machine's clock; 0: not known */
	unsigned long blocks;           /* 4 KiB blocks that it reaches */
	unsigned long freed;            /* blocks of its parent that it does not reach any more */
	unsigned long flags;            /* L4_CKPT_NAMED, L4_CKPT_PINNED, L4_CKPT_SPARE */
	char name[L4_CKPT_NAME_BYTES];  /* empty: none */
};

/* One run of pages that differ between two generations. */
struct L4_CkptChange {
	unsigned long client;           /* 0: kernel objects (l4/framecontrol.h), else the number of an address space */
	unsigned long first, pages;     /* page numbers: address / 4096, or object number */
	unsigned long kind;             /* enum L4_CkptChangeKind */
};
enum L4_CkptChangeKind { L4_CKPT_ADDED = 1, L4_CKPT_CHANGED = 2, L4_CKPT_GONE = 3 };

/* Where a comparison stands. Fill in from and to, zero the rest. */
struct L4_CkptDiff {
	unsigned long from, to;
	unsigned long client, page;     /* where to go on */
	unsigned long done;             /* not 0: there is nothing more */
};

/* What is to be awaited. Plain data, valid in later boots as well. */
struct L4_CkptOrder {
	unsigned long boot, snapshot;
};

/* The present boot number: 1 at genesis, one more at each boot. Does not block. */
unsigned long L4_CheckpointBoot(void);

/* Take a snapshot now and wait until it is committed to disk. *generation (may be null) receives its
 * number. What the caller did before the call is in it; after a recovery from exactly this checkpoint the
 * call returns again, with L4_CKPT_OK. L4_CKPT_NOT_PERSISTENT; L4_CKPT_FAILED after a disk error. */
unsigned long L4_CheckpointAndWait(unsigned long *generation);

/* Fill in *stat. Never waits for the disk. */
unsigned long L4_CheckpointInfo(struct L4_CkptStat *stat);

/* Control: take a snapshot every `us` microseconds (100 … 86,400,000,000), or only on demand (0). *before (may be
 * null) receives the interval until now. The interval is not persistent: a boot begins with that of the
 * command line. L4_CKPT_DENIED. L4_CKPT_BAD_REQUEST: out of range. L4_CKPT_NEW_BOOT: the machine was rebooted meanwhile,
 * and the interval is the one of the command line. */
unsigned long L4_SetCheckpointInterval(unsigned long us, unsigned long *before);

/* Control: commit a checkpoint, then switch the machine off or reset it. Both return only in a later boot, with
 * L4_CKPT_NEW_BOOT, or at once with L4_CKPT_DENIED, or with L4_CKPT_FAILED when no checkpoint could be written (nothing happens
 * then). Without a checkpoint partition they take effect at once. */
unsigned long L4_PowerOff(void);
unsigned long L4_Reboot(void);

/* Control: end the emulator (isa-debug-exit) with this status, 0..127, without a checkpoint: for tests. Returns
 * L4_CKPT_DENIED, or L4_CKPT_NEW_BOOT if a checkpoint was recovered that was taken during the call. Does not return
 * otherwise, except on machines without that device, where it resets. */
unsigned long L4_ExitEmulator(unsigned long status);

/* For the root task, whose memory is the store. L4_CKPT_BAD_REQUEST: not page-aligned, or outside the store;
 * L4_CKPT_DENIED: not the root task; L4_CKPT_BUSY: ask again later (for volatile ranges: there are 12 already).
 * Discard: the pages become zero and take no disk any more; mappings of them are revoked. L4_CKPT_BUSY: not all of them, and it may
 * last until a commit can be made, which need not be ever; until a later call has returned L4_CKPT_OK their content is undefined,
 * and mappings of them may be left.
 * Volatile: from the next checkpoint on the pages are not saved; they are zero after each recovery. When memory is short
 * they are paged like others. For good. */
unsigned long L4_DiscardStore(unsigned long first, unsigned long bytes);
unsigned long L4_VolatileStore(unsigned long first, unsigned long bytes);

/* Fill in at most `most` records of the kept generations, newest first; *count receives how many there are, which may be
 * more. The list may change between two of the calls this makes: then a generation is missing, none comes twice.
 * L4_CKPT_NOT_PERSISTENT. Never waits for the disk. */
unsigned long L4_CheckpointList(struct L4_CkptGeneration *list, unsigned long most, unsigned long *count);

/* Control: give a kept generation a name; it is kept until it is dropped. generation 0: the last committed one. *named (may be
 * null) receives its number. name: 1 to 31 letters, digits, '.', '_' or '-'; no '-' at its start, no "..", no number, not
 * "latest" or "none". "" takes the name away. Returns when that is committed. L4_CKPT_DENIED; L4_CKPT_BAD_REQUEST: not such a name;
 * L4_CKPT_NOT_KEPT; L4_CKPT_NAME_TAKEN; L4_CKPT_TABLE_FULL; L4_CKPT_NOT_PERSISTENT; L4_CKPT_FAILED: not committed yet, it
 * will be with the next checkpoint; L4_CKPT_NEW_BOOT: the machine was rebooted meanwhile, the list tells whether it was done. */
unsigned long L4_CheckpointName(unsigned long generation, const char *name, unsigned long *named);

/* Control: drop every kept generation from first to last, named or not: what only they hold becomes free. first == last: that
 * one; a longer range leaves out the generation that this world goes on from, and spare ones. *dropped (may be null): how many. Returns when
 * that is committed. L4_CKPT_DENIED; L4_CKPT_NOT_KEPT: there is none in the range; L4_CKPT_IN_USE: it is that generation;
 * L4_CKPT_NOT_PERSISTENT, L4_CKPT_FAILED, L4_CKPT_NEW_BOOT as above. */
unsigned long L4_CheckpointDrop(unsigned long first, unsigned long last, unsigned long *dropped);

/* Control: keep so many unnamed generations, 1 to L4_CKPT_KEEP_MAX, the newest included; 0 only asks, which anybody may. *before (may be null) receives
 * the number until now. It is persistent, unless the command line says otherwise at a boot. With fewer than before the oldest
 * ones go at the next checkpoint. L4_CKPT_DENIED; L4_CKPT_BAD_REQUEST; L4_CKPT_NOT_PERSISTENT; L4_CKPT_NEW_BOOT: not done. */
unsigned long L4_CheckpointKeep(unsigned long unnamed, unsigned long *before);

/* Compare two kept generations: stores the next changes (at most L4_CKPT_DIFF_MAX, perhaps none yet) in change[] and
 * their number in *count, and advances *diff; call it again until diff->done. Subtrees that the generations share are
 * skipped, so it takes as long as there is difference. Waits for the disk, for index blocks only. L4_CKPT_NOT_KEPT: one of
 * them is not, or not any more; L4_CKPT_FAILED: an index block is damaged or cannot be read; L4_CKPT_NOT_PERSISTENT. */
unsigned long L4_CheckpointDiff(struct L4_CkptDiff *diff, struct L4_CkptChange change[L4_CKPT_DIFF_MAX],
				unsigned long *count);

/* Order that memory be saved, as it is now, without waiting for it; L4_AwaitSave waits. Between the two the caller
 * works on, and what it writes then need not be saved. The range says what the caller relies on; a checkpoint is of everything,
 * so all of the world as it is now is saved with it. For the root task [first, first + bytes) is of its store,
 * page-aligned, at most L4_CKPT_RANGE_MAX bytes (else L4_CKPT_BAD_REQUEST); any other caller's memory is its pager's, and its range
 * is not looked at. If nothing has changed since the last checkpoint there is nothing to wait for. L4_CKPT_NOT_PERSISTENT.
 * Does not block. */
unsigned long L4_OrderSave(const volatile void *first, unsigned long bytes, struct L4_CkptOrder *order);

/* Return when what was ordered is committed; *generation (may be null) receives the last committed one. An order of
 * an earlier boot has been carried out: whoever remembers it was recovered from a later checkpoint. L4_CKPT_FAILED: a disk
 * error; it will be tried again, and one may wait again. */
unsigned long L4_AwaitSave(const struct L4_CkptOrder *order, unsigned long *generation);

#ifdef __cplusplus
}
#endif
#endif
#endif
