#include "report/next.h"

#include "core/shell.h"

/* The text for one row, and for several, with %s in the number's place. */
static const struct {
    const char *name;
    const char *option; /* NULL: not a run */
    const char *one, *many;
} kinds[NEXT_COUNT] = {
    [NEXT_RESUME] = {"resume", "--resume", "send the one row that was not sent",
                     "send the %s rows that were not sent"},
    /* Programs that read the JSON know this step by its word since version 0.1.0. */
    [NEXT_FIX] = {"mend", "--resume", "fix the one invalid row in the input, then send it",
                  "fix the %s invalid rows in the input, then send them"},
    [NEXT_LATER] = {"later", "--resume=invalid",
                    "once nothing keeps it from being sent any more, send the one invalid row as "
                    "it is",
                    "once nothing keeps them from being sent any more, send the %s invalid rows as "
                    "they are"},
    [NEXT_FAILED] = {"failed", "--resume=failed",
                     "send the one failed row again; it was not processed",
                     "send the %s failed rows again; none of them was processed"},
    [NEXT_REJECTED] = {"rejected", "--resume=rejected",
                       "once its reason is gone, send the one rejected row again",
                       "once their reasons are gone, send the %s rejected rows again"},
    [NEXT_VERIFY] = {"verify", NULL,
                     "ask the platform's history what became of the one row in doubt",
                     "ask the platform's history what became of the %s rows in doubt"},
    [NEXT_LOOK] = {"look", NULL,
                   "look at the one row in doubt: does its device hold the command already?",
                   "look at the %s rows in doubt: do their devices hold the command already?"},
    [NEXT_IN_DOUBT] = {"in_doubt", "--resume=in_doubt",
                       "send it again, if its device may get the command twice",
                       "send them again, if the devices may get the command twice"},
    [NEXT_TWICE] =
        {"twice", NULL,
         "look at the command list of the one device that may hold its command twice, "
         "and cancel there what is not wanted",
         "look at the command lists of the %s devices that may hold their command twice, "
         "and cancel there what is not wanted"},
};

const char *next_name(enum next_kind kind)
{
    return kinds[kind].name;
}

/* What goes on where the run ended. One that recorded nothing has left no results to go on with. */
static const char *option_of(const struct next_facts *facts, enum next_kind kind)
{
    uint64_t total = 0;

    for (size_t i = 0; i < ROW_STATUS_COUNT; i++)
        total += facts->rows[i];
    return kind == NEXT_RESUME && total == 0 ? "" : kinds[kind].option;
}

size_t next_steps(const struct next_facts *facts, struct next_step steps[NEXT_COUNT])
{
    const uint64_t rows[NEXT_COUNT] = {
        [NEXT_RESUME] = facts->unsent,
        [NEXT_FIX] = facts->rows[ROW_INVALID] - facts->passing,
        [NEXT_LATER] = facts->passing,
        [NEXT_FAILED] = facts->rows[ROW_FAILED],
        [NEXT_REJECTED] = facts->rows[ROW_REJECTED],
        [NEXT_VERIFY] = facts->verify != NULL ? facts->rows[ROW_IN_DOUBT] : 0,
        [NEXT_LOOK] = facts->rows[ROW_IN_DOUBT],
        [NEXT_IN_DOUBT] = facts->rows[ROW_IN_DOUBT],
        [NEXT_TWICE] = facts->twice,
    };
    size_t count = 0;

    for (size_t i = 0; i < NEXT_COUNT; i++)
        if (rows[i] > 0 || (i == NEXT_RESUME && facts->has_more))
            steps[count++] = (struct next_step){.kind = (enum next_kind)i, .rows = rows[i]};
    return count;
}

void next_add_text(const struct next_facts *facts, const struct next_step *step, struct buf *out)
{
    const char *text = step->rows == 0   ? "send what was not sent"
                       : step->rows == 1 ? kinds[step->kind].one
                                         : kinds[step->kind].many;
    text = buf_words(out, text);
    const char *number = strstr(text, "%s");

    if (step->kind == NEXT_RESUME && facts->is_refused)
        buf_add_string(out, "once the key, the endpoint or the certificates are right, ");
    if (number != NULL) {
        buf_add(out, span_of(text, (size_t)(number - text)));
        buf_add_uint64(out, step->rows);
        text = number + 2;
    }
    buf_add_string(out, text);
    const char *option = option_of(facts, step->kind);
    if (option != NULL && facts->command.program == NULL)
        buf_add_format(out, ": call the run once more%s%s", option[0] != '\0' ? ", with " : "",
                       option);
    else if (kinds[step->kind].option != NULL && facts->command.from_stdin)
        buf_add_string(out, " (give it the same input again)");
}

/* "nbatch" of "nbatch run", which is how the program was called. */
static void add_program(const struct next_facts *facts, struct buf *out)
{
    const char *words = facts->command.program != NULL ? facts->command.program : "nbatch run";
    const char *end = strrchr(words, ' ');

    buf_add_bytes(out, words, end != NULL ? (size_t)(end - words) : strlen(words));
}

/* Of each row the line that counts, whatever lines it has replaced. */
static void add_look(const struct next_facts *facts, enum next_kind kind, struct buf *out)
{
    add_program(facts, out);
    buf_add_string(out, " results ");
    shell_add_file(facts->results, out);
    buf_add_string(out,
                   kind == NEXT_TWICE ? " --status accepted --ambiguous" : " --status in_doubt");
}

void next_add_command(const struct next_facts *facts, const struct next_step *step, struct buf *out)
{
    const char *option = option_of(facts, step->kind);
    bool was_text = buf_set_text(out, false);

    if (step->kind == NEXT_VERIFY)
        buf_add_string(out, facts->verify);
    else if (option == NULL)
        add_look(facts, step->kind, out);
    else if (facts->command.program != NULL)
        buf_add_format(out, "%s%s%s%s", facts->command.program, option[0] != '\0' ? " " : "",
                       option, facts->command.words);
    (void)buf_set_text(out, was_text);
}
