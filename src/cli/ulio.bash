# SPDX-License-Identifier: BSD-3-Clause
# Completion of ulio's arguments in bash: ulio itself knows what may come next.

_ulio() {
	local line=${COMP_LINE:0:COMP_POINT} cur broken word
	local -a words=()
	line=${line#*[[:blank:]]}
	cur=${line##*[[:blank:]]}
	# bash begins a word anew behind '=' and ':': what lies before is not to be said again.
	broken=${cur%"${cur##*[=:]}"}
	while IFS= read -r word; do
		words+=("${word#"$broken"}")
	done < <(ulio --complete "$line" 2>/dev/null)
	COMPREPLY=("${words[@]}")
	if [[ ${#words[@]} -eq 1 && ${words[0]} != */ && ${words[0]} != *= ]]; then
		COMPREPLY=("${words[0]} ")
	fi
}
complete -o nospace -F _ulio ulio
