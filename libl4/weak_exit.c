/* SPDX-License-Identifier: BSD-2-Clause
 * What ends a program that has nobody to tell, such as a root task. Its file name puts it last in the library's archive:
 * the linker takes the first l4_exit it finds, and the one of the task protocol comes before.
 */
#include <l4/start.h>
#include <l4/ipc.h>

__attribute__((weak)) void l4_exit(int status)
{
	(void)status;
	for (;;)
		L4_Sleep(L4_Never);
}
