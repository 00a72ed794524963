// SPDX-License-Identifier: GPL-2.0
/* Tracepoints: looptrack:* for perf, ftrace and bpftrace. */

#define CREATE_TRACE_POINTS
#include "report/trace.h"
