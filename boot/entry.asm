; SPDX-License-Identifier: BSD-2-Clause
;
; From the loader to C. Three doors lead here:
;   boot_entry32  multiboot 1 (QEMU -kernel, GRUB "multiboot") and multiboot 2 (GRUB): 32-bit protected mode
;   boot_entry64  our UEFI loader (boot/uefi): long mode on the firmware's identity map; it is the ELF entry
; Both load the page tables below and go on in boot_main (boot/main.c) at its high address.
;
; The page tables need no code: they are constants. They map
;   0 .. 4 GiB                      to itself, 2 MiB pages (all that a loader may hand us lies there)
;   0xffffffff80000000 .. + 1 GiB   to physical 0 .. 1 GiB (the kernel as it is linked)
; The kernel replaces them by its own. Everything in this file lies in .boot or .boot.bss and may be
; given away then (__boot_start .. __boot_end, __boot_bss_start .. __boot_bss_end).

MB1_MAGIC	equ 0x1badb002
MB1_PAGE_ALIGN	equ 1 << 0		; modules on page boundaries
MB1_MEM_INFO	equ 1 << 1
MB1_ADDRESSES	equ 1 << 16		; load addresses are in this header: loaders need not read our ELF64
MB1_FLAGS	equ MB1_PAGE_ALIGN | MB1_MEM_INFO | MB1_ADDRESSES

MB2_MAGIC	equ 0xe85250d6
MB2_ARCH_I386	equ 0
MB2_TAG_END	equ 0
MB2_TAG_ENTRY	equ 3
MB2_TAG_ALIGN	equ 6

PTE_P		equ 1 << 0
PTE_W		equ 1 << 1
PTE_PS		equ 1 << 7
CR0_PE		equ 1 << 0
CR0_MP		equ 1 << 1
CR0_NE		equ 1 << 5
CR0_WP		equ 1 << 16
CR0_PG		equ 1 << 31
CR4_PAE		equ 1 << 5
MSR_EFER	equ 0xc0000080
EFER_LME	equ 1 << 8
CPUID_EXT_MAX	equ 0x80000000
CPUID_EXT	equ 0x80000001
CPUID_EXT_LM	equ 1 << 29		; edx
FLAGS_ID	equ 1 << 21
COM1		equ 0x3f8
LSR_THRE	equ 1 << 5
BOOT_STACK	equ 16384
BOOTINFO_MAGIC	equ 0x544f4f4244524550	; l4/bootinfo.h

extern boot_main
extern __kernel_load_phys, __kernel_load_end_phys, __kernel_end_phys
global boot_entry32:function, boot_entry64:function, boot_stack_top

section .boot progbits alloc exec nowrite align=4096
bits 32

align 8
mb1_header:
	dd MB1_MAGIC
	dd MB1_FLAGS
	dd -(MB1_MAGIC + MB1_FLAGS)
	dd mb1_header
	dd __kernel_load_phys
	dd __kernel_load_end_phys
	dd __kernel_end_phys
	dd boot_entry32

align 8
mb2_header:
	dd MB2_MAGIC
	dd MB2_ARCH_I386
	dd mb2_header_end - mb2_header
	dd 0x100000000 - (MB2_MAGIC + MB2_ARCH_I386 + (mb2_header_end - mb2_header))
	dw MB2_TAG_ENTRY, 0
	dd 12
	dd boot_entry32
	align 8, db 0
	dw MB2_TAG_ALIGN, 0
	dd 8
	dw MB2_TAG_END, 0
	dd 8
mb2_header_end:

; In: eax = loader's magic, ebx = physical address of its information; interrupts off, paging off, flat segments.
boot_entry32:
	cli
	cld
	mov	esp, boot_scratch_end		; for pushfd only
	mov	edi, eax			; edi = magic, esi = information: boot_main's arguments
	mov	esi, ebx

	pushfd					; a processor without CPUID cannot change this bit
	pop	eax
	mov	ecx, eax
	xor	eax, FLAGS_ID
	push	eax
	popfd
	pushfd
	pop	eax
	cmp	eax, ecx
	je	no_long_mode
	mov	eax, CPUID_EXT_MAX
	cpuid
	cmp	eax, CPUID_EXT
	jb	no_long_mode
	mov	eax, CPUID_EXT
	cpuid
	test	edx, CPUID_EXT_LM
	jz	no_long_mode

	mov	eax, CR4_PAE
	mov	cr4, eax
	mov	eax, boot_pml4
	mov	cr3, eax
	mov	ecx, MSR_EFER
	rdmsr
	or	eax, EFER_LME
	wrmsr
	mov	eax, CR0_PE | CR0_MP | CR0_NE | CR0_WP | CR0_PG
	mov	cr0, eax
	lgdt	[boot_gdtr]
	jmp	0x08:boot_long

no_long_mode:
	mov	esi, no_long_mode_text
.next:	lodsb
	test	al, al
	jz	.halt
	mov	ah, al
	mov	dx, COM1 + 5
.wait:	in	al, dx
	test	al, LSR_THRE
	jz	.wait
	mov	dx, COM1
	mov	al, ah
	out	dx, al
	jmp	.next
.halt:	hlt
	jmp	.halt

no_long_mode_text:
	db 13, 10, "[panic] boot: this processor has no 64-bit mode", 13, 10, 0

bits 64
; In: rdi = physical address of a struct bootinfo (below 4 GiB); long mode, interrupts off, memory below
; 4 GiB mapped to itself.
boot_entry64:
	cli
	cld
	mov	esi, edi
	mov	rax, BOOTINFO_MAGIC
	mov	rdi, rax
	mov	eax, boot_pml4
	mov	cr3, rax
	mov	eax, CR4_PAE			; after CR3: clears PGE, PCIDE and what else firmware may have set
	mov	cr4, rax
	mov	eax, CR0_PE | CR0_MP | CR0_NE | CR0_WP | CR0_PG
	mov	cr0, rax
	lgdt	[boot_gdtr]
	mov	esp, boot_scratch_end
	push	0x08
	push	boot_long
	o64 retf

; In: rdi = magic, rsi = physical address of the loader's information.
boot_long:
	mov	eax, 0x10
	mov	ds, eax
	mov	es, eax
	mov	ss, eax
	xor	eax, eax
	mov	fs, eax
	mov	gs, eax
	lldt	ax
	mov	rsp, boot_stack_top
	xor	ebp, ebp
	mov	rax, boot_main
	call	rax
	ud2					; boot_main does not return

align 16
boot_gdt:
	dq 0
	dq 0x00af9b000000ffff			; 0x08: 64-bit code, accessed
	dq 0x00cf93000000ffff			; 0x10: data, accessed
boot_gdtr:
	dw $ - boot_gdt - 1
	dq boot_gdt

align 16
	times 64 db 0				; written before boot_stack can be addressed, never by more than two words
boot_scratch_end:

align 4096
boot_pml4:
	dq boot_pdpt_low + (PTE_P | PTE_W)
	times 510 dq 0
	dq boot_pdpt_high + (PTE_P | PTE_W)
boot_pdpt_low:
%assign i 0
%rep 4
	dq boot_pd + i * 4096 + (PTE_P | PTE_W)
%assign i i + 1
%endrep
	times 508 dq 0
boot_pdpt_high:
	times 510 dq 0
	dq boot_pd + (PTE_P | PTE_W)
	dq 0
boot_pd:
%assign i 0
%rep 4 * 512
	dq (i << 21) | PTE_P | PTE_W | PTE_PS
%assign i i + 1
%endrep

section .boot.bss nobits alloc noexec write align=4096
	resb BOOT_STACK
boot_stack_top:

section .note.GNU-stack noalloc noexec nowrite progbits
