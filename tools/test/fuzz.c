// SPDX-License-Identifier: GPL-2.0
/* libFuzzer's way into the decoder: whatever the kernel sends, by every table. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>

#include "attr.h"
#include "looptrack.h"

/* Decode @data, if @nest is not 0 as the contents of one attribute of that type. */
static void decode(const __u8 *data, size_t size, unsigned int nest)
{
	static const struct attr_set *const sets[] = {
		&attr_ctrl, &attr_extack, &attr_module, &attr_config, &attr_stats, &attr_event,
	};
	const struct nlattr attr = { MNL_ATTR_HDRLEN + size, nest };
	size_t attr_len = nest ? sizeof(attr) : 0;
	size_t header_len = MNL_NLMSG_HDRLEN + GENL_HDRLEN;
	struct nlmsghdr *nlh;
	char *payload;

	/* Exactly as long as it says, so that each byte too far is seen. */
	nlh = malloc(header_len + attr_len + size);
	if (!nlh)
		return;
	memset(nlh, 0, header_len);
	nlh->nlmsg_len = header_len + attr_len + size;
	payload = (char *)nlh + header_len;
	memcpy(payload, &attr, attr_len);
	memcpy(payload + attr_len, data, size);
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		json_decref(attr_decode(sets[i], payload, attr_len + size));
		free(attr_locate(sets[i], nlh, data[0] + 256 * data[1]));
	}
	free(nlh);
}

int LLVMFuzzerTestOneInput(const __u8 *data, size_t size)
{
	if (size < 2 || size > 4096)
		return 0;
	decode(data, size, 0);
	/* What the fuzzer would take long to find: the inside of each nest. */
	decode(data, size, data[size - 1] % 16);
	return 0;
}
