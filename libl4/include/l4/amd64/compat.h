/* SPDX-License-Identifier: BSD-2-Clause
 * Thread ids as 32-bit programs of other X.2 kernels see them: 18 bits of number, 14 bits of version. Perdure
 * runs no such programs; programs that can talk to them compile with this.
 */
#ifndef L4_AMD64_COMPAT_H
#define L4_AMD64_COMPAT_H

#include <l4/types.h>

typedef union {
	L4_Word32_t raw;
	struct {
		L4_Word32_t version : 14;
		L4_Word32_t thread_no : 18;
	} X;
} L4_GthreadId32_t;

typedef union {
	L4_Word32_t raw;
	struct {
		L4_Word32_t __zeros : 6;
		L4_Word32_t local_id : 26;
	} X;
} L4_LthreadId32_t;

typedef union {
	L4_Word32_t	 raw;
	L4_GthreadId32_t global;
	L4_LthreadId32_t local;
} L4_ThreadId32_t;

#define L4_nilthread32		__L4_RAW(L4_ThreadId32_t, 0U)
#define L4_anythread32		__L4_RAW(L4_ThreadId32_t, ~0U)
#define L4_anylocalthread32	__L4_RAW(L4_ThreadId32_t, ~0x3fU)

L4_INLINE L4_ThreadId32_t L4_GlobalId32(L4_Word32_t threadno, L4_Word32_t version)
{
	return __L4_RAW(L4_ThreadId32_t, (threadno << 14) | (version & 0x3fff));
}

L4_INLINE L4_Word32_t L4_Version32(L4_ThreadId32_t t)
{
	return t.raw & 0x3fff;
}

L4_INLINE L4_Word32_t L4_ThreadNo32(L4_ThreadId32_t t)
{
	return t.raw >> 14;
}

L4_INLINE L4_Bool_t L4_IsThreadEqual32(const L4_ThreadId32_t l, const L4_ThreadId32_t r)
{
	return l.raw == r.raw;
}

L4_INLINE L4_Bool_t L4_IsThreadNotEqual32(const L4_ThreadId32_t l, const L4_ThreadId32_t r)
{
	return l.raw != r.raw;
}

L4_INLINE L4_Bool_t L4_IsNilThread32(L4_ThreadId32_t t)
{
	return t.raw == 0;
}

L4_INLINE L4_Bool_t L4_IsLocalId32(L4_ThreadId32_t t)
{
	return (t.raw & 0x3f) == 0;
}

L4_INLINE L4_Bool_t L4_IsGlobalId32(L4_ThreadId32_t t)
{
	return (t.raw & 0x3f) != 0;
}

/* The special ids convert to each other, local ids lose their upper half, versions theirs. */
L4_INLINE L4_ThreadId32_t L4_ThreadId32(L4_ThreadId_t t)
{
	if (t.raw == L4_ANYTHREAD || L4_IsLocalId(t))
		return __L4_RAW(L4_ThreadId32_t, (L4_Word32_t)t.raw);
	return L4_GlobalId32((L4_Word32_t)L4_ThreadNo(t), (L4_Word32_t)L4_Version(t));
}

L4_INLINE L4_ThreadId_t L4_ThreadIdFrom32(L4_ThreadId32_t t)
{
	if (t.raw == ~0U)
		return L4_anythread;
	if (t.raw == ~0x3fU)
		return L4_anylocalthread;
	if (L4_IsLocalId32(t))
		return __L4_RAW(L4_ThreadId_t, (L4_Word_t)t.raw);
	return L4_GlobalId(L4_ThreadNo32(t), L4_Version32(t));
}

#ifdef __cplusplus
static inline L4_Bool_t operator==(const L4_ThreadId32_t &l, const L4_ThreadId32_t &r) { return l.raw == r.raw; }
static inline L4_Bool_t operator!=(const L4_ThreadId32_t &l, const L4_ThreadId32_t &r) { return l.raw != r.raw; }
L4_INLINE L4_ThreadId_t L4_ThreadId(L4_ThreadId32_t t) { return L4_ThreadIdFrom32(t); }
#endif

#endif
