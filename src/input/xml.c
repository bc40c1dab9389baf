#include "input/xml.h"

#include <expat.h>

struct xml {
    XML_Parser parser;
    const struct xml_events *events;
    void *context;
    struct trouble *trouble;
    char name[ARCHIVE_NAME_MAX];
    int depth;
    size_t quiet; /* bytes since the last event */
    bool is_begun;
    bool is_last;
    bool is_paused;
    enum status stopped; /* STATUS_OK: it is not */
};

static const char *local_name(const char *name)
{
    const char *colon = strchr(name, ':');

    return colon != NULL ? colon + 1 : name;
}

static void XMLCALL on_start(void *user, const char *name, const char **attributes)
{
    struct xml *xml = user;

    xml->quiet = 0;
    xml->depth++;
    if (xml->stopped != STATUS_OK)
        return;
    if (xml->depth > XML_DEPTH_MAX)
        xml_stop(xml, trouble_say(xml->trouble,
                                  "the workbook is damaged: %s is nested deeper "
                                  "than %d elements",
                                  xml->name, XML_DEPTH_MAX));
    else if (xml->events->start != NULL)
        xml->events->start(xml->context, xml->depth, local_name(name),
                           (const char *const *)attributes);
}

static void XMLCALL on_end(void *user, const char *name)
{
    struct xml *xml = user;

    xml->quiet = 0;
    if (xml->stopped == STATUS_OK && xml->events->end != NULL)
        xml->events->end(xml->context, xml->depth, local_name(name));
    xml->depth--;
}

static void XMLCALL on_text(void *user, const char *text, int len)
{
    struct xml *xml = user;

    xml->quiet = 0;
    if (xml->stopped == STATUS_OK && len > 0)
        xml->events->text(xml->context, text, (size_t)len);
}

static void XMLCALL on_doctype(void *user, const char *name, const char *system, const char *public,
                               int has_subset)
{
    struct xml *xml = user;

    (void)name;
    (void)system;
    (void)public;
    (void)has_subset;
    xml_stop(xml, trouble_say(xml->trouble,
                              "its part %s has a document type declaration, which no workbook has: "
                              "it is not read",
                              xml->name));
}

enum status xml_new(const struct xml_events *events, void *context, struct trouble *trouble,
                    const char *name, struct xml **ret_xml)
{
    struct xml *xml = calloc(1, sizeof(*xml));

    if (xml == NULL)
        return STATUS_NO_MEMORY;
    xml->parser = XML_ParserCreate(NULL);
    if (xml->parser == NULL) {
        free(xml);
        return STATUS_NO_MEMORY;
    }
    xml->events = events;
    xml->context = context;
    xml->trouble = trouble;
    (void)snprintf(xml->name, sizeof(xml->name), "%s", name);
    XML_SetUserData(xml->parser, xml);
    XML_SetElementHandler(xml->parser, on_start, on_end);
    if (events->text != NULL)
        XML_SetCharacterDataHandler(xml->parser, on_text);
    XML_SetStartDoctypeDeclHandler(xml->parser, on_doctype);
    *ret_xml = xml;
    return STATUS_OK;
}

void xml_free(struct xml *xml)
{
    if (xml == NULL)
        return;
    XML_ParserFree(xml->parser);
    free(xml);
}

void xml_pause(struct xml *xml)
{
    if (xml->stopped == STATUS_OK && !xml->is_paused)
        xml->is_paused = XML_StopParser(xml->parser, XML_TRUE) == XML_STATUS_OK;
}

void xml_stop(struct xml *xml, enum status status)
{
    if (xml->stopped != STATUS_OK)
        return;
    xml->stopped = status;
    (void)XML_StopParser(xml->parser, XML_FALSE); /* where it is paused, the next step sees it */
}

static enum status explain(struct xml *xml)
{
    enum XML_Error error = XML_GetErrorCode(xml->parser);

    if (xml->stopped != STATUS_OK)
        return xml->stopped;
    if (error == XML_ERROR_NO_MEMORY)
        return STATUS_NO_MEMORY;
    return trouble_say(xml->trouble, "the workbook is damaged: %s, line %lu: %s", xml->name,
                       (unsigned long)XML_GetCurrentLineNumber(xml->parser),
                       XML_ErrorString(error));
}

/* What came of a call of the parser. */
static enum status judge(struct xml *xml, enum XML_Status result)
{
    if (xml->stopped != STATUS_OK || result == XML_STATUS_ERROR)
        return explain(xml);
    if (result == XML_STATUS_SUSPENDED)
        return STATUS_OK;
    if (xml->quiet > XML_TAG_MAX)
        return trouble_say(xml->trouble,
                           "the workbook is damaged: %s has a tag of more than %d MiB", xml->name,
                           XML_TAG_MAX / (1024 * 1024));
    return xml->is_last ? STATUS_END : STATUS_OK;
}

/* Expat would read UTF-16; what looks for markup among the bytes would not. No workbook has it. */
static enum status check_begin(struct xml *xml, struct span bytes)
{
    bool is_utf16 = bytes.len >= 2 && (memcmp(bytes.ptr, "\xff\xfe", 2) == 0 ||
                                       memcmp(bytes.ptr, "\xfe\xff", 2) == 0 ||
                                       bytes.ptr[0] == '\0' || bytes.ptr[1] == '\0');

    xml->is_begun = true;
    return is_utf16 ? trouble_say(xml->trouble, "its part %s is not UTF-8: save the workbook again",
                                  xml->name)
                    : STATUS_OK;
}

enum status xml_step(struct xml *xml, struct archive_part *part)
{
    size_t count = 0;

    if (xml->is_paused) {
        xml->is_paused = false;
        return judge(xml, XML_ResumeParser(xml->parser));
    }
    char *bytes = XML_GetBuffer(xml->parser, XML_CHUNK);
    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    enum status status = part_read(part, bytes, XML_CHUNK, &count);
    xml->is_last = status == STATUS_END;
    if (status == STATUS_OK && !xml->is_begun)
        status = check_begin(xml, span_of(bytes, count));
    if (status != STATUS_OK && status != STATUS_END)
        return status;
    xml->quiet += count;
    return judge(xml, XML_ParseBuffer(xml->parser, (int)count, xml->is_last));
}

enum status xml_feed(struct xml *xml, struct span bytes, bool is_last)
{
    xml->is_last = is_last;
    xml->quiet += bytes.len;
    return judge(xml, XML_Parse(xml->parser, bytes.ptr, (int)bytes.len, is_last));
}

enum status xml_read_part(struct archive *archive, const char *name,
                          const struct xml_events *events, void *context, struct trouble *trouble)
{
    struct archive_part *part = NULL;
    struct xml *xml = NULL;
    enum status status = archive_part_open(archive, name, &part);

    if (status == STATUS_OK)
        status = xml_new(events, context, trouble, name, &xml);
    while (status == STATUS_OK)
        status = xml_step(xml, part);
    xml_free(xml);
    part_close(part);
    return status == STATUS_END ? STATUS_OK : status;
}

const char *xml_attribute(const char *const *attributes, const char *name)
{
    for (; attributes[0] != NULL; attributes += 2)
        if (strcmp(local_name(attributes[0]), name) == 0)
            return attributes[1];
    return NULL;
}

bool xml_attribute_is_true(const char *const *attributes, const char *name)
{
    const char *value = xml_attribute(attributes, name);

    return value != NULL && (strcmp(value, "1") == 0 || strcmp(value, "true") == 0);
}

bool xml_preserves_space(const char *const *attributes)
{
    const char *value = xml_attribute(attributes, "space");

    return value != NULL && strcmp(value, "preserve") == 0;
}
