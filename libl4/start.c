/* SPDX-License-Identifier: BSD-2-Clause
 * From the entry point (crt0.asm) to main, and to l4_exit. Programs in C++ get their static objects built. In a task the
 * root task becomes the exception handler of the first thread.
 */
#include <l4/start.h>
#include <l4/thread.h>

int main(int argc, char **argv);

/* argument: rdi at the entry. block: address of argc, to be read only if argument is 0. */
void __l4_start(unsigned long argument, unsigned long *block) __attribute__((noreturn));

/* Bounds of the initialisation functions, from the linker; both 0 if there are none. */
extern void (*__init_array_start[])(void) __attribute__((weak, visibility("hidden")));
extern void (*__init_array_end[])(void) __attribute__((weak, visibility("hidden")));

unsigned long l4_start_argument;

void __l4_start(unsigned long argument, unsigned long *block)
{
	static unsigned long empty_block[2];
	void (**init)(void);

	__L4_Init();
	l4_start_argument = argument;
	if (argument)
		block = empty_block;
	if (L4_ThreadNo(L4_Myself()) > L4_ROOT_TNO)
		L4_Set_ExceptionHandler(L4_GlobalId(L4_ROOT_TNO, 1));   /* a task: l4/task.h */
	for (init = __init_array_start; init != __init_array_end; init++)
		(*init)();
	l4_exit(main((int)block[0], (char **)(block + 1)));
}
