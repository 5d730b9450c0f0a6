"""A source's licence as an SPDX expression, where it can be told without a lawyer."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from workbench.source.quote import Quote, text_of

if TYPE_CHECKING:
    from workbench.source.stated import Stated

_NAMES = {
    "mit license": "MIT",
    "the mit license": "MIT",
    "expat": "MIT",
    "apache 2": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license version 2.0": "Apache-2.0",
    "apache software license 2.0": "Apache-2.0",
    "new bsd": "BSD-3-Clause",
    "bsd 3-clause": "BSD-3-Clause",
    "bsd 2-clause": "BSD-2-Clause",
    "boost software license": "BSL-1.0",
    "mpl 2.0": "MPL-2.0",
    "gplv3": "GPL-3.0-only",
    "gplv3+": "GPL-3.0-or-later",
    "gplv2+": "GPL-2.0-or-later",
}
"""Names that people give licences, without the words that say nothing, in lower case."""

_CLASSIFIERS = {
    "MIT License": "MIT",
    "Apache Software License": "Apache-2.0",  # the only one that is used since 2004
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Boost Software License 1.0 (BSL-1.0)": "BSL-1.0",
    "ISC License (ISCL)": "ISC",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "zlib/libpng License": "Zlib",
}
"""The classifiers that name one licence; "BSD License" names several."""

_TELLING = {
    "apache license version 2.0": "Apache-2.0",
    "permission is hereby granted, free of charge, to any person obtaining a copy": "MIT",
    "redistribution and use in source and binary forms": "BSD-2-Clause",
    "boost software license - version 1.0": "BSL-1.0",
    "mozilla public license version 2.0": "MPL-2.0",
}
"""Words with which a licence's text is sure to be told from others."""
_THIRD_CLAUSE = re.compile("neither the names? of|may not be used to endorse")


def licence_of(tree: Path, stated: Stated) -> Quote | None:
    """Return a source's licence (SPDX) as it says it itself, else as the text of its licence file; None: unknown."""
    for told in stated.all("License-Expression"):
        if found := _expression(told.text):
            return Quote(found, told.where)
    for told in stated.all("License"):
        if found := _expression(told.text) or _named(told.text):
            return Quote(found, told.where)
    known = [
        Quote(_CLASSIFIERS[name], told.where)
        for told in stated.all("Classifier")
        if told.text.startswith("License ::") and (name := told.text.rpartition(":: ")[2]) in _CLASSIFIERS
    ]
    if len(known) == 1:
        return known[0]
    files = sorted(
        path for path in tree.iterdir() if re.fullmatch(r"(?i)(licen[cs]e|copying)(\.\w+)?", path.name)
    )
    return next(filter(None, (_of_text(path) for path in files if path.is_file())), None)


def _expression(text: str) -> str | None:
    for spelled in (text, text.replace(" ", "-")):
        try:
            return str(canonicalize_license_expression(spelled))
        except InvalidLicenseExpression:
            continue
    return None


def _named(text: str) -> str | None:
    plain = re.sub(r"[\s,]+", " ", text.lower()).strip().removesuffix(" license").removeprefix("the ")
    return _NAMES.get(plain) or _NAMES.get(f"{plain} license")


def _of_text(path: Path) -> Quote | None:
    """Return the licence of a file that holds one, and no other."""
    text = re.sub(r"[\s,]+", " ", text_of(path).lower())
    found = [spdx for words, spdx in _TELLING.items() if words.replace(",", "") in text]
    if len(found) != 1:
        return None
    three = found == ["BSD-2-Clause"] and _THIRD_CLAUSE.search(text)
    return Quote("BSD-3-Clause" if three else found[0], path.name)
