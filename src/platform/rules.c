#include "platform/rules.h"

const struct action_rule action_rules[ACTION_COUNT] = {
    [ACTION_WRITE] = {"write", BODY_DATA, true},
    [ACTION_READ] = {"read", BODY_NONE, true},
    [ACTION_EXECUTE] = {"execute", BODY_ARGS, false},
};

#define ALL     FOR_ALL_ACTIONS
#define WRITE   FOR_ACTION(ACTION_WRITE)
#define READ    FOR_ACTION(ACTION_READ)
#define EXECUTE FOR_ACTION(ACTION_EXECUTE)

const struct param_rule param_rules[PARAM_COUNT] = {
    [PARAM_IMEI] = {"imei", PARAM_TYPE_IMEI, ALL, ALL, 0, 0, NULL,
                    "the device: 15 digits, the last a check digit"},
    [PARAM_VALID_TIME] = {"valid_time", PARAM_TYPE_TIME, ALL, 0, 0, 0, "now",
                          "when the command becomes deliverable. Where it has come before the "
                          "row's turn, it is left out, which means at once"},
    [PARAM_EXPIRED_TIME] = {"expired_time", PARAM_TYPE_TIME, ALL, ALL, 0, 0, NULL,
                            "when the platform gives the command up"},
    [PARAM_OBJ_ID] = {"obj_id", PARAM_TYPE_INT, ALL, ALL, 0, LWM2M_ID_MAX, NULL, "LwM2M object"},
    [PARAM_OBJ_INST_ID] = {"obj_inst_id", PARAM_TYPE_INT, ALL, WRITE | EXECUTE, 0, LWM2M_ID_MAX,
                           NULL, "object instance"},
    [PARAM_RES_ID] = {"res_id", PARAM_TYPE_INT, READ | EXECUTE, EXECUTE, 0, LWM2M_ID_MAX, NULL,
                      "the resource to execute, or to read"},
    [PARAM_MODE] = {"mode", PARAM_TYPE_INT, WRITE, WRITE, 1, 2, NULL,
                    "2: change the resources that are named. 1: replace the instance, so that "
                    "every resource that is not named is deleted"},
    [PARAM_RETRY] = {"retry", PARAM_TYPE_INT, ALL, 0, 0, 10, "3",
                     "how often the platform repeats the delivery"},
    [PARAM_TIMEOUT] = {"timeout", PARAM_TYPE_INT, ALL, 0, 5, 40, "25",
                       "seconds that the platform waits for the device"},
    [PARAM_TRIGGER_MSG] = {"trigger_msg", PARAM_TYPE_INT, ALL, 0, 1, 7, "7",
                           "which uplinks trigger the delivery: the sum of 1 register, 2 update, 4 "
                           "notify"},
    [PARAM_BIN2HEX] = {"bin2hex", PARAM_TYPE_BOOL, READ, 0, 0, 0, "false",
                       "true: opaque values come back as hex"},
};

bool action_find(struct span name, enum action *ret_action)
{
    for (size_t i = 0; i < ACTION_COUNT; i++) {
        if (span_is(name, action_rules[i].name)) {
            *ret_action = (enum action)i;
            return true;
        }
    }
    return false;
}

bool param_find(struct span name, enum param *ret_param)
{
    for (size_t i = 0; i < PARAM_COUNT; i++) {
        if (span_is(name, param_rules[i].name)) {
            *ret_param = (enum param)i;
            return true;
        }
    }
    return false;
}
