"""Joins the questions of this example with their passages from the Debian Developer's Reference.

    passages.py PACKAGE.deb QUESTIONS.jsonl FOLDER

The handbook's text changes with every release, so a question does not carry its passage but a way to find it: a section
and a short phrase. The passage is the sentences around that phrase, from that section only, so that splitting the seeds
by section keeps every passage on one side. A question is kept only if its answer stands in its passage; the others are
named. Standard library only.
"""

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from html.parser import HTMLParser

PAGES = "usr/share/developers-reference/"
COPYRIGHT = "usr/share/doc/developers-reference/copyright"
SEEDS_MIN = 60
WORDS_MIN = 40
WORDS_MAX = 120
FIELDS = ("id", "question", "answer", "concept", "section", "find")


class Failure(Exception):
    """Something the user can act on; printed without a traceback."""


def data_tar(deb):
    """The package's file tree as an open tar archive: through dpkg-deb where there is one, else read here."""
    if shutil.which("dpkg-deb"):
        done = subprocess.run(["dpkg-deb", "--fsys-tarfile", deb], capture_output=True, check=False)
        if done.returncode != 0:
            raise Failure(f"{deb} is no readable package: {done.stderr.decode(errors='replace').strip()}")
        return tarfile.open(fileobj=io.BytesIO(done.stdout))
    with open(deb, "rb") as file:
        if file.read(8) != b"!<arch>\n":
            raise Failure(f"{deb} is no Debian package (it does not begin like one)")
        while len(header := file.read(60)) == 60:
            name, size = header[:16].decode("ascii").strip().rstrip("/"), int(header[48:58])
            body = file.read(size + size % 2)[:size]
            if name.startswith("data.tar"):
                try:
                    return tarfile.open(fileobj=io.BytesIO(body))
                except tarfile.ReadError as error:
                    raise Failure(f"{deb}: cannot unpack {name} without dpkg-deb; install dpkg and run this again") from error
    raise Failure(f"{deb} has no data archive; the download may be incomplete: delete it and run this again")


def read_package(deb):
    """Pages by name ("pkgs" for pkgs.html), and the copyright notice."""
    pages, notice = {}, None
    with data_tar(deb) as tar:
        for member in tar:
            path = member.name.removeprefix("./")
            folder, file = os.path.split(path)
            if path == COPYRIGHT:
                notice = tar.extractfile(member).read().decode()
            elif folder + "/" == PAGES and file.endswith(".html") and member.isfile():
                pages[file.removesuffix(".html")] = tar.extractfile(member).read().decode()
    # The whole handbook on one page repeats every section.
    pages.pop("developers-reference", None)
    if not pages or notice is None:
        raise Failure(f"{deb} holds no pages under {PAGES}; is it the package developers-reference?")
    return pages, notice


class Sections(HTMLParser):
    """Collects the prose of one page as {section id: [paragraph, …]}; headings, listings and footnote marks are left out."""

    PROSE = {"p", "li", "dt", "dd"}
    FOOTNOTE = "footnote"
    BREAKS = PROSE | {"pre", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "table", "section", "div", "aside"}

    def __init__(self):
        super().__init__()
        self.sections = {}
        self.open_sections = []
        self.open_blocks = []
        self.in_footnote_mark = False
        self.text = []

    def close_paragraph(self):
        text = " ".join("".join(self.text).split())
        # A footnote mark leaves a gap before the stop; ".changes" after a space is a word.
        text = re.sub(r" ([.,;])(?= |$)", r"\1", text)
        self.text = []
        section = next((name for name in reversed(self.open_sections) if name), None)
        prose = self.open_blocks and self.open_blocks[-1] in self.PROSE and self.FOOTNOTE not in self.open_blocks
        if text and section and prose:
            self.sections.setdefault(section, []).append(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        classes = (attributes.get("class") or "").split()
        if tag in self.BREAKS:
            self.close_paragraph()
            self.open_blocks.append(tag)
            if any(name.startswith(self.FOOTNOTE) for name in classes):
                # Marks everything down to this tag's end, which pops the mark with it.
                self.open_blocks[-1:] = [tag, self.FOOTNOTE]
        if tag in ("section", "div"):
            # Sphinx before 5.0 wrote <div class="section">, later ones <section>.
            self.open_sections.append(attributes.get("id") if tag == "section" or "section" in classes else None)
        if tag == "a" and "footnote-reference" in classes:
            self.in_footnote_mark = True

    def handle_endtag(self, tag):
        if tag == "a":
            self.in_footnote_mark = False
        if tag in self.BREAKS and tag in self.open_blocks:
            self.close_paragraph()
            while self.open_blocks.pop() != tag:
                pass
        if tag in ("section", "div") and self.open_sections:
            self.open_sections.pop()

    def handle_data(self, data):
        if not self.in_footnote_mark:
            self.text.append(data)


def normalised(text):
    """Text as it is compared: one kind of quote, dash and space, no difference of case."""
    for old, new in (("’", "'"), ("‘", "'"), ("“", '"'), ("”", '"'), ("–", "-"), ("—", "-")):
        text = text.replace(old, new)
    return " ".join(text.split()).casefold()


def stands_in(answer, passage):
    """Whether the answer occurs as whole words, so that "10" is not found in "2010"."""
    return re.search(rf"(?<!\w){re.escape(normalised(answer))}(?!\w)", normalised(passage)) is not None


def sentences(paragraph):
    """Sentences of a paragraph; an abbreviation followed by a capital may cut one too early, which costs nothing here."""
    return re.split(r"(?<=[.!?])\s+(?=[A-Z\"“(#\[])", paragraph)


def grow(pieces, first, last, enough):
    """Widens pieces[first..=last] by the next and the previous piece in turn, up to `enough` words and WORDS_MAX at most."""

    def words(start, end):
        return sum(len(piece.split()) for piece in pieces[start : end + 1])

    grown = True
    while grown and words(first, last) < enough:
        grown = False
        if last + 1 < len(pieces) and words(first, last + 1) <= WORDS_MAX:
            last, grown = last + 1, True
        if first > 0 and words(first, last) < enough and words(first - 1, last) <= WORDS_MAX:
            first, grown = first - 1, True
    return first, last


def passage_around(paragraphs, index, find):
    """40 to 120 words around the phrase: its paragraph if that fits, else the sentences about it, plus neighbours if short."""
    before = [piece for text in paragraphs[:index] for piece in sentences(text)]
    own = sentences(paragraphs[index])
    after = [piece for text in paragraphs[index + 1 :] for piece in sentences(text)]
    hits = [
        (start, end)
        for start in range(len(own))
        for end in range(start, len(own))
        if normalised(find) in normalised(" ".join(own[start : end + 1]))
    ]
    first, last = min(hits, key=lambda hit: hit[1] - hit[0])
    first, last = grow(own, first, last, WORDS_MAX)
    pieces = before + own + after
    first, last = grow(pieces, first + len(before), last + len(before), WORDS_MIN)
    text = " ".join(pieces[first : last + 1])
    # "For example:" announces a listing that is not part of the passage.
    shorter = " ".join(pieces[first:last])
    keep = not text.endswith(":") or normalised(find) not in normalised(shorter) or len(shorter.split()) < WORDS_MIN
    return text if keep else shorter


def place(question, sections):
    """Where the phrase stands: (section, index of the paragraph). The named section first, then, since sections get
    renamed, all of them; it must be found exactly once."""
    find = normalised(question["find"])

    def hits(names):
        return [(name, i) for name in names for i, text in enumerate(sections[name]) if find in normalised(text)]

    found = hits([question["section"]] if question["section"] in sections else []) or hits(sections)
    if len(found) != 1:
        where = "is not in the handbook" if not found else "stands more than once: " + ", ".join(name for name, _ in found)
        raise ValueError(f"the phrase “{question['find']}” {where}")
    return found[0]


def seed_of(question, sections):
    """The finished seed, or ValueError with the reason why the question is lost."""
    section, index = place(question, sections)
    passage = passage_around(sections[section], index, question["find"])
    count = len(passage.split())
    if not WORDS_MIN <= count <= WORDS_MAX:
        raise ValueError(f"its passage has {count} words, not {WORDS_MIN} to {WORDS_MAX}")
    if not stands_in(question["answer"], passage):
        raise ValueError(f"the answer “{question['answer']}” does not stand in its passage")
    return {
        "id": question["id"],
        "question": question["question"],
        "answer": question["answer"],
        "context": passage,
        "concept": question["concept"],
        "source": section,
    }


def read_questions(path):
    questions, seen = [], set()
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                question = json.loads(line)
                missing = [name for name in FIELDS if not question.get(name)]
            except (ValueError, AttributeError) as error:
                raise Failure(f"{path} line {number}: not a JSON object: {error}") from error
            if missing:
                raise Failure(f"{path} line {number}: missing or empty: {', '.join(missing)}")
            if question["id"] in seen:
                raise Failure(f"{path} line {number}: the id {question['id']} is used twice")
            seen.add(question["id"])
            questions.append(question)
    return questions


def write(path, text):
    """Whole or not at all: a reader never sees half a file."""
    with open(path + ".part", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(path + ".part", path)


def main(deb, questions_path, folder):
    pages, notice = read_package(deb)
    sections = {}
    for page, html in pages.items():
        parser = Sections()
        parser.feed(html)
        for section, paragraphs in parser.sections.items():
            sections[f"{page}#{section}"] = paragraphs

    questions = read_questions(questions_path)
    seeds, lost = [], []
    for question in questions:
        try:
            seeds.append(seed_of(question, sections))
        except ValueError as reason:
            lost.append({"id": question["id"], "reason": str(reason)})
            print(f"lost {question['id']}: {reason}", file=sys.stderr)
    if len(seeds) < SEEDS_MIN:
        raise Failure(
            f"only {len(seeds)} of {len(questions)} questions still have their answer in this release of the handbook, and "
            f"{SEEDS_MIN} are needed; try the package of another Debian release: fetch.sh --deb FILE"
        )

    with open(deb, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    about = {
        "package": os.path.basename(deb),
        "sha256": digest,
        "license": "GPL-2.0-or-later",
        "seeds": len(seeds),
        "concepts": len({seed["concept"] for seed in seeds}),
        "sections": len({seed["source"] for seed in seeds}),
        "lost": lost,
    }
    write(os.path.join(folder, "COPYRIGHT"), notice)
    write(os.path.join(folder, "handbook.json"), json.dumps(about, indent=2, ensure_ascii=False) + "\n")
    lines = [json.dumps(seed, ensure_ascii=False) + "\n" for seed in seeds]
    write(os.path.join(folder, "seeds.jsonl"), "".join(lines))
    print(
        f"{about['seeds']} of {len(questions)} seeds from {about['package']}, {about['concepts']} concepts, "
        f"{about['sections']} sections: {os.path.join(folder, 'seeds.jsonl')}"
    )


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: passages.py PACKAGE.deb QUESTIONS.jsonl FOLDER (fetch.sh calls it)")
    try:
        main(*sys.argv[1:])
    except (Failure, OSError) as error:
        sys.exit(f"passages.py: {error}")
