"""The protocols of other servers, kept as their clients write them: versions, outputs, HEAD, proxies, other origins."""

import base64
import contextlib
import json

import pytest
import requests
from helpers import coloured, encoded

from toolkit import serve

PICTURE = encoded(coloured(0, 1, side=48))
TEXT = base64.b64encode(PICTURE).decode()


pytestmark = pytest.mark.usefixtures("stops_at_once")


@pytest.fixture(scope="module")
def service(exported):
    with serve.open(exported / "small.tflite", serve.Config(port=0, sessions=1)) as running:
        yield running.url


@pytest.fixture
def serving(exported):
    """Starts services with other settings, and ends them."""
    with contextlib.ExitStack() as open_services:

        def start(**settings):
            config = serve.Config(port=0, sessions=1, **settings)
            return open_services.enter_context(serve.open(exported / "small.tflite", config)).url

        yield start


def get(url, method="GET", **how):
    return requests.request(method, url, timeout=20, allow_redirects=False, **how)


def post(url, content):
    return requests.post(url, json=content, timeout=20)


def infer(text=TEXT, **more):
    return {"inputs": [{"name": "picture", "shape": [1], "datatype": "BYTES", "data": [text]}], **more}


def test_the_version_that_is_told_can_be_asked_for_in_both_protocols(service):
    (version,) = get(f"{service}/v2/models/small").json()["versions"]
    for base in ("/v2/models/small", "/v1/models/small"):
        place = f"{service}{base}/versions/{version}"
        assert get(place).json() == get(f"{service}{base}").json()
        for more in ("/ready",) if base.startswith("/v2") else ("/metadata",):
            assert get(place + more).json() == get(f"{service}{base}{more}").json()
    asked = {"/v2/models/small{}/infer": infer(), "/v1/models/small{}:predict": {"instances": [{"b64": TEXT}]}}
    for path, content in asked.items():
        plain, pinned = (post(service + path.format(part), content).json() for part in ("", f"/versions/{version}"))
        assert plain == pinned and set(plain) & {"outputs", "predictions"}


@pytest.mark.parametrize(
    "path", ["/v2/models/small/versions/2", "/v1/models/small/versions/2", "/v2/models/x/versions/1"]
)
def test_a_version_or_a_model_that_is_not_there_is_said(service, path):
    answer = get(service + path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_the_outputs_that_are_asked_for_are_given_in_that_order(service):
    def names(*outputs):
        answer = post(f"{service}/v2/models/small/infer", infer(outputs=[{"name": name} for name in outputs]))
        return [(output["name"], len(output["data"])) for output in answer.json()["outputs"]]

    assert names("label") == [("label", 1)]
    assert names("label", "probabilities") == [("label", 1), ("probabilities", 2)]
    assert names() == [("probabilities", 2), ("label", 1)]


def test_an_output_that_is_none_is_refused_with_those_there_are(service):
    answer = post(f"{service}/v2/models/small/infer", infer(outputs=[{"name": "label"}, {"name": "lable"}]))
    assert answer.status_code == 422
    assert "expected outputs of probabilities, label, got 'lable'" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "text",
    [
        base64.encodebytes(PICTURE).decode(),
        TEXT.replace("A", "\r\n\tA"),
        f"data:image/png;base64,{TEXT}",
        f"DATA:image/png;name=a.png;Base64,{TEXT[:76]}\n{TEXT[76:]}",
    ],
)
def test_base64_is_read_in_lines_and_out_of_data_uris(service, text):
    plain = post(f"{service}/v2/models/small/infer", infer()).json()
    assert post(f"{service}/v2/models/small/infer", infer(text)).json() == plain
    predicted = post(f"{service}/v1/models/small:predict", {"instances": [{"b64": text}]})
    assert predicted.json()["predictions"] == [plain["outputs"][0]["data"]]


@pytest.mark.parametrize("text", ["data:image/png,abc", "data:text", "not base64!", "A" * 5])
def test_what_is_no_base64_is_still_said(service, text):
    answer = post(f"{service}/v2/models/small/infer", infer(text))
    assert answer.status_code == 422 and "base64" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/v2/health/live", "/v2/health/ready", "/v2", "/v2/models/small/ready", "/metrics"]
)
def test_head_is_answered_like_get_without_a_body(service, path):
    answer = get(service + path, "HEAD")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == get(service + path).headers["content-type"]


def test_head_of_what_is_not_there_or_takes_no_get_is_no_success(service):
    assert get(f"{service}/nothing", "HEAD").status_code == 404
    assert get(f"{service}/predict", "HEAD").status_code == 405


@pytest.mark.parametrize("path", ["/healthz/", "/v2/models/small/", "/v1/models/small/metadata/"])
def test_a_slash_at_the_end_is_answered_and_not_sent_elsewhere(service, path):
    assert get(service + path).json() == get(service + path.rstrip("/")).json()


@pytest.mark.parametrize("path", ["/", "/docs/", "/nothing/", "/docs/files"])
def test_nobody_is_sent_to_an_absolute_address(service, path):
    answer = get(service + path, headers={"Host": "inside:8000"})
    assert "://" not in answer.headers.get("location", "")


@pytest.mark.slow
@pytest.mark.parametrize("taken_off", [True, False])
def test_behind_a_proxy_all_is_found_below_its_prefix(serving, taken_off):
    url = serving(root_path="/classifier/", token="secret")
    place = url if taken_off else f"{url}/classifier"
    known = {"Authorization": "Bearer secret"}
    assert get(f"{place}/healthz").json() == {"live": True}
    assert get(f"{place}/metrics").status_code == 401
    assert get(f"{place}/metrics", headers=known).status_code == 200
    assert requests.post(f"{place}/predict", data=PICTURE, headers=known, timeout=20).status_code == 200
    assert get(f"{place}/").headers["location"] == "/classifier/docs"
    assert get(f"{place}/openapi.json").json()["servers"] == [{"url": "/classifier"}]
    assert get(f"{url}/classifierx/healthz", headers=known).status_code == 404


def preflight(url, origin):
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    return get(f"{url}/predict", "OPTIONS", headers={"Origin": origin, **asked})


def test_pages_of_other_origins_may_not_ask_unless_told_so(service):
    assert preflight(service, "https://example.org").status_code == 405
    assert "access-control-allow-origin" not in get(f"{service}/healthz", headers={"Origin": "https://a.org"}).headers


def test_pages_of_the_origins_that_are_named_may_ask_and_see_errors_too(serving):
    url = serving(allow_origins=("https://example.org/", "http://localhost:3000"), token="secret")
    for origin in ("https://example.org", "http://localhost:3000"):
        allowed = preflight(url, origin)
        assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, origin)
        assert "authorization" in allowed.headers["access-control-allow-headers"].lower()
        refused = requests.post(f"{url}/predict", data=PICTURE, headers={"Origin": origin}, timeout=20)
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, origin)
    assert "access-control-allow-origin" not in preflight(url, "https://evil.example").headers


@pytest.mark.slow
def test_all_origins_may_be_allowed(serving):
    assert preflight(serving(allow_origins=("*",)), "https://any.example").headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"allow_origins": ("example.org",)}, r"allow_origins such as https://example\.org or \*, got 'example\.org'"),
        ({"root_path": "classifier"}, "root_path such as /classifier, got 'classifier'"),
    ],
)
def test_a_prefix_or_an_origin_that_can_be_none_is_refused(wrong, words):
    with pytest.raises(ValueError, match=words):
        serve.Config(**wrong)


def test_ids_come_back_with_the_outputs_that_were_asked_for(service):
    answer = post(f"{service}/v2/models/small/versions/1/infer", infer(id="7", outputs=[{"name": "label"}]))
    assert json.loads(answer.content)["id"] == "7"
