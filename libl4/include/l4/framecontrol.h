/* SPDX-License-Identifier: BSD-2-Clause
 * FrameControl: the protocol between the kernel and the checkpoint server.
 *
 * Two directions:
 *   ckptserver -> kernel   operations, in batches, by the FrameControl system call (ArchSyscall0);
 *   kernel -> ckptserver   events, in batches, as messages from the kernel's pseudo-thread
 *                          (global id {L4_KERNEL_TNO, 1}), received by ckptserver's fault thread like any
 *                          other message. The kernel is a *queued sender*: a receive takes interrupts
 *                          first, then events, then clients.
 *
 * Names. A frame is a 4 KiB page of physical memory, named by its physical page number (pfn).
 * A kernel object page is named by a 32-bit number, which is at the same time its virtual page
 * number in the store of the client "kernel".
 *
 * Tags. The kernel keeps a tag per frame: the epoch in which writing to it was last allowed. A frame
 * is *current* while its tag is this epoch. Every frame of ckptserver's free memory begins with tag 0
 * (stale). SNAPSHOT advances the epoch: every frame is stale at once.
 */
#ifndef L4_FRAMECONTROL_H
#define L4_FRAMECONTROL_H

#include <l4/abi.h>

/* ---- Kernel object pages -------------------------------------------------------------------- */
#define L4_OBJ_TYPE_SHIFT       24
#define L4_OBJ_INDEX_MASK       0xffffff
#define L4_OBJ_TABLE            0           /* thread-table page i: threads 128 i .. 128 i + 127 */
#define L4_OBJ_TCB              1           /* TCB of thread number n */
#define L4_OBJ_UTCB             2           /* UTCB of thread number n */
#define L4_OBJ_SPACE            3           /* record of address space s */
#define L4_OBJ_TYPES            4
#define L4_OBJ(type, index)     (((type) << L4_OBJ_TYPE_SHIFT) | (index))
#define L4_OBJ_TYPE(obj)        (((obj) >> L4_OBJ_TYPE_SHIFT) & 0xff)
#define L4_OBJ_INDEX(obj)       ((obj) & L4_OBJ_INDEX_MASK)

#define L4_TABLE_PER_PAGE       128         /* thread-table entries (32 bytes) in a page */
#define L4_TABLE_PAGES          2048        /* 2^18 / 128 */
#define L4_MAX_SPACES           16384       /* address-space numbers */
#define L4_FIRST_SPACE          16          /* smaller space numbers are residual; 1 is ckptserver */
#define L4_SIGMA0_SPACE         1

/* ---- Operations: a word in MR[2i] and an argument in MR[2i+1], at most 31 of them -------------
 *
 * FrameControl (n): rdi = number of operations. Result: rax = how many were carried out (all, unless one
 * was malformed, when ErrorCode says why and nothing from that one on was done). Each operation's
 * result is stored over its first MR. Only ckptserver's space may call it (else ErrorCode =
 * L4_ERR_NO_PRIVILEGE, result 0). It never blocks.
 *
 *   word      = op << 56 | name       (name: an object, or a pfn)
 *   argument  = as each operation says */
#define L4_FC_OP_SHIFT          56
#define L4_FC_NAME_MASK         0x00ffffffffffffff

/* Advance the epoch. Result: the new epoch. FPU state still in the processor is saved first; every
 * frame is stale afterwards. Refused with L4_FC_BUSY while an event of a
 * deletion (DISCARD, SPACE_DIED) is unread: drain events first. L4_FC_AGAIN while the ticket's holder (below) has been given
 * something and has not run since: it does so as soon as the caller blocks. */
#define L4_FC_SNAPSHOT          1
/* name = pfn. The frame may be written in this epoch: tag := epoch; its waiters retry. */
#define L4_FC_WRITABLE          2
/* name = pfn, argument = 0, or L4_FC_IS_OBJECT | object if the frame holds that kernel object. tag := 0, then hardware W
 * off in every mapping. Rights granted stay. For early cleaning, and **whenever a frame that was writable in this epoch
 * is given other content** (freed and used again for a page that is not yet dirty): else its next write would not be noticed.
 * L4_FC_BUSY while that kernel object is needed this moment. With L4_FC_IF_IDLE (early cleaning) also while the ticket's
 * holder was given the frame; without it the frame is taken from it. With L4_FC_AT_LEISURE as well (frames are not short,
 * and each is asked for a few times a second at most) that alone does not open the queue for the ticket. */
#define L4_FC_IS_OBJECT         (1ul << 32)
#define L4_FC_IF_IDLE           (1ul << 33)
#define L4_FC_AT_LEISURE        (1ul << 34)
#define L4_FC_PROTECT           3
/* name = object, argument = pfn. The object's content stands in that frame; answer to NEED. The
 * frame's tag is left as it is (0, i.e. stale, unless WRITABLE was given for it before, which is right
 * for an object that is already dirty in this epoch). The kernel validates what it loads. */
#define L4_FC_SUPPLY            4
/* name = object, argument = pfn. A new object: the frame is zeroed already; answer to FRESH. It is
 * current at once. Also used unasked, to make a ThreadControl of ckptserver's own succeed. */
#define L4_FC_SUPPLY_FRESH      5
/* name = object. Answer to FRESH: there is no room. The system call fails with L4_ERR_NO_MEM. */
#define L4_FC_REFUSE            6
/* name = object. Answer to NEED: it cannot be read. The thread (for a space: its threads) is stopped
 * and named, partners get an error; it can still be deleted. */
#define L4_FC_DAMAGED           7
/* name = object. Take the object back from the kernel: after success the kernel holds no reference to its
 * frame. L4_FC_BUSY while it is needed, by a waiter that has been answered and has not run since, or by the ticket's holder. FPU state is saved into a TCB before it goes. */
#define L4_FC_EVICT             8
/* argument = microseconds: value of the persistent clock now. Once, before ACTIVATE. */
#define L4_FC_SET_CLOCK         9
/* name = pages of the root client's store (4 KiB), argument = virtual address of the boot archive in it
 * (0: none), size in the next operation's slot: use L4_FC_ARCHIVE. Fixed at genesis, equal ever after. */
#define L4_FC_STORE_SIZE        10
/* name = first virtual address, argument = bytes: the boot archive in the root client's store. */
#define L4_FC_ARCHIVE           11
/* argument = generation recovered, 0 at genesis. Once: threads of the supplied thread table come alive. At genesis the table is empty. Result: number of
 * threads. */
#define L4_FC_ACTIVATE          12
/* name = boot counter, argument = 64 bits of entropy: shown to programs (KIP, l4/kip.h). */
#define L4_FC_BOOT              13
/* End of this boot: name = 0 power off, 1 reset, 2 exit of the emulator by isa-debug-exit with the status in
 * the argument. Does not return when the platform obeys. */
#define L4_FC_STOP              14

/* name = pfn. The frame becomes residual memory for good (always current, never part of a snapshot): memory of the
 * console driver, whose mappings lose W otherwise. */
#define L4_FC_RESIDUAL          15

/* name = pfn of a page of a client. Remove every mapping of the frame, because it is wanted for another page. Result: the
 * accesses (L4_RIGHT_*) made through them. L4_FC_BUSY while the ticket's holder was given it. */
#define L4_FC_RECLAIM           16

/* The *ticket* (docs/kernel-ckptserver.md). The thread that has waited longest for ckptserver holds it. What it is given is
 * not taken back until it has got further, nor is what its pagers are given for its sake; that is never more than so many kernel
 * objects and frames. */
#define L4_TICKET_THINGS        64

/* Results: 0 = done. */
#define L4_FC_OK                0
#define L4_FC_BUSY              (-1)
#define L4_FC_BAD_OP            (-2)        /* unknown operation */
#define L4_FC_BAD_NAME          (-3)        /* no such object, or a pfn that is not store memory */
#define L4_FC_BAD_STATE         (-4)        /* object already supplied / not supplied; second ACTIVATE … */
#define L4_FC_NO_POOL           (-5)        /* the kernel's own pool cannot hold its volatile part: not taken, as if refused.
                                             * ACTIVATE: nor the threads' spaces; nothing was activated */
#define L4_FC_INVALID           (-6)        /* SUPPLY: the content is not valid; not taken, the thread is stopped as by DAMAGED */
#define L4_FC_AGAIN             (-7)        /* SNAPSHOT: receive once, with a timeout, then call again */

/* ---- Events: MR1..MRu of a message with this label, one word each ----------------------------- */
#define L4_LABEL_KERNEL         (-15)       /* tag = label << 20 | u */
#define L4_EV_SHIFT             56
#define L4_EV_NAME_MASK         0x00ffffffffffffff
#define L4_EV_NEED              1           /* object: load it, answer SUPPLY or DAMAGED */
#define L4_EV_FRESH             2           /* object: new, answer SUPPLY_FRESH or REFUSE */
#define L4_EV_STALE             3           /* pfn: preserve the old content if need be, answer WRITABLE */
#define L4_EV_DISCARD           4           /* object: deleted; its frame (if supplied) is no longer referred to */
#define L4_EV_SPACE_DIED        5           /* space number: drop its store (its record is discarded as well) */
#define L4_EV_STOPPED           6           /* thread number: stopped; a line on the console has said why. No answer */

#endif
