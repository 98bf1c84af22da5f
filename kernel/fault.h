/* SPDX-License-Identifier: BSD-2-Clause
 * User faults, and the kernel's own access to user memory.
 */
#ifndef KERNEL_FAULT_H
#define KERNEL_FAULT_H

#include "kernel/types.h"

struct thread;
struct space;
struct wants;

/* Page fault of the current thread. rights: L4_RIGHT_* that was missing. Called by trap_user; what runs next: the thread
 * itself (hardware W was all that was missing), ckptserver (a stale frame or an absent UTCB), or its pager, by ipc_fault. */
void fault_user(struct thread *t, vaddr_t va, vaddr_t ip, u32 rights);

/* The current thread's last trap, as an exception IPC to its exception handler; without one the thread stops. */
void fault_exception(struct thread *t);

/* t's pager has said that the page of t's last fault will not come, or its exception handler that t is to be stopped
 * (L4_LABEL_DAMAGED; TF_PAGE_DAMAGED). Its objects are current, and it is in no queue. Afterwards it is ready for its next step,
 * or stopped. */
void fault_damaged(struct thread *t);

#define EXC_GIVEN_UP    0x1ff           /* vector in the saved frame: the handler of another exception said so */

/* Read user memory through the direct map. False if any of it is not mapped. Never faults. */
bool user_read(struct space *s, vaddr_t va, void *to, size_t n);

/* ckptserver's window on physical memory: RAM was mapped at start; the rest are devices, mapped uncached when they are first
 * touched or handed out. True: va is a device page and mapped now. */
bool fault_window(struct space *s, vaddr_t va);

/* A page of the space's UTCB or KIP area: map it. True: done (or t is parked for it). False: nobody's page. */
bool fault_kernel_page(struct thread *t, struct space *s, vaddr_t va);

#endif
