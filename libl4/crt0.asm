; SPDX-License-Identifier: BSD-2-Clause
; Entry point of programs.
;
; A thread begins with an instruction pointer and a stack pointer (X.2 thread start); its other registers
; are 0. What the program is given stands at the stack pointer, in the form System V programs know:
;
;   rsp        argc                      (8 bytes; 0 for a root task)
;   rsp+8      argv[0] .. argv[argc-1]   addresses of strings
;   then       0, and what else the starter likes
;
; The kernel starts sigma0 with a word in rdi instead, and nothing on the stack; it is kept in
; l4_start_argument, and main gets argc = 0. A program that needs more defines a _start of its own: this one is weak.
;
; The stack pointer need not be aligned. Nothing returns here.

bits 64
default rel

extern __l4_start
global _start:function weak

section .text
_start:
	mov	rsi, rsp		; second argument: the start block; first: rdi, as it is
	xor	ebp, ebp		; the chain of frames ends here, for debuggers
	cld
	and	rsp, -16
	call	__l4_start		; pushes 8 bytes: the alignment C functions expect
	ud2				; it does not return

section .note.GNU-stack noalloc noexec nowrite progbits
