"""What the page of the API says is what the service does: asked at random, within the description and beside it."""

import pytest
import schemathesis
from helpers import coloured, encoded
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode, checks
from schemathesis.specs.openapi import checks as openapi

from toolkit import serve
from toolkit.serve import server

CHECKS = [
    checks.not_a_server_error,
    openapi.status_code_conformance,
    openapi.content_type_conformance,
    openapi.response_schema_conformance,
]
MODELS = ("{name}", "{name}/versions/{version}")
ASKING = [
    "POST /predict",
    *(f"POST /v1/models/{model}:predict" for model in MODELS),
    *(f"POST /v2/models/{model}/infer" for model in MODELS),
]
LOOKING = [
    *(f"GET /v1/models/{model}{rest}" for model in MODELS for rest in ("", "/metadata")),
    *(f"GET /v2/models/{model}{rest}" for model in MODELS for rest in ("", "/ready")),
    *(f"GET {path}" for path in ("/healthz", "/metrics", "/readyz", "/v2", "/v2/health/live", "/v2/health/ready")),
]


@pytest.fixture(scope="module")
def schema(exported):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server, "QUIET", 0)
        with serve.open(exported / "small.tflite", serve.Config(port=0, name="pets")) as service:
            yield schemathesis.openapi.from_url(f"{service.url}/openapi.json")


@pytest.mark.slow
def test_all_operations_are_asked(schema):
    assert sorted(found.ok().label for found in schema.get_all_operations()) == sorted(ASKING + LOOKING)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("label", "mode", "count"),
    [(label, mode, 20) for label in ASKING for mode in GenerationMode]
    + [(label, GenerationMode.POSITIVE, 3) for label in LOOKING],
)
def test_whatever_is_sent_the_answer_is_one_that_is_described(schema, label, mode, count):
    case = schema.find_operation_by_label(label).as_strategy(generation_mode=mode)
    seen = set()

    @settings(max_examples=count, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
    @given(case=case)
    def ask(case):
        if label in ASKING:
            right = {"name": "pets", "version": "1"}  # with others it would go no further
            case.path_parameters.update({name: right[name] for name in case.path_parameters})
        answer = case.call()
        seen.add(answer.status_code)
        case.validate_response(answer, checks=CHECKS)
        assert answer.status_code < 500
        assert answer.status_code < 400 or set(answer.json()) == {"error"}

    ask()
    assert seen  # something was sent


@pytest.mark.slow
def test_a_description_that_promises_something_else_would_be_found_out(schema):
    operation = schema.find_operation_by_label("POST /predict")
    case = operation.Case(body=encoded(coloured(0, 1)), media_type="image/*")
    answer = case.call()
    case.validate_response(answer, checks=CHECKS)
    answer.status_code = 418
    with pytest.raises(checks.FailureGroup):
        case.validate_response(answer, checks=CHECKS)
