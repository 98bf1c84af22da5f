/* SPDX-License-Identifier: BSD-2-Clause
 * perdurectl: looks into, checks, moves and turns back Perdure's checkpoint partitions, with the store's own code. See
 * commands.c, and perdurectl.1, which is the manual.
 */
#include "tool.h"

int main(int argc, char **argv)
{
	return tool_main(argc, argv);
}
