"""No coalition sees more of any case than it says, under the kit's check of views."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mpc.ring.rings import B8
from mpc.testing import CheckFailed, check_view, words
from protocols.prediction import rows_job as predict
from tests.testing.cases.case import Case, Secrets, View, hold_to_masks, hold_to_view
from tests.testing.cases.core import any_of
from tests.testing.cases.prediction import COLUMNS_TO_ONE, ROWS_TO_ONE
from tests.testing.cases.registry import CASES
from tests.testing.cases.training import traded_and_own_order

LOOKED_AT_WHOLE = ("multiply", "less than", "private statistics")
"""Cases that reveal nothing whose views are compared in `make test` all the same."""

LIKE_ANOTHER = (
    "score check",
    "training, dual",
    "noisy model of rows",
    "noisy model of columns",
    "noisy objective",
    "noisy gradients",
    "private linear regression",
)
"""Cases that open and reveal what another one does, whose view `make test` compares: here it looks round by round."""


def views(*, masks: bool) -> list[Any]:
    """The cases and numbers of owners whose views are compared, or of which `make test` looks at the masks alone.

    Where nothing is revealed, the masks are the proof; the soak compares all views.
    """
    found = []
    for name, case in CASES.items():
        alone = name in LIKE_ANOTHER or (case.view.secrets is None and name not in LOOKED_AT_WHOLE)
        for n in case.view.owners:
            late = n >= case.view.soak_from
            if not masks or (alone and not late):
                marks = [pytest.mark.soak] * (not masks and (alone or late))
                found.append(pytest.param(case, n, id=f"{name}-{n}", marks=marks))
    return found


@pytest.mark.parametrize(("case", "owners"), views(masks=False))
def test_view(case: Case, owners: int) -> None:
    hold_to_view(case, owners)


@pytest.mark.parametrize(("case", "owners"), views(masks=True))
def test_every_word_has_a_mask(case: Case, owners: int) -> None:
    hold_to_masks(case, owners, by_round=case in [CASES[name] for name in LIKE_ANOTHER])


def test_any_set_tells_no_more_than_that_one_is() -> None:
    few = np.zeros(800, dtype=int)
    few[7] = 1
    for owners in (2, 3):
        pairs: Secrets = [([few], [255]), ([1], [3])]
        saw = check_view(any_of, [words(("m",), ring=B8)], owners=owners, secrets=pairs, sizes={"m": 800})
        assert saw.shift < 0.2 and saw.untested == ()


@pytest.mark.soak
@pytest.mark.parametrize("form", ["primal", "dual"])
def test_view_of_a_whole_training_among_three(form: str) -> None:
    """Each pair of them together too, and the masks of all that is sent."""
    case = CASES[f"training, {form}"]
    view = View(
        secrets=traded_and_own_order, sizes=case.view.sizes, structure_sizes={"m": 1, "d": 1}, words=500, shift=0.4
    )
    saw = hold_to_view(replace(case, view=view), 3)
    assert saw.structure is not None and saw.structure.words > 100


# -- of scores that one owner gets: of rows, its own; of split columns, those of the owner that is named

SPLITS = {"": ROWS_TO_ONE, " of split columns": COLUMNS_TO_ONE}
of_both = pytest.mark.parametrize("split", SPLITS, ids=["rows", "columns"])


def look_at(case: Case, secrets: Secrets, coalitions: list[tuple[int, ...]], count: int) -> None:
    check_view(case.protocol, case.inputs, secrets=secrets, coalitions=coalitions, words=count, structure="by round")


@of_both
def test_two_of_three_see_nothing_of_a_class(split: str) -> None:
    case = CASES[f"classes{split}"]
    assert case.view.secrets is not None
    look_at(case, case.view.secrets(3)[:1], [(1, 2)], 40)


@pytest.mark.parametrize(("what", "count"), [("classes", 40), pytest.param("scores", 200, marks=pytest.mark.soak)])
@of_both
def test_nobody_but_its_owner_sees_a_score(split: str, what: str, count: int) -> None:
    """What owners 0 and 1 see, alone and together, while owner 2's scores are others."""
    look_at(CASES[f"{what}{split}"], SPLITS[split], [(0,), (1,), (0, 1)], count)


@of_both
def test_everybody_who_is_sent_all_scores_is_found(split: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict, "_by_owner", lambda found, settings: dict.fromkeys(settings.owners, found))
    with pytest.raises(CheckFailed, match=r"'scores', value 0 as opened to owner0, differs between two secrets"):
        look_at(CASES[f"classes{split}"], SPLITS[split], [(0,), (1,), (0, 1)], 40)
