"""Wikimedia Commons, Openverse and Flickr, on a server of this machine that answers as they do."""

import email.utils
import json
import time

import pytest
from services import DRIP, DROP, HTML, TORN, Services, status

from toolkit import scrape
from toolkit.errors import SourceError
from toolkit.scrape import Options, flickr, licenses, openverse, wikimedia

KINDS = {"wikimedia": wikimedia, "openverse": openverse, "flickr": flickr}


@pytest.fixture
def services(monkeypatch):
    monkeypatch.setenv("FLICKR_API_KEY", "k3y")
    for name in openverse.CREDENTIALS:
        monkeypatch.delenv(name, raising=False)
    with Services() as here:
        here.files = [here.file(number) for number in range(7)]
        here.results = [here.result(number) for number in range(45)]
        here.photos = [here.photo(number) for number in range(7)]
        yield here


@pytest.fixture
def slept():
    return []


@pytest.fixture
def ask(services, slept):
    """The items a service gives for some words; what differs is said."""

    def asked(kind, words="a b", label="tanks", **options):
        how = Options(endpoints=services.endpoints, allow=("127.0.0.1/32",), **options)
        found = KINDS[kind].items(words, label, how, sleep=slept.append)
        return [one for one in found if isinstance(one, scrape.Item)]

    return asked


def parameters(services):
    return [query for _, query, _ in services.log]


# What comes of it


@pytest.mark.parametrize("kind", KINDS)
def test_licence_creator_and_attribution_end_in_the_manifest_and_nothing_is_asked_for_twice(kind, services):
    options = Options(endpoints=services.endpoints, allow=("127.0.0.1/32",), limit=5)
    wanted = [f"{kind}:some words=a", f"{kind}:others=b"]
    table = scrape.collect(wanted, into="pets", options=options, sleep=lambda _: None).table
    assert table["label"].tolist() == ["a"] * 5 + ["b"] * 5
    assert set(table["source"]) == {kind}
    for column in ("license", "license_url", "creator", "attribution", "title", "page_url"):
        assert table[column].ne("").all(), column
    assert table["license"].str.startswith("CC BY").all()
    asked = len(services.pictures)
    assert asked == 10
    again = scrape.collect(wanted, into="pets", options=options, sleep=lambda _: None).table
    assert len(services.pictures) == asked
    assert again.equals(table)


@pytest.mark.parametrize("kind", KINDS)
def test_the_limit_bounds_the_pictures_and_the_questions(kind, services, ask):
    assert len(ask(kind, limit=2)) == 2
    assert len(services.log) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_who_asks_is_said_with_the_contact_of_the_environment(kind, services, ask, monkeypatch):
    monkeypatch.setenv("TOOLKIT_CONTACT", "ann@example.org")
    ask(kind, limit=1)
    agent = services.log[0][2]["User-Agent"]
    assert agent.startswith("image-classifier-toolkit/") and "(ann@example.org)" in agent


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_label_the_words_are_the_label(kind, ask):
    assert {item.label for item in ask(kind, '"thumbs up"', label="")} == {"thumbs up"}


# What goes wrong


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("code", [401, 403, 404])
def test_a_refusal_is_one_line_and_is_not_repeated(kind, code, services, ask):
    services.always = status(code, b'{"detail": "Not\\nyou."}')
    with pytest.raises(SourceError, match=rf"refused the request \(HTTP {code}: Not you\.\); ") as error:
        ask(kind)
    assert "\n" not in str(error.value) and "k3y" not in str(error.value)
    assert len(services.log) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_too_many_requests_are_followed_by_the_wait_that_is_asked_for(kind, services, ask, slept):
    date = email.utils.formatdate(time.time() + 60, usegmt=True)
    services.faults = [status(429, Retry_After="7"), status(429, Retry_After=date)]
    assert ask(kind)
    assert slept[0] == pytest.approx(7) and slept[1] == pytest.approx(60, abs=3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_wait_longer_than_allowed_ends_the_run_and_says_how_long(kind, services, ask, slept):
    services.always = status(429, Retry_After="86400")
    with pytest.raises(SourceError, match="asks to wait 86400 seconds, more than the limit of 120"):
        ask(kind)
    assert slept == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "fault", [status(500), status(503), DROP, HTML, TORN], ids=["500", "503", "drop", "html", "torn"]
)
def test_a_fault_that_passes_costs_an_attempt_and_one_that_stays_is_told(kind, fault, services, ask, slept):
    services.faults = [fault, fault]
    expected = ask(kind)
    assert expected and len(slept) == 2
    services.always = fault
    with pytest.raises(SourceError, match=r"expected an answer from .*, got none in 4 attempts \(the last: ") as error:
        ask(kind)
    assert "\n" not in str(error.value)


def test_an_answer_that_drips_on_and_on_is_left_at_the_deadline(services, ask):
    services.always = DRIP
    with pytest.raises(SourceError, match="more than 0.3 seconds"):
        ask("openverse", deadline=0.3, tries=2)


def test_a_redirect_behind_the_firewall_is_not_followed(services, ask):
    services.always = {"status": 302, "headers": {"Location": "http://127.0.0.9:9/latest/meta-data"}}
    with pytest.raises(SourceError, match=r"expected Openverse at a public address, got: 127\.0\.0\.9 is at"):
        ask("openverse")


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_of_nothing_but_null_is_no_picture(kind, services, ask):
    for body in (b"null", b"[]", b'"text"'):
        services.always = {"body": body}
        with pytest.raises(SourceError):
            ask(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_found_is_an_error_that_names_the_words(kind, services, ask):
    services.files = services.results = services.photos = []
    with pytest.raises(SourceError, match="expected pictures for purple tank, found none"):
        ask(kind, "purple tank")


@pytest.mark.parametrize("kind", KINDS)
def test_entries_with_null_or_missing_fields_are_passed_over(kind, services, ask):
    make = {"wikimedia": services.file, "openverse": services.result, "flickr": services.photo}[kind]
    whole = make(1)
    odd = [{**whole, name: None} for name in whole] + [{}, None, 3]
    odd += [{name: value for name, value in whole.items() if name != left} for left in whole]
    if kind == "wikimedia":
        info = whole["imageinfo"][0]
        odd += [{**whole, "imageinfo": [{**info, name: None}]} for name in info] + [{**whole, "imageinfo": []}]
        services.files = odd
    elif kind == "openverse":
        services.results = odd
    else:
        services.photos = [one for one in odd if isinstance(one, dict) and one.get("uploaded")]
    assert {item.source_id for item in ask(kind)} == {
        "wikimedia": {"1001"},
        "openverse": {services.result(1)["id"]},
        "flickr": {"5000001"},
    }[kind]


def test_a_continuation_that_runs_in_a_circle_comes_to_an_end(services, ask):
    services.circle = True
    assert len(ask("wikimedia")) == 6
    assert len(ask("openverse")) == 20
    assert len(services.log) == 3 + 2


def test_an_unknown_licence_is_answered_with_those_there_are(ask):
    for kind in KINDS:
        with pytest.raises(SourceError, match="expected licences among cc0, .*, got 'gpl'"):
            ask(kind, licenses=("cc0", "gpl"))


# Wikimedia Commons


def test_a_category_and_a_search_are_asked_for_as_the_service_wants_it(services, ask):
    assert len(ask("wikimedia", "Category:Main_battle_tanks")) == 7
    first, second, third = parameters(services)
    assert (first["generator"], first["gcmtitle"], first["gcmtype"]) == (
        "categorymembers",
        "Category:Main_battle_tanks",
        "file",
    )
    assert first["maxlag"] == "5" and first["iiurlwidth"] == "960"
    assert [second["gcmcontinue"], third["gcmcontinue"]] == ["3", "6"]
    items = ask("wikimedia", '"main battle tank"')
    assert parameters(services)[3]["gsrsearch"] == 'filetype:bitmap "main battle tank"'
    assert parameters(services)[3]["gsrnamespace"] == "6"
    assert [item.source_id for item in items] == [str(1000 + number) for number in range(7)]


def test_a_copy_of_a_width_that_is_kept_is_taken_and_a_narrow_original_itself(services, ask):
    services.files = [services.file(1), services.file(2, width=800)]
    wide, narrow = ask("wikimedia")
    assert wide.url.endswith("/thumb/960px-1.png") and narrow.url.endswith("/commons/2.png")


def test_an_author_is_named_in_plain_words(services, ask):
    item = ask("wikimedia", limit=1)[0]
    assert (item.title, item.creator) == ("Tank 0", "Ann & Co 0")
    assert item.attribution == '"Tank 0" by Ann & Co 0, CC BY-SA 4.0, via Wikimedia Commons'


def test_files_that_are_not_free_or_no_pictures_are_left_out(services, ask):
    names = ["CC0", "Public domain", "CC BY 2.5", "CC BY-NC-SA 2.0", "CC BY-ND 4.0", "", "FAL"]
    services.files = [services.file(number, name) for number, name in enumerate(names)]
    services.files.append(services.file(7, mime="image/svg+xml"))
    services.files.append(services.file(8, "Fair use"))
    services.files[-1]["imageinfo"][0]["extmetadata"]["NonFree"] = {"value": "true"}
    assert [item.license for item in ask("wikimedia")] == ["CC0", "Public domain", "CC BY 2.5", "FAL"]
    assert [item.creator for item in ask("wikimedia", licenses=("cc0", "pdm"))] == ["", ""]


def test_servers_that_are_behind_are_left_in_peace_for_a_while(services, ask, slept):
    words = {"error": {"code": "maxlag", "info": "Waiting for 10.64.32.21: 6.2 seconds lagged.", "lag": 6.2}}
    services.faults = [{"body": json.dumps(words).encode(), "headers": {"Retry-After": "5"}}]
    assert ask("wikimedia")
    assert slept == [5]


def test_an_error_of_the_service_is_told_in_its_words(services, ask):
    words = {"error": {"code": "invalidtitle", "info": 'Bad title "Category:".'}}
    services.always = {"body": json.dumps(words).encode()}
    with pytest.raises(SourceError, match='refused .*: Bad title "Category:"'):
        ask("wikimedia", "Category:")


# Openverse


def test_pages_are_read_until_there_are_no_more_or_no_more_are_shown(services, ask):
    assert len(ask("openverse")) == 45
    assert [query["page"] for query in parameters(services)] == ["1", "2", "3"]
    assert {query["page_size"] for query in parameters(services)} == {"20"}
    services.depth = 2
    assert len(ask("openverse")) == 40


def test_only_the_wanted_licences_are_asked_for(services, ask):
    services.results = [services.result(number, name) for number, name in enumerate(licenses.CREATIVE_COMMONS)]
    names = ["CC0 2.0", "Public Domain Mark 2.0", "CC BY 2.0", "CC BY-SA 2.0"]
    assert [item.license for item in ask("openverse")] == names
    assert parameters(services)[0]["license"] == "cc0,pdm,by,by-sa"
    assert parameters(services)[0]["mature"] == "false"
    assert [item.license for item in ask("openverse", licenses=("by-nc",))] == ["CC BY-NC 2.0"]


def test_an_account_of_the_environment_is_used(services, ask, monkeypatch):
    monkeypatch.setenv("OPENVERSE_CLIENT_ID", "me")
    monkeypatch.setenv("OPENVERSE_CLIENT_SECRET", "right")
    ask("openverse", limit=1)
    assert services.log[0][1]["grant_type"] == "client_credentials"
    assert services.log[1][2]["Authorization"] == "Bearer T0KEN"
    monkeypatch.setenv("OPENVERSE_CLIENT_SECRET", "wrong")
    with pytest.raises(SourceError, match=r"HTTP 401: invalid_client\); check OPENVERSE_CLIENT_ID and") as error:
        ask("openverse")
    assert "wrong" not in str(error.value)


# Flickr


def test_without_a_key_it_is_said_where_one_comes_from(services, ask, monkeypatch):
    monkeypatch.delenv("FLICKR_API_KEY")
    with pytest.raises(SourceError, match="set FLICKR_API_KEY .*flickr.com/services/apps/create"):
        ask("flickr")
    assert services.log == []


def test_a_wrong_key_is_refused_in_the_words_of_the_service(services, ask, monkeypatch):
    monkeypatch.setenv("FLICKR_API_KEY", "bad")
    with pytest.raises(SourceError, match="Flickr refused the request: Invalid API Key"):
        ask("flickr")


def test_licences_are_asked_for_by_flickrs_numbers(services, ask):
    services.photos = [services.photo(number, str(number)) for number in range(11)]
    items = ask("flickr")
    assert parameters(services)[0]["license"] == "4,5,7,8,9,10"
    assert [item.license for item in items][:2] == ["CC BY 2.0", "CC BY-SA 2.0"]
    assert [bool(item.creator) for item in items] == [True, True, True, True, False, False]
    assert items[0].page_url == "https://www.flickr.com/photos/12345678@N00/5000004"
    assert [item.license for item in ask("flickr", licenses=("by-nd",))] == ["CC BY-ND 2.0"]


def test_the_largest_common_size_is_taken_and_others_are_kept_for_need(services, ask):
    services.photos = [services.photo(1, url_o="http://h/o.jpg"), services.photo(2, url_l=None, url_c="http://h/c.jpg")]
    first, second = ask("flickr")
    assert first.fallbacks == ("http://h/o.jpg",) and second.url == "http://h/c.jpg"


@pytest.mark.slow
def test_a_query_with_more_results_than_are_shown_is_divided_by_the_time_of_upload(services, ask):
    services.photos = [services.photo(number) for number in range(4500)]
    assert len({item.source_id for item in ask("flickr")}) == 4500
    assert len(services.log) < 60


def test_a_query_is_not_divided_for_fewer_than_are_shown(services, ask, monkeypatch):
    monkeypatch.setattr(flickr, "MOST", 500)
    services.most, services.photos = 500, [services.photo(number) for number in range(600)]
    assert len(ask("flickr", limit=300)) == 300
    assert len(services.log) == 2
    assert len(ask("flickr")) == 600


def test_a_service_that_is_away_for_a_moment_is_asked_again(services, ask, slept):
    words = {"stat": "fail", "code": 105, "message": "Service currently unavailable"}
    services.faults = [{"body": json.dumps(words).encode()}]
    assert ask("flickr") and len(slept) == 1


# Licences


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("CC BY-SA 4.0", "by-sa"),
        ("cc-by-sa-3.0-de", "by-sa"),
        ("CC BY 2.0", "by"),
        ("CC BY-NC-ND 2.0", "by-nc-nd"),
        ("CC0", "cc0"),
        ("CC0: Public Domain", "cc0"),
        ("Public domain", "pdm"),
        ("PD-self", "pdm"),
        ("https://creativecommons.org/licenses/by/4.0/", "by"),
        ("https://creativecommons.org/publicdomain/mark/1.0/", "pdm"),
        ("GFDL", ""),
        ("All rights reserved, by Ann", ""),
        ("", ""),
    ],
)
def test_a_licence_is_known_by_its_name_or_address(name, code):
    assert licenses.code(name) == code
