"""What the practice subreddits hold: posts in Reddit's form, and which files they point at.

Everything follows from (pictures, seed): the same posts, the same bytes. Only the server's address is filled in later.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from random import Random

from toolkit.practice.draw import LABELS
from toolkit.practice.files import KINDS, File

NOW = 1_760_000_000  # the day on which this world stands still, in seconds since 1970
HERE = "{server}"  # stands for the server's address inside the posts
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz23456789"
SIZES = ((640, 480), (480, 640), (500, 500), (800, 600), (900, 506), (320, 240), (426, 240), (270, 360), (200, 200))
BROKEN = ("truncated", "html", "empty", "tiny", "missing", "unavailable once", "text", *["placeholder"] * 4)
FLAIRS = (None, None, "Photo", "Museum", "Show", "My own")
NAMES = ("rusty", "diesel", "gravel", "maple", "quiet", "north", "copper", "polder", "torque", "velvet")


@dataclass(frozen=True)
class Content:
    """Everything the server has: posts by subreddit, newest first, and files by name."""

    posts: dict[str, tuple[dict, ...]]
    files: dict[str, File]


def content(*, pictures: int, seed: int) -> Content:
    """Describe the subreddits practice_cars and practice_tanks with `pictures` distinct plain pictures each."""
    rng = Random(f"practice {pictures} {seed}")
    files: dict[str, File] = {}
    # Pictures that are shown again come from here, so that a repost can be told from the picture it repeats.
    plain = {label: [_plain(label, rng, seed, index, files) for index in range(pictures)] for label in LABELS}
    return Content({f"practice_{label}": _subreddit(label, plain, files, rng, seed) for label in LABELS}, files)


def _name(rng: Random, ending: str) -> str:
    # One letter of either case at the front: a name in small letters would not show that case matters.
    return rng.choice("ABCDEFGH") + rng.choice("abcdefgh") + "".join(rng.choices(LETTERS, k=9)) + "." + ending


def _add(files: dict[str, File], file: File) -> File:
    files[file.name] = file
    return file


def _plain(label: str, rng: Random, seed: int, index: int, files: dict[str, File]) -> File:
    """A picture nobody has posted before; one in fifty shows the other label, as people do."""
    wrong = rng.random() < 0.02
    shown = next(other for other in LABELS if other != label) if wrong else label
    ending = rng.choice(["jpg"] * 7 + ["png", "png", "webp"])
    turned = rng.choice([6, 8]) if ending == "jpg" and rng.random() < 0.06 else 1
    file = File(
        name=_name(rng, ending),
        kind="plain, wrong subreddit" if wrong else "plain",
        label=shown,
        seed=seed * 1_000_000 + index + (500_000 if wrong else 0),
        size=rng.choice(SIZES),
        quality=rng.choice([60, 75, 85, 92]),
        turned=turned,
    )
    return _add(files, file)


def _repost(original: File, rng: Random) -> File:
    """The same picture once more: another quality, another size, or with a little cut off each side."""
    how = rng.choice(["quality", "resized", "cropped"])
    scale = rng.uniform(0.6, 0.85) if how == "resized" else 1.0
    return replace(
        original,
        name=_name(rng, "jpg"),
        kind=f"repost of {original.name} ({how})",
        quality=rng.randint(45, 70),
        turned=1,
        crop=rng.uniform(0.02, 0.04) if how == "cropped" else 0.0,
        size=(max(160, round(original.size[0] * scale)), max(160, round(original.size[1] * scale))),
        source=original.size,
    )


def _subreddit(
    label: str, plain: dict[str, list[File]], files: dict[str, File], rng: Random, seed: int
) -> tuple[dict, ...]:
    """All posts of one subreddit in a shuffled order, newest first."""
    own, other = plain[label], plain[next(name for name in LABELS if name != label)]
    # A post in the wrong subreddit is a plain one: those come first here and are not taken for anything else.
    pool = sorted(own, key=lambda file: file.kind == "plain")
    galleries = [[pool.pop() for _ in range(size)] for size in (3, 2, 4) if len(pool) > 12]
    crossed = [pool.pop() for _ in range(3) if len(pool) > 8]
    odd = [(kind, pool.pop() if len(pool) > 8 else own[0]) for kind in ODD]
    honest = [file for file in own if file.kind == "plain"] or own
    reposts = [_add(files, _repost(rng.choice(honest), rng)) for _ in range(max(1, round(0.08 * len(own))))]
    foreign = [file for file in other if file.kind == "plain"] or other
    reposts.append(_add(files, replace(_repost(rng.choice(foreign), rng), kind="label conflict")))
    broken = [_broken(kind, label, index, rng, seed, files) for index, kind in enumerate(BROKEN)]
    makers: list[Callable[[dict], dict]] = [partial(_image, file=file) for file in [*pool, *reposts, *broken]]
    makers += [partial(_gallery, items=items, rng=rng) for items in galleries]
    makers += [partial(_crosspost, file=file) for file in crossed]
    makers += [partial(_odd, kind=kind, file=file) for kind, file in odd]
    rng.shuffle(makers)
    return tuple(_dress(maker, label, index, rng) for index, maker in enumerate(makers))


def _broken(kind: str, label: str, index: int, rng: Random, seed: int, files: dict[str, File]) -> File:
    ending = {"text": "txt", "placeholder": "png"}.get(kind, "jpg")
    size = (24, 24) if kind == "tiny" else (320, 240)
    return _add(files, File(_name(rng, ending), kind, label, seed * 1_000_000 + 900_000 + index, size))


def _dress(maker: Callable[[dict], dict], label: str, index: int, rng: Random) -> dict:
    """Everything every post has, then what its own kind adds."""
    key = _base36(36**5 + 8192 * rng.randrange(200_000) + 2 * index + LABELS.index(label))  # another world, other posts
    subreddit = f"practice_{label}"
    path = f"/r/{subreddit}/comments/{key}/"
    post = {
        "id": key,
        "name": f"t3_{key}",
        "title": f"{rng.choice(['Found', 'Seen', 'Spotted', 'My', 'Look at this', 'Old photo:'])} {label} {index}",
        "subreddit": subreddit,
        "author": f"{rng.choice(NAMES)}_{rng.choice(NAMES)}{rng.randint(1, 99)}",
        "created_utc": float(NOW - 1800 - int(index**1.6) * 1300),
        "score": int(rng.paretovariate(0.8)),
        "permalink": path,
        "url": f"{HERE}{path}",
        "domain": "127.0.0.1",
        "link_flair_text": rng.choice(FLAIRS),
        "removed_by_category": None,
    }
    post.update(dict.fromkeys(("over_18", "spoiler", "stickied", "is_self", "is_video"), False))
    return maker(post)


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits


def _image(post: dict, file: File) -> dict:
    url = f"{HERE}/i/{file.name}"
    return {**post, "url": url, "url_overridden_by_dest": url, "post_hint": "image"}


def _gallery(post: dict, items: list[File], rng: Random) -> dict:
    """A post of several pictures; its list gives the order, one entry never finished uploading."""
    entries = {file.name.partition(".")[0]: file for file in items}
    metadata = {
        key: {
            "status": "valid",
            "e": "Image",
            "id": key,
            "m": KINDS[file.ending].replace("jpeg", "jpg"),
            "s": {"x": file.size[0], "y": file.size[1], "u": f"{HERE}/i/{file.name}"},
        }
        for key, file in entries.items()
    }
    failed = _name(rng, "x")[:-2]
    order = [{"media_id": key, "id": number} for number, key in enumerate([*entries, failed], start=1)]
    # Metadata comes in no useful order on Reddit either.
    metadata = dict(reversed([*metadata.items(), (failed, {"status": "failed"})]))
    url = f"{HERE}/gallery/{post['id']}"
    media = {"is_gallery": True, "gallery_data": {"items": order}, "media_metadata": metadata}
    return {**post, **media, "url": url, "url_overridden_by_dest": url}


def _crosspost(post: dict, file: File) -> dict:
    """A post that points at one elsewhere; the picture is in the parent only."""
    key = _base36(36**5 + 20_000_000 + int(post["created_utc"]) % 10_000_000)
    place = {
        "id": key,
        "name": f"t3_{key}",
        "subreddit": "practice_museum",
        "permalink": f"/r/practice_museum/comments/{key}/",
    }
    parent = _image({**post, **place}, file)
    return {**post, "crosspost_parent": parent["name"], "crosspost_parent_list": [parent], "url": parent["permalink"]}


def _odd(post: dict, kind: str, file: File) -> dict:
    return {**_image(post, file), **ODD[kind](post)}


ODD: dict[str, Callable[[dict], dict]] = {
    "self": lambda post: {
        "is_self": True,
        "selftext": "What is your favourite?",
        "post_hint": "self",
        **_link(post["url"]),
    },
    "article": lambda post: {"post_hint": "link", **_link(f"{HERE}/article.html")},
    "video": lambda post: {"is_video": True, "post_hint": "hosted:video", **_link(f"{HERE}/v/{post['id']}")},
    "removed by moderator": lambda post: {"removed_by_category": "moderator"},
    "removed by author": lambda post: {"removed_by_category": "deleted", "author": "[deleted]"},
    "over 18": lambda post: {"over_18": True},
    "author gone": lambda post: {"author": "[deleted]"},
    "null gallery": lambda post: {
        "is_gallery": True,
        "gallery_data": None,
        "media_metadata": None,
        "post_hint": None,
        **_link(f"{HERE}/gallery/{post['id']}"),
    },
}


def _link(url: str) -> dict:
    return {"url": url, "url_overridden_by_dest": url}
