#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# complete.sh LINE: what looptrack.bash offers at the end of LINE, one a line.
# shellcheck source-path=SCRIPTDIR source=../looptrack.bash
. "$(dirname "$0")/../looptrack.bash"
# Bash takes "=" for a word.
read -ra COMP_WORDS <<<"${1//=/ = }"
[[ $1 != *' ' ]] || COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_looptrack
printf '%s\n' "${COMPREPLY[@]}"
