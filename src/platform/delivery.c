#include "platform/delivery.h"

#define WAIT_FOR_IT "wait until the device reports in, and ask again"
#define SEND_AGAIN  "send the row again with --resume=undelivered"

const struct delivery deliveries[COMMAND_STATE_COUNT] = {
    [COMMAND_WAITING] = {"waiting", "the device has not reported in yet", WAIT_FOR_IT,
                         DELIVERY_OPEN},
    [COMMAND_SENT] = {"sent", "on its way to the device, which has not confirmed it",
                      "ask again a minute later", DELIVERY_OPEN},
    [COMMAND_DELIVERED] = {"delivered", "the device has done it", "", DELIVERY_FINAL},
    [COMMAND_REFUSED] = {"refused", "the device got it and said no; reason is its word",
                         "see the reason; correct the row, and send it again as a new one",
                         DELIVERY_FINAL},
    [COMMAND_FAILED] = {"failed", "the platform could not deliver it; reason says why",
                        "while tries remain the platform tries again; then " SEND_AGAIN,
                        DELIVERY_DEPENDS},
    [COMMAND_EXPIRED] = {"expired", "the device did not report in before expired_time",
                         "send the row again with --resume=expired and a later expired_time",
                         DELIVERY_FINAL},
    [COMMAND_CANCELLED] = {"cancelled", "it was taken back before the device got it",
                           "to send the row after all: --resume=cancelled", DELIVERY_FINAL},
    [COMMAND_UNCLEAR] = {"unclear",
                         "the platform or the device says what is not documented; reason has the "
                         "word",
                         "ask again later; look at the command on the platform", DELIVERY_DEPENDS},
    [COMMAND_MISSING] = {"missing", "the platform does not know the uuid",
                         "ask again later; reason overwritten: ten later commands took its place, "
                         "and " SEND_AGAIN,
                         DELIVERY_DEPENDS},
};

#define CHECK_MODEL "compare obj_id, obj_inst_id and res_id with the device's object model"
#define ONLINE      "look whether the device is registered and in coverage, and send the row again"

const struct delivery_answer delivery_answers[CONFIRM_OTHER + 1] = {
    [CONFIRM_SUCCESS] = {"the device has done it", ""},
    [CONFIRM_METHOD_NOT_ALLOWED] = {"the object or resource does not allow this", CHECK_MODEL},
    [CONFIRM_FORBIDDEN] = {"the device is not registered", ONLINE},
    [CONFIRM_NOT_FOUND] = {"the device has no such object, instance or resource", CHECK_MODEL},
    [CONFIRM_INTERNAL_SERVER_ERROR] = {"the device itself failed",
                                       "look at the device's log, and send the row again"},
    [CONFIRM_TIME_OUT] = {"the device did not answer in time",
                          "send the row again, with a longer timeout"},
    [CONFIRM_REQ_PARAM_ERROR] = {"a parameter of the command is wrong", CHECK_MODEL},
    [CONFIRM_RESP_ERROR] = {"the device's answer cannot be read",
                            "read the resource back to see whether it was done"},
    [CONFIRM_UNAUTHORIZED] = {"the device does not grant access",
                              "look at the device's access rights"},
    [CONFIRM_BAD_REQUEST] = {"the device does not take the value or its type",
                             "correct the value, and send the row again"},
    [CONFIRM_NOT_ACCEPTABLE] = {"the device does not take this form of content", CHECK_MODEL},
    [CONFIRM_UNSUPPORTED_CONTENT_FORMAT] = {"the device does not know this form of content",
                                            CHECK_MODEL},
    [CONFIRM_OFFLINE] = {"the device is not registered", ONLINE},
    [CONFIRM_ADDR_OCCUPIED] = {"the device's address is in use by another",
                               "let the device register anew, and send the row again"},
    [CONFIRM_NONE] = {"no answer yet", ""},
    [CONFIRM_OTHER] = {"an answer that is not documented", "look at the command on the platform"},
};

const char *const delivery_group_names[DELIVERY_GROUP_COUNT] = {
    [DELIVERY_EXPIRED] = "expired",
    [DELIVERY_UNDELIVERED] = "undelivered",
    [DELIVERY_CANCELLED] = "cancelled",
};

bool delivery_read(struct span word, enum command_state *ret_state)
{
    for (size_t i = 0; i < COMMAND_STATE_COUNT; i++) {
        if (span_is(word, deliveries[i].word)) {
            *ret_state = (enum command_state)i;
            return true;
        }
    }
    return false;
}

bool delivery_read_answer(struct span word, enum confirm *ret_confirm)
{
    for (size_t i = 0; i <= CONFIRM_OTHER; i++) {
        if (span_is(word, history_confirm_name((enum confirm)i))) {
            *ret_confirm = (enum confirm)i;
            return true;
        }
    }
    return false;
}

static bool has_expired(int64_t expires_s, int64_t now_s)
{
    return expires_s != HISTORY_NONE && now_s > expires_s + DELIVERY_GRACE_S;
}

enum command_state delivery_judge(const struct history_entry *entry, int64_t now_s)
{
    enum command_state state = history_state(entry);
    bool is_open = state == COMMAND_WAITING || state == COMMAND_SENT;

    return is_open && has_expired(entry->times_s[HISTORY_EXPIRES], now_s) ? COMMAND_EXPIRED : state;
}

bool delivery_is_final(const struct delivery_facts *facts)
{
    if (deliveries[facts->state].end != DELIVERY_DEPENDS)
        return deliveries[facts->state].end == DELIVERY_FINAL;
    if (facts->state == COMMAND_UNCLEAR)
        return has_expired(facts->expires_s, facts->asked_s);
    if (facts->state == COMMAND_FAILED)
        return facts->remain == 0 || has_expired(facts->expires_s, facts->asked_s);
    return span_is(facts->reason, DELIVERY_OVERWRITTEN) ||
           (facts->created_s != HISTORY_NONE &&
            facts->asked_s > facts->created_s + DELIVERY_KEPT_S);
}

bool delivery_is_in(const struct delivery_facts *facts, enum delivery_group group)
{
    switch (group) {
    case DELIVERY_EXPIRED:
        return facts->state == COMMAND_EXPIRED;
    case DELIVERY_CANCELLED:
        return facts->state == COMMAND_CANCELLED;
    default:
        return facts->state == COMMAND_EXPIRED || facts->state == COMMAND_REFUSED ||
               facts->state == COMMAND_MISSING ||
               (facts->state == COMMAND_FAILED && delivery_is_final(facts));
    }
}

const struct cancel_word cancel_words[CANCEL_OUTCOME_COUNT] = {
    [CANCEL_CANCELLED] = {"cancelled", "taken back: the device does not get it", true},
    [CANCEL_TOO_LATE] = {"too_late", "it does not wait any more, or could not be taken back", true},
    [CANCEL_EXPIRED] = {"expired", "the platform had given it up by itself", true},
    [CANCEL_MISSING] = {"missing", "the platform does not know it", false},
    [CANCEL_IN_DOUBT] = {"in_doubt", "no answer says what came of it", false},
    [CANCEL_FAILED] = {"failed", "the request was not processed: it may wait still", false},
};

bool cancel_outcome_read(struct span word, enum cancel_outcome *ret_outcome)
{
    for (size_t i = 0; i < CANCEL_OUTCOME_COUNT; i++) {
        if (span_is(word, cancel_words[i].word)) {
            *ret_outcome = (enum cancel_outcome)i;
            return true;
        }
    }
    return false;
}

enum cancel_outcome cancel_outcome_of(enum command_state state)
{
    switch (state) {
    case COMMAND_CANCELLED:
        return CANCEL_CANCELLED;
    case COMMAND_EXPIRED:
        return CANCEL_EXPIRED;
    case COMMAND_MISSING:
        return CANCEL_MISSING;
    default:
        return CANCEL_TOO_LATE;
    }
}
