/* SPDX-License-Identifier: BSD-2-Clause
 * The ways this machine can end, what a panic shows of it, and its sources of entropy.
 */
#include "kernel/arch.h"
#include "kernel/kernel.h"
#include "kernel/thread.h"
#include "kernel/percpu.h"
#include "kernel/x86/cpu.h"
#include "kernel/frame.h"

extern u8 __text_start[], __text_end[];

_Noreturn void arch_halt(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

static void power_off(void)
{
	outw(0x604, 0x2000);            /* QEMU: ACPI PM1a control of the PC and Q35 machines */
	outw(0xb004, 0x2000);           /* older QEMU, Bochs */
	printk("[stop] it is now safe to switch the machine off\n");
}

static void reset(void)
{
	static const u8 no_idt[10];
	unsigned n = 100000;

	while (inb(0x64) & 2 && --n)
		cpu_pause();
	outb(0x64, 0xfe);               /* keyboard controller's reset line */
	for (n = 0; n < 1000000; n++)
		cpu_pause();
	__asm__ volatile("lidt %0; int3" : : "m"(no_idt));
}

_Noreturn void arch_stop(u32 how, u32 status)
{
	if (how == 2)
		outl(0xf4, status);     /* QEMU's isa-debug-exit */
	if (how == 1)
		reset();
	power_off();
	arch_halt();
}

void arch_dump_state(void)
{
	u64 *rbp = __builtin_frame_address(0);
	int depth;

	printk("  cr2=%016lx cr3=%016lx cr4=%08lx\n", read_cr2(), read_cr3(), read_cr4());
	for (depth = 0; depth < 16; depth++) {
		if ((u64)rbp < (u64)__text_end || (u64)rbp & 7)
			break;
		if (rbp[1] < (u64)__text_start || rbp[1] >= (u64)__text_end)
			break;
		printk("  #%d %016lx\n", depth, rbp[1]);
		if (rbp[0] <= (u64)rbp)
			break;
		rbp = (u64 *)rbp[0];
	}
	if (cpu->current && cpu->current->tcb) {
		const struct regs *f = &cpu->current->tcb->frame;

		printk("  thread %u rip=%016lx rsp=%016lx vector=%lu error=%lx\n", cpu->current->no,
			f->rip, f->rsp, f->vector, f->error);
	}
}

u64 arch_entropy(void)
{
	u32 r[4];
	u64 v = 0;
	unsigned char ok = 0;
	int tries;

	cpuid(1, 0, r);
	if (r[2] & 1u << 30)
		for (tries = 0; tries < 10 && !ok; tries++)
			__asm__ volatile("rdrand %0; setc %1" : "=r"(v), "=qm"(ok));
	if (!ok) {
		outb(0x70, 0);
		v = rdtsc() * 0x9e3779b97f4a7c15ul;
		v ^= (u64)inb(0x71) << 32;
		v ^= v >> 29;
	}
	return v;
}
