"""The local Flickr's people, as flickrapi meets them: consent, signed calls, tags."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

import flickrapi
import pytest
import requests
from flickr_server import KEY, SECRET, Album, FlickrServer, serving
from flickrapi.exceptions import FlickrError

WRONG = "wr0ng"


@pytest.fixture
def server() -> Iterator[FlickrServer]:
    with serving(Album(7)) as running:
        yield running


def client(
    server: FlickrServer, key: str = KEY, secret: str = SECRET
) -> flickrapi.FlickrAPI:
    """The real flickrapi, whose every address leads to the local Flickr."""
    api = flickrapi.FlickrAPI(key, secret, format="parsed-json", store_token=False)
    api.REST_URL = f"{server.url}/services/rest/"
    oauth = api.flickr_oauth
    oauth.session = requests.Session()
    for name in ("request_token", "authorize", "access_token"):
        setattr(oauth, f"{name.upper()}_URL", f"{server.url}/services/oauth/{name}")
    return api


def logged_in(server: FlickrServer, permission: str = "write") -> flickrapi.FlickrAPI:
    """A client to which whoever sits at the browser has said yes."""
    api = client(server)
    api.get_request_token(oauth_callback="http://127.0.0.1:1/back")
    answer = requests.get(api.auth_url(permission), allow_redirects=False, timeout=10)
    place = urlsplit(answer.headers["Location"])
    assert place.geturl().startswith("http://127.0.0.1:1/back?")
    api.get_access_token(dict(parse_qsl(place.query))["oauth_verifier"])
    return api


def tags_of(api: flickrapi.FlickrAPI, photo_id: str) -> dict[str, str]:
    """The tags of a photo: normal form by the tag's number."""
    tags = api.photos.getInfo(photo_id=photo_id)["photo"]["tags"]["tag"]
    return {tag["id"]: tag["_content"] for tag in tags}


def test_whoever_consents_is_logged_in(server: FlickrServer):
    api = logged_in(server)
    token = api.flickr_oauth.token
    assert (token.username, token.fullname, token.user_nsid) == (
        "zoe",
        "Zoë Ek",
        "7@N01",
    )
    assert api.test.login()["user"]["username"]["_content"] == "zoe"
    server.at_browser = "8@N01"
    assert logged_in(server).test.login()["user"]["id"] == "8@N01"
    assert api.test.login()["user"]["id"] == "7@N01"


def test_the_code_may_be_typed(server: FlickrServer):
    api = client(server)
    api.get_request_token(oauth_callback="oob")
    page = requests.get(api.auth_url("read"), timeout=10).text
    api.get_access_token(page.removeprefix("<b>").removesuffix("</b>"))
    assert api.test.login()["stat"] == "ok"


def test_tags_are_added_and_removed(server: FlickrServer):
    api = logged_in(server)
    assert tags_of(api, "5001") == {"7-5001-a": "thesea"}
    added = 'sunset "New York" thesea café'
    assert api.photos.addTags(photo_id="5001", tags=added)["stat"] == "ok"
    tags = tags_of(api, "5001")
    assert [*tags.values()] == ["thesea", "sunset", "newyork", "café"]
    raw = api.photos.getInfo(photo_id="5001")["photo"]["tags"]["tag"]
    assert [tag["raw"] for tag in raw][1:3] == ["sunset", "New York"]
    api.photos.removeTag(tag_id="7-5001-a")
    assert "thesea" not in tags_of(api, "5001").values()
    with pytest.raises(FlickrError, match="Tag not found") as caught:
        api.photos.removeTag(tag_id="7-5001-a")
    assert caught.value.code == 1


def test_a_photo_has_75_tags_at_most(server: FlickrServer):
    api = logged_in(server)
    many = [f"t{n}" for n in range(75)]
    with pytest.raises(FlickrError, match="Maximum"):
        api.photos.addTags(photo_id="5001", tags=" ".join(many))
    assert len(tags_of(api, "5001")) == 1  # a request is carried out whole or not
    api.photos.addTags(photo_id="5001", tags=" ".join(many[:74]))
    assert len(tags_of(api, "5001")) == 75


@pytest.mark.parametrize(
    ("permission", "call", "words", "code"),
    [
        ("read", "addTags", {"photo_id": "5001", "tags": "sea"}, 99),
        ("read", "removeTag", {"tag_id": "7-5001-a"}, 99),
        ("write", "addTags", {"photo_id": "6001", "tags": "sea"}, 99),
        ("write", "addTags", {"photo_id": "9", "tags": "sea"}, 1),
        ("write", "getInfo", {"photo_id": "9"}, 1),
    ],
)
def test_nobody_changes_more_than_they_may(server, permission, call, words, code):
    api = logged_in(server, permission)
    with pytest.raises(FlickrError) as caught:
        getattr(api.photos, call)(**words)
    assert caught.value.code == code
    assert tags_of(api, "5001") == {"7-5001-a": "thesea"}


def test_a_private_photo_is_its_owners(server: FlickrServer):
    assert logged_in(server).photos.getInfo(photo_id="5002")["photo"]["id"] == "5002"
    with pytest.raises(FlickrError, match="Photo not found"):
        client(server).photos.getInfo(photo_id="5002")
    server.at_browser = "8@N01"
    with pytest.raises(FlickrError, match="Photo not found"):
        logged_in(server).photos.getInfo(photo_id="5002")


def test_without_consent_there_is_no_login(server: FlickrServer):
    with pytest.raises(FlickrError, match="not logged in") as caught:
        client(server).test.login()
    assert caught.value.code == 99
    api = client(server)
    api.get_request_token(oauth_callback="oob")
    api.flickr_oauth.requested_permissions = "read"
    with pytest.raises(FlickrError, match="401"):
        api.get_access_token("guessed")


def test_a_request_token_is_good_for_once(server: FlickrServer):
    api = client(server)
    api.get_request_token(oauth_callback="oob")
    code = requests.get(api.auth_url("read"), timeout=10).text[3:-4]
    again = client(server)
    for name in ("resource_owner_key", "resource_owner_secret"):
        setattr(again.flickr_oauth, name, getattr(api.flickr_oauth, name))
    again.flickr_oauth.requested_permissions = "read"
    api.get_access_token(code)
    with pytest.raises(FlickrError, match="401"):
        again.get_access_token(code)


def test_wrong_keys_tokens_and_signatures_are_refused(server: FlickrServer):
    with pytest.raises(FlickrError, match="Invalid API Key") as caught:
        client(server, key="an0ther").photos.getInfo(photo_id="5001")
    assert caught.value.code == 100
    with pytest.raises(FlickrError, match="Invalid signature") as caught:
        client(server, KEY, WRONG).photos.getInfo(photo_id="5001")
    assert caught.value.code == 96
    with pytest.raises(FlickrError, match="401"):
        client(server, KEY, WRONG).get_request_token(oauth_callback="oob")
    api = logged_in(server)
    api.flickr_oauth.resource_owner_secret = WRONG
    with pytest.raises(FlickrError, match="Invalid signature"):
        api.test.login()
    api.flickr_oauth.resource_owner_key = WRONG
    with pytest.raises(FlickrError, match="Invalid auth token") as caught:
        api.test.login()
    assert caught.value.code == 98


def test_a_changed_or_repeated_call_is_refused(server: FlickrServer):
    api = logged_in(server)
    url = f"{server.url}/services/rest/"
    words = {"method": "flickr.photos.addTags", "photo_id": "5001", "tags": "a b+c ü"}
    request = requests.Request("POST", url, data=words, auth=api.flickr_oauth.oauth)
    prepared = request.prepare()
    with requests.Session() as session:
        assert session.send(prepared, timeout=10).json()["stat"] == "ok"
        assert session.send(prepared, timeout=10).json()["code"] == 96
        changed = request.prepare()
        changed.body = changed.body.replace(b"5001", b"5002")
        assert session.send(changed, timeout=10).json()["code"] == 96
