"""What the texts of several tests' small scenarios have in common."""

from __future__ import annotations


def two_owners(kind: str, name: str = "small") -> str:
    """A scenario up to the settings of its task: owners a and b with a file each, and a helper."""
    return f"""schema = 1
name = "{name}"
[parties.a]
role = "owner"
data = "a.csv"
[parties.b]
role = "owner"
data = "b.csv"
[parties.helper]
role = "helper"
[task]
kind = "{kind}"
"""


STATISTICS = """columns = ["age", "bmi"]
statistics = ["count", "sd", "max"]
quantiles = [0.9, 0.5]
by = "sex"
correlations = ["age", "bmi"]
tables = [["smoker", "arm"]]
[task.categories]
sex = ["f", "m"]
smoker = ["never", "current"]
arm = [1, 2]
[task.grid]
age = { from = 0, to = 110, step = 1 }
months = { from = 0, to = 60, step = 6 }
[task.histograms]
bmi = [15, 25, 40]
[[task.t_tests]]
column = "bmi"
between = "arm"
[[task.survival]]
time = "months"
event = "died"
between = "arm"
"""
"""The settings of a task of each statistic."""
