#include "cli/console.h"

#include <unistd.h>

#include "ledger/outfile.h"
#include "ledger/outlet.h"

enum { PATIENCE_MS = 30 * 1000 };

static struct outlet *console; /* NULL: written at once */
static unsigned long long left_out;

void console_start(void)
{
    if (console == NULL && outlet_open(STDERR_FILENO, &console) != STATUS_OK)
        console = NULL;
}

/* What was left out, as soon as there is room to say it. */
static void tell_left_out(void)
{
    char text[192];

    if (left_out == 0)
        return;
    buf_copy_format(text, sizeof(text), "%llu line%s left out here: standard error was not read\n",
                    left_out, left_out == 1 ? " was" : "s were");
    left_out = 0;
    (void)outlet_add(console, span_string(text));
}

void console_write(struct span text, enum console_kind kind)
{
    if (console == NULL) {
        (void)!disk_append_all(&disk_real, STDERR_FILENO, text); /* nobody is left to be told */
        return;
    }
    if (kind == CONSOLE_PASSING && outlet_is_full(console)) {
        left_out++;
        return;
    }
    tell_left_out();
    (void)outlet_add(console, text); /* likewise */
}

bool console_is_idle(void)
{
    return console == NULL || outlet_waiting(console) == 0;
}

void console_finish(void)
{
    if (console == NULL)
        return;
    tell_left_out();
    (void)outlet_wait(console, PATIENCE_MS);
    outlet_close(console);
    console = NULL;
}
