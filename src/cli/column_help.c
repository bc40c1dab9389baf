#include "cli/column_help.h"

/* What is no parameter of the URL. */
static const struct {
    const char *name, *needed, *what;
} others[] = {
    {"res:5850", "a write: these or data",
     "the value of resource 5850. A number, true and false are sent as such, anything else as "
     "text, "
     "with the blanks around it. res:5850:string: always text, such as 0042. res:5850:opaque: hex "
     "digits. res:5850:time: seconds since 1970"},
    {"data", "a write: these or res:",
     "in place of res: columns: the platform's own array, such as "
     "[{\"res_id\":5850,\"val\":true}]; "
     "2048 bytes at most"},
    {"action", "no", "write (the default), read or execute"},
    {"args", "no", "the argument of an execute, as it is written; 2048 bytes at most"},
};
_Static_assert(COMMAND_CONTENT_MAX == 2048, "as the texts say");

static void add_actions(unsigned actions, char *out, size_t size)
{
    size_t len = 0;

    for (size_t i = 0; i < ACTION_COUNT && len < size; i++)
        if ((actions & FOR_ACTION(i)) != 0)
            len += (size_t)snprintf(out + len, size - len, "%s%s", len > 0 ? ", " : "",
                                    action_rules[i].name);
}

static void describe(const struct param_rule *rule, struct column_text *text)
{
    char range[64] = "", fallback[32] = "", actions[64] = "", only[96] = "";

    (void)snprintf(text->name, sizeof(text->name), "%s", rule->name);
    buf_copy_format(text->needed, sizeof(text->needed), "%s",
                    rule->required == FOR_ALL_ACTIONS ? "yes" : "no");
    if (rule->required != 0 && rule->required != FOR_ALL_ACTIONS)
        add_actions(rule->required, text->needed, sizeof(text->needed));
    if (rule->type == PARAM_TYPE_INT && rule->max > rule->min + 1) /* else the text has both */
        (void)snprintf(range, sizeof(range), "%lld–%lld: ", (long long)rule->min,
                       (long long)rule->max);
    if (rule->fallback != NULL)
        buf_copy_format(fallback, sizeof(fallback), "; empty: %s", rule->fallback);
    if (rule->allowed != FOR_ALL_ACTIONS && rule->required != rule->allowed)
        add_actions(rule->allowed, actions, sizeof(actions));
    if (actions[0] != '\0')
        buf_copy_format(only, sizeof(only), " (%s only)", actions);
    buf_copy_format(text->what, sizeof(text->what), "%s%s%s%s", range, rule->meaning, fallback,
                    only);
}

size_t column_help_texts(struct column_text texts[COLUMN_TEXTS_MAX])
{
    size_t count = 0;

    for (int is_needed = 1; is_needed >= 0; is_needed--) {
        for (size_t i = 0; i < PARAM_COUNT; i++)
            if ((param_rules[i].required != 0) == (is_needed != 0))
                describe(&param_rules[i], &texts[count++]);
        for (size_t i = 0; i < ARRAY_LENGTH(others); i++) {
            if ((strcmp(others[i].needed, "no") != 0) != (is_needed != 0))
                continue;
            struct column_text *text = &texts[count++];
            (void)snprintf(text->name, sizeof(text->name), "%s", others[i].name);
            buf_copy_format(text->needed, sizeof(text->needed), "%s", others[i].needed);
            buf_copy_format(text->what, sizeof(text->what), "%s", others[i].what);
        }
    }
    return count;
}

/* A value that checks clean; of what may be empty, the platform's default. */
static const char *model_of(enum param param, enum action action)
{
    static const char *const objects[ACTION_COUNT] = {"3311", "3311", "3"};
    static const char *const resources[ACTION_COUNT] = {"", "5850", "4"};

    switch (param) {
    case PARAM_IMEI:
        return "865820031310001";
    case PARAM_EXPIRED_TIME:
        return "+7d";
    case PARAM_OBJ_ID:
        return objects[action];
    case PARAM_OBJ_INST_ID:
        return "0";
    case PARAM_RES_ID:
        return resources[action];
    case PARAM_MODE:
        return "2";
    case PARAM_VALID_TIME:
        return "";
    default:
        return param_rules[param].fallback;
    }
}

void column_help_add_template(enum action action, struct buf *out)
{
    struct buf row;

    buf_init(&row, 4096);
    for (size_t i = 0; i < PARAM_COUNT; i++) {
        if ((param_rules[i].allowed & FOR_ACTION(action)) == 0)
            continue;
        buf_add_format(out, "%s%s", i > 0 ? "," : "", param_rules[i].name);
        buf_add_format(&row, "%s%s", i > 0 ? "," : "", model_of((enum param)i, action));
    }
    if (action == ACTION_WRITE) {
        buf_add_string(out, ",res:5850\n");
        buf_add_string(&row, ",true\n");
    } else {
        bool has_args = action_rules[action].body == BODY_ARGS;
        buf_add_string(out, has_args ? ",action,args\n" : ",action\n");
        buf_add_format(&row, ",%s%s\n", action_rules[action].name, has_args ? "," : "");
    }
    buf_add(out, buf_span(&row));
    buf_deinit(&row);
}
