/* SPDX-License-Identifier: BSD-2-Clause
 * I/O fpages (X.2 AMD64 appendix): ranges of I/O ports. Bits 0..3 rights, 4..9 the number 2, 10..15 log2
 * of the number of ports, 16..31 the first port.
 */
#ifndef L4_AMD64_ARCH_H
#define L4_AMD64_ARCH_H

#include <l4/types.h>

typedef union {
	L4_Word_t raw;
	struct {
		L4_Word_t rwx : 4;
		L4_Word_t __two : 6;
		L4_Word_t s : 6;
		L4_Word_t p : 16;
		L4_Word_t __padding : 32;
	} X;
} L4_IoFpage_t;

#define __L4_IO_TWO		(2UL << 4)
#define __L4_IO_TWO_MASK	(0x3fUL << 4)

/* 2^log2_ports ports from BasePort on. */
L4_INLINE L4_Fpage_t L4_IoFpageLog2(L4_Word_t BasePort, int log2_ports)
{
	return __L4_RAW(L4_Fpage_t, ((BasePort & 0xffff) << 16) | (((L4_Word_t)log2_ports & 0x3f) << 10) | __L4_IO_TWO);
}

/* As above with the number of ports (not 0), rounded up to a power of two. */
L4_INLINE L4_Fpage_t L4_IoFpage(L4_Word_t BasePort, int ports)
{
	int log2_ports = __L4_Msb((L4_Word_t)ports);

	return L4_IoFpageLog2(BasePort, (ports & (ports - 1)) ? log2_ports + 1 : log2_ports);
}

L4_INLINE L4_Word_t L4_IoFpagePort(L4_Fpage_t f)
{
	return (f.raw >> 16) & 0xffff;
}

L4_INLINE L4_Word_t L4_IoFpageSizeLog2(L4_Fpage_t f)
{
	return (f.raw >> 10) & 0x3f;
}

L4_INLINE L4_Word_t L4_IoFpageSize(L4_Fpage_t f)
{
	return 1UL << L4_IoFpageSizeLog2(f);
}

L4_INLINE L4_Bool_t L4_IsIoFpage(L4_Fpage_t f)
{
	return (f.raw & __L4_IO_TWO_MASK) == __L4_IO_TWO;
}

#ifdef __cplusplus
L4_INLINE L4_Fpage_t L4_Fpage(L4_IoFpage_t f) { return __L4_RAW(L4_Fpage_t, f.raw); }
#endif

#endif
