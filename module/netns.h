/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_NETNS_H
#define _LT_NETNS_H

#include <uapi/linux/nf_looptrack.h>

enum nf_looptrack_netns lt_netns_default(void);

int lt_netns_init(void);
void lt_netns_exit(void);

#endif /* _LT_NETNS_H */
