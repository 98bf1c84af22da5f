/* SPDX-License-Identifier: BSD-2-Clause
 * When the FPU traps (fpu.c): while another thread's registers are in it, or nobody's.
 */
#ifndef X86_FPU_H
#define X86_FPU_H

#include "kernel/percpu.h"
#include "kernel/x86/cpu.h"

/* Does the next FPU instruction trap (CR0.TS)? */
static inline void fpu_trap(bool on)
{
	if (cpu->fpu_trapped == on)
		return;
	cpu->fpu_trapped = on;
	if (on)
		write_cr0(read_cr0() | CR0_TS);
	else
		clts();
}

#endif
