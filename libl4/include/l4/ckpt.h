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
#define L4_CKPT_RANGE_MAX       (16ul << 20)    /* bytes in one DISCARD request */

/* Status. */
#define L4_CKPT_OK              0
#define L4_CKPT_NEW_BOOT        1       /* asked in an earlier boot; not carried out */
#define L4_CKPT_BAD_REQUEST     2       /* unknown label, or an argument out of range */
#define L4_CKPT_NOT_PERSISTENT  3       /* the machine runs without a checkpoint partition */
#define L4_CKPT_FAILED          4       /* the checkpoint could not be written; it will be tried again */
#define L4_CKPT_DENIED          5       /* not for this caller */
#define L4_CKPT_BUSY            6       /* too many callers wait already; ask again */
#define L4_CKPT_NO_SERVER       7       /* the call itself failed (made by the library) */

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
};

/* The present boot number: 1 at genesis, one more at each boot. Does not block. */
unsigned long L4_CheckpointBoot(void);

/* Take a snapshot now and wait until it is committed to disk. *generation (may be null) receives its
 * number. What the caller did before the call is in it; after a recovery from exactly this checkpoint the
 * call returns again, with L4_CKPT_OK. L4_CKPT_NOT_PERSISTENT; L4_CKPT_FAILED after a disk error. */
unsigned long L4_CheckpointAndWait(unsigned long *generation);

/* Fill in *stat. Never waits for the disk. */
unsigned long L4_CheckpointInfo(struct L4_CkptStat *stat);

/* Take a snapshot every `us` microseconds (100 … 86,400,000,000), or only on demand (0). *before (may be
 * null) receives the interval until now. The interval is not persistent: a boot begins with that of the
 * command line. L4_CKPT_BAD_REQUEST: out of range. L4_CKPT_NEW_BOOT: the machine was rebooted meanwhile,
 * and the interval is the one of the command line. */
unsigned long L4_SetCheckpointInterval(unsigned long us, unsigned long *before);

/* Commit a checkpoint, then switch the machine off or reset it. Both return only in a later boot, with
 * L4_CKPT_NEW_BOOT, or at once with L4_CKPT_FAILED when no checkpoint could be written (nothing happens
 * then). Without a checkpoint partition they take effect at once. */
unsigned long L4_PowerOff(void);
unsigned long L4_Reboot(void);

/* End the emulator (isa-debug-exit) with this status, 0..127, without a checkpoint: for tests. Returns
 * L4_CKPT_NEW_BOOT if a checkpoint was recovered that was taken during the call. Does not return
 * otherwise, except on machines without that device, where it resets. */
unsigned long L4_ExitEmulator(unsigned long status);

/* For the root task, whose memory is the store. L4_CKPT_BAD_REQUEST: not page-aligned, or outside the store;
 * L4_CKPT_DENIED: not the root task; L4_CKPT_BUSY: ask again later (for volatile ranges: there are 12 already).
 * Discard: the pages become zero and take no disk any more; mappings of them are revoked.
 * Volatile: from the next checkpoint on the pages are not saved; they are zero after each recovery. They stay in memory as long as the machine runs, so keep such ranges small. For good. */
unsigned long L4_DiscardStore(unsigned long first, unsigned long bytes);
unsigned long L4_VolatileStore(unsigned long first, unsigned long bytes);

#ifdef __cplusplus
}
#endif
#endif
#endif
