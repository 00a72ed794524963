/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MARKS_H
#define MARKS_H

#include <stdint.h>

/**
 * marks_warn() - look for rules that a mark bit of passmark would make miss
 * @value: bits that passmark sets
 * @mask: bits that it changes
 *
 * Reads the rules of this namespace by iptables-save, ip6tables-save, their legacy
 * variants and nft, as far as they are installed, and names up to five rules on
 * standard error. It says so if no rules could be read.
 */
void marks_warn(uint32_t value, uint32_t mask);

#endif /* MARKS_H */
