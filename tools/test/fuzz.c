// SPDX-License-Identifier: GPL-2.0
/* libFuzzer's way into the decoder: whatever the kernel sends, by every table. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>

#include "attr.h"
#include "looptrack.h"

int LLVMFuzzerTestOneInput(const __u8 *data, size_t size)
{
	static const struct attr_set *const sets[] = {
		&attr_ctrl, &attr_extack, &attr_module, &attr_config, &attr_stats, &attr_event,
	};
	struct nlmsghdr *nlh;

	if (size < 2 || size > 4096)
		return 0;
	/* Exactly as long as it says, so that each byte too far is seen. */
	nlh = malloc(MNL_NLMSG_HDRLEN + GENL_HDRLEN + size);
	if (!nlh)
		return 0;
	memset(nlh, 0, MNL_NLMSG_HDRLEN + GENL_HDRLEN);
	nlh->nlmsg_len = MNL_NLMSG_HDRLEN + GENL_HDRLEN + size;
	memcpy((char *)nlh + MNL_NLMSG_HDRLEN + GENL_HDRLEN, data, size);
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		json_decref(attr_decode(sets[i], mnl_nlmsg_get_payload_offset(nlh, GENL_HDRLEN),
					size));
		free(attr_locate(sets[i], nlh, data[0] + 256 * data[1]));
	}
	free(nlh);
	return 0;
}
