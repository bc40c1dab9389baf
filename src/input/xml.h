/*
 * The XML of a workbook's part, by expat, for readers that do not trust it. Names come without
 * their namespace prefix: Office's transitional and strict namespaces, and a writer's own prefixes,
 * are all one.
 *
 *     status = xml_new(&events, context, &trouble, "xl/workbook.xml", &xml);
 *     while ((status = xml_step(xml, part)) == STATUS_OK)
 *         ;                                   // STATUS_END: it was all well-formed
 *     xml_free(xml);
 *
 * A document type declaration is refused: no workbook has one, and entities come with it. So is
 * what is nested deeper than XML_DEPTH_MAX, and a tag of more than XML_TAG_MAX bytes.
 */
#ifndef NB_INPUT_XML_H
#define NB_INPUT_XML_H

#include "input/archive.h"

enum { XML_DEPTH_MAX = 64, XML_TAG_MAX = 4 * 1024 * 1024, XML_CHUNK = 64 * 1024 };

struct xml;

/* Each may be NULL. `depth` is 1 for the root, at its end as at its start. */
struct xml_events {
    void (*start)(void *context, int depth, const char *name, const char *const *attributes);
    void (*end)(void *context, int depth, const char *name);
    void (*text)(void *context, const char *text, size_t len);
};

/* `events` and `trouble` stay the caller's and live as long; `name` is what messages call the
 * document, and is copied. STATUS_NO_MEMORY. */
enum status xml_new(const struct xml_events *events, void *context, struct trouble *trouble,
                    const char *name, struct xml **ret_xml) MUST_USE;

/* Takes NULL. */
void xml_free(struct xml *xml);

/* Takes the next piece of the part, or goes on where the events paused. STATUS_END at the end;
 * STATUS_BAD_INPUT; STATUS_NO_MEMORY. */
enum status xml_step(struct xml *xml, struct archive_part *part) MUST_USE;

/* The same for bytes that are at hand. */
enum status xml_feed(struct xml *xml, struct span bytes, bool is_last) MUST_USE;

/* Reads all of a part. */
enum status xml_read_part(struct archive *archive, const char *name,
                          const struct xml_events *events, void *context,
                          struct trouble *trouble) MUST_USE;

/* For events: xml_step is to return behind this one; or is to fail with `status`, for which the
 * events have set the trouble. Further events may come before it does. */
void xml_pause(struct xml *xml);
void xml_stop(struct xml *xml, enum status status);

/* The value of an attribute, by its name without prefix; NULL for none. */
const char *xml_attribute(const char *const *attributes, const char *name);

/* Whether blanks at the edges of the element's text count. */
bool xml_preserves_space(const char *const *attributes);

/* Whether it is there and true, as XML Schema writes that. */
bool xml_attribute_is_true(const char *const *attributes, const char *name);

#endif
