"""The protocols of other servers: Open Inference Protocol v2, and the REST API of TensorFlow Serving."""

import base64
import binascii
import itertools
import math
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, BeforeValidator, Field

import toolkit
from toolkit.model.classifier import Outputs
from toolkit.serve.engine import Engine, Picture
from toolkit.serve.problems import Ascii, Problem, documented

VERSION = "1"  # of a model: there is one
OF_VERSION = "/versions/{version}"
MOST_KEYS = 8  # of an instance
MOST = 10_000  # instances that are validated, before they are refused as too many


class Tensor(BaseModel):
    """Pictures: files in base64 (BYTES, shape [n]), or their pixels (UINT8, shape [n, height, width, 3], RGB)."""

    name: str
    shape: Annotated[list[int], Field(min_length=1, max_length=4)]
    datatype: Literal["BYTES", "UINT8"]
    data: list[Any]


class RequestedOutput(BaseModel):
    """An output that is asked for."""

    name: str


class InferRequest(BaseModel):
    """A request of the Open Inference Protocol; without `outputs` all are given."""

    id: str | None = None
    inputs: Annotated[list[Tensor], Field(min_length=1, max_length=1)]
    outputs: Annotated[list[RequestedOutput], Field(max_length=8)] = []


class Encoded(BaseModel):
    """A file in base64."""

    b64: str


def _few(instance: object) -> object:
    """An instance that has no more keys than any would: an error is made for each."""
    if isinstance(instance, dict) and len(instance) > MOST_KEYS:
        raise ValueError(f"expected one value of an instance, got {len(instance)}")
    return instance


class PredictRequest(BaseModel):
    """A request of TensorFlow Serving."""

    instances: Annotated[
        list[Annotated[Encoded | dict[str, Encoded], BeforeValidator(_few)]], Field(min_length=1, max_length=MOST)
    ]


def routes(engines: Mapping[str, Engine]) -> APIRouter:
    """The routes of both protocols: of each model by its name, and of the one version of it that there is."""

    async def known(name: str) -> None:
        if name not in engines:
            one = "the model" if len(engines) == 1 else "a model of"
            raise Problem(404, f"expected {one} {', '.join(engines)}, got {name}")

    async def current(name: str, version: str) -> None:
        if version != VERSION:
            raise Problem(404, f"expected version {VERSION} of {name}, got {version}")

    router = APIRouter()
    for protocol in (_open_inference, _tensorflow_serving):
        router.include_router(protocol(engines, ""), dependencies=[Depends(known)])
        versioned = protocol(engines, OF_VERSION)
        router.include_router(versioned, dependencies=[Depends(known), Depends(current)])
    return router


def _open_inference(engines: Mapping[str, Engine], version: str) -> APIRouter:
    place, tag = "/v2/models/{name}" + version, "Open Inference Protocol"
    router = APIRouter(route_class=_AnyType, prefix=place, tags=[tag])

    def outputs(name: str) -> list[dict[str, Any]]:
        model = engines[name].model
        probabilities = {"name": "probabilities", "datatype": "FP32", "shape": [-1, len(model.classes)]}
        told = [probabilities, {"name": "label", "datatype": "BYTES", "shape": [-1]}]
        familiarity = {"name": "familiarity", "datatype": "FP32", "shape": [-1]}
        return [*told, familiarity] if model.tells_familiarity else told

    @router.get("", responses=documented(404), summary="What the model takes and gives")
    def metadata(name: str) -> dict:
        inputs = [{"name": "picture", "datatype": "BYTES", "shape": [-1]}]
        facts = {"name": name, "versions": [VERSION], "platform": f"toolkit {toolkit.__version__}"}
        classes = list(engines[name].model.classes)
        return {**facts, "inputs": inputs, "outputs": outputs(name), "parameters": {"classes": classes}}

    @router.get("/ready", responses=documented(404), summary="Whether the model answers")
    def ready(name: str) -> dict:
        return {"name": name, "ready": True}

    @router.post("/infer", response_model=dict, responses=documented(404, 415, 422), summary="Ask the model")
    async def infer(name: str, sent: InferRequest) -> JSONResponse:
        engine, offered = engines[name], outputs(name)
        asked = _asked_for(sent.outputs, [output["name"] for output in offered])
        pictures = _from_tensor(sent.inputs[0], engine.config.max_pictures)
        answers = await _all(engine, pictures)
        probabilities = np.stack([answer.probabilities for answer in answers])
        labels = [engine.model.classes[index] for index in probabilities.argmax(axis=1)]
        values = {"probabilities": probabilities.astype(float).ravel().tolist(), "label": labels}
        values["familiarity"] = [float(answer.familiarity) for answer in answers if answer.familiarity is not None]
        filled = [
            {**output, "shape": [len(pictures), *output["shape"][1:]], "data": values[output["name"]]}
            for output in (offered[index] for index in asked)
        ]
        facts = {"model_name": name, "model_version": VERSION} | ({"id": sent.id} if sent.id is not None else {})
        return Ascii({**facts, "outputs": filled})

    return router


def _tensorflow_serving(engines: Mapping[str, Engine], version: str) -> APIRouter:
    place, tag = "/v1/models/{name}" + version, "TensorFlow Serving"
    router = APIRouter(route_class=_AnyType, prefix=place, tags=[tag])

    @router.get("", responses=documented(404), summary="Whether the model answers")
    def status() -> dict:
        state = {"version": VERSION, "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
        return {"model_version_status": [state]}

    @router.get("/metadata", responses=documented(404), summary="What the model takes and gives")
    def metadata(name: str) -> dict:
        spec = {"name": name, "signature_name": "", "version": VERSION}
        return {
            "model_spec": spec,
            "metadata": {"classes": list(engines[name].model.classes), "input": "b64 of the file of a picture"},
        }

    @router.post(":predict", response_model=dict, responses=documented(404, 415, 422), summary="Ask the model")
    async def predict(name: str, sent: PredictRequest) -> JSONResponse:
        """Each instance is {"b64": …}, or has one value of that kind; each prediction a probability per class."""
        engine = engines[name]
        encoded = [instance if isinstance(instance, Encoded) else _only(instance) for instance in sent.instances]
        _count(len(encoded), engine.config.max_pictures)
        answers = await _all(engine, [_decoded(instance.b64) for instance in encoded])
        return Ascii({"predictions": [answer.probabilities.astype(float).tolist() for answer in answers]})

    return router


class _AnyType(APIRoute):
    """A route whose body is JSON whatever it is said to be: `curl -d` says that it is a form."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def handled(request: Request) -> Response:
            headers = [(name, value) for name, value in request.scope["headers"] if name != b"content-type"]
            return await handler(Request({**request.scope, "headers": headers}, request.receive))

        return handled


async def _all(engine: Engine, pictures: Sequence[Picture]) -> list[Outputs]:
    """The outputs for all pictures; these protocols have no way to report an error of one of them."""
    rows = []
    for index, result in enumerate(await engine.answer(pictures)):
        if isinstance(result, Problem):
            raise Problem(result.status_code, f"picture {index}: {result.detail}", code=result.code, picture=index)
        rows.append(result)
    return rows


def _asked_for(requested: Sequence[RequestedOutput], names: Sequence[str]) -> list[int]:
    """Which outputs to give, in the order asked for."""
    unknown = [output.name for output in requested if output.name not in names]
    if unknown:
        raise Problem(422, f"expected outputs of {', '.join(names)}, got {unknown[0]!r:.80}")
    return [names.index(output.name) for output in requested] or list(range(len(names)))


def _from_tensor(tensor: Tensor, most: int) -> list[Picture]:
    _count(tensor.shape[0], most)
    if tensor.datatype == "BYTES":
        texts = [text for text in tensor.data if isinstance(text, str)]
        if not len(texts) == len(tensor.data) == tensor.shape[0] == math.prod(tensor.shape):
            raise Problem(422, f"expected {tensor.shape[0]} texts of base64 and the shape [n], got {tensor.shape}")
        return [_decoded(text) for text in texts]
    numbers = _whole_numbers(tensor.data)
    if len(tensor.shape) != 4 or tensor.shape[3] != 3 or min(tensor.shape) < 1:
        raise Problem(422, f"expected the shape [n, height, width, 3], got {tensor.shape}")
    if numbers is None or len(numbers) != math.prod(tensor.shape):
        count = f"{len(numbers or tensor.data):,}{'' if numbers else ' of another kind'}"
        raise Problem(422, f"expected {math.prod(tensor.shape):,} whole numbers, got {count}")
    if min(numbers) < 0 or max(numbers) > 255:
        raise Problem(422, "expected numbers from 0 to 255")
    return list(np.array(numbers, np.uint8).reshape(tensor.shape))


def _whole_numbers(data: list[Any]) -> list[int] | None:
    """The numbers of a list, or of lists of lists of the same length; None if one of them is none.

    Looked at one by one before numpy sees them: of texts among them it makes an array as wide as the longest.
    """
    while data and all(isinstance(row, list) for row in data):
        if len({len(row) for row in data}) > 1:
            raise Problem(422, "expected all rows of the data as long as each other")
        data = list(itertools.chain.from_iterable(data))
    return data if data and all(type(number) is int for number in data) else None


def _only(instance: dict[str, Encoded]) -> Encoded:
    if len(instance) != 1:
        raise Problem(422, f"expected one value of an instance, got {len(instance)}")
    return next(iter(instance.values()))


def _decoded(text: str) -> bytes:
    """The bytes of a file in base64, perhaps in lines as `base64 photo.jpg` writes it, or in a data URI."""
    if text[:5].lower() == "data:":
        kind, _, text = text.partition(",")
        if not kind.lower().endswith(";base64"):
            raise Problem(422, f"expected a data URI in base64, got {kind!r:.80}")
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Problem(422, f"expected base64, got: {error}") from error


def _count(pictures: int, most: int) -> None:
    if pictures < 1:
        raise Problem(422, f"expected at least 1 picture, got {pictures}")
    if pictures > most:
        raise Problem(413, f"expected at most {most} pictures, got {pictures}", code="too_many_pictures")
