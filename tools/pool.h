/* SPDX-License-Identifier: GPL-2.0 */
#ifndef POOL_H
#define POOL_H

/* Have JSON's objects allocated here, from the first one on. */
void pool_init(void);

#endif /* POOL_H */
