/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_API_PKTTRACE_H
#define _LT_API_PKTTRACE_H

int lt_pkttrace_init(void);
void lt_pkttrace_exit(void);

#endif /* _LT_API_PKTTRACE_H */
