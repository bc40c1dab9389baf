"""The texts of the sources that people read: what zh_CN.po must translate.

    /usr/bin/python3 src/po/extract.py            lists them, with where they are
    /usr/bin/python3 src/po/extract.py --update   adds the new ones to zh_CN.po (untranslated), takes out those that are gone

xgettext knows texts by the function that takes them. Here they lie in tables and in words of a condition as well, and all are
looked up in the same place (core/language.h). So each string literal counts that reads as prose: that has two words in a row.
words.txt names single words that are looked up as well, and behind "also:" what is in no literal, such as the C library's texts; not-translated.txt names the files
(src/...) and the texts that are for programs, or go over the wire.
"""
import re
import sys
from pathlib import Path

PO = Path(__file__).resolve().parent
SRC = PO.parent
TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|PRI[dux]64|#include[^\n]*|#define \w+|\w+|\\\n|\s+|.', re.S)
ESCAPE = re.compile(r'\\(x[0-9a-fA-F]{2}|[0-7]{1,3}|.)', re.S)
PLAIN = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "e": "\x1b"}
CONVERSION = re.compile(r"%(?:\d+\$)?[-+#0]*(?:\*(?:\d+\$)?|\d+)?(?:\.(?:\*(?:\d+\$)?|\d+)?)?(?:hh|h|ll|l|z|j)?[diouxXeEfgGcs%]")


def unescape(literal):
    """The text of a literal; bytes written as \\xNN are UTF-8."""
    found = ESCAPE.sub(lambda m: chr(int(m[1][1:], 16)) if m[1][0] == "x" else PLAIN.get(m[1], m[1]), literal)
    return found.encode("latin-1").decode("utf-8", "replace") if "\\x" in literal and max(found, default="") < "\u0100" else found


def literals(source, macros=None):
    """Each string of a C source, adjacent ones together, with its line; a macro that is a string is one of them."""
    text, at, line, macros = None, 0, 1, macros or {}
    for match in TOKEN.finditer(source):
        token = match[0]
        piece = unescape(token[1:-1]) if token.startswith('"') else macros.get(token)
        if token.startswith("PRI") and text is not None:
            piece = {"d": "ld", "u": "lu", "x": "lx"}[token[3]]
        if piece is not None:
            text, at = (piece, line) if text is None else (text + piece, at)
        elif not token.isspace() and not token.startswith(("/*", "//", "\\\n")) and text is not None:
            yield at, text
            text = None
        line += token.count("\n")


def string_macros(source):
    """#define NAME "text"."""
    return {name: unescape("".join(re.findall(r'"((?:\\.|[^"\\])*)"', value)))
            for name, value in re.findall(r'^#define (\w+)\s+((?:\\\n|\s|"(?:\\.|[^"\\])*")+)$', source, re.M)}


def is_prose(text):
    words = re.sub(r"(?<!\w)--?[a-z][\w-]*(=\S*)?|<[^>]*>|\S*[_/:=]\S+", "|", CONVERSION.sub("|", text))
    return " " in text.strip("\n") and re.search(
        r"[A-Za-z']{2,}[,;:.]? \(?[A-Za-z]{2,}|[a-z]{2,}[,;:] |\b(?:a|A|is|to|of|in) [a-z]{2,}|[a-z]{3,} (?:a|is|to|of|in)\b|"
        r"[a-z]{3,} *\|+ *(?:[a-z]{2,}|$)|\| *[a-z]{3,}", words) is not None


def html_texts(source):
    """The text between tags, with its placeholders, and what is read out in their place."""
    body = re.sub(r"<(style|script)\b.*?</\1>", lambda m: "\n" * m[0].count("\n"), source, flags=re.S)
    for match in re.finditer(r">([^<>]+)<", body):
        text = match[1].strip()
        if re.search(r"[A-Za-z]{2,}", re.sub(r"\{\{[^}]*\}\}", "", text)):
            yield source.count("\n", 0, match.start()) + 1, text


def lines_of(name):
    return [line for line in (PO / name).read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]


def messages():
    """Text: the places where it is, in the order of the files."""
    left_out = lines_of("not-translated.txt")
    files = tuple(name[len("src/"):] for name in left_out if name.startswith("src/"))
    texts = {name.encode().decode("unicode_escape").encode("latin-1").decode() for name in left_out if not name.startswith("src/")}
    words = {unescape(word[1:-1]): True for word in lines_of("words.txt")}
    found, macros = {}, {}
    for path in SRC.rglob("*.h"):
        macros |= string_macros(path.read_text(encoding="utf-8"))
    for path in sorted([*SRC.rglob("*.c"), *SRC.rglob("*.h"), *SRC.rglob("*.html")]):
        name = str(path.relative_to(SRC))
        if name.startswith(files):
            continue
        source = path.read_text(encoding="utf-8")
        for line, text in html_texts(source) if path.suffix == ".html" else literals(source, macros | string_macros(source)):
            if text not in texts and (path.suffix == ".html" or text in words or is_prose(text)):
                found.setdefault(text, []).append(f"src/{name}:{line}")
    for word in words:
        if word.startswith("also:"):
            found.setdefault(word[len("also:"):], []).append("src/po/words.txt")
    return found


def quoted(text):
    lines = re.findall(r"[^\n]*\n|[^\n]+", text)
    escaped = [line.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
               for line in lines]
    return '""\n' + "\n".join(f'"{line}"' for line in escaped) if len(escaped) > 1 else f'"{"".join(escaped)}"'


def is_format(text):
    return CONVERSION.search(text) is not None and "%" not in CONVERSION.sub("", text)


def read_po(path=PO / "zh_CN.po"):
    """The header as it is, and the translation of each text."""
    source = path.read_text(encoding="utf-8")
    entries = re.findall(r'^msgid ((?:"(?:\\.|[^"\\])*"\s*)+)msgstr ((?:"(?:\\.|[^"\\])*"\s*)+)', source, re.M)
    join = lambda text: unescape("".join(re.findall(r'"((?:\\.|[^"\\])*)"', text)))  # noqa: E731
    return source[:source.index("\n\n", source.index("Content-Transfer-Encoding")) + 1], \
        {join(text): join(translation) for text, translation in entries if join(text)}


def write_po(translations, found, path=PO / "zh_CN.po"):
    parts = [read_po(path)[0]]
    for text, places in found.items():
        flag = "#, c-format\n" if is_format(text) else ""
        files = " ".join(sorted({place.rsplit(":", 1)[0] for place in places}))
        parts.append(f"\n#: {files}\n{flag}msgid {quoted(text)}\nmsgstr {quoted(translations.get(text, ''))}\n")
    path.write_text("".join(parts), encoding="utf-8")


if __name__ == "__main__":
    known, texts = read_po()[1], messages()
    if "--update" in sys.argv:
        write_po(known, texts)
    for text in texts:
        if not known.get(text):
            print("untranslated:", texts[text][0], repr(text))
    for text in known:
        if text not in texts:
            print("gone:", repr(text))
