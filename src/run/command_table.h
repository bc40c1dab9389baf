/*
 * Commands that were handed in, and what is known of each: 64 bytes a command, whatever their
 * number, of which 4 are its place among those of its device and 4 its device's turn. Pure.
 *
 *     command_table_add(&table, &command);            // in any order
 *     command_table_arrange(&table);                  // once all are there
 *     command_table_wait(&table, group, due_s);       // for each device that is to be asked about
 *     while (command_table_next(&table, now_s, &group)) … ask about the commands of its device …
 *
 * A group is the device's commands: table.order[group.first … +count) are their numbers, in the
 * order of rows. Private to run/.
 */
#ifndef NB_RUN_COMMAND_TABLE_H
#define NB_RUN_COMMAND_TABLE_H

#include "platform/delivery.h"

enum {
    COMMANDS_MAX = INT32_MAX,
    COMMAND_REMAIN_NONE = UINT8_MAX,
    COMMAND_SEND_STATUS_MAX = 15,
    COMMAND_WORDS_MAX = 64, /* that are not documented and kept; further ones are all "?" */
};

/* By history_entry's times, valid_time left out. Seconds since 1970; 0: not known. */
enum command_time {
    COMMAND_CREATED,
    COMMAND_SENT_AT,
    COMMAND_CONFIRMED,
    COMMAND_EXPIRES,
    COMMAND_CHECKED, /* when the platform was asked, by its clock; 0: it never was */
    COMMAND_TIME_COUNT
};

struct command_record {
    uint64_t device;
    uint64_t uuid_hash;       /* XXH3; 0: it has none */
    uint64_t offset : 44;     /* of its line in the results */
    uint64_t state : 4;       /* enum command_state */
    uint64_t send_status : 4; /* 0: not known */
    uint64_t confirm : 4;     /* enum confirm */
    uint64_t action : 2;      /* enum action and 1; 0: not known */
    uint64_t is_final : 1;    /* never asked about again */
    uint64_t is_overwritten : 1;
    uint64_t is_listed : 1;  /* the list that is being read has it */
    uint64_t has_values : 1; /* they were written, or there are none */
    uint32_t row;
    uint32_t times_s[COMMAND_TIME_COUNT];
    uint32_t due_s; /* monotonic: when to look at it again; of a group's first: when at the group */
    uint8_t remain; /* COMMAND_REMAIN_NONE: not known */
    uint8_t looks;  /* that found this state; 0: none yet */
    uint16_t word;  /* what is said of it and is not documented: command_table_word; 0: nothing */
};

_Static_assert(sizeof(struct command_record) == 56, "64 bytes a command in all");

struct command_group {
    uint32_t first, count; /* of command_table.order */
};

struct command_table {
    struct command_record *items; /* once arranged: in the order of rows */
    uint32_t *order;              /* numbers of items by device, then row */
    uint32_t *waiting;            /* a heap of groups' first places, the earliest due on top */
    uint32_t count, capacity, waiting_count;
    char words[COMMAND_WORDS_MAX][HISTORY_WORD_MAX + 1];
    uint16_t word_count;
};

/* Takes a zeroed table. */
void command_table_deinit(struct command_table *table);

/* Starts anew, with what was added forgotten. */
void command_table_clear(struct command_table *table);

/* STATUS_NO_MEMORY; STATUS_TOO_BIG for more than COMMANDS_MAX. */
enum status command_table_add(struct command_table *table,
                              const struct command_record *command) MUST_USE;

/* STATUS_NO_MEMORY. */
enum status command_table_arrange(struct command_table *table) MUST_USE;

/* The group that begins there. */
struct command_group command_table_group(const struct command_table *table, uint32_t first);

/* The device's commands; count 0: there are none. */
struct command_group command_table_find(const struct command_table *table, uint64_t device);

static inline struct command_record *command_table_at(const struct command_table *table,
                                                      struct command_group group, uint32_t i)
{
    return &table->items[table->order[group.first + i]];
}

/* No uuid's hash: see command_table_find_row. */
#define COMMAND_ANY_UUID UINT64_MAX

/* The command of a row with that uuid, or its first one for COMMAND_ANY_UUID; NULL: there is none.
 */
struct command_record *command_table_find_row(const struct command_table *table, uint64_t row,
                                              uint64_t uuid_hash);

/* Whether it may be asked about: it has a uuid, and has not come to its end. */
static inline bool command_is_open(const struct command_record *command)
{
    return command->uuid_hash != 0 && !command->is_final;
}

/* The command's times and tries, as the rest of the program has them: HISTORY_NONE for none. */
static inline int64_t command_time(const struct command_record *command, enum command_time time)
{
    return command->times_s[time] != 0 ? (int64_t)command->times_s[time] : HISTORY_NONE;
}

static inline int64_t command_remain(const struct command_record *command)
{
    return command->remain != COMMAND_REMAIN_NONE ? (int64_t)command->remain : HISTORY_NONE;
}

/* What is told of a delivery; what the record cannot hold is not known. */
void command_set(struct command_record *command, int64_t send_status, enum confirm confirm,
                 int64_t remain);
void command_set_time(struct command_record *command, enum command_time time, int64_t time_s);

/* A word as a number for command_record.word; an empty one is 0. */
uint16_t command_table_keep_word(struct command_table *table, struct span word);

/* The word of such a number, "" for 0. */
const char *command_table_word(const struct command_table *table, uint16_t number);

/* Has the group's turn come then. It must not wait already. */
void command_table_wait(struct command_table *table, struct command_group group, uint32_t due_s);

/* Takes the group that is due first, by `now_s`. False: none is. */
bool command_table_next(struct command_table *table, uint32_t now_s,
                        struct command_group *ret_group);

/* When that will be; UINT32_MAX: nothing waits. */
uint32_t command_table_due(const struct command_table *table);

/* Blanks around it are no part of it. 0: there is none. */
uint64_t command_uuid_hash(struct span uuid);

#endif
