/* SPDX-License-Identifier: BSD-2-Clause
 * FPU, SSE and AVX state, switched lazily: CR0.TS is set unless the current thread owns the registers, and the
 * first use traps (vector 7). The state lives in the TCB page, so the features enabled are those that
 * fit it: x87, SSE, AVX. Without XSAVE: FXSAVE in the same area.
 */
#include "kernel/arch.h"
#include "kernel/kernel.h"
#include "kernel/thread.h"
#include "kernel/percpu.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/fpu.h"

#define AREA_MXCSR      24
#define AREA_XSTATE_BV  512
#define AREA_XCOMP_BV   520
#define AREA_EXTENDED   576
#define MXCSR_DEFAULT   0x1f80u

static bool have_xsave;
static u64 features = 3;
static u32 mxcsr_mask = 0xffbf;

void fpu_init(void)
{
	static u8 area[512] __attribute__((aligned(16)));
	u32 r[4], size;

	cpuid(1, 0, r);
	if (r[2] & 1u << 26) {
		have_xsave = true;
		write_cr4(read_cr4() | CR4_OSXSAVE);
		cpuid(13, 0, r);
		features = r[0] & FPU_FEATURES;
		xsetbv(0, features);
		cpuid(13, 0, r);
		size = r[1];
		if (size > FPU_AREA_SIZE)
			panic("XSAVE area of %u bytes for features 0x%lx", size, features);
	}
	clts();
	__asm__ volatile("fninit; fxsave %0" : "=m"(area));
	if (*(u32 *)(area + 28))
		mxcsr_mask = *(u32 *)(area + 28);
	cpu->fpu_trapped = 1;
	write_cr0(read_cr0() | CR0_TS);
}

static u64 load64(const u8 *p)
{
	u64 v;

	memcpy(&v, p, sizeof v);
	return v;
}

void fpu_area_init(u8 *area)
{
	u32 mxcsr = MXCSR_DEFAULT;
	u16 fcw = 0x37f;

	memset(area, 0, FPU_AREA_SIZE);
	memcpy(area, &fcw, sizeof fcw);
	memcpy(area + AREA_MXCSR, &mxcsr, sizeof mxcsr);
}

bool fpu_area_valid(const u8 *area)
{
	u32 mxcsr;
	int i;

	memcpy(&mxcsr, area + AREA_MXCSR, sizeof mxcsr);
	if (mxcsr & ~mxcsr_mask || load64(area + AREA_XSTATE_BV) & ~features)
		return false;
	for (i = AREA_XCOMP_BV; i < AREA_EXTENDED; i += 8)
		if (load64(area + i))
			return false;
	return true;
}

static void save(u8 *area)
{
	if (have_xsave)
		__asm__ volatile("xsave64 (%0)" : : "r"(area), "a"((u32)features), "d"(0) : "memory");
	else
		__asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
}

static void restore(const u8 *area)
{
	if (have_xsave)
		__asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"((u32)features), "d"(0) : "memory");
	else
		__asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
}

void fpu_disown(struct thread *t)
{
	if (cpu->fpu_owner != t || !t)
		return;
	fpu_trap(false);
	save(t->tcb->fpu);
	cpu->fpu_owner = NULL;
	fpu_trap(true);
}

void fpu_switch(struct thread *to)
{
	fpu_trap(false);
	if (cpu->fpu_owner == to)
		return;
	if (cpu->fpu_owner)
		save(cpu->fpu_owner->tcb->fpu);
	if (!to->tcb->fpu_used) {
		to->tcb->fpu_used = 1;
		fpu_area_init(to->tcb->fpu);
	}
	restore(to->tcb->fpu);
	cpu->fpu_owner = to;
}
