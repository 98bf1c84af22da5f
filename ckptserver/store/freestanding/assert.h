/* SPDX-License-Identifier: BSD-2-Clause
 * Only for xxhash.h in a freestanding build.
 */
#define assert(condition) ((void)0)
#undef static_assert
#define static_assert _Static_assert
