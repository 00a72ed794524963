/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_XFRM_H
#define _LT_XFRM_H

struct lt_new;

unsigned int lt_xfrm_again(const struct lt_new *new);

#endif /* _LT_XFRM_H */
