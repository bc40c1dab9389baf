#include "platform/heading.h"

#include <stdio.h>

#include "core/text.h"
#include "platform/rules.h"
#include "platform/schema.h"

/* What people call the columns, in their tables and in those of other systems, without blanks,
 * underscores, hyphens and what is in brackets. */
static const struct {
    const char *name;
    const char *heading;
} synonyms[] = {
    {"imei", "设备号"},
    {"imei", "设备编号"},
    {"imei", "设备id"},
    {"imei", "设备标识"},
    {"imei", "设备imei"},
    {"imei", "设备imei号"},
    {"imei", "设备串号"},
    {"imei", "串号"},
    {"imei", "imei号"},
    {"imei", "imei号码"},
    {"imei", "imei码"},
    {"imei", "终端号"},
    {"imei", "终端编号"},
    {"imei", "终端imei"},
    {"imei", "模组imei"},
    {"imei", "設備號"},
    {"imei", "設備編號"},
    {"imei", "設備識別碼"},
    {"imei", "imei號"},
    {"imei", "序號imei"},
    {"imei", "device"},
    {"imei", "deviceid"},
    {"imei", "deviceno"},
    {"imei", "devicenumber"},
    {"imei", "deviceimei"},
    {"imei", "imeino"},
    {"imei", "imeinumber"},
    {"imei", "imeicode"},
    {"imei", "imei1"},
    {"obj_id", "对象id"},
    {"obj_id", "对象"},
    {"obj_id", "对象号"},
    {"obj_id", "对象编号"},
    {"obj_id", "物件id"},
    {"obj_id", "物件編號"},
    {"obj_id", "object"},
    {"obj_id", "objectid"},
    {"obj_id", "obj"},
    {"obj_id", "lwm2m对象"},
    {"obj_inst_id", "实例id"},
    {"obj_inst_id", "实例"},
    {"obj_inst_id", "实例号"},
    {"obj_inst_id", "实例编号"},
    {"obj_inst_id", "对象实例"},
    {"obj_inst_id", "对象实例id"},
    {"obj_inst_id", "實例id"},
    {"obj_inst_id", "instance"},
    {"obj_inst_id", "instanceid"},
    {"obj_inst_id", "instid"},
    {"obj_inst_id", "objinst"},
    {"obj_inst_id", "objectinstance"},
    {"obj_inst_id", "objectinstanceid"},
    {"res_id", "资源id"},
    {"res_id", "资源"},
    {"res_id", "资源号"},
    {"res_id", "资源编号"},
    {"res_id", "資源id"},
    {"res_id", "resource"},
    {"res_id", "resourceid"},
    {"mode", "模式"},
    {"mode", "写模式"},
    {"mode", "写入模式"},
    {"mode", "下发模式"},
    {"mode", "writemode"},
    {"expired_time", "过期时间"},
    {"expired_time", "失效时间"},
    {"expired_time", "到期时间"},
    {"expired_time", "截止时间"},
    {"expired_time", "有效期"},
    {"expired_time", "有效期至"},
    {"expired_time", "命令过期时间"},
    {"expired_time", "過期時間"},
    {"expired_time", "到期時間"},
    {"expired_time", "expire"},
    {"expired_time", "expires"},
    {"expired_time", "expiry"},
    {"expired_time", "expiretime"},
    {"expired_time", "expirytime"},
    {"expired_time", "expiration"},
    {"expired_time", "expirationtime"},
    {"expired_time", "deadline"},
    {"valid_time", "生效时间"},
    {"valid_time", "开始时间"},
    {"valid_time", "生效時間"},
    {"valid_time", "validfrom"},
    {"valid_time", "starttime"},
    {"action", "操作"},
    {"action", "操作类型"},
    {"action", "动作"},
    {"action", "命令类型"},
    {"action", "指令类型"},
    {"action", "operation"},
    {"action", "commandtype"},
    {"data", "数据"},
    {"data", "写入数据"},
    {"data", "下发数据"},
    {"data", "命令内容"},
    {"data", "指令内容"},
    {"data", "payload"},
    {"args", "参数"},
    {"args", "执行参数"},
    {"args", "命令参数"},
    {"args", "arg"},
    {"args", "arguments"},
    {"retry", "重试"},
    {"retry", "重试次数"},
    {"retry", "retries"},
    {"retry", "retrycount"},
    {"timeout", "超时"},
    {"timeout", "超时时间"},
    {"timeout", "超时秒数"},
    {"trigger_msg", "触发消息"},
    {"trigger_msg", "触发条件"},
    {"trigger_msg", "trigger"},
};

/* What is in front of a resource's number: 资源5850, res_5850, resource 5850. */
static const char *const resource_words[] = {"res:", "res",    "resource", "resourceid", "resid",
                                             "资源", "资源id", "資源",     "r"};

struct span heading_fold(struct span heading, char out[HEADING_MAX])
{
    struct span rest = text_trim_blanks(heading);
    size_t len = 0;

    if (rest.len > HEADING_MAX)
        return heading;
    for (size_t i = 0; i < rest.len; i++) {
        unsigned char c = (unsigned char)rest.ptr[i];
        /* U+FF01 … U+FF5E: EF BC 81 … EF BD 9E */
        if (c == 0xef && i + 2 < rest.len) {
            unsigned second = (unsigned char)rest.ptr[i + 1],
                     third = (unsigned char)rest.ptr[i + 2];
            unsigned wide = (second & 0x3f) << 6 | (third & 0x3f);
            if (wide >= 0xf01 && wide <= 0xf5e) {
                c = (unsigned char)(wide - 0xf01 + '!');
                i += 2;
            }
        }
        out[len++] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    return text_trim_blanks(span_of(out, len));
}

bool heading_equal(struct span a, struct span b)
{
    char folded_a[HEADING_MAX], folded_b[HEADING_MAX];

    return span_equal(a, b) || span_equal(heading_fold(a, folded_a), heading_fold(b, folded_b));
}

/* Drops what people put between the words of a heading. */
static struct span loosen(struct span folded, char out[HEADING_MAX])
{
    size_t len = 0;

    while (folded.len > 0 && len < HEADING_MAX) {
        size_t blank = text_blank_prefix(folded);
        char c = folded.ptr[0];
        if (blank == 0 && strchr("_-*.", c) == NULL)
            out[len++] = c;
        folded = span_skip(folded, blank > 0 ? blank : 1);
    }
    return span_of(out, len);
}

/* res:5850 for 资源5850 and the like; a bare number is no name. */
static bool guess_resource(struct span heading, char out[HEADING_NAME_MAX])
{
    size_t digits = 0;
    uint64_t id;

    while (digits < heading.len && is_digit(heading.ptr[heading.len - 1 - digits]))
        digits++;
    struct span word = span_of(heading.ptr, heading.len - digits);
    if (span_to_uint64(span_skip(heading, word.len), &id) != STATUS_OK || id > LWM2M_ID_MAX)
        return false;
    for (size_t i = 0; i < ARRAY_LENGTH(resource_words); i++) {
        if (!span_is(word, resource_words[i]))
            continue;
        (void)snprintf(out, HEADING_NAME_MAX, "res:%u", (unsigned)id);
        return true;
    }
    return false;
}

static bool guess_name(struct span heading, char out[HEADING_NAME_MAX])
{
    char name[HEADING_MAX];

    for (size_t i = 0; i < PART_COUNT; i++) /* objid, Expired Time */
        if (span_equal(heading, loosen(span_string(schema_part_name(i)), name))) {
            (void)snprintf(out, HEADING_NAME_MAX, "%s", schema_part_name(i));
            return true;
        }
    for (size_t i = 0; i < ARRAY_LENGTH(synonyms); i++) {
        if (!span_is(heading, synonyms[i].heading))
            continue;
        (void)snprintf(out, HEADING_NAME_MAX, "%s", synonyms[i].name);
        return true;
    }
    return guess_resource(heading, out);
}

bool heading_guess(struct span heading, char out[HEADING_NAME_MAX])
{
    char folded[HEADING_MAX], loose[HEADING_MAX];
    struct span name = heading_fold(heading, folded);

    if (name.len > HEADING_MAX || schema_knows(name))
        return false;
    name = loosen(name, loose);
    if (guess_name(name, out))
        return true;
    /* 设备号(15位), 开关(res:5850): what is in front of the brackets, or else in them */
    const char *open = memchr(name.ptr, '(', name.len);
    if (open == NULL || name.ptr[name.len - 1] != ')')
        return false;
    size_t before = (size_t)(open - name.ptr);
    struct span inside = span_of(open + 1, name.len - before - 2);
    if (guess_name(span_of(name.ptr, before), out))
        return true;
    if (inside.len < HEADING_NAME_MAX && schema_knows(inside)) {
        (void)snprintf(out, HEADING_NAME_MAX, "%.*s", SPAN_ARG(inside));
        return true;
    }
    return guess_name(inside, out);
}

bool heading_is_aside(struct span heading)
{
    static const char *const words[] = {"序号", "序號",  "行号",  "编号",   "備註",   "备注",
                                        "说明", "no",    "#",     "id",     "站点",   "地址",
                                        "姓名", "户号",  "表号",  "电话",   "手机号", "remarks",
                                        "note", "notes", "iccid", "imsi",   "经度",   "纬度",
                                        "楼栋", "房号",  "name",  "remark", "site",   "sn"};
    char folded[HEADING_MAX], loose[HEADING_MAX];
    struct span name = loosen(heading_fold(heading, folded), loose);

    for (size_t i = 0; i < ARRAY_LENGTH(words); i++)
        if (span_is(name, words[i]))
            return true;
    return false;
}
