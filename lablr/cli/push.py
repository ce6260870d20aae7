"""``lablr push``: put accepted tags on one's own photos on Flickr, and undo that."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lablr.cli.messages import fail, print_message, shown
from lablr.cli.options import (
    credentials_option,
    dry_run_option,
    from_environment,
    json_option,
    runs_option,
    state_option,
    undo_option,
)
from lablr.cli.report import Item, Reporter, report_runs

if TYPE_CHECKING:
    from lablr.flickr.account import Account
    from lablr.flickr.push.run import PushOutcome
    from lablr.flickr.session import FlickrSession
    from lablr.metadata import Keyword
    from lablr.metadata.keywords import Origin

# Only tags that a person has seen go to Flickr.
ORIGINS = ("accepted", "typed")
N_NAMED = 5  # photos in a message


@click.command("push")
@click.argument("photos", nargs=-1, metavar="[PHOTO]...")
@click.option(
    "--tags",
    multiple=True,
    metavar="TAG,TAG...",
    help="What to put on each PHOTO.",
)
@click.option(
    "--from",
    "source",
    metavar="FILE",
    help="JSON lines of photos and their accepted tags; - is standard input.",
)
@click.option(
    "--desk",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="FOLDER",
    help="What was accepted and typed at the desk of FOLDER.",
)
@from_environment(
    "LABLR_DATABASE",
    "--database",
    metavar="URL",
    help="Where the desk keeps that.  [default: a file of its own]",
)
@click.option(
    "--origin",
    type=click.Choice(ORIGINS),
    help="What the tags are, for the journal.  [default: typed; of FILE accepted]",
)
@dry_run_option("Say what would change; change nothing.")
@undo_option("Take off the tags that the last run, or RUN, added.")
@runs_option
@click.option("--sign-in", is_flag=True, help="Let Lablr change your photos' tags.")
@click.option("--sign-out", is_flag=True, help="Remove the sign-in from this machine.")
@credentials_option
@state_option
@json_option
def push_command(photos: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Put tags on your own photos on Flickr.

    PHOTO is a photo's number or the address of its page. The tags join those that are
    there; one that is there already, however it is written, is not added again. A photo
    that would get more than 75 tags, is not yours or is not there is named, the others
    go on, and the exit code is 1. --undo takes off what a run added and nothing else.
    Flickr is called at most 3,600 times an hour, downloads included.

    A line of FILE is {"flickr_id": "5001", "tags": ["sea", "new york"]}; "accepted" and
    "typed" may stand instead of "tags", "page" or "link" with the address of the
    photo's page instead of "flickr_id". Suggestions with probabilities, as lablr label
    writes them, are refused: what goes to Flickr has been accepted by a person.

    A photo at the desk (lablr desk FOLDER) is pushed when its file bears the name that
    Flickr gave it, TITLE_NUMBER_o.jpg or NUMBER_SECRET_b.jpg; the others are named.

    Signing in needs an API key, which is found as for lablr download.

    \b
    Examples:
      lablr push --sign-in
      lablr push 53061940521 --tags beach,sunset --dry-run
      lablr push 53061940521 53061940522 --tags 'beach,golden hour'
      lablr push --from accepted.jsonl
      lablr push --desk holiday --dry-run
      lablr push --undo
      lablr push --runs
      lablr push --sign-out

    With --json, each photo is one line:

    \b
      {"photo", "title", "status", "run", "found": [TAG, ...],
       "added" or "removed": [{"tag", "origin"}, ...], "notes": [...]}
      {"photo", "status": "failed", "run", "error": {"code", "message"}}
    """
    _check_usage(photos, options)
    from lablr.metadata import default_state

    state = options["state"] or default_state()
    if options["sign_in"]:
        _sign_in(state, options["credentials"])
    elif options["sign_out"]:
        from lablr.flickr.account import forget_account

        ended = "signed out; your account's settings on Flickr end it there, too"
        print_message(ended if forget_account(state) else "nobody was signed in")
    elif options["lists_runs"]:
        from lablr.flickr.push.run import list_runs

        report_runs(list_runs(state), "photo", as_json, unknown="unsettled")
    elif options["undone"] is not None:
        _undo(state, options, as_json)
    else:
        _push(state, photos, options, as_json)


def _check_usage(photos: tuple[str, ...], options: dict[str, Any]) -> None:
    is_other = [options[name] for name in ("sign_in", "sign_out", "lists_runs")]
    is_other += [options[name] is not None for name in ("undone", "source", "desk")]
    named = bool(photos or options["tags"])
    if sum(is_other) + named != 1 or bool(photos) != bool(options["tags"]):
        raise click.UsageError(
            "give PHOTO... and --tags, or one of --from, --desk, --undo, --runs, "
            "--sign-in, --sign-out"
        )
    if options["dry_run"] and not (named or options["source"] or options["desk"]):
        raise click.UsageError(
            "--dry-run is for pushing: give PHOTO..., --from or --desk"
        )


def _push(
    state: Path, photos: tuple[str, ...], options: dict[str, Any], as_json: bool
) -> None:
    from lablr.flickr.push.run import push

    if options["desk"] is None:
        wanted = _wanted(photos, options)
    else:
        wanted = _wanted_at_desk(state, options)
    session, account = _signed_in(state, options["credentials"])
    dry_run = options["dry_run"]
    outcomes = push(wanted, session, account, state=state, dry_run=dry_run)
    _report(outcomes, len(wanted), "added", as_json)


def _wanted(
    photos: tuple[str, ...], options: dict[str, Any]
) -> dict[str, list[Keyword]]:
    from lablr.flickr.push.wanted import read_photo_id, read_tag, read_wanted

    if options["source"] is None:
        words = [word for option in options["tags"] for word in option.split(",")]
        tags = [read_tag(word, options["origin"] or "typed") for word in words]
        return {read_photo_id(photo): tags for photo in photos}
    origin: Origin = options["origin"] or "accepted"
    if options["source"] == "-":
        return read_wanted(sys.stdin.buffer, origin)
    with Path(options["source"]).open("rb") as file:
        return read_wanted(file, origin)


def _wanted_at_desk(state: Path, options: dict[str, Any]) -> dict[str, list[Keyword]]:
    from lablr.annotation import desk_database, open_database

    own = desk_database(state)
    if not (options["database"] or own.exists()):
        fail(f"no tag was decided at a desk yet: lablr desk {options['desk']}")
    with open_database(options["database"] or str(own), create=False) as database:
        # Imported only here: without the extra, open_database says what is missing.
        from lablr.annotation.desk.desk import open_desk
        from lablr.annotation.desk.flickr_tags import flickr_tags

        desk = open_desk(options["desk"], lambda: database, state)
        wanted, unknown = flickr_tags(desk.photos())
    if unknown:
        some = ", ".join(map(shown, unknown[:N_NAMED]))
        more = f" and {len(unknown) - N_NAMED:,} more" if len(unknown) > N_NAMED else ""
        print_message(f"left out, not named by Flickr: {some}{more}")
    if not wanted:
        fail(
            "nothing to push: no photo at this desk has tags and the name that Flickr "
            "gave it (TITLE_NUMBER_o.jpg)"
        )
    return wanted


def _undo(state: Path, options: dict[str, Any], as_json: bool) -> None:
    from lablr.flickr.push.undoing import undo

    session, account = _signed_in(state, options["credentials"])
    outcomes = undo(session, account, state=state, run=options["undone"] or None)
    _report(outcomes, None, "removed", as_json)


def _signed_in(state: Path, credentials: Path | None) -> tuple[FlickrSession, Account]:
    from lablr.flickr.account import read_account
    from lablr.flickr.session import open_session

    account = read_account(state)
    print_message(f"as {shown(account.username)}")
    return open_session(credentials, account), account


def _sign_in(state: Path, credentials: Path | None) -> None:
    from lablr.flickr.account import account_file, keep_account
    from lablr.flickr.session import open_session
    from lablr.flickr.sign_in import SignIn

    attempt = SignIn(open_session(credentials))
    print_message("open this page, say yes, and type the code that it shows:")
    click.echo(f"  {shown(attempt.page)}", err=True)
    # Asked for, and never an option: a command line can be read by others.
    code = click.prompt("Code", err=True)
    account = attempt.finish(code)
    keep_account(account, state)
    print_message(
        f"signed in as {shown(account.username)}; kept in {account_file(state)}"
    )


def _report(
    outcomes: Iterable[PushOutcome], n_photos: int | None, verb: str, as_json: bool
) -> None:
    report = Reporter(as_json, "ok", "unchanged", "failed")
    undo = "ok: lablr push" if verb == "added" else ""
    report.run(outcomes, n_photos, "pushing tags", partial(_item, verb=verb), undo)


def _item(outcome: PushOutcome, verb: str) -> Item:
    """Show a photo and the difference."""
    kind = outcome.status if outcome.status in ("unchanged", "failed") else "ok"
    record: dict[str, Any] = {"photo": outcome.photo}
    if outcome.error is not None:
        record |= {"status": "failed", "run": outcome.run}
        return Item(outcome.photo, kind, record, error=outcome.error)
    tags = [{"tag": tag, "origin": origin} for tag, origin in outcome.changed]
    record |= {"title": outcome.title, "status": outcome.status, "run": outcome.run}
    record |= {"found": outcome.found, verb: tags, "notes": outcome.notes}
    title = f' "{shown(outcome.title)}"' if outcome.title else ""
    lines = [f"{outcome.photo}{title}: {outcome.status}"]
    sign = "+" if verb == "added" else "-"
    changed = [tag for tag, _ in outcome.changed]
    kept = [tag for tag in outcome.found if sign == "+" or tag not in changed]
    if changed:
        words = [*map(shown, kept), *(sign + shown(tag) for tag in changed)]
        lines.append(f"  {', '.join(words)}")
    return Item(outcome.photo, kind, record, lines, outcome.notes)
