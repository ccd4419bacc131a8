"""The event loop that leaves no process behind, around shells and around a real browser."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from camdl.sources.browser import find
from camdl.sources.contained import ContainedLoop
from tests.support.browsers import the_browser, the_driver, the_renderer
from tests.support.processes import carriers, children, marking, survivors

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from pathlib import Path
    from typing import Any

PIPE = asyncio.subprocess.PIPE
# Two daemons beside the command's own process, each in a session of its own.
FUGITIVES = "(setsid sleep 1000 &); (setsid sleep 1000 &); exec sleep 1000"
BROWSING = """
import asyncio, sys
from playwright.async_api import async_playwright
from camdl.sources.contained import ContainedLoop

async def main(browser, then):
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(
            executable_path=browser,
            chromium_sandbox=False,
            handle_sigint=False, handle_sigterm=False, handle_sighup=False,
        )
        page = await chromium.new_page()
        await page.set_content("<h1>Gate</h1>")
        print("open", flush=True)
        if then == "wait":
            await page.wait_for_function("window.never", timeout=0)
        if then == "raise":
            raise LookupError("something went wrong")
        await chromium.close()

with asyncio.Runner(loop_factory=ContainedLoop) as runner:
    runner.run(main(*sys.argv[1:]))
"""


@pytest.fixture
def mark() -> Iterator[int]:
    """The mark of all that the test starts."""
    with marking() as mark:
        yield mark


def run(main: Coroutine[Any, Any, None], loop: ContainedLoop | None = None) -> None:
    """Run `main` to its end in an event loop like camdl's."""
    with asyncio.Runner(loop_factory=lambda: loop or ContainedLoop()) as runner:
        runner.run(main)


@contextmanager
def in_thread(
    main: Callable[[], Coroutine[Any, Any, None]],
) -> Iterator[tuple[ContainedLoop, threading.Thread]]:
    """A loop that runs `main` in a thread of its own, whatever becomes of it."""
    loop = ContainedLoop()
    thread = threading.Thread(target=lambda: run(main(), loop))
    thread.start()
    try:
        yield loop, thread
    finally:
        thread.join(20)
        assert not thread.is_alive()


def sleepers(mark: int) -> int:
    """How many sleeping commands there are."""
    return list(carriers(mark).values()).count("sleep 1000")


async def start_fugitives(mark: int) -> asyncio.subprocess.Process:
    """A command, once it and its two daemons are there."""
    process = await asyncio.create_subprocess_exec("sh", "-c", FUGITIVES)
    while sleepers(mark) < 3:  # noqa: ASYNC110  # other programs set no event
        await asyncio.sleep(0.01)
    return process


@pytest.mark.parametrize(
    ("script", "exit_code"), [("exit 0", 0), ("exit 3", 3), ("kill -TERM $$", 143)]
)
def test_command_is_talked_to_as_ever(script: str, exit_code: int) -> None:
    """Input, output, errors and exit code are those of the command."""

    async def main() -> None:
        process = await asyncio.create_subprocess_exec(
            "sh", "-c", f"cat; echo told >&2; {script}", stdin=PIPE, stdout=PIPE, stderr=PIPE
        )
        assert await process.communicate(b"hello") == (b"hello", b"told\n")
        assert process.returncode == exit_code

    run(main())


@pytest.mark.parametrize("given", [None, {"GIVEN": "too", "PATH": os.environ["PATH"]}])
def test_environment_is_added_to_the_commands(
    given: dict[str, str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop's variables are added to those that the command would have anyway."""
    monkeypatch.setenv("GIVEN", "too")

    async def main() -> None:
        process = await asyncio.create_subprocess_exec(
            "sh", "-c", "echo $GIVEN $TMPDIR", stdout=PIPE, env=given
        )
        output, _ = await process.communicate()
        assert output == b"too /elsewhere\n"

    run(main(), ContainedLoop(environment={"TMPDIR": "/elsewhere"}))


def test_missing_program_is_an_error_of_the_start(tmp_path: Path) -> None:
    """A program that is not there is refused as it would be without a guard."""

    async def main() -> None:
        with pytest.raises(FileNotFoundError, match="nothing"):
            await asyncio.create_subprocess_exec(tmp_path / "nothing")

    run(main())


def test_program_without_permission_is_an_error_of_the_start(tmp_path: Path) -> None:
    """A file that is not executable is refused as it would be without a guard."""
    (tmp_path / "file").touch(mode=0o644)

    async def main() -> None:
        with pytest.raises(PermissionError, match="file"):
            await asyncio.create_subprocess_exec(tmp_path / "file")

    run(main())


@pytest.mark.parametrize("program", ["true", "no-such-program"])
def test_what_waits_for_the_first_command_is_let_go(program: str) -> None:
    """When it has begun, or when none can begin any more."""
    begun: list[bool] = []

    async def main() -> None:
        begun.append(loop.has_begun.is_set())
        with suppress(FileNotFoundError):
            process = await asyncio.create_subprocess_exec(program)
            begun.append(loop.has_begun.is_set())
            await process.wait()

    loop = ContainedLoop()
    run(main(), loop)
    assert begun == ([False, True] if program == "true" else [False])
    assert loop.has_begun.is_set()


def test_commands_are_out_of_the_terminals_reach() -> None:
    """Ctrl-C is for this process: its commands are in another session."""

    async def main() -> None:
        process = await asyncio.create_subprocess_exec("sleep", "1000")
        assert os.getsid(process.pid) == process.pid
        process.terminate()
        await process.wait()

    run(main())


def test_nothing_outlives_the_loop(mark: int) -> None:
    """A loop that ends while commands run ends them, and whatever they started."""

    async def main() -> None:
        await start_fugitives(mark)

    run(main())
    assert survivors(mark, 0) == []


def test_nothing_outlives_a_failure(mark: int) -> None:
    """A loop whose work fails ends its commands, pipes and all, without a warning."""

    async def main() -> None:
        await asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=PIPE)
        await start_fugitives(mark)
        raise LookupError("something went wrong")

    with pytest.raises(LookupError, match="something went wrong"):
        run(main())
    assert survivors(mark, 0) == []


def test_nothing_outlives_a_kill_by_asyncio(mark: int) -> None:
    """Killing the process that asyncio knows, which is the guard's, kills what it guards."""

    async def main() -> None:
        process = await start_fugitives(mark)
        process.kill()
        assert await process.wait() == -signal.SIGKILL
        assert survivors(mark) == []

    run(main())


def test_nothing_outlives_a_start_that_is_cancelled(mark: int) -> None:
    """A task that is cancelled while it starts a command leaves none."""

    async def main() -> None:
        start = asyncio.create_task(asyncio.create_subprocess_exec("sh", "-c", FUGITIVES))
        await asyncio.sleep(0)
        start.cancel()
        with suppress(asyncio.CancelledError):
            await start

    run(main())
    assert survivors(mark) == []


def test_end_all_reaches_commands_of_a_loop_that_hangs(mark: int) -> None:
    """Another thread can end everything while the loop's own thread is stuck."""
    is_stuck, may_go_on = threading.Event(), threading.Event()

    async def main() -> None:
        await start_fugitives(mark)
        is_stuck.set()
        may_go_on.wait(20)  # a loop that hangs

    with in_thread(main) as (loop, _):
        assert is_stuck.wait(20)
        loop.end_all()
        assert sleepers(mark) == 0
        may_go_on.set()
    assert survivors(mark) == []


def test_end_all_of_a_loop_that_works(mark: int) -> None:
    """The loop sees its commands end, goes on, and starts no others."""
    is_started = threading.Event()

    async def main() -> None:
        process = await start_fugitives(mark)
        is_started.set()
        assert await process.wait() == 128 + signal.SIGKILL
        with pytest.raises(RuntimeError, match="have been ended"):
            await asyncio.create_subprocess_exec("sleep", "1000")

    with in_thread(main) as (loop, _):
        assert is_started.wait(20)
        loop.end_all()
        loop.end_all()
    assert survivors(mark, 0) == []


def test_end_all_of_a_loop_that_has_ended() -> None:
    """Ending the commands of a closed loop is no error."""
    loop = ContainedLoop()
    run(asyncio.sleep(0), loop)
    loop.end_all()
    loop.close()


def test_end_all_does_without_guards_that_do_not_answer(mark: int) -> None:
    """Guards that cannot run do not keep anything alive."""

    async def main() -> None:
        process = await start_fugitives(mark)
        for pid in (*children(process.pid), process.pid):
            os.kill(pid, signal.SIGSTOP)
        loop.end_all(grace_seconds=0.2)
        assert await process.wait() == -signal.SIGKILL
        assert survivors(mark) == []

    loop = ContainedLoop()
    run(main(), loop)


@contextmanager
def browsing(mark: int, then: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program that has a page open in a real browser."""
    command = [sys.executable, "-W", "error", "-c", BROWSING, str(find().executable), then]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"open\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(("then", "told"), [("close", b""), ("raise", b"something went wrong")])
def test_browser_of_a_program_that_ends(mark: int, then: str, told: bytes) -> None:
    """Nothing of driver and browser is left after success or failure, and nothing is warned of."""
    with browsing(mark, then) as program:
        _, errors = program.communicate(timeout=60)
        assert program.returncode == bool(told)
        assert told in errors
        assert b"Warning" not in errors
        assert survivors(mark) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_browser_of_a_program_that_is_ended(mark: int, number: signal.Signals) -> None:
    """Nothing is left of driver and browser when the program is ended by a signal."""
    with browsing(mark, "wait") as program:
        assert len(carriers(mark)) > 6
        program.send_signal(number)
        program.communicate(timeout=60)
        assert program.returncode != 0
        assert survivors(mark) == []


@pytest.mark.parametrize("stopped", [the_driver, the_browser, the_renderer])
def test_browser_with_a_stopped_process(mark: int, stopped: Callable[[int], int]) -> None:
    """Nothing is left of a driver or browser that hangs, when the program is killed."""
    with browsing(mark, "wait") as program:
        os.kill(stopped(mark), signal.SIGSTOP)
        program.kill()
        assert survivors(mark) == []


@pytest.mark.parametrize("killed", [the_driver, the_browser])
def test_browser_with_a_killed_process(mark: int, killed: Callable[[int], int]) -> None:
    """Nothing is left when driver or browser die under the program, which is told and ends."""
    with browsing(mark, "wait") as program:
        os.kill(killed(mark), signal.SIGKILL)
        _, errors = program.communicate(timeout=60)
        assert program.returncode == 1
        assert b"playwright" in errors
        assert survivors(mark) == []
