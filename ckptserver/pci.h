/* SPDX-License-Identifier: BSD-2-Clause
 * PCI configuration space by ports 0xcf8/0xcfc: what a disk driver needs of it.
 * None of these block; all work before and after recovery.
 */
#ifndef CKPT_PCI_H
#define CKPT_PCI_H

#include <stdbool.h>
#include <stdint.h>

struct pci_dev {
	uint8_t bus, dev, fn;
};

uint32_t pci_read32(struct pci_dev d, unsigned reg);
uint16_t pci_read16(struct pci_dev d, unsigned reg);
uint8_t pci_read8(struct pci_dev d, unsigned reg);
void pci_write32(struct pci_dev d, unsigned reg, uint32_t v);
void pci_write16(struct pci_dev d, unsigned reg, uint16_t v);

/* Calls match for every function present, buses behind bridges included, until it returns true.
 * Returns whether it did; *found is then that function. */
bool pci_find(bool (*match)(struct pci_dev d), struct pci_dev *found);

/* The next capability with this id after configuration register `after` (0: the first); 0: none. */
unsigned pci_find_cap(struct pci_dev d, unsigned id, unsigned after);

/* Physical address of memory BAR n (0..5), assigning one if the firmware left that out; 0 if it is
 * no memory BAR. */
uint64_t pci_bar(struct pci_dev d, unsigned n);

/* Sends MSI-X entry `entry` of the device to kernel interrupt irq (16..47) and enables MSI-X.
 * False: the device has no such entry. */
bool pci_msix_enable(struct pci_dev d, unsigned entry, unsigned irq);

/* Memory decoding and bus mastering on, INTx off. */
void pci_enable(struct pci_dev d);

#endif
