/* SPDX-License-Identifier: BSD-2-Clause
 * Basic types of the X.2 interface: words, fpages (X.2 4.1), thread ids (2.1), clock and time values
 * (3.1). Pure computations, no system call.
 *
 * Every type is a union of its machine word (raw) and of named bit fields (X, ...), because programs
 * written for other X.2 kernels use both. The functions here work on raw, with the shifts and
 * masks named below; the bit fields are a view, nothing in the system depends on them.
 */
#ifndef L4_TYPES_H
#define L4_TYPES_H

#include <l4/abi.h>

#ifndef __x86_64__
#error "libl4 supports AMD64 only"
#endif
#define L4_ARCH_AMD64
#ifndef __L4_ARCH__
#define __L4_ARCH__		amd64
#endif
#define __L4_INC_ARCH(file)	<l4/__L4_ARCH__/file>

#define L4_HAVE_SIGNED_WORD
#define L4_COMPAT_H_LOCATION	<l4/amd64/compat.h>

#include <l4/amd64/types.h>

typedef L4_Word_t		L4_Bool_t;
#define L4_BITS_PER_WORD	(sizeof(L4_Word_t) * 8)

#include <l4/amd64/specials.h>

/* A value of the union type, built from its raw word; valid in static initialisers too. */
#define __L4_RAW(type, word)	((type) { word })

/* ErrorCode TCR after a system call (X.2 2.3 ff.), by the manual's names. */
#define L4_ErrOk		L4_ERR_NONE
#define L4_ErrNoPrivilege	L4_ERR_NO_PRIVILEGE
#define L4_ErrInvalidThread	L4_ERR_INVALID_THREAD
#define L4_ErrInvalidSpace	L4_ERR_INVALID_SPACE
#define L4_ErrInvalidScheduler	L4_ERR_INVALID_SCHEDULER
#define L4_ErrInvalidParam	L4_ERR_INVALID_PARAM
#define L4_ErrUtcbArea		L4_ERR_UTCB_AREA
#define L4_ErrKipArea		L4_ERR_KIP_AREA
#define L4_ErrNoMem		L4_ERR_NO_MEM

/* ---- Fpages (X.2 4.1): rights bits 0..2, bit 3 extended, log2 size 4..9, base 10..63 ---------- */

typedef union {
	L4_Word_t raw;
	struct {
		L4_Word_t rwx : 3;
		L4_Word_t extended : 1;
		L4_Word_t s : 6;
		L4_Word_t b : 54;
	} X;
} L4_Fpage_t;

#define L4_Readable		L4_RIGHT_R
#define L4_Writable		L4_RIGHT_W
#define L4_eXecutable		L4_RIGHT_X
#define L4_FullyAccessible	(L4_RIGHT_R | L4_RIGHT_W | L4_RIGHT_X)
#define L4_ReadWriteOnly	(L4_RIGHT_R | L4_RIGHT_W)
#define L4_ReadeXecOnly		(L4_RIGHT_R | L4_RIGHT_X)
#define L4_NoAccess		0

#define __L4_FPAGE_RIGHTS	0x7UL
#define __L4_FPAGE_SIZE_SHIFT	4
#define __L4_FPAGE_SIZE_MASK	0x3fUL
#define __L4_FPAGE_BASE_MASK	(~0x3ffUL)

#define L4_Nilpage		__L4_RAW(L4_Fpage_t, 0UL)
#define L4_CompleteAddressSpace	__L4_RAW(L4_Fpage_t, 1UL << __L4_FPAGE_SIZE_SHIFT)

L4_INLINE L4_Bool_t L4_IsNilFpage(L4_Fpage_t f)
{
	return f.raw == 0;
}

L4_INLINE L4_Word_t L4_Rights(L4_Fpage_t f)
{
	return f.raw & __L4_FPAGE_RIGHTS;
}

/* Replaces the rights of *f; returns the new value. */
L4_INLINE L4_Fpage_t L4_Set_Rights(L4_Fpage_t *f, L4_Word_t rwx)
{
	f->raw = (f->raw & ~__L4_FPAGE_RIGHTS) | (rwx & __L4_FPAGE_RIGHTS);
	return *f;
}

L4_INLINE L4_Fpage_t L4_FpageAddRights(L4_Fpage_t f, L4_Word_t rwx)
{
	f.raw |= rwx & __L4_FPAGE_RIGHTS;
	return f;
}

L4_INLINE L4_Fpage_t L4_FpageAddRightsTo(L4_Fpage_t *f, L4_Word_t rwx)
{
	return *f = L4_FpageAddRights(*f, rwx);
}

L4_INLINE L4_Fpage_t L4_FpageRemoveRights(L4_Fpage_t f, L4_Word_t rwx)
{
	f.raw &= ~(rwx & __L4_FPAGE_RIGHTS);
	return f;
}

L4_INLINE L4_Fpage_t L4_FpageRemoveRightsFrom(L4_Fpage_t *f, L4_Word_t rwx)
{
	return *f = L4_FpageRemoveRights(*f, rwx);
}

/* An fpage of 2^log2_size bytes (10..63; 1 means everything) at an address aligned to that size,
 * without rights. */
L4_INLINE L4_Fpage_t L4_FpageLog2(L4_Word_t base, int log2_size)
{
	L4_Fpage_t f;

	f.raw = (base & __L4_FPAGE_BASE_MASK)
	      | (((L4_Word_t)log2_size & __L4_FPAGE_SIZE_MASK) << __L4_FPAGE_SIZE_SHIFT);
	return f;
}

/* As L4_FpageLog2, with the size in bytes (not 0), rounded up to a power of two. */
L4_INLINE L4_Fpage_t L4_Fpage(L4_Word_t base, L4_Word_t size)
{
	int log2_size = __L4_Msb(size);

	if (size & (size - 1))
		log2_size++;
	return L4_FpageLog2(base, log2_size);
}

L4_INLINE L4_Word_t L4_SizeLog2(L4_Fpage_t f)
{
	return (f.raw >> __L4_FPAGE_SIZE_SHIFT) & __L4_FPAGE_SIZE_MASK;
}

/* Size in bytes; 0 for the nil fpage. */
L4_INLINE L4_Word_t L4_Size(L4_Fpage_t f)
{
	L4_Word_t s = L4_SizeLog2(f);

	return s ? 1UL << s : 0;
}

L4_INLINE L4_Word_t L4_Address(L4_Fpage_t f)
{
	return f.raw & ~((1UL << L4_SizeLog2(f)) - 1) & __L4_FPAGE_BASE_MASK;
}

/* ---- Thread ids (X.2 2.1) ------------------------------------------------------------------------ */

typedef union {
	L4_Word_t raw;
	struct {
		L4_Word_t version : 32;
		L4_Word_t thread_no : 32;
	} X;
} L4_GthreadId_t;

typedef union {
	L4_Word_t raw;
	struct {
		L4_Word_t __zeros : 6;
		L4_Word_t local_id : 58;
	} X;
} L4_LthreadId_t;

typedef union {
	L4_Word_t      raw;
	L4_GthreadId_t global;
	L4_LthreadId_t local;
} L4_ThreadId_t;

#define __L4_LOCAL_ID_ZEROS	0x3fUL

#define L4_nilthread		__L4_RAW(L4_ThreadId_t, (L4_Word_t)L4_NILTHREAD)
#define L4_anythread		__L4_RAW(L4_ThreadId_t, (L4_Word_t)L4_ANYTHREAD)
#define L4_anylocalthread	__L4_RAW(L4_ThreadId_t, (L4_Word_t)L4_ANYLOCALTHREAD)

/* version: its low 6 bits must not all be 0 (they tell a global from a local id). */
L4_INLINE L4_ThreadId_t L4_GlobalId(L4_Word_t threadno, L4_Word_t version)
{
	L4_ThreadId_t t;

	t.raw = (threadno << L4_VERSION_BITS) | (version & 0xffffffffUL);
	return t;
}

L4_INLINE L4_Word_t L4_Version(L4_ThreadId_t t)
{
	return t.raw & 0xffffffffUL;
}

L4_INLINE L4_Word_t L4_ThreadNo(L4_ThreadId_t t)
{
	return t.raw >> L4_VERSION_BITS;
}

L4_INLINE L4_Bool_t L4_IsThreadEqual(const L4_ThreadId_t l, const L4_ThreadId_t r)
{
	return l.raw == r.raw;
}

L4_INLINE L4_Bool_t L4_IsThreadNotEqual(const L4_ThreadId_t l, const L4_ThreadId_t r)
{
	return l.raw != r.raw;
}

L4_INLINE L4_Bool_t L4_IsNilThread(L4_ThreadId_t t)
{
	return t.raw == L4_NILTHREAD;
}

L4_INLINE L4_Bool_t L4_IsLocalId(L4_ThreadId_t t)
{
	return (t.raw & __L4_LOCAL_ID_ZEROS) == 0;
}

L4_INLINE L4_Bool_t L4_IsGlobalId(L4_ThreadId_t t)
{
	return (t.raw & __L4_LOCAL_ID_ZEROS) != 0;
}

/* ---- Clock (X.2 3.1): microseconds; continues across reboots, see docs/programming.md ------------ */

typedef union {
	L4_Word64_t raw;
	struct {
		L4_Word32_t low;
		L4_Word32_t high;
	} X;
} L4_Clock_t;

L4_INLINE L4_Clock_t L4_ClockAddUsec(const L4_Clock_t c, const L4_Word64_t r)
{
	return __L4_RAW(L4_Clock_t, c.raw + r);
}

L4_INLINE L4_Clock_t L4_ClockSubUsec(const L4_Clock_t c, const L4_Word64_t r)
{
	return __L4_RAW(L4_Clock_t, c.raw - r);
}

L4_INLINE L4_Bool_t L4_IsClockEarlier(const L4_Clock_t l, const L4_Clock_t r)
{
	return l.raw < r.raw;
}

L4_INLINE L4_Bool_t L4_IsClockLater(const L4_Clock_t l, const L4_Clock_t r)
{
	return l.raw > r.raw;
}

L4_INLINE L4_Bool_t L4_IsClockEqual(const L4_Clock_t l, const L4_Clock_t r)
{
	return l.raw == r.raw;
}

L4_INLINE L4_Bool_t L4_IsClockNotEqual(const L4_Clock_t l, const L4_Clock_t r)
{
	return l.raw != r.raw;
}

/* ---- Time values (X.2 3.1) -------------------------------------------------------------------------
 * Period: m bits 0..9, e bits 10..14, bit 15 clear: m * 2^e microseconds; 0 means never, and zero is
 * written as m = 0, e = 1. Point: m bits 0..9, c bit 10, e bits 11..14, bit 15 set: the next
 * clock value whose bits 10+e..e are c and m. */

typedef union {
	L4_Word16_t raw;
	struct {
		L4_Word16_t m : 10;
		L4_Word16_t e : 5;
		L4_Word16_t a : 1;
	} period;
	struct {
		L4_Word16_t m : 10;
		L4_Word16_t c : 1;
		L4_Word16_t e : 4;
		L4_Word16_t a : 1;
	} point;
} L4_Time_t;

#define L4_Never		__L4_RAW(L4_Time_t, 0)
#define L4_ZeroTime		__L4_RAW(L4_Time_t, 1 << 10)

#define __L4_TIME_POINT		0x8000U
#define __L4_TIME_MAX		(0x3ffUL << 31)

L4_INLINE L4_Time_t __L4_Time(L4_Word_t raw)
{
	return __L4_RAW(L4_Time_t, (L4_Word16_t)raw);
}

/* The period closest to, and not longer than, so many microseconds (at most 0.2 % shorter). Zero gives
 * L4_ZeroTime; more than 1023 * 2^31 microseconds (25 days) gives L4_Never. */
L4_INLINE L4_Time_t L4_TimePeriod(L4_Word64_t microseconds)
{
	int e;

	if (microseconds == 0)
		return L4_ZeroTime;
	if (microseconds > __L4_TIME_MAX)
		return L4_Never;
	e = __L4_Msb(microseconds) - 9;
	if (e < 0)
		e = 0;
	return __L4_Time(((L4_Word_t)e << 10) | (microseconds >> e));
}

/* Length of a period in microseconds; ~0 for L4_Never and for points. */
L4_INLINE L4_Word64_t __L4_TimeUsec(L4_Time_t t)
{
	if (t.raw == 0 || (t.raw & __L4_TIME_POINT))
		return ~0UL;
	return ((L4_Word64_t)t.raw & 0x3ff) << ((t.raw >> 10) & 0x1f);
}

/* The point in time `at`, seen from the clock value `now`. It is rounded up to 2^e microseconds with the
 * smallest e (0..15) that reaches it. A point already passed gives L4_ZeroTime, one too far away to be
 * expressed (33 s and more) L4_Never. Programs use L4_TimePoint (l4/schedule.h). */
L4_INLINE L4_Time_t __L4_TimePointFrom(L4_Clock_t now, L4_Clock_t at)
{
	L4_Word_t e;

	if (at.raw <= now.raw)
		return L4_ZeroTime;
	for (e = 0; e <= 15; e++) {
		L4_Word64_t t = (at.raw + (1UL << e) - 1) >> e;

		if ((t >> 10) - (now.raw >> (e + 10)) <= 1)
			return __L4_Time(__L4_TIME_POINT | (e << 11) | (t & 0x7ff));
	}
	return L4_Never;
}

/* Sums and differences of periods, in the precision of periods; a negative difference is L4_ZeroTime.
 * L4_Never plus or minus anything is L4_Never. */
L4_INLINE L4_Time_t L4_TimeAdd(L4_Time_t l, L4_Word64_t microseconds)
{
	L4_Word64_t us = __L4_TimeUsec(l);

	return us == ~0UL ? l : L4_TimePeriod(us + microseconds);
}

L4_INLINE L4_Time_t L4_TimeAddTo(L4_Time_t *l, L4_Word64_t microseconds)
{
	return *l = L4_TimeAdd(*l, microseconds);
}

L4_INLINE L4_Time_t L4_TimeSub(L4_Time_t l, L4_Word64_t microseconds)
{
	L4_Word64_t us = __L4_TimeUsec(l);

	if (us == ~0UL)
		return l;
	return L4_TimePeriod(us > microseconds ? us - microseconds : 0);
}

L4_INLINE L4_Time_t L4_TimeSubFrom(L4_Time_t *l, L4_Word64_t microseconds)
{
	return *l = L4_TimeSub(*l, microseconds);
}

/* Comparisons of periods; L4_Never is longer than any other. */
L4_INLINE L4_Bool_t L4_IsTimeLonger(L4_Time_t l, L4_Time_t r)
{
	return __L4_TimeUsec(l) > __L4_TimeUsec(r);
}

L4_INLINE L4_Bool_t L4_IsTimeShorter(L4_Time_t l, L4_Time_t r)
{
	return __L4_TimeUsec(l) < __L4_TimeUsec(r);
}

L4_INLINE L4_Bool_t L4_IsTimeEqual(L4_Time_t l, L4_Time_t r)
{
	return __L4_TimeUsec(l) == __L4_TimeUsec(r);
}

L4_INLINE L4_Bool_t L4_IsTimeNotEqual(L4_Time_t l, L4_Time_t r)
{
	return __L4_TimeUsec(l) != __L4_TimeUsec(r);
}

/* ---- C++ operators ----------------------------------------------------------------------------------- */
#ifdef __cplusplus

static inline L4_Fpage_t operator+(const L4_Fpage_t &f, L4_Word_t rwx) { return L4_FpageAddRights(f, rwx); }
static inline L4_Fpage_t operator+=(L4_Fpage_t &f, L4_Word_t rwx) { return L4_FpageAddRightsTo(&f, rwx); }
static inline L4_Fpage_t operator-(const L4_Fpage_t &f, L4_Word_t rwx) { return L4_FpageRemoveRights(f, rwx); }
static inline L4_Fpage_t operator-=(L4_Fpage_t &f, L4_Word_t rwx) { return L4_FpageRemoveRightsFrom(&f, rwx); }

static inline L4_Bool_t operator==(const L4_ThreadId_t &l, const L4_ThreadId_t &r) { return l.raw == r.raw; }
static inline L4_Bool_t operator!=(const L4_ThreadId_t &l, const L4_ThreadId_t &r) { return l.raw != r.raw; }

static inline L4_Clock_t operator+(const L4_Clock_t &l, const int r) { return L4_ClockAddUsec(l, (L4_Word64_t)r); }
static inline L4_Clock_t operator+(const L4_Clock_t &l, const L4_Word64_t r) { return L4_ClockAddUsec(l, r); }
static inline L4_Clock_t operator+(const L4_Clock_t &l, const L4_Clock_t r) { return L4_ClockAddUsec(l, r.raw); }
static inline L4_Clock_t operator-(const L4_Clock_t &l, const int r) { return L4_ClockSubUsec(l, (L4_Word64_t)r); }
static inline L4_Clock_t operator-(const L4_Clock_t &l, const L4_Word64_t r) { return L4_ClockSubUsec(l, r); }
static inline L4_Clock_t operator-(const L4_Clock_t &l, const L4_Clock_t r) { return L4_ClockSubUsec(l, r.raw); }
static inline L4_Bool_t operator<(const L4_Clock_t &l, const L4_Clock_t &r) { return l.raw < r.raw; }
static inline L4_Bool_t operator>(const L4_Clock_t &l, const L4_Clock_t &r) { return l.raw > r.raw; }
static inline L4_Bool_t operator<=(const L4_Clock_t &l, const L4_Clock_t &r) { return l.raw <= r.raw; }
static inline L4_Bool_t operator>=(const L4_Clock_t &l, const L4_Clock_t &r) { return l.raw >= r.raw; }
static inline L4_Bool_t operator==(const L4_Clock_t &l, const L4_Clock_t &r) { return l.raw == r.raw; }
static inline L4_Bool_t operator!=(const L4_Clock_t &l, const L4_Clock_t &r) { return l.raw != r.raw; }

static inline L4_Time_t operator+(const L4_Time_t &l, const L4_Word_t r) { return L4_TimeAdd(l, r); }
static inline L4_Time_t operator+=(L4_Time_t &l, const L4_Word_t r) { return L4_TimeAddTo(&l, r); }
static inline L4_Time_t operator-(const L4_Time_t &l, const L4_Word_t r) { return L4_TimeSub(l, r); }
static inline L4_Time_t operator-=(L4_Time_t &l, const L4_Word_t r) { return L4_TimeSubFrom(&l, r); }
static inline L4_Bool_t operator<(const L4_Time_t &l, const L4_Time_t &r) { return L4_IsTimeShorter(l, r); }
static inline L4_Bool_t operator>(const L4_Time_t &l, const L4_Time_t &r) { return L4_IsTimeLonger(l, r); }
static inline L4_Bool_t operator<=(const L4_Time_t &l, const L4_Time_t &r) { return !L4_IsTimeLonger(l, r); }
static inline L4_Bool_t operator>=(const L4_Time_t &l, const L4_Time_t &r) { return !L4_IsTimeShorter(l, r); }
static inline L4_Bool_t operator==(const L4_Time_t &l, const L4_Time_t &r) { return L4_IsTimeEqual(l, r); }
static inline L4_Bool_t operator!=(const L4_Time_t &l, const L4_Time_t &r) { return L4_IsTimeNotEqual(l, r); }

#endif
#endif
