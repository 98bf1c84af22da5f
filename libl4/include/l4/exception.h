/* SPDX-License-Identifier: BSD-2-Clause
 * The exception protocol on AMD64 (X.2 7.5 and AMD64 appendix): message registers of the message that the
 * kernel sends, in the faulting thread's name, to its exception handler: label -5, no typed items,
 * L4_EXC_WORDS untyped words. The handler's reply has the same form and sets the registers
 * the thread continues with (exception number and error code are ignored). Asm-safe.
 */
#ifndef L4_EXCEPTION_H
#define L4_EXCEPTION_H

#include <l4/abi.h>

#define L4_EXC_RIP		1
#define L4_EXC_RBX		2
#define L4_EXC_R10		3
#define L4_EXC_R12		4
#define L4_EXC_R13		5
#define L4_EXC_R14		6
#define L4_EXC_R15		7
#define L4_EXC_RAX		8
#define L4_EXC_RCX		9
#define L4_EXC_RDX		10
#define L4_EXC_RSI		11
#define L4_EXC_RDI		12
#define L4_EXC_RBP		13
#define L4_EXC_R8		14
#define L4_EXC_R9		15
#define L4_EXC_R11		16
#define L4_EXC_RSP		17
#define L4_EXC_RFLAGS		18
#define L4_EXC_NUMBER		19	/* the processor's vector; L4_EXC_SYSCALL: a SYSCALL outside the stubs */
#define L4_EXC_ERROR		20	/* the processor's error code, 0 if it gives none */
#define L4_EXC_WORDS		20

#define L4_EXC_SYSCALL		0x100
#define L4_EXC_DAMAGED		0x101	/* the page that the thread touched cannot be read back; L4_EXC_ERROR: its address */

#endif
