#!/bin/sh
# Compares this BIG-IP with the change in this folder. It only reads: every call is a tmsh list.
# What to expect stands in verify.expected, which is data and is never run.
#
#   sh verify.sh        0: all is as expected   1: something differs   2: it could not be compared
set -u
LC_ALL=C
export LC_ALL

folder=$(cd "$(dirname -- "$0")" && pwd) || exit 2
expected=$folder/verify.expected
saved=${EDGEWARD_SAVED_CONFIG:-/config/partitions/Edgeward/bigip.conf}
partition=/Edgeward
differences=0

for tool in tmsh awk comm cut grep head mktemp sed sha1sum sort tr; do
    if ! command -v "$tool" >/dev/null 2>&1; then
        printf 'verify.sh: there is no %s here; run it in bash on the BIG-IP\n' "$tool" >&2
        exit 2
    fi
done
if [ ! -r "$expected" ]; then
    printf 'verify.sh: %s is missing; copy the whole folder\n' "$expected" >&2
    exit 2
fi
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
trap 'exit 2' HUP INT TERM

ok() {
    printf 'ok      %s\n' "$1"
}

differs() {
    differences=$((differences + 1))
    printf 'DIFFERS %s\n' "$1"
}

shown() {
    tmsh -q list "$@" </dev/null 2>/dev/null
}

# Records of a data group as `name data`, sorted.
records() {
    awk '
        function bare(text) {
            if (text ~ /^".*"$/) text = substr(text, 2, length(text) - 2)
            return text
        }
        !inside && $1 == "records" && $2 == "{" && NF == 2 { inside = 1; next }
        !inside { next }
        name == "" && $1 == "}" { exit }
        name == "" && $2 == "{" && $3 == "}" { print bare($1) " "; next }
        name == "" && $2 == "{" { name = bare($1); data = ""; next }
        $1 == "data" { data = $0; sub(/^[ \t]*data /, "", data); data = bare(data); next }
        $1 == "}" { print name " " data; name = "" }
    ' | sort
}

digest() {
    sha1sum | cut -d ' ' -f 1
}

check_map() {
    if ! shown ltm data-group internal "$partition/eg_map" >"$work/shown"; then
        differs "$partition/eg_map: there is no such data group, so no policy is in force"
        return
    fi
    records <"$work/shown" >"$work/found"
    sed -n 's/^entry //p' "$expected" | sort >"$work/wanted"
    comm -23 "$work/wanted" "$work/found" | head -n 20 >"$work/missing"
    comm -13 "$work/wanted" "$work/found" | head -n 20 >"$work/surplus"
    before=$differences
    while IFS= read -r line; do
        differs "$partition/eg_map: missing: $line"
    done <"$work/missing"
    while IFS= read -r line; do
        differs "$partition/eg_map: not of this change: $line"
    done <"$work/surplus"
    if [ "$differences" -eq "$before" ]; then
        ok "$partition/eg_map"
    fi
}

check_internal() {
    if ! shown ltm data-group internal "$partition/$1" >"$work/shown"; then
        differs "$partition/$1: there is no such data group"
        return
    fi
    records <"$work/shown" >"$work/found"
    if [ "$(digest <"$work/found")" = "$2" ]; then
        ok "$partition/$1"
    else
        differs "$partition/$1: its records are others"
    fi
}

check_external() {
    file=$(shown ltm data-group external "$partition/$1" external-file-name | sed -n 's/^ *external-file-name //p')
    if [ "$file" != "$partition/$1" ] && [ "$file" != "$1" ]; then
        differs "$partition/$1: there is no such external data group, or it has another file"
        return
    fi
    sum=$(shown sys file data-group "$partition/$1" checksum | sed -n 's/^ *checksum //p')
    if [ "$sum" = "$2" ]; then
        ok "$partition/$1"
    else
        differs "$partition/$1: its file is another one (${sum:-no checksum})"
    fi
}

# Space at the ends of lines, and empty lines, are not kept by every version.
check_rule() {
    if ! shown ltm rule "$1" >"$work/shown"; then
        differs "$1: there is no such rule"
        return
    fi
    sum=$(sed -e '1d' -e '$d' "$work/shown" |
        sed -e 's/^[[:space:]]*//' -e 's/[[:space:]]*$//' -e '/^$/d' | digest)
    if [ "$sum" = "$2" ]; then
        ok "$1"
    else
        differs "$1: its text is another one"
    fi
}

# A name, the route domain, and the rules that it needs in this order.
check_virtual() {
    virtual=$1
    domain=$2
    shift 2
    if ! shown ltm virtual "$virtual" destination rules >"$work/shown"; then
        differs "$virtual: there is no such virtual server"
        return
    fi
    before=$differences
    found=$(sed -n 's/^ *destination [^%]*%\([0-9]*\).*/\1/p' "$work/shown")
    if [ "${found:-0}" != "$domain" ]; then
        differs "$virtual: it is in route domain ${found:-0}, and this change was made for $domain"
    fi
    tr -s ' \t' '\n\n' <"$work/shown" >"$work/words"
    for rule in "$@"; do
        if ! grep -qxF -- "$rule" "$work/words"; then
            differs "$virtual: $rule is not attached"
        fi
    done
    if [ "$differences" -eq "$before" ]; then
        ok "$virtual"
    fi
}

check_saved() {
    if [ ! -r "$saved" ]; then
        printf 'note    %s can not be read: whether the change was saved is not known\n' "$saved"
    elif grep -qF -- "$1" "$saved"; then
        ok "saved"
    else
        differs "not saved: run tmsh save sys config"
    fi
}

while read -r kind name rest; do
    case $kind in
        revision) printf 'Edgeward revision %s\n' "$name" ;;
        internal) check_internal "$name" "$rest" ;;
        external) check_external "$name" "$rest" ;;
        rule) check_rule "$name" "$rest" ;;
        virtual)
            set -f
            # Words of our own making: a number and names of our own rules.
            # shellcheck disable=SC2086
            check_virtual "$name" $rest
            set +f
            ;;
        saved) check_map && check_saved "$name $rest" ;;
    esac
done <"$expected"

if [ "$differences" -gt 0 ]; then
    printf '%s differences\n' "$differences"
    exit 1
fi
printf 'all is as expected\n'
