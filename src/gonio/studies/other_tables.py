"""The tables that a study's report does not need, written by another process while the report is made.

The process reads the stored results itself: this is faster than to send thousands of small arrays to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gonio.comparison.agreement_groups import Result
from gonio.comparison.agreement_table import write_agreement
from gonio.comparison.values_table import write_values
from gonio.core.errors import InputError
from gonio.studies.processes import Failed, worker_processes
from gonio.studies.store import RecordingTask, Store, decode


@dataclass(frozen=True)
class OtherTables:
    """The study's folder, the fingerprints of its recordings in order, the report's definitions, and the others.

    joint_of  angle without its side -> its joint
    """

    folder: Path
    fingerprints: Mapping[str, str]
    own: str
    other: str
    joint_of: Mapping[str, str]


def write_in_a_process(tables: OtherTables) -> None:
    """Write them in another process, which ends when this one does. Raises `InputError`."""
    with worker_processes(1, write) as measure:
        ((_, outcome),) = measure([RecordingTask("tables", tables)])
    if isinstance(outcome, Failed):
        raise InputError(outcome.reason)


def write(tables: OtherTables) -> tuple[dict[str, Any], dict[str, Any]]:
    """Write the tables, as work without a result. Raises `InputError` if one cannot be written or a result is gone."""
    store = Store(tables.folder)
    stored = {key: store.load(key, fingerprint) for key, fingerprint in tables.fingerprints.items()}
    gone = [key for key, found in stored.items() if found is None]
    if gone:
        raise InputError(f"{store.folder / gone[0]}: changed while the tables were made; run the study again")
    results = [decode(found) for found in stored.values() if found is not None]
    write_others(tables.folder, results, tables.other, tables.own, tables.joint_of)
    return {}, {}


def write_others(folder: Path, results: Sequence[Result], other: str, own: str, joint_of: Mapping[str, str]) -> None:
    """Write all tables but agreement.csv: values.csv, and both by the other definitions. Raises `InputError`."""
    write_agreement(folder, results, other, joint_of, f"_{other}")
    write_values(folder, results, other, joint_of, f"_{other}")
    write_values(folder, results, own, joint_of)
