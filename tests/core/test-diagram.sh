#!/bin/sh
# The documentation shows what the program does: the block between the two marks in ARCHITECTURE.md is what print-diagram prints.
# test-diagram.sh PRINT-DIAGRAM ARCHITECTURE.md      compares (77: there is no such file or block)
# test-diagram.sh --write PRINT-DIAGRAM ARCHITECTURE.md      brings the block up to date
set -eu
write=no
if [ "$1" = --write ]; then
        write=yes
        shift
fi
print=$1
document=$2
begin='<!-- diagram:begin -->'
end='<!-- diagram:end -->'

[ -f "$document" ] || { echo "$document is not there"; exit 77; }
grep -qxF "$begin" "$document" || { echo "$document has no block that begins with: $begin"; exit 77; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$print" >"$work/printed"
if [ "$write" = yes ]; then
        awk -v begin="$begin" -v end="$end" -v printed="$work/printed" '
                $0 == end { inside = 0 }
                !inside { print }
                $0 == begin { inside = 1; while ((getline line < printed) > 0) print line }' "$document" >"$work/document"
        cat "$work/document" >"$document"
        exit 0
fi
awk -v begin="$begin" -v end="$end" '$0 == end { inside = 0 } inside { print } $0 == begin { inside = 1 }' "$document" >"$work/documented"
diff -u "$work/documented" "$work/printed" || {
        echo "$document is not up to date: tests/core/test-diagram.sh --write $print $document"
        exit 1
}
