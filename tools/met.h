/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MET_H
#define MET_H

#include <jansson.h>

/**
 * met_read() - the rules of nf_tables that the packet of a question met
 * @answer: to the question, which was marked to be traced behind nft_open()
 *
 * The kernel tells of them before it answers, so they are all there. A traced packet of
 * another sender, with the same addresses, ports and length, is not told from the question.
 *
 * Return: an array of what rulemet_json() makes of each, in the order of the packet's way;
 * NULL if the kernel could not tell them all.
 */
json_t *met_read(const json_t *answer);

#endif /* MET_H */
