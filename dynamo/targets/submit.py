"""Submit descriptions: one for each kind of job of a DAG, and that of its last node.

Pure: text in, text out. Format: HTCondor manual 25, "condor_submit".
"""

from __future__ import annotations

from dynamo.targets import attributes, direct
from dynamo.targets.dagman import DagOptions, image_of, kind_of
from dynamo.targets.direct import is_direct
from dynamo.targets.jobs import OUT, Compiled, TargetJob

__all__ = ["final_text", "submit_text"]

#: Holds (manual, "Job ClassAd attributes", HoldReasonCode) that may pass by themselves: the start of a job and the
#: transfer of its input, but for what is not there (ENOENT, 2), and the transfer of its output.
TRANSIENT = (
    "(HoldReasonCode == 6 && HoldReasonSubCode =!= 2)",
    "HoldReasonCode == 12",
    "(HoldReasonCode == 13 && HoldReasonSubCode =!= 2)",
)


def _worker_lines(options: DagOptions) -> list[str]:
    """Return the part of a submit description that says what runs, with which files."""
    lines = [
        f"executable = {options.worker}",
        "transfer_executable = false",
        'arguments = "run $(JOB).spec.json --again $(again)"',
        "initialdir = jobs/$(JOB)",
    ]
    if options.shared:
        return [*lines, "# It runs in its folder, which all machines see.", "should_transfer_files = NO"]
    return [
        *lines,
        "should_transfer_files = YES",
        "when_to_transfer_output = ON_EXIT",
        "transfer_input_files = $(inputs)",
        f"transfer_output_files = {OUT}",
    ]


def submit_text(compiled: Compiled, job: TargetJob, options: DagOptions) -> str:
    """Return the submit description of the kind of `job`."""
    transient = " || ".join(TRANSIENT)
    what = _worker_lines(options)
    if is_direct(compiled, job, options.container):
        what = direct.lines(options.container, direct.seconds(compiled, job))
        transient = f"({transient}) && {direct.MADE}"
    kind = kind_of(compiled, job, options)
    lines = [
        f"# One job of the kind {kind}; the .dag says which, and with what: $(JOB), $(cores), $(memory) ...",
        *_universe(job, options),
        *what,
        "output = job.out",
        "error = job.err",
        "request_cpus = $(cores)",
        "request_memory = $(memory)",
        "",
        "# What may pass is tried again twice; else the job is removed, so that the run fails with its reason and does",
        "# not wait for ever. A job that a person holds is left alone.",
        f"transient = ({transient})",
        "periodic_release = JobStatus == 5 && $(transient) && NumHolds < 3 && time() - EnteredCurrentStatus > 10",
        "periodic_remove = JobStatus == 5 && HoldReasonCode =!= 1 && (NumHolds >= 3 || ($(transient)) =!= True)",
        "",
        *_run(options),
        'My.DynamoJob = "$(JOB)"',
        *attributes.LINES,
        "queue",
    ]
    return "\n".join(lines) + "\n"


def _run(options: DagOptions) -> list[str]:
    """Return what tells of which run a job is, and what starts the next, where that is known."""
    lines = [f'My.DynamoRun = "{options.run}"'] if options.run else []
    return lines + attributes.clock_lines(options.feed, options.clock)


def _universe(job: TargetJob, options: DagOptions) -> list[str]:
    image = image_of(job, options)
    if image is None:
        return ["universe = vanilla"]
    if options.container == "docker":
        network = [] if image.network else ["docker_network_type = none"]
        return ["universe = docker", f"docker_image = {image.docker}", *network]
    # It is on the workers already: an image is larger than all that a job is sent.
    return [
        "universe = container",
        f"container_image = {image.apptainer}",
        "transfer_container = false",
        "# HTCondor would try for ever to start an image that does not start (45).",
        "periodic_hold = VacateReasonCode =?= 45 && NumShadowStarts >= 3",
        "periodic_hold_reason = VacateReason",
    ]


def final_text(options: DagOptions) -> str:
    """Return the submit description of the last node: it publishes and reports, where the DAG was submitted."""
    return (
        "\n".join(
            [
                "# The last node, whatever became of the others: checks what was made, publishes, reports.",
                "universe = local",
                f"executable = {options.python}",
                'arguments = "-m dynamo.condor.finish ."',
                "periodic_remove = JobStatus == 5 && HoldReasonCode =!= 1",
                "output = final.out",
                "error = final.err",
                *_run(options),
                "queue",
            ]
        )
        + "\n"
    )
