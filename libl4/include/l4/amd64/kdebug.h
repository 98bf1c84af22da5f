/* SPDX-License-Identifier: BSD-2-Clause
 * Kernel debug services on AMD64: a breakpoint followed by an instruction that names the service and
 * is harmless when executed. They work before any console exists and never block; they go to
 * the kernel's serial port.
 */
#ifndef L4_AMD64_KDEBUG_H
#define L4_AMD64_KDEBUG_H

#include <l4/types.h>

/* A breakpoint with a text for a kernel debugger. This kernel has none: the thread gets a breakpoint exception, with the
 * text at the address that the instruction after the next would load into rax. The argument is a string literal (it may be
 * empty). */
#define L4_KDB_Enter(str...)					\
	__asm__ __volatile__ (					\
		"int3\n\t"					\
		"jmp 2f\n\t"					\
		"movq $1f, %%rax\n\t"				\
		".pushsection .rodata\n\t"			\
		"1: .asciz \"" str "\"\n\t"			\
		".popsection\n"					\
		"2:" : : : "memory")

/* Prints one character. */
L4_INLINE void L4_KDB_PrintChar(char c)
{
	__asm__ __volatile__("int3\n\tcmpb %1, %%al" : : "a"(c), "i"(L4_KDB_PRINT_CHAR) : "cc", "memory");
}

/* Prints a string that ends with a zero byte, at most 256 bytes of it. A page that is not mapped at the moment ends it, too:
 * text that must appear is better printed by l4_printf (l4/print.h). */
L4_INLINE void L4_KDB_PrintString(const char *s)
{
	__asm__ __volatile__("int3\n\tcmpb %1, %%al" : : "a"(s), "i"(L4_KDB_PRINT_STRING) : "cc", "memory");
}

/* Prints `bytes` bytes (at most L4_KDB_TEXT_MAX), with nothing of anybody else's between them. Returns their number, or 0, with nothing
 * printed, if there are too many or not all of them are mapped at the moment. An extension of this kernel. */
L4_INLINE L4_Word_t L4_KDB_PrintText(const char *text, L4_Word_t bytes)
{
	L4_Word_t printed;

	__asm__ __volatile__("int3\n\tcmpb %3, %%al" : "=a"(printed) : "0"(text), "d"(bytes), "i"((signed char)L4_KDB_PRINT_TEXT)
			     : "cc", "memory");
	return printed;
}

L4_INLINE void L4_KDB_ClearPage(void)
{
	__asm__ __volatile__("int3\n\tcmpb $2, %%al" : : : "cc", "memory");
}

/* The following exist so that programs compile. This kernel supports none of them: they are breakpoint exceptions. */
L4_INLINE char L4_KDB_ReadChar(void)
{
	char c = (char)-1;

	__asm__ __volatile__("int3\n\tcmpb $8, %%al" : "+a"(c) : : "cc", "memory");
	return c;
}

L4_INLINE char L4_KDB_ReadChar_Blocked(void)
{
	char c = (char)-1;

	__asm__ __volatile__("int3\n\tcmpb $13, %%al" : "+a"(c) : : "cc", "memory");
	return c;
}

#endif
