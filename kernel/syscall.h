/* SPDX-License-Identifier: BSD-2-Clause
 * System calls other than Ipc. All registers of the caller are in its frame; results are written there. A call
 * that misses objects has changed nothing: the caller's ip is set back to the `syscall` instruction and it waits.
 */
#ifndef KERNEL_SYSCALL_H
#define KERNEL_SYSCALL_H

#include "kernel/types.h"
#include "kernel/thread.h"

/* From entry.asm: the current thread executed SYSCALL at f->rip - 2. */
void syscall_dispatch(struct regs *f);

void sys_space_control(struct thread *t, struct regs *f);
void sys_thread_control(struct thread *t, struct regs *f);
void sys_exchange_registers(struct thread *t, struct regs *f);
void sys_schedule(struct thread *t, struct regs *f);
void sys_unmap(struct thread *t, struct regs *f);
void sys_thread_switch(struct thread *t, struct regs *f);
void sys_frame_control(struct thread *t, struct regs *f);
void sys_thread_info(struct thread *t, struct regs *f);

/* Objects are missing: the current thread t waits and repeats its call; ckptserver gets an error instead. */
void syscall_wait(struct thread *t, struct regs *f, const struct wants *w);
/* Report an X.2 error code; the result register becomes 0. */
void syscall_fail(struct thread *t, struct regs *f, u32 error);
/* May t call the privileged system calls? (X.2: the initial servers' spaces.) */
bool syscall_privileged(const struct thread *t);
/* t asked for a fresh object and was refused: true once. */
bool syscall_refused(struct thread *t);

#endif
