/* SPDX-License-Identifier: BSD-2-Clause
 * PCI configuration access. Small firmwares (qboot) leave BARs unassigned, so pci_bar() assigns them
 * from a window below the I/O APIC that no PC chipset uses for RAM.
 */
#include "pci.h"

#include <linux/pci_regs.h>
#include <l4/bootinfo.h>

#include "io.h"

#define PCI_ADDR_PORT   0xcf8
#define PCI_DATA_PORT   0xcfc
#define BAR_WINDOW      0xf0000000u
#define BAR_WINDOW_END  0xfe000000u
#define MAX_CAPS        48              /* a loop in a broken list ends here */

/* Kernel interrupt n (16..47) is MSI address/data as follows. */
#define MSI_ADDRESS     0xfee00000u
#define MSI_DATA(irq)   (0x50u + (irq) - 16u)

static uint32_t bar_next = BAR_WINDOW;

static void select_reg(struct pci_dev d, unsigned reg)
{
	io_out32(PCI_ADDR_PORT, 0x80000000u | (uint32_t)d.bus << 16 | (uint32_t)d.dev << 11 |
		 (uint32_t)d.fn << 8 | (reg & 0xfcu));
}

uint32_t pci_read32(struct pci_dev d, unsigned reg)
{
	select_reg(d, reg);
	return io_in32(PCI_DATA_PORT);
}

uint16_t pci_read16(struct pci_dev d, unsigned reg)
{
	return (uint16_t)(pci_read32(d, reg) >> (reg & 2) * 8);
}

uint8_t pci_read8(struct pci_dev d, unsigned reg)
{
	return (uint8_t)(pci_read32(d, reg) >> (reg & 3) * 8);
}

void pci_write32(struct pci_dev d, unsigned reg, uint32_t v)
{
	select_reg(d, reg);
	io_out32(PCI_DATA_PORT, v);
}

void pci_write16(struct pci_dev d, unsigned reg, uint16_t v)
{
	unsigned shift = (reg & 2) * 8;
	uint32_t old = pci_read32(d, reg);

	/* The other half of the command register is status, whose bits are cleared by writing 1. */
	if ((reg & ~3u) == PCI_COMMAND)
		old &= 0xffff;
	pci_write32(d, reg, (old & ~(0xffffu << shift)) | (uint32_t)v << shift);
}

static bool find_on_bus(unsigned bus, unsigned depth, bool (*match)(struct pci_dev d),
			struct pci_dev *found)
{
	for (unsigned i = 0; i < 256; i++) {
		struct pci_dev d = { (uint8_t)bus, (uint8_t)(i >> 3), (uint8_t)(i & 7) };
		unsigned header, sub;

		if (pci_read16(d, PCI_VENDOR_ID) == 0xffff) {
			i |= d.fn ? 0 : 7;      /* no function 0: no device */
			continue;
		}
		if (match(d)) {
			*found = d;
			return true;
		}
		header = pci_read8(d, PCI_HEADER_TYPE);
		sub = pci_read8(d, PCI_SECONDARY_BUS);
		if ((header & 0x7f) == PCI_HEADER_TYPE_BRIDGE && sub > bus && depth < 8 &&
		    find_on_bus(sub, depth + 1, match, found))
			return true;
		if (!d.fn && !(header & 0x80))
			i |= 7;
	}
	return false;
}

bool pci_find(bool (*match)(struct pci_dev d), struct pci_dev *found)
{
	return find_on_bus(0, 0, match, found);
}

unsigned pci_find_cap(struct pci_dev d, unsigned id, unsigned after)
{
	unsigned pos;

	if (!(pci_read16(d, PCI_STATUS) & PCI_STATUS_CAP_LIST))
		return 0;
	pos = pci_read8(d, after ? after + PCI_CAP_LIST_NEXT : PCI_CAPABILITY_LIST) & ~3u;
	for (unsigned n = 0; pos >= 0x40 && n < MAX_CAPS; n++) {
		if (pci_read8(d, pos + PCI_CAP_LIST_ID) == id)
			return pos;
		pos = pci_read8(d, pos + PCI_CAP_LIST_NEXT) & ~3u;
	}
	return 0;
}

/* Finds the size by writing ones; the device does not decode meanwhile. */
static uint32_t bar_assign(struct pci_dev d, unsigned reg)
{
	uint16_t cmd = pci_read16(d, PCI_COMMAND);
	uint32_t mask, size, base;

	pci_write16(d, PCI_COMMAND, cmd & (uint16_t)~PCI_COMMAND_MEMORY);
	pci_write32(d, reg, 0xffffffffu);
	mask = pci_read32(d, reg) & ~0xfu;
	size = ~mask + 1;
	if (size < 4096)
		size = 4096;
	base = (bar_next + size - 1) & ~(size - 1);
	if (!mask || base < bar_next || base > BAR_WINDOW_END - size)
		base = 0;
	else
		bar_next = base + size;
	pci_write32(d, reg, base);
	pci_write16(d, PCI_COMMAND, cmd);
	return base;
}

uint64_t pci_bar(struct pci_dev d, unsigned n)
{
	unsigned reg = PCI_BASE_ADDRESS_0 + 4 * n;
	uint32_t low;
	uint64_t base;
	bool wide;

	if (n > 5)
		return 0;
	low = pci_read32(d, reg);
	if (low & PCI_BASE_ADDRESS_SPACE_IO)
		return 0;
	wide = (low & PCI_BASE_ADDRESS_MEM_TYPE_MASK) == PCI_BASE_ADDRESS_MEM_TYPE_64 && n < 5;
	base = low & ~0xfu;
	if (wide)
		base |= (uint64_t)pci_read32(d, reg + 4) << 32;
	return base ? base : bar_assign(d, reg);
}

bool pci_msix_enable(struct pci_dev d, unsigned entry, unsigned irq)
{
	unsigned cap = pci_find_cap(d, PCI_CAP_ID_MSIX, 0);
	uint16_t flags;
	uint32_t table;
	uint64_t bar;
	uintptr_t e;

	if (!cap)
		return false;
	flags = pci_read16(d, cap + PCI_MSIX_FLAGS);
	table = pci_read32(d, cap + PCI_MSIX_TABLE);
	bar = pci_bar(d, table & PCI_MSIX_TABLE_BIR);
	if (entry > (flags & PCI_MSIX_FLAGS_QSIZE) || !bar)
		return false;
	e = SIGMA0_PHYS_BASE + bar + (table & PCI_MSIX_TABLE_OFFSET) + entry * PCI_MSIX_ENTRY_SIZE;
	pci_write16(d, cap + PCI_MSIX_FLAGS, flags | PCI_MSIX_FLAGS_ENABLE);
	mmio_write32(e + PCI_MSIX_ENTRY_LOWER_ADDR, MSI_ADDRESS);
	mmio_write32(e + PCI_MSIX_ENTRY_UPPER_ADDR, 0);
	mmio_write32(e + PCI_MSIX_ENTRY_DATA, MSI_DATA(irq));
	mmio_write32(e + PCI_MSIX_ENTRY_VECTOR_CTRL, 0);
	return true;
}

void pci_enable(struct pci_dev d)
{
	uint16_t cmd = pci_read16(d, PCI_COMMAND);

	pci_write16(d, PCI_COMMAND, cmd | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
		    PCI_COMMAND_INTX_DISABLE);
}
