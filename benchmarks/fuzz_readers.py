"""What every reader of files makes of damaged ones. Prints a markdown table; exit status 1 where one misbehaves.

    python benchmarks/fuzz_readers.py [--inputs 200000] [--seed 0] [--readers TRC C3D] [--keep FOLDER]

Small valid files (tests/fuzz/file_samples.py) are damaged (tests/fuzz/mutations.py) and read, each reader in a process
of its own with 3 GB of address space above what it needs: tests/fuzz/trials_of_readers.py says what may come of it.
A process that dies or answers nothing for 15 s is a violation too; the next input is then read by another.
  read      a value came out: the damage left a valid file, or hit what does not matter
  refused   one line that names the file
With --keep the files of the first violations are kept.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import selectors
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT / "tests/fuzz"))
import file_samples  # noqa: E402
import trials_of_readers as trials  # noqa: E402
from mutations import damaged  # noqa: E402

SPARE_BYTES = 3 << 30
SILENT_S = 15.0
EACH = 20  # inputs between two lines of a child


@dataclass
class Tally:
    """What came of the inputs of one reader."""

    counts: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    total_s: float = 0.0
    violations: dict[str, list[int]] = field(default_factory=dict)

    def add(self, counts: dict[str, int], slowest_s: float, total_s: float) -> None:
        self.counts.update(counts)
        self.slowest_s = max(self.slowest_s, slowest_s)
        self.total_s += total_s


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--inputs", type=int, default=200_000, help="over all readers")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--readers", nargs="*", help="these alone")
    options.add_argument("--keep", type=Path, help="a folder for the files of violations")
    options.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.child:
        name, start, stop = chosen.child
        child(name, chosen.seed, int(start), int(stop))
        return
    readers = file_samples.readers()
    wanted = {name: readers[name] for name in chosen.readers or readers}
    shares = sum(reader.share for reader in wanted.values())
    print("| reader | inputs | refused | read | slowest, ms | mean, ms | violations |")
    print("|---|---|---|---|---|---|---|", flush=True)
    total = Tally()
    begun = time.perf_counter()
    for name, reader in wanted.items():
        tally = tested(name, chosen.seed, -(-int(chosen.inputs * reader.share) // int(shares)))
        row(name, tally)
        for words, where in tally.violations.items():
            print(f"{name}: {words} ({len(where)} times, e.g. input {where[0]})", file=sys.stderr, flush=True)
        total.add(dict(tally.counts), tally.slowest_s, tally.total_s)
        total.violations |= {f"{name}: {words}": where for words, where in tally.violations.items()}
        if chosen.keep:
            kept(chosen.keep, reader, chosen.seed, tally)
    row("**all**", total)
    print(f"\n{time.perf_counter() - begun:.0f} s, seed {chosen.seed}")
    sys.exit(bool(total.violations))


def row(name: str, tally: Tally) -> None:
    n = tally.counts.total()
    print(
        f"| {name} | {n} | {tally.counts['refused']} | {tally.counts['read']} | {1000 * tally.slowest_s:.0f} | "
        f"{1000 * tally.total_s / max(n, 1):.2f} | {sum(map(len, tally.violations.values()))} |",
        flush=True,
    )


def kept(folder: Path, reader, seed: int, tally: Tally) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for where in tally.violations.values():
        for index in where[:2]:
            sample = reader.samples[index % len(reader.samples)]
            name = f"{reader.name}-{index}-{Path(sample.name).name}".replace(" ", "_")
            (folder / name).write_bytes(damaged(seed, index, sample.name, sample.content))


def tested(name: str, seed: int, n_inputs: int) -> Tally:
    """The inputs of one reader, by as many processes as it takes."""
    tally, start = Tally(), 0
    while start < n_inputs:
        start = _by_one_process(name, seed, start, n_inputs, tally)
    return tally


def _by_one_process(name: str, seed: int, start: int, stop: int, tally: Tally) -> int:
    """The inputs until the process ends; the index of the next."""
    command = [sys.executable, __file__, "--seed", str(seed), "--child", name, str(start), str(stop)]
    with tempfile.TemporaryDirectory(prefix="gonio-fuzz-") as folder, tempfile.TemporaryFile() as errors:
        place, cwd = Path(folder) / "input", Path(folder) / "cwd"
        place.mkdir()
        cwd.mkdir()
        (cwd / "tmp").mkdir()
        environment = os.environ | {
            "TMPDIR": str(cwd / "tmp"),
            "GONIO_FUZZ_FOLDER": str(place),
            "OPENBLAS_NUM_THREADS": "1",
        }
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, cwd=cwd, env=environment)
        assert process.stdout is not None
        selector = selectors.DefaultSelector()
        selector.register(process.stdout, selectors.EVENT_READ)
        done, pending = start, b""
        while done < stop:
            silent = not selector.select(SILENT_S)
            piece = b"" if silent else os.read(process.stdout.fileno(), 1 << 16)
            if not piece:
                break
            *whole, pending = (pending + piece).split(b"\n")
            for line in map(json.loads, whole):
                tally.add(line["counts"], line["slowest_s"], line["total_s"])
                for words, index in line["violations"]:
                    tally.violations.setdefault(words, []).append(index)
                done = line["next"]
        if done < stop:
            process.kill()
        process.wait()
        left = [path for path in cwd.rglob("*") if path != cwd / "tmp"]
        if left:
            tally.violations.setdefault(f"leaves {left[0].relative_to(cwd)} in the working folder", []).append(start)
        if done >= stop:
            return stop
        # each input at hand writes its number first, so that the one that ended the process is known
        at = int((place.parent / "at").read_text() or start) if (place.parent / "at").is_file() else start
        errors.seek(0)
        said = errors.read().decode(errors="replace").strip().splitlines()[-1:] or [""]
        words = (
            "answers nothing"
            if process.returncode == -9
            else f"ends the process ({process.returncode}; {said[0]:.100})"
        )
        tally.violations.setdefault(words, []).append(at)
        tally.counts["died"] += 1
        return max(at, done) + 1


def child(name: str, seed: int, start: int, stop: int) -> None:
    """Read the inputs, a line for every `EACH`."""
    sys.dont_write_bytecode = True
    warnings.simplefilter("error")
    folder = Path(os.environ["GONIO_FUZZ_FOLDER"])
    reader = file_samples.readers()[name]
    watch = trials.Watch()
    wrong = trials.warmed(reader, folder, watch)
    violations = [(f"refuses a valid file: {words}", start) for words in wrong]
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if sys.platform == "linux" else 0
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + SPARE_BYTES, resource.RLIM_INFINITY))
    counts: Counter[str] = Counter()
    times: list[float] = []
    at = os.open(folder.parent / "at", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.pwrite(at, b"%-12d" % start, 0)

    def told(index: int, outcome: trials.Outcome) -> None:
        counts[outcome.kind] += 1
        times.append(outcome.seconds)
        if outcome.kind not in ("read", "refused"):
            words = outcome.words.replace(str(folder), "...")
            violations.append((f"{outcome.kind} {words}", index))
        os.pwrite(at, b"%-12d" % (index + 1), 0)
        if (index + 1 - start) % EACH == 0 or index + 1 == stop:
            line = {
                "counts": counts, "slowest_s": max(times), "total_s": sum(times),
                "violations": violations, "next": index + 1,
            }  # fmt: skip
            print(json.dumps(line), flush=True)
            counts.clear()
            times.clear()
            violations.clear()

    trials.run(reader, seed, range(start, stop), folder, watch, told)


if __name__ == "__main__":
    main()
