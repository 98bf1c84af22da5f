/* SPDX-License-Identifier: BSD-2-Clause
 * The fault thread's ways to talk: system calls that never wait, replies that are kept when they cannot be
 * delivered, batches of FrameControl operations, time.
 *
 * ckptserver blocks on nobody. A system call or a send that needs a kernel object which is not there says
 * which (L4_ERR_OBJECTS_MISSING); those objects are supplied as if the kernel had asked for them by an event,
 * and the call is made again, at once or when they have arrived.
 */
#ifndef CKPT_SERVER_H
#define CKPT_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include <l4/framecontrol.h>
#include <l4/types.h>

#include "options.h"

extern struct options options;
extern struct bootinfo *boot;

/* ---- Time ---------------------------------------------------------------------------------- */
void time_init(uint64_t tsc_hz);
uint64_t time_us(uint64_t tsc);         /* duration in time-stamp ticks to microseconds */
uint64_t time_ns(uint64_t tsc);
uint64_t time_ticks(uint64_t us);

/* ---- FrameControl ---------------------------------------------------------------------------- */
/* Add an operation to the batch; failures of batched operations are reported on the console, except
 * L4_FC_BAD_STATE (the object was deleted while the answer was on its way). */
void fc_push(unsigned op, uint64_t name, uint64_t arg);
/* Carry the batch out. */
void fc_flush(void);
/* Carry out the batch, then this operation, and return its result. */
long fc_now(unsigned op, uint64_t name, uint64_t arg);

/* ---- System calls ------------------------------------------------------------------------------ */
/* After a failed system call or send: if it was for want of objects, ask for them and return true: the
 * call may be made again (now, or after the objects have arrived). */
bool server_objects_missing(L4_Word_t error);

/* ThreadControl and SpaceControl, repeated while objects are missing that can be supplied at once. */
bool server_thread_control(L4_ThreadId_t dest, L4_ThreadId_t space, L4_ThreadId_t scheduler,
			   L4_ThreadId_t pager, L4_Word_t utcb);
bool server_space_control(L4_ThreadId_t space, L4_Fpage_t kip, L4_Fpage_t utcb);

/* Associates a kernel interrupt with the fault thread. */
bool server_take_irq(unsigned irq);
/* The same for another residual thread. */
bool server_give_irq(unsigned irq, L4_ThreadId_t handler);
/* Waits for that interrupt alone, at most a second, and enables it again. While booting only. */
void server_wait_irq(unsigned irq);

enum send_result { SEND_OK, SEND_LATER, SEND_GONE };
/* Sends the message in the MRs (tag and all) with a zero timeout. SEND_LATER: objects have been asked for. The
 * MRs are lost in any case. */
enum send_result server_send(L4_ThreadId_t to);

/* Create an inactive thread, set up its space, start it: with ip and sp by X.2's start message. */
bool server_start_thread(L4_ThreadId_t id, L4_ThreadId_t space, L4_Word_t utcb, L4_Word_t ip, L4_Word_t sp);

/* Priority 0..255 of a residual thread. */
void server_set_priority(L4_ThreadId_t id, unsigned prio);

/* Stop the machine: L4_FC_STOP with this reason and status. Does not return. */
void server_stop(unsigned reason, uint64_t status) __attribute__((noreturn));

/* A residual server cannot go on: says why, and reboots the machine, which recovers. Does not return. */
void server_crash(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

#define SERVER_KIP      0xbff00000ul
#define SERVER_UTCB     0xbf000000ul

static inline L4_ThreadId_t server_self(void) { return L4_GlobalId(L4_SIGMA0_TNO, 1); }
static inline L4_ThreadId_t server_writer(void) { return L4_GlobalId(L4_WRITER_TNO, 1); }

#endif
