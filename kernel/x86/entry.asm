; SPDX-License-Identifier: BSD-2-Clause
; The doors of the kernel. User registers go straight into the current thread's TCB: rsp0 points at
; the end of its frame, so the processor itself begins the frame. There is one kernel stack, it is empty
; whenever user code runs, and nothing of it survives a return to user mode.
;
;   entry_trap      exceptions and interrupts  -> trap_user / trap_kernel (trap.c)
;   entry_syscall   SYSCALL                    -> ipc_fast (ipc_fast.c), sys_ipc (ipc.c) or syscall_dispatch (syscall.c)
;   exit_kernel     back to the current thread, scheduling first if asked to
;
; Kernel mode runs with interrupts off, except in interrupt_window and the idle halt.

%include "kernel/x86/tcb_offsets.inc"

extern trap_user, trap_kernel, ipc_fast, sys_ipc, syscall_dispatch, schedule
extern ipc_return_offset, lipc_return_offset

section .text

%macro SAVE_REGS 0
        push    rax
        push    rcx
        push    rdx
        push    rbx
        push    rbp
        push    rsi
        push    rdi
        push    r8
        push    r9
        push    r10
        push    r11
        push    r12
        push    r13
        push    r14
        push    r15
%endmacro

%macro RESTORE_REGS 0
        pop     r15
        pop     r14
        pop     r13
        pop     r12
        pop     r11
        pop     r10
        pop     r9
        pop     r8
        pop     rdi
        pop     rsi
        pop     rbp
        pop     rbx
        pop     rdx
        pop     rcx
        pop     rax
%endmacro

; One entry per vector: [rsp] = vector, [rsp+8] = error code, then the processor's frame.
; Vectors that push an error code themselves: 8, 10-14, 17, 21, 29, 30.
align 16
global entry_vectors
entry_vectors:
%assign v 0
%rep 256
        align   16
    %if v == 8 || (v >= 10 && v <= 14) || v == 17 || v == 21 || v == 29 || v == 30
    %else
        push    strict byte 0
    %endif
        push    strict dword v
        jmp     entry_trap
%assign v v+1
%endrep

align 16
entry_trap:
        test    byte [rsp + 24], 3      ; cs: from user mode?
        jz      .from_kernel
        swapgs
        SAVE_REGS
        mov     rdi, rsp                ; the frame in the TCB
        mov     rbp, [gs:PERCPU_TCB]
        mov     byte [rbp + TCB_RESUME], 0
        mov     rsp, [gs:PERCPU_KSTACK]
        cld
        call    trap_user
        jmp     exit_kernel
.from_kernel:
        cmp     qword [rsp + 16], exit_kernel.iretq
        je      .bad_return
        SAVE_REGS
        mov     rdi, rsp
        cld
        call    trap_kernel
        RESTORE_REGS
        add     rsp, 16
        iretq

; iretq refused the user's rip, which is not canonical. All registers but rsp are the user's already, and its frame from
; rip on is whole: as if user code had faulted there.
.bad_return:
        swapgs
        mov     rsp, [gs:PERCPU_TCB]
        lea     rsp, [rsp + TCB_RIP]
        push    0                       ; error
        push    13                      ; vector: general protection
        SAVE_REGS
        mov     rdi, rsp
        mov     rsp, [gs:PERCPU_KSTACK]
        cld
        call    trap_user
        jmp     exit_kernel

; rcx = return address, r11 = flags; rsp is still the user's.
align 16
global entry_syscall
entry_syscall:
        swapgs
        mov     [gs:PERCPU_SCRATCH], rsp
        cmp     rcx, STUB_BASE + ipc_return_offset
        jne     .not_ipc
.ipc:
        ; rsi = to, rdx = from, r8 = timeouts, r9 = MR0, rdi = user's return address
        mov     rbp, rdi
        shr     rbp, 47
        jnz     .full                   ; not a user address: sysret may not see it
        mov     rbp, [gs:PERCPU_UTCB]
        mov     rcx, [gs:PERCPU_TCB]
        mov     [rbp + UTCB_MR0], r9
        mov     [rbp + UTCB_MR0 + 8], rax
        mov     [rbp + UTCB_MR0 + 16], rbx
        mov     [rbp + UTCB_MR0 + 24], r10
        mov     [rbp + UTCB_MR0 + 32], r12
        mov     [rbp + UTCB_MR0 + 40], r13
        mov     [rbp + UTCB_MR0 + 48], r14
        mov     [rbp + UTCB_MR0 + 56], r15
        mov     rbx, [gs:PERCPU_SCRATCH]
        mov     rsp, [gs:PERCPU_KSTACK]
        mov     [rcx + TCB_RIP], rdi
        mov     [rcx + TCB_RFLAGS], r11
        mov     [rcx + TCB_RSP], rbx
        mov     byte [rcx + TCB_RESUME], RESUME_IPC
        mov     rbx, rsi
        mov     r12, rdx
        mov     r13, r8
        mov     rdi, rsi
        mov     rsi, rdx
        mov     rdx, r8
        mov     rcx, r9
        call    ipc_fast
        test    al, al
        jnz     exit_kernel.resume
        mov     rdi, rbx
        mov     rsi, r12
        mov     rdx, r13
        call    sys_ipc
        jmp     exit_kernel

.not_ipc:
        cmp     rcx, STUB_BASE + lipc_return_offset
        je      .ipc
.full:
        mov     rsp, [gs:PERCPU_TCB]
        lea     rsp, [rsp + TCB_FRAME_TOP]
        push    0x1b                    ; user data
        push    qword [gs:PERCPU_SCRATCH]
        push    r11
        push    0x23                    ; user code
        push    rcx
        push    0                       ; error
        push    256                     ; vector: system call
        SAVE_REGS
        mov     rdi, rsp
        mov     rbp, [gs:PERCPU_TCB]
        mov     byte [rbp + TCB_RESUME], 0
        mov     rsp, [gs:PERCPU_KSTACK]
        call    syscall_dispatch
        jmp     exit_kernel

; Back to user mode, by what the current thread's TCB says.
align 16
global exit_kernel
exit_kernel:
        cmp     qword [gs:PERCPU_RESCHED], 0
        jne     .schedule
.resume:
        mov     rbp, [gs:PERCPU_TCB]
        cmp     byte [rbp + TCB_RESUME], 0
        je      .frame
        mov     r8, [gs:PERCPU_UTCB]
        mov     rsi, [rbp + TCB_IPC_FROM]
        mov     rdi, [rbp + TCB_UTCB_MR]
        mov     rcx, [rbp + TCB_RIP]
        mov     r11, [rbp + TCB_RFLAGS]
        mov     rsp, [rbp + TCB_RSP]
        mov     r9, [r8 + UTCB_MR0]
        mov     rax, [r8 + UTCB_MR0 + 8]
        mov     rbx, [r8 + UTCB_MR0 + 16]
        mov     r10, [r8 + UTCB_MR0 + 24]
        mov     r12, [r8 + UTCB_MR0 + 32]
        mov     r13, [r8 + UTCB_MR0 + 40]
        mov     r14, [r8 + UTCB_MR0 + 48]
        mov     r15, [r8 + UTCB_MR0 + 56]
        xor     edx, edx                ; no kernel value leaves
        xor     ebp, ebp
        xor     r8d, r8d
        swapgs
        o64 sysret
.frame:
        lea     rsp, [rbp + TCB_FRAME]
        RESTORE_REGS
        add     rsp, 16
        swapgs
.iretq:
        iretq
.schedule:
        call    schedule
        jmp     .resume

; void enter_user(void): leaves the boot path for the first thread.
global enter_user
enter_user:
        mov     rsp, [gs:PERCPU_KSTACK]
        jmp     exit_kernel
