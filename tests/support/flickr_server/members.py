"""People on the local Flickr, their photos, and the calls that only they may make.

Sources: https://www.flickr.com/services/api/flickr.photos.addTags.html ("if [...]
adding all of the tags for this request would go over the limit, the whole request is
ignored"), flickr.photos.removeTag.html ("it belongs to someone else, or doesn't
exist"), flickr.photos.getInfo.html and flickr.test.login.html
"""

from __future__ import annotations

import itertools
import re
import shlex
from dataclasses import dataclass, field

from flickr_server.oauth import PERMISSIONS, Refused, Token
from lablr.tags import normalize

__all__ = ["Member", "Members", "OwnPhoto"]

Answer = dict[str, object]
MAX_TAGS = 75
MACHINE = re.compile(r"(\w+:\w+=)(.+)")


def form_of(raw: str) -> str:
    """Return what Flickr shows of a tag; a machine tag keeps its first two parts."""
    machine = MACHINE.fullmatch(raw)
    return machine[1].lower() + normalize(machine[2]) if machine else normalize(raw)


@dataclass
class OwnPhoto:
    """A photo in somebody's stream.

    tags : raw texts by the number of the tag.
    authors : who made a tag, where that was not the owner.
    may_add : who else may add tags to it.
    """

    id: str
    title: str = ""
    is_public: bool = True
    tags: dict[str, str] = field(default_factory=dict)
    authors: dict[str, str] = field(default_factory=dict)
    may_add: set[str] = field(default_factory=set)


@dataclass
class Member:
    """Somebody with a stream of photos."""

    nsid: str
    username: str
    fullname: str
    photos: list[OwnPhoto] = field(default_factory=list)


class Members:
    """Everybody, and what they may do with the photos of whom."""

    def __init__(self, *members: Member) -> None:
        self.all = {member.nsid: member for member in members}
        self._numbers = itertools.count(1)

    def answer(self, call: dict[str, str], token: Token) -> Answer | None:
        """Answer a call with its token; None for other methods. Raises Refused."""
        answers = {
            "flickr.test.login": self._login,
            "flickr.photos.getInfo": self._info,
            "flickr.photos.addTags": self._add_tags,
            "flickr.photos.removeTag": self._remove_tag,
        }
        answer = answers.get(call["method"])
        return answer(call, token) if answer else None

    def _login(self, call: dict[str, str], token: Token) -> Answer:
        member = self._caller(token, "read")
        name = {"_content": member.username}
        return {"user": {"id": member.nsid, "username": name}, "stat": "ok"}

    def _info(self, call: dict[str, str], token: Token) -> Answer:
        owner, photo = self._photo(call, token)
        tags = [
            {
                "id": tag_id,
                "author": photo.authors.get(tag_id, owner.nsid),
                "authorname": owner.username,
                "raw": raw,
                "_content": form_of(raw),
                "machine_tag": int(bool(MACHINE.fullmatch(raw))),
            }
            for tag_id, raw in photo.tags.items()
        ]
        names = {"username": owner.username, "realname": owner.fullname}
        info = {
            "id": photo.id,
            "owner": {"nsid": owner.nsid, **names},
            "title": {"_content": photo.title},
            "visibility": {"ispublic": int(photo.is_public)},
            "tags": {"tag": tags},
        }
        return {"photo": info, "stat": "ok"}

    def _add_tags(self, call: dict[str, str], token: Token) -> Answer:
        member = self._caller(token, "write")
        owner, photo = self._photo(call, token)
        if owner is not member and member.nsid not in photo.may_add:
            raise Refused(99, "Insufficient permissions", "permission_denied")
        words = shlex.shlex(call["tags"], posix=True, punctuation_chars=False)
        words.whitespace_split, words.quotes, words.commenters = True, '"', ""
        # A tag that is there already stays as it is.
        known = {form_of(raw) for raw in photo.tags.values()}
        new = {form_of(word): word for word in words}
        raws = [raw for tag, raw in new.items() if tag not in known]
        if len(photo.tags) + len(raws) > MAX_TAGS:
            raise Refused(2, "Maximum number of tags reached", "")
        for raw in raws:
            tag_id = f"7-{photo.id}-{next(self._numbers)}"
            photo.tags[tag_id], photo.authors[tag_id] = raw, member.nsid
        return {"stat": "ok"}

    def _remove_tag(self, call: dict[str, str], token: Token) -> Answer:
        for photo in self._caller(token, "write").photos:
            if photo.tags.pop(call.get("tag_id", ""), None):
                return {"stat": "ok"}
        raise Refused(1, "Tag not found", "")

    def _caller(self, token: Token, permission: str) -> Member:
        if not token.member:
            raise Refused(99, "User not logged in", "permission_denied")
        if PERMISSIONS.index(token.permission) < PERMISSIONS.index(permission):
            raise Refused(99, "Insufficient permissions", "permission_denied")
        return self.all[token.member]

    def _photo(self, call: dict[str, str], token: Token) -> tuple[Member, OwnPhoto]:
        """Return a photo that the caller may see, and whose it is."""
        for owner in self.all.values():
            for photo in owner.photos:
                seen = photo.is_public or owner.nsid == token.member
                if photo.id == call.get("photo_id") and seen:
                    return owner, photo
        raise Refused(1, "Photo not found", "")
