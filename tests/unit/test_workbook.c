/* Sheets of workbooks as rows: what each kind of cell becomes, and what is refused. */
#include "unit.h"

#include "input/xml.h"
#include "xlsx_help.h"

#define C(name, type, value) "<c r=\"" name "\" t=\"" type "\"><v>" value "</v></c>"
#define N(name, value)       "<c r=\"" name "\"><v>" value "</v></c>"
#define I(name, value)       "<c r=\"" name "\" t=\"inlineStr\"><is><t>" value "</t></is></c>"
#define HEADER               "<row r=\"1\">" I("A1", "a") I("B1", "b") I("C1", "c") "</row>"

static void assert_told(const struct xlsx_parts *parts, const struct xlsx_reading *reading,
                        const char *wanted)
{
    static const size_t blocks[] = {0, 1, 7, 300};
    struct buf told;

    buf_init(&told, SIZE_MAX / 2);
    for (size_t i = 0; i < ARRAY_LENGTH(blocks) * 2; i++) {
        struct xlsx_reading now = *reading;
        now.block_bytes = blocks[i / 2];
        now.twice = i % 2 == 1;
        buf_clear(&told);
        xlsx_tell(xlsx_file(parts), &now, &told);
        assert_span(buf_span(&told), wanted);
    }
    buf_deinit(&told);
}

static void assert_rows(const char *rows, const char *wanted)
{
    const struct xlsx_reading usual = {.sheet = NULL};
    assert_told(&(struct xlsx_parts){.rows = rows}, &usual, wanted);
}

static void assert_sheet(const char *sheet, const char *wanted)
{
    const struct xlsx_reading usual = {.sheet = NULL};
    assert_told(&(struct xlsx_parts){.sheet = sheet}, &usual, wanted);
}

/* The workbook cannot be used, for a reason that has these words in it. */
static void assert_unusable(const struct xlsx_parts *parts, const char *words)
{
    const struct xlsx_reading usual = {.sheet = NULL};
    struct buf told;

    buf_init(&told, SIZE_MAX / 2);
    xlsx_tell(xlsx_file(parts), &usual, &told);
    if (strstr(buf_string(&told), "E-XLSX") == NULL || strstr(buf_string(&told), words) == NULL)
        fail_msg("\"%s\" is not in: %s", words, buf_string(&told));
    buf_deinit(&told);
}

static void test_kinds_of_cells(void **state)
{
    (void)state;
    assert_rows(HEADER "<row r=\"2\">" N("A2", "865820031310001") C("B2", "b", "1")
                    C("C2", "b", "0") "</row><row r=\"3\">" N("A3", "1.1000000000000001")
                        C("B3", "str", "x") C("C3", "n", "-5") "</row>",
                "a,b,c\n2 |865820031310001|true|false|\n3 |1.1|x|-5|\nend\n");
}

static void test_shared_strings_runs_and_phonetics(void **state)
{
    const struct xlsx_reading usual = {.sheet = NULL};
    const struct xlsx_parts parts = {
        .rows = "<row>" C("A1", "s", "0") C("B1", "s", "1") "</row><row>" C("A2", "s", "2")
            C("B2", "s", "3") "</row>",
        .strings =
            "<sst xmlns=\"" XLSX_MAIN "\"><si><t>a</t></si><si><t>b</t><phoneticPr/></si>"
            "<si><r><t xml:space=\"preserve\">run </t></r><r><rPr><b/></rPr><t>two</t></r>"
            "<rPh sb=\"0\" eb=\"1\"><t>no</t></rPh></si><si><t> trim _x000A_&amp; </t></si></sst>"};

    (void)state;
    assert_told(&parts, &usual, "a,b\n2 |run two|trim \\n&|\nend\n");
}

static void test_inline_runs_and_blanks(void **state)
{
    (void)state;
    assert_rows("<row>" I("A1",
                          "a") "</row><row><c r=\"A2\" t=\"inlineStr\"><is><r><t>x</t></r><r><t "
                               "xml:space=\"preserve\"> y</t></r><rPh sb=\"0\" "
                               "eb=\"1\"><t>z</t></rPh></is></c></row>",
                "a\n2 |x y|\nend\n");
}

static void test_text_is_quoted_where_it_must_be(void **state)
{
    (void)state;
    assert_rows(HEADER "<row r=\"2\">" I("A2", "a,\"b\"") I("B2", "x\ny")
                    I("C2", "&quot;") "</row><row r=\"3\">" I("A3", "after") "</row>",
                "a,b,c\n2 |a,\"b\"|x\\ny|\"|\n3 |after|-|-|\nend\n");
}

static void test_cells_and_rows_without_names_follow_each_other(void **state)
{
    (void)state;
    assert_rows("<row><c t=\"str\"><v>a</v></c><c "
                "t=\"str\"><v>b</v></c></row><row/><row><c/><c><v>2</v></c></row>",
                "a,b\n3 |-|2|\nend\n");
}

static void test_rows_have_the_numbers_of_the_sheet(void **state)
{
    (void)state;
    assert_rows("<row r=\"3\">" I("A3",
                                  "a") "</row><row r=\"4\"><c r=\"A4\" s=\"1\"/></row><row "
                                       "r=\"90\">" I("A90", "x\n\ny") "</row><row r=\"91\">" I(
                                           "A91", "z") "</row>",
                "a\n90 |x\\n\\ny|\n91 |z|\nend\n");
}

static void test_cells_behind_the_header_are_too_many(void **state)
{
    (void)state;
    assert_rows("<row>" I("A1", "a") "<c r=\"B1\" s=\"4\"/></row><row>" N("A2", "1")
                    N("C2", "2") "</row>",
                "a\n2 bad E-CELLS@2 has 3 cells, the header has 1\nend\n");
}

static void test_error_values_keep_text_and_row(void **state)
{
    (void)state;
    assert_rows(HEADER "<row r=\"2\">" N("A2", "1") C("B2", "e", "#N/A") "</row>",
                "a,b,c\n2 |1|#N/A|-| E-CELL@2 b: B2 holds an error: #N/A\nend\n");
}

static void test_a_formula_without_result_is_a_problem(void **state)
{
    (void)state;
    assert_rows(
        HEADER "<row r=\"2\"><c r=\"A2\"><f>1+1</f></c><c r=\"B2\"><f>1+1</f><v></v></c>"
               "<c r=\"C2\" t=\"str\"><f>\"\"</f><v></v></c></row>",
        "a,b,c\n2 |-|-|-| E-CELL@2 a: A2 holds a formula without its result: open the file in the "
        "spreadsheet program, and save it; E-CELL@2 b: B2 holds a formula without its result: open "
        "the "
        "file in the spreadsheet program, and save it\nend\n");
    assert_rows(
        HEADER
        "<row r=\"2\"><c r=\"A2\"><f>1+1</f><v>2</v></c><c r=\"B2\" t=\"str\"><f>B1</f><v>b</v></c>"
        "</row>",
        "a,b,c\n2 |2|b|-|\nend\n");
}

static void test_a_row_of_nothing_but_a_mark_is_a_row(void **state)
{
    (void)state;
    assert_rows("<row>" I("A1", "a") "</row><row><c r=\"A2\"><f>1</f></c></row>",
                "a\n2 |-| E-CELL@2 a: A2 holds a formula without its result: open the file in the "
                "spreadsheet "
                "program, and save it\nend\n");
}

static void test_what_is_stored_as_a_number_and_is_none(void **state)
{
    (void)state;
    assert_rows(HEADER "<row r=\"2\">" N("A2", "12x") "</row>",
                "a,b,c\n2 |12x|-|-| E-CELL@2 a: A2 is stored as a number and is none: 12x\nend\n");
}

static void test_merged_cells_are_problems_of_their_rows(void **state)
{
    const struct xlsx_reading usual = {.sheet = NULL};
    const struct xlsx_parts parts = {
        .rows = HEADER "<row r=\"2\">" N("A2", "1") N("B2", "2")
            N("C2", "3") "</row><row r=\"3\">" N("A3", "1") "</row><row r=\"5\">" N("A5",
                                                                                    "5") "</row>",
        .behind = "<mergeCells count=\"3\"><mergeCell ref=\"E5:F9\"/><mergeCell ref=\"B2:C3\"/>"
                  "<mergeCell ref=\"A8:C8\"/></mergeCells>"};

    (void)state;
    assert_told(
        &parts, &usual,
        "a,b,c\n2 |1|2|3| E-CELL@2 c: C2 is one of the merged cells B2:C3: unmerge them, and fill "
        "in each\n"
        "3 |1|-|-| E-CELL@3 b: B3 is one of the merged cells B2:C3: unmerge them, and fill in "
        "each; E-CELL@3 "
        "c: C3 is one of the merged cells B2:C3: unmerge them, and fill in each\n5 |5|-|-|\nend\n");
}

static void test_a_title_above_the_header_is_named(void **state)
{
    const struct xlsx_reading usual = {.sheet = NULL};
    const struct xlsx_parts parts = {
        .rows = "<row r=\"1\">" I("A1", "Our fleet") "</row><row r=\"2\">" I("A2", "imei") "</row>",
        .behind = "<mergeCells><mergeCell ref=\"A1:F1\"/></mergeCells>"};

    (void)state;
    assert_told(&parts, &usual,
                "unusable: E-CELL@1 B1 is one of the merged cells A1:F1: the first row that is not "
                "empty must be the "
                "header, without a title above it\n");
}

static void test_merged_cells_are_found_whatever_the_prefix(void **state)
{
    (void)state;
    assert_sheet(
        "<x:worksheet xmlns:x=\"" XLSX_MAIN
        "\"><x:sheetData><x:row><x:c t=\"str\"><x:v>a</x:v></x:c>"
        "<x:c "
        "t=\"str\"><x:v>b</x:v></x:c></x:row><x:row><x:c><x:v>1</x:v></x:c></x:row></x:sheetData >"
        "<x:mergeCells><x:mergeCell ref=\"A2:B2\"/></x:mergeCells></x:worksheet>",
        "a,b\n2 |1|-| E-CELL@2 b: B2 is one of the merged cells A2:B2: unmerge them, and fill in "
        "each\n"
        "end\n");
}

static const char date_styles[] =
    "<styleSheet xmlns=\"" XLSX_MAIN
    "\"><numFmts><numFmt numFmtId=\"164\" formatCode=\"yyyy\\-mm\\-dd\"/>"
    "<numFmt numFmtId=\"165\" formatCode=\"0.00\"/><numFmt numFmtId=\"20\" "
    "formatCode=\"0\"/></numFmts>"
    "<cellStyleXfs><xf numFmtId=\"14\"/></cellStyleXfs><cellXfs><xf numFmtId=\"0\"/><xf "
    "numFmtId=\"14\"/>"
    "<xf numFmtId=\"164\"/><xf numFmtId=\"165\"/><xf numFmtId=\"20\"/></cellXfs></styleSheet>";

static void test_formats_make_dates_of_numbers(void **state)
{
    const struct xlsx_reading usual = {.sheet = NULL};
    struct xlsx_parts parts = {
        .styles = date_styles,
        .rows = HEADER
        "<row><c s=\"0\"><v>50071.3333333333</v></c><c s=\"1\"><v>50071.3333333333</v></c><c "
        "s=\"2\"><v>5.0071E4</v></c></row><row><c s=\"3\"><v>50071</v></c><c "
        "s=\"4\"><v>50071</v></c>"
        "<c s=\"99\"><v>50071</v></c></row><row><c s=\"1\"><v>865820031310001</v></c><c s=\"2\" "
        "t=\"str\"><v>text</v></c><c t=\"d\"><v>2037-01-31T08:00:00.7Z</v></c></row>"};
    static const char wanted[] =
        "a,b,c\n2 |50071.3333333333|2037-01-31T08:00:00|2037-01-31T00:00:00|\n3 "
        "|50071|50071|50071|\n"
        "4 |865820031310001|text|2037-01-31T08:00:01|\nend\n";

    (void)state;
    assert_told(&parts, &usual, wanted);
    parts.workbook =
        "<workbook xmlns=\"" XLSX_MAIN "\" xmlns:r=\"" XLSX_REL
        "\"><workbookPr date1904=\"1\"/><sheets><sheet name=\"Fleet\" sheetId=\"1\" r:id=\"r1\"/>"
        "</sheets></workbook>";
    parts.rows = "<row>" I("A1", "a") "</row><row><c s=\"1\"><v>48609</v></c></row>";
    assert_told(&parts, &usual, "a\n2 |2037-01-31T00:00:00|\nend\n");
}

static void test_parts_go_by_their_relations(void **state)
{
    const struct xlsx_reading usual = {.sheet = NULL};
    const struct xlsx_parts parts = {
        .rows = "<row>" I("A1", "a") "</row><row>" N("A2", "1") "</row>",
        .strings = "",
        .styles = "",
        .root = "<Relationships xmlns=\"" XLSX_PACKAGE "\"><Relationship Id=\"x\" "
                "Type=\"http://purl.oclc.org/ooxml/officeDocument/relationships/officeDocument\" "
                "Target=\"/xl/./other/../workbook.xml\"/></Relationships>",
        .relations = "<Relationships xmlns=\"" XLSX_PACKAGE "\"><Relationship Id=\"r1\" "
                     "Type=\"http://purl.oclc.org/ooxml/officeDocument/relationships/worksheet\" "
                     "Target=\"/XL/Worksheets/sheet1.xml\"/></Relationships>"};

    (void)state;
    assert_told(&parts, &usual, "a\n2 |1|\nend\n");
}

static void test_the_sheet_is_the_first_visible_or_the_named_one(void **state)
{
    const struct xlsx_parts parts = {
        .rows = "<row>" I("A1", "a") "</row><row>" N("A2", "1") "</row>",
        .workbook =
            "<workbook xmlns=\"" XLSX_MAIN "\" xmlns:r=\"" XLSX_REL
            "\"><sheets><sheet name=\"old\" sheetId=\"1\" state=\"hidden\" r:id=\"r9\"/><sheet "
            "name=\"chart\" sheetId=\"2\" r:id=\"r8\"/><sheet name=\"设备\" sheetId=\"3\" "
            "r:id=\"r1\"/>"
            "</sheets></workbook>"};
    static const char wanted[] = "a\n2 |1|\nend\n";

    (void)state;
    assert_told(&parts, &(struct xlsx_reading){.sheet = NULL}, wanted);
    assert_told(&parts, &(struct xlsx_reading){.sheet = "设备"}, wanted);
    assert_told(&parts, &(struct xlsx_reading){.sheet = "3"}, wanted);
    static const char *const none[] = {"2", "4", "0", "old", "x"};
    for (size_t i = 0; i < ARRAY_LENGTH(none); i++) {
        struct buf told;
        buf_init(&told, 4096);
        xlsx_tell(xlsx_file(&parts), &(struct xlsx_reading){.sheet = none[i]}, &told);
        assert_non_null(strstr(buf_string(&told), "has no such sheet; it has 3 \"设备\""));
        buf_deinit(&told);
    }
}

static void test_a_row_that_is_too_long_is_one_bad_row(void **state)
{
    const struct xlsx_parts parts = {
        .rows = HEADER
        "<row>" I("A2", "this text is longer than\na row may be, which is 40") "</row><row>" I(
            "A3", "aaaaaaaaaaaaaaaaaaaaaa") I("B3", "b,bbbbbbbbbbbbbbb")
            I("C3", "c") "</row><row>" I("A4", "fine") "</row>"};

    (void)state;
    assert_told(&parts, &(struct xlsx_reading){.max_row_bytes = 40},
                "a,b,c\n2 bad E-ROW-SIZE@2 the row is longer than 40 bytes\n3 bad E-ROW-SIZE@3 the "
                "row is longer than "
                "40 bytes\n4 |fine|-|-|\nend\n");
}

static void test_damage_is_told(void **state)
{
    static const struct {
        const char *rows;
        const char *words;
    } damages[] = {
        {"<row r=\"2\"><c r=\"A2\"/></row><row r=\"2\"/>", "out of its order"},
        {"<row r=\"1048577\"/>", "out of its order"},
        {"<row r=\"x\"/>", "out of its order"},
        {"<row r=\"1\"><c r=\"B1\"/><c r=\"A1\"/></row>", "out of its order"},
        {"<row r=\"1\"><c r=\"A2\"/></row>", "out of its order"},
        {"<row r=\"1\"><c r=\"XFE1\"/></row>", "has a name that is none"},
        {"<row><c t=\"s\"><v>0</v></c></row>", "refers to a text that is not there"},
        {"<row><c t=\"s\"><v>-1</v></c></row>", "refers to a text that is not there"},
        {"<row><c t=\"s\"><v>4294967296</v></c></row>", "refers to a text that is not there"},
        {"<row><c t=\"b\"><v>2</v></c></row>", "neither true nor false"},
        {"<row><c t=\"q\"><v>2</v></c></row>", "of a kind that there is not"},
        {"<row><c s=\"x\"><v>2</v></c></row>", "its style is no number"},
        {"<row><c></row>", "mismatched tag"},
        {"<row><c><v>\x01</v></c></row>", "not well-formed"},
        {"<row><c><v>\xff</v></c></row>", "not well-formed"},
        {"<row><c><v>&other;</v></c></row>", "undefined entity"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(damages); i++)
        assert_unusable(&(struct xlsx_parts){.rows = damages[i].rows}, damages[i].words);
    assert_unusable(&(struct xlsx_parts){.behind =
                                             "<mergeCells><mergeCell ref=\"A1:\"/></mergeCells>"},
                    "merged cells");
    assert_unusable(&(struct xlsx_parts){.sheet = "<chartsheet/>"}, "no worksheet");
    assert_unusable(
        &(struct xlsx_parts){.sheet =
                                 "<worksheet><mergeCells><mergeCell ref=\"A1:B1\"/></mergeCells>"
                                 "<sheetData/></worksheet>"},
        "merged cells are in disorder");
    assert_unusable(&(struct xlsx_parts){.sheet = ""}, "no element found");
}

static void test_declarations_depth_and_utf16_are_refused(void **state)
{
    struct buf deep;

    (void)state;
    assert_unusable(&(struct xlsx_parts){.sheet =
                                             "<!DOCTYPE worksheet [<!ENTITY a \"b\">]><worksheet>"
                                             "<sheetData/></worksheet>"},
                    "document type declaration");
    assert_unusable(&(struct xlsx_parts){.strings =
                                             "<!DOCTYPE sst SYSTEM \"file:///etc/passwd\"><sst/>"},
                    "document type declaration");
    buf_init(&deep, 1024 * 1024);
    buf_add_string(&deep, "<worksheet>");
    for (int i = 0; i < XML_DEPTH_MAX; i++)
        buf_add_string(&deep, "<a>");
    assert_unusable(&(struct xlsx_parts){.sheet = buf_string(&deep)}, "nested deeper than 64");
    buf_deinit(&deep);
    assert_unusable(&(struct xlsx_parts){.styles = "\xff\xfe<"}, "is not UTF-8");
}

static void test_a_tag_without_end_is_refused(void **state)
{
    struct buf sheet;

    (void)state;
    buf_init(&sheet, SIZE_MAX / 2);
    buf_add_string(&sheet, "<worksheet><sheetData><row><c t=\"");
    while (sheet.len < 2 * (size_t)XML_TAG_MAX)
        buf_add_format(&sheet, "%0512d%zu", 0, sheet.len);
    assert_unusable(&(struct xlsx_parts){.sheet = buf_string(&sheet)}, "a tag of more than 4 MiB");
    buf_deinit(&sheet);
}

static const struct xlsx_parts whole = {.rows = HEADER "<row r=\"2\">" N("A2", "1")
                                            C("B2", "s", "0") C("C2", "b", "1") "</row>",
                                        .strings = "<sst xmlns=\"" XLSX_MAIN
                                                   "\"><si><t>text</t></si></sst>"};

/* A workbook of which a part is missing gives no row: its directory is at its end. */
static void test_a_workbook_cut_anywhere_gives_no_row(void **state)
{
    const struct xlsx_reading usual = {.sheet = NULL};
    int fd = xlsx_file(&whole);
    off_t size = lseek(fd, 0, SEEK_END);
    char *bytes = malloc((size_t)size);
    struct buf told;

    (void)state;
    assert_non_null(bytes);
    assert_int_equal(pread(fd, bytes, (size_t)size, 0), size);
    (void)close(fd);
    buf_init(&told, SIZE_MAX / 2);
    for (size_t cut = 4; cut < (size_t)size; cut++) {
        buf_clear(&told);
        xlsx_tell(memory_file(bytes, cut), &usual, &told);
        if (strstr(buf_string(&told), "E-XLSX") == NULL)
            fail_msg("cut at %zu: %s", cut, buf_string(&told));
    }
    free(bytes);
    buf_deinit(&told);
}

/* A byte that is another: the rows are the same, or the workbook is refused; never other rows. */
static void test_a_byte_that_is_wrong_changes_no_row(void **state)
{
    const struct xlsx_reading usual = {.sheet = NULL};
    int fd = xlsx_file(&whole);
    off_t size = lseek(fd, 0, SEEK_END);
    char *bytes = malloc((size_t)size);
    struct buf told;

    (void)state;
    assert_non_null(bytes);
    assert_int_equal(pread(fd, bytes, (size_t)size, 0), size);
    (void)close(fd);
    buf_init(&told, SIZE_MAX / 2);
    for (size_t at = 4; at < (size_t)size; at++) {
        bytes[at] ^= 0x20;
        buf_clear(&told);
        xlsx_tell(memory_file(bytes, (size_t)size), &usual, &told);
        bytes[at] ^= 0x20;
        const char *text = buf_string(&told);
        bool is_refused = strstr(text, "E-XLSX") != NULL ||
                          strstr(text, "cannot be read") != NULL ||
                          strstr(text, "no visible sheet") != NULL;
        /* The names in the directory are under no checksum: shared strings that are not found. */
        if (!is_refused && strcmp(text, "a,b,c\n2 |1|text|true|\nend\n") != 0)
            fail_msg("byte %zu: %s", at, text);
    }
    free(bytes);
    buf_deinit(&told);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds_of_cells),
        cmocka_unit_test(test_shared_strings_runs_and_phonetics),
        cmocka_unit_test(test_inline_runs_and_blanks),
        cmocka_unit_test(test_text_is_quoted_where_it_must_be),
        cmocka_unit_test(test_cells_and_rows_without_names_follow_each_other),
        cmocka_unit_test(test_rows_have_the_numbers_of_the_sheet),
        cmocka_unit_test(test_cells_behind_the_header_are_too_many),
        cmocka_unit_test(test_error_values_keep_text_and_row),
        cmocka_unit_test(test_a_formula_without_result_is_a_problem),
        cmocka_unit_test(test_a_row_of_nothing_but_a_mark_is_a_row),
        cmocka_unit_test(test_what_is_stored_as_a_number_and_is_none),
        cmocka_unit_test(test_merged_cells_are_problems_of_their_rows),
        cmocka_unit_test(test_a_title_above_the_header_is_named),
        cmocka_unit_test(test_merged_cells_are_found_whatever_the_prefix),
        cmocka_unit_test(test_formats_make_dates_of_numbers),
        cmocka_unit_test(test_parts_go_by_their_relations),
        cmocka_unit_test(test_the_sheet_is_the_first_visible_or_the_named_one),
        cmocka_unit_test(test_a_row_that_is_too_long_is_one_bad_row),
        cmocka_unit_test(test_damage_is_told),
        cmocka_unit_test(test_declarations_depth_and_utf16_are_refused),
        cmocka_unit_test(test_a_tag_without_end_is_refused),
        cmocka_unit_test(test_a_workbook_cut_anywhere_gives_no_row),
        cmocka_unit_test(test_a_byte_that_is_wrong_changes_no_row),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
