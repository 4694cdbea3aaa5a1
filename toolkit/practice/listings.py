"""Which posts a listing shows, in what order, a page at a time."""

from __future__ import annotations

from toolkit.practice.posts import NOW

PAGE_LIMIT, LISTING_LIMIT = 100, 1000
PERIODS = {"hour": 3600, "day": 86_400, "week": 604_800, "month": 2_678_400, "year": 31_536_000}


def page(posts: list[dict], query: dict[str, str]) -> dict:
    """One page of `posts`, after or before the one named in the query; Reddit shows no more than the first thousand."""
    posts = posts[:LISTING_LIMIT]
    asked = query.get("limit", "25")
    limit = min(PAGE_LIMIT, max(1, int(asked))) if asked.isdecimal() else 25
    names = [post["name"] for post in posts]
    after = query.get("after")
    start = 0 if not after else names.index(after) + 1 if after in names else len(posts)
    if query.get("before") in names:
        start = max(0, names.index(query["before"]) - limit)
    shown = posts[start : start + limit]
    following = shown[-1]["name"] if shown and start + limit < len(posts) else None
    preceding = shown[0]["name"] if shown and start else None
    children = [{"kind": "t3", "data": post} for post in shown]
    data = {"after": following, "before": preceding, "dist": len(shown), "children": children}
    return {"kind": "Listing", "data": data}


def _recent(posts: list[dict], query: dict[str, str]) -> list[dict]:
    age = PERIODS.get(query.get("t", "all"))
    return [post for post in posts if age is None or NOW - post["created_utc"] <= age]


def _search(posts: list[dict], query: dict[str, str]) -> list[dict]:
    term = query.get("q", "").lower()
    flair = term.removeprefix("flair:").strip('"') if term.startswith("flair:") else None
    posts = ORDERS.get(query.get("sort", ""), _recent)(_recent(posts, query), query)
    if flair is not None:
        return [post for post in posts if (post["link_flair_text"] or "").lower() == flair]
    return [post for post in posts if term in post["title"].lower()]


ORDERS = {
    "new": lambda posts, query: posts,
    # A day makes up for a tenfold score, more or less as on Reddit.
    "hot": lambda posts, query: sorted(posts, key=lambda post: -(post["created_utc"] + 20_000 * post["score"] ** 0.5)),
    "rising": lambda posts, query: sorted(posts[:50], key=lambda post: -post["score"]),
    "top": lambda posts, query: sorted(_recent(posts, query), key=lambda post: -post["score"]),
    # On Reddit these are the posts with as many votes for them as against them.
    "controversial": lambda posts, query: sorted(_recent(posts, query), key=lambda post: post["score"]),
    "search": _search,
}
