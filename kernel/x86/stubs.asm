; SPDX-License-Identifier: BSD-2-Clause
; The system-call stub page: user code at a fixed address, the same in every space (the KIP holds
; absolute addresses). A thread may have been preempted, and saved, between any two of these
; instructions: the bytes are ABI. A changed stub goes to a new slot and the old one stays.
;
; Ids whose low six bits are zero are local ids: the address of the thread's MR0. The stub replaces
; them by the global id, which stands 15 words below (MyGlobalId TCR).

%include "kernel/x86/tcb_offsets.inc"

%define MY_GLOBAL_ID    (-15 * 8)

section .text.stubs progbits alloc exec nowrite align=4096
global stub_page
stub_page:

%macro STUB 1
        times (%1 * STUB_SIZE) - ($ - stub_page) db 0xcc
%endmacro

; Convert the id in a register if it is local. %1 = 64-bit register, %2 = its low byte
%macro TO_GLOBAL 2
        test    %2, 0x3f
        jnz     %%global
        test    %1, %1
        jz      %%global
        mov     %1, [%1 + MY_GLOBAL_ID]
%%global:
%endmacro

; SpaceControl: rdi space, rsi control, rdx KIP area, r8 UTCB area, r9 redirector
        STUB 0
        TO_GLOBAL r9, r9b
        syscall
space_control_return:
        ret

; ThreadControl: rdi dest, rsi pager, rdx scheduler, r8 space, r9 UTCB location
        STUB 1
        TO_GLOBAL rsi, sil
        TO_GLOBAL rdx, dl
        TO_GLOBAL r8, r8b
        syscall
thread_control_return:
        ret

        STUB 2                          ; ProcessorControl
        syscall
processor_control_return:
        ret

        STUB 3                          ; MemoryControl
        syscall
memory_control_return:
        ret

; Ipc, Lipc: rsi to, rdx from, r8 timeouts, r9 MR0, rax rbx r10 r12-r15 MR1-MR7.
; The return address is popped into rdi: the kernel returns straight to the caller.
%macro IPC_STUB 1
        test    sil, 0x3f
        jz      %%to_local
%%to_done:
        test    dl, 0x3f
        jz      %%from_local
%%from_done:
        pop     rdi
        syscall
%1:
%%to_local:
        test    rsi, rsi
        jz      %%to_done
        mov     rsi, [rsi + MY_GLOBAL_ID]
        jmp     %%to_done
%%from_local:
        test    rdx, rdx
        jz      %%from_done
        cmp     rdx, -64                ; anylocalthread stays
        je      %%from_done
        mov     rdx, [rdx + MY_GLOBAL_ID]
        jmp     %%from_done
%endmacro

        STUB 4
        IPC_STUB ipc_return
        STUB 5
        IPC_STUB lipc_return

; Unmap: rdx control, rdi MR0's address, message registers as in Ipc
%macro MR_MOVE 1
%if %1
        mov     [rdi], r9
        mov     [rdi + 8], rax
        mov     [rdi + 16], rbx
        mov     [rdi + 24], r10
        mov     [rdi + 32], r12
        mov     [rdi + 40], r13
        mov     [rdi + 48], r14
        mov     [rdi + 56], r15
%else
        mov     r9, [rdi]
        mov     rax, [rdi + 8]
        mov     rbx, [rdi + 16]
        mov     r10, [rdi + 24]
        mov     r12, [rdi + 32]
        mov     r13, [rdi + 40]
        mov     r14, [rdi + 48]
        mov     r15, [rdi + 56]
%endif
%endmacro
        STUB 6
        MR_MOVE 1
        syscall
unmap_return:
        MR_MOVE 0
        ret

; ExchangeRegisters: rax dest, rsi control, rdx sp, r8 ip, r9 flags, r10 handle, rdi pager.
; rbx keeps the id as it was given: the result is the other kind (local for global and back).
        STUB 7
        mov     rbx, rax
        TO_GLOBAL rax, al
        syscall
exchange_registers_return:
        ret

        STUB 8                          ; SystemClock: rax
        syscall
system_clock_return:
        ret

        STUB 9                          ; ThreadSwitch: rdi dest
        TO_GLOBAL rdi, dil
        syscall
thread_switch_return:
        ret

; Schedule: rdi dest, rsi prio, rdx time control, r8 processor control, r9 preemption control
        STUB 10
        TO_GLOBAL rdi, dil
        syscall
schedule_return:
        ret

        STUB 11                         ; FrameControl: rdi number of operations
        syscall
frame_control_return:
        ret

        STUB 12                         ; ThreadInfo: rdi thread number
        syscall
thread_info_return:
        ret

        times 4096 - ($ - stub_page) db 0xcc

section .rodata
; Where each system call must come from: the offset of the instruction behind its `syscall`.
global stub_returns
stub_returns:
        dw      space_control_return - stub_page
        dw      thread_control_return - stub_page
        dw      processor_control_return - stub_page
        dw      memory_control_return - stub_page
        dw      ipc_return - stub_page
        dw      lipc_return - stub_page
        dw      unmap_return - stub_page
        dw      exchange_registers_return - stub_page
        dw      system_clock_return - stub_page
        dw      thread_switch_return - stub_page
        dw      schedule_return - stub_page
        dw      frame_control_return - stub_page
        dw      thread_info_return - stub_page

; For entry.asm, as absolute symbols.
global ipc_return_offset, lipc_return_offset
ipc_return_offset  equ ipc_return - stub_page
lipc_return_offset equ lipc_return - stub_page
