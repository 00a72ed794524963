// SPDX-License-Identifier: GPL-2.0
/* The modes of the module's features. */
#include <linux/nf_looptrack.h>

#include "modes.h"
#include "out.h"

enum exit_code modes_get(struct nl *nl, json_t **modes)
{
	json_t *config = NULL, *feature;
	enum exit_code code;
	size_t i;

	*modes = json_object();
	code = nl_get(nl, NF_LOOPTRACK_CMD_FEATURE_GET, &attr_config, &config);
	json_array_foreach(json_object_get(config, "features"), i, feature)
		json_object_set(*modes, out_text(feature, "name"),
				json_object_get(feature, "mode"));
	json_decref(config);
	return code;
}
