/* SPDX-License-Identifier: BSD-2-Clause
 * Only for xxhash.h in a freestanding build.
 */
#ifndef STORE_FREESTANDING_LIMITS_H
#define STORE_FREESTANDING_LIMITS_H
#define CHAR_BIT        8
#define INT_MAX         __INT_MAX__
#define UINT_MAX        (__INT_MAX__ * 2u + 1u)
#define LONG_MAX        __LONG_MAX__
#define ULONG_MAX       (__LONG_MAX__ * 2ul + 1ul)
#define LLONG_MAX       __LONG_LONG_MAX__
#define ULLONG_MAX      (__LONG_LONG_MAX__ * 2ull + 1ull)
#endif
