/* SPDX-License-Identifier: BSD-2-Clause
 * See object.h.
 */
#include "kernel/object.h"
#include "kernel/arch.h"
#include "kernel/space.h"
#include <l4/framecontrol.h>

static const char *validate_frame(const struct tcb *tcb)
{
	const struct regs *f = &tcb->frame;

	if (f->cs != 0x23 || f->ss != 0x1b)
		return "selectors";
	/* User code may have left anything in rsp, and have jumped anywhere: iretq's fault is the user's (entry.asm). Only
	 * sysret trusts its address. */
	if (tcb->resume == RESUME_IPC && f->rip >= USER_END)
		return "return address of an IPC";
	if ((f->rflags | RFLAGS_SAVED_BITS | RFLAGS_ALWAYS) != (RFLAGS_SAVED_BITS | RFLAGS_ALWAYS) ||
	    (f->rflags & RFLAGS_ALWAYS) != RFLAGS_ALWAYS)
		return "flags";
	return NULL;
}

const char *object_validate_tcb(const struct tcb *tcb, u32 number)
{
	const struct object_header *h = &tcb->header;

	if (h->magic != OBJECT_MAGIC || h->type != L4_OBJ_TCB || h->number != number)
		return "header";
	if (h->version != OBJECT_VERSION)
		return "format version";
	if (tcb->myself >> 32 != number)
		return "identity";
	if (tcb->resume >= RESUME_COUNT || tcb->fpu_used > 1)
		return "resume kind";
	if (tcb->utcb_mr && (tcb->utcb_mr >= USER_END || (tcb->utcb_mr & PAGE_MASK) != 512))
		return "UTCB address";
	if (tcb->outer_state >= TS_COUNT || (tcb->outer_kind & IPC_KIND_MASK) >= IPC_KIND_COUNT ||
	    tcb->outer_kind & IPC_NESTED)
		return "outer IPC";
	if (tcb->unmap_index > 63 || tcb->unmap_status > 7)
		return "progress";
	if (tcb->fpu_used && !fpu_area_valid(tcb->fpu))
		return "FPU state";
	return validate_frame(tcb);
}

const char *object_validate_entry(const struct tte *e)
{
	if (!(e->flags & TTE_EXISTS))
		return NULL;
	if (e->flags & (u8)~(TTE_EXISTS | TTE_ACTIVE | TTE_HALTED | TTE_STOPPED | TTE_PLACED))
		return "flags";
	if (e->state >= TS_COUNT || (e->kind & IPC_KIND_MASK) >= IPC_KIND_COUNT || e->pending >= PEND_COUNT)
		return "state";
	if (e->space < L4_FIRST_SPACE || e->space >= L4_MAX_SPACES || e->slot >= SPACE_SLOTS)
		return "address space";
	if (!(e->version & 0x3f))
		return "version";
	if (!(e->flags & TTE_ACTIVE) && e->state != TS_READY)
		return "an inactive thread in an IPC";
	return NULL;
}
