/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_TRACEPOINT_H
#define _LT_TRACEPOINT_H

struct tracepoint;

struct tracepoint *lt_tracepoint_find(const char *name);

#endif /* _LT_TRACEPOINT_H */
