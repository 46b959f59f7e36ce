#include "daemon/checkup.h"

#include "base/clock.h"
#include "daemon/component.h"
#include "daemon/config-schema.h"
#include "daemon/healing.h"

#include <errno.h>
#include <string.h>

#define SECOND_LOOK_US (500 * USEC_PER_MSEC)
#define NOT_CONFIGURED_US (60 * USEC_PER_SEC) /* it may come into being (a unit) */
#define ACCURACY_MAX_US (250 * USEC_PER_MSEC) /* so that checks share a wake-up */

typedef struct Entry {
        Checkup *checkup;
        const ComponentKind *kind;
        ComponentContext context;
        void *self;
        unsigned index; /* in Health.components */
        bool of_service;
        bool checking;      /* a check is under way */
        int64_t begun_mono; /* the newest */
        bool complete;      /* measured, also what takes two looks */
        unsigned strikes;
        Healer *healer; /* NULL: not healed */
        sd_event_source *timer;
} Entry;

struct Checkup {
        CheckupTools tools;
        CheckupHooks hooks;
        void *userdata;
        Disks *disks;
        bool suspended, healing_held;
        int64_t resumed_mono; /* what was begun before may be of the run */
        const Entry *consensus, *network, *database, *system;
        Health health;
        unsigned count;
        Entry entries[COMPONENTS_MAX];
};

_Static_assert(COMPONENTS_MAX <= HEALTH_COMPONENTS_MAX, "each has its place");

/* ---- kinds ---- */

static const ComponentKind *find_kind(const ComponentKind *const *kinds, size_t count, const char *name) {
        for (size_t i = 0; i < count; i++)
                if (strcmp(kinds[i]->name, name) == 0)
                        return kinds[i];
        return NULL;
}

static const ComponentKind *built_in_kind(const char *name) {
        static const ComponentKind *const kinds[] = {&component_consensus, &component_network, &component_database,
                                                     &component_storage,   &component_api,     &component_scheduler,
                                                     &component_system};
        return find_kind(kinds, ARRAY_SIZE(kinds), name);
}

static const ComponentKind *declared_kind(const char *check) {
        static const ComponentKind *const kinds[] = {&component_http, &component_tcp, &component_command,
                                                     &component_unit};
        return find_kind(kinds, ARRAY_SIZE(kinds), check);
}

/* ---- what was found ---- */

static int arm(Entry *entry, int64_t after_us) {
        int64_t accuracy = after_us / 4 < ACCURACY_MAX_US ? after_us / 4 : ACCURACY_MAX_US;
        int r = sd_event_source_set_time_relative(entry->timer, (uint64_t)after_us);
        if (r >= 0)
                r = sd_event_source_set_time_accuracy(entry->timer, (uint64_t)(accuracy > 0 ? accuracy : 1));
        return r < 0 ? r : sd_event_source_set_enabled(entry->timer, SD_EVENT_ONESHOT);
}

static int64_t pause_after(const Entry *entry, const ComponentFinding *finding) {
        int64_t interval = entry->kind->interval ? entry->kind->interval(&entry->context)
                                                 : settings_int(entry->context.settings, "interval");
        if (finding->partial && interval > SECOND_LOOK_US)
                return SECOND_LOOK_US;
        return finding->not_configured && interval < NOT_CONFIGURED_US ? NOT_CONFIGURED_US : interval;
}

static bool is_of_a_run(const Entry *entry) {
        return entry->checkup->suspended || entry->begun_mono < entry->checkup->resumed_mono;
}

/* True: something that is told of has changed. */
static bool keep(Entry *entry, const ComponentFinding *finding) {
        ComponentHealth *component = &entry->checkup->health.components[entry->index];
        const ComponentHealth before = *component;
        unsigned failures = (unsigned)settings_int(entry->context.settings, "failures"), score = finding->score;
        if (entry->checkup->tools.one_check)
                failures = 1;
        bool counted = !(entry->of_service && is_of_a_run(entry));
        component->state = health_strike(&entry->strikes, failures, finding->state, finding->at_once, counted, &score);
        component->score = component->state == HEALTH_UNKNOWN ? 0 : score;
        component->configured = !finding->not_configured;
        component->checked_wall = clock_wall_us();
        component->begun_mono = entry->begun_mono;
        if (component->state != before.state || before.since_wall == 0)
                component->since_wall = component->checked_wall;
        if (finding->state == HEALTH_UNHEALTHY && !counted)
                snprintf(component->reason, sizeof component->reason, "%.180s (a run is under way: not counted)",
                         finding->reason);
        else if (finding->state == HEALTH_UNHEALTHY && component->state == HEALTH_DEGRADED)
                snprintf(component->reason, sizeof component->reason, "%.180s (failed check %u of %u)", finding->reason,
                         entry->strikes, failures);
        else
                snprintf(component->reason, sizeof component->reason, "%s", finding->reason);
        return component->state != before.state || component->score != before.score ||
               component->configured != before.configured || before.checked_wall == 0;
}

static void on_found(void *userdata, const ComponentFinding *finding) {
        Entry *entry = userdata;
        Checkup *checkup = entry->checkup;
        bool changed = keep(entry, finding);
        entry->checking = false;
        entry->complete |= !finding->partial;
        health_sum_up(&checkup->health);
        bool again = !checkup->suspended && is_of_a_run(entry); /* it was begun in the run that has ended meanwhile */
        (void)arm(entry, again ? 0 : pause_after(entry, finding)); /* a timer that exists can be set again */
        if (entry == checkup->consensus && component_consensus_view(entry->self) && checkup->hooks.consensus)
                checkup->hooks.consensus(checkup->userdata, component_consensus_view(entry->self));
        if (changed && checkup->hooks.changed)
                checkup->hooks.changed(checkup->userdata, &checkup->health);
        healer_look(entry->healer, finding->state, finding->reason);
}

static void on_condition(void *userdata, const char *source, const char *problem) {
        const Entry *entry = userdata;
        if (entry->checkup->hooks.condition)
                entry->checkup->hooks.condition(entry->checkup->userdata, source, problem);
}

/* ---- healing ---- */

static void on_healing(void *userdata, const char *what, HealingNews news) {
        const Entry *entry = userdata;
        if (entry->checkup->hooks.healing)
                entry->checkup->hooks.healing(entry->checkup->userdata, entry->context.name, what, news);
}

static void on_given_up(void *userdata, const char *problem) {
        const Entry *entry = userdata;
        char source[COMPONENT_NAME_MAX + 16];
        snprintf(source, sizeof source, "component %s", entry->context.name);
        on_condition(userdata, source, problem);
}

/* ---- life ---- */

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Entry *entry = userdata;
        (void)source;
        (void)usec;
        entry->checking = true;
        entry->begun_mono = clock_mono_us();
        entry->kind->check(entry->self);
        return 0;
}

static int add(Checkup *checkup, const struct ConfigComponent *component, Error *error) {
        static const HealerHooks healer_hooks = {.told = on_healing, .given_up = on_given_up};
        const ComponentKind *built_in = built_in_kind(component->name);
        const CheckupTools *tools = &checkup->tools;
        Entry *entry = &checkup->entries[checkup->count];
        ComponentHealth *health = &checkup->health.components[checkup->count];
        *entry = (Entry){
                .checkup = checkup,
                .kind = component->check ? declared_kind(component->check) : built_in,
                .index = checkup->count,
                .of_service = built_in && built_in->of_service,
                .context = {.world = tools->world,
                            .journal = tools->journal,
                            .journal_problem = tools->journal_problem,
                            .one_check = tools->one_check,
                            .prober = tools->prober,
                            .watcher = tools->watcher,
                            .disks = checkup->disks,
                            .name = component->name,
                            .settings = component->settings,
                            .condition = on_condition,
                            .found = on_found,
                            .userdata = entry},
        };
        *health = (ComponentHealth){.weight = (unsigned)settings_int(component->settings, "weight"),
                                    .critical = settings_bool(component->settings, "critical"),
                                    .configured = true,
                                    .reason = "not measured yet"};
        snprintf(health->name, sizeof health->name, "%s", component->name);
        if (built_in == &component_consensus)
                checkup->consensus = entry;
        if (built_in == &component_network)
                checkup->network = entry;
        if (built_in == &component_database)
                checkup->database = entry;
        if (built_in == &component_system)
                checkup->system = entry;
        checkup->health.count = ++checkup->count;
        int r = entry->kind->open(&entry->context, &entry->self, error);
        if (r >= 0 && tools->heal)
                r = healer_new(tools->world, component->name, component->settings, &healer_hooks, entry, &entry->healer,
                               error);
        if (r >= 0)
                r = sd_event_add_time_relative(tools->world->event, &entry->timer, CLOCK_BOOTTIME, 0, 1, on_timer,
                                               entry);
        return r < 0 ? error_prefix(error, "component %s", component->name) : 0;
}

int checkup_new(const CheckupTools *tools, const CheckupHooks *hooks, void *userdata, Checkup **ret_checkup,
                Error *error) {
        const Config *config = tools->world->config;
        Checkup *checkup = calloc(1, sizeof *checkup);
        if (!checkup)
                return error_set(error, -ENOMEM, "out of memory");
        checkup->tools = *tools;
        checkup->hooks = *hooks;
        checkup->userdata = userdata;
        int r = disks_new(tools->world->event, config, &checkup->disks, error);
        for (unsigned i = 0; i < config->component_count && r >= 0; i++)
                r = add(checkup, &config->components[i], error);
        if (r < 0) {
                checkup_free(checkup);
                return r;
        }
        health_sum_up(&checkup->health);
        *ret_checkup = checkup;
        return 0;
}

Checkup *checkup_free(Checkup *checkup) {
        if (!checkup)
                return NULL;
        for (unsigned i = 0; i < checkup->count; i++) {
                Entry *entry = &checkup->entries[i];
                entry->timer = sd_event_source_disable_unref(entry->timer);
                entry->healer = healer_free(entry->healer);
                if (entry->self)
                        entry->kind->close(entry->self);
        }
        disks_free(checkup->disks);
        free(checkup);
        return NULL;
}

void checkup_suspend(Checkup *checkup) {
        if (!checkup || checkup->suspended)
                return;
        checkup->suspended = true;
        for (unsigned i = 0; i < checkup->count; i++)
                healer_suspend(checkup->entries[i].healer);
}

void checkup_resume(Checkup *checkup) {
        if (!checkup || !checkup->suspended)
                return;
        checkup->suspended = false;
        checkup->resumed_mono = clock_mono_us();
        disks_outdate(checkup->disks);
        for (unsigned i = 0; i < checkup->count && !checkup->healing_held; i++)
                healer_resume(checkup->entries[i].healer);
        for (unsigned i = 0; i < checkup->count; i++)
                if (!checkup->entries[i].checking) /* else again as soon as that one is over */
                        (void)arm(&checkup->entries[i], 0);
}

void checkup_recall_tries(Checkup *checkup, unsigned index, const int64_t *tries_mono, unsigned count) {
        healer_recall(checkup->entries[index].healer, tries_mono, count);
}

void checkup_hold_healing(Checkup *checkup, bool hold) {
        if (!checkup || checkup->healing_held == hold)
                return;
        checkup->healing_held = hold;
        for (unsigned i = 0; i < checkup->count && !checkup->suspended; i++) {
                Healer *healer = checkup->entries[i].healer;
                if (hold)
                        healer_suspend(healer);
                else
                        healer_resume(healer);
        }
}

bool checkup_complete(const Checkup *checkup) {
        for (unsigned i = 0; i < checkup->count; i++)
                if (!checkup->entries[i].complete)
                        return false;
        return true;
}

bool checkup_heals(const Checkup *checkup) {
        for (unsigned i = 0; checkup && i < checkup->count; i++)
                if (healer_busy(checkup->entries[i].healer))
                        return true;
        return false;
}

const Disks *checkup_disks(const Checkup *checkup) {
        return checkup->disks;
}

const Health *checkup_health(const Checkup *checkup) {
        return &checkup->health;
}

const SystemLoad *checkup_load(const Checkup *checkup) {
        return component_system_load(checkup->system->self);
}

bool checkup_peer(const Checkup *checkup, unsigned index, PeerState *ret_peer) {
        return component_network_peer(checkup->network->self, index, ret_peer);
}

const ConsensusState *checkup_consensus(const Checkup *checkup) {
        return component_consensus_state(checkup->consensus->self);
}

const ConsensusView *checkup_consensus_view(const Checkup *checkup) {
        return component_consensus_view(checkup->consensus->self);
}

const ConsensusLook *checkup_consensus_look(const Checkup *checkup) {
        return component_consensus_look(checkup->consensus->self);
}

const ReplicationState *checkup_replication(const Checkup *checkup) {
        return component_database_state(checkup->database->self);
}

const ReplicationView *checkup_replication_view(const Checkup *checkup) {
        return component_database_view(checkup->database->self);
}

void checkup_tell_damage(Checkup *checkup, const char *words) {
        component_database_damage(checkup->database->self, words);
}
