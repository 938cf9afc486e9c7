"""Scenarios that are refused, of every kind: one table of what is changed in a good one, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mpc.errors import UsageError
from parties.tasks.registry import load_any
from tests.parties.scenario.test_file import FULL_BATCH, GOOD, INFERENCE
from tests.parties.shares import OWNERS, write_predict
from tests.parties.tasks.linear import test_run as test_linear
from tests.run.sums import write_sums
from tests.scenario_texts import STATISTICS as STATISTICS_TASK
from tests.scenario_texts import two_owners

Changes = tuple[str, str] | list[tuple[str, str]]
Rows = list[tuple[Changes, list[str]]]

NOT_BUILT = "not available in this version"
WRONG_WEIGHTS = ('"equal"', "[1]", "[1, 2, 3]", "[0, 1]", "[1, 65]", "2")
MANY = "".join(f'[parties.p{i}]\nrole = "owner"\n' for i in range(62))
SAME = 'address = "h:1"\npublic_key = "k"'
BOTH = '"hospital_b", "hospital_a"'

TRAINING: Rows = [
    # what is changed in GOOD, and what the message must hold
    (("seed = 7", "sede = 7"), ["'sede'", "did you mean 'seed'?"]),
    (("schema = 1", "shema = 1"), ["which schema", "'shema'"]),
    (("schema = 1", ""), ["which schema", "schema = 1"]),
    (("schema = 1", "schema = 2"), ["schema 2", "not known"]),
    (("schema = 1", 'schema = "1"'), ['schema "1"', "not known"]),
    (("schema = 1", "schema = true"), ["schema true", "not known"]),
    (('name = "two-hospitals"', ""), ["needs a value for 'name'"]),
    (('name = "two-hospitals"', 'name = "../x"'), ["name must be letters", '"../x"']),
    (("seed = 7", "seed = -1"), ["seed must be a whole number from 0", "-1"]),
    (("seed = 7", f"seed = {2**63}"), ["seed must be a whole number from 0"]),
    (("seed = 7", "seed = 7.0"), ["seed must be a whole number", "7.0"]),
    (("seed = 7", "seed = true"), ["seed must be a whole number", "true"]),
    (("learning_rate = 1", "learning_rat = 1"), ["[task]", "you mean 'learning_rate'?"]),
    (("standardise", "standardize"), ["'standardize'", "'standardise'"]),
    (("seed = 7", "seed = 7\nepochs = 4"), ["'epochs'", "belongs in [task]"]),
    (("seed = 7", "seed = 7\nqqqq = 4"), ["'qqqq'", "name, network"]),
    (("latency_ms", "latency"), ["[network]", "'latency_ms'"]),
    (("latency_ms = 10.0", "latency_ms = -1"), ["[network] latency_ms", "from 0 to 60000", "-1"]),
    (("bandwidth_mbit = 100.0", "bandwidth_mbit = 0"), ["bandwidth_mbit", "from 0.001"]),
    (("bandwidth_mbit = 100.0", "bandwidth_mbit = inf"), ["bandwidth_mbit", "from 0.001", "inf"]),
    (("[network]", '[network]\npreset = "mobil"'), ['[network] preset must be one of "lan"', 'mean "mobile"?']),
    (("[network]", "[network]\njitter_ms = -1"), ["[network] jitter_ms", "from 0 to 60000"]),
    (("[network]", "[network]\nlinks = 3"), ["[network] links must be a table"]),
    (
        ("[network]", "[network.links.helper-hospital_c]\n[network]"),
        ['[network.links.helper-hospital_c] names "hospital_c"', "did you mean 'hospital_"],
    ),
    (("[network]", "[network.links.helper]\n[network]"), ["[network.links.helper] is no link"]),
    (("[network]", "[network.links.helper-helper]\n[network]"), ["[network.links.helper-helper] is no link"]),
    (
        ("[network]", "[network.links.helper-hospital_a]\nlatency = 3\n[network]"),
        ["[network.links.helper-hospital_a] has no setting 'latency'", "'latency_ms'"],
    ),
    (
        ("[network]", "[network.links]\nhelper-hospital_a = {}\nhospital_a-helper = {}\n[network]"),
        ["[network.links.hospital_a-helper] is there a second time"],
    ),
    (
        ("[network]", '[network]\ncuts = [{ link = "helper-hospital_a", at = 1.0 }]'),
        ["[[network.cuts]] needs a value for 'seconds'"],
    ),
    (
        ("[network]", '[network]\ncuts = [{ link = "helpr-hospital_a", at = 1.0, seconds = 2.0 }]'),
        ["names \"helpr\"", "did you mean 'helper'?"],
    ),
    (
        (
            "[network]",
            '[network]\ncuts = [{ link = "helper-hospital_a", at = 1.0, seconds = 2.0 }, '
            '{ link = "hospital_a-helper", at = 2.0, seconds = 2.0 }]',
        ),
        ["cuts helper-hospital_a while it is cut"],
    ),
    (("[network]", "[faults]\nkil = []\n[network]"), ["[faults] has no setting 'kil'", "did you mean 'kill'?"]),
    (("[network]", "[[faults.kill]]\n[network]"), ["[[faults.kill]] needs a value for 'party'"]),
    (
        ("[network]", '[[faults.kill]]\nparty = "helpr"\n[network]'),
        ['[[faults.kill]] names "helpr", which is no party', "did you mean 'helper'?"],
    ),
    (
        ("[network]", '[[faults.stop]]\nparty = "helper"\nstage = "data"\nat = 1.0\n[network]'),
        ["[[faults.stop]] has 'stage' and 'at'", "keep one of them"],
    ),
    (
        ("[network]", '[[faults.stop]]\nparty = "helper"\nlabel = "deal"\nat = 1.0\n[network]'),
        ["[[faults.stop]] has label, which is of messages, and at"],
    ),
    (("[network]", '[[faults.stop]]\nparty = "helper"\nstep = 3\n[network]'), ["[[faults.stop]] has step, and no"]),
    (("[network]", "[[faults.delay]]\n[network]"), ["[[faults.delay]] does not say whose message it is"]),
    (
        ("[network]", '[[faults.drop]]\nlink = "helper-hospital_a"\nparty = "helper"\n[network]'),
        ["[[faults.drop]] has link, and party or to"],
    ),
    (("[network]", '[[faults.drop]]\nlink = "helper"\n[network]'), ['[[faults.drop]] link = "helper" is no link']),
    (
        ("[network]", '[[faults.drop]]\nparty = "helper"\nat = 1.0\n[network]'),
        ["at = 1 does not say which connection is lost", "add link ="],
    ),
    (("[network]", '[[faults.drop]]\nprobability = 2.0\n[network]'), ["probability must be a number above 0, up to 1"]),
    (
        ("[network]", '[[faults.restart]]\nparty = "helper"\n[network]'),
        ["[[faults.restart]] is for clients of a secure sum"],
    ),
    (("[network]", "[faults.clients]\nvanish = 0.1\n[network]"), ["[faults.clients] is for the clients of a"]),
    (("[network]", "[session]\npatience = 0\n[network]"), ["[session] patience", "seconds above 0"]),
    (("[network]", "[session]\npatiance = 1\n[network]"), ["[session]", "'patience'"]),
    (("[network]", "[testing]\ninsecure_seed = -1\n[network]"), ["[testing] insecure_seed", "from 0"]),
    (("seed = 7", "seed = 7\nnetwork = 3"), ["TOML"]),
    (("epochs = 3", "epochs = 0"), ["[task] epochs", "from 1", "not 0"]),
    (("epochs = 3", 'epochs = "3"'), ["[task] epochs", "whole number", 'not "3"']),
    (("epochs = 3", "epochs = 3.5"), ["[task] epochs", "whole number", "3.5"]),
    (("epochs = 3", "epochs = true"), ["[task] epochs", "whole number", "true"]),
    (("epochs = 3", "epochs = 1979-05-27"), ["[task] epochs", "whole number", "a date"]),
    (("batch_size = 64", "batch_size = -64"), ["[task] batch_size", "-64"]),
    (("learning_rate = 1", "learning_rate = 0"), ['learning_rate must be "auto" or a number above 0']),
    (("learning_rate = 1", "learning_rate = nan"), ["a number above 0", "nan"]),
    (("learning_rate = 1", "learning_rate = [1]"), ["learning_rate must be", "a list"]),
    (("l2 = 0", "l2 = -0.5"), ["l2 must be a number from 0 to 1000000"]),
    (("test_fraction = 0.25", "test_fraction = 0.95"), ["test_fraction", "from 0 to 0.9", "0.95"]),
    (("test_fraction = 0.25", "test_fraction = -0.1"), ["test_fraction", "from 0 to 0.9"]),
    (('sigmoid_range = "auto"', "sigmoid_range = 0"), ["sigmoid_range", '"auto"', "up to 245"]),
    (('sigmoid_range = "auto"', "sigmoid_range = 246"), ["sigmoid_range", "246"]),
    (('sigmoid_range = "auto"', 'sigmoid_range = "atuo"'), ["sigmoid_range", '"atuo"']),
    (("standardise = true", "standardise = 1"), ['standardise must be true, false or "private"', "not 1"]),
    (('target = "malignant"', ""), ["[task] needs a value for 'target'"]),
    (('target = "malignant"', 'target = " "'), ["[task] target"]),
    (('kind = "logistic_regression"', ""), ["[task] needs a value for 'kind'"]),
    (('["age", "size"]', "[]"), ["features must be a list of one or more", "an empty list"]),
    (('["age", "size"]', '"age"'), ["features must be a list", '"age"']),
    (('["age", "size"]', '["age", 3]'), ["features must be a list of one or more column names"]),
    (('["age", "size"]', '["age", "malignant"]'), ["lists the target 'malignant'"]),
    (('["age", "size"]', '["age", "patient"]'), ["lists the id 'patient'"]),
    (('["age", "size"]', '["age", "age", "size"]'), ["lists 'age' more than once"]),
    (('id = "patient"', 'id = "malignant"'), ["id and target are both 'malignant'"]),
    (('role = "helper"', 'role = "helpr"'), ["[parties.helper] role", '"owner" or "helper"', '"helpr"']),
    (('role = "helper"', ""), ["[parties.helper] needs a value for 'role'"]),
    (('role = "helper"', 'role = "owner"'), ["2 problems", "no helper"]),
    (('role = "owner"\ndata = "data/a.csv"', 'role = "helper"'), ["3 problems", "one owner", "more than one helper"]),
    (('role = "helper"', 'role = "helper"\ndata = "x.csv"'), ["[parties.helper] has data", "remove 'data'"]),
    (('role = "helper"', 'role = "helper"\nrows = 5'), ["[parties.helper] has rows"]),
    (("[parties.helper]", "[parties.Helper]"), ['"Helper"', "cannot be a party's name", "small letters"]),
    (("[parties.helper]", '[parties."h h"]'), ['"h h"', "cannot be a party's name"]),
    (("[parties.helper]", '[parties.""]'), ["an empty text cannot be a party's name"]),
    (("[parties.helper]", "[parties.1st]"), ['"1st"', "cannot be a party's name"]),
    (('data = "data/a.csv"', 'data = ""'), ["[parties.hospital_a] data"]),
    (('data = "data/a.csv"', "data = 4"), ["[parties.hospital_a] data must be a file's path"]),
    (('data = "data/a.csv"', 'dta = "data/a.csv"'), ["[parties.hospital_a]", "'data'"]),
    (("sql =", "sq =", ), ["2 problems", "[parties.hospital_b.data]", "'sql'"]),
    (('sql = "select * from p"', 'sql = ""'), ["[parties.hospital_b.data] sql"]),
    (('data = "data/a.csv"', 'data = "data\\a.csv"'), ["not valid TOML", "line 7", "write /"]),
    (('data = "data/a.csv"', "rows = 0"), ["[parties.hospital_a] rows", "from 1"]),
    (('data = "data/a.csv"', 'address = "10.0.0.5"'), ["[parties.hospital_a] address", "host:port"]),
    (('data = "data/a.csv"', 'address = "10.0.0.500:1"'), ["address", "host:port"]),
    (('data = "data/a.csv"', 'address = "h:70000"'), ["address", "host:port"]),
    (('data = "data/a.csv"', 'address = "tcp://h:7000"'), ["address", "host:port"]),
    (('data = "data/a.csv"', 'address = "::1:7000"'), ["address", "host:port"]),
    (('data = "data/a.csv"', "public_key = 3"), ["public_key must be the text"]),
    ((BOTH, '"hospital_a"'), ["leaves out 'hospital_b'", "not available"]),
    ((BOTH, '"hospital_a", "hospital_c"'), ['"hospital_c"', "did you mean"]),
    ((BOTH, '"hospital_a", "hospital_b", "helper"'), ["the helper 'helper'", "only owners"]),
    ((BOTH, '"hospital_a", "hospital_b", "hospital_b"'), ["'hospital_b' more than once"]),
    (('["hospital_b", "hospital_a"]', "[]"), ["reveal_to must be a list"]),
    (("[task]", "[tsak]"), ["2 problems", "'tsak'", "did you mean 'task'?"]),
    (("epochs = 3", "epochs = 3\nepochs = 4"), ["not valid TOML", "line 24", "second time"]),
    (("epochs = 3", "epochs 3"), ["not valid TOML", "line 23"]),
    (("epochs = 3", 'missing = "skip"'), ["[task] missing must be", '"drop" or "mean"', '"skip"']),
    (("epochs = 3", 'dates = "years"'), ["[task] dates must be", '"days"', '"years"']),
    (("epochs = 3", "positive = true"), ["[task] positive must be", "true"]),
    (("epochs = 3", 'positive = ""'), ["[task] positive must be", "an empty text"]),
    (("epochs = 3", 'categories = ["size"]'), ["[task] categories must be a table", "[task.categories]"]),
    (("epochs = 3", 'decimal = ","'), ["'decimal'", "belongs in [parties.NAME]"]),
    (("epochs = 3", 'categories.size = "S"'), ["[task.categories] size must be a list of two", '"S"']),
    (("epochs = 3", 'categories.size = ["S"]'), ["[task.categories] size must be a list of two", "one level"]),
    (("epochs = 3", 'categories.size = ["S", ""]'), ["[task.categories] size", "an empty text is none"]),
    (("epochs = 3", 'categories.size = ["S", 1.5]'), ["[task.categories] size", "1.5 is none"]),
    (("epochs = 3", 'categories.size = ["S", "M", "s"]'), ["lists 'S' and 's', which are the same"]),
    (("epochs = 3", 'categories.size = [1, "1.0"]'), ["lists '1' and '1.0', which are the same"]),
    (("epochs = 3", 'categories.sise = ["S", "M"]'), ["names 'sise'", "did you mean 'size'?"]),
    (("epochs = 3", 'categories.malignant = ["S", "M"]'), ["[task.categories] names the target"]),
    (("epochs = 3", 'categories.patient = ["S", "M"]'), ["[task.categories] names the id"]),
    (("epochs = 3", 'categories." " = ["S", "M"]'), ["[task.categories] names a column without a name"]),
    (('data = "data/a.csv"', 'encoding = "ascii"'), ["[parties.hospital_a] encoding must be", '"latin-1"']),
    (('data = "data/a.csv"', 'decimal = ";"'), ["[parties.hospital_a] decimal must be"]),
    (('data = "data/a.csv"', 'thousands = "_"'), ["[parties.hospital_a] thousands must be"]),
    (('data = "data/a.csv"', 'thousands = "."'), ['decimal and thousands are both "."', 'decimal = ","']),
    (('data = "data/a.csv"', 'data = "a.parquet"\ndecimal = ","'), ["has 'decimal'", "not a text file"]),
    (("data = {", 'encoding = "utf-8"\ndata = {'), ["[parties.hospital_b] has 'encoding'", "not a text file"]),
    (('role = "helper"', 'role = "helper"\ndecimal = ","'), ["[parties.helper] has decimal"]),
    (('reveal = ["metrics", "model"]', 'reveal = ["missing"]'), ['with missing = "refuse" there is none', '"drop"']),
    (('reveal = ["metrics", "model"]', 'reveal = ["model", "shap"]'), ['reveal = ["shap"]', NOT_BUILT, "use reveal ="]),
    (('kind = "logistic_regression"', 'kind = "poisson"'), ['kind = "poisson"', NOT_BUILT, '"logistic_regression"']),
    (('["age", "size"]', '["age", "age:male", "age:malignant"]'), ["features lists the target 'malignant'"]),
    (('["age", "size"]', '["age", "age:male", "male:age"]'), ["features lists 'age:male' more than once"]),
    (('solver = "sgd"', 'solver = "sgd"\ntolerance = 0.001'), ["tolerance belongs to the full-batch"]),
    (('solver = "sgd"', 'solver = "auto"'), ["chooses epochs and batch_size and learning_rate itself"]),
    (('"sgd"', '"nestrov"'), ['"sgd", "nesterov"', 'mean "nesterov"?']),
    (("epochs = 3", "compare_ranges = 10"), ["compare_ranges must be true or false", "not 10"]),
    (("epochs = 3", "iterations = 3"), ["iterations belongs to the full-batch solvers", "'epochs'"]),
    *[(("l2 = 0", f"l2 = 0\nclass_weights = {each}"), ["class_weights"]) for each in WRONG_WEIGHTS],
    (
        [('solver = "sgd"', 'solver = "newton"'), ("standardise = true", "standardise = false")],
        ["2 problems", "epochs and batch_size belong", "needs standardised features"],
    ),
    (('role = "helper"', 'role = "server"'), ['role = "server" is for kind = "', '"secure_sum"']),
    (('role = "helper"', 'role = "client"'), ['role = "client" is for kind = "', '"secure_sum"']),
    (("[parties.helper]", MANY + "[parties.helper]"), ["65 parties", "64"]),
    (
        [("learning_rate = 1", 'learning_rate = "auto"'), ("standardise = true", "standardise = false")],
        ['learning_rate = "auto" goes by standardised features', "give a number"],
    ),
    (
        [("epochs = 3", "epoch = 3"), ("seed = 7", "seed = -1"), ("l2 = 0", "l2 = -1")],
        ["3 problems", "'epochs'", "seed must be", "l2 must be"],
    ),
    (
        [('data = "data/a.csv"', SAME), ('role = "helper"', f'role = "helper"\n{SAME}')],
        ["2 problems", "hospital_a and helper have the same address", "hospital_a and helper have the same public_key"],
    ),
]  # fmt: skip

NEWTON: Rows = [
    (("l2 = 0", "batch_size = 64\nl2 = 0"), ['batch_size belongs to solver = "sgd"', "iterations"]),
    (("l2 = 0", "l2 = 0\nmomentum = 1.0"), ["momentum must be a number from 0 to 0.99"]),
    (("l2 = 0", "l2 = 0\ntolerance = 0.0"), ["tolerance must be a number above 0 and up to 1"]),
    (("l2 = 0", "l2 = 0\ntolerance = 1.5"), ["tolerance must be a number above 0 and up to 1"]),
    (('solver = "newton"', 'solver = "auto"\ntolerance = 0.001'), ['solver = "auto" chooses tolerance itself']),
    ([('"newton"', '"auto"'), ("standardise = true", "standardise = false")], ["goes by standardised features"]),
]

WITH_INFERENCE: Rows = [
    (("l2 = 0", "l2 = 0.1"), ["maximum-likelihood fit, and l2 would bias it"]),
    (("l2 = 0", 'l2 = 0\nclass_weights = "balanced"'), ["standard errors would mean nothing"]),
    (("l2 = 0", 'l2 = 0\nsolver = "newton"\niterations = 3'), ["'solver' and 'iterations' have no part"]),
    (("standardise = true", "standardise = false"), ["needs standardised features"]),
    (("l2 = 0", "l2 = 0\nnewton_steps = 1"), ["newton_steps must be a whole number from 2 to 100"]),
    ([('"inference", "metrics"', '"metrics"'), ("l2 = 0", "l2 = 0\nnewton_steps = 9")], ["'newton_steps' goes with"]),
]

STATISTICS: Rows = [
    (("quantiles", "quantile"), ["no setting 'quantile'", "did you mean 'quantiles'?"]),
    (("quantiles = [0.9, 0.5]", "epochs = 3"), ["'epochs' belongs in [task] of kind = \"logistic_regression\""]),
    (("[0.9, 0.5]", "[0.9, 1.0]"), ["quantiles must be a list of numbers between 0 and 1, not of 1.0"]),
    (("[0.9, 0.5]", "[0.5, 0.5]"), ["quantiles lists '0.5' more than once"]),
    (('"sd", "max"', '"sd", "meen"'), ["statistics must be a list of", ', not of "meen"', 'did you mean "mean"?']),
    (('["smoker", "arm"]', '["smoker"]'), ["tables must be a list of pairs of columns", 'not of ["smoker"]']),
    (("[15, 25, 40]", "[15]"), ["two or more edges, from -2^40 to 2^40, which that of 'bmi' is not"]),
    (('by = "sex"', 'by = "sx"'), ["2 problems", "does not list the levels of 'sx'", "did you mean 'sex'?"]),
    (('["smoker", "arm"]', '["smoker", "sex"]'), ["'sex', which `by` keeps apart"]),
    (('["smoker", "arm"]', '["smoker", "smoker"]'), ["'smoker' twice"]),
    (('between = "arm"\n[[task.s', 'between = "sex"\n[[task.s'), ["'sex' is in `between` and in `by`"]),
    (("to = 110", "too = 110"), ["2 problems", "[task.grid] age has no setting 'too'", "did you mean 'to'?"]),
    (("from = 0, to = 110", "from = 120, to = 110"), ["from is not below to"]),
    (("to = 110, step = 1 ", "to = 110, step = 1e-6 "), ["1000000 are the most"]),
    (("age = { from", "agee = { from"), ["names 'agee'", "did you mean 'age'?"]),
    (("months = { from = 0, to = 60, step = 6 }\n", ""), ["[[task.survival]] needs a grid of 'months'"]),
    (("[15, 25, 40]", "[15, 40, 25]"), ["the edges of bmi do not rise"]),
    (
        ('column = "bmi"', 'colum = "bmi"'),
        ["2 problems", "[[task.t_tests]] has no setting 'colum'", "did you mean 'column'?"],
    ),
    (('["age", "bmi"]\ntables', '["age"]\ntables'), ["correlations lists one column"]),
    (('event = "died"', 'event = "age"'), ["takes 'age' for a number and for an event"]),
    (('by = "sex"', 'by = "sex"\nmin_cell = 2'), ["min_cell = 2", "write at least 3, or 0 to tell every cell"]),
    (('by = "sex"', 'by = "sex"\nmin_cell = -1'), ["min_cell must be a whole number from 3 to 1000, or 0"]),
    (('by = "sex"', 'by = "sex"\nmin_cell = 0\ndominance = 60'), ["dominance goes with a min_cell"]),
    (('by = "sex"', 'by = "sex"\ndominance = 101'), ["dominance must be a percentage from 1 to 100"]),
    (('by = "sex"', 'by = "sex"\nmissing_cells = "yes"'), ['missing_cells must be "tested" or "told"']),
    (("arm = [1, 2]", 'arm = [1, 2]\nward = ["x", "y"]'), ["names 'ward', which nothing uses"]),
    ((STATISTICS_TASK, ""), ["asks for no statistics"]),
    ((STATISTICS_TASK, 'columns = ["age"]\nquantiles = [0.5]\n'), ["quantiles need a grid"]),
    ((STATISTICS_TASK, 'columns = ["age"]\nstatistics = ["min", "max"]\n'), ["min and max need a grid"]),
    ((STATISTICS_TASK, 'columns = ["age"]\npartition = "vertical"\n'), ['partition must be "horizontal"']),
    (("to = 110, step = 1 ", "to = 110, step = 0 "), ["age step must be a number from 2^-40 to 2^40, not 0"]),
    (('"statistics"', '"statistic"'), ['use kind = "statistics"']),
]

LINEAR: Rows = [
    (('"missing", "inf', '"model", "inf'), ['reveal must be a list of "inference", "metrics" and "missing"']),
    (('missing = "drop"', "epochs = 3"), ["'epochs' belongs in [task] of kind = \"logistic_regression\""]),
    (('missing = "drop"', 'standardise = "private"'), ["'standardise' belongs in [task] of kind"]),
    (('missing = "drop"', 'missing = "refuse"'), ['with missing = "refuse" there is none']),
    (('missing = "drop"', 'missing = "drop"\ninference = "open-fisher"'), ['"shared" or "open-gram"']),
    (('missing = "drop"', 'missing = "drop"\ntest_fraction = 0.2'), ["holds out rows that nothing would be told of"]),
    (('"missing", "inf', '"metrics", "inf'), ["which are of held-out rows: none is held out"]),
    (('"age:stage"', '"age:stage", "stay"'), ["lists the target 'stay'"]),
    (('stage = ["I", "II"]', 'stag = ["I", "II"]'), ["names 'stag', which is not among", "did you mean 'stage'"]),
    (('missing = "drop"', 'missing = "drop"\nweights = "age"'), ["weights = 'age' is among the features, too"]),
    (('missing = "drop"', 'missing = "drop"\noffset = "stay"'), ["offset = 'stay' is the target, too"]),
    (
        ('missing = "drop"', 'partition = "vertical"'),
        ["4 problems", "needs `id`", "features is for owners with the same"],
    ),
]

CLIENTS, HELPER = "[clients]", '[parties.judge]\nrole = "helper"\n'
SMALL = ("dropout = 0.2", "dropout = 0.2\nmin_cell = 5")

SUMS: Rows = [
    ([('role = "server"\n', 'role = "client"\ndata = "x.csv"\n')], ["there is no server"]),
    ([('[parties.c1]\nrole = "client"\ndata = "c1.csv"', '[parties.c1]\nrole = "server"')], ["more than one server"]),
    ([('role = "client"\ndata = "c1.csv"', 'role = "client"')], ["[parties.c1] does not say where its data are"]),
    ([('role = "server"\n', 'role = "server"\ndata = "x.csv"\n')], ["a server has none"]),
    ([('by = "who"\n', "")], ["[clients] says in no way, or in several, whose a row is"]),
    ([('by = "who"\n', "split = 'quantity'\nalpha = 1")], ['split is not for kind = "secure_sum"']),
    ([("range = [-10, 120]", "range = [5, 5]")], ["[task] range is empty"]),
    ([("range = [-10, 120]", "")], ["[task] needs a value for 'range'"]),
    ([('columns = ["age", "stay"]', 'columns = ["age", "age"]')], ["lists a column more than once"]),
    ([("most_rows = 50", "most_rows = 2000000000"), ("decimals = 2", "decimals = 9")], ["the sums would take"]),
    ([("dropout = 0.2", "dropout = 0.2\nmin_cohort = 13")], ["min_cohort is 13, and there are 12 clients"]),
    ([("dropout = 0.2", "dropout = 0.45\ncorrupt = 0.45\nserver = 'malicious'")], ["12 clients cannot withstand"]),
    ([("dropout = 0.2", "dropout = 0.2\nweight = 'w'")], ["weight and largest_weight go together"]),
    ([("dropout = 0.2", "dropout = 0.2\nweight = 'age'\nlargest_weight = 2")], ["weight is one of the columns"]),
    ([("dropout = 0.2", "dropout = 0.2\nmin_cell = 2")], ["min_cell must be a whole number from 3 to 100"]),
    ([("dropout = 0.2", "dropout = 0.2\nflags = ['age']")], ["there is no min_cell"]),
    ([("dropout = 0.2", "dropout = 0.2\nmin_cell = 5\nflags = ['dead']")], ["flags has 'dead', which is not in"]),
    ([("[-10, 120]", "[2, 120]"), ("0.2", "0.2\nmin_cell = 5\nflags = ['age']")], ["range does not hold both"]),
    ([("dropout = 0.2", "dropuot = 0.2")], ["did you mean 'dropout'?"]),
    ([("[session]", "[sesion]")], ["did you mean 'session'?"]),
    ([("dropout = 0.2", "dropout = 0.2\nrounds = 2")], ["not every `data` has {round} in it"]),
    ([('data = "c1.csv"', 'data = "c1.csv"\naddress = "10.0.0.1:7101"')], ["a client listens nowhere"]),
    ([('role = "server"', 'role = "owner"')], ['role must be "server", "client" or "helper"']),
    ([(CLIENTS, f"{HELPER}{CLIENTS}")], ["and there is no min_cell"]),
    ([(CLIENTS, f"{HELPER}{CLIENTS}"), SMALL, ("range =", "server = 'malicious'\nrange =")], ["could fake the test"]),
    ([(CLIENTS, f"{HELPER}{HELPER.replace('judge', 'jury')}{CLIENTS}"), SMALL], ["more than one helper"]),
    ([(CLIENTS, f"{HELPER}{CLIENTS}"), SMALL, ("range =", "statistics = ['sum']\nrange =")], ["has no counts"]),
    (
        [
            (CLIENTS, f"{HELPER}{CLIENTS}"),
            ("dropout = 0.2", "dropout = 0.2\nmin_cell = 5\nflags = ['age']\nweight = 'w'\nlargest_weight = 3"),
        ],
        ["weighted sums of flags are not numbers of rows"],
    ),
    ([(CLIENTS, f"{HELPER}{CLIENTS}"), ("most_rows = 50", "most_rows = 1\nmin_cell = 50")], ["more than all clients"]),
    ([(CLIENTS, f"{HELPER}address = '10.0.0.1:7101'\n{CLIENTS}"), SMALL], ["a helper listens nowhere"]),
    ([(CLIENTS, f"{HELPER}data = 'x.csv'\n{CLIENTS}"), SMALL], ["has data, but a helper has none"]),
    ([("[parties.server]", "[parties.Server]")], ["cannot be a party's name"]),
]

SPLIT = 'partition = "vertical"\nid = "patient"\n'
KIND = 'kind = "predict"\n'
PREDICT: Rows = [
    ((KIND, KIND + "grid = 0.3\n"), ["grid = 0.3 does not divide 1"]),
    ((KIND, KIND + "grid = 0.0001\n"), ["grid must be a number from 0.001 to 0.5"]),
    ((KIND, KIND + 'grid = 0.1\noutput = "class"\n'), ['grid is for output = "probability"']),
    ((KIND, KIND + 'output = "score"\n'), ['output must be "probability" or "class"']),
    ((KIND, KIND + 'reveal_to = ["hospital_a"]\n'), ['reveal_to goes with partition = "vertical"']),
    ((KIND, KIND + SPLIT), ["needs `reveal_to`: the one owner that gets the scores"]),
    ((KIND, KIND + SPLIT + 'reveal_to = ["hospital_a", "hospital_b"]\n'), ["but scores go to one"]),
    ((KIND, KIND + SPLIT + 'reveal_to = ["hospital"]\n'), ['reveal_to names "hospital", which is no party']),
    ((KIND, KIND + SPLIT + 'reveal_to = ["helper"]\n'), ["reveal_to names the helper 'helper'"]),
    ((KIND, KIND + SPLIT + "reveal_to = []\n"), ["reveal_to must be a list of one owner's name"]),
    ((KIND, KIND + 'partition = "vertical"\nreveal_to = ["hospital_a"]\n'), ["needs `id`"]),
    ((KIND, KIND + "max_rows = 0\n"), ["max_rows must be a whole number"]),
    ((KIND, KIND + 'target = "outcome"\n'), ["'target'"]),
]

KINDS: dict[str, tuple[Callable[[Path], str], Rows]] = {
    "training": (lambda _: GOOD, TRAINING),
    "newton": (lambda _: FULL_BATCH.replace('solver = "sgd"', 'solver = "newton"'), NEWTON),
    "inference": (lambda _: INFERENCE.replace('sigmoid_range = "auto"\n', ""), WITH_INFERENCE),
    "statistics": (lambda _: two_owners("statistics") + STATISTICS_TASK, STATISTICS),
    "linear": (lambda _: test_linear.HEAD + test_linear.FULL, LINEAR),
    "sums": (lambda folder: write_sums(folder).read_text(), SUMS),
    "predict": (lambda folder: write_predict(folder, dict.fromkeys(OWNERS)).read_text(), PREDICT),
}
"""A good scenario of each kind, and what is wrong with it after a change."""

REFUSED = [(kind, changes, says) for kind, (_, rows) in KINDS.items() for changes, says in rows]


def refused(path: Path) -> UsageError:
    """How the scenario is refused."""
    with pytest.raises(UsageError) as caught:
        load_any(path)
    assert caught.value.exit_code == 2
    assert str(path) in str(caught.value) and "pydantic" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(("kind", "changes", "says"), REFUSED, ids=[f"{kind}: {says[-1]}" for kind, _, says in REFUSED])
def test_a_mistake_is_named(tmp_path: Path, kind: str, changes: Changes, says: list[str]) -> None:
    text = KINDS[kind][0](tmp_path)
    for old, new in [changes] if isinstance(changes, tuple) else changes:
        assert old in text, f"the test's own scenario has no {old!r}"
        text = text.replace(old, new)
    path = tmp_path / "s.toml"
    path.write_text(text)
    said = str(refused(path))
    for words in says:
        assert words in said
    assert ("problems" in said) == any("problems" in words for words in says), f"one mistake is one problem: {said}"


NAMED = b'schema = 1\nname = "x"\n'
FILES = [
    (b'schema = 1\nname = "\xe9"\n', ["not UTF-8 text (line 2)"]),
    (bytes(range(1, 128)), ["not valid TOML"]),
    (b"", ["which schema"]),
    (b"a = " + b"[" * 100_000, ["nested too deeply"]),
    (NAMED + b"", ["names no parties", "no [task]"]),
    *[(NAMED + each, []) for each in (b"parties = 3", b"task = 3", b"parties.a = 3", b"network = [1]")],
]
"""Whole files."""


@pytest.mark.parametrize(("text", "says"), FILES, ids=[str(text[:40]) for text, _ in FILES])
def test_a_file_that_is_no_scenario_is_refused(tmp_path: Path, text: bytes, says: list[str]) -> None:
    path = tmp_path / "s.toml"
    path.write_bytes(text)
    said = str(refused(path))
    for words in says:
        assert words in said


def test_many_problems_are_counted_not_listed(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text(GOOD.replace("[network]", "\n".join(f"qq{i} = 1" for i in range(20))))
    error = refused(path)
    assert "problems" in error.message
    assert len(error.points) == 6
    assert "more" in error.points[-1]
