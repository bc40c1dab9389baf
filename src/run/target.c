#include "run/target.h"

#include "run/descriptors.h"
#include "run/exit_status.h"
#include "sim/setup.h"

struct wire_options target_wire(const struct run_settings *settings)
{
    return (struct wire_options){.ca_file = settings->cacert,
                                 .resolve = &settings->resolves,
                                 .insecure = settings->insecure,
                                 .clear_text = settings->insecure_http,
                                 .http2 = settings->http2};
}

struct transport_options target_transport(const struct run_settings *settings,
                                          const struct endpoint *endpoint,
                                          const struct credentials *credentials)
{
    return (struct transport_options){.endpoint = endpoint,
                                      .credentials = credentials,
                                      .concurrency = (size_t)settings->concurrency,
                                      .connect_timeout_ms = settings->connect_timeout_ms,
                                      .request_timeout_ms = settings->request_timeout_ms,
                                      .wire = target_wire(settings)};
}

uint8_t target_with(const struct run_settings *settings)
{
    return (uint8_t)(settings->simulate != NULL ? (int)WITH_SIMULATOR
                                                : WITH_PLATFORM + (int)settings->dialect);
}

static enum status choose_way(const struct run_settings *settings, struct endpoint *endpoint,
                              struct buf *message)
{
    const struct wire_options wire = target_wire(settings);
    enum status status = endpoint_parse(settings->endpoint, message, endpoint);

    if (status == STATUS_OK && settings->proxy != NULL)
        status = endpoint_set_proxy(endpoint, settings->proxy, message);
    return status == STATUS_OK ? wire_check(&wire, endpoint, message) : status;
}

/* Says who can read the key on its way; false where that was not asked for. */
static bool accept_risk(const struct run_settings *settings, const struct person *person,
                        const struct endpoint *endpoint)
{
    if (endpoint->secure) {
        if (settings->insecure)
            person_error(
                person,
                "WARNING: the certificate of %s is not verified (--insecure): whoever sits "
                "on the way can read the key and answer in the platform's place",
                endpoint->origin);
        return true;
    }
    const struct wire_options wire = target_wire(settings);
    bool elsewhere = wire_leads_elsewhere(&wire, endpoint);
    if (endpoint->loopback && !elsewhere)
        return true;
    if (!settings->insecure_http) {
        person_error(
            person,
            "endpoint %s%s: over plain http the key can be read on the way%s; use https, or "
            "say --insecure-http",
            endpoint->origin, elsewhere ? " (which --resolve leads to another machine)" : "",
            endpoint->proxy != NULL ? " and by the proxy" : "");
        return false;
    }
    person_error(person, "warning: the key travels to %s in clear text", endpoint->origin);
    return true;
}

static int exit_status_of(enum status status)
{
    if (status == STATUS_USAGE)
        return EXIT_USAGE;
    return status == STATUS_CREDENTIALS ? EXIT_REFUSED : EXIT_INTERNAL;
}

static struct credentials_options credentials_options_of(const struct run_settings *settings)
{
    return (struct credentials_options){.dialect = settings->dialect,
                                        .api_key_file = settings->api_key_file,
                                        .api_key_command = settings->api_key_command,
                                        .product_id = settings->product_id,
                                        .user_id = settings->user_id,
                                        .access_key_file = settings->access_key_file};
}

enum job_key target_renew_key(const struct run_settings *settings, struct credentials *credentials,
                              struct buf *message)
{
    struct credentials_options keys = credentials_options_of(settings);
    struct credentials other = {.key = NULL};

    if (credentials->is_fixed) {
        buf_add_string(message, "the key is from the environment, which cannot be read again");
        return JOB_KEY_FAILED;
    }
    keys.must_rest = true;
    buf_add_string(message, "its source cannot be read again: ");
    enum status status = credentials_load(&keys, message, &other);
    if (status != STATUS_OK)
        return status == STATUS_NO_MEMORY ? JOB_KEY_FAILED : JOB_KEY_NOT_YET;
    buf_clear(message);
    return credentials_replace(credentials, &other) ? JOB_KEY_OTHER : JOB_KEY_SAME;
}

static int fail(const struct person *person, struct buf *message, enum status status)
{
    int result = 0;

    if (status != STATUS_OK) {
        person_failure(person, message, status);
        result = exit_status_of(status);
    }
    buf_deinit(message);
    return result;
}

int target_choose(const struct run_settings *settings, const struct person *person,
                  struct endpoint *endpoint)
{
    struct buf message;

    buf_init_text(&message, 64 * 1024);
    enum status status = choose_way(settings, endpoint, &message);
    int result = fail(person, &message, status);
    return status == STATUS_OK && !accept_risk(settings, person, endpoint) ? EXIT_REFUSED : result;
}

int target_load_key(const struct run_settings *settings, const struct person *person,
                    struct credentials *credentials)
{
    const struct credentials_options keys = credentials_options_of(settings);
    struct buf message;

    buf_init_text(&message, 64 * 1024);
    return fail(person, &message, credentials_load(&keys, &message, credentials));
}

int target_simulate(const struct run_settings *settings, const struct person *person,
                    struct sim **ret_sim, struct endpoint *endpoint)
{
    struct sim_config config;
    struct buf message;
    char url[128];
    int result = EXIT_INTERNAL;

    buf_init_text(&message, 64 * 1024);
    sim_config_init(&config);
    config.dialect = settings->dialect;
    enum status status = sim_config_parse(&config, span_string(settings->simulate), &message);
    if (status == STATUS_OK)
        status = sim_start(&config, &message, ret_sim);
    sim_config_deinit(&config);
    if (status == STATUS_CREDENTIALS)
        result = EXIT_REFUSED;
    else if (status == STATUS_USAGE || status == STATUS_IO)
        result = EXIT_USAGE;
    if (status == STATUS_OK) {
        sim_url(*ret_sim, url, sizeof(url));
        status = endpoint_parse(url, &message, endpoint);
    }
    if (status != STATUS_OK)
        person_failure(person, &message, status);
    buf_deinit(&message);
    return status == STATUS_OK ? 0 : result;
}
