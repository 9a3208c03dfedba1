"""What is told of a build that failed, from the outputs of both builders."""

from typing import Any

import pytest

from yard.build_errors import instructions, of_buildkit, of_classic, of_unreadable

DOCKERFILE = """\
# syntax is that of the builder itself
ARG BASE=alpine

FROM $BASE AS compile
RUN apk add \\
    # what compiles
    build-base \\

    make
COPY . /src
RUN make -C /src
"""

BUILDKIT = """\
#0 building with "default" instance using docker driver

#1 [internal] load build definition from Dockerfile
#1 transferring dockerfile: 148B done
#1 DONE 0.0s

#6 [compile 3/4] COPY . /src
#6 DONE 0.1s

#7 [compile 4/4] RUN make -C /src
#7 0.291 make: Entering directory '/src'
#7 0.305 cc -o api api.c
#7 0.411 api.c:3:1: error: unknown type name 'itn'
#7 0.415 make: *** [Makefile:2: api] Error 1
#7 ERROR: process "/bin/sh -c make -C /src" did not complete successfully: exit code: 2
------
 > [compile 4/4] RUN make -C /src:
0.291 make: Entering directory '/src'
0.305 cc -o api api.c
0.411 api.c:3:1: error: unknown type name 'itn'
0.415 make: *** [Makefile:2: api] Error 1
------

 1 warning found (use docker --debug to expand):
 - FromAsCasing: 'as' and 'FROM' keywords' casing do not match (line 4)
Dockerfile:10
--------------------
   8 |         make
   9 |     COPY . /src
  10 | >>> RUN make -C /src
  11 |     
--------------------
ERROR: failed to solve: process "/bin/sh -c make -C /src" did not complete successfully: exit code: 2
"""

LONG_INSTRUCTION = """\
------
 > [linux/arm64 2/3] RUN apk add     build-base     nothing-of-the-kind:
------
api.Dockerfile:5
--------------------
   4 |     FROM alpine
   5 | >>> RUN apk add \\
   6 | >>>     build-base \\
   7 | >>>     nothing-of-the-kind
   8 |     COPY . /src
--------------------
ERROR: failed to build: failed to solve: process "/bin/sh -c apk add" did not complete successfully: exit code: 1
"""

MISSING_FILE = """\
#5 [2/2] COPY nowhere /
#5 ERROR: failed to calculate checksum of ref abc::def: "/nowhere": not found
------
 > [2/2] COPY nowhere /:
------
Dockerfile:2
--------------------
   1 |     FROM scratch
   2 | >>> COPY nowhere /
   3 |     
--------------------
ERROR: failed to solve: failed to compute cache key: failed to calculate checksum of ref abc::def: "/nowhere": not found
"""

UNKNOWN_INSTRUCTION = """\
#1 [internal] load build definition from Dockerfile
#1 DONE 0.0s
Dockerfile:2
--------------------
   1 |     FROM scratch
   2 | >>> RUNN make
   3 |     
--------------------
ERROR: failed to solve: dockerfile parse error on line 2: unknown instruction: RUNN (did you mean RUN?)
"""

NO_DRIVER = """\
ERROR: Multi-platform build is not supported for the docker driver.
Switch to a different driver, or turn on the containerd image store, and try again.
Learn more at https://docs.docker.com/go/build-multi-platform/
"""


class TestBuildKit:
    def test_a_command_that_fails(self) -> None:
        assert of_buildkit(BUILDKIT).splitlines() == [
            "Dockerfile line 10: RUN make -C /src: exit code 2",
            "make: Entering directory '/src'",
            "cc -o api api.c",
            "api.c:3:1: error: unknown type name 'itn'",
            "make: *** [Makefile:2: api] Error 1",
        ]

    def test_an_instruction_of_many_lines_is_named_by_its_first(self) -> None:
        assert of_buildkit(LONG_INSTRUCTION) == "api.Dockerfile line 5: RUN apk add: exit code 1"

    def test_a_file_that_is_not_there(self) -> None:
        told = of_buildkit(MISSING_FILE)
        assert told.startswith("Dockerfile line 2: COPY nowhere /: failed to compute cache key")
        assert told.endswith('"/nowhere": not found')

    def test_an_instruction_that_there_is_not(self) -> None:
        told = of_buildkit(UNKNOWN_INSTRUCTION)
        assert told == "Dockerfile line 2: RUNN make: unknown instruction: RUNN (did you mean RUN?)"

    def test_what_is_about_no_line_is_told_whole(self) -> None:
        assert of_buildkit(NO_DRIVER) == NO_DRIVER.rstrip()
        assert of_buildkit("unknown flag: --platform\n") == "unknown flag: --platform"

    def test_of_a_long_log_the_last_lines(self) -> None:
        lines = "".join(f"0.{number:03} line {number}\n" for number in range(100))
        told = of_buildkit(BUILDKIT.replace("0.305 cc -o api api.c\n", lines)).splitlines()
        assert (len(told), told[1]) == (16, "line 87")


def classic(*said: str, error: str) -> list[dict[str, Any]]:
    """A log as the engine sends it; what a command writes to its standard error is marked."""
    steps = [
        "Step 1/5 : ARG BASE=alpine\n",
        "Step 2/5 : FROM $BASE AS compile\n",
        " ---> 5e7fa7f4a5a4\n",
        "Step 3/5 : RUN apk add     build-base     make\n",
        " ---> Using cache\n",
        " ---> 0f3a1d2b4c5d\n",
        "Step 4/5 : COPY . /src\n",
    ]
    streams = [{"stream": each} for each in (*steps, *said)]
    return [*streams, {"error": error, "errorDetail": {"message": error}}]


class TestClassic:
    def test_a_command_that_fails(self) -> None:
        log = classic(
            " ---> 4b1f6f0a7c11\n",
            "Step 5/5 : RUN make -C /src\n",
            " ---> Running in 8dfccb24ae83\n",
            "cc -o api api.c\n",
            "\x1b[91mmake: *** [Makefile:2: api] Error 1\n\x1b[0m",
            error="The command '/bin/sh -c make -C /src' returned a non-zero code: 2",
        )
        assert of_classic(log, "Dockerfile", DOCKERFILE).splitlines() == [
            "Dockerfile line 11: RUN make -C /src: exit code 2",
            "cc -o api api.c",
            "make: *** [Makefile:2: api] Error 1",
        ]

    def test_a_file_that_is_not_there(self) -> None:
        missing = "COPY failed: file not found in build context: stat src: file does not exist"
        told = of_classic(classic(error=missing), "api.Dockerfile", DOCKERFILE)
        assert told == f"api.Dockerfile line 10: COPY . /src: {missing}"

    def test_before_the_first_step(self) -> None:
        assert of_classic([{"error": "no space left on device"}], "Dockerfile", "") == "no space left on device"

    @pytest.mark.parametrize("said", ["dockerfile parse error line 2", "dockerfile parse error on line 2"])
    def test_an_instruction_that_there_is_not(self, said: str) -> None:
        assert of_unreadable(f"{said}: unknown instruction: RUNN", "Dockerfile") == (
            "Dockerfile line 2: unknown instruction: RUNN"
        )
        assert of_unreadable("no such stage", "Dockerfile") == "no such stage"


def test_instructions_are_counted_as_the_builder_counts_them() -> None:
    assert [*instructions(DOCKERFILE)] == [2, 4, 5, 10, 11]
    assert [*instructions("# escape=`\nFROM a\nRUN one `\n  two\nRUN a \\\nCOPY b c\n")] == [2, 3, 5, 6]
