/* SPDX-License-Identifier: BSD-2-Clause
 * Descriptor tables, control registers and the SYSCALL gate.
 */
#include "kernel/arch.h"
#include "kernel/kernel.h"
#include "kernel/percpu.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/tss.h"
#include "kernel/ptab.h"

#define STACK_SIZE      16384
#define IST_SIZE        4096

struct gate {
	u16 offset_low, selector;
	u8 ist, type;
	u16 offset_mid;
	u32 offset_high, reserved;
};
_Static_assert(sizeof(struct gate) == 16, "hardware layout");

struct table_register {
	u16 limit;
	u64 base;
} __attribute__((packed));

struct percpu percpu0;
struct tss tss;
static struct gate idt[256] __attribute__((aligned(16)));
static u64 gdt[7];
static u8 kernel_stack[STACK_SIZE] __attribute__((aligned(16)));
static u8 fault_stack[2][IST_SIZE] __attribute__((aligned(16)));

extern const u8 entry_vectors[];
void entry_syscall(void);

static void gdt_init(void)
{
	u64 base = (u64)&tss, limit = sizeof tss - 1;
	struct table_register r = { sizeof gdt - 1, (u64)gdt };

	gdt[1] = 0x00209a0000000000;    /* 0x08 kernel code */
	gdt[2] = 0x0000920000000000;    /* 0x10 kernel data */
	gdt[3] = 0x0000f20000000000;    /* 0x1b user data */
	gdt[4] = 0x0020fa0000000000;    /* 0x23 user code, 64 bit */
	gdt[5] = limit | (base & 0xffffff) << 16 | 0x89ul << 40 | (base >> 24 & 0xff) << 56;
	gdt[6] = base >> 32;
	tss.ist[0] = (u64)(fault_stack[0] + IST_SIZE);
	tss.ist[1] = (u64)(fault_stack[1] + IST_SIZE);
	tss.io_base = TSS_IO_DENIED;
	__asm__ volatile("lgdt %0\n\t"
		"pushq $0x08\n\t"
		"lea 1f(%%rip), %%rax\n\t"
		"pushq %%rax\n\t"
		"lretq\n"
		"1:\tmov %1, %%ds\n\t"
		"mov %1, %%es\n\t"
		"mov %1, %%ss\n\t"
		"mov %2, %%fs\n\t"
		"mov %2, %%gs\n\t"
		"lldt %w2\n\t"         /* no descriptors of the firmware's for users */
		"ltr %w3"
		: : "m"(r), "r"(0x10), "r"(0), "r"(0x28) : "rax", "memory");
}

static void idt_init(void)
{
	struct table_register r = { sizeof idt - 1, (u64)idt };
	unsigned v;

	for (v = 0; v < 256; v++) {
		u64 at = (u64)entry_vectors + 16 * v;

		idt[v].offset_low = (u16)at;
		idt[v].offset_mid = (u16)(at >> 16);
		idt[v].offset_high = (u32)(at >> 32);
		idt[v].selector = 0x08;
		idt[v].type = v == 3 ? 0xee : 0x8e;     /* int3 is for users too */
		idt[v].ist = v == 8 ? 1 : v == 2 ? 2 : 0;
	}
	__asm__ volatile("lidt %0" : : "m"(r));
}

void cpu_init(void)
{
	u32 r[4], ext[4];
	u64 cr4 = read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT;

	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | 1);           /* SYSCALL */
	cpuid(0x80000001, 0, ext);
	if (ext[3] & 1u << 20) {
		wrmsr(MSR_EFER, rdmsr(MSR_EFER) | 1 << 11);
		ptab_nx = 1ul << 63;
	}
	write_cr0((read_cr0() & ~0x6000000cul) | CR0_WP | 0x22);  /* caches on, no emulation, monitor, NE */
	cpuid(0, 0, r);
	if (r[0] >= 7) {
		cpuid(7, 0, r);
		if (r[1] & 1u << 7)
			cr4 |= CR4_SMEP;
		if (r[1] & 1u << 20)
			cr4 |= CR4_SMAP;
		if (r[2] & 1u << 2)
			cr4 |= CR4_UMIP;
	}
	write_cr4(cr4);
	gdt_init();
	idt_init();
	wrmsr(MSR_STAR, 0x0010000800000000);
	wrmsr(MSR_LSTAR, (u64)entry_syscall);
	wrmsr(MSR_SFMASK, 0x47700);                     /* TF IF DF IOPL NT AC off */
	wrmsr(MSR_GS_BASE, (u64)&percpu0);
	wrmsr(MSR_KERNEL_GS, 0);
	percpu0.kstack = (u64)(kernel_stack + STACK_SIZE);
	percpu0.quantum_end = ~0ul;
}
