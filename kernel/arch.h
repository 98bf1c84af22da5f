/* SPDX-License-Identifier: BSD-2-Clause
 * What the machine-independent kernel may ask of the machine (kernel/x86). Nothing else of x86 is
 * visible to it; what is inline of it is in arch_switch.h.
 */
#ifndef KERNEL_ARCH_H
#define KERNEL_ARCH_H

#include "kernel/types.h"
#include "kernel/objects.h"

struct thread;
struct space;
struct bootinfo;

/* ---- start-up, in this order (main.c) ---- */
void uart_init(void);
void cpu_init(void);                            /* descriptor tables, control registers, SYSCALL */
void paging_init(struct bootinfo *bi);          /* own page tables, direct map; boot_alloc works afterwards */
void timer_init(void);                          /* local APIC, PIC, clock frequencies */
void fpu_init(void);
/* Physically contiguous zeroed memory from the boot region; panics when there is none. */
paddr_t boot_alloc(size_t bytes, size_t align);
/* The same, not zeroed: for large pools whose users clear what they take. */
paddr_t boot_alloc_raw(size_t bytes, size_t align);
/* The boot region that is left over: [*base, *end). */
void boot_region(paddr_t *base, paddr_t *end);
paddr_t boot_region_start(void);                /* where it began: [start, *base) is in use */
extern u64 *kernel_pml4;                        /* template of the kernel half */
paddr_t kernel_virt_to_phys(const void *va);    /* of an address in the kernel image */

#if DEBUG
/* A page of the direct map: may the kernel write it? (guard.c) */
void arch_guard(const void *page, bool writable);
#endif

/* ---- serial port, polled ---- */
void uart_putc(char c);

/* ---- time ---- */
extern u64 tsc_hz;
u64 clock_us(void);                             /* persistent clock */
void clock_set(u64 us);
u64 tsc_from_us(u64 us);
u64 us_from_tsc(u64 ticks);
extern u64 ns_mult;                             /* ns = ticks * ns_mult / 2^32 */
static inline u64 ns_from_tsc(u64 ticks)        /* of an interval below a second */
{
	return ticks * ns_mult >> 32;
}
/* Interrupt at the TSC value given at the latest (at once if past; ~0: no need). It may come earlier: who asked looks at
 * the clock and asks again. So a timer that is set already is left alone as long as it is early enough. */
void timer_set(u64 tsc);

/* ---- interrupts of devices (X.2 interrupt protocol: threads 0..47) ---- */
#define IRQ_COUNT       48
void irq_mask(u32 irq);
void irq_unmask(u32 irq);

/* ---- the FPU ---- */
void fpu_switch(struct thread *to);             /* first FPU instruction of the current thread (trap 7) */
void fpu_disown(struct thread *t);              /* save t's registers into its TCB if they are in the FPU */
bool fpu_area_valid(const u8 *area);            /* would XRSTOR accept it? */
void fpu_area_init(u8 *area);

/* ---- switching: arch_switch_to is inline, arch_switch.h ---- */
/* Reload the page table of the running space if rights were removed from it. */
void arch_sync_tlb(void);
/* No thread: load the kernel's own page table. */
void arch_leave_space(void);
void arch_idle(void);                           /* wait for an interrupt */
void arch_preemption_window(void);              /* let interrupts in for a moment */

_Noreturn void enter_user(void);
_Noreturn void arch_stop(u32 how, u32 status);  /* L4_FC_STOP */
_Noreturn void arch_halt(void);
void arch_dump_state(void);                     /* registers and stack walk, for panic */
u64 arch_entropy(void);                         /* 64 bits, best source there is; never blocks long */

#endif
