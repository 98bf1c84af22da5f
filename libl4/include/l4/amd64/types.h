/* SPDX-License-Identifier: BSD-2-Clause
 * Machine words of AMD64, and how inline functions are declared. Included by l4/types.h; programs include that one.
 */
#ifndef L4_AMD64_TYPES_H
#define L4_AMD64_TYPES_H

#define L4_LITTLE_ENDIAN
#define L4_64BIT

#define L4_INLINE		static inline __attribute__((unused))

typedef unsigned long	L4_Word64_t;
typedef unsigned int	L4_Word32_t;
typedef unsigned short	L4_Word16_t;
typedef unsigned char	L4_Word8_t;
typedef unsigned long	L4_Word_t;

typedef signed long	L4_SignedWord64_t;
typedef signed int	L4_SignedWord32_t;
typedef signed short	L4_SignedWord16_t;
typedef signed char	L4_SignedWord8_t;
typedef signed long	L4_SignedWord_t;

typedef unsigned long	L4_Size_t;
typedef L4_Word64_t	L4_Paddr_t;

#endif
