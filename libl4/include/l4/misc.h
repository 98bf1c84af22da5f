/* SPDX-License-Identifier: BSD-2-Clause
 * Memory attributes (X.2 4.4). Privileged; result and errors as L4_MemoryControl.
 */
#ifndef L4_MISC_H
#define L4_MISC_H

#include <l4/types.h>
#include <l4/amd64/syscalls.h>

#define L4_DefaultMemory	0

/* Gives all pages of f one attribute. */
L4_INLINE L4_Word_t L4_Set_PageAttribute(L4_Fpage_t f, L4_Word_t attribute)
{
	L4_Word_t attributes[4] = { attribute, 0, 0, 0 };

	(void)L4_Set_Rights(&f, 0);
	L4_LoadMR(0, f.raw);
	return L4_MemoryControl(0, attributes);
}

/* Gives each of n fpages (1..64) the attribute of the four that its rights field (0..3) selects. */
L4_INLINE L4_Word_t L4_Set_PageAttributes(L4_Word_t n, L4_Fpage_t *f, const L4_Word_t *attributes)
{
	L4_Word_t i;

	for (i = 0; i < n; i++)
		L4_LoadMR((int)i, f[i].raw);
	return L4_MemoryControl(n - 1, attributes);
}

#endif
