"""Workbooks (.xlsx) of the tests' own making: Debian's python3 has no module that writes them as badly as they come."""
import zipfile
from xml.sax.saxutils import escape

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"


def column_name(index):
    name = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        name = chr(65 + rest) + name
    return name


def cell(column, row, value):
    """A str goes in as an inline string, a bool and a number as such, None not at all."""
    name = f"{column_name(column)}{row}"
    if value is None:
        return ""
    if isinstance(value, bool):
        return f'<c r="{name}" t="b"><v>{int(value)}</v></c>'
    if isinstance(value, (int, float)):
        return f'<c r="{name}"><v>{value!r}</v></c>'
    return f'<c r="{name}" t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'


def row_xml(number, values):
    return f'<row r="{number}">' + "".join(cell(i, number, v) for i, v in enumerate(values)) + "</row>"


def usual_parts():
    """All but the sheet."""
    return {
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}"><Relationship Id="r1" Type="{REL}/officeDocument" '
                       'Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{REL}"><sheets><sheet name="Fleet" sheetId="1" '
                           'r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}"><Relationship Id="r1" Type="{REL}/worksheet" '
                                      'Target="worksheets/sheet1.xml"/><Relationship Id="r2" '
                                      f'Type="{REL}/sharedStrings" Target="sharedStrings.xml"/></Relationships>',
    }


def write_parts(path, parts, method=zipfile.ZIP_DEFLATED, level=6):
    """`parts`: texts, bytes, or iterables of bytes, by name."""
    with zipfile.ZipFile(path, "w", method, compresslevel=level) as out:
        for name, content in parts.items():
            if isinstance(content, (str, bytes)):
                out.writestr(name, content)
                continue
            with out.open(name, "w", force_zip64=True) as part:
                for piece in content:
                    part.write(piece)
    return path


def sheet_xml(rows, behind=""):
    return (f'<?xml version="1.0" encoding="UTF-8"?><worksheet xmlns="{MAIN}"><sheetData>'
            + "".join(row_xml(i, row) for i, row in enumerate(rows, 1)) + f"</sheetData>{behind}</worksheet>")


def write_book(path, rows, behind="", **parts):
    """A workbook with one sheet; `parts` replaces or adds by name, with __ for / and _dot_ for a dot."""
    named = {name.replace("__", "/").replace("_dot_", "."): content for name, content in parts.items()}
    return write_parts(path, {**usual_parts(), "xl/worksheets/sheet1.xml": sheet_xml(rows, behind), **named})
