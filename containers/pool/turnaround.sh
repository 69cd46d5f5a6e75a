#!/bin/sh
# How long a small DAG takes from condor_submit_dag to its end, in seconds: one node of /bin/true, and a chain of three
# whose one file goes through HTCondor's own transfer. Run it where jobs are submitted: turnaround.sh [TIMES]
set -eu
times=${1:-5}
work=$(mktemp -d "$PWD/turnaround.XXXXXX")
cd "$work"
cat > node.sub <<'END'
universe = vanilla
transfer_executable = false
executable = $(run)
arguments = $(args)
should_transfer_files = YES
transfer_input_files = $(inputs)
output = $(node).out
request_cpus = 1
request_memory = 64MB
request_disk = 10MB
queue
END
echo data > in.txt
cat > one.dag <<'END'
JOB a node.sub
VARS a run="/bin/true" args="" inputs="" node="a"
END
cat > chain.dag <<'END'
JOB a node.sub
JOB b node.sub
JOB c node.sub
VARS a run="/bin/cp" args="in.txt a.txt" inputs="in.txt" node="a"
VARS b run="/bin/cp" args="a.txt b.txt" inputs="a.txt" node="b"
VARS c run="/bin/cp" args="b.txt c.txt" inputs="b.txt" node="c"
PARENT a CHILD b
PARENT b CHILD c
END
for dag in one chain; do
  took=""
  for _ in $(seq "$times"); do
    rm -f a.txt b.txt c.txt $dag.dag.*
    begin=$(date +%s.%N)
    condor_submit_dag -f $dag.dag > /dev/null 2>&1
    until grep -q '^005 ' $dag.dag.dagman.log; do sleep 0.05; done
    end=$(date +%s.%N)
    [ $dag = one ] || cmp -s in.txt c.txt
    took="$took $(echo "$begin $end" | awk '{printf "%.1f", $2 - $1}')"
  done
  echo "$dag:$took  median $(echo $took | tr ' ' '\n' | sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}') s"
done
rm -rf "$work"
