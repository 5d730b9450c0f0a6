"""``update-readme``: a new long description for wheels that are built."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from workbench import console
from workbench.errors import UsageError
from workbench.files import expect_file, expect_wheels
from workbench.verb import Verb
from workbench.verbs.flags import DryRun, Json, WheelFiles, here, ready_to_sign


@Verb
def update_readme(
    *wheels: WheelFiles,
    file: Annotated[str, "the description: a .md, .rst or .txt file"] = "",
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Give built wheels another long description, without a build."""
    from workbench.publish.redescribing import lines
    from workbench.publish.redescribing import update_readme as update

    if not file:
        raise UsageError("--file is missing: the .md, .rst or .txt file with the description")
    files, text = expect_wheels(wheels), expect_file(Path(file))  # before a passphrase is asked for
    paths, settings = here()
    signer = None if dry_run else ready_to_sign(paths, settings)
    done = update(files, text, signer=signer, dry_run=dry_run)
    if json:
        console.answer_json({"dry_run": dry_run, "wheels": [asdict(each) for each in done]})
        return
    for line in lines(done, dry_run=dry_run):
        console.answer(line)
