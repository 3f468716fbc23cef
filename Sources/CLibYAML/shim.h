// Daypass. SPDX-License-Identifier: Apache-2.0
//
// libyaml as Swift sees it. What it says of an event is in unions, which C reads with less to go wrong.
#ifndef DAYPASS_CLIBYAML_H
#define DAYPASS_CLIBYAML_H

#include <yaml.h>

/// A scalar's text, and its length in bytes.
static inline const unsigned char *daypass_yaml_text(const yaml_event_t *event, size_t *length)
{
    *length = event->data.scalar.length;
    return event->data.scalar.value;
}

/// True for a scalar that stands in quotes: "null" in quotes is a text.
static inline int daypass_yaml_is_quoted(const yaml_event_t *event)
{
    return event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
}

/// True where an event has an anchor or a tag, which nothing of ours needs.
static inline int daypass_yaml_has_properties(const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT: return event->data.scalar.anchor != 0 || event->data.scalar.tag != 0;
    case YAML_SEQUENCE_START_EVENT: return event->data.sequence_start.anchor != 0 || event->data.sequence_start.tag != 0;
    case YAML_MAPPING_START_EVENT: return event->data.mapping_start.anchor != 0 || event->data.mapping_start.tag != 0;
    default: return event->type == YAML_ALIAS_EVENT;
    }
}

#endif
