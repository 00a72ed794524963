#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# ynl.py LIBRARY SPEC: asks by the kernel's own YNL library, whose directory LIBRARY
# is. Reads requests from standard input, one a line: "do OPERATION JSON" or "dump
# OPERATION JSON"; and answers each by a line: what came, or "error: " and what
# the kernel said. In one process, for on an emulated machine Python takes seconds to
# start and to read the spec.
import json
import sys

import yaml

# Which is faster, where there is libyaml.
yaml.SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
sys.path.insert(0, sys.argv[1])
from lib import NlError, YnlFamily

family = YnlFamily(sys.argv[2], schema="")
for line in sys.stdin:
    how, operation, values = line.split(None, 2)
    ask = family.do if how == "do" else family.dump
    try:
        print(ask(operation, json.loads(values)), flush=True)
    except NlError as error:
        print("error:", str(error).replace("\n", " "), flush=True)
