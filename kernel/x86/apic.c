/* SPDX-License-Identifier: BSD-2-Clause
 * Interrupt controllers and clocks: local APIC (timer, message-signalled interrupts), the PIC pair behind it
 * (ISA lines 0..15), TSC as the clock, both measured once against the PIT.
 *
 * Vectors: 0x20..0x2f ISA lines, 0x50..0x6f MSI (interrupts 16..47), 0xf0 timer, 0xff spurious.
 */
#include "kernel/arch.h"
#include "kernel/kernel.h"
#include "kernel/irq.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/vectors.h"

#define APIC_WINDOW     0xffffffffffc00000ul
#define APIC_TPR        0x80
#define APIC_EOI        0xb0
#define APIC_SVR        0xf0
#define APIC_LVT_TIMER  0x320
#define APIC_LVT_LINT0  0x350
#define APIC_LVT_LINT1  0x360
#define APIC_LVT_ERROR  0x370
#define APIC_INITIAL    0x380
#define APIC_CURRENT    0x390
#define APIC_DIVIDE     0x3e0

#define PIC1            0x20
#define PIC2            0xa0
#define PIT_HZ          1193182u
#define CALIBRATE_PIT   1193u           /* about a millisecond */

u64 tsc_hz;
static u64 apic_hz;
static u64 clock_base_tsc, clock_base_us;
static u64 timer_at = ~0ul;
u64 ns_mult;
static u16 pic_mask = 0xfffb;           /* all but the cascade */

static void apic_write(u32 reg, u32 v)
{
	*(volatile u32 *)(APIC_WINDOW + reg) = v;
}

static u32 apic_read(u32 reg)
{
	return *(volatile u32 *)(APIC_WINDOW + reg);
}

static void pic_write_mask(void)
{
	outb(PIC1 + 1, (u8)pic_mask);
	outb(PIC2 + 1, (u8)(pic_mask >> 8));
}

static void pic_init(void)
{
	outb(PIC1, 0x11);
	outb(PIC2, 0x11);
	outb(PIC1 + 1, VECTOR_ISA);
	outb(PIC2 + 1, VECTOR_ISA + 8);
	outb(PIC1 + 1, 4);
	outb(PIC2 + 1, 2);
	outb(PIC1 + 1, 1);
	outb(PIC2 + 1, 1);
	pic_write_mask();
}

/* One measurement: ticks of TSC and APIC timer in about a millisecond of the PIT. */
static void calibrate_once(u64 *tsc, u64 *apic)
{
	u64 t0, t1;
	u32 a1;

	outb(0x61, (u8)((inb(0x61) & ~2) | 1));
	outb(0x43, 0xb0);               /* channel 2, mode 0 */
	outb(0x42, CALIBRATE_PIT & 0xff);
	apic_write(APIC_INITIAL, 0xffffffff);
	t0 = rdtsc();
	outb(0x42, CALIBRATE_PIT >> 8);
	while (!(inb(0x61) & 0x20))
		cpu_pause();
	t1 = rdtsc();
	a1 = apic_read(APIC_CURRENT);
	*tsc = (t1 - t0) * PIT_HZ / CALIBRATE_PIT;
	*apic = (u64)(0xffffffff - a1) * PIT_HZ / CALIBRATE_PIT;
}

void timer_init(void)
{
	u64 tsc, apic;
	int i;

	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | 1 << 11);
	apic_write(APIC_SVR, 0x100 | VECTOR_SPURIOUS);
	apic_write(APIC_TPR, 0);
	apic_write(APIC_LVT_TIMER, 0x10000);
	apic_write(APIC_LVT_LINT0, 0x700);      /* the PIC */
	apic_write(APIC_LVT_LINT1, 0x400);      /* NMI */
	apic_write(APIC_LVT_ERROR, 0x10000);
	apic_write(APIC_DIVIDE, 0xb);           /* by 1 */
	pic_init();
	/* Disturbances only lengthen a measurement; of three the shortest counts. */
	tsc_hz = apic_hz = ~0ul;
	for (i = 0; i < 3; i++) {
		calibrate_once(&tsc, &apic);
		if (tsc < tsc_hz) {
			tsc_hz = tsc;
			apic_hz = apic;
		}
	}
	apic_write(APIC_INITIAL, 0);
	apic_write(APIC_LVT_TIMER, VECTOR_TIMER);
	ns_mult = muldiv(1000000000, 1ul << 32, tsc_hz);
	clock_base_tsc = rdtsc();
}

u64 us_from_tsc(u64 ticks)
{
	return muldiv(ticks, 1000000, tsc_hz);
}

u64 tsc_from_us(u64 us)
{
	return muldiv(us > 1ul << 50 ? 1ul << 50 : us, tsc_hz, 1000000);
}

u64 clock_us(void)
{
	return clock_base_us + us_from_tsc(rdtsc() - clock_base_tsc);
}

void clock_set(u64 us)
{
	clock_base_tsc = rdtsc();
	clock_base_us = us;
}

void timer_set(u64 at)
{
	u64 now, ticks;

	if (at >= timer_at)
		return;
	timer_at = at;
	now = rdtsc();
	ticks = at > now ? muldiv(at - now, apic_hz, tsc_hz) + 1 : 1;
	apic_write(APIC_INITIAL, ticks > 0xffffffff ? 0xffffffff : (u32)ticks);
}

void irq_mask(u32 irq)
{
	if (irq < 16) {
		pic_mask |= (u16)(1u << irq);
		pic_write_mask();
	}
}

void irq_unmask(u32 irq)
{
	if (irq < 16) {
		pic_mask &= (u16)~(1u << irq);
		pic_write_mask();
	}
}

/* Line 7 of either PIC without its in-service bit: noise. */
static bool pic_spurious(u32 irq)
{
	u16 port = irq < 8 ? PIC1 : PIC2;

	if ((irq & 7) != 7)
		return false;
	outb(port, 0x0b);
	return !(inb(port) & 0x80);
}

/* Called by trap.c with interrupts off; touches volatile state only. */
void interrupt(u32 vector)
{
	u32 irq;

	if (vector >= VECTOR_ISA && vector < VECTOR_ISA + 16) {
		irq = vector - VECTOR_ISA;
		if (pic_spurious(irq)) {
			if (irq >= 8)
				outb(PIC1, 0x20);
			return;
		}
		irq_mask(irq);
		if (irq >= 8)
			outb(PIC2, 0x20);
		outb(PIC1, 0x20);
		irq_raised(irq);
		return;
	}
	if (vector == VECTOR_SPURIOUS)
		return;
	apic_write(APIC_EOI, 0);
	if (vector == VECTOR_TIMER) {
		timer_at = ~0ul;
		timer_expired();
	} else if (vector >= VECTOR_MSI && vector < VECTOR_MSI + 32) {
		irq_raised(vector - VECTOR_MSI + 16);
	}
}
