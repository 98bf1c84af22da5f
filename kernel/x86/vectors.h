/* SPDX-License-Identifier: BSD-2-Clause
 * Interrupt vectors, and who handles them.
 */
#ifndef X86_VECTORS_H
#define X86_VECTORS_H

#define VECTOR_ISA      0x20
#define VECTOR_MSI      0x50
#define VECTOR_TIMER    0xf0
#define VECTOR_SPURIOUS 0xff

/* A device or timer interrupt (apic.c): interrupts off, touches volatile state only. */
void interrupt(unsigned vector);

#endif
