"""An XMP packet as text: reading its lists of tags, and adding to them.

What is added is spliced into the text; every other byte stays, so that a person's
sidecar keeps its layout, its comments and what Lablr does not understand. The text is
walked by expat with a DOCTYPE refused, so no entity is ever expanded.

Sources: XMP specification part 1 (ISO 16684-1), chapter 7; XML 1.0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from lablr.errors import WritingError
from lablr.metadata.keywords import DIGIKAM, XMP_LISTS, Lists

NAMESPACES: Mapping[str, str] = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "digiKam": "http://www.digikam.org/ns/1.0/",
    "lablr": "urn:lablr:keywords:1.0/",
    "lr": "http://ns.adobe.com/lightroom/1.0/",
}
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
MAX_BYTES = 16 << 20

EMPTY_PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">\n'
    f' <rdf:RDF xmlns:rdf="{RDF}">\n'
    " </rdf:RDF>\n"
    "</x:xmpmeta>\n"
    '<?xpacket end="w"?>\n'
).encode()

_Name = tuple[str, str]


_LISTS: Mapping[_Name, str] = {
    (NAMESPACES[prefix], local): f"{prefix}:{local}"
    for prefix, _, local in (name.partition(":") for name in XMP_LISTS)
}


@dataclass
class _Tag:
    """An element as it stands in the text: its start, and its end tag's place."""

    name: _Name
    prefix: str
    start: int
    n_children: int = 0
    end: int = -1

    def qualified(self, local: str) -> str:
        """Return a name with this element's prefix."""
        return f"{self.prefix}:{local}" if self.prefix else local


@dataclass
class _Walk:
    """The findings of a walk through a packet."""

    lists: dict[str, list[str]] = field(default_factory=dict)
    containers: dict[str, _Tag] = field(default_factory=dict)
    rdf: _Tag | None = None
    about: str = ""
    _open: list[_Tag] = field(default_factory=list)
    _property: str | None = None
    _text: list[str] = field(default_factory=list)

    def start(self, tag: _Tag, attributes: Mapping[_Name, str]) -> None:
        """Meet a start tag."""
        above = [other.name for other in self._open]
        if self._open:
            self._open[-1].n_children += 1
        self._open.append(tag)
        if tag.name == (RDF, "RDF") and self.rdf is None:
            self.rdf = tag
        elif above and above[-1] == (RDF, "RDF"):
            self.about = attributes.get((RDF, "about"), self.about)
            for name in attributes.keys() & _LISTS.keys():
                raise _no_list(_LISTS[name])
        elif above[-2:-1] == [(RDF, "RDF")]:
            self._property = _LISTS.get(tag.name)
        elif above[-3:-2] == [(RDF, "RDF")] and self._property:
            if tag.name not in ((RDF, "Bag"), (RDF, "Seq"), (RDF, "Alt")):
                raise _no_list(self._property)
            self.lists.setdefault(self._property, [])
            self.containers.setdefault(self._property, tag)
        self._text.clear()

    def end(self, place: int) -> None:
        """Meet an end tag."""
        tag = self._open.pop()
        tag.end = place
        above = [other.name for other in self._open]
        if above[-2:-1] == [(RDF, "RDF")]:
            if self._property and self._property not in self.lists:
                raise _no_list(self._property)
            self._property = None
        elif self._property and above[-4:-3] == [(RDF, "RDF")]:
            self.lists[self._property].append("".join(self._text))
        self._text.clear()

    def text(self, part: str) -> None:
        """Meet text, or a part of it."""
        self._text.append(part)

    def root(self) -> _Tag:
        """Return rdf:RDF; raises WritingError when there is none."""
        if self.rdf is None:
            raise WritingError("it holds XML, but no XMP")
        return self.rdf


def read_lists(packet: bytes) -> Lists:
    """Return the lists of tags that an XMP packet holds, by their names.

    Raises WritingError for what is no XMP in UTF-8, has a DOCTYPE or more than 16 MiB,
    or keeps tags in another form than a list.
    """
    return {name: tuple(items) for name, items in _walk(packet).lists.items()}


def add_to_lists(packet: bytes, to_lists: Lists) -> bytes:
    """Return the packet with these tags behind those of its lists.

    Names of lists outside XMP are left out. Raises WritingError as `read_lists` does.
    """
    found = _walk(packet)
    splices: list[tuple[int, int, str]] = []
    missing: dict[str, Sequence[str]] = {}
    for name in XMP_LISTS:
        items = to_lists.get(name, ())
        if items and name in found.containers:
            splices.append(_splice_items(packet, found.containers[name], items))
        elif items:
            missing[name] = items
    if missing:
        splices.append(_splice_lists(packet, found.root(), found.about, missing))
    for start, end, text in sorted(splices, reverse=True):
        packet = packet[:start] + text.encode() + packet[end:]
    return packet


def _walk(packet: bytes) -> _Walk:
    if len(packet) > MAX_BYTES:
        raise WritingError(f"its XMP has more than {MAX_BYTES >> 20} MiB")
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.namespace_prefixes = True
    walk = _Walk()

    def start(name: str, attributes: Mapping[str, str]) -> None:
        parts, prefix = _split(name)
        own = {_split(key)[0]: value for key, value in attributes.items()}
        walk.start(_Tag(parts, prefix, parser.CurrentByteIndex), own)

    def declare(version: str, encoding: str | None, standalone: int) -> None:
        if encoding and encoding.lower() not in ("utf-8", "us-ascii"):
            raise WritingError(f"its XMP is in {encoding}, and not in UTF-8")

    parser.StartElementHandler = start
    parser.EndElementHandler = lambda name: walk.end(parser.CurrentByteIndex)
    parser.CharacterDataHandler = walk.text
    parser.XmlDeclHandler = declare
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        packet.decode("utf-8")
        parser.Parse(packet, True)
    except (UnicodeDecodeError, expat.ExpatError) as error:
        raise WritingError(f"its XMP cannot be read: {error}") from error
    walk.root()
    return walk


def _split(name: str) -> tuple[_Name, str]:
    """Split expat's "namespace local prefix"; namespace and prefix may be missing."""
    parts = name.split(" ")
    if len(parts) == 1:
        return ("", name), ""
    return (parts[0], parts[1]), "".join(parts[2:])


def _refuse_doctype(*declared: object) -> None:
    raise WritingError("its XMP has a DOCTYPE, which XMP must not have")


def _no_list(name: str) -> WritingError:
    return WritingError(f"its XMP keeps {name} in a form that is not a list")


def _splice_items(
    packet: bytes, container: _Tag, items: Sequence[str]
) -> tuple[int, int, str]:
    """Return where the items go behind the last of a list, and their text."""
    space = _space_before(packet, container.end)
    item = container.qualified("li")
    step = " " if space else ""
    text = "".join(f"{step}<{item}>{escape(one)}</{item}>{space}" for one in items)
    return _inside(packet, container, text)


def _splice_lists(
    packet: bytes, rdf: _Tag, about: str, lists: Lists
) -> tuple[int, int, str]:
    """Return where a description of new lists goes, and its text."""
    prefixes = sorted({name.split(":")[0] for name in lists})
    lines = [f" <rdf:Description rdf:about={quoteattr(about)}"]
    if rdf.prefix != "rdf":
        lines.append(f'   xmlns:rdf="{RDF}"')
    lines += [f'   xmlns:{prefix}="{NAMESPACES[prefix]}"' for prefix in prefixes]
    lines[-1] += ">"
    for name, items in lists.items():
        # The order of digiKam's list is kept by digiKam; the others are sets.
        container = "rdf:Seq" if name == DIGIKAM else "rdf:Bag"
        lines += [f"  <{name}>", f"   <{container}>"]
        lines += [f"    <rdf:li>{escape(item)}</rdf:li>" for item in items]
        lines += [f"   </{container}>", f"  </{name}>"]
    lines.append(" </rdf:Description>")
    space = _space_before(packet, rdf.end) or "\n"
    return _inside(packet, rdf, space.join(lines) + space)


def _inside(packet: bytes, tag: _Tag, text: str) -> tuple[int, int, str]:
    """Return the splice that puts text before the end tag, even if there is none."""
    if tag.n_children == 0 and packet[tag.end - 2 : tag.end] == b"/>":
        name = tag.qualified(tag.name[1])
        return tag.end - 2, tag.end, f">{text}</{name}>"
    return tag.end, tag.end, text


def _space_before(packet: bytes, place: int) -> str:
    """Return the line break and indentation before a place, if there is one."""
    space = packet[packet.rfind(b">", 0, place) + 1 : place].decode()
    return space if space.isspace() and "\n" in space else ""
