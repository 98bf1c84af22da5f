/* SPDX-License-Identifier: BSD-2-Clause
 * Debug builds: kernel object pages that are stale are read-only in the kernel's direct map, so that a write
 * which no check phase allowed ends in a panic that names it, and not in a checkpoint. Nothing in release builds.
 */
#ifndef KERNEL_GUARD_H
#define KERNEL_GUARD_H

#include "kernel/types.h"

#if DEBUG
/* The object page was attached, or its frame's tag has changed. */
void guard_object(const void *page);
/* The page is no kernel object any more. */
void guard_release(const void *page);
/* The epoch has advanced: every object of every thread and space is stale. */
void guard_all(void);
/* The frame has become writable; it may or may not hold an object. */
void guard_writable(pfn_t pfn);
#else
static inline void guard_object(const void *page) { (void)page; }
static inline void guard_release(const void *page) { (void)page; }
static inline void guard_all(void) { }
static inline void guard_writable(pfn_t pfn) { (void)pfn; }
#endif

#endif
