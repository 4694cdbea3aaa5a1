"""What `--json` prints under each verb, as JSON Schemas: one document, or for what runs long a line of each kind.

A failure is {"error": message} in place of all of it, with exit code 2 (130 when it was interrupted). Further keys may
be added; those here stay.
"""

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": ["number", "null"]}  # null where it was not measured
SHARE: Schema = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
COUNT: Schema = {"type": "integer", "minimum": 0}
ANYTHING: Schema = {}


def record(**properties: Schema) -> Schema:
    """An object that has all of these properties, and perhaps more."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def table(**columns: Schema) -> Schema:
    """A list of objects with these properties."""
    return {"type": "array", "items": record(**columns)}


def each(value: Schema) -> Schema:
    """An object whose every value is such."""
    return {"type": "object", "additionalProperties": value}


def optional(schema: Schema) -> Schema:
    """Such a value, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


COUNTS = record(dataset=TEXT, status=each(each(COUNT)))
GIVEN = {
    "identical": {"type": "array", "items": {"type": "array", "items": TEXT, "minItems": 2}},
    "given": optional(record(test=COUNT, identical=COUNT, near=COUNT)),
}
PICTURES = table(picture=TEXT)
PER_CLASS = each(record(precision=SHARE, recall=SHARE, f1=SHARE, pictures=COUNT))
OPERATING_POINTS = table(
    **{"class": TEXT}, threshold=SHARE, answers=COUNT, precision=SHARE, low=SHARE, high=SHARE, recall=SHARE
)
METRICS = record(
    **dict.fromkeys(("accuracy", "low", "high", "balanced_accuracy", "macro_f1", "ece"), SHARE),
    **dict.fromkeys(("log_loss", "milliseconds", "milliseconds_p95"), NUMBER),
    pictures=COUNT,
    test=TEXT,
    per_class=PER_CLASS,
    familiarity=optional(record(false_alarms=SHARE, low=SHARE, high=SHARE, promised=SHARE, pictures=COUNT)),
    sets=optional(record(coverage=SHARE, low=SHARE, high=SHARE, promised=SHARE, pictures=COUNT, size=NUMBER)),
    confusion=optional({"type": "array", "items": {"type": "array", "items": COUNT}}),
)
COMPARED = {
    "comparison": table(
        run=TEXT,
        dataset=TEXT,
        **dict.fromkeys(("accuracy", "low", "high", "balanced_accuracy", "macro_f1", "ece"), SHARE),
        **dict.fromkeys(
            ("log_loss", "milliseconds", "milliseconds_p95", "memory", "megabytes", "train_seconds"), NUMBER
        ),
        pictures=COUNT,
        size=COUNT,
        start=TEXT,
        parameters=COUNT,
    ),
    "pairs": table(
        first=TEXT, second=TEXT, wins=COUNT, losses=COUNT, p=SHARE, corrected=SHARE, different={"type": "boolean"}
    ),
    "runs": each(record(per_class=optional(PER_CLASS), confusion=ANYTHING)),
    "in_words": TEXT,
}
LEFT_OUT = table(run=TEXT, reason=TEXT)
TRAINED = record(run=TEXT, classes={"type": "array", "items": TEXT}, size=COUNT, history=each({"type": "array"}))
DOUBTS = table(path=TEXT, label=TEXT)
PREDICTED = {
    "anyOf": [
        record(
            picture=TEXT,
            label=TEXT,
            probabilities=each(SHARE),
            entropy=NUMBER,
            abstained={"type": "boolean"},
            familiarity=SHARE,  # null where it is not known, and `familiar` too
            familiar={"type": ["boolean", "null"]},
            set=optional({"type": "array", "items": TEXT}),
        ),
        record(picture=TEXT, error=TEXT),
    ]
}
ADDRESS = record(url=TEXT, address=TEXT)

ERROR = record(error=TEXT)

DOCUMENTS: dict[str, Schema] = {
    "learn": record(dataset=TEXT, run=TEXT, accuracy=SHARE, low=SHARE, high=SHARE, pictures=COUNT),
    "run": record(**COMPARED, report=TEXT),
    "scrape": record(dataset=TEXT, status=each(each(COUNT)), **GIVEN),
    "show": record(
        dataset=TEXT,
        status=each(each(COUNT)),
        provenance=table(source=TEXT, license=TEXT, pictures=COUNT, thumbnails=COUNT),
        left_out=table(status=TEXT, reason=TEXT, pictures=COUNT),
        failed=table(source=TEXT, reason=TEXT, pictures=COUNT),
        sheets={"type": "array", "items": TEXT},
        **GIVEN,
    ),
    "verify": COUNTS,
    "dedup": {
        "anyOf": [
            record(
                dataset=TEXT, status=each(each(COUNT)), leaks=table(path=TEXT, other=TEXT, split=TEXT, other_split=TEXT)
            ),
            record(dataset=TEXT, curve=table(distance=COUNT)),
        ]
    },
    "copies": record(
        pictures=COUNT,
        groups={"type": "array", "items": table(path=TEXT, copy_of=TEXT, identical={"type": "boolean"})},
        unreadable=table(path=TEXT, reason=TEXT),
        warning=TEXT,
    ),
    "resize": COUNTS,
    "quality": record(
        page=TEXT,
        predictors=table(property=TEXT, low=SHARE, high=SHARE, chance=SHARE, p=SHARE, **{"balanced accuracy": SHARE}),
    ),
    "exclude": COUNTS,
    "relabel": COUNTS,
    "split": record(dataset=TEXT, split=each(each(COUNT)), given=GIVEN["given"]),
    "train": {"anyOf": [TRAINED, {"type": "array", "items": TRAINED}]},
    "crossval": record(
        accuracy=SHARE,
        low=SHARE,
        high=SHARE,
        folder=TEXT,
        folds=table(fold=COUNT, pictures=COUNT, accuracy=SHARE),
        by=optional(
            record(
                column=TEXT,
                accuracy=SHARE,
                low=SHARE,
                high=SHARE,
                p=SHARE,
                folder=TEXT,
                values=table(value=TEXT, pictures=COUNT, usual=SHARE, without=SHARE, low=SHARE, high=SHARE),
            )
        ),
    ),
    "labels": record(suspects=table(path=TEXT, label=TEXT, suggested=TEXT, score=SHARE, reason=TEXT)),
    "enough": record(
        times=NUMBER,
        in_words=TEXT,
        curve=table(pictures=NUMBER, accuracy=SHARE, low=SHARE, high=SHARE),
        forecast=table(pictures=COUNT, now=SHARE, then=SHARE, low=SHARE, high=SHARE, **{"class": TEXT}),
        regions=table(
            pictures=COUNT,
            label=TEXT,
            of_label=COUNT,
            wrong=COUNT,
            doubt=SHARE,
            apart=NUMBER,
            paths={"type": "array", "items": TEXT},
        ),
    ),
    "blame": record(
        since=TEXT,
        changes=table(path=TEXT, change=TEXT, was=TEXT, label=TEXT, batch=TEXT),
        counts=table(batch=TEXT, pictures=COUNT),
        batches=table(
            batch=TEXT, pictures=COUNT, effect=NUMBER, low=NUMBER, high=NUMBER, accuracy=NUMBER, verdict=TEXT
        ),
        in_words=TEXT,
    ),
    "drift": record(
        pictures=COUNT,
        test=COUNT,
        unreadable=COUNT,
        measures=table(measure=TEXT, test=NUMBER, came=NUMBER, p=SHARE, corrected=SHARE, different={"type": "boolean"}),
        answers=each(record(test=SHARE, came=SHARE)),
        in_words=TEXT,
    ),
    "tune": record(best=record(accuracy=SHARE, loss=NUMBER), config=TEXT, trials=COUNT),
    "evaluate": each({**METRICS, "properties": {**METRICS["properties"], "operating_points": OPERATING_POINTS}}),
    "compare": record(**COMPARED, left_out=LEFT_OUT),
    "explain": record(picture=TEXT, labels={"type": "array", "items": TEXT}, answers={"type": "array", "items": TEXT}),
    "failures": {
        "type": "object",
        "properties": {"disagreements": table(path=TEXT, label=TEXT, wrong=COUNT)},
        "additionalProperties": record(**{"surest mistakes": DOUBTS, "most hesitant": DOUBTS}),
    },
    "robustness": each(
        record(
            curves=table(disturbance=TEXT, level=NUMBER, accuracy=SHARE, low=SHARE, high=SHARE, pictures=COUNT),
            nonsense=each(SHARE),
        )
    ),
    "predict": {
        "anyOf": [
            {"type": "array", "items": PREDICTED},
            record(written={"type": "array", "items": TEXT}, pictures=COUNT, answers=each(COUNT)),
        ]
    },
    "export": each(record(format=TEXT, file=optional(TEXT), reason=TEXT, accuracy=SHARE, megabytes=NUMBER)),
    "credits": record(credits=TEXT, **{"to name": COUNT, "no known licence": COUNT}),
    "report": record(report=TEXT, runs={"type": "array", "items": TEXT}, left_out=LEFT_OUT),
    "prune": table(path=TEXT, label=TEXT, reason=TEXT),
    "notebooks": record(notebooks={"type": "array", "items": TEXT}),
    "completion": record(script=TEXT),
    "demo": record(**COMPARED, prediction=TEXT, notebooks=TEXT, report=TEXT),
}
LINES: dict[str, tuple[Schema, ...]] = {  # the first as soon as it can be asked
    "serve": (
        record(
            url=TEXT,
            model=TEXT,
            classes={"type": "array", "items": TEXT},
            models=each({"type": "array", "items": TEXT}),
        ),
    ),
    "app": (ADDRESS,),
    "label": (ADDRESS, record(dataset=TEXT, status=each(each(COUNT)), learned={"type": "boolean"})),
    "review": (ADDRESS, record(dataset=TEXT, status=each(each(COUNT)), marked=COUNT)),
}
