#!/bin/zsh -f
# SPDX-License-Identifier: GPL-2.0
# complete.zsh DIR LINE: what _looptrack in DIR offers at the end of LINE, one a line.
# With -O, -A or -D, compadd only sorts out and offers nothing yet.
zmodload zsh/zpty || exit
zpty shell "exec zsh -f -i"
zpty -w shell "fpath=(${(q)1} \$fpath); autoload -Uz compinit; compinit -u -D
compadd() {
	local offered=()
	if ! (( \${@[(I)-[OAD]]} )); then
		builtin compadd -O offered \"\$@\"
		print -rl -- '' \"offered \"\$^offered
	fi
	builtin compadd \"\$@\"
}
offer() { zle list-choices; print -r 'no more'; }
zle -N offer; bindkey '^X' offer; print -r is\\ ready"
zpty -r shell output '*is ready*'
zpty -w -n shell "$2"$'\x18'
zpty -r shell output '*no more*'
print -r -- ${output//$'\r'/} | sed -n 's/^offered //p'
zpty -d shell
