/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PROMETHEUS_H
#define PROMETHEUS_H

#include <jansson.h>

/**
 * prometheus_write() - write metrics in Prometheus's text format
 * @module: as decoded by attr_module
 * @config: as decoded by attr_config
 * @counters: as decoded by attr_stats
 *
 * What this tool has no name for is left out: it would get another one later.
 */
void prometheus_write(json_t *module, json_t *config, json_t *counters);

#endif /* PROMETHEUS_H */
