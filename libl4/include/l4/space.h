/* SPDX-License-Identifier: BSD-2-Clause
 * Taking mappings back (X.2 4.2). An fpage's rights bits say which rights to remove; afterwards they
 * say which accesses have happened. These functions use the message registers and never block on another
 * thread; a large area takes a while, in pieces.
 */
#ifndef L4_SPACE_H
#define L4_SPACE_H

#include <l4/types.h>
#include <l4/amd64/syscalls.h>

#define __L4_UNMAP_FLUSH	0x40UL

L4_INLINE void __L4_UnmapMany(L4_Word_t n, L4_Fpage_t *fpages, L4_Word_t flush)
{
	L4_Word_t i;

	for (i = 0; i < n; i++)
		L4_LoadMR((int)i, fpages[i].raw);
	L4_Unmap((n - 1) | flush);
	for (i = 0; i < n; i++)
		L4_StoreMR((int)i, &fpages[i].raw);
}

/* Removes rights from everything that others got, directly or not, from the caller's pages in f. */
L4_INLINE L4_Fpage_t L4_UnmapFpage(L4_Fpage_t f)
{
	__L4_UnmapMany(1, &f, 0);
	return f;
}

/* n: 1..64. */
L4_INLINE void L4_UnmapFpages(L4_Word_t n, L4_Fpage_t *fpages)
{
	__L4_UnmapMany(n, fpages, 0);
}

/* As Unmap, and from the caller's own space as well. */
L4_INLINE L4_Fpage_t L4_Flush(L4_Fpage_t f)
{
	__L4_UnmapMany(1, &f, __L4_UNMAP_FLUSH);
	return f;
}

L4_INLINE void L4_FlushFpages(L4_Word_t n, L4_Fpage_t *fpages)
{
	__L4_UnmapMany(n, fpages, __L4_UNMAP_FLUSH);
}

/* Which accesses happened to f since this was last asked; removes nothing. */
L4_INLINE L4_Fpage_t L4_GetStatus(L4_Fpage_t f)
{
	f.raw &= ~0xfUL;
	__L4_UnmapMany(1, &f, 0);
	return f;
}

L4_INLINE L4_Bool_t L4_WasWritten(L4_Fpage_t f)
{
	return (f.raw & L4_Writable) != 0;
}

L4_INLINE L4_Bool_t L4_WasReferenced(L4_Fpage_t f)
{
	return (f.raw & L4_Readable) != 0;
}

L4_INLINE L4_Bool_t L4_WaseXecuted(L4_Fpage_t f)
{
	return (f.raw & L4_eXecutable) != 0;
}

#ifdef __cplusplus

L4_INLINE L4_Fpage_t L4_Unmap(L4_Fpage_t f) { return L4_UnmapFpage(f); }
L4_INLINE void L4_Unmap(L4_Word_t n, L4_Fpage_t *fpages) { L4_UnmapFpages(n, fpages); }
L4_INLINE void L4_Flush(L4_Word_t n, L4_Fpage_t *fpages) { L4_FlushFpages(n, fpages); }

#endif
#endif
