/* SPDX-License-Identifier: BSD-2-Clause
 * Sizes of the pager's tables. A table that is full is an error reply to who asked, never a crash.
 *
 * Tables stand in the pager's own store: an entry never used takes no memory, so they may be generous.
 */
#ifndef PAGER_LIMITS_H
#define PAGER_LIMITS_H

#define LIMIT_TASKS             1024            /* power of two: id modulo this is the slot */
#define LIMIT_PROGRAMS          128             /* files of the archive that are programs */
#define LIMIT_SEGMENTS          8               /* loadable segments of a program */
#define LIMIT_REGIONS           4096            /* regions of one task */
#define LIMIT_NAMES             256
#define LIMIT_SHARES            256
#define LIMIT_MIRROR_DEPTH      8               /* mirrors of mirrors followed by one fault */
#define LIMIT_VOLATILE_PAGES    1024            /* of the store, for regions that are zero after a recovery … */
#define LIMIT_VOLATILE_SHARE    16              /* … but no more than one page in so many */
#define LIMIT_WORKERS           6               /* faults that may wait for the disk at a time */

/* Thread numbers: 128 is the pager itself, workers follow, tasks get chunks. */
#define THREAD_NUMBERS          (1 << 18)
#define THREAD_WORKER_BASE      129
#define THREAD_CHUNK            32              /* threads of a chunk: at most the bits of its mask */
#define THREAD_FIRST            160             /* first number given to tasks: a multiple of the chunk */
#define THREAD_CHUNKS_PER_TASK  30              /* 30 x 32 = 960 UTCB slots of a space */

#define PRIORITY_PAGER          254
#define PRIORITY_WORKER         253
#define PRIORITY_DEFAULT        100
#define PRIORITY_BOOT           120             /* tasks of boot.cfg: the terminal stays usable while programs compute */
#define PRIORITY_MAX            255

#endif
