/* The engine's rules, one by one, in virtual time. */
#include "world.h"

#include <errno.h>
#include <limits.h>
#include <math.h>

#include "engine/driver_record.h"
#include "ledger/doubt.h"
#include "send/budget.h"

#define LOG(world, text) assert_string_equal(world_log(world), (text))

static struct world world;
static struct world_row rows[64];

static void open_rows(size_t count)
{
    memset(rows, 0, sizeof(rows));
    world_open(&world, rows, count);
}

static void begin(size_t count)
{
    open_rows(count);
    world_begin(&world);
}

static int close_world(void **state)
{
    (void)state;
    world_close(&world);
    return 0;
}

static struct answer accept_all(struct world *any, struct world_row *row)
{
    char uuid[32];

    (void)snprintf(uuid, sizeof(uuid), "u-%zu-%u", (size_t)(row - any->rows), row->sends);
    return world_accepts(uuid);
}

static struct answer refuse_connections(struct world *any, struct world_row *row)
{
    (void)any;
    (void)row;
    return world_not_sent(0);
}

/* Runs to the end against a platform that takes everything. */
static void finish_well(void)
{
    world.platform = accept_all;
    for (size_t i = 0; i < world.row_count; i++)
        rows[i].due_ns = world.now.ns;
    world_finish(&world);
}

static void assert_end(enum job_end end, const char *message)
{
    if (!world.is_closed)
        world_finish(&world);
    assert_int_equal(world.result.end, end);
    assert_string_equal(buf_string(&world.message), message);
}

static void assert_stopped(enum job_end end, const char *part)
{
    if (!world.is_closed)
        world_finish(&world);
    assert_int_equal(world.result.end, end);
    if (strstr(buf_string(&world.message), part) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", part, buf_string(&world.message));
}

/* The way of a row. */

static void test_a_row_is_admitted_synced_marked_sent_and_recorded(void **state)
{
    (void)state;
    begin(3);
    LOG(&world, "admit1 admit2 admit3 sync1 mark1 send1");
    world_answer(&world, 1, world_accepts("u-1"));
    LOG(&world, "record1:accepted mark2 send2 mark3 send3");
    world_answer(&world, 3, world_accepts("u-3"));
    world_answer(&world, 2, world_accepts("u-2"));
    LOG(&world, "record3:accepted record2:accepted end");
    assert_end(JOB_COMPLETE, "");
    assert_int_equal(world.end, STATUS_OK);
    assert_int_equal(world.result.rows, 3);
    assert_string_equal(rows[1].uuid, "u-2");
    assert_int_equal(world.attempts, 3);
}

static void test_invalid_and_settled_rows_are_not_sent(void **state)
{
    (void)state;
    open_rows(3);
    rows[0].verdict = ITEM_INVALID;
    rows[1].verdict = ITEM_SETTLED;
    world_begin(&world);
    LOG(&world, "invalid1 admit3 sync1 mark3 send3");
    world_answer(&world, 3, world_accepts("u"));
    assert_end(JOB_COMPLETE, "");
    assert_int_equal(world.result.settled, 1);
    assert_int_equal(world.result.rows, 3);
}

static void test_an_empty_input_ends_at_once(void **state)
{
    (void)state;
    begin(0);
    LOG(&world, "end");
    assert_end(JOB_COMPLETE, "");
}

static void test_the_scout_goes_alone_until_the_platform_has_answered(void **state)
{
    (void)state;
    begin(3);
    world_answer(&world, 1, world_http(502, "<html>"));
    world_pass(&world, 1000);
    assert_int_equal(world.most_in_flight, 1);
    world_answer(&world, 2, world_refuses(15, "api freq out of limit"));
    assert_int_equal(world.in_flight, 2); /* it is the platform that asks for less */
    finish_well();
    assert_end(JOB_COMPLETE, "");
}

static void test_rows_of_a_device_go_one_by_one_in_file_order(void **state)
{
    (void)state;
    open_rows(4);
    rows[0].device = rows[1].device = rows[3].device = 7;
    world_begin(&world);
    world_answer(&world, 1, world_refuses(5117, "rpc error"));
    LOG(&world, "admit1 admit2 admit3 admit4 sync1 mark1 send1 unmark1 mark3 send3");
    world_answer(&world, 3, world_accepts("u-3"));
    world_pass(&world, 1000);
    world_answer(&world, 1, world_accepts("u-1"));
    world_answer(&world, 2, world_accepts("u-2"));
    world_answer(&world, 4, world_accepts("u-4"));
    LOG(&world, "record3:accepted sync2 mark1 send1 record1:accepted mark2 send2 record2:accepted "
                "mark4 send4 record4:accepted end");
}

static void test_no_more_than_the_concurrency_is_in_flight(void **state)
{
    (void)state;
    open_rows(40);
    world.platform = accept_all;
    world.rtt_ms = 10;
    world_begin(&world);
    assert_end(JOB_COMPLETE, "");
    assert_int_equal(world.most_in_flight, 4);
    assert_int_equal(world.result.retries, 0);
}

/* The disk. */

static void test_nothing_leaves_before_the_disk_knows_of_it(void **state)
{
    (void)state;
    open_rows(2);
    world.syncs_by_hand = true;
    world_begin(&world);
    world_pass(&world, 1000);
    LOG(&world, "admit1 admit2 sync1");
    world_sync(&world);
    LOG(&world, "mark1 send1");
}

static void test_a_row_that_comes_during_a_sync_waits_for_the_next(void **state)
{
    (void)state;
    open_rows(2);
    world.syncs_by_hand = true;
    world.waits_at = 1;
    world_begin(&world);
    LOG(&world, "admit1 sync1");
    world.waits_at = SIZE_MAX;
    world_settle(&world);
    LOG(&world, "admit2");
    world_sync(&world);
    LOG(&world, "mark1 send1 sync2");
    world_answer(&world, 1, world_accepts("u-1"));
    LOG(&world, "record1:accepted");
    world_sync(&world);
    LOG(&world, "mark2 send2");
}

static void test_a_sync_that_fails_stops_the_run(void **state)
{
    (void)state;
    open_rows(2);
    world.syncs_by_hand = true;
    world.sync_fails = "the disk is gone";
    world_begin(&world);
    world_sync(&world);
    LOG(&world, "admit1 admit2 sync1 drop1 drop2 end");
    assert_end(JOB_FAILED, "the disk is gone");
    assert_int_equal(world.end, STATUS_IO);
}

static void test_a_record_that_cannot_be_written_stops_the_run(void **state)
{
    (void)state;
    begin(3);
    world.record_fails = "no space left";
    world_answer(&world, 1, world_accepts("u-1"));
    LOG(&world, "admit1 admit2 admit3 sync1 mark1 send1 record1:accepted drop2 drop3 end");
    world_event(&world, &(struct event){.kind = EVENT_TICK}); /* late: nothing comes of it */
    assert_end(JOB_FAILED, "no space left");
    assert_int_equal(world.end, STATUS_IO);
    assert_int_equal(world.told[JOB_EVENT_STOPPED], 1);
}

static void test_what_is_in_flight_is_waited_for_when_the_record_fails(void **state)
{
    (void)state;
    begin(4);
    world_answer(&world, 1, world_accepts("u-1"));
    (void)world_log(&world);
    world.record_fails = "no space left";
    world_answer(&world, 2, world_accepts("u-2"));
    world.record_fails = NULL;
    LOG(&world, "record2:accepted");
    world_answer(&world, 4, world_refuses(5117, "rpc error")); /* would go again: it is not sent */
    world_answer(&world, 3, world_in_doubt());                 /* may have been processed */
    LOG(&world, "drop4 record3:in_doubt end");
    assert_end(JOB_FAILED, "no space left");
}

static void test_a_flush_that_fails_stops_the_run(void **state)
{
    (void)state;
    begin(2);
    world.record_fails = "no space left";
    world_pass(&world, 60);
    world.record_fails = NULL;
    world_answer(&world, 1, world_accepts("u-1"));
    assert_end(JOB_FAILED, "no space left");
    assert_int_equal(rows[1].sends, 0);
}

static void test_a_record_that_fails_at_the_very_end_is_told(void **state)
{
    (void)state;
    begin(1);
    world_answer(&world, 1, world_accepts("u-1"));
    assert_true(world.has_ended);
    world.record_fails = "no space left";
    world.record_failed = true;
    assert_end(JOB_FAILED, "no space left");
}

static void test_results_are_synced_now_and_then(void **state)
{
    (void)state;
    open_rows(1);
    world.waits_at = 1;
    world_open(&world, rows, 2);
    world.waits_at = 1;
    world_begin(&world);
    world_answer(&world, 1, world_accepts("u-1"));
    (void)world_log(&world);
    world_pass(&world, 60);
    LOG(&world, "sync2");
    world_pass(&world, 60);
    LOG(&world, ""); /* there is nothing new */
}

static void test_no_row_is_read_that_the_record_has_no_room_for(void **state)
{
    (void)state;
    open_rows(6);
    world.room = 3;
    world.syncs_by_hand = true;
    world_begin(&world);
    LOG(&world, "admit1 admit2 admit3 sync1");
    world_sync(&world);
    world_answer(&world, 1, world_accepts("u-1"));
    LOG(&world, "mark1 send1 record1:accepted mark2 send2 mark3 send3 sync2");
    world_room(&world, 1, false); /* row 1's result is durable */
    world_sync(&world);
    LOG(&world, "admit4 sync3");
}

static void test_rows_wait_for_a_reader_that_falls_behind(void **state)
{
    (void)state;
    begin(3);
    world_room(&world, world.room, true);
    world_answer(&world, 1, world_accepts("u-1"));
    (void)world_log(&world);
    world_pass(&world, 100);
    assert_int_equal(world.status.in_flight, 0);
    world_signal(&world, ENGINE_SIGNAL_STATUS);
    assert_int_equal(world.status.wait, PACER_READER);
    world_room(&world, world.room, false);
    world_pass(&world, 10);
    assert_int_equal(world.in_flight, 2);
}

static void test_rows_are_read_ahead_of_the_disk_as_far_as_they_are_needed(void **state)
{
    (void)state;
    open_rows(64);
    world.platform = accept_all;
    world.rtt_ms = 1;
    world_begin(&world);
    assert_in_range(world.next, 4, 8); /* about as many as may be in flight, at first */
    assert_end(JOB_COMPLETE, "");
    assert_true(world.synced < 20); /* later more of them wait for one sync */
}

/* Sending again. */

static void test_what_was_not_processed_goes_again(void **state)
{
    (void)state;
    begin(1);
    world_answer(&world, 1, world_refuses(5117, "rpc error"));
    world_pass(&world, 100);
    world_answer(&world, 1, world_accepts("u-1"));
    LOG(&world, "admit1 sync1 mark1 send1 unmark1 mark1 send1 record1:accepted end");
    assert_int_equal(rows[0].sent_in_all, 2);
    assert_int_equal(rows[0].ambiguous_in_all, 0);
    assert_end(JOB_COMPLETE, "");
    assert_int_equal(world.result.retries, 1);
}

static void test_a_write_in_doubt_stays_marked_and_goes_again(void **state)
{
    (void)state;
    begin(1);
    world_answer(&world, 1, world_in_doubt());
    world_pass(&world, 100);
    world_answer(&world, 1, world_refuses(5117, "rpc error"));
    world_pass(&world, 200);
    world_answer(&world, 1, world_refuses(4104, "unsuccess"));
    LOG(&world, "admit1 sync1 mark1 send1 mark1 send1 mark1 send1 record1:in_doubt end");
    assert_int_equal(rows[0].ambiguous_in_all, 1);
}

static void test_an_execute_in_doubt_is_held(void **state)
{
    (void)state;
    open_rows(1);
    rows[0].action = ACTION_EXECUTE;
    world_begin(&world);
    world_answer(&world, 1, world_in_doubt());
    LOG(&world, "admit1 sync1 mark1 send1 record1:in_doubt end");
}

static struct answer refuse_row(struct world *any, struct world_row *row)
{
    (void)any;
    (void)row;
    return world_http(429, "");
}

static void test_attempts_run_out(void **state)
{
    (void)state;
    open_rows(1);
    world.platform = refuse_row;
    world_begin(&world);
    world_finish(&world);
    assert_int_equal(rows[0].sends, 3);
    assert_int_equal(rows[0].status, ROW_FAILED);
    assert_int_equal(rows[0].sent_in_all, 3);
}

static void test_attempts_of_earlier_runs_count_in_the_result(void **state)
{
    (void)state;
    open_rows(1);
    rows[0].sent = 4;
    rows[0].ambiguous = 2;
    world_begin(&world);
    world_answer(&world, 1, world_accepts("u-1"));
    assert_int_equal(rows[0].sent_in_all, 5);
    assert_int_equal(rows[0].ambiguous_in_all, 2);
}

static struct answer fail_once(struct world *any, struct world_row *row)
{
    return row->sends == 1 ? world_refuses(5117, "rpc error") : accept_all(any, row);
}

/* Twice as many requests as rows, at this rate. Whoever retries at once sends a retry for each new
 * row from the second second on. */
static struct answer fail_first(struct world *any, struct world_row *row)
{
    static int64_t retried;

    if (row == any->rows)
        retried = 0;
    retried += row->sends > 1;
    if (row->sends == 1 && row == any->rows + 399) /* the last new one */
        assert_in_range(retried, 100, 100 + 400 / 5 + 4 * 1000 / BUDGET_TRICKLE_MS + 1);
    return fail_once(any, row);
}

static void test_retries_wait_where_the_budget_is_spent(void **state)
{
    (void)state;
    static struct world_row many[400];
    memset(many, 0, sizeof(many));
    world_open(&world, many, 400);
    world.platform = fail_first;
    world.options.concurrency = world.options.pacer.concurrency = 200;
    world.options.pacer.rate_count = 100;
    world.options.pacer.rate_per_ms = 1000;
    world.options.pacer.rate_is_asked = true;
    world_begin(&world);
    assert_end(JOB_COMPLETE, "");
    assert_int_equal(world.result.retries, 400);
    assert_true(world.now.ns < 10 * INT64_C(1000000000)); /* the last ones wait for nobody */
}

static void test_a_foreign_uuid_is_not_believed(void **state)
{
    (void)state;
    begin(2);
    world_answer(&world, 1, world_accepts("u-1"));
    world_answer(&world, 2, world_accepts("u-1"));
    LOG(&world, "admit1 admit2 sync1 mark1 send1 record1:accepted mark2 send2 distrust "
                "record2:in_doubt end");
}

/* Too little to send with. */

static void test_a_shortage_costs_no_attempt(void **state)
{
    (void)state;
    begin(2);
    world_answer(&world, 1, world_not_sent(EMFILE));
    assert_int_equal(world.told[JOB_EVENT_SHORTAGE], 1);
    assert_non_null(strstr(world.status.shortage, "EMFILE"));
    world_pass(&world, 400);
    assert_int_equal(world.in_flight, 0);
    world_pass(&world, 200);
    LOG(&world, "admit1 admit2 sync1 mark1 send1 unmark1 mark1 send1");
    world_answer(&world, 1, world_accepts("u-1"));
    assert_int_equal(rows[0].sent_in_all, 1);
    finish_well();
    assert_end(JOB_COMPLETE, "");
}

/* Its record is elsewhere, and has given the row to somebody else by now. */
static void test_a_row_whose_time_was_over_is_dropped_and_counts_nowhere(void **state)
{
    struct answer late = world_not_sent(0);

    (void)state;
    late.is_late = true;
    begin(2);
    world_answer(&world, 1, late);
    LOG(&world, "admit1 admit2 sync1 mark1 send1 drop1 mark2 send2");
    world_answer(&world, 2, world_accepts("u-2"));
    assert_int_equal(rows[0].sent_in_all, 0);
    LOG(&world, "record2:accepted end");
}

static void test_starts_that_others_grant_are_waited_for(void **state)
{
    struct beats beats = {.wanted = false};

    (void)state;
    open_rows(2);
    world.options.beats = &beats;
    world_begin(&world);
    assert_int_equal(world.in_flight, 0);
    assert_true(beats.wanted);
    assert_true(beats_add(&beats, world.now.ns, 0, 1));
    world_event(&world, &(struct event){.kind = EVENT_TURN});
    assert_int_equal(world.in_flight, 1);
    world_answer(&world, 1, world_accepts("u-1"));
    assert_int_equal(world.in_flight, 0);
    assert_true(beats_add(&beats, world.now.ns + 100 * INT64_C(1000000), 0, 1));
    world_event(&world, &(struct event){.kind = EVENT_TURN});
    world_pass(&world, 99);
    assert_int_equal(world.in_flight, 0);
    world_pass(&world, 2);
    assert_int_equal(world.in_flight, 1);
    world_answer(&world, 2, world_accepts("u-2"));
    assert_end(JOB_COMPLETE, "");
}

static struct answer fall_short(struct world *any, struct world_row *row)
{
    (void)any;
    (void)row;
    return world_not_sent(ENOMEM);
}

static void test_a_shortage_that_lasts_ends_the_run(void **state)
{
    (void)state;
    open_rows(2);
    world.platform = fall_short;
    world_begin(&world);
    assert_stopped(JOB_SHORTAGE, "nothing could be sent for 60 s");
    assert_int_equal(rows[0].records + rows[1].records, 0);
}

static void test_a_retry_that_falls_short_gives_its_budget_back(void **state)
{
    (void)state;
    begin(1);
    world_answer(&world, 1, world_refuses(5117, "rpc error"));
    world_pass(&world, 100);
    world_answer(&world, 1, world_not_sent(ENOBUFS));
    world_pass(&world, 600);
    world_answer(&world, 1, world_accepts("u-1"));
    assert_int_equal(rows[0].sent_in_all, 2);
}

static void test_a_shortage_of_a_run_that_stops_is_an_attempt_that_did_not_leave(void **state)
{
    (void)state;
    begin(2);
    world_signal(&world, ENGINE_SIGNAL_STOP);
    world_answer(&world, 1, world_not_sent(EMFILE));
    LOG(&world, "admit1 admit2 sync1 mark1 send1 drop1 drop2 end");
}

/* Outages. */

static struct answer answer_by_wall(struct world *any, struct world_row *row)
{
    bool is_away = any->now.wall_ms < (WORLD_START_S + 30) * 1000;

    return is_away ? world_not_sent(0) : accept_all(any, row);
}

static void test_rows_wait_while_the_platform_is_away(void **state)
{
    (void)state;
    open_rows(20);
    world.options.retry.max_attempts = 50;
    world.platform = answer_by_wall;
    world_begin(&world);
    assert_end(JOB_COMPLETE, "");
    assert_int_equal(world.told[JOB_EVENT_OUTAGE], 1);
    assert_int_equal(world.told[JOB_EVENT_OUTAGE_OVER], 1);
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(rows[i].status, ROW_ACCEPTED);
}

/* However few there are: that none can be sent says nothing of a row. */
static void test_a_single_row_waits_as_well(void **state)
{
    (void)state;
    open_rows(1);
    world.platform = answer_by_wall;
    world_begin(&world);
    assert_end(JOB_COMPLETE, "");
    assert_int_equal(world.told[JOB_EVENT_OUTAGE], 1);
    assert_int_equal(rows[0].status, ROW_ACCEPTED);
}

static void test_a_single_row_does_not_wait_for_ever(void **state)
{
    (void)state;
    open_rows(1);
    world.platform = refuse_connections;
    world_begin(&world);
    assert_end(JOB_REFUSED, "the endpoint could not be reached at all for 60 s");
}

static void test_an_endpoint_that_is_never_reached_ends_the_run(void **state)
{
    (void)state;
    open_rows(20);
    world.options.retry.max_attempts = 1000;
    world.options.outage_wait_ms = 30 * 1000;
    world.platform = refuse_connections;
    world_begin(&world);
    assert_end(JOB_REFUSED, "the endpoint could not be reached at all for 30 s (--outage-wait)");
}

static void test_an_endpoint_that_is_never_reached_is_given_a_minute(void **state)
{
    (void)state;
    open_rows(20);
    world.options.retry.max_attempts = 1000;
    world.options.outage_wait_ms = 600 * 1000;
    world.platform = refuse_connections;
    world_begin(&world);
    assert_end(JOB_REFUSED, "the endpoint could not be reached at all for 60 s");
}

static struct answer fail_after_the_first(struct world *any, struct world_row *row)
{
    return row == any->rows ? accept_all(any, row) : world_http(500, "");
}

static void test_an_outage_that_lasts_ends_the_run(void **state)
{
    (void)state;
    open_rows(30);
    world.options.retry.max_attempts = 1000;
    world.options.outage_wait_ms = 60 * 1000;
    world.platform = fail_after_the_first;
    world_begin(&world);
    assert_stopped(JOB_OUTAGE, "the platform could not be reached, or failed, for 60 s");
    assert_int_equal(rows[1].status, ROW_IN_DOUBT); /* it was sent, and not again */
}

static struct answer throttle_after_the_first(struct world *any, struct world_row *row)
{
    return row == any->rows ? accept_all(any, row) : world_http(429, "");
}

/* That it refuses one more says nothing of the row: its last attempt does not count. Otherwise all
 * fail, before the breaker opens or as the probes of an outage. */
static void test_a_platform_that_refuses_everything_fails_no_row(void **state)
{
    (void)state;
    open_rows(30);
    world.options.outage_wait_ms = 1800 * 1000;
    world.platform = throttle_after_the_first;
    world_begin(&world);
    assert_stopped(JOB_OUTAGE, "the platform could not be reached, or failed");
    for (size_t i = 1; i < 30; i++)
        assert_true(rows[i].status != ROW_FAILED);
}

static struct answer refuse_some(struct world *any, struct world_row *row)
{
    return any->attempts % 3 == 2 ? world_http(429, "") : accept_all(any, row);
}

static void test_a_limit_is_found_and_told(void **state)
{
    (void)state;
    static struct world_row many[400];
    memset(many, 0, sizeof(many));
    world_open(&world, many, 400);
    world.options.pacer.adaptive = true;
    world.options.retry.max_attempts = 50;
    world.platform = refuse_some;
    world.rtt_ms = 5;
    world_begin(&world);
    assert_end(JOB_COMPLETE, "");
    assert_int_equal(world.told[JOB_EVENT_SLOWER], 1);
}

enum { SETTLED_S = 6 }; /* five seconds after the start */

/* A platform that takes so many a second and hides it: a bucket of a tenth of a second's worth. It
 * looks at a request when its answer comes, which is a round trip after it was sent, always. */
static struct limited {
    double limit, tokens;
    int64_t taken_ns, refused_ns; /* the latter: its first refusal was answered then; 0: none was */
    unsigned refused, settled;    /* the latter: taken from SETTLED_S on */
    unsigned sent[600];           /* in each half of a second */
} limited;

static struct answer limit_them(struct world *any, struct world_row *row)
{
    double passed_s = (double)(any->now.ns - limited.taken_ns) / 1e9;
    int64_t sent_ms = any->now.ns / 1000000 - any->rtt_ms;

    limited.sent[(size_t)(sent_ms / 100) % ARRAY_LENGTH(limited.sent)]++;
    limited.tokens = fmin(limited.tokens + limited.limit * passed_s, limited.limit / 10);
    limited.taken_ns = any->now.ns;
    if (limited.tokens < 1) {
        limited.refused++;
        limited.refused_ns = limited.refused_ns > 0 ? limited.refused_ns : any->now.ns;
        return world_refuses(15, "api freq out of limit");
    }
    limited.tokens--;
    limited.settled += any->now.ns >= SETTLED_S * INT64_C(1000000000);
    return accept_all(any, row);
}

/* The most that was sent in a tenth of a second, from a round trip after the first refusal was
 * heard; as a part of what was allowed. */
static double most_sent(void)
{
    size_t from = (size_t)((limited.refused_ns / 1000000 + world.rtt_ms) / 100 + 1);
    unsigned most = 0;

    for (size_t i = from; i < ARRAY_LENGTH(limited.sent); i++)
        most = limited.sent[i] > most ? limited.sent[i] : most;
    return most / (limited.limit / 10);
}

static void run_limited(double limit, int64_t rtt_ms, bool adaptive)
{
    static struct world_row many[6000];

    memset(many, 0, sizeof(many));
    limited = (struct limited){.limit = limit, .tokens = limit / 10};
    world_open(&world, many, ARRAY_LENGTH(many));
    world.room = ARRAY_LENGTH(many) + 1; /* … and one to see the end */
    limited.taken_ns = world.now.ns;
    world.options.concurrency = world.options.pacer.concurrency = 256;
    world.options.pacer.adaptive = adaptive;
    world.options.retry.max_attempts = 50;
    world.platform = limit_them;
    world.rtt_ms = rtt_ms;
    world_begin(&world);
}

/* The whole engine keeps what the pace promises: never more than twice the allowed rate, few
 * refused (of a run of twenty seconds), and 95 % of the limit used from the fifth second on.
 * Without the pace, the same figures show it. */
static void test_a_hidden_limit_is_kept_and_used(void **state)
{
    static const double limits[] = {100, 300};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(limits); i++)
        for (int64_t rtt_ms = 5; rtt_ms <= 500; rtt_ms *= 10) {
            run_limited(limits[i], rtt_ms, true);
            assert_end(JOB_COMPLETE, "");
            double seconds = (double)limited.taken_ns / 1e9 - SETTLED_S;
            double share = limited.settled / limits[i] / seconds;
            if (most_sent() > 2 || limited.refused > 0.02 * 6000 || share < 0.95)
                fail_msg("%.0f/s, %d ms: %.2f times the limit, %u refused, %.2f of it", limits[i],
                         (int)rtt_ms, most_sent(), limited.refused, share);
            world_close(&world);
        }
    run_limited(100, 50, false);
    world_finish(&world);
    assert_true(most_sent() > 2 && limited.refused > 0.02 * 6000);
}

/* Stopping. */

static void test_a_halt_rule_stops_the_run(void **state)
{
    (void)state;
    struct halt halt;
    struct buf why;

    open_rows(8);
    buf_init(&why, 4096);
    halt_init(&halt);
    assert_int_equal(halt_parse(&halt, SPAN_LITERAL("rejected=2"), &why), STATUS_OK);
    buf_deinit(&why);
    world.options.halt = &halt;
    world_begin(&world);
    world_answer(&world, 1, world_refuses(4104, "unsuccess"));
    world_answer(&world, 2, world_refuses(4104, "unsuccess"));
    world_answer(&world, 3, world_accepts("u-3"));
    world_answer(&world, 4, world_accepts("u-4"));
    world_answer(&world, 5, world_accepts("u-5"));
    assert_stopped(JOB_HALTED, "the rule rejected=2 was reached");
    assert_int_equal(rows[7].records, 0);
}

static void test_a_configuration_that_cannot_work_stops_the_run(void **state)
{
    (void)state;
    begin(2);
    struct answer answer = world_not_sent(0);
    answer.hopeless = true;
    answer.detail = SPAN_LITERAL("no certificates");
    world_answer(&world, 1, answer);
    LOG(&world, "admit1 admit2 sync1 mark1 send1 drop1 drop2 end");
    assert_end(JOB_REFUSED, "not sent: no certificates");
}

static void test_a_signal_drains(void **state)
{
    (void)state;
    begin(6);
    world_answer(&world, 1, world_accepts("u-1"));
    (void)world_log(&world);
    world_signal(&world, ENGINE_SIGNAL_STOP);
    assert_int_equal(world.told[JOB_EVENT_DRAINING], 1);
    assert_int_equal(world.told[JOB_EVENT_STOPPED], 0);
    assert_int_equal(world.status.in_flight, 4);
    world_answer(&world, 2, world_accepts("u-2"));
    world_answer(&world, 3, world_refuses(5117, "rpc error"));
    world_answer(&world, 4, world_accepts("u-4"));
    world_answer(&world, 5, world_accepts("u-5"));
    LOG(&world, "record2:accepted drop3 record4:accepted record5:accepted drop6 end");
    assert_end(JOB_INTERRUPTED, "interrupted");
    assert_int_equal(world.result.signal_number, 2);
    assert_false(world.result.aborted);
}

static void test_a_second_signal_ends_what_is_in_flight(void **state)
{
    (void)state;
    begin(6);
    world_answer(&world, 1, world_accepts("u-1"));
    world_signal(&world, ENGINE_SIGNAL_STOP);
    world_signal(&world, ENGINE_SIGNAL_STOP);
    world_signal(&world, ENGINE_SIGNAL_STOP);
    assert_true(world.aborted);
    assert_int_equal(world.told[JOB_EVENT_ABORTING], 1);
    world_answer(&world, 2, world_in_doubt());
    world_answer(&world, 3, world_not_sent(0));
    world_answer(&world, 4, world_in_doubt());
    world_answer(&world, 5, world_in_doubt());
    assert_stopped(JOB_INTERRUPTED, "interrupted");
    assert_true(world.result.aborted);
    assert_int_equal(world.result.cut_off, 3);
    assert_int_equal(world.told[JOB_EVENT_OUTAGE], 0);
    assert_int_equal(rows[2].records, 0);
}

static void test_circumstances_are_not_impatient(void **state)
{
    (void)state;
    begin(2);
    world_signal(&world, ENGINE_SIGNAL_LEAVE);
    world_signal(&world, ENGINE_SIGNAL_LEAVE);
    world_signal(&world, ENGINE_SIGNAL_STOP); /* a service's end sends both */
    assert_false(world.aborted);
    world_signal(&world, ENGINE_SIGNAL_STOP);
    assert_true(world.aborted);
}

static void test_a_signal_after_another_reason_to_stop_is_impatient(void **state)
{
    (void)state;
    begin(3);
    world_answer(&world, 1, world_accepts("u-1"));
    world.record_fails = "no space left";
    world_answer(&world, 2, world_accepts("u-2"));
    world_signal(&world, ENGINE_SIGNAL_LEAVE);
    assert_false(world.aborted);
    world_signal(&world, ENGINE_SIGNAL_STOP);
    assert_true(world.aborted);
}

static void test_a_signal_that_stopped_nothing_is_forgiven(void **state)
{
    (void)state;
    begin(2);
    world_answer(&world, 1, world_accepts("u-1"));
    world_signal(&world, ENGINE_SIGNAL_STOP);
    world_answer(&world, 2, world_accepts("u-2"));
    assert_end(JOB_COMPLETE, "");
}

static void test_a_pause_holds_rows_back(void **state)
{
    (void)state;
    begin(3);
    world_signal(&world, ENGINE_SIGNAL_PAUSE);
    assert_int_equal(world.told[JOB_EVENT_PAUSED], 1);
    world_answer(&world, 1, world_accepts("u-1"));
    world_pass(&world, 10000);
    assert_int_equal(world.in_flight, 0);
    assert_int_equal(world.status.wait, PACER_PAUSED);
    world_signal(&world, ENGINE_SIGNAL_PAUSE);
    assert_int_equal(world.told[JOB_EVENT_RESUMED], 1);
    assert_int_equal(world.in_flight, 2);
}

static void test_a_run_that_stops_gives_what_may_have_been_processed_a_result(void **state)
{
    (void)state;
    begin(3);
    world_answer(&world, 1, world_accepts("u-1"));
    world_answer(&world, 2, world_in_doubt());
    world_answer(&world, 3, world_refuses(5117, "rpc error"));
    (void)world_log(&world);
    world_signal(&world, ENGINE_SIGNAL_STOP);
    assert_int_equal(rows[1].status, ROW_IN_DOUBT);
    assert_string_equal(rows[1].error,
                        "an attempt may have been processed, and the run was stopped "
                        "before the next");
    assert_int_equal(rows[2].records, 0);
    assert_end(JOB_INTERRUPTED, "interrupted");
}

static void test_what_comes_late_changes_nothing(void **state)
{
    (void)state;
    open_rows(3);
    world.waits_at = 1;
    world_begin(&world);
    struct item *item = world.reading;
    world_signal(&world, ENGINE_SIGNAL_STOP);
    item->id = (struct row_id){.row = 2, .device = 9};
    world_event(&world, &(struct event){.kind = EVENT_ROW, .item = item});
    world_event(&world, &(struct event){.kind = EVENT_ROW, .item = item});
    world_event(&world, &(struct event){.kind = EVENT_KEY, .key = {JOB_KEY_OTHER, NULL}});
    world_answer(&world, 1, world_accepts("u-1"));
    assert_end(JOB_INTERRUPTED, "interrupted");
    assert_int_equal(world.result.rows, 1);
}

static void test_a_world_may_die_at_any_time(void **state)
{
    (void)state;
    begin(8);
    world_answer(&world, 1, world_accepts("u-1"));
    world_answer(&world, 2, world_refuses(5117, "rpc error"));
    world_answer(&world, 3, world_refuses(3, "auth failed"));
    assert_true(world.in_flight > 0); /* close_world frees it all */
}

/* The canary. */

static void open_canary(size_t count, uint64_t ahead, int64_t pause_ms)
{
    open_rows(count);
    world.options.canary = (struct canary){.state = CANARY_SENDING,
                                           .rows = ahead,
                                           .accept = 100,
                                           .pause_ms = pause_ms};
}

static void test_the_canary_goes_ahead(void **state)
{
    (void)state;
    open_canary(5, 2, 30000);
    world_begin(&world);
    LOG(&world, "admit1 admit2 sync1 mark1 send1");
    world_answer(&world, 1, world_accepts("u-1"));
    world_answer(&world, 2, world_accepts("u-2"));
    assert_int_equal(world.told[JOB_EVENT_CANARY_PAUSE], 1);
    assert_int_equal(world.status.canary_wait_ms, 30000);
    world_pass(&world, 29000);
    assert_int_equal(world.next, 2);
    world_pass(&world, 2000);
    assert_int_equal(world.told[JOB_EVENT_CANARY], 1);
    assert_int_equal(world.in_flight, 3);
    finish_well();
    assert_end(JOB_COMPLETE, "");
    assert_int_equal(world.result.canary.by_status[ROW_ACCEPTED], 2);
}

static void test_a_canary_without_a_pause_goes_on_at_once(void **state)
{
    (void)state;
    open_canary(3, 1, 0);
    world_begin(&world);
    world_answer(&world, 1, world_accepts("u-1"));
    assert_int_equal(world.told[JOB_EVENT_CANARY_PAUSE], 0);
    assert_int_equal(world.told[JOB_EVENT_CANARY], 1);
    assert_int_equal(world.in_flight, 2);
}

static void test_a_canary_that_is_lost_stops_the_run(void **state)
{
    (void)state;
    open_canary(5, 2, 0);
    world_begin(&world);
    world_answer(&world, 1, world_refuses(4104, "unsuccess"));
    assert_end(JOB_CANARY, "of the canary's 2 rows, 2 were to be accepted: 0 accepted, 1 rejected "
                           "(--canary-accept); the other rows are not sent");
    assert_int_equal(rows[2].admissions, 0);
}

static void test_a_canary_of_all_rows_has_nothing_to_stop(void **state)
{
    (void)state;
    open_canary(1, 1, 0);
    world_begin(&world);
    world_pass(&world, 1);
    world_event(&world, &(struct event){.kind = EVENT_TURN});
    world_answer(&world, 1, world_refuses(4104, "unsuccess"));
    world_finish(&world);
    assert_int_equal(rows[0].status, ROW_REJECTED);
}

static void test_an_invalid_row_is_none_of_the_canary(void **state)
{
    (void)state;
    open_canary(4, 1, 0);
    rows[0].verdict = ITEM_INVALID;
    world_begin(&world);
    LOG(&world, "invalid1 admit2 sync1 mark2 send2");
    world_answer(&world, 2, world_accepts("u-2"));
    assert_int_equal(world.result.end, JOB_COMPLETE);
    assert_int_equal(world.in_flight, 2);
}

/* The key. */

static void test_a_key_that_is_refused_at_once_stops_the_run(void **state)
{
    (void)state;
    begin(3);
    world_answer(&world, 1, world_refuses(3, "auth failed"));
    LOG(&world, "admit1 admit2 admit3 sync1 mark1 send1 drop1 drop2 drop3 end");
    assert_end(JOB_REFUSED, "the first row was refused for the key (auth failed): it does not fit "
                            "the product or the devices");
}

static void test_another_key_sends_the_row_again(void **state)
{
    (void)state;
    open_rows(3);
    world.options.can_renew = true;
    world.key = JOB_KEY_OTHER;
    world_begin(&world);
    world_answer(&world, 1, world_refuses(3, "auth failed"));
    LOG(&world, "admit1 admit2 admit3 sync1 mark1 send1 renew unmark1 mark1 send1");
    assert_int_equal(world.told[JOB_EVENT_KEY], 1);
    world_answer(&world, 1, world_accepts("u-1"));
    finish_well();
    assert_end(JOB_COMPLETE, "");
    assert_int_equal(world.result.retries, 0); /* it was none of the row's attempts */
}

static void test_the_same_key_stops_the_run(void **state)
{
    (void)state;
    open_rows(2);
    world.options.can_renew = true;
    world.key = JOB_KEY_SAME;
    world_begin(&world);
    world_answer(&world, 1, world_refuses(3, "auth failed"));
    LOG(&world, "admit1 admit2 sync1 mark1 send1 renew unmark1 drop1 drop2 end");
    assert_stopped(JOB_REFUSED, "; the key's source was read again and gives no other");
}

static void test_a_key_that_cannot_be_read_stops_the_run(void **state)
{
    (void)state;
    open_rows(2);
    world.options.can_renew = true;
    world.key = JOB_KEY_FAILED;
    world.key_why = "no such file";
    world_begin(&world);
    world_answer(&world, 1, world_refuses(3, "auth failed"));
    assert_stopped(JOB_REFUSED, "; no such file");
}

/* Row 1 is accepted, rows 2 to 5 are in flight. */
static void meet(void)
{
    world_answer(&world, 1, world_accepts("u-1"));
    assert_int_equal(world.in_flight, 4);
    (void)world_log(&world);
}

static void test_rows_that_are_refused_among_good_ones_are_rejected(void **state)
{
    (void)state;
    begin(7);
    meet();
    world_answer(&world, 2, world_refuses(1, "api-key required"));
    LOG(&world, "unmark2 mark6 send6");
    world_answer(&world, 3, world_accepts("u-3")); /* was on its way before: says nothing of it */
    LOG(&world, "record3:accepted mark7 send7");
    world_answer(&world, 6, world_accepts("u-6"));
    LOG(&world, "record2:rejected record6:accepted");
    finish_well();
    assert_end(JOB_COMPLETE, "");
}

static void test_five_refusals_in_a_row_stop_the_run(void **state)
{
    (void)state;
    begin(9);
    meet();
    for (size_t i = 2; i <= 6; i++)
        world_answer(&world, i, world_refuses(3, "auth failed"));
    for (size_t i = 7; i <= 9; i++)
        world_answer(&world, i, world_refuses(3, "auth failed"));
    assert_end(JOB_REFUSED, "5 rows in a row were refused for the key (auth failed): it does not "
                            "fit the product or the devices");
    for (size_t i = 1; i < 9; i++)
        assert_int_equal(rows[i].records, 0);
}

static void test_what_was_sent_with_the_old_key_goes_again(void **state)
{
    (void)state;
    open_rows(9);
    world.options.can_renew = true;
    world.key = JOB_KEY_OTHER;
    world_begin(&world);
    meet();
    for (size_t i = 2; i <= 6; i++)
        world_answer(&world, i, world_refuses(3, "auth failed"));
    assert_int_equal(world.told[JOB_EVENT_KEY], 1);
    (void)world_log(&world);
    world_answer(&world, 7, world_refuses(3, "auth failed"));
    assert_non_null(strstr(world_log(&world), "unmark7"));
    finish_well();
    assert_end(JOB_COMPLETE, "");
    assert_int_equal(world.told[JOB_EVENT_KEY], 1);
    for (size_t i = 0; i < 9; i++)
        assert_int_equal(rows[i].status, ROW_ACCEPTED);
}

static void test_nothing_starts_while_the_key_is_read(void **state)
{
    (void)state;
    open_rows(12);
    world.options.can_renew = world.keys_by_hand = true;
    world_begin(&world);
    meet();
    for (size_t i = 2; i <= 6; i++)
        world_answer(&world, i, world_refuses(3, "auth failed"));
    assert_true(world.renewing);
    (void)world_log(&world);
    world_answer(&world, 7, world_refuses(3, "auth failed"));
    world_answer(&world, 8, world_accepts("u-8")); /* sent before the refusal: no judgement */
    world_pass(&world, 1000);
    assert_int_equal(world.in_flight, 1);
    world.key = JOB_KEY_SAME; /* the key was good meanwhile: no reason to stop */
    world_key(&world);
    finish_well();
    assert_end(JOB_COMPLETE, "");
    assert_int_equal(rows[1].status, ROW_REJECTED);
}

static void test_a_key_that_comes_after_the_end_changes_nothing(void **state)
{
    (void)state;
    open_rows(2);
    world.options.can_renew = world.keys_by_hand = true;
    world_begin(&world);
    world_answer(&world, 1, world_refuses(3, "auth failed"));
    world_signal(&world, ENGINE_SIGNAL_STOP);
    assert_true(world.has_ended);
    world.key = JOB_KEY_OTHER;
    world_key(&world);
    assert_end(JOB_INTERRUPTED, "interrupted");
}

static void test_held_rows_end_where_nothing_else_can_tell(void **state)
{
    (void)state;
    begin(2);
    world_answer(&world, 1, world_accepts("u-1"));
    world_answer(&world, 2, world_refuses(1, "api-key required"));
    LOG(&world, "admit1 admit2 sync1 mark1 send1 record1:accepted mark2 send2 unmark2 "
                "record2:rejected end");
}

static void test_the_key_is_read_once_more_for_the_last_rows(void **state)
{
    (void)state;
    open_rows(2);
    world.options.can_renew = true;
    world.key = JOB_KEY_SAME;
    world_begin(&world);
    world_answer(&world, 1, world_accepts("u-1"));
    world_answer(&world, 2, world_refuses(1, "api-key required"));
    LOG(&world, "admit1 admit2 sync1 mark1 send1 record1:accepted mark2 send2 unmark2 renew "
                "record2:rejected end");
    assert_end(JOB_COMPLETE, "");
}

static void test_a_proxy_that_refuses_stops_the_run(void **state)
{
    (void)state;
    open_rows(2);
    world.options.can_renew = true;
    world_begin(&world);
    world_answer(&world, 1, world_http(407, ""));
    LOG(&world, "admit1 admit2 sync1 mark1 send1 drop1 drop2 end");
    assert_stopped(JOB_REFUSED, "it is the proxy that refuses them, for its own credentials");
}

static void test_a_refused_row_that_may_have_been_processed_stays_in_doubt(void **state)
{
    (void)state;
    begin(1);
    world_answer(&world, 1, world_in_doubt());
    world_pass(&world, 200);
    world_answer(&world, 1, world_refuses(3, "auth failed"));
    assert_int_equal(rows[0].status, ROW_IN_DOUBT);
    assert_stopped(JOB_REFUSED, "the first row was refused for the key");
}

/* Whoever answers, and its clock. */

static void test_foreign_answers_stop_the_run(void **state)
{
    (void)state;
    open_rows(8);
    world.options.retry.max_attempts = 1;
    world_begin(&world);
    for (size_t i = 1; i <= 5; i++)
        world_answer(&world, i, world_http(200, "<html>Please log in</html>"));
    assert_stopped(JOB_REFUSED, "5 answers in a row were not the platform's: HTTP 200, "
                                "\"<html>Please log in</html>\"; ");
    assert_int_equal(rows[5].records, 0);
}

static void test_a_foreign_answer_without_a_word_is_told_of(void **state)
{
    (void)state;
    open_rows(8);
    world_begin(&world);
    for (size_t i = 1; i <= 5; i++)
        world_answer(&world, i, world_http(404, ""));
    assert_stopped(JOB_REFUSED, "5 answers in a row were not the platform's: HTTP 404; ");
}

static void test_times_are_reckoned_by_the_platforms_clock(void **state)
{
    (void)state;
    open_rows(2);
    rows[0].is_relative = rows[1].is_relative = true;
    rows[0].expires_in_s = rows[1].expires_in_s = 7200;
    world.date_off_s = 3600;
    world_begin(&world);
    world_answer(&world, 1, world_refuses(4104, "unsuccess")); /* perhaps for its times */
    assert_int_equal(world.told[JOB_EVENT_CLOCK], 1);
    assert_int_equal(world.status.clock_off_s, 3600);
    world_pass(&world, 1);
    assert_int_equal(rows[0].item->command.expires_at_s, WORLD_START_S + 7200 + 3600);
    assert_int_equal(rows[0].sends, 2);
    assert_int_equal(rows[1].item->command.expires_at_s, WORLD_START_S + 7200 + 3600);
    world_answer(&world, 1, world_accepts("u-1"));
    world_answer(&world, 2, world_accepts("u-2"));
    assert_end(JOB_COMPLETE, "");
    assert_int_equal(rows[0].sent_in_all, 2);
}

static void test_a_clock_that_is_off_is_told_where_the_key_is_refused(void **state)
{
    (void)state;
    open_rows(1);
    world.date_off_s = -7200;
    world_begin(&world);
    world_answer(&world, 1, world_refuses(3, "auth failed"));
    assert_stopped(JOB_REFUSED, "; this machine's clock is 7200 s ahead of the platform's, which "
                                "makes tokens invalid");
}

static void test_clocks_that_are_near_each_other_are_not_worth_a_word(void **state)
{
    (void)state;
    open_rows(1);
    world.date_off_s = 30;
    world_begin(&world);
    world_answer(&world, 1, world_accepts("u"));
    assert_int_equal(world.told[JOB_EVENT_CLOCK], 0);
}

static void test_a_valid_time_that_has_come_is_left_out(void **state)
{
    (void)state;
    open_rows(2);
    rows[0].valid_in_s = rows[1].valid_in_s = 5;
    world.syncs_by_hand = true;
    world_begin(&world);
    world_pass(&world, 6000);
    world_sync(&world);
    assert_int_equal(world.told[JOB_EVENT_VALID_NOW], 1);
    assert_null(strstr(command_target(&rows[0].item->command).ptr, "valid_time"));
    world_answer(&world, 1, world_accepts("u-1"));
    assert_int_equal(world.told[JOB_EVENT_VALID_NOW], 1); /* once */
    assert_null(strstr(command_target(&rows[1].item->command).ptr, "valid_time"));
}

static void test_a_row_that_has_expired_is_not_sent(void **state)
{
    (void)state;
    open_rows(3);
    rows[0].expires_in_s = rows[2].expires_in_s = 5;
    world.syncs_by_hand = true;
    world_begin(&world);
    world_pass(&world, 6000);
    (void)world_log(&world);
    world.syncs_by_hand = false;
    world_sync(&world);
    LOG(&world, "expired1 mark2 send2");
    world_answer(&world, 2, world_accepts("u-2"));
    LOG(&world, "record2:accepted expired3 end");
    assert_end(JOB_COMPLETE, "");
}

static void test_a_row_that_was_sent_and_expires_is_given_up(void **state)
{
    (void)state;
    open_rows(2);
    rows[0].expires_in_s = rows[1].expires_in_s = 5;
    world.rtt_ms = 10;
    world_begin(&world);
    world_answer(&world, 1, world_refuses(5117, "rpc error"));
    world_answer(&world, 2, world_in_doubt());
    world_signal(&world, ENGINE_SIGNAL_PAUSE);
    world_pass(&world, 6000);
    world_signal(&world, ENGINE_SIGNAL_PAUSE);
    assert_int_equal(rows[0].status, ROW_FAILED);
    assert_int_equal(rows[1].status, ROW_IN_DOUBT);
    assert_string_equal(rows[0].error, "expired_time passed before it could be sent again");
}

/* What is kept of the row that was recorded last. */
static struct doubt kept;
static bool is_kept;
static effect_fn *world_perform;

static enum status keep_doubt(struct store *store, uint32_t ticket,
                              const struct result_record *record)
{
    (void)store;
    (void)ticket;
    is_kept = record->doubt != NULL;
    if (is_kept)
        kept = *record->doubt;
    return STATUS_OK;
}

static void perform_with_recorder(void *context, const struct effect *effect)
{
    struct store store = {.end = keep_doubt};
    struct tally tally = {.attempts = 0};
    struct recorder recorder = {.store = &store, .tally = &tally};

    if (effect->kind == EFFECT_RECORD)
        assert_int_equal(recorder_perform(&recorder, effect, 0), STATUS_OK);
    world_perform(context, effect);
}

static void test_of_a_row_in_doubt_is_kept_what_this_run_has_asked(void **state)
{
    (void)state;
    open_rows(2);
    world_perform = world.options.perform;
    world.options.perform = perform_with_recorder;
    rows[0].action = ACTION_EXECUTE;
    rows[0].sent = rows[0].ambiguous = 2;
    rows[1].sent = rows[1].ambiguous = 1;
    rows[1].expires_in_s = 5;
    world_begin(&world);
    world_signal(&world, ENGINE_SIGNAL_PAUSE);
    world_answer(&world, 1, world_in_doubt());
    assert_true(is_kept && kept.before == 2 && kept.ambiguous == 3);
    assert_int_equal(rows[1].item->doubts_before, 1);
    world_pass(&world, 6000);
    world_signal(&world, ENGINE_SIGNAL_PAUSE);
    assert_true(rows[1].status == ROW_IN_DOUBT && rows[1].sends == 0);
    assert_false(is_kept); /* of the runs before there is a record */
}

static void test_nothing_is_sent_behind_a_result_that_may_not_be_written(void **state)
{
    (void)state;
    open_rows(2);
    rows[0].expires_in_s = 5;
    world.syncs_by_hand = true;
    world_begin(&world);
    world_pass(&world, 6000);
    world.record_fails = "no space left";
    world_sync(&world);
    assert_int_equal(rows[1].sends, 0);
    assert_end(JOB_FAILED, "no space left");
}

/* The input. */

static void test_a_pipe_is_waited_for(void **state)
{
    (void)state;
    open_rows(2);
    world.waits_at = 0;
    world_begin(&world);
    world_pass(&world, 10000);
    assert_int_equal(world.looked, 50);
    LOG(&world, "");
    world.waits_at = SIZE_MAX;
    world_settle(&world);
    finish_well();
    assert_end(JOB_COMPLETE, "");
}

static void test_an_input_that_changes_stops_the_run(void **state)
{
    (void)state;
    open_rows(6);
    world.ends_at = 2;
    world.input_end = (struct event){.kind = EVENT_INPUT_CHANGED, .input = {.line = 4}};
    world_begin(&world);
    LOG(&world, "admit1 admit2 drop1 drop2 end");
    assert_stopped(JOB_CHANGED, "input changed: fleet.csv is no longer what was checked, at or "
                                "behind line 4: none of the change was sent;");
}

static void test_a_change_is_seen_before_the_reading_comes_to_it(void **state)
{
    (void)state;
    open_rows(20);
    world_begin(&world);
    world.has_changed = true;
    world_pass(&world, 200);
    assert_true(engine_is_stopping(world.engine));
    world_answer(&world, 1, world_accepts("u-1"));
    assert_stopped(JOB_CHANGED, "at or behind line 0");
}

static void test_an_input_that_has_left_is_not_looked_at_any_more(void **state)
{
    (void)state;
    begin(1);
    world.has_changed = true;
    world_pass(&world, 1000);
    assert_int_equal(world.looked, 0);
    finish_well();
    assert_end(JOB_COMPLETE, "");
}

static void test_a_change_while_the_last_rows_wait_names_no_line(void **state)
{
    (void)state;
    begin(3);
    world.has_changed = true;
    world_pass(&world, 200);
    world_answer(&world, 1, world_accepts("u-1"));
    assert_stopped(JOB_CHANGED, "is no longer what was checked: none");
}

static void test_a_second_change_is_not_told_again(void **state)
{
    (void)state;
    begin(3);
    world_event(&world, &(struct event){.kind = EVENT_INPUT_CHANGED});
    world_event(&world, &(struct event){.kind = EVENT_INPUT_CHANGED});
    assert_int_equal(world.told[JOB_EVENT_STOPPED], 1);
}

static void test_what_was_checked_is_sent_where_something_was_added(void **state)
{
    (void)state;
    open_rows(2);
    world.input_end =
        (struct event){.kind = EVENT_INPUT_CHANGED, .input = {.line = 4, .is_beyond = true}};
    world_begin(&world);
    world.has_changed = true; /* as a look would say, too */
    world_pass(&world, 500);
    assert_int_equal(world.looked, 0);
    finish_well();
    assert_stopped(JOB_CHANGED, "fleet.csv has more at its end than was checked, from line 4 on");
    assert_int_equal(rows[1].status, ROW_ACCEPTED);
}

static void test_an_input_that_has_grown_at_the_end_is_told(void **state)
{
    (void)state;
    begin(1);
    world.has_grown = true;
    finish_well();
    assert_stopped(JOB_CHANGED, "fleet.csv has more at its end than was checked, from line 3 on");
}

static void test_an_input_that_cannot_be_read_on_fails_the_run(void **state)
{
    (void)state;
    open_rows(2);
    world.ends_at = 1;
    world.input_end = (struct event){.kind = EVENT_INPUT_UNREADABLE};
    world_begin(&world);
    assert_end(JOB_UNREADABLE, "the input cannot be read on");
    assert_int_equal(world.end, STATUS_BAD_INPUT);
    assert_int_equal(rows[0].sends, 0);
}

static void test_what_is_beyond_doubt_is_sent_where_the_rest_is_lost(void **state)
{
    (void)state;
    open_rows(2);
    world.ends_at = 1;
    world.input_end = (struct event){.kind = EVENT_INPUT_UNREADABLE, .input = {.is_beyond = true}};
    world_begin(&world);
    finish_well();
    assert_end(JOB_UNREADABLE, "the input cannot be read on");
    assert_int_equal(world.end, STATUS_OK);
    assert_int_equal(rows[0].status, ROW_ACCEPTED);
}

static void test_reading_that_fails_fails_the_run(void **state)
{
    (void)state;
    open_rows(2);
    world.ends_at = 1;
    world.input_end = (struct event){.kind = EVENT_INPUT_FAILED,
                                     .failure = {STATUS_IO, "the input cannot be read: EIO"}};
    world_begin(&world);
    assert_end(JOB_FAILED, "the input cannot be read: EIO");
    assert_int_equal(world.end, STATUS_IO);
}

/* Time. */

static void test_a_rate_is_kept(void **state)
{
    (void)state;
    open_rows(21);
    world.options.pacer.rate_count = 10;
    world.options.pacer.rate_per_ms = 1000;
    world.options.pacer.rate_is_asked = true;
    world.platform = accept_all;
    int64_t begun_ns = world.now.ns;
    world_begin(&world);
    world_pass(&world, 1000);
    assert_int_equal(world.status.wait, PACER_RATE);
    assert_true(world.status.wait_ms >= 0);
    assert_end(JOB_COMPLETE, "");
    assert_in_range(world.now.ns - begun_ns, 2000 * INT64_C(1000000), 2010 * INT64_C(1000000));
}

static void test_retry_after_is_kept(void **state)
{
    (void)state;
    begin(1);
    struct answer answer = world_http(503, "");
    answer.has_retry_after = true;
    answer.retry_after_ms = 7000;
    world_answer(&world, 1, answer);
    world_pass(&world, 6900);
    assert_int_equal(rows[0].sends, 1);
    world_pass(&world, 200);
    assert_int_equal(rows[0].sends, 2);
}

static void test_a_retry_after_that_is_too_long_ends_the_row(void **state)
{
    (void)state;
    begin(1);
    struct answer answer = world_http(503, "");
    answer.has_retry_after = true;
    answer.retry_after_ms = 7000000;
    world_answer(&world, 1, answer);
    assert_int_equal(rows[0].status, ROW_FAILED);
}

/* Memory. */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);

static long allocations_left = LONG_MAX;
static size_t size_that_fails;

void *__wrap_malloc(size_t size)
{
    return size != size_that_fails && allocations_left-- > 0 ? __real_malloc(size) : NULL;
}

void *__wrap_calloc(size_t count, size_t size)
{
    return allocations_left-- > 0 ? __real_calloc(count, size) : NULL;
}

static void test_an_engine_needs_memory(void **state)
{
    (void)state;
    open_rows(1);
    world.options.room = 1;
    long needed = 0;
    enum status status;
    do {
        allocations_left = needed++;
        status = engine_new(&world.options, world.now, &world.engine);
        allocations_left = LONG_MAX;
    } while (status == STATUS_NO_MEMORY && needed < 100);
    assert_int_equal(status, STATUS_OK);
    assert_true(needed > 2);
}

static void test_a_row_that_there_is_no_memory_for_fails_the_run(void **state)
{
    (void)state;
    open_rows(1);
    world.waits_at = 0;
    world_begin(&world);
    world.reading = NULL; /* as if it had come to the end of its items */
    engine_free(world.engine);
    assert_int_equal(engine_new(&world.options, world.now, &world.engine), STATUS_OK);
    allocations_left = 0;
    engine_step(world.engine, &(struct event){.kind = EVENT_TURN}, world.now);
    allocations_left = LONG_MAX;
    assert_end(JOB_FAILED, "out of memory");
    assert_int_equal(world.end, STATUS_NO_MEMORY);
}

static void test_a_device_that_there_is_no_memory_for_fails_the_run(void **state)
{
    (void)state;
    open_rows(1);
    world.syncs_by_hand = true;
    world_begin(&world);
    allocations_left = 0;
    world_sync(&world);
    allocations_left = LONG_MAX;
    LOG(&world, "admit1 sync1 drop1 end");
    assert_end(JOB_FAILED, "out of memory");
}

static void test_a_row_that_cannot_be_held_ends_as_it_was_refused(void **state)
{
    (void)state;
    begin(5);
    meet();
    size_that_fails = sizeof(struct refusal);
    world_answer(&world, 2, world_refuses(1, "api-key required"));
    size_that_fails = 0;
    LOG(&world, "record2:rejected");
}

#define TEST(name) cmocka_unit_test_teardown(test_##name, close_world)

/* Rows that may have been processed are looked for. */

static struct known_commands known;

static void open_verify(size_t count)
{
    open_rows(count);
    known_commands_init(&known);
    known.is_prompt = true;
    world.options.retry.on_ambiguous = ON_AMBIGUOUS_VERIFY;
    world.options.verify = (struct verify_options){&known, {1000, 3000}};
    for (size_t i = 0; i < count; i++)
        rows[i].device = 1;
}

static void begin_verify(void)
{
    world_begin(&world);
    world_answer(&world, 1, world_in_doubt());
    (void)world_log(&world);
}

static int close_verify(void **state)
{
    known_commands_deinit(&known);
    return close_world(state);
}

static struct answer lists_nothing(void)
{
    return world_http(200, "{\"errno\":0,\"data\":{\"items\":[],\"total_count\":0}}");
}

static void test_a_row_that_is_not_in_the_history_goes_again(void **state)
{
    (void)state;
    open_verify(2);
    begin_verify();
    world_pass(&world, 900);
    assert_int_equal(world.in_flight, 0); /* nothing of the device goes on */
    world_pass(&world, 200);
    assert_non_null(rows[0].item->verification);
    LOG(&world, "send1"); /* a question: there is no mark */
    world_answer(&world, 1, lists_nothing());
    world_pass(&world, 1800);
    assert_int_equal(world.in_flight, 0); /* one look is not enough */
    world_pass(&world, 300);
    LOG(&world, "send1");
    world_answer(&world, 1, lists_nothing());
    world_pass(&world, 10);
    LOG(&world, "unmark1 mark1 send1");
    assert_null(rows[0].item->verification);
    world_answer(&world, 1, world_accepts("u-1"));
    assert_true(rows[0].status == ROW_ACCEPTED && rows[0].sent_in_all == 2);
    assert_int_equal(rows[0].ambiguous_in_all, 0);
    world_answer(&world, 2, world_accepts("u-2"));
    world_finish(&world);
    assert_true(world.result.verified.rows == 1 && world.result.verified.missing == 1);
    assert_int_equal(world.result.verified.lists, 2);
}

static void test_a_row_that_is_in_the_history_is_no_control(void **state)
{
    static const char listed[] = "\"cmd_uuid\":\"u-1\",\"type\":\"READ\",\"send_status\":1,"
                                 "\"create_time\":\"2027-01-15 16:00:00\"";
    char text[512];

    (void)state;
    open_verify(2);
    rows[0].action = ACTION_READ;
    begin_verify();
    world_pass(&world, 1100);
    (void)snprintf(text, sizeof(text),
                   "{\"errno\":0,\"data\":{\"items\":[{%s}],\"total_count\":1}}", listed);
    world_answer(&world, 1, world_http(200, text));
    world_pass(&world, 10);
    (void)snprintf(text, sizeof(text),
                   "{\"errno\":0,\"data\":{%s,\"args\":{\"obj_id\":\"3311\",\"obj_inst_id\":\"0\","
                   "\"res_id\":\"1\"}}}",
                   listed);
    world_answer(&world, 1, world_http(200, text));
    assert_int_equal(rows[0].status, ROW_ACCEPTED);
    assert_string_equal(rows[0].uuid, "u-1");
    assert_true(known_commands_has(&known, SPAN_LITERAL("u-1")) && known.last.device == 0);
    world_answer(&world, 2, world_accepts("u-2"));
    assert_int_equal(known.last.device, 1);
    world_finish(&world);
    assert_int_equal(world.result.verified.found, 1);
}

static void test_a_row_whose_history_cannot_be_read_stays_in_doubt(void **state)
{
    (void)state;
    open_verify(1);
    begin_verify();
    world_pass(&world, 1100);
    world_answer(&world, 1, world_refuses(5106, "UNSUCESS"));
    assert_true(rows[0].status == ROW_IN_DOUBT && rows[0].ambiguous_in_all == 1);
    assert_non_null(strstr(rows[0].error, "UNSUCESS"));
    world_finish(&world);
    assert_int_equal(world.result.verified.unclear, 1);
}

static void test_a_stop_meanwhile_leaves_the_row_in_doubt(void **state)
{
    (void)state;
    open_verify(2);
    begin_verify();
    world_pass(&world, 500);
    world_signal(&world, ENGINE_SIGNAL_STOP);
    world_finish(&world);
    assert_true(rows[0].status == ROW_IN_DOUBT && rows[0].records == 1 && rows[1].sends == 0);
}

static void test_a_death_meanwhile_frees_all(void **state)
{
    (void)state;
    open_verify(1);
    begin_verify();
    world_pass(&world, 1100);
    assert_int_equal(world.in_flight, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_row_is_admitted_synced_marked_sent_and_recorded),
        TEST(invalid_and_settled_rows_are_not_sent),
        TEST(an_empty_input_ends_at_once),
        TEST(the_scout_goes_alone_until_the_platform_has_answered),
        TEST(rows_of_a_device_go_one_by_one_in_file_order),
        TEST(no_more_than_the_concurrency_is_in_flight),
        TEST(nothing_leaves_before_the_disk_knows_of_it),
        TEST(a_row_that_comes_during_a_sync_waits_for_the_next),
        TEST(a_sync_that_fails_stops_the_run),
        TEST(a_record_that_cannot_be_written_stops_the_run),
        TEST(what_is_in_flight_is_waited_for_when_the_record_fails),
        TEST(a_flush_that_fails_stops_the_run),
        TEST(a_record_that_fails_at_the_very_end_is_told),
        TEST(results_are_synced_now_and_then),
        TEST(no_row_is_read_that_the_record_has_no_room_for),
        TEST(rows_wait_for_a_reader_that_falls_behind),
        TEST(rows_are_read_ahead_of_the_disk_as_far_as_they_are_needed),
        TEST(what_was_not_processed_goes_again),
        TEST(a_write_in_doubt_stays_marked_and_goes_again),
        TEST(an_execute_in_doubt_is_held),
        TEST(attempts_run_out),
        TEST(attempts_of_earlier_runs_count_in_the_result),
        TEST(retries_wait_where_the_budget_is_spent),
        TEST(a_foreign_uuid_is_not_believed),
        TEST(a_shortage_costs_no_attempt),
        TEST(a_row_whose_time_was_over_is_dropped_and_counts_nowhere),
        TEST(starts_that_others_grant_are_waited_for),
        TEST(a_shortage_that_lasts_ends_the_run),
        TEST(a_retry_that_falls_short_gives_its_budget_back),
        TEST(a_shortage_of_a_run_that_stops_is_an_attempt_that_did_not_leave),
        TEST(rows_wait_while_the_platform_is_away),
        TEST(a_single_row_waits_as_well),
        TEST(a_single_row_does_not_wait_for_ever),
        TEST(an_endpoint_that_is_never_reached_ends_the_run),
        TEST(an_endpoint_that_is_never_reached_is_given_a_minute),
        TEST(an_outage_that_lasts_ends_the_run),
        TEST(a_platform_that_refuses_everything_fails_no_row),
        TEST(a_limit_is_found_and_told),
        TEST(a_hidden_limit_is_kept_and_used),
        TEST(a_halt_rule_stops_the_run),
        TEST(a_configuration_that_cannot_work_stops_the_run),
        TEST(a_signal_drains),
        TEST(a_second_signal_ends_what_is_in_flight),
        TEST(circumstances_are_not_impatient),
        TEST(a_signal_after_another_reason_to_stop_is_impatient),
        TEST(a_signal_that_stopped_nothing_is_forgiven),
        TEST(a_pause_holds_rows_back),
        TEST(a_run_that_stops_gives_what_may_have_been_processed_a_result),
        TEST(what_comes_late_changes_nothing),
        TEST(a_world_may_die_at_any_time),
        TEST(the_canary_goes_ahead),
        TEST(a_canary_without_a_pause_goes_on_at_once),
        TEST(a_canary_that_is_lost_stops_the_run),
        TEST(a_canary_of_all_rows_has_nothing_to_stop),
        TEST(an_invalid_row_is_none_of_the_canary),
        TEST(a_key_that_is_refused_at_once_stops_the_run),
        TEST(another_key_sends_the_row_again),
        TEST(the_same_key_stops_the_run),
        TEST(a_key_that_cannot_be_read_stops_the_run),
        TEST(rows_that_are_refused_among_good_ones_are_rejected),
        TEST(five_refusals_in_a_row_stop_the_run),
        TEST(what_was_sent_with_the_old_key_goes_again),
        TEST(nothing_starts_while_the_key_is_read),
        TEST(a_key_that_comes_after_the_end_changes_nothing),
        TEST(held_rows_end_where_nothing_else_can_tell),
        TEST(the_key_is_read_once_more_for_the_last_rows),
        TEST(a_proxy_that_refuses_stops_the_run),
        TEST(a_refused_row_that_may_have_been_processed_stays_in_doubt),
        TEST(foreign_answers_stop_the_run),
        TEST(a_foreign_answer_without_a_word_is_told_of),
        TEST(times_are_reckoned_by_the_platforms_clock),
        TEST(a_clock_that_is_off_is_told_where_the_key_is_refused),
        TEST(clocks_that_are_near_each_other_are_not_worth_a_word),
        TEST(a_valid_time_that_has_come_is_left_out),
        TEST(a_row_that_has_expired_is_not_sent),
        TEST(a_row_that_was_sent_and_expires_is_given_up),
        TEST(of_a_row_in_doubt_is_kept_what_this_run_has_asked),
        TEST(nothing_is_sent_behind_a_result_that_may_not_be_written),
        TEST(a_pipe_is_waited_for),
        TEST(an_input_that_changes_stops_the_run),
        TEST(a_change_is_seen_before_the_reading_comes_to_it),
        TEST(an_input_that_has_left_is_not_looked_at_any_more),
        TEST(a_change_while_the_last_rows_wait_names_no_line),
        TEST(a_second_change_is_not_told_again),
        TEST(what_was_checked_is_sent_where_something_was_added),
        TEST(an_input_that_has_grown_at_the_end_is_told),
        TEST(an_input_that_cannot_be_read_on_fails_the_run),
        TEST(what_is_beyond_doubt_is_sent_where_the_rest_is_lost),
        TEST(reading_that_fails_fails_the_run),
        TEST(a_rate_is_kept),
        TEST(retry_after_is_kept),
        TEST(a_retry_after_that_is_too_long_ends_the_row),
        TEST(an_engine_needs_memory),
        TEST(a_row_that_there_is_no_memory_for_fails_the_run),
        TEST(a_device_that_there_is_no_memory_for_fails_the_run),
        TEST(a_row_that_cannot_be_held_ends_as_it_was_refused),
        cmocka_unit_test_teardown(test_a_row_that_is_not_in_the_history_goes_again, close_verify),
        cmocka_unit_test_teardown(test_a_row_that_is_in_the_history_is_no_control, close_verify),
        cmocka_unit_test_teardown(test_a_row_whose_history_cannot_be_read_stays_in_doubt,
                                  close_verify),
        cmocka_unit_test_teardown(test_a_stop_meanwhile_leaves_the_row_in_doubt, close_verify),
        cmocka_unit_test_teardown(test_a_death_meanwhile_frees_all, close_verify),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
