"""The singular and the plural of an English word, as candidates.

The rules are the common ones and do not know the language: a candidate may be no word
at all, and counts only where somebody knows it (see `lablr.tags.hygiene`).
"""

from __future__ import annotations

MIN_LETTERS = 4  # "gas" and "bus" are no plurals
NO_ENDINGS = ("is", "ss", "us")  # "tennis", "grass", "cactus"

# The endings of plurals that no rule makes: "snowmen", "grandchildren".
IRREGULAR = {
    "calves": "calf",
    "children": "child",
    "feet": "foot",
    "geese": "goose",
    "halves": "half",
    "knives": "knife",
    "leaves": "leaf",
    "men": "man",
    "mice": "mouse",
    "people": "person",
    "shelves": "shelf",
    "teeth": "tooth",
    "wolves": "wolf",
}

# Words that look like plurals of others and mean something else.
NO_PLURALS = {
    "arms",
    "blues",
    "customs",
    "falls",
    "glasses",
    "goods",
    "jeans",
    "news",
    "shorts",
    "springs",
    "woods",
}

# After these sounds a plural ends in -es; "roses" and "buses" look alike.
HISSING = ("ches", "oes", "ses", "shes", "xes", "zes")


def singulars(word: str) -> tuple[str, ...]:
    """List what a word may be the plural of, likeliest first; nothing for most.

    >>> singulars("cities"), singulars("buses"), singulars("snowmen")
    (('city', 'citie'), ('bus', 'buse'), ('snowman',))
    >>> singulars("tennis"), singulars("grass"), singulars("news")
    ((), (), ())
    """
    if not word.isascii() or word in NO_PLURALS:
        return ()
    for plural, singular in IRREGULAR.items():
        if word.endswith(plural):
            return (word.removesuffix(plural) + singular,)
    if len(word) < MIN_LETTERS or word[-1] != "s" or word.endswith(NO_ENDINGS):
        return ()
    if word.endswith("ies"):
        return word[:-3] + "y", word[:-1]
    if word.endswith(HISSING):
        return word[:-2], word[:-1]
    return (word[:-1],)


def other_numbers(word: str) -> tuple[str, ...]:
    """List singulars and plurals that a word may have; each of them has it, too.

    >>> other_numbers("cloud"), other_numbers("city"), other_numbers("child")
    (('clouds',), ('citys', 'cities'), ('childs', 'children'))
    """
    return singulars(word) + tuple(
        plural for plural in _plurals(word) if word in singulars(plural)
    )


def _plurals(word: str) -> list[str]:
    plurals = [word + "s", word + "es"]
    if word.endswith("y"):
        plurals.append(word[:-1] + "ies")
    for plural, singular in IRREGULAR.items():
        if word.endswith(singular):
            plurals.append(word.removesuffix(singular) + plural)
    return plurals
