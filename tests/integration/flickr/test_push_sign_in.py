"""Signing in to Flickr to push tags: consent, the account's file, refusals."""

from __future__ import annotations

import stat

import pytest
from flickr_client import clock, flickr  # noqa: F401
from push_makers import (
    Pusher,
    calls,
    code_of,
    pusher,  # noqa: F401
    statuses,
)

from lablr.errors import DownloadError, PushError
from lablr.flickr.account import (
    Account,
    account_file,
    forget_account,
    keep_account,
    read_account,
)
from lablr.flickr.sign_in import SignIn


def test_whoever_consents_is_signed_in_and_kept_in_a_private_file(pusher, tmp_path):
    account, state = pusher.account, tmp_path / "state"
    assert (account.nsid, account.username) == ("7@N01", "zoe")
    assert account.secret not in repr(account)
    assert account.token not in repr(account)
    state.mkdir(exist_ok=True)
    left = state / "flickr-account.partial"  # by a process that was killed
    left.write_text("")
    left.chmod(0o644)
    keep_account(account, state)
    assert stat.S_IMODE(account_file(state).stat().st_mode) == 0o600
    assert read_account(state) == account
    account_file(state).chmod(0o644)
    with pytest.raises(PushError, match="chmod 600"):
        read_account(state)
    assert forget_account(state)
    assert not forget_account(state)
    with pytest.raises(PushError, match="--sign-in"):
        read_account(state)


@pytest.mark.parametrize("text", ["", "{}", '{"nsid": 7}', "[" * 2000, '{"token": 1'])
def test_a_damaged_file_of_the_account_is_said_without_what_it_holds(tmp_path, text):
    account_file(tmp_path).write_text(text)
    account_file(tmp_path).chmod(0o600)
    with pytest.raises(PushError, match=r"damaged; sign in with"):
        read_account(tmp_path)


def test_a_wrong_code_is_refused_and_a_code_is_good_for_once(flickr, clock, tmp_path):
    pusher = Pusher(tmp_path, clock)
    attempt = SignIn(pusher.session())
    assert attempt.page.startswith(f"{flickr.url}/services/oauth/authorize?")
    code = code_of(attempt.page)
    with pytest.raises(PushError, match="does not accept this code"):
        attempt.finish("wrong")
    assert isinstance(attempt.finish(f" {code}\n"), Account)
    with pytest.raises(PushError, match="does not accept this code"):
        SignIn(pusher.session()).finish(code)


def test_a_code_is_not_tried_again(flickr, clock, tmp_path):
    """It is used up once it was exchanged, whatever became of the answer."""
    attempt = SignIn(Pusher(tmp_path, clock).session())
    code = code_of(attempt.page)
    flickr.oauth_fault = "short"
    with pytest.raises(DownloadError, match="sign in again later"):
        attempt.finish(code)
    assert len(flickr.oauth.granted) == 1
    flickr.oauth_fault = None


def test_a_wrong_key_is_said(flickr, clock, tmp_path):
    flickr.oauth.key = "another"
    with pytest.raises(PushError, match="does not accept the API key"):
        SignIn(Pusher(tmp_path, clock).session())


def test_a_revoked_sign_in_ends_the_run(pusher, flickr):
    flickr.oauth.granted.clear()
    with pytest.raises(PushError, match="any more; sign in again"):
        pusher.push(["5001", "5002"], "sunset")
    assert len(flickr.calls) == 1
    pusher.sign_in()
    assert statuses(pusher.push(["5001"], "sunset")) == {"5001": "ok"}


def test_a_sign_in_that_may_only_read_ends_the_run(pusher, flickr):
    flickr.oauth.granted[pusher.account.token].permission = "read"
    with pytest.raises(PushError, match="does not allow changes"):
        pusher.push(["5001", "5002"], "sunset")
    assert len(calls(flickr, "addTags")) == 1
    flickr.oauth.granted[pusher.account.token].permission = "write"
    assert statuses(pusher.push(["5001"], "sunset")) == {"5001": "ok"}
