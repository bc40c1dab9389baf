#include "platform/look.h"

#include <unistr.h>

#include "core/text.h"

enum {
    FOLDED_MAX = 64, /* longer texts are no spreadsheet's error; of a formula the start will do */
    FUNCTION_NAME_MAX = 32,
};

/* What is seen of a text: full-width forms as ASCII, in capitals, no blanks around it. */
struct folded {
    char text[FOLDED_MAX + 4];
    size_t len;
    bool is_cut;
    bool has_small; /* a letter that was not a capital */
};

static uint32_t next_char(struct span *rest)
{
    ucs4_t c = 0;
    int len = rest->len > 0 ? u8_mbtoucr(&c, (const uint8_t *)rest->ptr, rest->len) : -1;

    if (len <= 0) { /* not UTF-8, which the readers refuse: one byte at a time */
        c = rest->len > 0 ? (unsigned char)rest->ptr[0] : 0;
        len = rest->len > 0 ? 1 : 0;
    }
    *rest = span_skip(*rest, (size_t)len);
    return c;
}

static bool is_blank(uint32_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == 0x3000;
}

static uint32_t fold_char(uint32_t c)
{
    if (c >= 0xff01 && c <= 0xff5e)
        c = c - 0xff01 + '!';
    return c == 0x3000 ? ' ' : c;
}

static void fold(struct span text, struct folded *folded)
{
    size_t end = 0; /* behind the last character that is no blank */

    folded->len = 0;
    folded->is_cut = folded->has_small = false;
    while (text.len > 0) {
        struct span at = text;
        uint32_t c = fold_char(next_char(&text));
        if (text_is_invisible(c) || (folded->len == 0 && is_blank(c)))
            continue;
        if (folded->len >= FOLDED_MAX) {
            folded->is_cut = true;
            return;
        }
        if (c < 0x80) {
            bool is_small = c >= 'a' && c <= 'z';
            folded->has_small = folded->has_small || is_small;
            folded->text[folded->len++] = (char)(is_small ? c - 'a' + 'A' : c);
        } else {
            size_t len = at.len - text.len;
            memcpy(folded->text + folded->len, at.ptr, len);
            folded->len += len;
        }
        end = is_blank(c) ? end : folded->len;
    }
    folded->len = end;
}

/* #####: what a spreadsheet shows where a number does not fit into its column. */
static bool is_run_of_hashes(struct span text)
{
    size_t count = 0;

    while (text.len > 0) {
        uint32_t c = fold_char(next_char(&text));
        if (c == '#')
            count++;
        else if (!is_blank(c) && !text_is_invisible(c))
            return false;
    }
    return count >= 2;
}

/* #BEZUG!, #¿NOMBRE?, #ЗНАЧ!: the names of errors are translated, their form is not. */
static bool has_form_of_error(const struct folded *folded)
{
    char last = folded->text[folded->len - 1];

    if (folded->len < 4 || folded->len > 32 || (last != '!' && last != '?') || folded->has_small)
        return false;
    for (size_t i = 1; i + 1 < folded->len; i++) {
        unsigned char c = (unsigned char)folded->text[i];
        bool is_part = (c >= 'A' && c <= 'Z') || c >= 0x80 || c == '/' || c == '0' || c == '_';
        if (!is_part)
            return false;
    }
    return true;
}

static bool is_hash_error(const struct folded *folded)
{
    static const char *const names[] = {"#N/A",  "#N/A N/A",      "#NV",    "#N/D",    "#N/B",
                                        "#I/T",  "#Н/Д",          "#REF!",  "#DIV/0!", "#VALUE!",
                                        "#NUM!", "#NAME?",        "#NULL!", "#SPILL!", "#CALC!",
                                        "#NULL", "#GETTING_DATA", "#NAME",  "#ERROR",  "#ERROR!",
                                        "#ERR!"};
    struct span text = span_of(folded->text, folded->len);

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        if (span_is(text, names[i]))
            return true;
    return has_form_of_error(folded);
}

/* Err:502, 错误:502: LibreOffice's, in the languages that it is met in; the number is 5xx. */
static bool is_numbered_error(const struct folded *folded)
{
    static const char *const words[] = {"ERR",    "ERROR", "ERREUR", "ERRORE", "ERRO",
                                        "FEHLER", "FOUT",  "BŁĄD",   "ОШИБКА", "Ошибка",
                                        "错误",   "錯誤",  "エラー", "오류"};
    struct span text = span_of(folded->text, folded->len);

    if (text.len < 5)
        return false;
    const char *digits = text.ptr + text.len - 3;
    if (digits[0] != '5' || !is_digit(digits[1]) || !is_digit(digits[2]))
        return false;
    text.len -= 3;
    while (text.len > 1 && text.ptr[text.len - 1] == ' ')
        text.len--;
    if (text.ptr[--text.len] != ':')
        return false;
    while (text.len > 0 && text.ptr[text.len - 1] == ' ')
        text.len--;
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++)
        if (span_is(text, words[i]))
            return true;
    return false;
}

static bool is_capital(char c)
{
    return c >= 'A' && c <= 'Z';
}

/* B2, $B$2: one to three letters and a row's number; its length, 0 where it is none. */
static size_t reference_len(struct span text)
{
    size_t at = 0, letters = 0, digits = 0;

    at += at < text.len && text.ptr[at] == '$' ? 1 : 0;
    for (; at < text.len && is_capital(text.ptr[at]); at++)
        letters++;
    at += at < text.len && text.ptr[at] == '$' ? 1 : 0;
    for (; at < text.len && is_digit(text.ptr[at]); at++)
        digits++;
    return letters >= 1 && letters <= 3 && digits >= 1 && digits <= 7 ? at : 0;
}

static bool is_call(struct span text)
{
    size_t at = 0;

    while (at < text.len && at < FUNCTION_NAME_MAX &&
           (is_capital(text.ptr[at]) || text.ptr[at] == '.' || text.ptr[at] == '_' ||
            (at > 0 && is_digit(text.ptr[at]))))
        at++;
    return at > 0 && at < text.len && text.ptr[at] == '(';
}

/* A formula begins with = wherever it stands; Lotus's +, - and @ begin other texts too, and what
 * follows has to look like one. */
static bool is_formula(const struct folded *folded)
{
    struct span text = span_of(folded->text, folded->len);

    if (text.len < 2)
        return false;
    if (text.ptr[0] == '=')
        return true;
    if (text.ptr[0] != '+' && text.ptr[0] != '-' && text.ptr[0] != '@')
        return false;
    struct span rest = span_skip(text, 1);
    if (is_call(rest))
        return true;
    size_t len = reference_len(rest);
    return len > 0 && (len == rest.len || strchr("+-*/^&:!,;()<>=% ", rest.ptr[len]) != NULL);
}

/* Hardly any text begins with one of these: the others need no second look. */
static bool may_be_damaged(struct span text)
{
    unsigned char first = (unsigned char)text.ptr[0];
    bool ends_in_500s = text.len > 4 && text.ptr[text.len - 3] == '5';

    return first >= 0x80 || first <= ' ' || first == '#' || first == '=' || first == '+' ||
           first == '-' || first == '@' || ends_in_500s;
}

enum damage look_damage(struct span text)
{
    struct folded folded;

    if (text.len == 0 || !may_be_damaged(text))
        return DAMAGE_NONE;
    if (is_run_of_hashes(text))
        return DAMAGE_ERROR;
    fold(text, &folded);
    if (folded.len == 0)
        return DAMAGE_NONE;
    if (is_formula(&folded))
        return DAMAGE_FORMULA;
    if (folded.is_cut)
        return DAMAGE_NONE;
    bool is_error = folded.text[0] == '#' ? is_hash_error(&folded) : is_numbered_error(&folded);
    return is_error ? DAMAGE_ERROR : DAMAGE_NONE;
}

/* Words for one of the two, in capitals; NULL behind the last. What valves and breakers have beside
 * these (开阀, 合闸) is left out: which of the two a device calls true cannot be told from here. */
static const struct {
    enum look_word word;
    bool value;
    bool all_capitals; /* in small letters they are words of a language */
    const char *texts[24];
} boolean_words[] = {
    {WORD_EXPORTED, true, false, {"TRUE"}},
    {WORD_EXPORTED, false, false, {"FALSE"}},
    {WORD_EXPORTED,
     true,
     true,
     {"WAHR", "VRAI", "VERDADERO", "VERO", "WAAR", "PRAWDA", "VERDADEIRO", "ИСТИНА"}},
    {WORD_EXPORTED, false, true, {"FALSCH", "FAUX", "FALSO", "ONWAAR", "FAŁSZ", "ЛОЖЬ"}},
    {WORD_WRITTEN, true, false, {"ON",   "YES",  "Y",    "ENABLE", "ENABLED", "开", "開", "打开",
                                 "打開", "开启", "開啟", "启用",   "啟用",    "是", "有", "真",
                                 "对",   "對",   "√",    "✓",      "✔",       "☑"}},
    {WORD_WRITTEN, false, false, {"OFF",  "NO",   "N",    "DISABLE", "DISABLED", "关", "關",
                                  "关闭", "關閉", "停用", "禁用",    "否",       "无", "無",
                                  "假",   "错",   "錯",   "×",       "✗",        "✘",  "☐"}},
};

static bool is_among(const char *const texts[], size_t max, struct span text)
{
    for (size_t i = 0; i < max && texts[i] != NULL; i++)
        if (span_is(text, texts[i]))
            return true;
    return false;
}

enum look_word look_word(struct span text, bool *ret_value)
{
    struct folded folded;

    if (text.len == 0 || text.len > FOLDED_MAX || span_is(text, "true") || span_is(text, "false"))
        return WORD_NONE;
    fold(text, &folded);
    for (size_t i = 0; i < ARRAY_LENGTH(boolean_words); i++) {
        if ((boolean_words[i].all_capitals && folded.has_small) ||
            !is_among(boolean_words[i].texts, ARRAY_LENGTH(boolean_words[i].texts),
                      span_of(folded.text, folded.len)))
            continue;
        *ret_value = boolean_words[i].value;
        return boolean_words[i].word;
    }
    return WORD_NONE;
}

/* Takes one of the texts off the start, or the end; whether one was there. */
static bool take_any(struct span *rest, const char *const *texts, size_t count, bool at_end)
{
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(texts[i]);
        if (len > rest->len ||
            memcmp(at_end ? rest->ptr + rest->len - len : rest->ptr, texts[i], len) != 0)
            continue;
        *rest = at_end ? span_of(rest->ptr, rest->len - len) : span_skip(*rest, len);
        return true;
    }
    return false;
}

static size_t take_digits(struct span *rest)
{
    size_t digits = 0;

    while (digits < rest->len && is_digit(rest->ptr[digits]))
        digits++;
    *rest = span_skip(*rest, digits);
    return digits;
}

/* 1234, 1,234.50, 1 234,5, .5 */
static bool is_plain_numeral(struct span text)
{
    bool is_code = text.len > 1 && text.ptr[0] == '0' && is_digit(text.ptr[1]);
    size_t digits = take_digits(&text), fraction = 0;

    while (digits > 0 && text.len >= 4 && strchr(", '", text.ptr[0]) != NULL) {
        struct span group = span_skip(text, 1);
        if (take_digits(&group) != 3)
            break;
        text = group;
    }
    if (text.len > 0 && (text.ptr[0] == '.' || text.ptr[0] == ',')) {
        text = span_skip(text, 1);
        fraction = take_digits(&text);
    }
    return text.len == 0 && digits + fraction > 0 && !is_code;
}

bool look_is_numeral(struct span text)
{
    static const char *const before[] = {"'", "(", "-", "−", "$", "€", "£", "¥", "￥", " "};
    static const char *const behind[] = {")", "%", "元", "€", " "};
    struct folded folded;
    bool is_opened;

    if (text.len == 0 || text.len > FOLDED_MAX)
        return false;
    fold(text, &folded);
    struct span rest = span_of(folded.text, folded.len);
    is_opened = rest.len > 0 && rest.ptr[0] == '(';
    if (is_opened != (rest.len > 0 && rest.ptr[rest.len - 1] == ')'))
        return false;
    while (take_any(&rest, before, ARRAY_LENGTH(before), false))
        continue;
    while (take_any(&rest, behind, ARRAY_LENGTH(behind), true))
        continue;
    return is_plain_numeral(rest);
}

bool look_is_hex_number(struct span number)
{
    size_t mantissa = 0;

    while (mantissa < number.len && is_digit(number.ptr[mantissa]))
        mantissa++;
    if (mantissa < 2 || mantissa + 1 >= number.len || (number.ptr[mantissa] | 0x20) != 'e')
        return false;
    for (size_t i = mantissa + 1; i < number.len; i++)
        if (!is_digit(number.ptr[i]))
            return false;
    return true;
}

bool look_has_invisible(struct span text)
{
    size_t i = 0;

    while (i < text.len && (unsigned char)text.ptr[i] < 0x80)
        i++;
    text = span_skip(text, i);
    while (text.len > 0)
        if (text_is_invisible(next_char(&text)))
            return true;
    return false;
}

void look_show(struct span text, char *out, size_t size)
{
    static const char cut[] = "…";
    size_t len = 0;

    while (text.len > 0) {
        struct span at = text;
        char shown[16];
        uint32_t c = next_char(&text);
        size_t shown_len = at.len - text.len;
        bool is_hidden = text_is_invisible(c) || c < ' ' || c == 0x7f || c == 0x3000;
        if (is_hidden)
            shown_len = (size_t)snprintf(shown, sizeof(shown), "<U+%04X>", (unsigned)c);
        if (len + shown_len + sizeof(cut) > size) {
            memcpy(out + len, cut, sizeof(cut) - 1);
            len += sizeof(cut) - 1;
            break;
        }
        memcpy(out + len, is_hidden ? shown : at.ptr, shown_len);
        len += shown_len;
    }
    out[len] = '\0';
}
