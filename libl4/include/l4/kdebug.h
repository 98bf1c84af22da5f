/* SPDX-License-Identifier: BSD-2-Clause
 * Kernel debug services (not part of X.2 proper; names as other X.2 kernels have them).
 */
#ifndef L4_KDEBUG_H
#define L4_KDEBUG_H

#include <l4/types.h>
#include <l4/amd64/kdebug.h>

#define enter_kdebug(x)		L4_KDB_Enter(x)
#define kd_inchar()		L4_KDB_ReadChar_Blocked()

#endif
