#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Connections through a proxy as fast as they go, from few source ports, to several
# destinations; the proxy closes first. NAT rewrites ports for the sake of flows
# that are over, or takes the one for the other. On a machine whose clock counts
# instructions, also how many there are in a second: elsewhere that is the
# machine's mood.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need ip nft conntrack
need_module

: "${KSFT_SECONDS:=$((KSFT_SLOW ? 30 : 15))}"
: "${KSFT_FEW_SECONDS:=$((KSFT_SLOW ? 15 : 5))}"

# churn_in MODE SECONDS: in a namespace that knows nothing yet. Leaves in $held how
# many connections had to have another port, for a live flow or socket has theirs.
churn_in() {
	local name stats

	alone || return
	redirect "$a" nft "$family" tcp output 80:15001 || return
	in_ns "$a" sysctl -qw net.ipv4.ip_local_port_range="20000 20999" || return
	only "$a" ports "$1" || return
	# Two that want one port at the same time are clash's business.
	[ "$1" != enforce ] || mode "$a" clash enforce || return
	churn "$a" "$1" -d "$2" 15001 80 "$(dst "$family" 1)" "$(dst "$family" 2)" \
		"$(dst "$family" 3)" "$(dst "$family" 4)" || return
	stats=$(looptrack -j -n "$a" stats)
	held=0
	for name in ports_rewritten ports_moved clash_repicked; do
		held=$((held + $(json "$name" <<<"$stats")))
	done
	note "$1: $R_rewritten of $R_ok rewritten, $held because a live flow had the port"
	want "$1" failed=0 gaveup=0 noport=0
}

# rarely MODE SECONDS: the same, where a port is rewritten for that reason only.
rarely() {
	churn_in "$1" "$2" || return
	want "$1" "rewritten<=$held" "rewritten<=$((R_ok / 20))" slow=0
}

# churning FAMILY
churning() {
	local family=$1 held=0

	churn_in off "$KSFT_FEW_SECONDS" && want off 'rewritten>=1' || return
	churn_in observe "$KSFT_FEW_SECONDS" || return
	want observe 'rewritten>=1' && counts "$a" observe 'ports_dead>=1' ports_kept=0 || return
	rarely enforce "$KSFT_FEW_SECONDS" && rarely defaults "$KSFT_SECONDS"
}

# as_many FAMILY: in a second, as without the module.
as_many() {
	local family=$1 held=0 vanilla

	churn_in off "$KSFT_SECONDS" && want off 'rewritten>=1' || return
	vanilla=$R_per_s
	rarely defaults "$KSFT_SECONDS" || return
	note "connections per second: $vanilla without, $R_per_s with"
	[ "$R_per_s" -ge "$vanilla" ] || fail "slower than without"
}

for v in 4 6; do
	if counts_instructions; then
		either "as many connections as without, IPv$v" as_many $v
	else
		either "churn, the proxy closes first, IPv$v" churning $v
	fi
done
run_subtests
