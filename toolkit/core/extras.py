"""Extras: the optional parts of this package, and the command that installs the one that is missing."""

import json
from importlib.util import find_spec
from pathlib import Path

DISTRIBUTION = "image-classifier-toolkit"
EXTRAS = {  # the extra that brings each module, the smallest one that does
    **dict.fromkeys(("ai_edge_litert", "onnxruntime"), "runtime"),
    "cv2": "predict",
    **dict.fromkeys(("onnx", "tf2onnx"), "export"),
    "distributed": "cluster",
    "kagglehub": "kaggle",
    "pi_heif": "heic",
    "keras_hub": "hub",
    "optuna": "tune",
    **dict.fromkeys(("protego", "selenium"), "page"),
    **dict.fromkeys(("fastapi", "fastapi_offline", "httptools", "prometheus_client", "python_multipart"), "serve"),
    **dict.fromkeys(("starlette", "uvicorn", "uvloop"), "serve"),
    "streamlit": "app",
    "pyarrow": "large",
    **dict.fromkeys(("streamlit_webrtc", "av"), "live"),
    "tensorboard": "tensorboard",
    "upath": "remote",
    **dict.fromkeys(("ipykernel", "ipywidgets", "jupyterlab", "jupyter_client"), "notebooks"),
    **dict.fromkeys(("nbclient", "nbconvert", "nbformat"), "notebooks"),
    **dict.fromkeys(("cleanlab", "imagehash", "jinja2", "keras", "matplotlib", "numba", "pandas", "praw"), "train"),
    **dict.fromkeys(("requests", "scipy", "sklearn", "tensorflow", "threadpoolctl", "urllib3"), "train"),
}


def remedy(module: str) -> str:
    """What to do about a missing module, for the end of a message: install the extra that brings it, if one does.

    >>> remedy("selenium.webdriver")  # doctest: +SKIP
    'install it with `pip install -e ".[page]"`'
    """
    extra = EXTRAS.get(module.partition(".")[0])
    return f"install it with `{command(extra)}`" if extra else "install the package that brings it"


def command(*extras: str) -> str:
    """Extra: the pip command that adds some to this installation, from where the package itself came.

    Not by the package's name alone, which on an index may be somebody else's.

    Args:
        extras: of `pyproject.toml`, such as "train".

    >>> command("page")  # doctest: +SKIP
    'pip install -e ".[page]"'
    """
    wanted = f"[{','.join(extras)}]"
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "pyproject.toml").exists():
        return f'pip install -e "{"." if checkout == Path.cwd() else checkout}{wanted}"'
    origin = _origin()
    return f'pip install "{DISTRIBUTION}{wanted}{f" @ {origin}" if origin else ""}"'


def is_installed(module: str) -> bool:
    """Whether a module is there, without loading it."""
    return find_spec(module) is not None


def _origin() -> str:
    """The file or repository that pip installed this package from (PEP 610); "" if that was an index."""
    from importlib import metadata  # here, so that a program that misses nothing starts at once

    try:
        recorded = json.loads(metadata.distribution(DISTRIBUTION).read_text("direct_url.json") or "{}")
    except (metadata.PackageNotFoundError, ValueError):
        return ""
    system = recorded.get("vcs_info", {})
    prefix, commit = (f"{system['vcs']}+", f"@{system['commit_id']}") if system else ("", "")
    return f"{prefix}{recorded.get('url', '')}{commit}" if recorded.get("url") else ""
