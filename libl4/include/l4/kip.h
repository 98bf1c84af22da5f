/* SPDX-License-Identifier: BSD-2-Clause
 * The kernel interface page (X.2 1.1 to 1.3) and accessors for its fields. The functions take the page's
 * address, as L4_GetKernelInterface returns it; it never changes for an address space.
 *
 * What it says about memory describes the root task's store, and stays the same when the system is
 * recovered from a checkpoint. Boot number, entropy and generation (our extension) change with every boot:
 * read them again whenever they matter, and keep no copy.
 */
#ifndef L4_KIP_H
#define L4_KIP_H

#include <l4/types.h>
#include <l4/amd64/syscalls.h>

typedef union {
	L4_Word_t raw;
	struct {
		L4_Word_t __padding : 16;
		L4_Word_t subid : 8;
		L4_Word_t id : 8;
		L4_Word_t __pad32 : 32;
	} x;
} L4_KernelId_t;

typedef union {
	L4_Word_t raw;
	struct {
		L4_Word_t __padding : 16;
		L4_Word_t subversion : 8;
		L4_Word_t version : 8;
		L4_Word_t __pad32 : 32;
	} x;
} L4_ApiVersion_t;

typedef union {
	L4_Word_t raw;
	struct {
		L4_Word_t ee : 2;
		L4_Word_t ww : 2;
		L4_Word_t __padding : 60;
	} x;
} L4_ApiFlags_t;

typedef struct {
	L4_Word_t n : 32;
	L4_Word_t MemDescPtr : 32;
} L4_MemoryInfo_t;

typedef struct {
	L4_Word_t low;
	L4_Word_t high;
} __L4_MemoryRange_t;

typedef struct {
	L4_Word_t		magic;
	L4_ApiVersion_t		ApiVersion;
	L4_ApiFlags_t		ApiFlags;
	L4_Word_t		KernelVerPtr;		/* offset of L4_KernelDesc_t */
	L4_Word_t		__padding10[17];
	L4_MemoryInfo_t		MemoryInfo;
	L4_Word_t		__padding58[2];
	__L4_MemoryRange_t	MainMem;
	__L4_MemoryRange_t	ReservedMem[2];
	__L4_MemoryRange_t	DedicatedMem[5];
	L4_Word_t		__paddingA0[2];
	union {
		L4_Word_t raw;
		struct {
			L4_Word_t m : 10;	/* UTCB size: m * 2^a bytes */
			L4_Word_t a : 6;	/* log2 of its alignment */
			L4_Word_t s : 6;	/* log2 of the smallest UTCB area */
			L4_Word_t __padding : 42;
		} X;
	} UtcbAreaInfo;
	union {
		L4_Word_t raw;
		struct {
			L4_Word_t s : 6;	/* log2 of the KIP area's size */
			L4_Word_t __padding : 58;
		} X;
	} KipAreaInfo;
	L4_Word_t		__paddingB0[2];
	L4_Word_t		BootInfo;
	L4_Word_t		ProcDescPtr;		/* offset of L4_ProcDesc_t */
	union {
		L4_Word_t raw;
		struct {
			L4_Word_t ReadPrecision : 16;		/* microseconds */
			L4_Word_t SchedulePrecision : 16;
			L4_Word_t __pad32 : 32;
		} X;
	} ClockInfo;
	union {
		L4_Word_t raw;
		struct {
			L4_Word_t t : 8;		/* bits of a thread number */
			L4_Word_t SystemBase : 12;
			L4_Word_t UserBase : 12;
			L4_Word_t __pad32 : 32;
		} X;
	} ThreadInfo;
	union {
		L4_Word_t raw;
		struct {
			L4_Word_t rwx : 3;
			L4_Word_t __padding : 7;
			L4_Word_t page_size_mask : 54;
		} X;
	} PageInfo;
	union {
		L4_Word_t raw;
		struct {
			L4_Word_t processors : 16;	/* less one */
			L4_Word_t __padding : 44;
			L4_Word_t s : 4;
		} X;
	} ProcessorInfo;
	L4_Word_t		SpaceControl;		/* addresses of the system calls' stubs */
	L4_Word_t		ThreadControl;
	L4_Word_t		ProcessorControl;
	L4_Word_t		MemoryControl;
	L4_Word_t		Ipc;
	L4_Word_t		Lipc;
	L4_Word_t		Unmap;
	L4_Word_t		ExchangeRegisters;
	L4_Word_t		SystemClock;
	L4_Word_t		ThreadSwitch;
	L4_Word_t		Schedule;
	L4_Word_t		BootNumber;		/* extension; the padding words X.2 reserves */
	L4_Word_t		Entropy;
	L4_Word_t		Generation;
	L4_Word_t		__padding110[2];
	L4_Word_t		ArchSyscall0;		/* FrameControl */
	L4_Word_t		ArchSyscall1;		/* ThreadInfo */
	L4_Word_t		ArchSyscall2;
	L4_Word_t		ArchSyscall3;
} L4_KernelInterfacePage_t;

/* Checked in C; C++ sees the same struct, and old dialects of it have no assertions. */
#ifndef __cplusplus
#define __L4_KIP_ASSERT(field, offset) \
	_Static_assert(__builtin_offsetof(L4_KernelInterfacePage_t, field) == (offset), "KIP layout: " #field)
__L4_KIP_ASSERT(MemoryInfo, L4_KIP_MEMORY_INFO);
__L4_KIP_ASSERT(UtcbAreaInfo, L4_KIP_UTCB_INFO);
__L4_KIP_ASSERT(ThreadInfo, L4_KIP_THREAD_INFO);
__L4_KIP_ASSERT(SpaceControl, L4_KIP_SYSCALLS);
__L4_KIP_ASSERT(Schedule, L4_KIP_SYSCALLS + 8 * L4_SYS_SCHEDULE);
__L4_KIP_ASSERT(BootNumber, L4_KIP_BOOT_NUMBER);
__L4_KIP_ASSERT(Entropy, L4_KIP_ENTROPY);
__L4_KIP_ASSERT(Generation, L4_KIP_GENERATION);
__L4_KIP_ASSERT(ArchSyscall0, L4_KIP_ARCH_SYSCALLS);
#endif

typedef union {
	L4_Word_t raw[4];
	struct {
		L4_Word_t ExternalFreq;		/* kHz */
		L4_Word_t InternalFreq;
		L4_Word_t __padding[2];
	} X;
} L4_ProcDesc_t;

typedef struct {
	L4_KernelId_t KernelId;
	union {
		L4_Word_t raw;
		struct {
			L4_Word_t day : 5;
			L4_Word_t month : 4;
			L4_Word_t year : 7;	/* since 2000 */
			L4_Word_t __padding : 48;
		} X;
	} KernelGenDate;
	union {
		L4_Word_t raw;
		struct {
			L4_Word_t subsubver : 16;
			L4_Word_t subver : 8;
			L4_Word_t ver : 8;
			L4_Word_t __pad32 : 32;
		} X;
	} KernelVer;
	L4_Word_t Supplier;
	char	  VersionString[];	/* then feature strings, then an empty one */
} L4_KernelDesc_t;

#define L4_MAGIC		L4_KIP_MAGIC

#define L4_APIVERSION_2		0x02
#define L4_APIVERSION_4		0x04
#define L4_APIVERSION_X0	0x83
#define L4_APISUBVERSION_X0	0x80
#define L4_APIVERSION_X1	0x83
#define L4_APISUBVERSION_X1	0x81
#define L4_APIVERSION_X2	0x84

#define L4_APIFLAG_LE		0x00
#define L4_APIFLAG_BE		0x01
#define L4_APIFLAG_32BIT	0x00
#define L4_APIFLAG_64BIT	0x01

L4_INLINE void *L4_GetKernelInterface(void)
{
	L4_Word_t version, flags, id;

	return L4_KernelInterface(&version, &flags, &id);
}

L4_INLINE L4_Word_t L4_ApiVersion(void)
{
	L4_Word_t version, flags, id;

	(void)L4_KernelInterface(&version, &flags, &id);
	return version;
}

L4_INLINE L4_Word_t L4_ApiFlags(void)
{
	L4_Word_t version, flags, id;

	(void)L4_KernelInterface(&version, &flags, &id);
	return flags;
}

L4_INLINE L4_Word_t L4_KernelId(void)
{
	L4_Word_t version, flags, id;

	(void)L4_KernelInterface(&version, &flags, &id);
	return id;
}

L4_INLINE L4_KernelInterfacePage_t *__L4_Kip(void *KernelInterface)
{
	return (L4_KernelInterfacePage_t *)KernelInterface;
}

/* ---- Extensions ------------------------------------------------------------------------------------------ */

/* How often this disk was booted, this boot included: different in every boot, also in those after the
 * same checkpoint. */
L4_INLINE L4_Word_t L4_BootNumber(void *KernelInterface)
{
	return ((volatile L4_KernelInterfacePage_t *)__L4_Kip(KernelInterface))->BootNumber;
}

/* 64 random bits of this boot, the same for all who ask. */
L4_INLINE L4_Word_t L4_Entropy(void *KernelInterface)
{
	return ((volatile L4_KernelInterfacePage_t *)__L4_Kip(KernelInterface))->Entropy;
}

/* Generation of the checkpoint this boot was recovered from; 0: it began from nothing. */
L4_INLINE L4_Word_t L4_RecoveredGeneration(void *KernelInterface)
{
	return ((volatile L4_KernelInterfacePage_t *)__L4_Kip(KernelInterface))->Generation;
}

/* ---- Kernel description ------------------------------------------------------------------------------------ */

L4_INLINE L4_KernelDesc_t *__L4_KernelDesc(void *KernelInterface)
{
	return (L4_KernelDesc_t *)((char *)KernelInterface + __L4_Kip(KernelInterface)->KernelVerPtr);
}

L4_INLINE void L4_KernelGenDate(void *KernelInterface, L4_Word_t *year, L4_Word_t *month, L4_Word_t *day)
{
	L4_Word_t date = __L4_KernelDesc(KernelInterface)->KernelGenDate.raw;

	*year = ((date >> 9) & 0x7f) + 2000;
	*month = (date >> 5) & 0xf;
	*day = date & 0x1f;
}

L4_INLINE L4_Word_t L4_KernelVersion(void *KernelInterface)
{
	return __L4_KernelDesc(KernelInterface)->KernelVer.raw;
}

L4_INLINE L4_Word_t L4_KernelSupplier(void *KernelInterface)
{
	return __L4_KernelDesc(KernelInterface)->Supplier;
}

L4_INLINE char *L4_KernelVersionString(void *KernelInterface)
{
	return __L4_KernelDesc(KernelInterface)->VersionString;
}

/* The num-th feature string, counted from 0; NULL when there are no more. */
L4_INLINE char *L4_Feature(void *KernelInterface, L4_Word_t num)
{
	char *s = L4_KernelVersionString(KernelInterface);

	for (;;) {
		while (*s++)
			;
		if (*s == 0)
			return (char *)0;
		if (num-- == 0)
			return s;
	}
}

L4_INLINE L4_Bool_t L4_HasFeature(const char *feature_name)
{
	void *kip = L4_GetKernelInterface();
	const char *f, *n;
	L4_Word_t i;

	for (i = 0; (f = L4_Feature(kip, i)) != (const char *)0; i++) {
		for (n = feature_name; *n && *n == *f; n++)
			f++;
		if (*n == *f)
			return 1;
	}
	return 0;
}

/* ---- Machine ------------------------------------------------------------------------------------------------- */

L4_INLINE L4_Word_t L4_NumProcessors(void *KernelInterface)
{
	return (__L4_Kip(KernelInterface)->ProcessorInfo.raw & 0xffff) + 1;
}

/* A bit per supported page size: bit n set means 2^n bytes. */
L4_INLINE L4_Word_t L4_PageSizeMask(void *KernelInterface)
{
	return __L4_Kip(KernelInterface)->PageInfo.raw & ~0x3ffUL;
}

/* Access rights that can be set independently of each other. */
L4_INLINE L4_Word_t L4_PageRights(void *KernelInterface)
{
	return __L4_Kip(KernelInterface)->PageInfo.raw & 7;
}

L4_INLINE L4_Word_t L4_ThreadIdBits(void *KernelInterface)
{
	return __L4_Kip(KernelInterface)->ThreadInfo.raw & 0xff;
}

L4_INLINE L4_Word_t L4_ThreadIdSystemBase(void *KernelInterface)
{
	return (__L4_Kip(KernelInterface)->ThreadInfo.raw >> 8) & 0xfff;
}

L4_INLINE L4_Word_t L4_ThreadIdUserBase(void *KernelInterface)
{
	return (__L4_Kip(KernelInterface)->ThreadInfo.raw >> 20) & 0xfff;
}

/* Precisions of the clock, in microseconds. */
L4_INLINE L4_Word_t L4_ReadPrecision(void *KernelInterface)
{
	return __L4_Kip(KernelInterface)->ClockInfo.raw & 0xffff;
}

L4_INLINE L4_Word_t L4_SchedulePrecision(void *KernelInterface)
{
	return (__L4_Kip(KernelInterface)->ClockInfo.raw >> 16) & 0xffff;
}

/* Smallest size of a UTCB area. */
L4_INLINE L4_Word_t L4_UtcbAreaSizeLog2(void *KernelInterface)
{
	return (__L4_Kip(KernelInterface)->UtcbAreaInfo.raw >> 16) & 0x3f;
}

L4_INLINE L4_Word_t L4_UtcbAreaSize(void *KernelInterface)
{
	return 1UL << L4_UtcbAreaSizeLog2(KernelInterface);
}

L4_INLINE L4_Word_t L4_UtcbAlignmentLog2(void *KernelInterface)
{
	return (__L4_Kip(KernelInterface)->UtcbAreaInfo.raw >> 10) & 0x3f;
}

L4_INLINE L4_Word_t L4_UtcbSize(void *KernelInterface)
{
	return (__L4_Kip(KernelInterface)->UtcbAreaInfo.raw & 0x3ff) << L4_UtcbAlignmentLog2(KernelInterface);
}

L4_INLINE L4_Word_t L4_KipAreaSizeLog2(void *KernelInterface)
{
	return __L4_Kip(KernelInterface)->KipAreaInfo.raw & 0x3f;
}

L4_INLINE L4_Word_t L4_KipAreaSize(void *KernelInterface)
{
	return 1UL << L4_KipAreaSizeLog2(KernelInterface);
}

L4_INLINE L4_Word_t L4_BootInfo(void *KernelInterface)
{
	return __L4_Kip(KernelInterface)->BootInfo;
}

/* Description of processor cpu (from 0); NULL if there is none such. */
L4_INLINE L4_ProcDesc_t *L4_ProcDesc(void *KernelInterface, L4_Word_t cpu)
{
	L4_KernelInterfacePage_t *kip = __L4_Kip(KernelInterface);

	if (cpu >= L4_NumProcessors(KernelInterface))
		return (L4_ProcDesc_t *)0;
	return (L4_ProcDesc_t *)((char *)KernelInterface + kip->ProcDescPtr + (cpu << (kip->ProcessorInfo.raw >> 60)));
}

/* Frequencies in kHz. */
L4_INLINE L4_Word_t L4_ProcDescExternalFreq(L4_ProcDesc_t *p)
{
	return p->X.ExternalFreq;
}

L4_INLINE L4_Word_t L4_ProcDescInternalFreq(L4_ProcDesc_t *p)
{
	return p->X.InternalFreq;
}

/* ---- Memory descriptors: type bits 0..3, subtype 4..7, virtual bit 9, bounds 10..63 ------------------------ */

typedef union {
	L4_Word_t raw[2];
	struct {
		L4_Word_t type : 4;
		L4_Word_t t : 4;
		L4_Word_t __padding1 : 1;
		L4_Word_t v : 1;
		L4_Word_t low : 54;
		L4_Word_t __padding2 : 10;
		L4_Word_t high : 54;
	} x;
} L4_MemoryDesc_t;

#define L4_UndefinedMemoryType			0x0
#define L4_ConventionalMemoryType		0x1
#define L4_ReservedMemoryType			0x2
#define L4_DedicatedMemoryType			0x3
#define L4_SharedMemoryType			0x4
#define L4_BootLoaderSpecificMemoryType		0xe
#define L4_ArchitectureSpecificMemoryType	0xf

L4_INLINE L4_Word_t L4_NumMemoryDescriptors(void *KernelInterface)
{
	return __L4_Kip(KernelInterface)->MemoryInfo.n;
}

/* The num-th descriptor, from 0; NULL when there are no more. A later one overrides an earlier one. */
L4_INLINE L4_MemoryDesc_t *L4_MemoryDesc(void *KernelInterface, L4_Word_t num)
{
	L4_MemoryInfo_t info = __L4_Kip(KernelInterface)->MemoryInfo;

	if (num >= info.n)
		return (L4_MemoryDesc_t *)0;
	return (L4_MemoryDesc_t *)((char *)KernelInterface + info.MemDescPtr) + num;
}

L4_INLINE L4_Bool_t L4_IsMemoryDescVirtual(L4_MemoryDesc_t *m)
{
	return (m->raw[0] >> 9) & 1;
}

/* The type; for the two types that have subtypes with the subtype in bits 4..7. */
L4_INLINE L4_Word_t L4_MemoryDescType(L4_MemoryDesc_t *m)
{
	L4_Word_t type = m->raw[0] & 0xf;

	return type >= L4_BootLoaderSpecificMemoryType ? m->raw[0] & 0xff : type;
}

L4_INLINE L4_Word_t L4_MemoryDescLow(L4_MemoryDesc_t *m)
{
	return m->raw[0] & ~0x3ffUL;
}

/* Last byte. */
L4_INLINE L4_Word_t L4_MemoryDescHigh(L4_MemoryDesc_t *m)
{
	return m->raw[1] | 0x3ffUL;
}

#ifdef __cplusplus

L4_INLINE void *L4_KernelInterface(void) { return L4_GetKernelInterface(); }
L4_INLINE L4_Bool_t L4_IsVirtual(L4_MemoryDesc_t *m) { return L4_IsMemoryDescVirtual(m); }
L4_INLINE L4_Word_t L4_Type(L4_MemoryDesc_t *m) { return L4_MemoryDescType(m); }
L4_INLINE L4_Word_t L4_Low(L4_MemoryDesc_t *m) { return L4_MemoryDescLow(m); }
L4_INLINE L4_Word_t L4_High(L4_MemoryDesc_t *m) { return L4_MemoryDescHigh(m); }
L4_INLINE L4_Word_t L4_ExternalFreq(L4_ProcDesc_t *p) { return L4_ProcDescExternalFreq(p); }
L4_INLINE L4_Word_t L4_InternalFreq(L4_ProcDesc_t *p) { return L4_ProcDescInternalFreq(p); }

#endif
#endif
