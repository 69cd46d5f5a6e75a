#!/bin/sh
# label: its files under the names that the command knows.
set -e
rm -rf job-label
mkdir job-label
cd job-label
mkdir -p say
ln -s ../joined.txt joined.txt
sh -c 'echo "it'"'"'s  two words" | cat - "$1" > "$2"' label joined.txt 'say/the result.txt'
mv 'say/the result.txt' ../say_the_result-c8144427.txt
cd ..
rm -rf job-label
